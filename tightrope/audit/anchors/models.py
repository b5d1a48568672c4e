"""Types of anchoring: a point of the log, the receipt somebody else gives for it, and what a check of that receipt says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from tightrope.audit.tlog.keys import VerifierKey
from tightrope.audit.tlog.policy import Policy

Kind = Literal["witness-c2sp", "rfc3161", "worm-s3", "worm-folder", "chain-http"]
"""The kinds that docs/audit-formats.md names for anchors.json."""

Consistency = Callable[[int, int, int], Awaitable[list[bytes]]]
"""(shard, old size, new size) -> RFC 6962 consistency proof."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """How far the log had grown. The order is that of the log's growing; a checkpoint covers another within its own shard alone (`covers`)."""

    shard: int
    size: int

    def covers(self, other: Place) -> bool:
        """Whether a tree of this size holds every leaf of the other. Never across shards: a later shard names the last root of the one before,
        and still nobody who saw the later one alone has seen the earlier one's leaves."""
        return self.shard == other.shard and self.size >= other.size


@dataclass(frozen=True, slots=True)
class Point:
    """A checkpoint to be anchored.

    Attributes:
        note: the signed note as the log published it; exactly these bytes are stamped, stored and attested.
    """

    place: Place
    note: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an anchor gave for a checkpoint.

    Attributes:
        anchor: name of the anchor in this installation; for a witness its key's name.
        received: our clock, when the answer came.
        asserted: the anchor's own clock, or None where it asserts none.
        body: cosignature lines, DER TimeStampResp, certificate note, or the store's receipt as JSON (docs/anchors.md, Receipts).
    """

    anchor: str
    kind: Kind
    shard: int
    size: int
    received: datetime
    asserted: datetime | None
    body: bytes

    @property
    def place(self) -> Place:
        """Shard and size together."""
        return Place(self.shard, self.size)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a receipt says.

    Attributes:
        asserted: the time that somebody else vouches for, or None.
        who: whose word it is, in words.
        why: why it holds, or what is wrong with it, in a sentence.
    """

    ok: bool
    asserted: datetime | None
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the reader trusts; nothing here comes from the log itself.

    Attributes:
        log: the log's keys and the witnesses' keys with their quorum, or None where no policy file is given.
        tsa: trusted certificates of time-stamp authorities, PEM, one or more in each.
        chain: keys of the chain's nodes; more than half have to sign.
    """

    log: Policy | None = None
    tsa: tuple[bytes, ...] = ()
    chain: tuple[VerifierKey, ...] = ()


class Anchor(Protocol):
    """One anchor: submits, and says how it is. Checking receipts needs no anchor: `tightrope.audit.anchors.verifying`."""

    @property
    def name(self) -> str:
        """Its name in this installation, at most 100 characters."""
        ...

    @property
    def kind(self) -> Kind:
        """What it is."""
        ...

    @property
    def newest_only(self) -> bool:
        """Whether it takes a shard's checkpoints in growing order alone (a witness): then older ones that wait are dropped for the newest."""
        ...

    async def submit(self, point: Point) -> Receipt:
        """Hand in a checkpoint; again is harmless.

        Raises:
            AnchorUnavailable: try again later.
            AnchorPending: taken, no receipt yet; ask again.
            AnchorRefused: it will not take this checkpoint.
            ReceiptInvalid: its answer does not hold.
        """
        ...

    async def health(self) -> str | None:
        """What an anchor that answers says is wrong with it, in a sentence, or None. That it does not answer, `submit` says."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
