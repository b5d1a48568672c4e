"""How well commands were understood: right, missing and unexpected commands of a dialogue-understanding run, by kind (reference 7.4).

The expectations of the kind `commands` are what is counted: `expected` and `actual` hold one command a line in v3 text. Two commands are
the same when type and arguments are; their order does not count; a clarification that names no flow stands for any clarification.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tightrope.suites.coverage import COMMANDS, command_kind
from tightrope.suites.models import Expectation, SuiteReport

KIND = "commands"
"""The kind of expectation that is counted."""
ALL = "all commands"
_ANY_CLARIFICATION = "disambiguate flows"


@dataclass(frozen=True, slots=True)
class Score:
    """One kind of command over a whole run.

    Attributes:
        command: its name, or `all commands`.
        right: expected and there (true positives).
        unexpected: there and not expected (false positives).
        missing: expected and not there (false negatives).
    """

    command: str
    right: int
    unexpected: int
    missing: int

    @property
    def support(self) -> int:
        """How often it was expected."""
        return self.right + self.missing

    @property
    def precision(self) -> float | None:
        """Share of what was there that was right; None when none was there."""
        return _share(self.right, self.right + self.unexpected)

    @property
    def recall(self) -> float | None:
        """Share of what was expected that was there; None when none was expected."""
        return _share(self.right, self.support)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; None when there is nothing to measure."""
        return _share(2 * self.right, 2 * self.right + self.unexpected + self.missing)


@dataclass(frozen=True, slots=True)
class Scores:
    """A run's scores: kinds that were expected or there, most expected first, then all of them together; and user messages understood."""

    commands: tuple[Score, ...]
    total: Score
    understood: int
    messages: int


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def pair(expected: Sequence[str], actual: Sequence[str]) -> list[tuple[str | None, str | None]]:
    """Expected commands in their order beside the actual ones that are the same; then what is missing beside what is unexpected.

    Commands that differ share a row when they are of one kind, so that a reader sees the wrong value and not two strangers.
    """
    left = [line.strip() for line in expected]
    right = [line.strip() for line in actual]
    rows: list[tuple[str | None, str | None]] = []
    missing: list[str] = []
    for line in sorted(left, key=lambda found: found == _ANY_CLARIFICATION):
        same = next((found for found in right if _same(line, found)), None)
        if same is None:
            missing.append(line)
        else:
            right.remove(same)
            rows.append((line, same))
    rows.sort(key=lambda row: left.index(row[0] or ""))
    for line in missing:
        alike = min(
            (found for found in right if command_kind(found) == command_kind(line)),
            key=lambda found: found.split()[:3] != line.split()[:3],
            default=None,
        )
        if alike is not None:
            right.remove(alike)
        rows.append((line, alike))
    return rows + [(None, line) for line in right]


def _same(expected: str, actual: str) -> bool:
    return expected == actual or (expected == _ANY_CLARIFICATION and actual.startswith(f"{_ANY_CLARIFICATION} "))


def paired(found: Expectation) -> tuple[str, str]:
    """Both sides of an expectation as a reader compares them: of commands, those that belong together in one row."""
    if found.kind != KIND or not found.expected or not found.actual:
        return found.expected, found.actual
    rows = pair(found.expected.splitlines(), found.actual.splitlines())
    return "\n".join(left or "" for left, _ in rows), "\n".join(right or "" for _, right in rows)


def score(report: SuiteReport) -> Scores:
    """The scores of a run; a run without expectations on commands has none."""
    found = [
        one
        for case in report.cases
        for turn in case.turns
        for one in turn.expectations
        if one.kind == KIND and one.status != "not_run"
    ]
    counts: dict[str, list[int]] = {}
    for one in found:
        for left, right in pair(one.expected.splitlines(), one.actual.splitlines()):
            if left is not None and right is not None and _same(left, right):
                counts.setdefault(command_kind(left), [0, 0, 0])[0] += 1
                continue
            if right is not None:
                counts.setdefault(command_kind(right), [0, 0, 0])[1] += 1
            if left is not None:
                counts.setdefault(command_kind(left), [0, 0, 0])[2] += 1
    order = {name: place for place, name in enumerate(COMMANDS.values())}
    scores = sorted(
        (Score(name, *values) for name, values in counts.items()),
        key=lambda one: (-one.support, order.get(one.command, len(order))),
    )
    total = Score(ALL, *(sum(values[place] for values in counts.values()) for place in range(3)))
    return Scores(tuple(scores), total, sum(one.status == "passed" for one in found), len(found))


COLUMNS = ("Command", "Expected", "Right", "Missing", "Unexpected", "Precision", "Recall", "F1")


def _row(one: Score) -> tuple[str, ...]:
    counts = (one.support, one.right, one.missing, one.unexpected)
    return (one.command, *map(str, counts), *map(shown, (one.precision, one.recall, one.f1)))


def shown(share: float | None) -> str:
    """A share with two digits, rounded down so that only a perfect one reads 1.00; a dash for none."""
    return "–" if share is None else f"{int(share * 100 + 1e-9) / 100:.2f}"


def write_scores(report: SuiteReport, path: Path) -> Scores:
    """Write the table as CSV to `path`, whose folder is made if need be.

    Raises:
        OSError: the file cannot be written.
    """
    found = score(report)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([COLUMNS, *map(_row, (*found.commands, found.total))])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(out.getvalue(), encoding="utf-8")
    return found


def print_scores(console: Console, found: Scores) -> None:
    """The table, and how many messages were understood completely."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("command", overflow="fold")
    for heading in COLUMNS[1:]:
        table.add_column(heading.lower(), justify="right", no_wrap=True)
    for one in found.commands:
        perfect = not one.missing and not one.unexpected
        table.add_row(*(Text(cell, "" if perfect else "yellow") for cell in _row(one)))
    table.add_section()
    table.add_row(*(Text(cell, "bold") for cell in _row(found.total)))
    console.print(table)
    console.print(Text(f"{found.understood} of {found.messages} messages understood completely", "dim"))
