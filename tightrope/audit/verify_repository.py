"""SQL of verification: everything is read in one snapshot, streamed."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
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

_numbers = itertools.count()  # a server-side cursor's name is free only after the one before was closed

STREAM = 500
"""Rows fetched at a time."""

LEAVES: LiteralString = (
    "SELECT l.index, l.record_id, l.leaf_hash, r.id, r.conv, r.event, r.turn, r.ts, r.kid, r.leaf, r.ct, k.kid AS key_there, k.state, k.ground, k.changed_at "
    "FROM audit.leaves l LEFT JOIN audit.records r ON r.id = l.record_id "
    "LEFT JOIN audit.keys k ON k.kid = r.kid WHERE l.shard = %(shard)s ORDER BY l.index"
)
LEAF_HASHES: LiteralString = "SELECT leaf_hash FROM audit.leaves WHERE shard = %(shard)s AND index < %(size)s ORDER BY index"
UNSEALED: LiteralString = (
    "SELECT r.id, r.conv, r.event, r.turn, r.ts, r.kid, r.leaf, r.ct, k.kid AS key_there, k.state, k.ground, k.changed_at, "
    "q.record_id IS NOT NULL AS queued, f.reason AS refused "
    "FROM audit.records r LEFT JOIN audit.leaves l ON l.record_id = r.id LEFT JOIN audit.keys k ON k.kid = r.kid "
    "LEFT JOIN audit.pending q ON q.record_id = r.id LEFT JOIN audit.refused f ON f.record_id = r.id WHERE l.record_id IS NULL ORDER BY r.ord"
)
VANISHED: LiteralString = (
    "SELECT p.record_id FROM audit.pending p LEFT JOIN audit.records r ON r.id = p.record_id WHERE r.id IS NULL "
    "UNION SELECT f.record_id FROM audit.refused f LEFT JOIN audit.records r ON r.id = f.record_id WHERE r.id IS NULL"
)
DESTROYED: LiteralString = (
    "SELECT kid, gone AS ts FROM (SELECT DISTINCT audit.leaf_fact(leaf, 'kid') AS kid, "
    # A record that names no key must not stop the verification.
    "CASE WHEN audit.leaf_fact(leaf, 'kid') ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' "
    "THEN audit.key_gone(audit.leaf_fact(leaf, 'kid')::uuid) END AS gone "
    "FROM audit.records WHERE event = 'audit:key:destroyed') AS said WHERE gone IS NOT NULL ORDER BY gone, kid"
)
CHECKPOINTS: LiteralString = "SELECT size, root, note FROM audit.checkpoints WHERE shard = %(shard)s ORDER BY size"
SEGMENTS: LiteralString = "SELECT first, last, key, sha256, frontier FROM audit.segments WHERE shard = %(shard)s ORDER BY first"
CONTENT: LiteralString = "SELECT sha256, data FROM audit.content ORDER BY sha256"


@asynccontextmanager
async def snapshot(settings: Settings) -> AsyncIterator[Conn]:
    """A connection of the auditor that sees the log as it is now, however long the reading takes."""
    options = pool_kwargs() | {"row_factory": dict_row, "options": "-c statement_timeout=0 -c default_transaction_read_only=on"}
    async with await AsyncConnection.connect(conninfo(settings, Role.AUDITOR), **options) as conn:
        await conn.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await conn.execute("SELECT 1")
        yield conn


async def stream(
    conn: Conn, query: LiteralString, parameters: Mapping[str, Any] | None = None, *, size: int = STREAM
) -> AsyncIterator[Row]:
    """Rows of a query, a few at a time."""
    async with conn.cursor(name=f"verification_{next(_numbers)}", row_factory=dict_row) as cursor:
        cursor.itersize = size
        await cursor.execute(query, parameters)
        async for row in cursor:
            yield row


def leaves(conn: Conn, shard: int) -> AsyncIterator[Row]:
    """Every leaf of a shard with its record, in order."""
    return stream(conn, LEAVES, {"shard": shard})


async def gone(conn: Conn) -> dict[UUID, datetime]:
    """The keys that the log's own records say were destroyed, and when."""
    found: dict[UUID, datetime] = {}
    async for row in stream(conn, DESTROYED):
        found.setdefault(UUID(row["kid"]), row["ts"])
    return found


def leaf_hashes(conn: Conn, shard: int, size: int) -> AsyncIterator[Row]:
    """The leaf hashes of the tree of `size` leaves, in order."""
    return stream(conn, LEAF_HASHES, {"shard": shard, "size": size}, size=4096)


async def shards(conn: Conn) -> list[Row]:
    """Every shard, and every year that has leaves and no shard (sealed before there were trees, and not folded yet)."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT shard, origin, size, frontier, vkeys FROM audit.shards UNION ALL "
        "SELECT shard, '', count(*), '', '{}' FROM audit.leaves l WHERE NOT EXISTS (SELECT 1 FROM audit.shards s WHERE s.shard = l.shard) "
        "GROUP BY shard ORDER BY shard"
    )
    return await cursor.fetchall()


def checkpoints(conn: Conn, shard: int) -> AsyncIterator[Row]:
    """Every signed checkpoint of a shard, smallest first."""
    return stream(conn, CHECKPOINTS, {"shard": shard})


async def leaves_range(conn: Conn, shard: int, first: int, last: int) -> dict[int, bytes]:
    """Index -> leaf hash, as the database has them."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT index, leaf_hash FROM audit.leaves WHERE shard = %s AND index BETWEEN %s AND %s", (shard, first, last)
    )
    return {row["index"]: bytes(row["leaf_hash"]) for row in await cursor.fetchall()}
