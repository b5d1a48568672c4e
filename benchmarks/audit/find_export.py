"""Time to find and export one customer, and to answer an auditor's questions, by the log's size.

    python -m benchmarks.audit find_export                                     200,000 events, beside the log's other figures
    python -m benchmarks.audit.find_export --events 100000 1000000 10000000    by size; writes docs/reports/

The log is synthetic (`benchmarks.audit.bulk`); everything that is timed is the auditor's own: `tightrope audit find` and `export` as whole processes,
the questions by the same `Finder`, the verifier out of the export, the indexer over the records at the log's end.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
import structlog

from benchmarks.audit.bulk import BYTES_AN_EVENT, PROBE, TABLES, Built, Bulk
from benchmarks.audit.population import DOCUMENT
from benchmarks.audit.world import RELEASE, World, fresh_world
from benchmarks.report import machine, write_report
from tightrope.audit.index.finding import Finder
from tightrope.audit.index.models import Question
from tightrope.audit.index.query import condition, month
from tightrope.audit.index.service import Indexer
from tightrope.audit.keyring import Keyring
from tightrope.audit.recorder import Recorder
from tightrope.cli.demo import as_environment
from tightrope.infra.clock import SystemClock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import REPOSITORY

EVENTS = 200_000
QUICK = 20_000
TAIL = 20_000
"""Real records at the log's end, over which the indexer is timed."""
AIM_SECONDS = 60.0
SAMPLE = 400


@dataclass(slots=True)
class Asked:
    """A question: seconds when it was first asked and when asked again, and how many records answer it."""

    first: float
    again: float
    records: int


@dataclass(slots=True)
class Process:
    """A whole process: seconds by the clock and of processor, MiB of memory at most."""

    seconds: float
    processor: float
    memory: float


@dataclass(slots=True)
class Seen:
    """What was seen at one size. Sizes in bytes."""

    built: Built
    building: float
    asked: dict[str, Asked] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    indexed: tuple[int, float] = (0, 0.0)
    tables: dict[str, int] = field(default_factory=dict)
    tree: int = 0
    export: tuple[int, int] = (0, 0)


def measure(sizes: tuple[int, ...], *, explain: Callable[[World], None] | None = None) -> list[Seen]:
    """One fresh log for each size. `explain` looks at the world before it goes away.

    Raises:
        SystemExit: not enough room on the disk for the largest.
    """
    return [_at(size, explain) for size in sizes]


def _at(size: int, explain: Callable[[World], None] | None) -> Seen:
    with fresh_world() as world:
        free = shutil.disk_usage(world.settings.state_dir).free
        if free < size * BYTES_AN_EVENT * 1.2:
            raise SystemExit(
                f"{size:,} events need {size * BYTES_AN_EVENT * 1.2 / 1e9:.0f} GB of disk while the log is built, there are "
                f"{free / 1e9:.0f} GB free; make room, set TMPDIR to another disk, or take fewer with --events"
            )
        began = time.monotonic()
        built = Bulk(world, size, tail=min(TAIL, size // 10)).build()
        seen = Seen(built, time.monotonic() - began)
        sys.stderr.write(f"  built in {seen.building:.0f} s\n")
        asyncio.run(_index_and_ask(world, seen))
        _processes(world, seen)
        _bytes(world, seen)
        if explain is not None:
            explain(world)
        return seen


async def _index_and_ask(world: World, seen: Seen) -> None:
    settings, clock = world.settings, SystemClock()
    keyring = Keyring.from_settings(settings)
    async with open_pool(settings, Role.AUDITOR, max_size=2) as pool:
        began = time.perf_counter()
        seen.indexed = (await Indexer(pool, keyring, clock).catch_up(), time.perf_counter() - began)
        finder = Finder(pool, keyring, Recorder(settings, keyring, clock, RELEASE), clock, who="bench")
        for name, question in questions().items():

            async def found(asked: Question = question, limit: int = 0 if name.startswith("count") else 100) -> int:
                return (await finder.find(asked, limit=limit)).records

            seen.asked[name] = await _twice(found)
            sys.stderr.write(f"  {name}: {seen.asked[name].first:.2f} s\n")

        async def sampled() -> int:
            return len((await finder.sample(questions()["count of a month's answers"], SAMPLE, "20260601")).hits)

        seen.asked[f"a sample of {SAMPLE} of a month's answers"] = await _twice(sampled)


async def _twice(ask: Callable[[], Awaitable[int]]) -> Asked:
    times = []
    for _ in range(2):
        began = time.perf_counter()
        records = await ask()
        times.append(time.perf_counter() - began)
    return Asked(times[0], times[1], records)


def questions() -> dict[str, Question]:
    """What is asked, by name."""
    at = datetime.now(UTC)
    start, end = month(at.year if at.month > 6 else at.year - 1, (at.month + 5) % 12 + 1)
    margin = Question(journey="check_margin_eligibility", verdict="refused", start=start, end=end)
    return {
        "by customer": Question(customer=PROBE),
        "by conversation": Question(conversation="probe-7"),
        "all margin refusals in a month with a risk assessment older than a year": Question(
            journey=margin.journey, verdict=margin.verdict, start=start, end=end, inputs=(condition("risk_assessment_age>365d"),)
        ),
        "all margin refusals in a month": margin,
        "every answer that cited a document in version 3 (asked for often)": Question(cited=f"{DOCUMENT}@3"),
        "every answer that cited a document in version 3 (seldom)": Question(cited="guide-31@3"),
        "every answer that cited a document, any version": Question(cited="guide-31"),
        "count of a month's answers": Question(event="gateway:turn:made", start=start, end=end),
        "count of all operators' acts": Question(event="operator:"),
    }


def _processes(world: World, seen: Seen) -> None:
    target = world.settings.state_dir / "exports"
    target.mkdir()
    audit = [sys.executable, "-m", "tightrope.cli.main", "audit"]
    for name, command in {
        "find": [*audit, "find", "--customer", PROBE],
        "export": [*audit, "export", str(target / "whole"), "--customer", PROBE],
        "no pdf": [*audit, "export", str(target / "pages"), "--customer", PROBE, "--no-pdf"],
        "no pages": [*audit, "export", str(target / "bare"), "--customer", PROBE, "--no-pages"],
        "verify": [sys.executable, str(target / "whole" / "verify.py"), str(target / "whole")],
        "verify beside": [
            sys.executable,
            str(target / "bare" / "verify.py"),
            str(target / "bare"),
            "--policy",
            str(target / "whole" / "policy.txt"),
        ],
    }.items():
        seen.processes[name] = _run(world, command)
        sys.stderr.write(f"  {name}: {seen.processes[name].seconds:.1f} s\n")
    files = [path for path in (target / "whole").rglob("*") if path.is_file()]
    seen.export = (len(files), sum(path.stat().st_size for path in files))


def _run(world: World, command: list[str]) -> Process:
    environment = {**os.environ, **as_environment(world.settings), "PYTHONPATH": str(REPOSITORY)}
    log = world.settings.state_dir / "process.log"
    with log.open("wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=out, stderr=out)
        memory, ended = 0, 0
        while not ended:  # what the system says of its memory at the end would count this process, which it was forked from
            with suppress(psutil.Error):
                memory = max(memory, psutil.Process(process.pid).memory_info().rss)
            time.sleep(0.02)
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
        took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
    return Process(took, used.ru_utime + used.ru_stime, memory / 2**20)


def _bytes(world: World, seen: Seen) -> None:
    with world.superuser() as conn:
        for table in (text.split()[0] for text in TABLES.values()):
            row = conn.execute("SELECT pg_total_relation_size(%s::regclass)", (table,)).fetchone()
            seen.tables[table] = row[0] if row else 0
    tree: Path = world.settings.audit_tree or world.settings.state_dir / "audit-tree"
    seen.tree = sum(path.lstat().st_blocks * 512 for path in tree.rglob("*"))


def report(found: list[Seen]) -> list[str]:
    """The section of the report."""
    last = found[-1]
    whole = last.processes["find"].seconds + last.processes["export"].seconds
    met = "met" if whole < AIM_SECONDS else "**missed**"

    def row(name: str, values: list[str]) -> str:
        return f"| {name} | {' | '.join(values)} |"

    def process(title: str, name: str) -> str:
        return row(title, [f"{one.processes[name].seconds:.1f}" for one in found])

    def asked(name: str) -> list[str]:
        return [
            f"{one.asked[name].first * 1000:,.0f} / {one.asked[name].again * 1000:,.0f} ({one.asked[name].records:,})"
            for one in found
        ]

    head, rule = f"| events | {' | '.join(f'{one.built.size:,}' for one in found)} |", f"| --- |{' --- |' * len(found)}"
    return [
        "## Finding and exporting one customer",
        "",
        f"A customer with {last.built.probe} records in 40 conversations, spread over the whole log among other people's. Found and exported among",
        f"{last.built.size:,} events in {whole:.1f} s, each a process of its own from its start to its end",
        f"(aim: under {AIM_SECONDS:.0f} s each and together: {met}).",
        "The export is a folder with proofs, pages in HTML and PDF, and the verifier: "
        f"{last.export[0]:,} files, {last.export[1] / 1e6:.1f} MB.",
        "",
        head,
        rule,
        process("`tightrope audit find --customer` (s)", "find"),
        process("**`tightrope audit export --customer`, whole (s)**", "export"),
        process("the same without PDF (s)", "no pdf"),
        process("the same without pages (s)", "no pages"),
        process("`verify.py` over the export (s)", "verify"),
        process("`verify.py` over the export without pages, keys from elsewhere (s)", "verify beside"),
        row(
            "processor time of the whole export, without Postgres (s)",
            [f"{one.processes['export'].processor:.1f}" for one in found],
        ),
        row("memory of the whole export at most (MiB)", [f"{one.processes['export'].memory:.0f}" for one in found]),
        row("records of the customer's conversations", [f"{one.built.probe:,}" for one in found]),
        "",
        "Questions to the index, with the record of the question, in ms: first time / again (records that answer it). 100 records are shown, all are counted.",
        "",
        head,
        rule,
        *(row(name, asked(name)) for name in last.asked),
        "",
        f"The log: {last.built.conversations:,} conversations of {last.built.customers:,} customers and of guests in 330 days at the largest",
        "size, 2,000 at a time side by side. Leaves, hashes, tree, proofs and index rows are real, made from drafts of the gateway and verdicts of the rules;",
        "ciphertexts of the many are 44 random bytes. The customer's records are as the recorder makes them, a turn's payload as long as the demo's. One",
        "customer in 1,000 is restricted. No sealer is at work. Postgres as the demo starts it (128 MB of shared buffers); what it had just built was partly",
        "in the machine's page cache.",
        "",
        head,
        rule,
        row(
            "the index caught up over real records at the log's end (events a second)",
            [f"{one.indexed[0] / one.indexed[1]:,.0f}" for one in found],
        ),
        row(
            "so a rebuild would take, extrapolated (min)",
            [f"{one.built.size / (one.indexed[0] / one.indexed[1]) / 60:,.0f}" for one in found],
        ),
        row("`audit.records` with indexes, short ciphertexts (bytes an event)", _per(found, "audit.records")),
        row("`audit.leaves` with indexes (bytes an event)", _per(found, "audit.leaves")),
        row("`audit_index.records` with indexes (bytes an event)", _per(found, "audit_index.records")),
        row("tree folder (bytes an event)", [f"{one.tree / one.built.size:,.0f}" for one in found]),
        row("the log built in (s)", [f"{one.building:,.0f}" for one in found]),
    ]


def _per(found: list[Seen], table: str) -> list[str]:
    return [f"{one.tables[table] / one.built.size:,.0f}" for one in found]


def main() -> int:
    """Measure the sizes asked for, print, write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--events", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000], metavar="N", help="sizes of the log"
    )
    sizes = parser.parse_args().events
    if min(sizes) < QUICK:
        parser.error(f"a log has at least {QUICK:,} events here: the customer's conversations must fit in")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    load = os.getloadavg()[0]
    lines = report(measure(tuple(sizes)))
    head = [
        f"# Finding and exporting in a large audit log, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"{machine()}. Made by `make bench-audit-10m`. Load average when it began {load:.1f}, when it ended {os.getloadavg()[0]:.1f}.",
        "",
    ]
    write_report("audit-find", [*head, *lines])
    return 0


if __name__ == "__main__":
    sys.exit(main())
