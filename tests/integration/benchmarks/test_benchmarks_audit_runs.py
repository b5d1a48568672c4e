"""The audit log's benchmark runs to its end: what a rename breaks there is found by the long tests, not by whoever next needs a figure."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.long]

ROOT = Path(__file__).parents[3]
REPORTS = ROOT / "docs" / "reports"
LIMIT_SECONDS = 420
"""Many times what it takes on two idle cores: a benchmark that hangs is broken too."""
TABLES = {
    "release": ("## Added latency of a durable release", "**release, added**"),
    "batches": ("## Durable events a second in batches", "a commit each"),
    "turns": ("## Bytes a turn", "**each customer message**"),
}
"""Each part's heading, and a cell of a row that its table always has."""


def run_benchmark(*arguments: str) -> tuple[int, str, str]:
    """Exit status, output and errors of `python -m benchmarks.audit`.

    One that hangs is interrupted, so that it stops its Postgres and its sealer itself; what is left of its own session is then killed.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.audit", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        output, errors = end(process)
        pytest.fail(f"no end within {LIMIT_SECONDS} s\n{output[-2000:]}{errors[-2000:]}")
    return process.returncode, output, errors


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Output and errors of a process that leads a session, after its end."""
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()


def section(output: str, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    assert heading in output, f"no {heading!r} in\n{output[-3000:]}"
    return output.split(heading, 1)[1].split("\n## ", 1)[0]


def test_the_quick_benchmark_ends_well_and_prints_its_tables() -> None:
    before = sorted(REPORTS.iterdir())
    status, output, errors = run_benchmark("--quick", *TABLES)
    assert status == 0, f"{output[-2000:]}{errors[-4000:]}"
    for part, (heading, cell) in TABLES.items():
        rows = [line for line in section(output, heading).splitlines() if line.startswith("|") and cell in line]
        assert rows, f"{part}: no row with {cell!r} in\n{section(output, heading)}"
        for row in rows:
            numbers = re.findall(r"\d[\d,.]*", row.split(cell, 1)[1])
            assert any(float(number.replace(",", "")) > 0 for number in numbers), f"{part}: nothing was measured: {row}"
    assert sorted(REPORTS.iterdir()) == before, "a quick run is printed and not kept"


def test_a_part_that_is_not_there_is_refused_before_anything_starts() -> None:
    status, output, errors = run_benchmark("--quick", "releases")
    assert status == 2
    assert "no such part: releases; there are release, batches, growth, find_export, turns, tampering" in errors
    assert not output
