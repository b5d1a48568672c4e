"""What `rasa test e2e -o` writes: the results as YAML, passed and failed cases apart (reference/testing, "how to check the output")."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tightrope.suites.models import CaseReport, Status, SuiteReport
from tightrope.suites.text import visible

FILES: dict[Status, str] = {"passed": "e2e_results_passed.yml", "failed": "e2e_results_failed.yml"}


def write_results(report: SuiteReport, folder: Path) -> list[Path]:
    """Write `e2e_results_passed.yml` and `e2e_results_failed.yml` into `folder`, which is made if need be.

    Each holds `test_results`, a list of {name, pass_status, expected_steps, difference} and beside these, which are Rasa's, the file with
    the line. A line of `difference` begins with two spaces if it is as expected, with `+ ` if it was expected, with `- ` if it came instead.
    Cases that were not run are in neither.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for status, name in FILES.items():
        found = [_result(case) for case in report.cases if case.status == status]
        path = folder / name
        text = yaml.safe_dump({"test_results": found}, allow_unicode=True, sort_keys=False, width=160)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
        written.append(path)
    return written


def _result(case: CaseReport) -> dict[str, Any]:
    return {
        "name": case.name,
        "pass_status": case.status == "passed",
        "expected_steps": list(_steps(case)),
        "difference": list(_difference(case)) if case.status == "failed" else [],
        "file": f"{case.file}:{case.line}",
    }


def _steps(case: CaseReport) -> Iterator[dict[str, str]]:
    for turn in case.turns:
        if not turn.opening:
            yield {"user": visible(turn.user)}
        for found in turn.expectations:
            yield {found.kind: visible(found.expected)}


def _difference(case: CaseReport) -> Iterator[str]:
    for turn in case.turns:
        if not turn.opening:
            yield f"  user: {visible(turn.user)}"
        for found in turn.expectations:
            if found.status != "failed":
                yield f"  {found.kind}: {visible(found.expected)}"
                continue
            yield f"+ {found.kind}: {visible(found.expected)}"
            yield from (f"- {line}" for line in visible(found.actual).splitlines())
    if case.reason:
        yield f"! {visible(case.reason)}"
