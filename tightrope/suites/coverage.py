"""What a suite's cases went through: steps of each flow and kinds of commands, apart for passed and failed cases, as Rasa reports it.

Coverage is by step (reference/testing/coverage): a step counts once the engine has run it. Rasa draws its histograms as PNG; here they
are CSV and SVG, which need no drawing library.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tightrope.engine.models import Flow, Project, Step
from tightrope.suites.models import CaseReport, SuiteReport
from tightrope.suites.report_histogram import histogram
from tightrope.suites.text import visible

COLUMNS = ("Flow Name", "Coverage", "Num Steps", "Missing Steps", "Line Numbers")

COMMANDS: Mapping[str, str] = {
    "start flow": "StartFlow",
    "set slot": "SetSlot",
    "cancel flow": "CancelFlow",
    "disambiguate flows": "Clarify",
    "search and reply": "KnowledgeAnswer",
    "offtopic reply": "ChitChat",
    "skip question": "SkipQuestion",
    "repeat message": "RepeatBotMessages",
    "cannot handle": "CannotHandle",
    "error": "Error",
}
"""v3 text (or the engine's name, for those it makes itself) to the name that the documentation gives the command."""
OTHER = "other"


@dataclass(frozen=True, slots=True)
class FlowCoverage:
    """One flow: how many steps it has, and those that no case ran, in the order of the file."""

    flow: Flow
    missing: tuple[Step, ...]

    @property
    def steps(self) -> int:
        """How many steps the flow has; at least one."""
        return len(self.flow.steps)

    @property
    def covered(self) -> int:
        """How many of them were run."""
        return self.steps - len(self.missing)

    @property
    def name(self) -> str:
        """`data/flows/x.yml::flow_id`, as Rasa names it."""
        return f"{self.flow.place.file}::{self.flow.id}"

    @property
    def lines(self) -> str:
        """Lines of the missing steps, first to last of each: `15-22, 27-28`."""
        return ", ".join(f"{step.place.line}-{max(step.end, step.place.line)}" for step in self.missing)

    @property
    def stretches(self) -> str:
        """As `lines`, with steps that follow each other taken together: `15-28`."""
        out: list[list[int]] = []
        for step in sorted(self.missing, key=lambda found: found.place.line):
            first, last = step.place.line, max(step.end, step.place.line)
            if out and first <= out[-1][1] + 1:
                out[-1][1] = max(out[-1][1], last)
            else:
                out.append([first, last])
        return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in out)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What some cases went through.

    Attributes:
        flows: the project's own flows and the patterns that it overrides, best covered first.
        builtin: patterns that come with the engine; they are nobody's to cover and are told apart.
        commands: how often each kind of command was applied; the documented kinds are there also with 0.
        cases: how many cases these are.
    """

    flows: tuple[FlowCoverage, ...]
    builtin: tuple[FlowCoverage, ...]
    commands: Mapping[str, int]
    cases: int


@dataclass(frozen=True, slots=True)
class SuiteCoverage:
    """Coverage by the cases that passed, by those that failed, and by both together."""

    passed: Coverage
    failed: Coverage
    run: Coverage


def totals(found: Iterable[FlowCoverage]) -> tuple[int, int]:
    """Steps run and steps there are, of several flows."""
    flows = list(found)
    return sum(flow.covered for flow in flows), sum(flow.steps for flow in flows)


def percent(covered: int, steps: int) -> str:
    """`80.00%`; of no steps nothing is covered."""
    return f"{100 * covered / steps if steps else 0:.2f}%"


def measure(report: SuiteReport, project: Project) -> SuiteCoverage:
    """What the cases of `report` went through in the flows of `project`; cases that were not run count nowhere."""
    passed = [case for case in report.cases if case.status == "passed"]
    failed = [case for case in report.cases if case.status == "failed"]
    return SuiteCoverage(_measure(passed, project), _measure(failed, project), _measure([*passed, *failed], project))


def _measure(cases: list[CaseReport], project: Project) -> Coverage:
    turns = [turn for case in cases for turn in case.turns]
    visited = {place for turn in turns for place in turn.visited}
    flows = [
        FlowCoverage(flow, tuple(step for step in flow.steps.values() if (flow.id, step.id) not in visited))
        for flow in project.flows.values()
    ]
    flows.sort(key=lambda found: (-found.covered / found.steps, found.flow.is_pattern, found.name))
    counted = Counter(command_kind(line) for turn in turns for line in turn.commands)
    kinds = [*COMMANDS.values(), *((OTHER,) if counted[OTHER] else ())]
    return Coverage(
        flows=tuple(found for found in flows if not found.flow.builtin),
        builtin=tuple(found for found in flows if found.flow.builtin),
        commands={kind: counted[kind] for kind in kinds},
        cases=len(cases),
    )


def command_kind(line: str) -> str:
    """The documented name of the command that a line of v3 text is; `other` for what is none."""
    words = line.strip()
    return next((kind for text, kind in COMMANDS.items() if words == text or words.startswith(f"{text} ")), OTHER)


def write_coverage(report: SuiteReport, project: Project, folder: Path) -> SuiteCoverage:
    """Write the coverage files into `folder`, which is made if need be; what was there under their names is replaced.

    For passed and for failed tests: `coverage_report_for_…_tests.csv` (Rasa's columns, the project's own flows),
    `pattern_coverage_for_…_tests.csv` (built-in patterns), `commands_histogram_for_…_tests.csv` and `.svg`; and the lists `passed.yml`
    and `failed.yml`.

    Raises:
        OSError: the folder cannot be written.
    """
    found = measure(report, project)
    folder.mkdir(parents=True, exist_ok=True)
    for word, coverage in (("passed", found.passed), ("failed", found.failed)):
        tests = f"for_{word}_tests"
        _write(folder / f"coverage_report_{tests}.csv", _flow_table(coverage.flows))
        _write(folder / f"pattern_coverage_{tests}.csv", _flow_table(coverage.builtin))
        commands = sorted(coverage.commands.items(), key=lambda pair: -pair[1])
        _write(folder / f"commands_histogram_{tests}.csv", _csv([("Command", "Count"), *commands]))
        _write(folder / f"commands_histogram_{tests}.svg", histogram(f"Commands in {word} tests", commands))
        _write(folder / f"{word}.yml", _listed([case for case in report.cases if case.status == word]))
    return found


def _flow_table(flows: tuple[FlowCoverage, ...]) -> str:
    covered, steps = totals(flows)
    rows: list[tuple[Any, ...]] = [
        (flow.name, percent(flow.covered, flow.steps), flow.steps, len(flow.missing), f"[{flow.lines}]") for flow in flows
    ]
    return _csv([COLUMNS, *rows, ("Total", percent(covered, steps), steps, steps - covered, "")])


def _csv(rows: Iterable[tuple[Any, ...]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _listed(cases: list[CaseReport]) -> str:
    listed = [{"file": case.file, "test_case": case.name, "line": case.line, "occurrence": case.occurrence} for case in cases]
    return str(yaml.safe_dump({"test_cases": listed}, allow_unicode=True, sort_keys=False, width=160))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def print_coverage(console: Console, found: SuiteCoverage) -> None:
    """A table of the project's flows by the cases that passed, a total, and a line for the built-in patterns.

    Steps that only failed cases ran are missing (such a case proves nothing); the column `in failed` counts them.
    """
    table = Table(box=None, pad_edge=False, header_style="dim", title="Flow steps run by passed tests", title_justify="left")
    # The lines fold before the names do, where there is room for names.
    table.add_column("flow", overflow="fold", no_wrap=console.width >= 80)
    for heading in ("coverage", "steps", "missing", *(("in failed",) if found.failed.cases else ())):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("at lines", overflow="fold", style="dim")
    reached = {(flow.flow.id, step.id) for flow in found.run.flows for step in flow.missing}
    saved_in_all = 0
    for flow in found.passed.flows:
        saved = sum((flow.flow.id, step.id) not in reached for step in flow.missing)
        saved_in_all += saved
        table.add_row(
            Text(visible(flow.flow.id)),
            _coloured(flow.covered, flow.steps),
            str(flow.steps),
            str(len(flow.missing)),
            *((str(saved or ""),) if found.failed.cases else ()),
            flow.stretches,
        )
    covered, steps = totals(found.passed.flows)
    table.add_section()
    table.add_row(
        Text("Total", "bold"),
        _coloured(covered, steps),
        str(steps),
        str(steps - covered),
        *((str(saved_in_all or ""),) if found.failed.cases else ()),
        "",
    )
    console.print(table)
    covered, steps = totals(found.passed.builtin)
    if steps:
        console.print(Text(f"Built-in patterns: {covered} of {steps} steps ({percent(covered, steps)})", "dim"))


def _coloured(covered: int, steps: int) -> Text:
    return Text(percent(covered, steps), "green" if covered == steps else "red" if not covered else "yellow")
