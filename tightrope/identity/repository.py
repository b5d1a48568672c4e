"""The SQL of identity. Nothing here commits: the caller's transaction decides."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from tightrope.identity.models import Binding, BrowserSession, Place
from tightrope.infra.database import Connection

_COLUMNS = (
    "id, conversation_id, contact_id, source_id_hash, customer_id, sid, acr, scopes, auth_time, epoch, "
    "created_at, expires_at, ended_at, end_reason"
)
Row = dict[str, Any]


def _binding(row: Row) -> Binding:
    return Binding(
        id=row["id"],
        conversation_id=row["conversation_id"],
        contact_id=row["contact_id"],
        source_hash=row["source_id_hash"],
        customer_id=row["customer_id"],
        sid=row["sid"],
        acr=row["acr"],
        scopes=tuple(row["scopes"]),
        auth_time=row["auth_time"],
        epoch=row["epoch"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
        end_reason=row["end_reason"],
    )


async def _one(conn: Connection, query: str, *values: Any) -> Row | None:
    cursor = await conn.execute(query, values)
    row: Row | None = await cursor.fetchone()
    return row


async def live_binding(conn: Connection, conversation_id: str) -> Binding | None:
    """The binding that has not ended; it may have expired."""
    row = await _one(
        conn,
        f"SELECT {_COLUMNS} FROM identity.binding WHERE conversation_id = %s AND ended_at IS NULL",  # noqa: S608 - columns are ours
        conversation_id,
    )
    return _binding(row) if row else None


async def end_binding(conn: Connection, binding_id: UUID, now: datetime, reason: str) -> bool:
    """End it; False when it had ended already."""
    query = "UPDATE identity.binding SET ended_at = %s, end_reason = %s WHERE id = %s AND ended_at IS NULL RETURNING id"
    return await _one(conn, query, now, reason, binding_id) is not None


async def end_session(conn: Connection, sid: str, now: datetime, reason: str) -> list[Binding]:
    """End every live binding of a provider's session."""
    cursor = await conn.execute(
        f"UPDATE identity.binding SET ended_at = %s, end_reason = %s WHERE sid = %s AND ended_at IS NULL "  # noqa: S608
        f"RETURNING {_COLUMNS}",
        (now, reason, sid),
    )
    return [_binding(row) for row in await cursor.fetchall()]


async def insert_binding(conn: Connection, binding: Binding, subject_token_box: bytes) -> Binding | None:
    """Write a binding, numbered within its conversation; None when another live one was quicker."""
    row = await _one(
        conn,
        f"""INSERT INTO identity.binding (id, conversation_id, contact_id, source_id_hash, customer_id, sid, acr, scopes,
                                          auth_time, epoch, subject_token_box, created_at, expires_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s,
                    (SELECT coalesce(max(epoch) + 1, 0) FROM identity.binding WHERE conversation_id = %s), %s, %s, %s)
            ON CONFLICT (conversation_id) WHERE ended_at IS NULL DO NOTHING RETURNING {_COLUMNS}""",  # noqa: S608
        binding.id,
        binding.conversation_id,
        binding.contact_id,
        binding.source_hash,
        binding.customer_id,
        binding.sid,
        binding.acr,
        list(binding.scopes),
        binding.auth_time,
        binding.conversation_id,
        subject_token_box,
        binding.created_at,
        binding.expires_at,
    )
    return _binding(row) if row else None


async def lock_session(conn: Connection, sid: str) -> None:
    """Hold this session's logins and logouts apart until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('identity.session:' || %s, 0))", (sid,))


async def browser(conn: Connection, conversation_id: str) -> BrowserSession | None:
    """Which browser holds the conversation."""
    row = await _one(
        conn,
        "SELECT contact_id, source_id_hash, browser_hash, set_at FROM identity.browser WHERE conversation_id = %s",
        conversation_id,
    )
    if row is None:
        return None
    place = Place(conversation_id, row["contact_id"], row["source_id_hash"])
    return BrowserSession(place, bytes(row["browser_hash"]), row["set_at"])


async def set_browser(conn: Connection, place: Place, browser_hash: bytes, now: datetime) -> None:
    """Say which browser holds the conversation."""
    await conn.execute(
        """INSERT INTO identity.browser (conversation_id, contact_id, source_id_hash, browser_hash, set_at)
           VALUES (%s, %s, %s, %s, %s)
           ON CONFLICT (conversation_id) DO UPDATE SET contact_id = EXCLUDED.contact_id, source_id_hash = EXCLUDED.source_id_hash,
               browser_hash = EXCLUDED.browser_hash, set_at = EXCLUDED.set_at""",
        (place.conversation_id, place.contact_id, place.source_hash, browser_hash, now),
    )


async def use_token(conn: Connection, jti_hash: bytes, place: Place | None, now: datetime, expires_at: datetime) -> Place | None:
    """Consume a token. None: used now, for the first time; else where it was used before (empty strings: in no chat)."""
    values = (place.conversation_id, place.contact_id, place.source_hash) if place else (None, None, None)
    first = await _one(
        conn,
        """INSERT INTO identity.used_token (jti_hash, conversation_id, contact_id, source_id_hash, used_at, expires_at)
           VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (jti_hash) DO NOTHING RETURNING jti_hash""",
        jti_hash,
        *values,
        now,
        expires_at,
    )
    if first is not None:
        return None
    row = await _one(
        conn, "SELECT conversation_id, contact_id, source_id_hash FROM identity.used_token WHERE jti_hash = %s", jti_hash
    )
    if row is None:
        return Place("", "", "")
    return Place(row["conversation_id"] or "", row["contact_id"] or "", row["source_id_hash"] or "")


async def was_used(conn: Connection, jti_hash: bytes) -> bool:
    """Whether a token, or an ended session, is known."""
    return await _one(conn, "SELECT 1 AS one FROM identity.used_token WHERE jti_hash = %s", jti_hash) is not None


async def insert_link(
    conn: Connection,
    link_hash: bytes,
    conversation_id: str,
    scopes: tuple[str, ...],
    journey: str | None,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Keep a login link by its hash."""
    await conn.execute(
        """INSERT INTO identity.login_link (link_hash, conversation_id, scopes, journey, created_at, expires_at)
           VALUES (%s, %s, %s, %s, %s, %s)""",
        (link_hash, conversation_id, list(scopes), journey, now, expires_at),
    )


async def link(conn: Connection, link_hash: bytes) -> Row | None:
    """A login link's row."""
    return await _one(conn, "SELECT * FROM identity.login_link WHERE link_hash = %s", link_hash)


async def link_of_state(conn: Connection, state_hash: bytes) -> Row | None:
    """The login link whose newest attempt made this state."""
    return await _one(conn, "SELECT * FROM identity.login_link WHERE state_hash = %s", state_hash)


async def begin_attempt(conn: Connection, link_hash: bytes, state_hash: bytes, attempt_hash: bytes) -> bool:
    """Start a login over a link, in place of any attempt before; False when the link was used meanwhile."""
    query = """UPDATE identity.login_link SET state_hash = %s, attempt_hash = %s
               WHERE link_hash = %s AND used_at IS NULL RETURNING link_hash"""
    return await _one(conn, query, state_hash, attempt_hash, link_hash) is not None


async def refuse_link(conn: Connection, link_hash: bytes, now: datetime) -> bool:
    """Note that a link was refused; False when that was noted before."""
    query = "UPDATE identity.login_link SET refused_at = %s WHERE link_hash = %s AND refused_at IS NULL RETURNING link_hash"
    return await _one(conn, query, now, link_hash) is not None


async def use_link(conn: Connection, state_hash: bytes, attempt_hash: bytes, now: datetime) -> bool:
    """Consume the link of this attempt; False when it is used, expired, or a newer attempt took its place."""
    query = """UPDATE identity.login_link SET used_at = %s WHERE state_hash = %s AND attempt_hash = %s AND used_at IS NULL
               AND expires_at > %s RETURNING link_hash"""
    return await _one(conn, query, now, state_hash, attempt_hash, now) is not None


async def purge(conn: Connection, now: datetime) -> None:
    """Delete grants, used tokens and links whose time is over."""
    await conn.execute('DELETE FROM identity."grant" WHERE expires_at < %s', (now,))
    await conn.execute("DELETE FROM identity.used_token WHERE expires_at < %s", (now,))
    await conn.execute("DELETE FROM identity.login_link WHERE expires_at < %s", (now,))
