"""What a replay finds: a mark for each part of each turn, and what follows for the whole."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]

SHOWN = 600
"""Characters of a value that a difference shows; the whole stands in the record."""


class Mark(StrEnum):
    """How a part of a turn came out."""

    SAME = "same"
    """Run again, and byte for byte as recorded."""
    DIFFERS = "differs"
    FROM_RECORD = "from_record"
    """Not run again, for the reason given: taken as recorded."""
    MISSING = "missing"
    """Cannot be run: the record lacks something."""


class Part(StrEnum):
    """What is compared, in the order in which a turn comes about."""

    INPUT = "input"
    COMMANDS = "commands"
    FLOWS = "flows"
    RULES = "rules"
    GUARDS = "guards"
    MESSAGES = "messages"


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two values differ: a path into them, and both as canonical JSON (shortened); None: not there."""

    at: str
    recorded: str | None
    replayed: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """One part of one turn."""

    part: Part
    mark: Mark
    detail: str = ""
    differences: tuple[Difference, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A plain JSON object."""
        found: dict[str, Any] = {"part": self.part, "mark": self.mark, "detail": self.detail}
        if self.differences:
            found["differences"] = [{"at": d.at, "recorded": d.recorded, "replayed": d.replayed} for d in self.differences]
        return found

    @staticmethod
    def from_json(found: dict[str, Any]) -> Check:
        """What `to_json` gave."""
        differences = tuple(Difference(d["at"], d["recorded"], d["replayed"]) for d in found.get("differences", ()))
        return Check(Part(found["part"]), Mark(found["mark"]), found["detail"], differences)


@dataclass(frozen=True, slots=True)
class TurnReplay:
    """One turn: its number in the conversation, the release that made it, what the customer said, and how each part came out."""

    turn: int
    record_id: str
    release: str
    said: str
    checks: tuple[Check, ...]

    def to_json(self) -> dict[str, Any]:
        """A plain JSON object."""
        return {
            "turn": self.turn,
            "record": self.record_id,
            "release": self.release,
            "said": self.said,
            "checks": [check.to_json() for check in self.checks],
        }


@dataclass(frozen=True, slots=True)
class Replay:
    """What replaying a conversation found.

    Attributes:
        notes: what the reader should know of the releases: where the files came from, which code ran.
        problems: what is wrong with the record as a whole: an unreadable payload, content that is missing.
    """

    conversation_id: str
    turns: tuple[TurnReplay, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def count(self, mark: Mark) -> int:
        """How many parts came out like this."""
        return sum(check.mark is mark for turn in self.turns for check in turn.checks)

    @property
    def exit_code(self) -> int:
        """0: all that was run again is the same; 1: something differs; 2: something needed is not in the record (and nothing differs)."""
        if self.count(Mark.DIFFERS):
            return 1
        return 2 if self.problems or self.count(Mark.MISSING) or not self.turns else 0

    @property
    def outcome(self) -> str:
        """`same`, `differs` or `incomplete`."""
        return ("same", "differs", "incomplete")[self.exit_code]

    def to_json(self) -> dict[str, Any]:
        """A plain JSON object of everything, for `--json`."""
        return {
            "conversation_id": self.conversation_id,
            "outcome": self.outcome,
            "counts": {mark.value: self.count(mark) for mark in Mark},
            "notes": list(self.notes),
            "problems": list(self.problems),
            "turns": [turn.to_json() for turn in self.turns],
        }


def canonical(value: Any) -> bytes:
    """Canonical JSON for comparing: keys sorted, no spaces. Both sides have been JSON before, so that equal values give equal bytes."""
    return _text(value).encode("utf-8", "surrogatepass")  # a customer may send half a character, and the record keeps it


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def differences(recorded: Any, replayed: Any, at: str = "", most: int = 8) -> list[Difference]:
    """Where two JSON values differ, deepest places first to be named; at most `most`; none if they are the same byte for byte."""
    if canonical(recorded) == canonical(replayed):
        return []
    found: list[Difference] = []
    if isinstance(recorded, dict) and isinstance(replayed, dict):
        for key in dict.fromkeys([*recorded, *replayed]):
            one, other = recorded.get(key, _NOTHING), replayed.get(key, _NOTHING)
            found += _between(one, other, f"{at}.{key}" if at else str(key), most - len(found))
    elif isinstance(recorded, list) and isinstance(replayed, list):
        for number in range(max(len(recorded), len(replayed))):
            one, other = (side[number] if number < len(side) else _NOTHING for side in (recorded, replayed))
            found += _between(one, other, f"{at}[{number}]", most - len(found))
    else:
        found = [Difference(at, _shown(recorded), _shown(replayed))]
    return found[:most]


_NOTHING = object()


def _between(one: Any, other: Any, at: str, most: int) -> Iterable[Difference]:
    if most <= 0:
        return []
    if one is _NOTHING or other is _NOTHING:
        return [Difference(at, None if one is _NOTHING else _shown(one), None if other is _NOTHING else _shown(other))]
    return differences(one, other, at, most)


def _shown(value: Any) -> str:
    text = _text(value).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def compared(part: Part, recorded: Any, replayed: Any, detail: str, at: str = "") -> Check:
    """SAME with `detail`, or DIFFERS with where."""
    found = tuple(differences(recorded, replayed, at))
    return Check(part, Mark.DIFFERS, "not as recorded", found) if found else Check(part, Mark.SAME, detail)


def counted(number: int, name: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number} {name}{'' if number == 1 else 's'}"
