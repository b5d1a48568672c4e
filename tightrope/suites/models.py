"""What playing a suite gives: one report per case, turn and expectation. Every output (console, JUnit, HTML, coverage) is made from these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["passed", "failed", "not_run"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that a turn had to show, and what it showed.

    Attributes:
        kind: the key of the file: `bot_uttered`, `slot_was_set`, `utter`, `commands`, ...
        expected, actual: as a reader compares them side by side; `actual` is empty when there was nothing like it.
        reason: why it was not run, if it was not.
        line: of the test file.
    """

    kind: str
    status: Status
    expected: str
    actual: str
    line: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TurnReport:
    """One user message of a case and everything that followed it.

    Attributes:
        commands: v3 text of what the engine applied (given, understood or pressed).
        replies: messages in the REST channel's shape.
        events: tracker events of this turn.
        visited: (flow id, step id) in the order in which the engine ran them.
        problems: what the engine reported to operators.
    """

    user: str
    line: int
    pressed: bool
    commands: tuple[str, ...]
    replies: tuple[Mapping[str, Any], ...]
    events: tuple[Mapping[str, Any], ...]
    visited: tuple[tuple[str, str], ...]
    expectations: tuple[Expectation, ...]
    problems: tuple[str, ...] = ()
    opening: bool = False
    """The start of the session, before the customer said anything; `user` is empty."""


@dataclass(frozen=True, slots=True)
class CaseReport:
    """One test case. `reason` says why a case was not run, or what broke it outside of its expectations.

    A file that cannot be read is told as a failed case without turns, with everything that is wrong in it as the reason.
    """

    file: str
    name: str
    line: int
    occurrence: int
    status: Status
    turns: tuple[TurnReport, ...]
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SuiteReport:
    """All cases of one run.

    Attributes:
        kind: `e2e` or `du`.
        project: the folder whose flows were played.
        notes: what a reader of the results has to know of how they came about.
    """

    kind: Literal["e2e", "du"]
    project: str
    cases: tuple[CaseReport, ...]
    started: str
    seconds: float
    notes: tuple[str, ...] = ()

    def count(self, status: Status) -> int:
        """Cases of this status."""
        return sum(1 for case in self.cases if case.status == status)
