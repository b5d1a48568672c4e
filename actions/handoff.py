"""Passing the conversation to a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actions.base import Declaration, DeclaredAction
from actions.turn import Turn

PRIORITY: Final[Mapping[str, str]] = {"request": "normal", "complaint": "high", "distress": "urgent"}


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
        if reason == "distress":
            line = turn.context.rules.support[turn.language]
            turn.say(
                "utter_handoff_distress",
                hotline_name=line.hotline_name,
                hotline_number=line.hotline_number,
                hotline_hours=line.hotline_hours,
                emergency_number=line.emergency_number,
            )
        else:
            turn.say(f"utter_handoff_{reason}")
        turn.tell("handoff", reason=reason, priority=PRIORITY[reason])
        turn.set("handoff_reason", None)
        turn.set("failures", None)
        return str(reason)
