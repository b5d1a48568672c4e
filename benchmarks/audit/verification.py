"""Leaves verified a second and core: the tree over stored leaves, the verifier apart on a whole published log, and `verify_log` with the database.

python -m benchmarks.audit growth        (the published log of a million leaves is what growth leaves behind)
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.audit.world import World
from tightrope.audit.tlog.checkpoint import Checkpoint
from tightrope.audit.tlog.merkle import Frontier, leaf_hashes
from tightrope.audit.tlog.note import Note
from tightrope.audit.tlog.tiles import WIDTH, entry_reader
from tightrope.audit.tree_folder import TreeFolder
from tightrope.audit.verify import verify_log
from tightrope.infra.settings import REPOSITORY

AIM = 500_000
RUNS = 3
VERIFIER = REPOSITORY / "tightrope" / "audit" / "verifier" / "verify_log.py"


@dataclass(frozen=True, slots=True)
class Verified:
    """One way of verifying: leaves, and seconds of wall and processor time (medians)."""

    name: str
    leaves: int
    wall: float
    processor: float
    aimed: bool = False


def hashed_again(folder: TreeFolder) -> Verified:
    """Read every entry of a published log, hash it, fold the tree and hold its root against the checkpoint: one core, one process."""
    note = folder.checkpoint()
    assert note is not None, "the notary has signed"
    shown = Checkpoint.parse(Note.parse(note).text)
    entries = entry_reader(shown.size, folder.read)
    walls, processors = [], []
    for _ in range(RUNS):
        began, spent, frontier = time.perf_counter(), time.process_time(), Frontier()
        for many in _runs(shown.size):
            frontier.extend(hashed for number in many for hashed in leaf_hashes(entries(number)))
        if frontier.root() != shown.root:
            raise SystemExit("the entries do not lead to the checkpoint: nothing measured on such a log is worth anything")
        walls.append(time.perf_counter() - began)
        processors.append(time.process_time() - spent)
    name = "entries read from the published log, hashed, folded, root compared"
    return Verified(name, shown.size, statistics.median(walls), statistics.median(processors), aimed=True)


def folded(folder: TreeFolder) -> Verified:
    """The same with the leaves in memory: hashing and folding alone."""
    note = folder.checkpoint()
    assert note is not None, "the notary has signed"
    size = Checkpoint.parse(Note.parse(note).text).size // WIDTH * WIDTH
    entries = entry_reader(size, folder.read)
    leaves = [entry for number in range(min(400, size // WIDTH)) for entry in entries(number)]
    spent = []
    for _ in range(RUNS):
        began, frontier = time.process_time(), Frontier()
        frontier.extend(leaf_hashes(leaves))
        spent.append(time.process_time() - began)
    median = statistics.median(spent)
    return Verified("hashing and folding alone, leaves in memory", len(leaves), median, median, aimed=True)


def _runs(size: int) -> Iterator[range]:
    bundles = -(-size // WIDTH)
    for first in range(0, bundles, 64):
        yield range(first, min(bundles, first + 64))


def apart(folder: Path, size: int) -> Verified:
    """The verifier that every export carries, as an auditor runs it: a process of its own, from its start to its verdict."""
    walls, processors = [], []
    for _ in range(RUNS):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run([sys.executable, str(VERIFIER), str(folder)], capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise SystemExit(
                f"the verifier apart found fault (exit {done.returncode}):\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        walls.append(time.perf_counter() - began)
        processors.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    name = "the verifier apart (`verify_log.py`), whole process"
    return Verified(name, size, statistics.median(walls), statistics.median(processors), aimed=True)


def with_database(world: World) -> Verified:
    """`tightrope audit verify`: records, ciphertexts, columns, checkpoints, tree folder and segments, once."""
    began, spent = time.perf_counter(), time.process_time()
    found = asyncio.run(verify_log(world.settings))
    if not found.ok:
        raise SystemExit(
            f"the log is not whole: {(found.altered + found.missing + found.tree_problems + found.segment_problems)[:3]}"
        )
    name = "`tightrope audit verify` with database, tree and segments"
    return Verified(name, found.sealed, time.perf_counter() - began, time.process_time() - spent)


def report(found: list[Verified]) -> list[str]:
    """The section of the report."""
    lines = [
        "## Leaves verified a second",
        "",
        f"One process, one core. Processor time counts where the aim ({AIM:,} a second and core) does; wall time is as it was on this machine at this load.",
        f"Medians of {RUNS} runs, the last line one run (its database works beside it and is not counted in its processor time).",
        "",
        "| | leaves | leaves a second of processor | leaves a second of wall | aim |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in found:
        rate = each.leaves / each.processor
        aim = ("met" if rate >= AIM else "**missed**") if each.aimed else ""
        lines.append(f"| {each.name} | {each.leaves:,} | {rate:,.0f} | {each.leaves / each.wall:,.0f} | {aim} |")
    return lines
