"""Where benchmarks leave their reports, and on what machine they ran."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil

REPORTS = Path(__file__).resolve().parents[1] / "docs" / "reports"


def machine() -> str:
    """Size of this machine in a sentence."""
    return f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB memory, {platform.system()}, Python {platform.python_version()}"


def write_report(name: str, lines: list[str]) -> Path:
    """Print the report and keep it under its date."""
    text = "\n".join(lines).rstrip() + "\n"
    path = REPORTS / f"{datetime.now(UTC):%Y-%m-%d}-{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(text)
    print(f"written to {path.relative_to(REPORTS.parents[1])}")
    return path
