"""Types of custody: states of keys, acts on them, proposals that a second person decides, holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from tightrope.audit.keyring import DataKey, Owner

PROPOSAL_HOURS: Final = 72
"""How long a proposal waits for its second person."""

KEYS_AT_ONCE: Final = 500
"""Most keys that one act names: its record is one leaf."""

DESTROYED_AT_ONCE: Final = 10_000
"""Most keys that one proposal destroys: they go in one transaction, each with a record of its own."""


class KeyState(StrEnum):
    """What can be done with the payloads under a key."""

    ACTIVE = "active"
    RESTRICTED = "restricted"
    DESTROYED = "destroyed"


class Act(StrEnum):
    """What custodians do. `RESTRICT`, `HOLD` and `EXTEND` protect and take one person; the others take two."""

    RESTRICT = "restrict"
    OPEN = "open"
    RELEASE = "release"
    DESTROY = "destroy"
    HOLD = "hold"
    LIFT = "lift"
    EXTEND = "extend"


TWO_PEOPLE: Final = frozenset({Act.OPEN, Act.RELEASE, Act.DESTROY, Act.LIFT})


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A data key as the table has it.

    Attributes:
        shares: of a restricted key: key id of a custodian -> that custodian's sealed share (base64).
        ground: of a restricted key: code of the legal ground (`grounds.json`).
        since: when the state last changed.
        gone: when the log says that it was destroyed, whatever the table says.
    """

    kid: UUID
    owner: Owner
    wrapped: bytes = field(repr=False)
    state: KeyState
    shares: Mapping[str, str] | None = field(default=None, repr=False)
    ground: str | None = None
    since: datetime | None = None
    gone: datetime | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """How long the records under a key are kept: the last day of the latest of them, and how many they are."""

    until: date | None
    records: int


@dataclass(frozen=True, slots=True)
class HoldScope:
    """What a legal hold covers: a customer, a conversation, or all that was recorded on the days from `first` to `last` (UTC). Exactly one.

    A customer's hold also covers what was said in the same conversations before the customer was known.
    """

    subject_hash: bytes | None = None
    conv: UUID | None = None
    first: date | None = None
    last: date | None = None

    @property
    def kind(self) -> str:
        """`customer`, `conversation` or `period`."""
        if self.subject_hash is not None:
            return "customer"
        return "conversation" if self.conv is not None else "period"


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold."""

    hold_id: UUID
    scope: HoldScope
    case: str
    placed_at: datetime
    lifted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """An act that one person signed and that waits for another.

    Attributes:
        signed: the first person's signed statement.
        shares: for opening: key -> custodian of the other office -> the first person's share, sealed to that custodian (base64).
        outcome: None while it waits; `done`, or the code of why it was refused.
    """

    proposal_id: UUID
    act: Act
    kids: tuple[UUID, ...]
    hold_id: UUID | None
    signed: Mapping[str, Any]
    shares: Mapping[str, Mapping[str, str]]
    proposed_at: datetime
    outcome: str | None = None

    @property
    def expires_at(self) -> datetime:
        """Until when the second person may decide."""
        return self.proposed_at + timedelta(hours=PROPOSAL_HOURS)


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a proposal when the second person signed.

    Attributes:
        refused: code of the reason, None where it was done.
        why: the reason in a sentence.
        opened: for `OPEN`: the data keys, for one reading.
    """

    proposal_id: UUID
    act: Act
    kids: tuple[UUID, ...]
    refused: str | None = None
    why: str = ""
    opened: tuple[DataKey, ...] = ()
