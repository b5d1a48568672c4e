"""SQL of custody: the vault of the service on Postgres (role operator), and what lists and readers ask (roles operator and auditor).

The operator's role writes no key itself: functions of the migrations audit_0004 and audit_0007 do, and refuse what is not on the record, held, not over,
or not vouched for by a holder of the master key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tightrope.audit.custody.models import Act, HeldKey, Hold, HoldScope, KeyState, Period, Proposal
from tightrope.audit.keyring import Owner
from tightrope.audit.models import RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.audit.repository import Conn
from tightrope.infra.retention import LEAST_YEARS

_KEY: LiteralString = "SELECT kid, subject_hash, class, year, wrapped, state, shares, ground, changed_at, audit.key_gone(kid) AS gone FROM audit.keys "
_HOLD: LiteralString = "SELECT id, subject_hash, conv, first, last, case_number, placed_at, lifted_at FROM "
_PROPOSAL: LiteralString = "SELECT id, act, kids, hold_id, signed, shares, proposed_at, outcome FROM audit.proposals "


@dataclass(frozen=True, slots=True)
class Expired:
    """A key whose period is over, with what holds it."""

    kid: UUID
    cls: str
    year: int
    state: KeyState
    until: date
    records: int
    holds: tuple[Hold, ...]


class PostgresVault:
    """See Vault. One transaction of the operator's role; the caller commits."""

    def __init__(self, conn: Conn, recorder: Recorder) -> None:
        self._conn = conn
        self._recorder = recorder

    async def lock(self) -> None:
        """See Vault."""
        await self._conn.execute("SELECT audit.custody_lock()")

    async def clocks(self) -> Mapping[str, datetime]:
        """See Vault."""
        row = await _one(self._conn, "SELECT clock_timestamp() AS database, audit.log_time() AS log")
        return {name: at for name, at in (row or {}).items() if at is not None}

    async def key(self, kid: UUID) -> HeldKey | None:
        """See Vault."""
        row = await _one(self._conn, _KEY + "WHERE kid = %s", kid)
        return _key(row) if row else None

    async def period(self, kid: UUID) -> Period:
        """See Vault."""
        row = await _one(self._conn, "SELECT until, records FROM audit.key_period(%s)", kid)
        return Period(row["until"], row["records"]) if row else Period(None, 0)

    async def holds_on(self, kid: UUID) -> Sequence[Hold]:
        """See Vault."""
        return await holds_on(self._conn, kid)

    async def hold(self, hold_id: UUID) -> Hold | None:
        """See Vault."""
        row = await _one(self._conn, _HOLD + "audit.holds WHERE id = %s", hold_id)
        return _hold(row) if row else None

    async def proposal(self, proposal_id: UUID) -> Proposal | None:
        """See Vault."""
        row = await _one(self._conn, _PROPOSAL + "WHERE id = %s", proposal_id)
        return _proposal(row) if row else None

    async def record(self, draft: RecordDraft) -> UUID:
        """See Vault."""
        return await self._recorder.record(self._conn, draft)

    async def add_proposal(self, proposal: Proposal) -> None:
        """See Vault."""
        await self._conn.execute(
            "INSERT INTO audit.proposals (id, act, kids, hold_id, signed, shares) VALUES (%s, %s, %s, %s, %s, %s)",
            (
                proposal.proposal_id,
                str(proposal.act),
                list(proposal.kids),
                proposal.hold_id,
                Jsonb(dict(proposal.signed)),
                Jsonb({kid: dict(sealed) for kid, sealed in proposal.shares.items()}),
            ),
        )

    async def decided(self, proposal_id: UUID, outcome: str) -> None:
        """See Vault."""
        await self._conn.execute(
            "UPDATE audit.proposals SET decided_at = clock_timestamp(), outcome = %s WHERE id = %s AND outcome IS NULL",
            (outcome, proposal_id),
        )

    async def add_hold(self, hold: Hold, record: UUID) -> None:
        """See Vault."""
        scope = hold.scope
        await self._conn.execute(
            "INSERT INTO audit.holds (id, subject_hash, conv, first, last, case_number, placed_record) VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (hold.hold_id, scope.subject_hash, scope.conv, scope.first, scope.last, hold.case, record),
        )

    async def lift_hold(self, hold_id: UUID, record: UUID) -> None:
        """See Vault."""
        await self._conn.execute("SELECT audit.hold_lift(%s, %s)", (hold_id, record))

    async def restrict(self, key: HeldKey, wrapped: bytes, shares: Mapping[str, str], ground: str, record: UUID) -> None:
        """See Vault."""
        text = json.dumps(dict(shares), sort_keys=True)
        proof = self._recorder.vouch(
            "key_restrict", key.kid.bytes, key.wrapped, wrapped, text.encode(), ground.encode(), record.bytes
        )
        await self._conn.execute(
            "SELECT audit.key_restrict(%s, %s, %s, %s, %s, %s)", (key.kid, wrapped, text, ground, record, proof)
        )

    async def release(self, key: HeldKey, wrapped: bytes, record: UUID) -> None:
        """See Vault."""
        proof = self._recorder.vouch("key_release", key.kid.bytes, key.wrapped, wrapped, record.bytes)
        await self._conn.execute("SELECT audit.key_release(%s, %s, %s, %s)", (key.kid, wrapped, record, proof))

    async def destroy(self, kid: UUID, day: date, record: UUID) -> None:
        """See Vault."""
        await self._conn.execute("SELECT audit.key_destroy(%s, %s, %s)", (kid, day, record))

    async def extend(self, kid: UUID, until: date, record: UUID) -> None:
        """See Vault."""
        await self._conn.execute("SELECT audit.key_extend(%s, %s, %s)", (kid, until, record))


async def holds_on(conn: Conn, kid: UUID) -> tuple[Hold, ...]:
    """The holds that cover a key now."""
    return tuple(_hold(row) for row in await _all(conn, _HOLD + "audit.key_holds(%s) ORDER BY placed_at", kid))


async def holds(conn: Conn) -> tuple[Hold, ...]:
    """Every hold, lifted or not, newest first."""
    return tuple(_hold(row) for row in await _all(conn, _HOLD + "audit.holds ORDER BY placed_at DESC"))


async def waiting(conn: Conn) -> tuple[Proposal, ...]:
    """Proposals that nobody has decided, oldest first."""
    return tuple(_proposal(row) for row in await _all(conn, _PROPOSAL + "WHERE outcome IS NULL ORDER BY proposed_at"))


async def keys(conn: Conn, kids: Iterable[UUID]) -> tuple[HeldKey, ...]:
    """Keys by their ids."""
    return tuple(_key(row) for row in await _all(conn, _KEY + "WHERE kid = ANY(%s) ORDER BY year, kid", list(kids)))


async def keys_of(conn: Conn, owner: bytes) -> list[dict[str, Any]]:
    """Keys of a customer (`conversation_id` null) and of everything else said in the same conversations."""
    return await _all(conn, "SELECT kid, conversation_id, subject_hash FROM audit.keys_of(%s)", owner)


async def keys_in(conn: Conn, conv: UUID) -> tuple[UUID, ...]:
    """Keys that the records of a conversation lie under."""
    return tuple(row["kid"] for row in await _all(conn, "SELECT audit.keys_in(%s) AS kid", conv))


async def conversations_under(conn: Conn, kids: Iterable[UUID]) -> tuple[str, ...]:
    """Conversations with records under any of the keys."""
    found = await _all(conn, "SELECT audit.conversations_under(%s) AS conversation_id", list(kids))
    return tuple(row["conversation_id"] for row in found)


async def expired(conn: Conn, day: date, *, least_years: int = LEAST_YEARS, most: int = 10_000) -> tuple[Expired, ...]:
    """Keys whose period is over on a day, the oldest years first.

    Args:
        least_years: shortest period of any class that was ever in force; younger keys are not looked at.
        most: how many at most.
    """
    await conn.execute("SET LOCAL statement_timeout = '10min'")
    query: LiteralString = "SELECT kid, class, year, state, until, records FROM audit.keys_expired(%s, %s, %s)"
    found = await _all(conn, query, day, day.year - least_years, most)
    return tuple(
        [
            Expired(
                row["kid"],
                row["class"],
                row["year"],
                KeyState(row["state"]),
                row["until"],
                row["records"],
                await holds_on(conn, row["kid"]),
            )
            for row in found
        ]
    )


async def _one(conn: Conn, query: LiteralString, *values: Any) -> dict[str, Any] | None:
    return await (await conn.cursor(row_factory=dict_row).execute(query, values)).fetchone()


async def _all(conn: Conn, query: LiteralString, *values: Any) -> list[dict[str, Any]]:
    return await (await conn.cursor(row_factory=dict_row).execute(query, values)).fetchall()


def _key(row: Mapping[str, Any]) -> HeldKey:
    owner = Owner(bytes(row["subject_hash"]), row["class"], row["year"])
    return HeldKey(
        row["kid"],
        owner,
        bytes(row["wrapped"]),
        KeyState(row["state"]),
        row["shares"],
        row["ground"],
        row["changed_at"],
        row["gone"],
    )


def _hold(row: Mapping[str, Any]) -> Hold:
    subject = bytes(row["subject_hash"]) if row["subject_hash"] is not None else None
    scope = HoldScope(subject, row["conv"], row["first"], row["last"])
    return Hold(row["id"], scope, row["case_number"], row["placed_at"], row["lifted_at"])


def _proposal(row: Mapping[str, Any]) -> Proposal:
    return Proposal(
        row["id"],
        Act(row["act"]),
        tuple(row["kids"]),
        row["hold_id"],
        row["signed"],
        row["shares"],
        row["proposed_at"],
        row["outcome"],
    )
