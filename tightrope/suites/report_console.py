"""A run on the console: progress while it lasts, each failing case as it fails, and the summary."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from tightrope.suites.models import CaseReport, SuiteReport
from tightrope.suites.scores import print_scores, score
from tightrope.suites.service import NOT_READ, accuracy
from tightrope.suites.text import visible
from tightrope.suites.transcript import MARKS, STYLES, styled_case, title


class Progress:
    """A bar on a terminal, nothing elsewhere; failing cases are printed in full above it."""

    def __init__(self, console: Console, cases: int, notes: Sequence[str]) -> None:
        self._console = console
        self._notes = notes
        self._bar = Bar(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=cases)

    def __enter__(self) -> Progress:
        print_notes(self._console, self._notes)
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def done(self, case: CaseReport) -> None:
        """A case was played, or was not run."""
        if case.status == "failed":
            self._console.print(styled_case(case, self._console.width))
            self._console.print()
        if case.name != NOT_READ:
            self._bar.update(self._task, advance=1, description=visible(case.name))


def print_notes(console: Console, notes: Sequence[str]) -> None:
    """What a reader of the results has to know."""
    if not notes:
        return
    listed = Table.grid(padding=(0, 1))
    listed.add_column(style="yellow", no_wrap=True)
    listed.add_column(overflow="fold")
    for note in notes:
        listed.add_row("note", Text(visible(note)))
    console.print(listed)
    console.print()


def print_summary(console: Console, report: SuiteReport) -> None:
    """Counts by kind of expectation, what was not run and why, and what failed. The verdict is told apart: it is the last line."""
    if report.kind == "du":
        print_scores(console, score(report))
        console.print()
    else:
        _print_accuracy(console, report.cases)
    _print_list(console, "not run", [case for case in report.cases if case.status == "not_run"])
    _print_list(console, "failed", [case for case in report.cases if case.status == "failed"])


def _print_list(console: Console, heading: str, cases: Sequence[CaseReport]) -> None:
    if not cases:
        return
    console.print(Text(f"{len(cases)} {heading}", "bold"))
    listed = Table.grid(padding=(0, 1))
    listed.add_column(no_wrap=True)
    listed.add_column(overflow="fold")
    for case in cases:
        words = Text.assemble(visible(title(case)), (f"\n{visible(case.file)}:{case.line}", "dim"))
        if case.status == "not_run":
            words.append(f"\n{visible(case.reason)}", "dim")
        listed.add_row(Text(f" {MARKS[case.status]}", STYLES[case.status]), words)
    console.print(listed)
    console.print()


def _print_accuracy(console: Console, cases: Sequence[CaseReport]) -> None:
    """How many expectations of each kind were met; those that nobody judged are counted apart."""
    counts = accuracy(cases)
    if not counts:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("expectation", overflow="fold")
    for heading in ("met", "not met", "not run", "accuracy"):
        table.add_column(heading, justify="right", no_wrap=True)
    for kind, (met, failed, not_run) in counts.items():
        # Cut, not rounded: only all of them are 100.0%.
        share = f"{1000 * met // (met + failed) / 10:.1f}%" if met + failed else "–"
        style = "yellow" if failed else ""
        table.add_row(*(Text(cell, style) for cell in (kind, str(met), str(failed or ""), str(not_run or ""), share)))
    console.print(table)
    console.print()


def verdict(report: SuiteReport) -> Text:
    """How many cases passed, failed and were not run."""
    passed, failed, not_run = (report.count(status) for status in ("passed", "failed", "not_run"))
    files = len({case.file for case in report.cases})
    judged = sum(found.status == "not_run" for case in report.cases for turn in case.turns for found in turn.expectations)
    line = Text(
        f"{len(report.cases)} {'case' if len(report.cases) == 1 else 'cases'} in {files} {'file' if files == 1 else 'files'}: "
    )
    parts = [(f"{passed} passed", "green" if passed else "dim")]
    parts += [(f"{failed} failed", STYLES["failed"])] if failed else []
    parts += [(f"{not_run} not run", STYLES["not_run"])] if not_run else []
    for number, (words, style) in enumerate(parts):
        line.append(", " if number else "").append(words, style)
    line.append(f"  {report.seconds:.1f} s", "dim")
    if judged:
        line.append(
            f"\n{judged} {'expectation was' if judged == 1 else 'expectations were'} not run within these cases", "yellow"
        )
    return line
