"""`tightrope demo --check`: everything on free ports, a scripted conversation, and a verdict in a table; exit 0 or 1 within a minute."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from tightrope.audit.verify import verify_log
from tightrope.cli.demo import Demo, temporary_demo
from tightrope.cli.play import play_all
from tightrope.cli.supervisor import PartFailed
from tightrope.infra import network_log
from tightrope.infra.postgres import PostgresFailed

Json = dict[str, Any]

SCRIPTS: list[Json] = [
    {"id": "balance, logged in at the portal", "session": "C1001", "turns": ["我的账户余额是多少？"]},
    {"id": "balance, sent to log in, answered", "session": "guest", "turns": ["What is my account balance?", {"login": "C1001"}]},
    {"id": "margin eligibility with reasons", "session": "C1002", "turns": ["我能开通融资融券吗？"]},
    {
        "id": "question with a cited source",
        "session": "guest",
        "turns": ["开通科创板需要什么条件？", "查看资料：科创板交易权限：开通条件"],
    },
    {"id": "no investment advice", "session": "guest", "turns": ["Which stock should I buy now?"]},
    {
        "id": "a person, note, reply, give back",
        "session": "guest",
        "turns": ["转人工", {"agent": "reply"}, {"agent": "return"}, "谢谢，开户需要带什么？"],
    },
]


def _last(result: Json) -> str:
    return "\n".join(reply["text"] or "" for turn in result["turns"] for reply in turn["replies"] if reply["from"] == "bot")


def _balance(result: Json) -> bool:
    told = [o for turn in result["turns"] for made in turn.get("turns", []) for o in made["outcomes"]]
    return {"action": "action_tell_balance", "outcome": "told"} in told and ("CNY" in _last(result) or "元" in _last(result))


def _margin(result: Json) -> bool:
    return any(
        o["action"].startswith("action_") and "margin" in o["action"]
        for t in result["turns"]
        for m in t.get("turns", [])
        for o in m["outcomes"]
    )


def _cited(result: Json) -> bool:
    return any(made["citations"] for turn in result["turns"] for made in turn.get("turns", [])) and "/knowledge/" in _last(result)


def _declined(result: Json) -> bool:
    return any(made["flow"] == "decline_investment_advice" for turn in result["turns"] for made in turn.get("turns", []))


def _handed_over(result: Json) -> bool:
    turns = result["turns"]
    return len(turns) == 4 and turns[0]["held_by"] == "opened" and turns[2]["held_by"] is None and bool(turns[3].get("turns"))


EXPECTATIONS: list[Callable[[Json], bool]] = [_balance, _balance, _margin, _cited, _declined, _handed_over]


class KernelWatch:
    """Looks twice a second which addresses the kernel says the processes are connected to."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._seen: set[tuple[str, int]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> KernelWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def away(self) -> list[tuple[str, int]]:
        """Addresses outside this machine."""
        return sorted(target for target in self._seen if not network_log.is_loopback(target[0]))

    def _look(self) -> None:
        while True:
            self._seen |= network_log.kernel_targets(self._demo.supervisor.pids().values())
            if self._stop.wait(0.5):
                return


def run_check(console: Console) -> int:
    """Start, play, verify, stop; returns the exit status."""
    started = time.monotonic()
    console.print("Checking a fresh demo on free ports …", highlight=False)
    try:
        with temporary_demo(
            lambda what, state: (
                console.print(f"{time.monotonic() - started:5.1f} s  {what} {state}", highlight=False)
                if state == "ready"
                else None
            )
        ) as demo:
            return _judge(demo, console, started)
    except (PartFailed, PostgresFailed) as error:
        console.print(f"[red]The demo did not start.[/red] {error}", highlight=False)
        return 1


def _judge(demo: Demo, console: Console, started: float) -> int:
    ready = time.monotonic() - started
    with KernelWatch(demo) as watch:
        results = asyncio.run(play_all(demo.settings, SCRIPTS, 3, lambda _: None))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "what", "turns", "slowest"):
        table.add_column(heading)
    fine, problems = True, []
    for script, result, expected in zip(SCRIPTS, results, EXPECTATIONS, strict=True):
        good = "stuck" not in result and expected(result)
        fine = fine and good
        if not good:
            problems.append(f"{script['id']}: {result.get('stuck') or 'not the expected reply: ' + _last(result)[-200:]}")
        slowest = max((m["latency_ms"] or 0 for t in result["turns"] for m in t.get("turns", [])), default=0)
        table.add_row(_mark(good), script["id"], str(len(result["turns"])), f"{slowest} ms")
    time.sleep(1.0)  # the last segment is written once a second
    report = asyncio.run(verify_log(demo.settings))
    fine = fine and report.ok and report.sealed > 0
    table.add_row(_mark(report.ok), f"audit: {report.sealed} records sealed, verified")
    targets = network_log.read(demo.settings.network_log) if demo.settings.network_log else []
    away = [t for t in targets if not network_log.is_loopback(t["host"])]
    away += [{"kind": "kernel", "host": host, "port": port} for host, port in watch.away()]
    fine = fine and bool(targets) and not away
    table.add_row(
        _mark(bool(targets) and not away),
        f"network: {len({(t['kind'], t['host'], t['port']) for t in targets})} targets attempted, {len(away)} outside this machine",
        "",
        "",
        "",
    )
    console.print()
    console.print(table)
    for problem in problems:
        console.print(f"[red]✗[/red] {problem}", highlight=False)
    console.print(f"\nRecord store: {report.store}.", style="dim", highlight=False)
    _print_targets(console, targets)
    seconds = time.monotonic() - started
    console.print(
        f"\nReady after {ready:.0f} s, done after {seconds:.0f} s: {'[green]all well[/green]' if fine else '[red]FAILED[/red]'}",
        highlight=False,
    )
    return 0 if fine else 1


def _print_targets(console: Console, targets: list[Json]) -> None:
    counted = Counter((t["kind"], t["host"], str(t["port"])) for t in targets)
    console.print(
        "\nEvery connection and name look-up that the parts attempted (kind, host, port, number of parts):",
        style="dim",
        highlight=False,
    )
    for (kind, host, port), parts in sorted(counted.items()):
        console.print(
            f"  {kind:8} {host}:{port} × {parts}", style="dim" if network_log.is_loopback(host) else "red", highlight=False
        )


def _mark(good: bool) -> str:
    return "[green]✓[/green]" if good else "[red]✗[/red]"
