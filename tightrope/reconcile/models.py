"""What each of the four sides tells of one conversation, and what is found missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID


class Side(StrEnum):
    """Who holds a copy of what happened."""

    CHATWOOT = "chatwoot"
    GATEWAY = "gateway"
    ASSISTANT = "assistant"
    LOG = "log"


Kind = Literal[
    "conversation", "message", "deletion", "record", "seal", "turn", "turn_number", "reply", "delivery", "count", "unfinished"
]
"""What is missing. `record`: one that a row of the gateway names. `seal`: it is there but not sealed. `delivery`: the record of what became of a
reply. `count`: a closing record names more than there is. `unfinished`: begun and not ended for longer than the grace."""


@dataclass(frozen=True, slots=True)
class Period:
    """Since (included) until (excluded), in whole seconds: Chatwoot tells no finer time."""

    since: datetime
    until: datetime

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies in it."""
        return self.since <= at < self.until


@dataclass(frozen=True, slots=True)
class Message:
    """A message in Chatwoot.

    Attributes:
        activity: a line of Chatwoot's own ("assigned to …"), of which no bot is told.
        source_id: of ours `tr-<id of the outbox row>`.
    """

    id: int
    at: datetime
    activity: bool = False
    deleted: bool = False
    source_id: str | None = None

    @property
    def outbox(self) -> str | None:
        """The id of the outbox row that it came from, or None where it is not ours."""
        return self.source_id.removeprefix("tr-") if self.source_id is not None and self.source_id.startswith("tr-") else None


@dataclass(frozen=True, slots=True)
class Arrived:
    """A row of gateway.inbound."""

    kind: str
    message_id: int | None
    record_id: UUID | None
    at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Turned:
    """A row of gateway.turn.

    Attributes:
        asked: whether the assistant was asked (otherwise an approved sentence was said).
    """

    number: int
    sender_id: str
    turn_sha256: str
    asked: bool
    state: str
    record_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Posted:
    """A row of gateway.outbox: a message or note."""

    id: UUID
    kind: str
    state: str
    record_id: UUID | None
    chatwoot_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """A record in the log, as its clear leaf tells it."""

    id: UUID
    event: str
    turn: int | None
    at: datetime
    sealed: bool
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tracked:
    """A turn in the assistant's tracker."""

    turn_sha256: str
    sender_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation as the four sides have it.

    Attributes:
        known: the gateway has a row for it.
        turn_count: turns that this row counts.
        messages: None: Chatwoot does not know the conversation.
    """

    conversation_id: str
    known: bool = True
    turn_count: int = 0
    messages: tuple[Message, ...] | None = ()
    arrived: tuple[Arrived, ...] = ()
    turned: tuple[Turned, ...] = ()
    posted: tuple[Posted, ...] = ()
    recorded: tuple[Recorded, ...] = ()
    tracked: tuple[Tracked, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is missing, and where.

    Attributes:
        at: when it happened, by the side that has it.
    """

    kind: Kind
    missing: Side
    conversation: str
    detail: str
    at: datetime | None = None
    message_id: int | None = None
    turn: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "kind": self.kind,
            "missing": str(self.missing),
            "conversation": self.conversation,
            "message_id": self.message_id,
            "turn": self.turn,
            "at": iso(self.at) if self.at else None,
            "detail": self.detail,
        }


FINDINGS_KEPT = 1000
"""How many findings a report names; the rest is counted."""


@dataclass(slots=True)
class Outcome:
    """What a comparison came to; `kinds` counts every finding as `kind:side`, also those that are not listed."""

    period: Period
    conversations: int = 0
    messages: int = 0
    turns: int = 0
    records: int = 0
    findings: list[Finding] = field(default_factory=list)
    not_listed: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Nothing is missing anywhere."""
        return not self.kinds

    def add(self, talk: Talk, found: list[Finding]) -> None:
        """Count one conversation in."""
        self.conversations += 1
        self.messages += sum(1 for one in talk.messages or () if self.period.holds(one.at))
        self.turns += sum(1 for one in talk.turned if self.period.holds(one.at))
        self.records += sum(1 for one in talk.recorded if self.period.holds(one.at))
        for finding in found:
            self.kinds[f"{finding.kind}:{finding.missing}"] += 1
            if len(self.findings) < FINDINGS_KEPT:
                self.findings.append(finding)
            else:
                self.not_listed += 1

    def facts(self) -> dict[str, Any]:
        """For the leaf: counts and codes."""
        return {
            "since": iso(self.period.since),
            "until": iso(self.period.until),
            "ok": self.ok,
            "findings": sum(self.kinds.values()),
            "not_listed": self.not_listed,
            "conversations": self.conversations,
            "messages": self.messages,
            "turns": self.turns,
            "records": self.records,
            "kinds": dict(sorted(self.kinds.items())),
        }

    def to_json(self) -> dict[str, Any]:
        """Plain data of the whole outcome, for `--json`."""
        return self.facts() | {"findings": [finding.to_json() for finding in self.findings]}


def iso(at: datetime) -> str:
    """UTC, in whole seconds."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
