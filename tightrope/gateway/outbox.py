"""SQL of the outbox: what may go out now, and what became of it."""

from __future__ import annotations

import uuid
from itertools import groupby

from tightrope.gateway.repository import Row
from tightrope.infra.database import Connection

STALE_CLAIM_SECONDS = 15.0
"""A claim older than this belongs to a sender that died: its rows are looked at again, by their source_id first."""


async def claim(conn: Connection, limit: int, *, bot: bool) -> list[list[Row]]:
    """Claim what may go out now: of each conversation the oldest turn's calls, recorded and sealed, not switched off.

    The claim itself reads the switch, so that nothing of the bot's is claimed once the switch is turned.

    Args:
        limit: conversations at a time.
        bot: False while the releases differ: then only calls that are not the bot's own words go out.

    Returns:
        One list for each conversation, in the order in which its calls must go out.
    """
    cursor = await conn.execute(
        """WITH head AS (
               SELECT o.conversation_id, o.record_id, o.seq FROM gateway.outbox o
               WHERE (o.state = 'pending' AND o.next_at <= clock_timestamp()
                      OR o.state = 'sending' AND o.claimed_at < clock_timestamp() - make_interval(secs => %(stale)s))
                 AND NOT EXISTS (SELECT 1 FROM gateway.outbox e WHERE e.conversation_id = o.conversation_id AND e.seq < o.seq
                                 AND e.state IN ('pending', 'sending'))
                 AND (o.record_id IS NULL OR audit.released(o.record_id))
                 AND NOT (o.bot AND gateway.is_off(o.journey)) AND (%(bot)s OR NOT o.bot)
               ORDER BY o.seq LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
           UPDATE gateway.outbox SET state = 'sending', claimed_at = clock_timestamp(), attempts = attempts + 1
           WHERE id IN (
               SELECT o.id FROM gateway.outbox o JOIN head h ON o.conversation_id = h.conversation_id AND o.seq >= h.seq
                                                             AND o.record_id IS NOT DISTINCT FROM h.record_id
               WHERE o.state IN ('pending', 'sending') AND NOT (o.bot AND gateway.is_off(o.journey)) AND (%(bot)s OR NOT o.bot))
           RETURNING *""",
        {"stale": STALE_CLAIM_SECONDS, "limit": limit, "bot": bot},
    )
    rows = sorted(await cursor.fetchall(), key=lambda row: (row["conversation_id"], row["seq"]))
    return [list(group) for _, group in groupby(rows, key=lambda row: row["conversation_id"])]


async def is_off(conn: Connection, journey: str | None) -> bool:
    """Whether the switch holds the bot's messages of this journey back now."""
    cursor = await conn.execute("SELECT gateway.is_off(%s) AS off", (journey,))
    row = await cursor.fetchone()
    return row is None or bool(row["off"])


async def block_switched_off(conn: Connection) -> list[Row]:
    """Take the bot's messages out that the switch holds back; they are never sent later, however it is turned."""
    cursor = await conn.execute(
        """UPDATE gateway.outbox SET state = 'blocked', error = 'switched off'
           WHERE EXISTS (SELECT 1 FROM gateway.switch_now)
             AND id IN (SELECT id FROM gateway.outbox WHERE state = 'pending' AND bot AND gateway.is_off(journey) LIMIT 200 FOR UPDATE SKIP LOCKED)
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


async def put_back(conn: Connection, outbox_id: uuid.UUID, delay_seconds: float, error: str | None) -> None:
    """Put a claimed row back to be tried after a while."""
    await conn.execute(
        """UPDATE gateway.outbox SET state = 'pending', next_at = clock_timestamp() + make_interval(secs => %s),
           attempts = CASE WHEN %s::text IS NULL THEN attempts - 1 ELSE attempts END, error = %s WHERE id = %s""",
        (delay_seconds, error, error, outbox_id),
    )
