"""SQL of the sealer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from tightrope.audit.segments import ChainEntry
from tightrope.audit.stores.models import Receipt

Conn = AsyncConnection[Any]

LEASE = 0x7469_6768_7472_6F70 & 0x7FFF_FFFF_FFFF_FFFF
"""Number of the advisory lock that the one sealer holds for as long as its connection lives."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of the chain."""

    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record that waits for the sealer; leaf and ciphertext are None when the record has vanished."""

    ord: int
    record_id: UUID
    leaf: bytes | None
    ct: bytes | None


async def take_lease(conn: Conn) -> bool:
    """Try to become the one sealer; held until the connection ends."""
    row = await (await conn.cursor(row_factory=dict_row).execute("SELECT pg_try_advisory_lock(%s) AS taken", (LEASE,))).fetchone()
    await conn.commit()
    return bool(row and row["taken"])


async def chain_head(conn: Conn) -> Head | None:
    """The last entry, or None for an empty chain."""
    cursor = await conn.cursor(row_factory=dict_row).execute("SELECT seq, hash FROM audit.chain ORDER BY seq DESC LIMIT 1")
    row = await cursor.fetchone()
    return Head(row["seq"], bytes(row["hash"])) if row else None


async def noted_head(conn: Conn) -> Head:
    """The head as the sealer noted it when it last chained; seq 0 before the first."""
    row = await (await conn.cursor(row_factory=dict_row).execute("SELECT head_seq, head_hash FROM audit.sealer")).fetchone()
    return Head(row["head_seq"], bytes(row["head_hash"])) if row else Head(0, b"")


async def waiting(conn: Conn, limit: int) -> list[Waiting]:
    """The oldest records that are not sealed yet."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT p.ord, p.record_id, r.leaf, r.ct FROM (SELECT ord, record_id FROM audit.pending ORDER BY ord LIMIT %s) p "
        "LEFT JOIN audit.records r ON r.id = p.record_id ORDER BY p.ord",
        (limit,),
    )
    return [Waiting(row["ord"], row["record_id"], row["leaf"], row["ct"]) for row in await cursor.fetchall()]


async def insert_chain(conn: Conn, entries: Sequence[ChainEntry], done: Sequence[int], head: Head) -> None:
    """Chain a batch, take it off the queue and note the new head, in one statement."""
    await conn.execute(
        "WITH done AS (DELETE FROM audit.pending WHERE ord = ANY(%s)), "
        "noted AS (UPDATE audit.sealer SET head_seq = %s, head_hash = %s, beat_at = clock_timestamp()) "
        "INSERT INTO audit.chain (seq, record_id, leaf_hash, prev, hash) "
        "SELECT * FROM unnest(%s::bigint[], %s::uuid[], %s::bytea[], %s::bytea[], %s::bytea[])",
        (
            list(done),
            head.seq,
            head.hash,
            [entry.seq for entry in entries],
            [entry.record_id for entry in entries],
            [entry.leaf_hash for entry in entries],
            [entry.prev for entry in entries],
            [entry.hash for entry in entries],
        ),
    )


async def insert_refused(conn: Conn, refused: Sequence[tuple[UUID, str]]) -> None:
    """Set records aside that must not be chained."""
    await conn.execute(
        "INSERT INTO audit.refused (record_id, reason) SELECT * FROM unnest(%s::uuid[], %s::text[]) ON CONFLICT (record_id) DO NOTHING",
        ([record_id for record_id, _ in refused], [reason for _, reason in refused]),
    )


async def beat(conn: Conn, *, host: str, pid: int, store: str) -> None:
    """The heartbeat."""
    await conn.execute("UPDATE audit.sealer SET host = %s, pid = %s, store = %s, beat_at = clock_timestamp()", (host, pid, store))


async def note_segment_error(conn: Conn, text: str | None) -> None:
    """Why segments are behind, or None when they are not."""
    await conn.execute("UPDATE audit.sealer SET segment_error = %s WHERE segment_error IS DISTINCT FROM %s", (text, text))


async def last_segment(conn: Conn) -> int:
    """The last sequence number that lies in an indexed segment, or 0."""
    row = await (await conn.cursor(row_factory=dict_row).execute("SELECT max(last) AS last FROM audit.segments")).fetchone()
    return int(row["last"] or 0) if row else 0


async def unsegmented_age(conn: Conn, after: int) -> float | None:
    """Seconds since the first entry after `after` was sealed, or None if there is none."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT extract(epoch FROM clock_timestamp() - sealed_at)::float8 AS age FROM audit.chain WHERE seq = %s", (after + 1,)
    )
    row = await cursor.fetchone()
    return row["age"] if row else None


async def chain_entries(conn: Conn, first: int, last: int) -> list[ChainEntry]:
    """Sealed records from `first` to `last`, in order; those whose record has vanished are left out."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT c.seq, c.record_id, c.leaf_hash, c.prev, c.hash, r.leaf, r.ct FROM audit.chain c JOIN audit.records r ON r.id = c.record_id "
        "WHERE c.seq BETWEEN %s AND %s ORDER BY c.seq",
        (first, last),
    )
    return [ChainEntry(**row) for row in await cursor.fetchall()]


async def insert_segment(conn: Conn, *, first: int, last: int, head: bytes, receipt: Receipt) -> None:
    """Index a stored segment."""
    await conn.execute(
        "INSERT INTO audit.segments (first, last, key, sha256, bytes, head, receipt) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (first, last, receipt.key, bytes.fromhex(receipt.sha256), receipt.size, head, json.dumps(asdict(receipt))),
    )
