"""The gateway's types: what arrived, what a turn made, what goes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Language = Literal["zh", "en"]


def sender_id(conversation_id: str, epoch: int) -> str:
    """The assistant's name for one session of a conversation: each has a tracker of its own."""
    return f"cw-{conversation_id}-e{epoch}"


ArrivalKind = Literal[
    "message",
    "agent_message",
    "note",
    "system_message",
    "changed",
    "press",
    "status",
    "session_token",
    "login",
    "logout",
    "refused_login",
]
"""What can arrive for a conversation; each takes the same way through the drain job."""


@dataclass(frozen=True)
class Arrival:
    """One inbound event, cut down to what is used and scrubbed of bearer ids.

    Attributes:
        dedupe_key: two deliveries of the same event have the same key.
        order_key: Chatwoot's message order; events without a message come after the newest message known.
        body: JSON-safe data of the event; for messages the content as received.
    """

    kind: ArrivalKind
    dedupe_key: str
    body: dict[str, Any]
    message_id: int | None = None


@dataclass(frozen=True)
class ConversationHint:
    """The conversation as the event's snapshot has it: a hint, re-read before anything is posted."""

    account_id: int
    display_id: int
    inbox_id: int | None
    contact_id: int | None
    source_hash: str | None
    status: str | None
    assignee_type: str | None

    @property
    def conversation_id(self) -> str:
        return f"{self.account_id}-{self.display_id}"


@dataclass(frozen=True)
class Offer:
    """One thing a customer may press: title shown, payload sent to the assistant when pressed."""

    title: str
    payload: str


@dataclass(frozen=True)
class Reply:
    """One message to the customer, before it becomes an outbox row."""

    text: str
    offers: tuple[Offer, ...] = ()
    citations: tuple[dict[str, Any], ...] = ()


def journey_told(envelopes: list[dict[str, Any]]) -> str | None:
    """The journey that a turn's envelopes name last, whatever became of it."""
    return next((str(e["journey"]) for e in reversed(envelopes) if e["kind"] == "journey"), None)


@dataclass
class TurnResult:
    """What the assistant's answer to one turn comes down to.

    Attributes:
        steps: every flow step that ran, as (flow, step) in order; None where the assistant does not tell (Rasa Pro).
    """

    replies: list[Reply] = field(default_factory=list)
    envelopes: list[dict[str, Any]] = field(default_factory=list)
    handoff: dict[str, Any] | None = None
    login: dict[str, Any] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    steps: list[list[str]] | None = None
    making: dict[str, Any] | None = None
    """What replaying the turn takes, if the assistant tells it (assistant.py, MadeTurn)."""

    @property
    def journey(self) -> str | None:
        """The journey that began last in this turn, if any."""
        started = [e["journey"] for e in self.envelopes if e["kind"] == "journey" and e["event"] == "started"]
        return started[-1] if started else None

    @property
    def about(self) -> str | None:
        """The journey that this turn was last about, whether it began, ended or was held back (by a login, by the switch)."""
        return journey_told(self.envelopes)


OutboxKind = Literal["message", "note", "labels", "priority", "open", "typing"]


@dataclass(frozen=True)
class OutboxDraft:
    """One call to Chatwoot that waits for its record.

    Attributes:
        bot: a message in the bot's voice: held back by the switch and by a person who holds the conversation.
        even_if_held: part of a handing-over; goes out in order with it.
    """

    kind: OutboxKind
    body: dict[str, Any]
    bot: bool = False
    journey: str | None = None
    even_if_held: bool = False
    offers: tuple[tuple[str, Offer], ...] = ()
