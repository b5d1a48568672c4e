"""What an acceptance case may take for said before: the turns before this one, and nothing of this one."""

from __future__ import annotations

from typing import Any

from tightrope.cli.uat_view import _said_before
from tightrope.engine.state import State
from tightrope.engine.turn import Turn


def bot(text: str) -> dict[str, Any]:
    return {"event": "bot", "text": text}


def test_what_an_earlier_turn_said_was_said_before() -> None:
    turn = Turn(State("a", 1), lambda: [bot("40,320.15"), {"event": "user", "text": "again"}])
    turn.events.extend([bot("40,320.15"), bot("99.99")])
    assert _said_before(turn) == {"40,320.15"}


def test_this_turn_is_not_its_own_witness_when_the_history_holds_it_already() -> None:
    kept = [bot("40,320.15"), {"event": "user", "text": "again"}, bot("99.99")]
    turn = Turn(State("a", 1), lambda: kept)
    turn.events.extend(kept[1:])
    assert _said_before(turn) == {"40,320.15"}


def test_without_a_turn_nothing_was_said() -> None:
    assert _said_before(None) == frozenset()
