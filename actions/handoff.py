"""Passing the conversation to a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actions.base import Declaration, DeclaredAction
from actions.turn import Turn

URGENT: Final = "urgent"
PRIORITY: Final[Mapping[str, str]] = {
    "request": "normal",
    "complaint": "high",
    "distress": URGENT,
    "coercion": URGENT,
    "vulnerable": URGENT,
    "fraud": URGENT,
}
"""Why a person is wanted, and where in the queue that puts the customer."""

HOTLINES: Final[Mapping[str, tuple[str, ...]]] = {
    "distress": ("counselling", "medical", "police"),
    "coercion": ("police", "anti_fraud"),
    "vulnerable": ("counselling", "anti_fraud"),
    "fraud": ("police", "anti_fraud"),
}
"""Which public lines stand in the words of a reason, as variables `counselling_number` and so on."""


class HandOver(DeclaredAction):
    """Says the words that fit the reason and tells the gateway. The last step of `pattern_human_handoff`."""

    action_name = "action_hand_over"
    declaration = Declaration(
        outcomes=frozenset(PRIORITY),
        reads=frozenset({"handoff_reason"}),
        sets={"handoff_reason": frozenset({None}), "failures": frozenset({None})},
        responses=frozenset({f"utter_handoff_{reason}" for reason in PRIORITY}),
        envelopes=frozenset({"handoff"}),
    )

    async def perform(self, turn: Turn) -> str:
        reason = turn.read("handoff_reason") or "request"
        turn.say(f"utter_handoff_{reason}", (), **hotlines(turn, reason))
        turn.tell("handoff", reason=reason, priority=PRIORITY[reason])
        turn.set("handoff_reason", None)
        turn.set("failures", None)
        return str(reason)


def hotlines(turn: Turn, reason: str) -> dict[str, str]:
    """The variables of a reason's words: name, number and hours of each of its lines, from tightrope/rules/data/support_lines.yml."""
    lines = turn.context.rules.support[turn.language]
    return {
        f"{line}_{part}": getattr(lines[line], part) for line in HOTLINES.get(reason, ()) for part in ("name", "number", "hours")
    }
