"""SQL of the audit log: what writers and readers need. The sealer's is in tree_repository.py and segment_repository.py."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from tightrope.audit.keyring import DataKey, Keyring, Owner

Conn = AsyncConnection[Any]

_INSERT = """
WITH kept_key AS (
    INSERT INTO audit.keys (kid, subject_hash, class, year, wrapped)
    VALUES (%(kid)s, %(subject_hash)s, %(cls)s, %(year)s, %(wrapped)s) ON CONFLICT (kid) DO NOTHING
), kept_conversation AS (
    INSERT INTO audit.conversations (conv, conversation_id)
    SELECT %(conv)s::uuid, %(conversation_id)s::text WHERE %(conv)s::uuid IS NOT NULL ON CONFLICT DO NOTHING
)
INSERT INTO audit.records (id, conv, event, turn, ts, kid, leaf, ct)
VALUES (%(id)s, %(conv)s::uuid, %(event)s, %(turn)s::integer, %(ts)s, %(kid)s, %(leaf)s, %(ct)s)
RETURNING (SELECT state = 'active' FROM audit.keys WHERE kid = %(kid)s) AS active
"""


async def master_check(conn: Conn) -> tuple[bytes, ...] | None:
    """The check values of the master keys that this log is kept under: one, or two while it is exchanged; None before the log was begun."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT check_value FROM audit.master_rotations WHERE begun_at >= "
        "COALESCE((SELECT max(begun_at) FROM audit.master_rotations WHERE done_at IS NOT NULL), '-infinity') "
        "UNION SELECT check_value FROM audit.master WHERE NOT EXISTS (SELECT FROM audit.master_rotations WHERE done_at IS NOT NULL)"
    )
    return tuple(bytes(row["check_value"]) for row in await cursor.fetchall()) or None


async def begin_log(conn: Conn, check_value: bytes) -> None:
    """Note the master key's check value; the first writer does."""
    await conn.execute("INSERT INTO audit.master (check_value) VALUES (%s) ON CONFLICT (one) DO NOTHING", (check_value,))


async def active_key(conn: Conn, keyring: Keyring, owner: Owner) -> DataKey | None:
    """The owner's active key from the table, unwrapped."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT kid, wrapped FROM audit.keys WHERE subject_hash = %s AND class = %s AND year = %s AND state = 'active' ORDER BY created_at LIMIT 1",
        (owner.subject_hash, owner.cls, owner.year),
    )
    found = await cursor.fetchone()
    return keyring.unwrap(found["kid"], owner, found["wrapped"]) if found else None


async def begin_custody(conn: Conn, keyring: Keyring) -> bool:
    """Give the database the key by which it knows holders of the master key, where it has none; any process that writes does.

    Returns:
        Whether the database's key is this keyring's.
    """
    inner, outer = keyring.custody_pads()
    known = await _custody_known(conn, inner, outer)
    if known is None:  # asked first, so that the key itself crosses the wire once in a log's life
        await conn.execute("SELECT audit.custody_begin(%s, %s)", (inner, outer))
        known = await _custody_known(conn, inner, outer)
    return known is True


async def _custody_known(conn: Conn, inner: bytes, outer: bytes) -> bool | None:
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT audit.custody_known(%s) AS known", (hashlib.sha256(inner + outer).digest(),)
    )
    row = await cursor.fetchone()
    return row["known"] if row else None


async def vouch_record(conn: Conn, proof: bytes) -> None:
    """Lay the proof of the next record of custody beside it, for this transaction."""
    await conn.execute("SELECT set_config('audit.proof', %s, true)", (proof.hex(),))


async def insert_record(
    conn: Conn,
    *,
    record_id: UUID,
    conv: UUID | None,
    conversation_id: str | None,
    event: str,
    turn: int | None,
    at: datetime,
    key: DataKey,
    leaf: bytes,
    ct: bytes,
) -> bool:
    """Write one record, with its key and its conversation where the table lacks them, in one statement.

    Returns:
        Whether the key is still active. A restricted key's record is kept all the same; the writer takes a new key for the next.

    A name of a conversation that somebody with a role's password gave away before must not keep the record out: the record finds its conversation by
    `conv` alone. The key goes along every time: a transaction that was rolled back after making a key must not leave a process writing under a key that
    no table holds.
    """
    cursor = await conn.cursor(row_factory=dict_row).execute(
        _INSERT,
        {
            "id": record_id,
            "conv": conv,
            "conversation_id": conversation_id,
            "event": event,
            "turn": turn,
            "ts": at,
            "kid": key.kid,
            "subject_hash": key.owner.subject_hash,
            "cls": key.owner.cls,
            "year": key.owner.year,
            "wrapped": key.wrapped,
            "leaf": leaf,
            "ct": ct,
        },
    )
    row = await cursor.fetchone()
    return row is None or row["active"] is not False  # a key written by this very statement is not seen by it yet


async def has_content(conn: Conn, digest: bytes) -> bool:
    """Whether content with this hash is stored."""
    return await (await conn.execute("SELECT 1 FROM audit.content WHERE sha256 = %s", (digest,))).fetchone() is not None


async def insert_content(conn: Conn, digest: bytes, kind: str, data: bytes) -> None:
    """Store content once."""
    await conn.execute(
        "INSERT INTO audit.content (sha256, kind, data) VALUES (%s, %s, %s) ON CONFLICT (sha256) DO NOTHING", (digest, kind, data)
    )


async def conversation_records(conn: Conn, conv: UUID) -> list[dict[str, Any]]:
    """Every record of a conversation, oldest first, with its place in the tree."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT r.id, r.event, r.turn, r.ts, r.kid, r.leaf, r.ct, l.shard, l.index FROM audit.records r LEFT JOIN audit.leaves l ON l.record_id = r.id "
        "WHERE r.conv = %s ORDER BY r.ord",
        (conv,),
    )
    return await cursor.fetchall()


async def load_keys(conn: Conn, keyring: Keyring, kids: Iterable[UUID]) -> None:
    """Unwrap the keys that may be used; what is restricted, or destroyed by the log's own word, is left out and dropped from memory.

    The log is asked, not only the table: a table brought back from a backup must not open what was destroyed.
    """
    wanted = sorted(set(kids))
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT k.kid, k.subject_hash, k.class, k.year, k.wrapped, k.state FROM audit.keys k WHERE k.kid = ANY(%s) AND k.state <> 'destroyed' "
        "AND audit.key_gone(k.kid) IS NULL",
        (wanted,),
    )
    rows = {row["kid"]: row for row in await cursor.fetchall()}
    for kid in wanted:
        row = rows.get(kid)
        if row is None or (row["state"] == "restricted" and kid not in keyring.opened):
            keyring.forget(kid)
        elif row["state"] == "active" and keyring.cached_kid(kid) is None:
            keyring.unwrap(kid, Owner(bytes(row["subject_hash"]), row["class"], row["year"]), bytes(row["wrapped"]))
