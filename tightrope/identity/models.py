"""The types of identity: callers, bindings, what ended and why (docs/wire-contracts.md, Grant)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

SCOPES: Final = (
    "accounts:read",
    "orders:read",
    "transfers:read",
    "statements:request",
    "closure:request",
    "eligibility:read",
    "margin:read",
    "ipo:read",
    "risk:read",
    "contact:request",
    "complaints:write",
)
"""What a bound customer may read and request through the business API; there is no scope to change anything."""


@dataclass(frozen=True)
class Anonymous:
    """A caller about whom nothing is known. `conversation_id` is None when not even the turn id means anything."""

    conversation_id: str | None = None


@dataclass(frozen=True)
class Customer:
    """A verified customer, for one turn.

    Attributes:
        acr: how strongly the provider authenticated the customer.
        binding_id: whose subject token `IdentityReader.subject_token` opens.
    """

    conversation_id: str
    customer_id: str
    scopes: frozenset[str]
    acr: str
    binding_id: UUID

    def may(self, scope: str) -> bool:
        """Whether this turn's grant holds `scope`."""
        return scope in self.scopes


Caller = Anonymous | Customer


@dataclass(frozen=True)
class Place:
    """Where a customer stands in Chatwoot. Unknown parts are empty strings: nothing is bound there.

    Attributes:
        contact_id: Chatwoot's contact, as text.
        source_hash: SHA-256 in hex of `contact_inbox.source_id`, which is a bearer secret and never stored.
    """

    conversation_id: str
    contact_id: str
    source_hash: str

    @classmethod
    def of(cls, conversation_id: str, contact_id: int | str | None, source_hash: str | None) -> Place:
        """A place from what a webhook had, with None for what it lacked."""
        return cls(conversation_id, "" if contact_id is None else str(contact_id), source_hash or "")

    @property
    def known(self) -> bool:
        """Whether contact and source are both known."""
        return bool(self.contact_id and self.source_hash)


class EndReason(StrEnum):
    """Why a binding ended."""

    LOGOUT = "logout"
    EXPIRED = "expired"
    RENEWED = "renewed"
    ANOTHER_CUSTOMER = "another_customer"
    CONTACT_CHANGED = "contact_changed"
    SOURCE_CHANGED = "source_changed"
    BROWSER_CHANGED = "browser_changed"


class Reason(StrEnum):
    """Why a token, link or callback was refused; recorded, and never more than this."""

    MALFORMED = "malformed"
    BAD_SIGNATURE = "bad_signature"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    EXPIRED = "expired"
    FROM_THE_FUTURE = "from_the_future"
    LIVES_TOO_LONG = "lives_too_long"
    BROWSER_MISSING = "browser_missing"
    CLAIM_MISSING = "claim_missing"
    REPLAYED = "replayed"
    PLACE_UNKNOWN = "place_unknown"
    NOT_CONFIRMED = "not_confirmed"
    UNAVAILABLE = "unavailable"
    OTHER_BROWSER = "other_browser"
    STATE_UNKNOWN = "state_unknown"
    LOGIN_FAILED = "login_failed"


@dataclass(frozen=True)
class Binding:
    """One customer bound to one conversation for a while.

    Attributes:
        epoch: how many bindings this conversation had before (0 for the first); not the sender id's epoch.
        scopes: what its turns may be granted.
        sid: the provider's session, for logout; None if it names none.
    """

    id: UUID
    conversation_id: str
    contact_id: str
    source_hash: str
    customer_id: str
    sid: str | None
    acr: str
    scopes: tuple[str, ...]
    auth_time: datetime
    epoch: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    end_reason: str | None = None


@dataclass(frozen=True)
class IdentityEvent:
    """Something that the record must hold; `raise_epoch` says that a fresh tracker must start."""

    kind: str
    conversation_id: str
    customer_id: str | None
    binding_id: UUID | None
    reason: str | None
    acr: str | None = None
    way: str | None = None
    raise_epoch: bool = False

    def as_record(self) -> dict[str, Any]:
        """Fields for the record's payload, JSON-safe."""
        return {
            "kind": self.kind,
            "customer_id": self.customer_id,
            "binding_id": str(self.binding_id) if self.binding_id else None,
            "reason": self.reason,
            "acr": self.acr,
            "way": self.way,
        }


@dataclass(frozen=True)
class Standing:
    """The answer of `bindings.current`: who is bound now, and what ended while looking."""

    binding: Binding | None
    events: tuple[IdentityEvent, ...] = ()

    @property
    def raise_epoch(self) -> bool:
        """Whether the conversation's epoch must rise before the turn."""
        return any(event.raise_epoch for event in self.events)


@dataclass(frozen=True)
class Bound:
    """A new binding and the events that came with it."""

    binding: Binding
    events: tuple[IdentityEvent, ...]

    @property
    def raise_epoch(self) -> bool:
        """Whether another customer was bound before."""
        return any(event.raise_epoch for event in self.events)


@dataclass(frozen=True)
class SubjectToken:
    """The provider's token that stands for the logged-in customer; exchanged per business call (RFC 8693)."""

    value: str = field(repr=False)
    expires_at: datetime | None


@dataclass(frozen=True)
class Proof:
    """What a login proved."""

    customer_id: str
    sid: str | None
    acr: str
    auth_time: datetime
    subject_token: SubjectToken
    scopes: tuple[str, ...] = SCOPES


@dataclass(frozen=True)
class BrowserSession:
    """The browser that holds a conversation, as a consumed portal or browser token said."""

    place: Place
    browser_hash: bytes
    set_at: datetime


def sha256(text: str) -> bytes:
    """How secrets are recognised without being stored."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
