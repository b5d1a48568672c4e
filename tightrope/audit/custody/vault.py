"""What the service of custody needs of its store, in one transaction. Postgres: repository.py; in memory: the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from tightrope.audit.custody.models import HeldKey, Hold, Period, Proposal
from tightrope.audit.models import RecordDraft


class Vault(Protocol):
    """Keys, holds, proposals and the record, inside one transaction that the caller commits."""

    async def lock(self) -> None:
        """Let no other act of custody happen until the transaction ends: a hold and a destruction never pass each other."""

    async def clocks(self) -> Mapping[str, datetime]:
        """The clocks that know the time here: `database` always, `log` (the sequencer's last beat) where the log has one."""

    async def key(self, kid: UUID) -> HeldKey | None:
        """A key, if the table has it."""

    async def period(self, kid: UUID) -> Period:
        """How long the records under a key are kept, its extension included."""

    async def holds_on(self, kid: UUID) -> Sequence[Hold]:
        """The holds that cover a key now."""

    async def hold(self, hold_id: UUID) -> Hold | None:
        """A hold, lifted or not."""

    async def proposal(self, proposal_id: UUID) -> Proposal | None:
        """A proposal, decided or not."""

    async def record(self, draft: RecordDraft) -> UUID:
        """Put it on the record; comes before what it is about."""

    async def add_proposal(self, proposal: Proposal) -> None:
        """Keep a proposal."""

    async def decided(self, proposal_id: UUID, outcome: str) -> None:
        """Close a proposal: `done`, or the code of why it was refused."""

    async def add_hold(self, hold: Hold, record: UUID) -> None:
        """Place a hold."""

    async def lift_hold(self, hold_id: UUID, record: UUID) -> None:
        """Lift a hold."""

    async def restrict(self, key: HeldKey, wrapped: bytes, shares: Mapping[str, str], ground: str, record: UUID) -> None:
        """An active key becomes restricted; or a restricted one gets other shares."""

    async def release(self, key: HeldKey, wrapped: bytes, record: UUID) -> None:
        """A restricted key becomes active."""

    async def destroy(self, kid: UUID, day: date, record: UUID) -> None:
        """Overwrite a key for good.

        Args:
            day: the day that the caller's clocks agree on; the store checks the period by it and by its own clock.
        """

    async def extend(self, kid: UUID, until: date, record: UUID) -> None:
        """Keep the records under a key longer; never shorter."""
