"""Turns per second of the assistant server over HTTP with Postgres: `python -m benchmarks.engine.served [--quick]`.

Server, Postgres, the scripted neighbours and the load generator are processes of this machine; what each used of the processors is told.
Commits wait for the disk as in production. The report goes to docs/reports/.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.engine.bench_project import write_project
from benchmarks.report import machine, write_report
from tightrope.cli.supervisor import free_ports
from tightrope.infra.migrate import migrate
from tightrope.infra.postgres import EmbeddedPostgres
from tightrope.infra.secrets import ensure_demo_secrets
from tightrope.infra.settings import Settings


@dataclass
class Bench:
    """Everything that is running."""

    settings: Settings
    postgres: EmbeddedPostgres
    folder: Path
    neighbours: int
    pids: dict[str, int] = field(default_factory=dict)

    def processor(self) -> dict[str, float]:
        """Processor seconds used so far by each process."""
        used = {name: sum(psutil.Process(pid).cpu_times()[:2]) for name, pid in self.pids.items()}
        leader = psutil.Process(int((self.postgres.data / "postmaster.pid").read_text().split()[0]))
        # The children's own time is asked of them: a leader knows only of those that have ended.
        used["postgres"] = sum(sum(p.cpu_times()[:2]) for p in [leader, *leader.children(recursive=True)])
        return used


@contextmanager
def process(arguments: list[str], **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours for the time of the block."""
    started = subprocess.Popen([sys.executable, "-m", *arguments], env={**os.environ, **env})
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(timeout=15)


@contextmanager
def benching() -> Iterator[Bench]:
    """Postgres and the neighbours."""
    with tempfile.TemporaryDirectory(prefix="tightrope-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        database, neighbours = free_ports(2)
        settings = Settings(state_dir=folder / "state", database_port=database)
        ensure_demo_secrets(settings)
        postgres = EmbeddedPostgres(settings)
        postgres.start()
        stack.callback(postgres.stop, mode="immediate")
        migrate("assistant", postgres.superuser_conninfo("assistant"))
        bench = Bench(settings, postgres, folder, neighbours)
        bench.pids["neighbours"] = stack.enter_context(process(["benchmarks.engine.neighbours", str(neighbours)])).pid
        yield bench


@contextmanager
def serving(
    bench: Bench, flows: int, servers: int = 1, write: Callable[[Path, int], Path] = write_project
) -> Iterator[list[int]]:
    """Assistant servers of a project with so many flows; gives their ports."""
    project = write(bench.folder / f"project-{flows}", flows)
    with ExitStack() as stack:
        ports = free_ports(servers)
        for number, port in enumerate(ports):
            started = stack.enter_context(
                process(
                    ["tightrope.cli.serve", "assistant"],
                    TIGHTROPE_STATE_DIR=str(bench.settings.state_dir),
                    TIGHTROPE_DATABASE_PORT=str(bench.settings.database_port),
                    TIGHTROPE_PROJECT_DIR=str(project),
                    TIGHTROPE_ASSISTANT_URL=f"http://127.0.0.1:{port}",
                    TIGHTROPE_ACTIONS_URL=f"http://127.0.0.1:{bench.neighbours}/webhook",
                    TIGHTROPE_UNDERSTANDING_URL=f"http://127.0.0.1:{bench.neighbours}/v1",
                    TIGHTROPE_LOG_LEVEL="ERROR",
                )
            )
            bench.pids[f"server {number + 1}"] = started.pid
            _wait(port, started)
        yield ports
        for number in range(servers):
            del bench.pids[f"server {number + 1}"]


def _wait(port: int, started: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if started.poll() is not None:
            raise SystemExit("the server ended; its reason stands above")
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit("the server did not come up in a minute")


def load(bench: Bench, **plan: Any) -> dict[str, Any]:
    """What the load generator saw, with the processor milliseconds a turn of every process."""
    arguments = [sys.executable, "-m", "benchmarks.engine.load", json.dumps(plan)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        bench.pids["load generator"] = started.pid
        begin = started.stdout.readline() if not plan.get("turns") else ""
        before = bench.processor()
        time.sleep(plan.get("seconds", 8.0) - 0.2 if begin else 0)
        after = bench.processor()
        text = started.stdout.read()
        del bench.pids["load generator"]
    if started.returncode:
        raise SystemExit("the load generator stopped; its reason stands above")
    found: dict[str, Any] = json.loads(text)
    if begin:
        share = found["turns"] * (1 - 0.2 / plan.get("seconds", 8.0))
        found["processor"] = {name: (value - before.get(name, 0.0)) / share * 1000 for name, value in after.items()}
    return found


KINDS = {"press": "pressed button", "text": "text (understanding)", "action": "text and one action"}


def rates(bench: Bench, seconds: float) -> list[str]:
    """Throughput with one and with two servers, and latency of a single customer."""
    rows = [
        "| | servers | connections | turns a second | p50 / p99 ms | processor ms a turn |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for servers in (1, 2):
        with serving(bench, 20, servers) as ports:
            for kind, name in KINDS.items():
                for connections in (16, 1) if servers == 1 else (16,):
                    found = load(bench, ports=ports, kind=kind, seconds=seconds, connections=connections)
                    cost = ", ".join(f"{who} {ms:.2f}" for who, ms in sorted(found["processor"].items()) if ms > 0.005)
                    rows.append(
                        f"| {name} | {servers} | {connections} | {found['per_second']:.0f} | {found['p50']:.1f} / {found['p99']:.1f} | {cost} |"
                    )
                    print(rows[-1], flush=True)
    return rows


def by_flows(bench: Bench, seconds: float) -> list[str]:
    """The same turns in projects of 10, 100 and 1,000 flows."""
    rows = ["| flows | pressed button, turns a second | text, turns a second |", "| --- | --- | --- |"]
    for flows in (10, 100, 1000):
        with serving(bench, flows) as ports:
            press, text = (load(bench, ports=ports, kind=kind, seconds=seconds)["per_second"] for kind in ("press", "text"))
        rows.append(f"| {flows} | {press:.0f} | {text:.0f} |")
        print(rows[-1], flush=True)
    return rows


def by_length(bench: Bench, turns: int) -> list[str]:
    """How long a turn takes early and late in a conversation of 1,000 turns; four conversations at once."""
    rows = ["| turn | pressed button, mean ms | text, mean ms | action, mean ms |", "| --- | --- | --- | --- |"]
    with serving(bench, 20) as ports:
        found = {kind: load(bench, ports=ports, kind=kind, turns=turns, connections=4)["by_turn"] for kind in KINDS}
    windows = [(low, high) for low, high in ((2, 10), (11, 100), (101, 500), (501, 1000)) if high <= turns]
    for low, high in windows:
        means = []
        for kind in KINDS:
            values = [value for turn in range(low, high + 1) for value in found[kind][str(turn)]]
            means.append(f"{sum(values) / len(values) * 1000:.2f}")
        rows.append(f"| {low}-{high} | {' | '.join(means)} |")
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seconds each, to see that it runs")
    seconds = 2.0 if parser.parse_args().quick else 8.0
    with benching() as bench:
        lines = [
            f"# Served turns, {time.strftime('%Y-%m-%d')}",
            "",
            f"{machine()}. Assistant servers, Postgres (synchronous commit), scripted neighbours and the load generator share the machine.",
            "Closed loop; a turn is one POST to the REST channel with a turn id of its own; 20 flows where nothing else is said.",
            "",
            *rates(bench, seconds),
            "",
            *by_flows(bench, seconds),
            "",
            *by_length(bench, 100 if seconds < 5 else 1000),
        ]
    write_report("engine-served", lines)


if __name__ == "__main__":
    main()
