"""Finding a conversation together with its visitor, in one query."""

# ruff: noqa: S608 - the f-strings insert column lists and clauses of this file, values are always parameters

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

from tightrope.infra.database import Connection, Pool
from tightrope.sandbox.inbox.errors import not_found
from tightrope.sandbox.inbox.models import Conversation, Visitor

Found = tuple[Conversation, Visitor]

_CONVERSATION = tuple(one.name for one in fields(Conversation))
_CONTACT = (
    *("id", "account_id", "name", "email", "phone_number", "identifier", "blocked", "additional_attributes", "custom_attributes"),
    *("last_activity_at", "created_at"),
)
_SESSION = {
    "contact_inbox_id": "id",
    "inbox_id": "inbox_id",
    "source_id": "source_id",
    "hmac_verified": "hmac_verified",
    "pubsub_token": "pubsub_token",
    "session_created_at": "created_at",
    "session_updated_at": "updated_at",
}
_VISITOR = (*_CONTACT, *_SESSION)
_COLUMNS = ", ".join(
    [f"c.{name}" for name in _CONVERSATION]
    + [f"k.{name} AS v_{name}" for name in _CONTACT]
    + [f"s.{column} AS v_{name}" for name, column in _SESSION.items()]
)
_FROM = "inbox.conversation c JOIN inbox.contact_inbox s ON s.id = c.contact_inbox_id JOIN inbox.contact k ON k.id = s.contact_id"


async def _found(conn: Connection, where: str, args: Sequence[Any], *, lock: bool) -> list[Found]:
    query = f"SELECT {_COLUMNS} FROM {_FROM} WHERE {where}{' FOR UPDATE OF c' if lock else ''}"
    rows = await (await conn.execute(query.encode(), args)).fetchall()
    return [
        (Conversation(**{name: row[name] for name in _CONVERSATION}), Visitor(**{name: row[f"v_{name}"] for name in _VISITOR}))
        for row in rows
    ]


async def _one(conn: Connection, where: str, args: Sequence[Any], *, lock: bool) -> Found:
    found = await _found(conn, where, args, lock=lock)
    if not found:
        raise not_found()
    return found[0]


async def by_number(conn: Connection, account_id: int, display_id: int, *, lock: bool = False) -> Found:
    """A conversation by its number; with `lock` nobody else changes it until the transaction ends.

    Raises:
        ApiError: 404.
    """
    return await _one(conn, "c.account_id = %s AND c.display_id = %s", (account_id, display_id), lock=lock)


async def by_row(conn: Connection, row_id: int) -> Found:
    """A conversation by its row id, locked."""
    return await _one(conn, "c.id = %s", (row_id,), lock=True)


def _sessions(visitor: Visitor) -> tuple[str, int]:
    """Whose conversations a session may touch: its own; a verified contact's those of all its verified sessions."""
    if visitor.hmac_verified:
        return (
            "contact_inbox_id IN (SELECT id FROM inbox.contact_inbox WHERE contact_id = %s AND inbox_id = %s AND hmac_verified)",
            visitor.id,
        )
    return "contact_inbox_id = %s AND inbox_id = %s", visitor.contact_inbox_id


async def of_message(conn: Connection, message_id: int, visitor: Visitor) -> Found:
    """The conversation that holds this message, if it is one of this session's; locked.

    A session that was merged into another's contact is not that other: it must not read messages by counting up their ids.

    Raises:
        ApiError: 404.
    """
    sessions, key = _sessions(visitor)
    inside = f"c.id = (SELECT conversation_id FROM inbox.message WHERE id = %s) AND c.id IN (SELECT id FROM inbox.conversation WHERE {sessions})"
    return await _one(conn, inside, (message_id, key, visitor.inbox_id), lock=True)


async def newest(conn: Connection, visitor: Visitor, *, lock: bool = False) -> Found | None:
    """The session's newest conversation; a verified contact sees those of all its verified sessions."""
    sessions, key = _sessions(visitor)
    where = f"c.id = (SELECT id FROM inbox.conversation WHERE {sessions} ORDER BY id DESC LIMIT 1)"
    found = await _found(conn, where, (key, visitor.inbox_id), lock=lock)
    return found[0] if found else None


async def of_contact(conn: Connection, account_id: int, contact_id: int) -> list[Found]:
    """A contact's last twenty conversations, newest first."""
    where = "c.id IN (SELECT id FROM inbox.conversation WHERE account_id = %s AND contact_id = %s ORDER BY id DESC LIMIT 20) ORDER BY c.id DESC"
    return await _found(conn, where, (account_id, contact_id), lock=False)


@asynccontextmanager
async def reading(pool: Pool) -> AsyncIterator[Connection]:
    """A connection for reads alone: each statement on its own, which saves the round trips of BEGIN and COMMIT."""
    async with pool.connection() as conn:
        await conn.set_autocommit(True)
        try:
            yield conn
        finally:
            await conn.set_autocommit(False)
