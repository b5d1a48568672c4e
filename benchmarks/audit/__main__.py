"""Figures of the audit log, beside bare yardsticks of the same run: `python -m benchmarks.audit [PART …] [--quick]`; writes docs/reports/."""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime

from benchmarks.audit import release
from benchmarks.audit.world import fresh_world
from benchmarks.report import machine, write_report

PARTS = ("release",)


def main() -> int:
    """Measure, print, write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="only these parts; nothing is kept then")
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs; nothing is kept")
    options = parser.parse_args()
    parts = options.parts or PARTS
    with fresh_world() as world:
        print("\n".join(release.report(release.measure(world, seconds=3.0 if options.quick else release.SECONDS))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
