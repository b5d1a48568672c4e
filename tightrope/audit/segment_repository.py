"""SQL of the segment writer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from tightrope.audit.stores.models import Receipt
from tightrope.audit.tlog.merkle import Frontier
from tightrope.audit.tree_repository import split

Conn = AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """How far a shard lies in the store."""

    size: int
    hashes: tuple[bytes, ...]

    def frontier(self) -> Frontier:
        """The tree of what is stored."""
        return Frontier(self.size, self.hashes)


async def stored(conn: Conn, shard: int) -> Stored:
    """How far the index says the store holds this shard."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT last, frontier FROM audit.segments WHERE shard = %s ORDER BY first DESC LIMIT 1", (shard,)
    )
    row = await cursor.fetchone()
    return Stored(row["last"] + 1, split(row["frontier"])) if row else Stored(0, ())


async def age(conn: Conn, shard: int, index: int) -> float:
    """Seconds since the entry at `index` got its place; 0 where there is none."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT extract(epoch FROM clock_timestamp() - sequenced_at)::float8 AS age FROM audit.leaves WHERE shard = %s AND index = %s",
        (shard, index),
    )
    row = await cursor.fetchone()
    return float(row["age"]) if row else 0.0


async def insert_segment(conn: Conn, shard: int, first: int, frontier: Frontier, receipt: Receipt) -> None:
    """Index a stored segment that ends where `frontier` does."""
    await conn.execute(
        "INSERT INTO audit.segments (shard, first, last, key, sha256, bytes, frontier, receipt) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            shard,
            first,
            frontier.size - 1,
            receipt.key,
            bytes.fromhex(receipt.sha256),
            receipt.size,
            b"".join(frontier.hashes),
            json.dumps(asdict(receipt)),
        ),
    )
