"""The report as one HTML page for people who did not write the tests: it needs no script and no network, and can be kept or sent.

Text of tests, customers and bots reaches the page only through Jinja's escaping, after `visible` has written out what cannot be seen;
a content security policy in the page forbids scripts and any request should something slip through.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tightrope.engine.models import Project
from tightrope.engine.picture import draw
from tightrope.suites.coverage import FlowCoverage, SuiteCoverage, measure, percent, totals
from tightrope.suites.models import CaseReport, Expectation, SuiteReport
from tightrope.suites.scores import paired, score, shown
from tightrope.suites.text import differences, segments, visible
from tightrope.suites.transcript import MARKS, NOTHING, STATUS_WORDS, bot_lines, slots_set, title, why

_TEMPLATES = Path(__file__).parent / "templates"
_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_KINDS = {"e2e": "End-to-end tests", "du": "Dialogue understanding tests"}

_SAID = {
    "flow_started": "a flow starts",
    "flow_completed": "a flow ends",
    "flow_cancelled": "a flow is cancelled",
    "pattern_clarification_contains": "the bot asks which is meant",
    "slot_was_set": "a slot is set",
    "slot_was_not_set": "a slot is not set",
    "action_executed": "an action runs",
    "bot_uttered": "the bot says",
    "bot_did_not_utter": "the bot does not say",
    "utter": "the bot says the response",
    "bot": "the bot says",
    "commands": "the message means",
    "generative_response_is_relevant": "the answer is to the point",
    "generative_response_is_grounded": "the answer follows from its sources",
}
"""Expectations in words, for readers who do not write tests."""
_LINE = 160
"""Characters of a reason in the list of failed cases."""

_PICTURED = 40
"""Failed cases whose way through the flows is drawn; a page with hundreds of pictures opens slowly."""


@dataclass(frozen=True, slots=True)
class _Step:
    id: str
    lines: str


@dataclass(frozen=True, slots=True)
class _Flow:
    """A row of the coverage table. `failed_only` steps were run by failed cases alone; a flow whose name only repeats its id has none."""

    id: str
    name: str
    file: str
    steps: int
    covered: int
    failed_only: int
    missing: tuple[_Step, ...]

    @property
    def share(self) -> float:
        """Percent of steps that passed cases ran."""
        return round(100 * self.covered / self.steps, 2)

    @property
    def failed_share(self) -> float:
        """Percent of steps that only failed cases ran."""
        return round(100 * self.failed_only / self.steps, 2)


def write_html(report: SuiteReport, project: Project, path: Path) -> None:
    """Write the page to `path`, whose folder is made if need be; a file that is there is replaced.

    Raises:
        OSError: the file cannot be written.
    """
    page = render_html(report, project)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def render_html(report: SuiteReport, project: Project) -> str:
    """The page as text; it can be encoded as UTF-8 whatever the tests hold."""
    coverage = measure(report, project)
    met = Counter(found.status for case in report.cases for turn in case.turns for found in turn.expectations)
    covered, steps = totals(coverage.passed.flows)
    builtin_covered, builtin_steps = totals(coverage.passed.builtin)
    most = max(coverage.run.commands.values(), default=0) or 1
    page: str = (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            bot=Path(report.project).name or report.project,
            kind=_KINDS[report.kind],
            verdict=_verdict(report),
            started=_moment(report.started),
            seconds=_duration(report.seconds),
            totals={status: report.count(status) for status in STATUS_WORDS},
            scores=score(report) if report.kind == "du" else None,
            met=met["passed"],
            unmet=met["failed"],
            failed=[case for case in report.cases if case.status == "failed"],
            left_out=_left_out(report),
            files=_by_file(report),
            ways=_ways(report, project),
            drawn=_PICTURED,
            anchors={id(case): f"case-{number}" for number, case in enumerate(report.cases, start=1)},
            own=_rows(coverage, builtin=False),
            builtin=_rows(coverage, builtin=True),
            covered=covered,
            steps=steps,
            share=percent(covered, steps),
            builtin_covered=builtin_covered,
            builtin_steps=builtin_steps,
            commands=[(name, count, round(100 * count / most, 1)) for name, count in coverage.run.commands.items()],
        )
    )
    return page


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    found.globals.update(
        marks=MARKS,
        words=STATUS_WORDS,
        nothing=NOTHING,
        title=title,
        bot_lines=bot_lines,
        slots_set=slots_set,
        chinese=lambda text: bool(_CHINESE.search(text)),
        compared=_compared,
        counted=_counted,
        duration=_duration,
        shown=shown,
        why=lambda case: why(case, _LINE),
        said=lambda kind: _SAID.get(kind, ""),
        loop_key=id,
    )
    return found


def _finalize(value: Any) -> Any:
    """Whatever an expression of the template gives; what a macro gave is page already."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _compared(found: Expectation) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    expected, actual = paired(found)
    left, right = differences(expected, actual)
    return segments(expected, left), segments(actual, right)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _verdict(report: SuiteReport) -> str:
    failed, not_run, cases = report.count("failed"), report.count("not_run"), len(report.cases)
    if not cases:
        return "No case was found"
    if failed:
        return f"{failed} of {_counted(cases, 'case')} failed"
    if not_run == cases:
        return "No case was run"
    return f"All {_counted(cases - not_run, 'case')} passed" + (f", {not_run} not run" if not_run else "")


def _ways(report: SuiteReport, project: Project) -> dict[int, list[tuple[str, Markup]]]:
    """For failed cases, by their identity: the project's own flows that the case went through, each with a picture of the way.

    A flow of a single step has no way to show.
    """
    failed = [case for case in report.cases if case.status == "failed"]
    return {id(case): list(_pictures(case, project)) for case in failed[:_PICTURED]}


def _pictures(case: CaseReport, project: Project) -> Iterator[tuple[str, Markup]]:
    paths: dict[str, list[str]] = {}
    for flow_id, step_id in (place for turn in case.turns for place in turn.visited):
        flow = project.flows.get(flow_id)
        if flow is not None and not flow.builtin and len(flow.steps) > 1 and step_id in flow.steps:
            paths.setdefault(flow_id, []).append(step_id)
    for flow_id, path in paths.items():
        # The picture is SVG whose texts are escaped where they are set.
        yield flow_id, Markup(draw(project.flows[flow_id], path=path, project=project))  # noqa: S704


def _left_out(report: SuiteReport) -> list[tuple[str, int, str]]:
    """Reasons for what was not run, with how many cases or expectations share each."""
    cases = Counter(case.reason for case in report.cases if case.status == "not_run")
    expectations = Counter(
        f"{found.kind}: {found.reason}"
        for case in report.cases
        if case.status != "not_run"
        for turn in case.turns
        for found in turn.expectations
        if found.status == "not_run"
    )
    return [(reason, count, "case") for reason, count in cases.most_common()] + [
        (reason, count, "expectation") for reason, count in expectations.most_common()
    ]


def _by_file(report: SuiteReport) -> dict[str, list[CaseReport]]:
    out: dict[str, list[CaseReport]] = {}
    for case in report.cases:
        out.setdefault(case.file, []).append(case)
    return out


def _rows(coverage: SuiteCoverage, *, builtin: bool) -> list[_Flow]:
    """Journeys before patterns, those with the largest gaps first: they are what a reader looks for."""
    passed, run = (coverage.passed.builtin, coverage.run.builtin) if builtin else (coverage.passed.flows, coverage.run.flows)
    missing_in_all = {found.flow.id: len(found.missing) for found in run}
    rows = [_row(found, len(found.missing) - missing_in_all[found.flow.id]) for found in passed]
    return sorted(rows, key=lambda row: (row.id.startswith("pattern_"), row.share))


def _row(found: FlowCoverage, failed_only: int) -> _Flow:
    return _Flow(
        id=found.flow.id,
        name="" if found.flow.name == found.flow.id.replace("_", " ") else found.flow.name,
        file=found.flow.place.file,
        steps=found.steps,
        covered=found.covered,
        failed_only=failed_only,
        missing=tuple(
            _Step(step.id, f"lines {step.place.line}–{step.end}" if step.end > step.place.line else f"line {step.place.line}")
            for step in found.missing
        ),
    )


def _moment(started: str) -> str:
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return started
    return moment.strftime("%Y-%m-%d %H:%M:%S %z").strip()


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} minutes"
