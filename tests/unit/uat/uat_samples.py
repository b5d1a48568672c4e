"""Cases and observations made up for the tests of acceptance cases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tightrope.uat.models import Act, Case, Expect, Problem, Say, Shown, Step
from tightrope.uat.observed import CannotPlay, Message, Observed, Source
from tightrope.uat.reader import read_cases

AT = datetime.fromisoformat("2026-11-20T10:31:00+08:00")


def case(*steps: tuple[Act, Expect], **changes: Any) -> Case:
    """A case of these steps."""
    given: dict[str, Any] = {
        "id": "a-case",
        "title": "something",
        "journey": "check_balance",
        "kind": "happy",
        "language": "zh",
        "customer": "C1001",
        "outcomes": ("completed",),
        "file": "tests/uat/a.yml",
        "line": 3,
        "at": AT,
        "digest": "0" * 64,
    } | changes
    if "outcome" in given:
        given["outcomes"] = (given.pop("outcome"),)
    return Case(steps=tuple(Step(act, expect, 10 + n) for n, (act, expect) in enumerate(steps)), **given)


def says(text: str, **changes: Any) -> Case:
    """A case in which the customer says one thing."""
    return case((Say(text), Expect()), **changes)


def seen(*texts: str, response: str = "utter_x", structured: Sequence[str] = (), **changes: Any) -> Observed:
    """An observation in which these texts were said as `response`."""
    messages = tuple(Message(Shown(text, response), Source(tuple(structured))) for text in texts)
    return Observed(**({"messages": messages, "standing": "completed"} | changes))


def read_text(folder: Path, text: str) -> tuple[tuple[Case, ...], list[str]]:
    """What a case file of this text holds: its cases, and its problems as `line: message`."""
    path = folder / "cases.yml"
    path.write_text(text, encoding="utf-8")
    cases, problems = read_cases([path], folder)
    return cases, [_told(problem) for problem in problems]


def _told(problem: Problem) -> str:
    return f"{problem.line}: {problem.message}"


class FakeTalk:
    """Shows what it was given, in order; an error is raised."""

    def __init__(self, shows: Sequence[Observed | Exception]) -> None:
        self._shows = list(shows)
        self.closed = False
        self.did: list[Act] = []

    async def do(self, act: Act) -> Observed:
        self.did.append(act)
        shown = self._shows.pop(0)
        if isinstance(shown, Exception):
            raise shown
        return shown

    async def close(self) -> None:
        self.closed = True


class FakeStage:
    """Opens one conversation that shows what it was given."""

    def __init__(self, *shows: Observed | Exception) -> None:
        self.talk = FakeTalk(shows)

    async def open(self, case: Case) -> FakeTalk:
        if case.customer == "C9999":
            raise CannotPlay("C9999 could not log in")
        return self.talk
