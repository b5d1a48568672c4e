"""SQL of conversations, messages and deliveries."""

# ruff: noqa: S608 - the f-strings insert column lists and clauses of this file, values are always parameters

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

from psycopg.rows import class_row
from psycopg.types.json import Json as PgJson

from tightrope.infra.database import Connection
from tightrope.sandbox.inbox.models import Conversation, Delivery, Draft, Json, Message, Visitor

_CONVERSATION = (
    "id, account_id, display_id, uuid, inbox_id, contact_id, contact_inbox_id, status, assignee_id, assignee_agent_bot_id,"
    " priority, labels, additional_attributes, custom_attributes, snoozed_until, waiting_since, first_reply_created_at, agent_last_seen_at,"
    " assignee_last_seen_at, contact_last_seen_at, last_activity_at, unread_count, created_at, updated_at"
)
_MESSAGE = (
    "id, conversation_id, account_id, inbox_id, content, message_type, content_type, content_attributes, private, status,"
    " source_id, sender_type, sender_id, additional_attributes, attachments, created_at, updated_at"
)
PAGE_OF_CONVERSATIONS = 25


async def _conversations(conn: Connection, query: str, args: Sequence[Any]) -> list[Conversation]:
    async with conn.cursor(row_factory=class_row(Conversation)) as cursor:
        await cursor.execute(query.encode(), args)
        return await cursor.fetchall()


async def _messages(conn: Connection, query: str, args: Sequence[Any]) -> list[Message]:
    async with conn.cursor(row_factory=class_row(Message)) as cursor:
        await cursor.execute(query.encode(), args)
        return await cursor.fetchall()


async def insert_conversation(
    conn: Connection, visitor: Visitor, *, status: str, bot_id: int | None, additional: Json, custom: Json, now: datetime
) -> Conversation:
    """A new conversation of this session."""
    created = await _conversations(
        conn,
        "INSERT INTO inbox.conversation (account_id, inbox_id, contact_id, contact_inbox_id, status, assignee_agent_bot_id,"
        " additional_attributes, custom_attributes, waiting_since, last_activity_at, created_at, updated_at)"
        f" VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING {_CONVERSATION}",
        (
            visitor.account_id,
            visitor.inbox_id,
            visitor.id,
            visitor.contact_inbox_id,
            status,
            bot_id,
            PgJson(additional),
            PgJson(custom),
            now,
            now,
            now,
            now,
        ),
    )
    return created[0]


async def save_conversation(conn: Connection, row: Conversation, *, wrote: bool) -> None:
    """Write back everything that can change; with `wrote` the customer was active now, which the contact notes too."""
    touched = "WITH touched AS (UPDATE inbox.contact SET last_activity_at = %s WHERE id = %s) " if wrote else ""
    await conn.execute(
        (
            f"{touched}UPDATE inbox.conversation SET contact_id = %s, status = %s, assignee_id = %s, assignee_agent_bot_id = %s, priority = %s,"
            " labels = %s, additional_attributes = %s, custom_attributes = %s, snoozed_until = %s, waiting_since = %s,"
            " first_reply_created_at = %s, agent_last_seen_at = %s, assignee_last_seen_at = %s, contact_last_seen_at = %s,"
            " last_activity_at = %s, unread_count = %s, updated_at = %s WHERE id = %s"
        ).encode(),
        (
            *((row.last_activity_at, row.contact_id) if wrote else ()),
            row.contact_id,
            row.status,
            row.assignee_id,
            row.assignee_agent_bot_id,
            row.priority,
            row.labels,
            PgJson(row.additional_attributes),
            PgJson(row.custom_attributes),
            row.snoozed_until,
            row.waiting_since,
            row.first_reply_created_at,
            row.agent_last_seen_at,
            row.assignee_last_seen_at,
            row.contact_last_seen_at,
            row.last_activity_at,
            row.unread_count,
            row.updated_at,
            row.id,
        ),
    )


async def list_conversations(conn: Connection, account_id: int, filters: Json) -> tuple[list[Conversation], Json]:
    """One page of conversations, newest activity first, and the counts of ConversationFinder.

    Args:
        filters: status (`all` for any), assignee_type (me, unassigned, assigned), agent_id, inbox_id, labels, q, page.
    """
    where = ["account_id = %s"]
    args: list[Any] = [account_id]
    query = filters.get("q")
    if query:
        pattern = "%" + str(query).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        where.append(
            "(id IN (SELECT conversation_id FROM inbox.message WHERE message_type IN (0, 1) AND content ILIKE %s)"
            " OR contact_id IN (SELECT id FROM inbox.contact WHERE name ILIKE %s OR email ILIKE %s OR identifier ILIKE %s))"
        )
        args += [pattern] * 4
    if filters.get("status", "open") != "all" and not (query and "status" not in filters):
        where.append("status = %s")
        args.append(filters.get("status", "open"))
    if filters.get("inbox_id"):
        where.append("inbox_id = %s")
        args.append(int(filters["inbox_id"]))
    if filters.get("labels"):
        where.append("labels && %s")
        args.append(filters["labels"])
    condition = " AND ".join(where)
    counts = await (
        await conn.execute(
            "SELECT count(*) AS all_count, count(*) FILTER (WHERE assignee_id = %s) AS mine_count,"
            f" count(*) FILTER (WHERE assignee_id IS NULL) AS unassigned_count FROM inbox.conversation WHERE {condition}".encode(),
            [filters.get("agent_id"), *args],
        )
    ).fetchone()
    assert counts is not None  # noqa: S101 - an aggregate gives a row
    scope = {"me": "assignee_id = %s", "unassigned": "assignee_id IS NULL", "assigned": "assignee_id IS NOT NULL"}.get(
        str(filters.get("assignee_type"))
    )
    if scope:
        condition += f" AND {scope}"
        args += [filters.get("agent_id")] if "%s" in scope else []
    page = max(1, int(filters.get("page") or 1))
    rows = await _conversations(
        conn,
        f"SELECT {_CONVERSATION} FROM inbox.conversation WHERE {condition} ORDER BY last_activity_at DESC, id DESC LIMIT %s OFFSET %s",
        [*args, PAGE_OF_CONVERSATIONS, (page - 1) * PAGE_OF_CONVERSATIONS],
    )
    return rows, dict(counts) | {"assigned_count": counts["all_count"] - counts["unassigned_count"]}


async def insert_message(
    conn: Connection,
    parent: Conversation,
    draft: Draft,
    *,
    sender: tuple[str, int] | None,
    attachments: list[Json],
    now: datetime,
) -> Message:
    """A new message; ids rise in the order in which a conversation's messages were accepted."""
    rows = await _messages(
        conn,
        "INSERT INTO inbox.message (conversation_id, account_id, inbox_id, content, message_type, content_type, content_attributes,"
        " private, source_id, sender_type, sender_id, attachments, created_at, updated_at)"
        f" VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING {_MESSAGE}",
        (
            parent.id,
            parent.account_id,
            parent.inbox_id,
            draft.content,
            int(draft.message_type),
            draft.content_type,
            PgJson(draft.content_attributes),
            draft.private,
            draft.source_id,
            sender[0] if sender else None,
            sender[1] if sender else None,
            PgJson(attachments),
            now,
            now,
        ),
    )
    return rows[0]


async def save_message(conn: Connection, row: Message) -> None:
    """Write back a changed message."""
    await conn.execute(
        "UPDATE inbox.message SET content = %s, content_type = %s, content_attributes = %s, status = %s, attachments = %s, updated_at = %s"
        " WHERE id = %s",
        (
            row.content,
            row.content_type,
            PgJson(row.content_attributes),
            row.status,
            PgJson(row.attachments),
            row.updated_at,
            row.id,
        ),
    )


async def message(conn: Connection, conversation_id: int, message_id: int) -> Message | None:
    """A message of this conversation."""
    rows = await _messages(
        conn, f"SELECT {_MESSAGE} FROM inbox.message WHERE conversation_id = %s AND id = %s", (conversation_id, message_id)
    )
    return rows[0] if rows else None


async def latest_message(conn: Connection, conversation_id: int, *, public: bool) -> Message | None:
    """The newest message; with `public` neither a note nor an activity line."""
    rows = await _messages(
        conn,
        f"SELECT {_MESSAGE} FROM inbox.message WHERE conversation_id = %s{' AND NOT private AND message_type <> 2' if public else ''}"
        " ORDER BY id DESC LIMIT 1",
        (conversation_id,),
    )
    return rows[0] if rows else None


async def latest_messages(conn: Connection, conversation_ids: list[int]) -> dict[int, Message]:
    """The newest message that is not an activity line, of each conversation."""
    rows = await _messages(
        conn,
        f"SELECT DISTINCT ON (conversation_id) {_MESSAGE} FROM inbox.message WHERE conversation_id = ANY(%s) AND message_type <> 2"
        " ORDER BY conversation_id, id DESC",
        (conversation_ids,),
    )
    return {row.conversation_id: row for row in rows}


async def list_messages(
    conn: Connection, conversation_id: int, *, before: int | None = None, after: int | None = None, public: bool = False
) -> list[Message]:
    """Messages in ascending order as MessageFinder pages them: the latest 20, 20 before an id, 100 after one, 1000 between two."""
    scope = "conversation_id = %s" + (" AND NOT private AND message_type <> 2" if public else "")
    if after is not None and before is not None:
        tail, args = "AND id >= %s AND id < %s ORDER BY id LIMIT 1000", [after, before]
    elif after is not None:
        tail, args = "AND id > %s ORDER BY id LIMIT 100", [after]
    elif before is not None:
        tail, args = "AND id < %s ORDER BY id DESC LIMIT 20", [before]
    else:
        tail, args = "ORDER BY id DESC LIMIT 20", []
    rows = await _messages(conn, f"SELECT {_MESSAGE} FROM inbox.message WHERE {scope} {tail}", [conversation_id, *args])
    return sorted(rows, key=lambda row: row.id)


async def recent_lines(conn: Connection, conversation_id: int) -> list[Message]:
    """The last five messages of the chat (ConversationDrop#recent_messages)."""
    return await _messages(
        conn,
        f"SELECT {_MESSAGE} FROM inbox.message WHERE conversation_id = %s AND NOT private AND message_type <> 2 ORDER BY id DESC LIMIT 5",
        (conversation_id,),
    )


async def mark_read(conn: Connection, conversation_id: int, now: datetime) -> list[Message]:
    """Bot's and agents' messages that the customer has now seen become `read`; returns those that changed."""
    return await _messages(
        conn,
        "UPDATE inbox.message SET status = 'read', updated_at = %s WHERE conversation_id = %s AND message_type IN (1, 3) AND NOT private"
        f" AND status IN ('sent', 'delivered') AND created_at <= %s RETURNING {_MESSAGE}",
        (now, conversation_id, now),
    )


async def add_deliveries(
    conn: Connection, bot_ids: Sequence[int], events: Sequence[tuple[str, bytes]], conversation_id: int | None, now: datetime
) -> list[Delivery]:
    """Queue each event for each bot, durably, in the caller's transaction."""
    rows: list[tuple[int, str, UUID, bytes]] = [(bot_id, event, uuid4(), body) for event, body in events for bot_id in bot_ids]
    if not rows:
        return []
    cursor = await conn.execute(
        "INSERT INTO inbox.delivery (bot_id, event, conversation_id, delivery_id, body, created_at)"
        " SELECT b, e, %s, d, p, %s FROM unnest(%s::bigint[], %s::text[], %s::uuid[], %s::bytea[]) AS t (b, e, d, p) RETURNING id",
        (conversation_id, now, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], [r[3] for r in rows]),
    )
    ids = sorted(row["id"] for row in await cursor.fetchall())
    return [Delivery(ids[n], r[0], r[1], conversation_id, r[2], r[3], 0) for n, r in enumerate(rows)]


async def pending_deliveries(conn: Connection) -> list[Delivery]:
    """What was accepted and not yet delivered, oldest first."""
    async with conn.cursor(row_factory=class_row(Delivery)) as cursor:
        await cursor.execute(
            "SELECT id, bot_id, event, conversation_id, delivery_id, body, attempts FROM inbox.delivery WHERE failed IS NULL ORDER BY id"
        )
        return await cursor.fetchall()


async def forget_deliveries(conn: Connection, ids: list[int]) -> None:
    """Remove what was delivered."""
    await conn.execute("DELETE FROM inbox.delivery WHERE id = ANY(%s)", (ids,))


async def note_attempt(conn: Connection, delivery_id: int, attempts: int, failed: str | None) -> None:
    """Record an attempt; with `failed` it was the last one and the row stays as evidence."""
    await conn.execute("UPDATE inbox.delivery SET attempts = %s, failed = %s WHERE id = %s", (attempts, failed, delivery_id))


async def add_attachment(conn: Connection, message_id: int, token: str, name: str, content_type: str, body: bytes) -> int:
    """Keep a file; returns its id."""
    row = await (
        await conn.execute(
            "INSERT INTO inbox.attachment (message_id, token, name, content_type, body) VALUES (%s, %s, %s, %s, %s) RETURNING id",
            (message_id, token, name, content_type, body),
        )
    ).fetchone()
    return cast(int, row["id"]) if row else 0


async def attachment(conn: Connection, token: str) -> Json | None:
    """Name, content type and body of a kept file."""
    row = await (
        await conn.execute("SELECT name, content_type, body FROM inbox.attachment WHERE token = %s", (token,))
    ).fetchone()
    return dict(row) if row else None


async def drop_attachments(conn: Connection, message_id: int) -> None:
    """Deleting a message destroys its files."""
    await conn.execute("DELETE FROM inbox.attachment WHERE message_id = %s", (message_id,))
