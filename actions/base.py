"""The frame that every action runs in: it declares what it does, and anything else is refused.

Figures leave an action as variables of a response, never as slots; slots take verdicts from a closed list. What the gateway
must know beside messages goes into envelopes (docs/wire-contracts.md).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from traceback import extract_tb
from typing import Any, ClassVar

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.context import current
from actions.errors import ActionFailed, Undeclared
from actions.turn import Turn
from tightrope.infra.logging import get_logger

log = get_logger()


@dataclass(frozen=True)
class Declaration:
    """Everything that an action may do. Proofs and tests read it; the frame enforces it."""

    outcomes: frozenset[str]
    """What `perform` may return; recorded as evidence."""
    reads: frozenset[str] = frozenset()
    """Slots."""
    sets: Mapping[str, frozenset[str | None]] = field(default_factory=dict)
    """Slots with the values that they may be given; None clears."""
    responses: frozenset[str] = frozenset()
    """Responses of the domain that it may utter."""
    envelopes: frozenset[str] = frozenset()
    """Kinds of envelopes beside `evidence`."""
    calls: frozenset[str] = frozenset()
    """Operations of the business API."""
    scope: str | None = None
    """Scope of those calls."""
    free_text: bool = False
    """Whether it may say text that no response holds: sentences of approved passages only."""
    on_error: Mapping[str, str | None] = field(default_factory=dict)
    """Slots to set when it fails, for the flow to branch on; empty: the assistant's error pattern takes over."""
    evidence: bool = True
    """Whether each run leaves an evidence envelope."""

    def __post_init__(self) -> None:
        for slot, value in self.on_error.items():
            if value not in self.sets.get(slot, frozenset()):
                raise Undeclared(f"on_error sets {slot}={value!r}, which `sets` does not allow")


class DeclaredAction(Action):  # type: ignore[misc]  # rasa-sdk has no types
    """Base of all actions. Subclasses give `action_name`, `declaration` and `perform`."""

    action_name: ClassVar[str]
    declaration: ClassVar[Declaration]

    def name(self) -> str:
        """The name by which flows and the domain call it."""
        return self.action_name

    @abstractmethod
    async def perform(self, turn: Turn) -> str:
        """Do it; returns one of the declared outcomes."""

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: ARG002
        """Run `perform` and hand out what it said and set, or, if it failed, only what `on_error` says.

        Raises:
            ActionFailed: it failed and `on_error` is empty.
        """
        turn = Turn(self.action_name, self.declaration, tracker, await current())
        try:
            outcome = await self.perform(turn)
            if outcome not in self.declaration.outcomes:
                raise Undeclared(f"outcome {outcome!r}")
        except Exception as error:
            # Without message and traceback: either may hold a customer's figure.
            log.error("action failed", action="action_failed", name=self.action_name, kind=type(error).__name__, at=_place(error))
            if not self.declaration.on_error:
                raise ActionFailed(f"{self.action_name} failed: {type(error).__name__}") from None
            outcome = "error"
            turn.forget()
            for slot, value in self.declaration.on_error.items():
                turn.set(slot, value)
        for message in turn.messages:
            dispatcher.utter_message(**message)
        if self.declaration.evidence:
            dispatcher.utter_message(json_message=turn.evidence(outcome))
        return turn.events


def _place(error: BaseException) -> str:
    """Where it was raised: the innermost frame's file and line."""
    frames = extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown"
