"""SQL of verification: everything is read in one snapshot, streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection, IsolationLevel
from psycopg.rows import dict_row

from tightrope.infra.database import Role, conninfo, pool_kwargs
from tightrope.infra.settings import Settings

Conn = AsyncConnection[Any]
Row = dict[str, Any]

STREAM = 500
"""Rows fetched at a time."""

CHAIN: LiteralString = (
    "SELECT c.seq, c.record_id, c.leaf_hash, c.prev, c.hash, r.id, r.conv, r.event, r.turn, r.ts, r.kid, r.leaf, r.ct, "
    "k.kid AS key_there, k.state, k.ground, k.changed_at "
    "FROM audit.chain c LEFT JOIN audit.records r ON r.id = c.record_id LEFT JOIN audit.keys k ON k.kid = r.kid ORDER BY c.seq"
)
UNSEALED: LiteralString = (
    "SELECT r.id, r.conv, r.event, r.turn, r.ts, r.kid, r.leaf, r.ct, "
    "k.kid AS key_there, k.state, k.ground, k.changed_at, q.record_id IS NOT NULL AS queued, f.reason AS refused "
    "FROM audit.records r LEFT JOIN audit.chain c ON c.record_id = r.id LEFT JOIN audit.keys k ON k.kid = r.kid "
    "LEFT JOIN audit.pending q ON q.record_id = r.id LEFT JOIN audit.refused f ON f.record_id = r.id WHERE c.record_id IS NULL ORDER BY r.ord"
)
VANISHED: LiteralString = (
    "SELECT p.record_id FROM audit.pending p LEFT JOIN audit.records r ON r.id = p.record_id WHERE r.id IS NULL "
    "UNION SELECT f.record_id FROM audit.refused f LEFT JOIN audit.records r ON r.id = f.record_id WHERE r.id IS NULL"
)
DESTROYED: LiteralString = (
    "SELECT audit.leaf_fact(leaf, 'kid') AS kid, ts FROM audit.records WHERE event = 'audit:key:destroyed' ORDER BY ord"
)
SEGMENTS: LiteralString = "SELECT first, last, key, sha256, head FROM audit.segments ORDER BY first"
CONTENT: LiteralString = "SELECT sha256, data FROM audit.content ORDER BY sha256"


@asynccontextmanager
async def snapshot(settings: Settings) -> AsyncIterator[Conn]:
    """A connection of the auditor that sees the log as it is now, however long the reading takes."""
    options = pool_kwargs() | {"row_factory": dict_row, "options": "-c statement_timeout=0 -c default_transaction_read_only=on"}
    async with await AsyncConnection.connect(conninfo(settings, Role.AUDITOR), **options) as conn:
        await conn.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await conn.execute("SELECT 1")
        yield conn


async def stream(conn: Conn, query: LiteralString, *, size: int = STREAM) -> AsyncIterator[Row]:
    """Rows of a query, a few at a time."""
    async with conn.cursor(name="verification", row_factory=dict_row) as cursor:
        cursor.itersize = size
        await cursor.execute(query)
        async for row in cursor:
            yield row


async def noted(conn: Conn) -> Row:
    """What the sealer says of itself."""
    row = await (await conn.cursor(row_factory=dict_row).execute("SELECT head_seq, head_hash FROM audit.sealer")).fetchone()
    return row or {"head_seq": 0, "head_hash": b""}


async def gone(conn: Conn) -> dict[UUID, datetime]:
    """The keys that the log's own records say were destroyed, and when."""
    found: dict[UUID, datetime] = {}
    async for row in stream(conn, DESTROYED):
        found.setdefault(UUID(row["kid"]), row["ts"])
    return found


async def chain_range(conn: Conn, first: int, last: int) -> dict[int, bytes]:
    """Sequence number -> chain hash, as the database has them."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT seq, hash FROM audit.chain WHERE seq BETWEEN %s AND %s", (first, last)
    )
    return {row["seq"]: bytes(row["hash"]) for row in await cursor.fetchall()}
