"""SQL of the intake and the turn loop. Every function works in the caller's transaction and commits nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import errors as pg
from psycopg import sql

from tightrope.gateway.models import Arrival, ConversationHint, Offer, OutboxDraft
from tightrope.gateway.replies import new_outbox_id
from tightrope.gateway.wording import say
from tightrope.infra.database import Connection

Row = dict[str, Any]


async def know_conversation(conn: Connection, hint: ConversationHint, now: datetime) -> bool:
    """Make sure that the conversation has a row, and keep contact and source as they are now; True when it is new.

    Read first: a write would wait for the row's lock, which a turn holds for a moment.
    """
    cursor = await conn.execute(
        "SELECT contact_id, source_hash FROM gateway.conversation WHERE conversation_id = %s", (hint.conversation_id,)
    )
    row = await cursor.fetchone()
    if row is not None and (
        hint.contact_id is None or (row["contact_id"], row["source_hash"]) == (hint.contact_id, hint.source_hash)
    ):
        return False
    cursor = await conn.execute(
        """INSERT INTO gateway.conversation (conversation_id, account_id, display_id, inbox_id, contact_id, source_hash, created_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (conversation_id) DO UPDATE SET contact_id = EXCLUDED.contact_id, source_hash = EXCLUDED.source_hash
           RETURNING xmax = 0 AS inserted""",
        (hint.conversation_id, hint.account_id, hint.display_id, hint.inbox_id, hint.contact_id, hint.source_hash, now),
    )
    stored = await cursor.fetchone()
    return stored is not None and bool(stored["inserted"])


async def in_flight(conn: Connection, conversation_id: str) -> None:
    """Say that an event of this conversation is being stored, until commit; the drain job waits for it before it ends.

    Without this a job could find nothing, and end, between our insert and our commit, while the queueing lock told us that a job was
    waiting: the event would lie there until the next one.
    """
    await conn.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 41))", (conversation_id,))


async def anything_left(conn: Connection, conversation_id: str) -> bool:
    """Whether events are pending, once no event of this conversation is being stored any more."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 41))", (conversation_id,))
    cursor = await conn.execute(
        "SELECT 1 FROM gateway.inbound WHERE conversation_id = %s AND state = 'pending' LIMIT 1", (conversation_id,)
    )
    return await cursor.fetchone() is not None


async def known_keys(conn: Connection, keys: list[str]) -> set[str]:
    """Which of these events are stored already (a later insert still decides)."""
    cursor = await conn.execute("SELECT dedupe_key FROM gateway.inbound WHERE dedupe_key = ANY(%s)", (keys,))
    return {row["dedupe_key"] for row in await cursor.fetchall()}


async def store_arrival(
    conn: Connection, conversation_id: str, arrival: Arrival, record_id: uuid.UUID | None, now: datetime
) -> bool:
    """Store one arrival; False when another delivery of it is already there."""
    cursor = await conn.execute(
        """INSERT INTO gateway.inbound (conversation_id, kind, dedupe_key, order_key, message_id, body, record_id, received_at)
           VALUES (%(c)s, %(kind)s, %(key)s,
                   coalesce(%(created)s, (SELECT max(order_key) FROM gateway.inbound WHERE conversation_id = %(c)s), 0),
                   %(message)s, %(body)s, %(record)s, %(now)s)
           ON CONFLICT (dedupe_key) DO NOTHING RETURNING id""",
        {
            "c": conversation_id,
            "kind": arrival.kind,
            "key": arrival.dedupe_key,
            # A press or an edit belongs after what is known now, not where its message once stood.
            "created": arrival.message_id if arrival.kind not in {"press", "changed"} else None,
            "message": arrival.message_id,
            "body": _jsonb(arrival.body),
            "record": record_id,
            "now": now,
        },
    )
    return await cursor.fetchone() is not None


def _jsonb(body: dict[str, Any]) -> str:
    """JSON that Postgres takes: without NUL, lone surrogates as the replacement character. The record keeps the original.

    NUL is taken out of the values: taken out of the JSON text it would also tear up a backslash and `u0000` that a customer typed.
    """
    return json.dumps(_storable(body), ensure_ascii=False).encode("utf-8", "replace").decode()


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, dict):
        return {_storable(key): _storable(inner) for key, inner in value.items()}
    return [_storable(inner) for inner in value] if isinstance(value, list) else value


async def defer_drain(conn: Connection, conversation_id: str) -> None:
    """Queue the conversation's drain job in this transaction; one waiting job is enough.

    procrastinate's queueing lock is a unique index, so a clash would roll back the ingest: it happens inside a savepoint.
    """
    try:
        async with conn.transaction():
            await conn.execute(
                """SELECT procrastinate_defer_jobs_v1(ARRAY[ROW('turns', 'drain', 0, %(c)s, %(c)s, jsonb_build_object('conversation_id', %(c)s::text),
                   NULL)::procrastinate_job_to_defer_v1])""",
                {"c": conversation_id},
            )
    except pg.UniqueViolation:
        return


async def others_wait(conn: Connection, conversation_id: str) -> bool:
    """Whether a job of another conversation waits for a free worker."""
    cursor = await conn.execute(
        """SELECT 1 FROM procrastinate_jobs t WHERE t.status = 'todo' AND t.lock <> %s
           AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs d WHERE d.lock = t.lock AND d.status = 'doing') LIMIT 1""",
        (conversation_id,),
    )
    return await cursor.fetchone() is not None


async def load(conn: Connection, conversation_id: str) -> Row | None:
    """The conversation's row, locked until commit."""
    cursor = await conn.execute("SELECT * FROM gateway.conversation WHERE conversation_id = %s FOR UPDATE", (conversation_id,))
    return await cursor.fetchone()


async def next_inbound(conn: Connection, conversation_id: str) -> Row | None:
    """The oldest pending event in Chatwoot's message order."""
    cursor = await conn.execute(
        "SELECT * FROM gateway.inbound WHERE conversation_id = %s AND state = 'pending' ORDER BY order_key, id LIMIT 1",
        (conversation_id,),
    )
    return await cursor.fetchone()


async def update_conversation(conn: Connection, conversation_id: str, **values: Any) -> None:
    """Set columns of a conversation."""
    allowed = {
        "epoch",
        "turn_count",
        "language",
        "status",
        "held_by",
        "disclosed_epoch",
        "last_inbound_at",
        "status_at",
        "context",
    }
    if not values.keys() <= allowed:
        raise ValueError(f"not columns of a conversation: {values.keys() - allowed}")
    assignments = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in values)
    query = sql.SQL("UPDATE gateway.conversation SET {} WHERE conversation_id = %(id)s").format(assignments)
    await conn.execute(query, {**values, "id": conversation_id})


async def finish_inbound(conn: Connection, inbound_id: int, outcome: str, *, failed: bool = False) -> None:
    """Take an event off the queue; a session token's text is not kept."""
    await conn.execute(
        """UPDATE gateway.inbound SET state = %s, outcome = %s,
           body = CASE WHEN kind = 'session_token' THEN '{}'::jsonb ELSE body END WHERE id = %s""",
        ("failed" if failed else "done", outcome, inbound_id),
    )


async def open_turn(conn: Connection, inbound_id: int) -> Row | None:
    """The turn that was begun for this event, if one was: then this is a repetition."""
    cursor = await conn.execute("SELECT * FROM gateway.turn WHERE inbound_id = %s FOR UPDATE", (inbound_id,))
    return await cursor.fetchone()


async def begin_turn(
    conn: Connection,
    turn_id: str,
    conversation_id: str,
    inbound_id: int,
    number: int,
    sender: str,
    language: str,
    text: str,
    wording: str | None,
    decision: str,
    now: datetime,
) -> Row:
    """Write a new turn down with all that was decided for it, so that any repetition is the same turn."""
    cursor = await conn.execute(
        """INSERT INTO gateway.turn (turn_id, conversation_id, inbound_id, number, sender_id, language, text, wording, decision, started_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING *""",
        (turn_id, conversation_id, inbound_id, number, sender, language, text, wording, decision, now),
    )
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives its row
    return row


async def repeat_turn(conn: Connection, turn_id: str) -> int:
    """Count one more attempt; the number is a fencing token: only the newest attempt may commit."""
    cursor = await conn.execute("UPDATE gateway.turn SET attempt = attempt + 1 WHERE turn_id = %s RETURNING attempt", (turn_id,))
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - the turn was read before
    return int(row["attempt"])


async def commit_turn(conn: Connection, turn_id: str, attempt: int, record_id: uuid.UUID, now: datetime) -> bool:
    """Mark the turn as made; False when a newer attempt has taken over or it is committed already."""
    cursor = await conn.execute(
        """UPDATE gateway.turn SET state = 'committed', record_id = %s, committed_at = %s
           WHERE turn_id = %s AND attempt = %s AND state = 'open' RETURNING 1""",
        (record_id, now, turn_id, attempt),
    )
    return await cursor.fetchone() is not None


async def refuse_turn(conn: Connection, turn_id: str, record_id: uuid.UUID, now: datetime) -> None:
    """End an open turn that is given up."""
    await conn.execute(
        "UPDATE gateway.turn SET state = 'refused', record_id = %s, committed_at = %s WHERE turn_id = %s AND state = 'open'",
        (record_id, now, turn_id),
    )


async def records_of(conn: Connection, conversation_id: str) -> int:
    """How many records the audit log holds of a conversation, those of this transaction included."""
    row = await (await conn.execute("SELECT gateway.records_of(%s) AS found", (conversation_id,))).fetchone()
    return int(row["found"]) if row else 0


async def fill_outbox(
    conn: Connection,
    conversation: Row,
    drafts: Sequence[OutboxDraft],
    record_id: uuid.UUID | None,
    *,
    epoch: int,
    offers_until: datetime,
) -> list[uuid.UUID]:
    """Put a turn's calls into the outbox in order, with the offers that their buttons stand for."""
    ids = []
    for draft in drafts:
        outbox_id = new_outbox_id()
        ids.append(outbox_id)
        await conn.execute(
            """INSERT INTO gateway.outbox (id, conversation_id, display_id, kind, body, bot, journey, even_if_held, record_id)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            (
                outbox_id,
                conversation["conversation_id"],
                conversation["display_id"],
                draft.kind,
                json.dumps(draft.body, ensure_ascii=False),
                draft.bot,
                draft.journey,
                draft.even_if_held,
                record_id,
            ),
        )
        for nonce, offer in draft.offers:
            await conn.execute(
                "INSERT INTO gateway.offer (nonce, conversation_id, epoch, outbox_id, title, payload, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (nonce, conversation["conversation_id"], epoch, outbox_id, offer.title, offer.payload, offers_until),
            )
    return ids


async def take_offer(
    conn: Connection, conversation_id: str, epoch: int, message_id: int, values: list[str], now: datetime
) -> Offer | None:
    """Consume the offer that a press names: right conversation, session and message, not expired, once.

    The offer of a person is never used up and never expires: a person stays one tap away from every message.
    """
    cursor = await conn.execute(
        """UPDATE gateway.offer f SET consumed_at = %(now)s FROM gateway.outbox o
           WHERE f.nonce = ANY(%(values)s) AND f.conversation_id = %(c)s AND f.outbox_id = o.id AND o.chatwoot_id = %(message)s
             AND (f.payload = ANY(%(person)s) OR (f.epoch = %(epoch)s AND f.consumed_at IS NULL AND f.expires_at > %(now)s))
           RETURNING f.title, f.payload, f.outbox_id""",
        {
            "now": now,
            "values": values[:1],
            "c": conversation_id,
            "epoch": epoch,
            "message": message_id,
            "person": [say("person_text", "zh"), say("person_text", "en")],
        },
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    # The other buttons of the same message are used up with it: one question, one answer.
    await conn.execute(
        "UPDATE gateway.offer SET consumed_at = %s WHERE outbox_id = %s AND consumed_at IS NULL", (now, row["outbox_id"])
    )
    return Offer(row["title"], row["payload"])


async def offer_waits(conn: Connection, conversation_id: str, epoch: int, payload: str) -> bool:
    """Whether the newest turn of this session offered `payload` and nobody pressed it: its question is open."""
    cursor = await conn.execute(
        """SELECT 1 FROM gateway.offer f JOIN gateway.outbox o ON o.id = f.outbox_id
           WHERE f.conversation_id = %s AND f.epoch = %s AND f.payload = %s AND f.consumed_at IS NULL
             AND o.record_id = (SELECT record_id FROM gateway.turn WHERE conversation_id = %s AND state = 'committed' ORDER BY number DESC LIMIT 1)""",
        (conversation_id, epoch, payload, conversation_id),
    )
    return await cursor.fetchone() is not None


async def recent_words(conn: Connection, conversation_id: str, limit: int = 3) -> list[str]:
    """The customer's last messages, oldest first."""
    cursor = await conn.execute(
        """SELECT body->>'content' AS content FROM gateway.inbound WHERE conversation_id = %s AND kind = 'message' AND body->>'content' IS NOT NULL
           ORDER BY order_key DESC, id DESC LIMIT %s""",
        (conversation_id, limit),
    )
    return [row["content"] for row in reversed(await cursor.fetchall())]


async def off_scopes(conn: Connection) -> dict[str, str]:
    """Scope -> reason of everything that the switch has off now."""
    cursor = await conn.execute("SELECT scope, reason FROM gateway.switch_now")
    return {row["scope"]: row["reason"] for row in await cursor.fetchall()}


async def waiting_conversations(conn: Connection, older_than_seconds: float) -> list[str]:
    """Conversations with events that lie there and no job that will take them: the safety net under the queue."""
    cursor = await conn.execute(
        """SELECT DISTINCT i.conversation_id FROM gateway.inbound i
           WHERE i.state = 'pending' AND i.received_at < now() - make_interval(secs => %s)
             AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.lock = i.conversation_id AND j.status IN ('todo', 'doing')) LIMIT 200""",
        (older_than_seconds,),
    )
    return [row["conversation_id"] for row in await cursor.fetchall()]


async def active_conversations(conn: Connection) -> list[str]:
    """Conversations of the bot in which a customer wrote within the last half hour: whom the switch must hand to a person now."""
    cursor = await conn.execute(
        """SELECT conversation_id FROM gateway.conversation
           WHERE held_by IS NULL AND status <> 'resolved' AND last_inbound_at > now() - interval '30 minutes' LIMIT 200"""
    )
    return [row["conversation_id"] for row in await cursor.fetchall()]


async def known_content(conn: Connection, message_id: int) -> tuple[bool, str | None]:
    """Whether a message is stored, and its newest content: what an update is compared with."""
    cursor = await conn.execute(
        "SELECT body->>'content' AS content FROM gateway.inbound WHERE message_id = %s AND kind <> 'press' ORDER BY id DESC LIMIT 1",
        (message_id,),
    )
    row = await cursor.fetchone()
    return row is not None, row["content"] if row else None
