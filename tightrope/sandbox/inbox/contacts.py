"""SQL of contacts and their browser sessions (contact_inboxes), with the merges that Chatwoot does."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any
from uuid import uuid4

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from tightrope.infra.database import Connection
from tightrope.sandbox.inbox.directory import new_token
from tightrope.sandbox.inbox.models import Json, Visitor, WidgetInbox

_ADJECTIVES = [
    "quiet",
    "bright",
    "morning",
    "silver",
    "gentle",
    "autumn",
    "hidden",
    "crimson",
    "misty",
    "proud",
    "wandering",
    "early",
    "calm",
    "golden",
    "distant",
]
_NOUNS = [
    "river",
    "harbor",
    "meadow",
    "pine",
    "stone",
    "lantern",
    "cloud",
    "orchard",
    "bridge",
    "canyon",
    "willow",
    "breeze",
    "summit",
    "garden",
    "lake",
]

_VISITOR = (
    "SELECT c.id, c.account_id, c.name, c.email, c.phone_number, c.identifier, c.blocked, c.additional_attributes, c.custom_attributes,"
    " c.last_activity_at, c.created_at, s.id AS contact_inbox_id, s.inbox_id, s.source_id, s.hmac_verified, s.pubsub_token,"
    " s.created_at AS session_created_at, s.updated_at AS session_updated_at"
    " FROM inbox.contact_inbox s JOIN inbox.contact c ON c.id = s.contact_id"
)
_CONTACT = (
    "SELECT id, account_id, name, email, phone_number, identifier, blocked, additional_attributes, custom_attributes,"
    " last_activity_at, created_at FROM inbox.contact"
)
SEARCH_PAGE = 15


async def _visitors(conn: Connection, where: str, args: tuple[Any, ...]) -> list[Visitor]:
    async with conn.cursor(row_factory=class_row(Visitor)) as cursor:
        await cursor.execute(f"{_VISITOR} WHERE {where}".encode(), args)
        return await cursor.fetchall()


async def visitor_by_session(conn: Connection, contact_inbox_id: int) -> Visitor:
    """Contact and session of a conversation's contact_inbox."""
    return (await _visitors(conn, "s.id = %s", (contact_inbox_id,)))[0]


async def visitors_by_sessions(conn: Connection, ids: list[int]) -> dict[int, Visitor]:
    """The same for many, by contact_inbox id."""
    return {row.contact_inbox_id: row for row in await _visitors(conn, "s.id = ANY(%s)", (ids,))}


async def visitor_by_source(conn: Connection, inbox_id: int, source_id: str) -> Visitor | None:
    """The session that a widget token names."""
    rows = await _visitors(conn, "s.inbox_id = %s AND s.source_id = %s", (inbox_id, source_id))
    return rows[0] if rows else None


async def visitor_by_pubsub(conn: Connection, token: str) -> Visitor | None:
    """The session that a websocket token names."""
    rows = await _visitors(conn, "s.pubsub_token = %s", (token,))
    return rows[0] if rows else None


async def new_session(conn: Connection, inbox: WidgetInbox, now: datetime, contact_id: int | None = None) -> Visitor:
    """A new browser session: a new anonymous contact with a made-up name, unless `contact_id` says whose it is."""
    if contact_id is None:
        name = f"{random.choice(_ADJECTIVES)}-{random.choice(_NOUNS)}-{random.randrange(1000)}"  # noqa: S311 - a display name
        row = await (
            await conn.execute(
                "INSERT INTO inbox.contact (account_id, name, last_activity_at, created_at, updated_at) VALUES (%s, %s, %s, %s, %s)"
                " RETURNING id",
                (inbox.account_id, name, now, now, now),
            )
        ).fetchone()
        assert row is not None  # noqa: S101 - RETURNING gives a row
        contact_id = row["id"]
    source_id = str(uuid4())
    await conn.execute(
        "INSERT INTO inbox.contact_inbox (contact_id, inbox_id, source_id, pubsub_token, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (contact_id, inbox.id, source_id, new_token(), now, now),
    )
    return (await _visitors(conn, "s.inbox_id = %s AND s.source_id = %s", (inbox.id, source_id)))[0]


async def find_contact(conn: Connection, account_id: int, column: str, value: str) -> int | None:
    """Id of the contact with this identifier, email or phone_number."""
    if column not in {"identifier", "email", "phone_number"}:
        raise ValueError(column)
    row = await (
        await conn.execute(
            f"SELECT id FROM inbox.contact WHERE account_id = %s AND {column} = %s ORDER BY id LIMIT 1".encode(),  # noqa: S608
            (account_id, value),
        )
    ).fetchone()
    return row["id"] if row else None


async def move_sessions(conn: Connection, source: int, target: int, now: datetime) -> None:
    """Merge: the surviving contact receives sessions and conversations as they are, `hmac_verified` included (reference 3.3)."""
    await conn.execute(
        "UPDATE inbox.contact_inbox SET contact_id = %s, updated_at = %s WHERE contact_id = %s", (target, now, source)
    )
    await conn.execute("UPDATE inbox.conversation SET contact_id = %s WHERE contact_id = %s", (target, source))
    await conn.execute("UPDATE inbox.contact SET identifier = NULL, email = NULL WHERE id = %s", (source,))


async def update_contact(conn: Connection, contact_id: int, fields: Json, now: datetime) -> None:
    """Set the given fields; attributes are deep-merged one level, as the widget and `PUT contacts` do."""
    for column in ("name", "email", "phone_number", "identifier"):
        if fields.get(column) is not None:
            await conn.execute(
                f"UPDATE inbox.contact SET {column} = %s, updated_at = %s WHERE id = %s".encode(),  # noqa: S608 - columns of this line
                (str(fields[column]), now, contact_id),
            )
    for column in ("custom_attributes", "additional_attributes"):
        if isinstance(fields.get(column), dict):
            await conn.execute(
                f"UPDATE inbox.contact SET {column} = {column} || %s, updated_at = %s WHERE id = %s".encode(),  # noqa: S608
                (Jsonb(fields[column]), now, contact_id),
            )


async def contact(conn: Connection, account_id: int, contact_id: int) -> Json | None:
    """A contact's record."""
    row = await (
        await conn.execute(f"{_CONTACT} WHERE account_id = %s AND id = %s".encode(), (account_id, contact_id))
    ).fetchone()
    return dict(row) if row else None


async def contact_sessions(conn: Connection, contact_ids: list[int]) -> dict[int, list[Json]]:
    """Sessions by contact."""
    rows = await (
        await conn.execute(
            "SELECT contact_id, inbox_id, source_id FROM inbox.contact_inbox WHERE contact_id = ANY(%s)", (contact_ids,)
        )
    ).fetchall()
    found: dict[int, list[Json]] = {}
    for row in rows:
        found.setdefault(row["contact_id"], []).append(dict(row))
    return found


async def search_contacts(conn: Connection, account_id: int, query: str, page: int) -> tuple[list[Json], int]:
    """Substring search over name, email, phone and identifier; 15 a page, with the count of all."""
    pattern = "%" + query.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
    where = "account_id = %s AND (name ILIKE %s OR email ILIKE %s OR phone_number ILIKE %s OR identifier ILIKE %s)"
    args = (account_id, pattern, pattern, pattern, pattern)
    total = await (await conn.execute(f"SELECT count(*) AS n FROM inbox.contact WHERE {where}".encode(), args)).fetchone()  # noqa: S608
    rows = await (
        await conn.execute(
            f"{_CONTACT} WHERE {where} ORDER BY id DESC LIMIT %s OFFSET %s".encode(),
            (*args, SEARCH_PAGE, (page - 1) * SEARCH_PAGE),
        )
    ).fetchall()
    return [dict(row) for row in rows], total["n"] if total else 0
