"""SQL of the anchors (migration audit_0003)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from tightrope.audit.anchors.models import Anchor, Kind, Place, Point, Receipt
from tightrope.audit.anchors.policy import Chosen

Conn = AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A checkpoint that waits for an anchor."""

    point: Point
    chosen_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class State:
    """How one anchor stands.

    Attributes:
        receipt: its newest, None before the first; `note` is the checkpoint that it is for.
        problem: why its last attempt failed, None after a success.
        unwell: what the anchor says of itself, such as that it saw a fork; None when it is well.
        incident: the problem says that somebody was set back or told two stories; an alarm whatever the others say.
    """

    anchor: str
    kind: Kind
    receipt: Receipt | None
    note: bytes | None
    failures: int
    problem: str | None
    problem_at: datetime | None
    incident: bool
    unwell: str | None


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which the policy was not met.

    Attributes:
        place: the first checkpoint that was not covered in time.
        since: when it was signed.
        found_at: when the limit had passed.
        missing: anchors that had no receipt for it then.
        covered_at: when enough receipts had come; None while the gap is open.
    """

    id: int
    place: Place
    since: datetime
    found_at: datetime
    missing: tuple[str, ...]
    need: int
    covered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A receipt as it is kept, with the checkpoint it is for."""

    receipt: Receipt
    note: bytes
    waiting_since: datetime
    settles: int


async def _rows(conn: Conn, query: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[dict[str, Any]]:
    return await (await conn.cursor(row_factory=dict_row).execute(query, values)).fetchall()


async def choose(conn: Conn, anchors: Iterable[str], point: Point, at: datetime) -> None:
    """Put a checkpoint into the outbox of each anchor; again is harmless."""
    await conn.execute(
        "INSERT INTO audit.anchor_outbox (anchor, shard, size, note, chosen_at) SELECT name, %s, %s, %s, %s FROM unnest(%s::text[]) AS name "
        "ON CONFLICT DO NOTHING",
        (point.place.shard, point.place.size, point.note, at, list(anchors)),
    )


async def choose_closed(conn: Conn, anchors: Iterable[str], at: datetime) -> int:
    """Put the last checkpoint of every closed shard into the outbox of each anchor that has given no receipt for it.

    A shard is closed when there is a later one; its last checkpoint is the one of its final size, once that is signed.

    Returns:
        How many were put there.
    """
    cursor = await conn.execute(
        "INSERT INTO audit.anchor_outbox (anchor, shard, size, note, chosen_at) SELECT name, c.shard, c.size, c.note, %s "
        "FROM audit.shards s JOIN audit.checkpoints c ON c.shard = s.shard AND c.size = s.size CROSS JOIN unnest(%s::text[]) AS name "
        "WHERE s.size > 0 AND s.shard < (SELECT max(shard) FROM audit.shards) AND NOT EXISTS (SELECT FROM audit.anchor_receipts r "
        "WHERE r.anchor = name AND r.shard = c.shard AND r.size = c.size) ON CONFLICT DO NOTHING",
        (at, list(anchors)),
    )
    return cursor.rowcount


async def waiting_shards(conn: Conn, anchor: str) -> list[int]:
    """The shards in which something waits for an anchor, oldest first."""
    rows = await _rows(conn, "SELECT DISTINCT shard FROM audit.anchor_outbox WHERE anchor = %s ORDER BY shard", (anchor,))
    return [row["shard"] for row in rows]


async def waiting(conn: Conn, anchor: str, shard: int, limit: int) -> list[Waiting]:
    """What of a shard waits for an anchor, newest first."""
    rows = await _rows(
        conn,
        "SELECT shard, size, note, chosen_at, attempts FROM audit.anchor_outbox WHERE anchor = %s AND shard = %s ORDER BY size DESC LIMIT %s",
        (anchor, shard, limit),
    )
    return [
        Waiting(Point(Place(row["shard"], row["size"]), bytes(row["note"])), row["chosen_at"], row["attempts"]) for row in rows
    ]


async def tried(conn: Conn, anchor: str, place: Place) -> None:
    """Count an attempt."""
    await conn.execute(
        "UPDATE audit.anchor_outbox SET attempts = attempts + 1 WHERE anchor = %s AND shard = %s AND size = %s",
        (anchor, place.shard, place.size),
    )


async def settle(conn: Conn, receipt: Receipt, note: bytes, chosen_at: datetime, *, older_too: bool) -> Kept | None:
    """Keep a receipt and take what it settles out of the outbox.

    Args:
        chosen_at: when its own checkpoint was chosen.
        older_too: it settles every smaller checkpoint of its shard that waits for this anchor as well.

    Returns:
        What was kept; None where another writer had kept a receipt for this checkpoint.
    """
    gone = await _rows(
        conn,
        "DELETE FROM audit.anchor_outbox WHERE anchor = %(anchor)s AND shard = %(shard)s AND (size = %(size)s "
        "OR (%(older)s AND size < %(size)s)) RETURNING chosen_at",
        {"anchor": receipt.anchor, "shard": receipt.shard, "size": receipt.size, "older": older_too},
    )
    since = min([chosen_at, *(row["chosen_at"] for row in gone)])
    kept = Kept(receipt, note, since, max(len(gone), 1))
    cursor = await conn.execute(
        "INSERT INTO audit.anchor_receipts (anchor, kind, shard, size, note, body, asserted_at, received_at, waiting_since, settles) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (
            receipt.anchor,
            receipt.kind,
            receipt.shard,
            receipt.size,
            note,
            receipt.body,
            receipt.asserted,
            receipt.received,
            since,
            kept.settles,
        ),
    )
    return kept if cursor.rowcount else None


async def register(conn: Conn, anchors: Iterable[Anchor]) -> None:
    """Name the anchors of this installation, so that one that never answered is seen as well."""
    for anchor in anchors:
        await conn.execute(
            "INSERT INTO audit.anchors (anchor, kind) VALUES (%s, %s) ON CONFLICT (anchor) DO UPDATE SET kind = excluded.kind "
            "WHERE audit.anchors.kind <> excluded.kind",
            (anchor.name, anchor.kind),
        )


async def advance(conn: Conn, receipt: Receipt, note: bytes) -> None:
    """Note an anchor's newest receipt; an older one changes nothing but that it works."""
    await conn.execute(
        "INSERT INTO audit.anchors AS a (anchor, kind, shard, size, note, body, asserted_at, received_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (anchor) DO UPDATE SET failures = 0, problem = NULL, problem_at = NULL, incident = false",
        (
            receipt.anchor,
            receipt.kind,
            receipt.shard,
            receipt.size,
            note,
            receipt.body,
            receipt.asserted,
            receipt.received,
        ),
    )
    await conn.execute(
        "UPDATE audit.anchors SET kind = %s, shard = %s, size = %s, note = %s, body = %s, asserted_at = %s, received_at = %s "
        "WHERE anchor = %s AND (shard IS NULL OR (shard, size) <= (%s, %s))",
        (
            receipt.kind,
            receipt.shard,
            receipt.size,
            note,
            receipt.body,
            receipt.asserted,
            receipt.received,
            receipt.anchor,
            receipt.shard,
            receipt.size,
        ),
    )


async def failed(conn: Conn, anchor: str, problem: str, at: datetime, *, incident: bool) -> None:
    """Note why an attempt failed."""
    await conn.execute(
        "UPDATE audit.anchors SET failures = failures + 1, problem = %s, problem_at = %s, incident = %s WHERE anchor = %s",
        (problem[:500], at, incident, anchor),
    )


async def note_unwell(conn: Conn, anchor: str, text: str | None) -> None:
    """Note what an anchor says of itself, or None when it is well."""
    await conn.execute(
        "UPDATE audit.anchors SET unwell = %s WHERE anchor = %s AND unwell IS DISTINCT FROM %s", (text, anchor, text)
    )


async def states(conn: Conn) -> list[State]:
    """How each anchor stands, by name."""
    return [_state(row) for row in await _rows(conn, "SELECT * FROM audit.anchors ORDER BY anchor")]


async def newest_checkpoint(conn: Conn, shard: int | None = None) -> tuple[int, int, bytes] | None:
    """Shard, size and note of the newest signed checkpoint, of the log or of one shard."""
    rows = await _rows(
        conn,
        "SELECT shard, size, note FROM audit.checkpoints WHERE %(shard)s::int IS NULL OR shard = %(shard)s ORDER BY shard DESC, size DESC LIMIT 1",
        {"shard": shard},
    )
    return (rows[0]["shard"], rows[0]["size"], bytes(rows[0]["note"])) if rows else None


async def newest_receipts(conn: Conn) -> list[Kept]:
    """Each anchor's kept receipt for the largest tree of each shard."""
    rows = await _rows(
        conn,
        "SELECT r.* FROM audit.anchors a CROSS JOIN audit.shards s CROSS JOIN LATERAL (SELECT * FROM audit.anchor_receipts "
        "WHERE anchor = a.anchor AND shard = s.shard ORDER BY size DESC LIMIT 1) r ORDER BY r.anchor, r.shard",
    )
    return [_kept(row) for row in rows]


async def shards(conn: Conn) -> list[int]:
    """Every shard, oldest first."""
    return [row["shard"] for row in await _rows(conn, "SELECT shard FROM audit.shards ORDER BY shard")]


async def first_uncovered(conn: Conn, covered: Mapping[int, int]) -> list[Chosen]:
    """Of each shard the first checkpoint signed beyond a size, from the log's own list: seen whether or not a runner is at work."""
    rows = await _rows(
        conn,
        "SELECT c.* FROM unnest(%s::int[], %s::bigint[]) AS covered(shard, size) CROSS JOIN LATERAL (SELECT shard, size, signed_at "
        "FROM audit.checkpoints WHERE shard = covered.shard AND size > covered.size ORDER BY size LIMIT 1) c ORDER BY c.shard",
        (list(covered), list(covered.values())),
    )
    return [Chosen(Place(row["shard"], row["size"]), row["signed_at"]) for row in rows]


async def open_gap(conn: Conn, chosen: Chosen, missing: Sequence[str], need: int, at: datetime) -> Gap | None:
    """Open a gap; None where one is open in this shard already."""
    rows = await _rows(
        conn,
        "INSERT INTO audit.anchor_gaps (shard, size, since, found_at, missing, need) VALUES (%s, %s, %s, %s, %s, %s) "
        "ON CONFLICT DO NOTHING RETURNING *",
        (chosen.place.shard, chosen.place.size, chosen.at, at, list(missing), need),
    )
    return _gap(rows[0]) if rows else None


async def close_gap(conn: Conn, covered: Place, at: datetime) -> Gap | None:
    """Close the shard's open gap if the covered place reaches it."""
    rows = await _rows(
        conn,
        "UPDATE audit.anchor_gaps SET covered_at = %s WHERE covered_at IS NULL AND shard = %s AND size <= %s RETURNING *",
        (at, covered.shard, covered.size),
    )
    return _gap(rows[0]) if rows else None


async def gaps(conn: Conn, limit: int = 20) -> list[Gap]:
    """The newest gaps, newest first."""
    return [_gap(row) for row in await _rows(conn, "SELECT * FROM audit.anchor_gaps ORDER BY id DESC LIMIT %s", (limit,))]


async def receipts(conn: Conn, shards: Sequence[int] | None = None) -> list[Kept]:
    """Every receipt of these shards, or of all, in order of place and anchor: about half a million a year for each anchor."""
    rows = await _rows(
        conn,
        "SELECT * FROM audit.anchor_receipts WHERE %(shards)s::int[] IS NULL OR shard = ANY(%(shards)s) ORDER BY shard, size, anchor",
        {"shards": list(shards) if shards is not None else None},
    )
    return [_kept(row) for row in rows]


async def receipts_covering(conn: Conn, shard: int, indexes: Sequence[int]) -> list[Kept]:
    """For each of these leaves and each anchor the first receipt of a tree that holds it: all that an export of them needs."""
    rows = await _rows(
        conn,
        "SELECT DISTINCT r.* FROM unnest(%s::bigint[]) AS wanted(index) CROSS JOIN audit.anchors a CROSS JOIN LATERAL "
        "(SELECT * FROM audit.anchor_receipts WHERE anchor = a.anchor AND shard = %s AND size > wanted.index ORDER BY size LIMIT 1) r "
        "ORDER BY r.size, r.anchor",
        (list(indexes), shard),
    )
    return [_kept(row) for row in rows]


async def set_back(conn: Conn, limit: int = 20) -> list[Receipt]:
    """Cosignatures of a smaller tree than the same witness had cosigned before by its own times, newest first; without their bodies."""
    rows = await _rows(
        conn,
        "SELECT anchor, kind, shard, size, asserted_at, received_at, ''::bytea AS body FROM (SELECT *, max(size) OVER (PARTITION BY anchor, shard "
        "ORDER BY asserted_at, size ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM audit.anchor_receipts "
        "WHERE kind = 'witness-c2sp') AS told WHERE size < before ORDER BY asserted_at DESC LIMIT %s",
        (limit,),
    )
    return [_receipt(row) for row in rows]


async def cosigned_notes(conn: Conn, shard: int, limit: int = 50) -> list[tuple[Place, bytes, list[bytes]]]:
    """The newest checkpoints of a shard that witnesses cosigned, newest first, each with all the cosignatures that are kept for it."""
    rows = await _rows(
        conn,
        "SELECT size, note, array_agg(DISTINCT body) AS bodies FROM ("
        "SELECT size, note, body FROM audit.anchor_receipts WHERE shard = %(shard)s AND kind = 'witness-c2sp' UNION ALL "
        "SELECT size, note, body FROM audit.anchors WHERE shard = %(shard)s AND kind = 'witness-c2sp') AS given "
        "GROUP BY size, note ORDER BY size DESC LIMIT %(limit)s",
        {"shard": shard, "limit": limit},
    )
    return [(Place(shard, row["size"]), bytes(row["note"]), [bytes(body) for body in row["bodies"]]) for row in rows]


async def log_keys(conn: Conn) -> dict[int, list[str]]:
    """The vkeys of each shard, as the log's own table has them."""
    rows = await _rows(conn, "SELECT shard, vkeys FROM audit.shards ORDER BY shard")
    return {row["shard"]: list(row["vkeys"]) for row in rows}


def _kept(row: dict[str, Any]) -> Kept:
    return Kept(_receipt(row), bytes(row["note"]), row["waiting_since"], row["settles"])


def _receipt(row: dict[str, Any]) -> Receipt:
    return Receipt(
        row["anchor"], row["kind"], row["shard"], row["size"], row["received_at"], row["asserted_at"], bytes(row["body"])
    )


def _state(row: dict[str, Any]) -> State:
    known = row["size"] is not None
    return State(
        anchor=row["anchor"],
        kind=row["kind"],
        receipt=_receipt(row) if known else None,
        note=bytes(row["note"]) if known else None,
        failures=row["failures"],
        problem=row["problem"],
        problem_at=row["problem_at"],
        incident=row["incident"],
        unwell=row["unwell"],
    )


def _gap(row: dict[str, Any]) -> Gap:
    return Gap(
        id=row["id"],
        place=Place(row["shard"], row["size"]),
        since=row["since"],
        found_at=row["found_at"],
        missing=tuple(row["missing"]),
        need=row["need"],
        covered_at=row["covered_at"],
    )
