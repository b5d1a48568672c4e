"""A test file as read: its cases, their turns, and what each turn has to show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from tightrope.engine.models import Command

FileKind = Literal["e2e", "du"]
PLACEHOLDER = "placeholder_generated_answer"
"""Stands for any message in a dialogue-understanding test."""


def shown(value: Any) -> str:
    """A slot's value as reports write it: text in quotes, so that "4" and 4 look different."""
    return "null" if value is None else json.dumps(value, ensure_ascii=False, default=str)


@dataclass(frozen=True, slots=True)
class FlowsStarted:
    """All or any of these flows began."""

    flows: tuple[str, ...]
    every: bool = True

    def __str__(self) -> str:
        return ("" if len(self.flows) == 1 else "all of " if self.every else "any of ") + ", ".join(self.flows)


@dataclass(frozen=True, slots=True)
class FlowEnded:
    """A flow was completed or cancelled, at this step if one is given."""

    event: Literal["flow_completed", "flow_cancelled"]
    flow: str
    step: str | None = None

    def __str__(self) -> str:
        return self.flow + (f" at step {self.step}" if self.step is not None else "")


@dataclass(frozen=True, slots=True)
class SlotWanted:
    """A slot, with `given` also its value. Without a value: it was filled with anything but null."""

    name: str
    given: bool = False
    value: Any = None

    def __str__(self) -> str:
        return f"{self.name} = {shown(self.value)}" if self.given else self.name


@dataclass(frozen=True, slots=True)
class SlotsWanted:
    """Slots that were set in the turn, or not."""

    slots: tuple[SlotWanted, ...]
    wanted: bool

    def __str__(self) -> str:
        return "\n".join(("" if self.wanted else "not ") + str(slot) for slot in self.slots)


@dataclass(frozen=True, slots=True)
class ActionRan:
    """An action or response of this name was executed."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ButtonWanted:
    """A button, by whichever of the two is given."""

    title: str | None
    payload: str | None

    def __str__(self) -> str:
        return f"[{self.title or '…'}] {self.payload if self.payload is not None else '…'}"


@dataclass(frozen=True, slots=True)
class Said:
    """The bot sent (or did not send) a message with everything that is given here.

    `text` is an exact text, `pattern` a text or regular expression that occurs in it; `buttons` are all its buttons, in order.
    """

    utter: str | None = None
    text: str | None = None
    pattern: str | None = None
    buttons: tuple[ButtonWanted, ...] | None = None
    wanted: bool = True

    def __str__(self) -> str:
        parts = [self.utter] if self.utter is not None else []
        parts += [text for text in (self.text, self.pattern) if text is not None]
        parts += [str(button) for button in self.buttons or ()] if self.buttons is not None else []
        if self.buttons == ():
            parts.append("no buttons")
        return ("" if self.wanted else "not ") + "\n".join(parts)


@dataclass(frozen=True, slots=True)
class Offered:
    """A clarification offered exactly these flows, by name or id."""

    flows: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.flows)


@dataclass(frozen=True, slots=True)
class NotJudged:
    """An assertion that this runner reads and does not judge."""

    wanted: str
    reason: str

    def __str__(self) -> str:
        return self.wanted


Wanted = FlowsStarted | FlowEnded | SlotsWanted | ActionRan | Said | Offered | NotJudged


@dataclass(frozen=True, slots=True)
class Expected:
    """One thing that a turn has to show. `kind` is the key of the file; a plain step needs an event of its own."""

    kind: str
    wanted: Wanted
    line: int
    plain: bool = False


@dataclass(frozen=True, slots=True)
class UserTurn:
    """One message of the customer and what it has to bring.

    `commands` and `written` (as they stand in the file) belong to dialogue-understanding tests.
    """

    text: str
    line: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    ordered: bool = False
    expected: tuple[Expected, ...] = ()
    commands: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Stub:
    """What a stubbed action gives."""

    events: tuple[Mapping[str, Any], ...]
    responses: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One test case, complete: fixtures, metadata and stubs of its file and of the conftest.yml above it are worked in.

    Attributes:
        file: as reports name it. `path` where it is.
        occurrence: from 0, for equal names in one file.
        slots: what its fixtures set before the first message, with the line of the case's `fixtures`.
        clock: `mocked_datetime` of its fixtures.
        before: what the start of the session has to show.
        stubs: None when neither file nor conftest.yml stubs anything.
    """

    file: str
    path: Path
    name: str
    line: int
    occurrence: int
    slots: Mapping[str, Any]
    clock: datetime | None
    before: tuple[Expected, ...]
    turns: tuple[UserTurn, ...]
    stubs: Mapping[str, Stub] | None


@dataclass(frozen=True, slots=True)
class TestFile:
    """A test file: its cases, or what keeps it from being played (`path:line: …` each)."""

    __test__ = False

    path: Path
    name: str
    cases: tuple[Case, ...]
    problems: tuple[str, ...]
    first_problem: int = 1
    known: frozenset[tuple[str, int]] = frozenset()
    """Name and occurrence of all its cases, whichever of them were asked for."""

    @staticmethod
    def of(path: Path, name: str, cases: list[Case]) -> TestFile:
        """A file that can be played."""
        return TestFile(path, name, tuple(cases), (), 1, frozenset((case.name, case.occurrence) for case in cases))
