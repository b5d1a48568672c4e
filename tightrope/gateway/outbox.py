"""SQL of the outbox: what may go out now, and what became of it."""

from __future__ import annotations

import uuid

from tightrope.gateway.repository import Row
from tightrope.infra.database import Connection

STALE_CLAIM_SECONDS = 15.0
"""A claim older than this belongs to a sender that died: the row is looked at again, by its source_id first."""


async def claim(conn: Connection, limit: int, *, bot: bool) -> list[Row]:
    """Claim the rows that may go out now: the head of each conversation, recorded and sealed, not switched off.

    Args:
        bot: False while the releases differ: then only calls that are not the bot's own words go out.
    """
    cursor = await conn.execute(
        """UPDATE gateway.outbox SET state = 'sending', claimed_at = clock_timestamp(), attempts = attempts + 1
           WHERE id IN (
               SELECT o.id FROM gateway.outbox o
               WHERE (o.state = 'pending' AND o.next_at <= clock_timestamp()
                      OR o.state = 'sending' AND o.claimed_at < clock_timestamp() - make_interval(secs => %(stale)s))
                 AND NOT EXISTS (SELECT 1 FROM gateway.outbox e WHERE e.conversation_id = o.conversation_id AND e.seq < o.seq
                                 AND e.state IN ('pending', 'sending'))
                 AND (o.record_id IS NULL OR audit.released(o.record_id))
                 AND NOT (o.bot AND gateway.is_off(o.journey))
                 AND (%(bot)s OR NOT o.bot)
               ORDER BY o.seq LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
           RETURNING *""",
        {"stale": STALE_CLAIM_SECONDS, "limit": limit, "bot": bot},
    )
    return sorted(await cursor.fetchall(), key=lambda row: int(row["seq"]))


async def block_switched_off(conn: Connection) -> list[Row]:
    """Take the bot's messages out that the switch holds back; they are never sent later, however it is turned."""
    cursor = await conn.execute(
        """UPDATE gateway.outbox SET state = 'blocked', error = 'switched off'
           WHERE id IN (SELECT id FROM gateway.outbox WHERE state = 'pending' AND bot AND gateway.is_off(journey) LIMIT 200 FOR UPDATE SKIP LOCKED)
           RETURNING *"""
    )
    return await cursor.fetchall()


async def close(conn: Connection, outbox_id: uuid.UUID, state: str, chatwoot_id: int | None, error: str | None) -> None:
    """Write down what became of a row."""
    await conn.execute(
        """UPDATE gateway.outbox SET state = %s, chatwoot_id = coalesce(%s, chatwoot_id), error = %s,
           sent_at = CASE WHEN %s = 'sent' THEN clock_timestamp() END WHERE id = %s""",
        (state, chatwoot_id, error, state, outbox_id),
    )


async def release(conn: Connection, outbox_id: uuid.UUID, delay_seconds: float, error: str) -> None:
    """Put a row back to be tried again after a while."""
    await conn.execute(
        "UPDATE gateway.outbox SET state = 'pending', next_at = clock_timestamp() + make_interval(secs => %s), error = %s WHERE id = %s",
        (delay_seconds, error, outbox_id),
    )
