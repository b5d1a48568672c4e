"""Figures of the audit log, beside bare yardsticks of the same run; writes docs/reports/. `python -m benchmarks.audit [PART …] [--quick]`

The whole takes a quarter of an hour on two idle cores; named parts and quick runs are printed and not kept.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from benchmarks.audit import batches, find_export, findings, growth, release, tampering, turns, verification
from benchmarks.audit.world import fresh_world
from benchmarks.report import machine, write_report

Lines = list[str]


def _release(quick: bool) -> Lines:
    with fresh_world() as world:
        return release.report(release.measure(world, seconds=3.0 if quick else release.SECONDS))


def _batches(quick: bool) -> Lines:
    events = 5_000 if quick else batches.EVENTS
    with fresh_world() as world:
        paces = batches.measure(world, events=events, seconds=1.0 if quick else batches.YARDSTICK_SECONDS)
    return batches.report(paces, events)


def _growth(quick: bool) -> Lines:
    with fresh_world() as world:
        found, folder = growth.measure(world, (1_000, 20_000) if quick else growth.SIZES)
        growth.publish_policy(world.settings, folder)
        verified = [
            verification.folded(folder),
            verification.hashed_again(folder),
            verification.apart(folder.path.parent, found[-1].size),
        ]
    with fresh_world() as world:
        batches.fill(world, 5_000 if quick else batches.EVENTS)
        verified.append(verification.with_database(world))
    return [*verification.report(verified), "", *growth.report(found)]


def _turns(quick: bool) -> Lines:
    del quick  # two conversations are short enough
    return turns.report(turns.measure())


def _tampering(quick: bool) -> Lines:
    del quick  # some seconds
    return tampering.report(tampering.measure())


def _find_export(quick: bool) -> Lines:
    return find_export.report(find_export.measure((find_export.QUICK if quick else find_export.EVENTS,)))


PARTS: dict[str, Callable[[bool], Lines]] = {
    "release": _release,
    "batches": _batches,
    "growth": _growth,
    "find_export": _find_export,
    "turns": _turns,
    "tampering": _tampering,
}


def _head(load: float, took: float) -> Lines:
    return [
        f"# The audit log's figures, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"{machine()}. Made by `make bench-audit` in {took / 60:.0f} minutes. Embedded Postgres with synchronous commit, sealer, load and",
        f"yardsticks share the machine and its disk. Load average when it began {load:.1f}, when it ended {os.getloadavg()[0]:.1f}; the benchmark itself",
        "adds to it, but where it began above 1 other work took part of the cores, and latencies are worse than the log's own: read the ratios to the",
        "yardsticks of the same run first.",
        "",
    ]


def main() -> int:
    """Measure, print, write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"only these: {', '.join(PARTS)} (verification belongs to growth)"
    )
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    options = parser.parse_args()
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    kept = not options.parts and not options.quick
    began, load, lines = time.monotonic(), os.getloadavg()[0], Lines()
    for name in options.parts or PARTS:
        sys.stderr.write(f"{name} …\n")
        lines += [*PARTS[name](options.quick), ""]
        text = [*_head(load, time.monotonic() - began), *lines, *findings.LINES]
        if kept:
            write_report("audit-log", text)  # after each part: what was measured is not lost to a later one
    if not kept:
        print("\n".join(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
