"""The whole way of a message under load, beside bare yardsticks in the same run.

    python -m benchmarks.throughput [--rate 800] [--seconds 60]

A fresh demo on free ports; customers write on a fixed schedule (open loop: nobody waits for a slow answer), half of them logged in. First
response is the time from the customer's message to the bot's first answer after it (the disclosure does not count), both as the
inbox stored them. No language model
takes part. The yardsticks run in the same minute on the same machine: a bare uvicorn echo and a bare Postgres insert with commit, each at the rate
of the messages.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import psutil
import psycopg

from benchmarks.report import machine, write_report
from tightrope.audit.verify import verify_log
from tightrope.cli.customer import Customer
from tightrope.cli.demo import Demo, temporary_demo
from tightrope.cli.supervisor import free_ports
from tightrope.gateway.wording import say

KINDS = {
    "我的账户余额是多少？": "balance (business API)",
    "我能开通融资融券吗？": "margin eligibility (rules)",
    "融资融券的保证金比例是多少？": "question (knowledge)",
    "谢谢": "small talk",
    "开通科创板需要什么条件？": "question (knowledge)",
    "What are the trading fees?": "question (knowledge)",
    "现在该买哪只股票？": "advice declined",
    "转人工": "talk to a person",
}
LOGGED_IN = ["我的账户余额是多少？", "我能开通融资融券吗？", "融资融券的保证金比例是多少？", "谢谢"]
GUEST = ["开通科创板需要什么条件？", "What are the trading fees?", "现在该买哪只股票？", "转人工"]
PAUSE_SECONDS = 6.0

ECHO = """
import sys, uvicorn
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = (await receive()).get("body", b"")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
"""


async def prepare(demo: Demo, count: int) -> list[Customer]:
    """Browsers that have the page open; every second one is logged in."""
    customers = []
    for index in range(count):
        customer = Customer(demo.settings)
        await customer.open_page()
        if index % 2 == 0:
            await customer.log_in(f"C{1001 + index // 2 % 10}")
        customers.append(customer)
    return customers


async def inquire(customer: Customer, lines: list[str], start: float, late: list[float], failed: list[str]) -> None:
    """One inquiry: several messages on a schedule, whether or not the answers have come."""
    for position, line in enumerate(lines):
        due = start + position * PAUSE_SECONDS
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        late.append(time.monotonic() - due)
        try:
            await customer.say(line)
        except Exception as error:
            failed.append(f"{type(error).__name__}: {error}")


async def yardsticks(demo: Demo, port: int, rate: float, seconds: float) -> tuple[list[float], list[float]]:
    """Latencies in seconds of the echo and of a commit, both at `rate` a minute."""
    echo: list[float] = []
    commit: list[float] = []
    async with (
        httpx.AsyncClient(trust_env=False) as http,
        await psycopg.AsyncConnection.connect(demo.postgres.superuser_conninfo("inbox")) as conn,
    ):
        await conn.execute("CREATE TABLE IF NOT EXISTS public.bench (id bigserial PRIMARY KEY, body text)")
        await conn.commit()
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            started = time.perf_counter()
            await http.post(f"http://127.0.0.1:{port}/", content=b'{"message": "hello"}')
            echo.append(time.perf_counter() - started)
            started = time.perf_counter()
            await conn.execute("INSERT INTO public.bench (body) VALUES (%s)", ("x" * 400,))
            await conn.commit()
            commit.append(time.perf_counter() - started)
            await asyncio.sleep(max(0.0, 60.0 / rate - (time.monotonic() - now)))
    return echo, commit


def responses(demo: Demo, since: float, until: float) -> tuple[dict[str, list[float]], int, int]:
    """Of the window (seconds since the epoch): first-response times in seconds by kind, customer messages; and all messages without an answer."""
    found: dict[str, list[float]] = defaultdict(list)
    with demo.postgres.superuser("inbox") as conn:
        rows = conn.execute(
            """SELECT m.content, extract(epoch FROM m.created_at)::float8,
                      (SELECT extract(epoch FROM min(b.created_at))::float8 FROM inbox.message b
                       WHERE b.conversation_id = m.conversation_id AND b.id > m.id AND b.message_type = 1 AND NOT b.private AND b.content <> ALL(%s))
               FROM inbox.message m WHERE m.message_type = 0 ORDER BY m.id""",
            ([say("disclosure", "zh"), say("disclosure", "en")],),
        ).fetchall()
    unanswered = sum(answered is None for _, _, answered in rows)
    measured = [row for row in rows if since <= row[1] < until]
    for content, asked, answered in measured:
        if answered is not None:
            found[KINDS.get(content, "other")].append(answered - asked)
    return found, len(measured), unanswered


def events(demo: Demo) -> int:
    """Webhooks that the inbox delivered to the gateway."""
    text = httpx.get(f"{demo.settings.gateway_url}/metrics", trust_env=False).text
    return int(sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("tightrope_webhooks_total")))


def memory(demo: Demo) -> dict[str, float]:
    """Resident memory of each process in MB; for Postgres the proportional share of all its processes."""
    used = {name: psutil.Process(pid).memory_info().rss / 1e6 for name, pid in demo.supervisor.pids().items()}
    folder = str(demo.postgres.data)
    leader = next(p for p in psutil.process_iter(["cmdline"]) if folder in (p.info["cmdline"] or []))
    used["postgres"] = sum(p.memory_full_info().pss for p in [leader, *leader.children(recursive=True)]) / 1e6
    return used


def _seconds(process: psutil.Process) -> float:
    """Processor time of one process; Postgres's helpers come and go, and one that is gone counts nothing."""
    try:
        return sum(process.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0.0


def processor(demo: Demo) -> dict[str, float]:
    """Processor seconds that each process has used so far."""
    used = {name: sum(psutil.Process(pid).cpu_times()[:2]) for name, pid in demo.supervisor.pids().items()}
    folder = str(demo.postgres.data)
    leader = next(p for p in psutil.process_iter(["cmdline"]) if folder in (p.info["cmdline"] or []))
    used["postgres"] = sum(_seconds(p) for p in [leader, *leader.children(recursive=True)])
    used["load generator"] = sum(psutil.Process().cpu_times()[:2])
    return used


def spread(values: list[float]) -> str:
    """`p50 / p95 / p99` in ms."""
    if len(values) < 2:
        return "–"
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return f"{cuts[49] * 1000:.0f} / {cuts[94] * 1000:.0f} / {cuts[98] * 1000:.0f}"


@dataclass(frozen=True)
class Window:
    """What was seen while inquiries came and went at an even pace. Times in seconds since the epoch."""

    since: float
    until: float
    echo: list[float]
    commit: list[float]
    events: int
    busy: float
    spent: dict[str, float]


async def measure(demo: Demo, port: int, rate: float, opens: float, seconds: float) -> Window:
    """Wait for the window, then count and drive the yardsticks until it closes."""
    await asyncio.sleep(opens - time.monotonic())
    since, before, spent = time.time(), events(demo), processor(demo)
    psutil.cpu_percent()
    echo, commit = await yardsticks(demo, port, rate, seconds)
    busy, after = psutil.cpu_percent(), processor(demo)
    return Window(
        since, time.time(), echo, commit, events(demo) - before, busy, {name: after[name] - spent[name] for name in after}
    )


async def run(demo: Demo, rate: int, seconds: int) -> int:
    """Run, print, write the report; 1 when something was lost."""
    # Inquiries begin at an even pace and last a while: the window opens when as many end as begin, and closes before they cease.
    ramp = PAUSE_SECONDS * (len(GUEST) - 1)
    inquiries = max(2, round(rate * (seconds + ramp) / 60 / len(GUEST)))
    sys.stderr.write(f"preparing {inquiries} browsers …\n")
    customers = await prepare(demo, inquiries)
    (port,) = free_ports(1)
    echo_server = subprocess.Popen([sys.executable, "-c", ECHO, str(port)])  # noqa: ASYNC220 - one start, before anything is timed
    await asyncio.sleep(1.5)
    late: list[float] = []
    failed: list[str] = []
    start = time.monotonic() + 1.0
    sys.stderr.write(f"{rate} messages a minute, measured for {seconds} s …\n")
    tasks = [
        inquire(c, LOGGED_IN if i % 2 == 0 else GUEST, start + (seconds + ramp) * i / inquiries, late, failed)
        for i, c in enumerate(customers)
    ]
    measured = asyncio.ensure_future(measure(demo, port, rate, start + ramp, seconds))
    await asyncio.gather(measured, *tasks)
    window = measured.result()
    await asyncio.sleep(5)
    found, messages, unanswered = responses(demo, window.since, window.until)
    used, took = memory(demo), window.until - window.since
    report = await verify_log(demo.settings)
    with demo.postgres.superuser("tightrope") as conn:
        stuck = conn.execute("SELECT count(*) FROM gateway.outbox WHERE state IN ('pending', 'sending', 'failed')").fetchone()
        pending = conn.execute(
            "SELECT count(*) FROM gateway.inbound WHERE state = 'pending' AND kind IN ('message', 'press')"
        ).fetchone()
    echo_server.terminate()
    echo_server.wait(5)
    for customer in customers:
        await customer.aclose()
    # Somebody who asked for a person gets silence afterwards by design; here that is nobody, since it is the last line.
    lost = unanswered + len(failed) + (stuck or [0])[0] + (pending or [0])[0]
    everything = [value for values in found.values() for value in values]
    lines = [
        f"# Throughput, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"{machine()}. Demo as `make demo` runs it (embedded defaults, sandbox inbox and brokerage), the load generator on the same",
        "machine. No language model takes part.",
        f"Asked for: {rate} customer messages a minute for {seconds} s in inquiries of {len(GUEST)} messages that come and go at an even pace, open loop,",
        "half of the customers logged in.",
        "",
        "| held | |",
        "| --- | --- |",
        f"| inquiries a minute | {messages / len(GUEST) / took * 60:.0f} |",
        f"| customer messages a minute | {messages / took * 60:.0f} |",
        f"| Chatwoot events a minute | {window.events / took * 60:.0f} |",
        f"| messages lost or unanswered | {lost} |",
        f"| audit records sealed, verified | {report.sealed}, {'whole' if report.ok else 'NOT whole'} |",
        f"| generator behind its schedule, worst | {max(late) * 1000:.0f} ms |",
        f"| processor, both cores | {window.busy:.0f} % |",
        "",
        "| first response by kind | number | p50 / p95 / p99 ms |",
        "| --- | --- | --- |",
        *(f"| {kind} | {len(values)} | {spread(values)} |" for kind, values in sorted(found.items())),
        f"| **all** | {len(everything)} | **{spread(everything)}** |",
        f"| yardstick: bare uvicorn echo, same rate, same run | {len(window.echo)} | {spread(window.echo)} |",
        f"| yardstick: bare Postgres insert and commit, same rate, same run | {len(window.commit)} | {spread(window.commit)} |",
        "",
        "| process | memory MB | processor ms per customer message |",
        "| --- | --- | --- |",
        *(
            f"| {name} | {used.get(name, 0):.0f} | {window.spent[name] * 1000 / max(1, messages):.1f} |"
            for name in sorted(window.spent)
        ),
        f"| **all** | **{sum(used.values()):.0f}** | **{sum(window.spent.values()) * 1000 / max(1, messages):.0f}** |",
        "",
        *(f"- failed: {text}" for text in failed[:5]),
    ]
    write_report("throughput", lines)
    return 1 if lost or not report.ok else 0


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=800, help="customer messages a minute")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()

    def tell(what: str, state: str) -> None:
        if state == "ready":
            sys.stderr.write(f"  {what} {state}\n")

    with temporary_demo(tell) as demo:
        return asyncio.run(run(demo, options.rate, options.seconds))


if __name__ == "__main__":
    sys.exit(main())
