"""SQL of the sealer: shards, leaves, checkpoints, and its own account of itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from tightrope.audit.segments import SequencedRecord
from tightrope.audit.tlog.checkpoint import Checkpoint
from tightrope.audit.tlog.merkle import Frontier
from tightrope.infra.database import Role, conninfo, pool_kwargs
from tightrope.infra.settings import Settings

Conn = AsyncConnection[Any]

LEASE = 0x7469_6768_7472_6F70 & 0x7FFF_FFFF_FFFF_FFFF
"""Number of the advisory lock that the one sealer holds for as long as its connection lives."""

HASH = 32


@dataclass(frozen=True, slots=True)
class Shard:
    """One year's tree as the database has it. `frontier`: roots of the full subtrees, largest first."""

    shard: int
    origin: str
    size: int
    hashes: tuple[bytes, ...]
    vkeys: tuple[str, ...]

    def frontier(self) -> Frontier:
        """A frontier of this size, to grow."""
        return Frontier(self.size, self.hashes)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record that waits for the sequencer; leaf is None when the record has vanished, ct also where the log itself wrote it."""

    ord: int
    record_id: UUID
    leaf: bytes | None
    ct: bytes | None


@dataclass(frozen=True, slots=True)
class NewLeaf:
    """A leaf that gets its place."""

    index: int
    record_id: UUID
    leaf_hash: bytes


@asynccontextmanager
async def connection(settings: Settings) -> AsyncIterator[Conn]:
    """A connection of the sealer's role."""
    options = pool_kwargs() | {"row_factory": dict_row}
    async with await AsyncConnection.connect(conninfo(settings, Role.SEALER), **options) as conn:
        yield conn


def _rows(conn: Conn) -> Any:
    return conn.cursor(row_factory=dict_row)


async def take_lease(conn: Conn) -> bool:
    """Try to become the one sealer; held until the connection ends."""
    row = await (await _rows(conn).execute("SELECT pg_try_advisory_lock(%s) AS taken", (LEASE,))).fetchone()
    await conn.commit()
    return bool(row and row["taken"])


async def now(conn: Conn) -> datetime:
    """The database's clock."""
    row = await (await _rows(conn).execute("SELECT clock_timestamp() AS now")).fetchone()
    at: datetime = row["now"]
    return at


async def shard(conn: Conn, year: int | None = None) -> Shard | None:
    """One shard, or the latest."""
    cursor = await _rows(conn).execute(
        "SELECT shard, origin, size, frontier, vkeys FROM audit.shards WHERE %(year)s::int IS NULL OR shard = %(year)s ORDER BY shard DESC LIMIT 1",
        {"year": year},
    )
    row = await cursor.fetchone()
    return _shard(row) if row else None


async def shards(conn: Conn) -> list[Shard]:
    """Every shard, oldest first."""
    cursor = await _rows(conn).execute("SELECT shard, origin, size, frontier, vkeys FROM audit.shards ORDER BY shard")
    return [_shard(row) for row in await cursor.fetchall()]


def _shard(row: dict[str, Any]) -> Shard:
    return Shard(row["shard"], row["origin"], row["size"], split(row["frontier"]), tuple(row["vkeys"]))


def split(frontier: bytes) -> tuple[bytes, ...]:
    """The hashes of a stored frontier."""
    return tuple(frontier[at : at + HASH] for at in range(0, len(frontier), HASH))


async def unopened(conn: Conn) -> list[int]:
    """Years that have leaves and no shard yet: sealed before there was a tree."""
    cursor = await _rows(conn).execute(
        "SELECT year AS shard FROM generate_series(2000, 2200) AS year WHERE EXISTS (SELECT 1 FROM audit.leaves l WHERE l.shard = year::smallint) "
        "AND NOT EXISTS (SELECT 1 FROM audit.shards s WHERE s.shard = year::smallint) ORDER BY year"
    )
    return [row["shard"] for row in await cursor.fetchall()]


async def insert_shard(conn: Conn, year: int, origin: str, frontier: Frontier, vkeys: Sequence[str]) -> None:
    """Open a shard."""
    await conn.execute(
        "INSERT INTO audit.shards (shard, origin, size, frontier, vkeys) VALUES (%s, %s, %s, %s, %s)",
        (year, origin, frontier.size, b"".join(frontier.hashes), list(vkeys)),
    )


async def set_vkeys(conn: Conn, year: int, vkeys: Sequence[str]) -> None:
    """Note which keys sign this shard from now on."""
    await conn.execute("UPDATE audit.shards SET vkeys = %s WHERE shard = %s", (list(vkeys), year))


async def waiting(conn: Conn, limit: int) -> list[Waiting]:
    """The oldest records that have no place yet, read back as they are stored."""
    # LATERAL with LIMIT keeps the planner from reading all of a small audit.records for the few that wait, which it does for a plain join.
    cursor = await conn.cursor(row_factory=dict_row, binary=True).execute(
        "SELECT p.ord, p.record_id, r.leaf, r.ct FROM (SELECT ord, record_id FROM audit.pending ORDER BY ord LIMIT %s) p "
        "LEFT JOIN LATERAL (SELECT leaf, ct FROM audit.records WHERE id = p.record_id LIMIT 1) r ON true ORDER BY p.ord",
        (limit,),
    )
    return [Waiting(row["ord"], row["record_id"], row["leaf"], row["ct"]) for row in await cursor.fetchall()]


_PLACE = """
WITH grown AS (
    UPDATE audit.shards SET size = %(size)s, frontier = %(frontier)s WHERE shard = %(shard)s AND size = %(before)s RETURNING 1
), done AS (
    DELETE FROM audit.pending WHERE ord = ANY(%(done)s) AND EXISTS (SELECT FROM grown)
), set_aside AS (
    INSERT INTO audit.refused (record_id, reason) SELECT r.* FROM unnest(%(refused)s::uuid[], %(reasons)s::text[]) r, grown
    ON CONFLICT (record_id) DO NOTHING
), placed AS (
    INSERT INTO audit.leaves (shard, index, record_id, leaf_hash)
    SELECT %(shard)s, l.* FROM unnest(%(indexes)s::bigint[], %(ids)s::uuid[], %(hashes)s::bytea[]) l, grown
)
SELECT count(*) AS grown FROM grown
"""


async def insert_leaves(
    conn: Conn,
    year: int,
    leaves: Sequence[NewLeaf],
    refused: Sequence[tuple[UUID, str]],
    done: Sequence[int],
    frontier: Frontier,
) -> int:
    """Give a batch its places, set aside what must not get one, take both off the queue and let the shard grow: one statement, all or nothing.

    Everything hangs on the shard's growing from the size that the caller knows, so that nothing is written where another sequencer was faster.

    Returns:
        Shards that grew: 1, or 0 when another sequencer was faster.
    """
    cursor = await _rows(conn).execute(
        _PLACE,
        {
            "done": list(done),
            "shard": year,
            "refused": [record_id for record_id, _ in refused],
            "reasons": [reason for _, reason in refused],
            "indexes": [leaf.index for leaf in leaves],
            "ids": [leaf.record_id for leaf in leaves],
            "hashes": [leaf.leaf_hash for leaf in leaves],
            "size": frontier.size,
            "before": frontier.size - len(leaves),
            "frontier": b"".join(frontier.hashes),
        },
    )
    row = await cursor.fetchone()
    return int(row["grown"])


async def insert_log_event(conn: Conn, record_id: UUID, event: str, at: datetime, leaf: bytes) -> None:
    """Write one of the log's own clear records; it takes its place like any other."""
    await conn.execute("SELECT audit.log_event(%s, %s, %s, %s)", (record_id, event, at, leaf))


async def pending_ord(conn: Conn, record_id: UUID) -> int:
    """Where a record waits in the queue."""
    row = await (await _rows(conn).execute("SELECT ord FROM audit.pending WHERE record_id = %s", (record_id,))).fetchone()
    return int(row["ord"])


async def last_beat(conn: Conn) -> datetime | None:
    """When the sealer last wrote a leaf that says it is at work (or opened a shard), or None before the first."""
    cursor = await _rows(conn).execute(
        "SELECT greatest((SELECT ts FROM audit.records WHERE event = 'log:sequencer:beat' ORDER BY ord DESC LIMIT 1), "
        "(SELECT ts FROM audit.records WHERE event = 'log:shard:opened' ORDER BY ord DESC LIMIT 1)) AS ts"
    )
    row = await cursor.fetchone()
    return row["ts"] if row else None


async def checkpoint(conn: Conn, year: int) -> tuple[int, bytes, bytes] | None:
    """The last signed checkpoint of a shard: size, root, note."""
    cursor = await _rows(conn).execute(
        "SELECT size, root, note FROM audit.checkpoints WHERE shard = %s ORDER BY size DESC LIMIT 1", (year,)
    )
    row = await cursor.fetchone()
    return (row["size"], bytes(row["root"]), bytes(row["note"])) if row else None


async def insert_checkpoint(conn: Conn, year: int, checkpoint: Checkpoint, note: bytes) -> None:
    """Keep a signed checkpoint. Raises psycopg.errors.UniqueViolation where this size was signed before."""
    await conn.execute(
        "INSERT INTO audit.checkpoints (shard, size, root, note) VALUES (%s, %s, %s, %s)",
        (year, checkpoint.size, checkpoint.root, note),
    )


async def leaf_texts(conn: Conn, year: int, first: int, limit: int) -> list[tuple[int, bytes, bytes | None]]:
    """Index, leaf hash as sequenced, and the leaf as its record has it now (None where the record has vanished), in order."""
    # The leaves are cut off before the join: else the planner, while it knows little of the tables, joins all that follow and sorts them.
    cursor = await conn.cursor(row_factory=dict_row, binary=True).execute(
        "SELECT l.index, l.leaf_hash, r.leaf FROM (SELECT index, leaf_hash, record_id FROM audit.leaves "
        "WHERE shard = %s AND index >= %s ORDER BY index LIMIT %s) l LEFT JOIN audit.records r ON r.id = l.record_id ORDER BY l.index",
        (year, first, limit),
    )
    return [(row["index"], bytes(row["leaf_hash"]), row["leaf"]) for row in await cursor.fetchall()]


async def sequenced(conn: Conn, year: int, first: int, last: int) -> list[SequencedRecord]:
    """Records from place `first` to `last`, in order; those that have vanished are left out."""
    cursor = await conn.cursor(row_factory=dict_row, binary=True).execute(
        "SELECT l.index, l.record_id, r.leaf, r.ct FROM audit.leaves l JOIN audit.records r ON r.id = l.record_id "
        "WHERE l.shard = %s AND l.index BETWEEN %s AND %s ORDER BY l.index",
        (year, first, last),
    )
    return [SequencedRecord(**row) for row in await cursor.fetchall()]


async def beat(conn: Conn, *, host: str, pid: int, store: str) -> None:
    """The heartbeat."""
    await conn.execute("UPDATE audit.sealer SET host = %s, pid = %s, store = %s, beat_at = clock_timestamp()", (host, pid, store))


async def note_trouble(conn: Conn, *, segments: str | None = None, tree: str | None = None) -> None:
    """Why segments or checkpoints are behind; an empty text says that they no longer are."""
    if segments is not None:
        await conn.execute(
            "UPDATE audit.sealer SET segment_error = nullif(%(t)s, '') WHERE segment_error IS DISTINCT FROM nullif(%(t)s, '')",
            {"t": segments[:500]},
        )
    if tree is not None:
        await conn.execute(
            "UPDATE audit.sealer SET tree_error = nullif(%(t)s, '') WHERE tree_error IS DISTINCT FROM nullif(%(t)s, '')",
            {"t": tree[:500]},
        )
