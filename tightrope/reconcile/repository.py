"""What the gateway's tables and the log hold, read with the auditor's rights: no text, no live turn id, no payload."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime
from typing import Any

from tightrope.infra.database import Connection
from tightrope.reconcile.models import Arrived, Period, Posted, Recorded, Turned, iso

_ACTIVE = """
SELECT conversation_id FROM gateway.inbound WHERE received_at >= %(a)s AND received_at < %(b)s
UNION SELECT conversation_id FROM gateway.turn_seen WHERE started_at >= %(a)s AND started_at < %(b)s
UNION SELECT conversation_id FROM gateway.outbox WHERE created_at >= %(a)s AND created_at < %(b)s
UNION SELECT c.conversation_id FROM audit.records r JOIN audit.conversations c USING (conv) WHERE r.ts >= %(a)s AND r.ts < %(b)s
"""


async def active(conn: Connection, period: Period) -> AsyncGenerator[str]:
    """Conversations of which the gateway or the log has something in the period."""
    async with conn.cursor(name="reconcile_active") as cursor:
        await cursor.execute(_ACTIVE, {"a": period.since, "b": period.until})
        async for row in cursor:
            yield row["conversation_id"]


async def inboxes(conn: Connection) -> set[int]:
    """The inboxes whose events reach the gateway; a firm's other inboxes are none of ours."""
    cursor = await conn.execute("SELECT DISTINCT inbox_id FROM gateway.conversation WHERE inbox_id IS NOT NULL")
    return {int(row["inbox_id"]) for row in await cursor.fetchall()}


async def first_event(conn: Connection) -> datetime | None:
    """When the gateway, or the log of conversations, began."""
    cursor = await conn.execute(
        "SELECT least((SELECT min(created_at) FROM gateway.conversation), (SELECT min(ts) FROM audit.records WHERE conv IS NOT NULL)) AS at"
    )
    row = await cursor.fetchone()
    return row["at"] if row else None


async def compared(conn: Connection) -> list[tuple[datetime, datetime]]:
    """The periods that were compared, by the newest thousand records of it."""
    cursor = await conn.execute(
        "SELECT leaf FROM audit.records WHERE event = 'audit:log:reconciled' ORDER BY ord DESC LIMIT 1000"
    )
    facts = [json.loads(bytes(row["leaf"]))["facts"] for row in await cursor.fetchall()]
    return [(datetime.fromisoformat(one["since"]), datetime.fromisoformat(one["until"])) for one in facts]


async def conversation(conn: Connection, conversation_id: str) -> dict[str, Any] | None:
    """The gateway's row: epoch, turn_count."""
    cursor = await conn.execute(
        "SELECT epoch, turn_count FROM gateway.conversation WHERE conversation_id = %s", (conversation_id,)
    )
    return await cursor.fetchone()


async def arrived(conn: Connection, conversation_id: str) -> tuple[Arrived, ...]:
    """Every event of a conversation."""
    cursor = await conn.execute(
        "SELECT kind, message_id, record_id, received_at, state FROM gateway.inbound WHERE conversation_id = %s ORDER BY id",
        (conversation_id,),
    )
    return tuple([Arrived(r["kind"], r["message_id"], r["record_id"], r["received_at"], r["state"]) async for r in cursor])


async def turned(conn: Connection, conversation_id: str) -> tuple[Turned, ...]:
    """Every turn of a conversation, by number."""
    cursor = await conn.execute(
        """SELECT number, sender_id, turn_sha256, asked, state, record_id, started_at FROM gateway.turn_seen
           WHERE conversation_id = %s ORDER BY number""",
        (conversation_id,),
    )
    return tuple(
        [
            Turned(r["number"], r["sender_id"], r["turn_sha256"], r["asked"], r["state"], r["record_id"], r["started_at"])
            async for r in cursor
        ]
    )


async def posted(conn: Connection, conversation_id: str) -> tuple[Posted, ...]:
    """Every message and note that went into the outbox of a conversation."""
    cursor = await conn.execute(
        """SELECT id, kind, state, record_id, chatwoot_id, created_at FROM gateway.outbox
           WHERE conversation_id = %s AND kind IN ('message', 'note') ORDER BY seq""",
        (conversation_id,),
    )
    return tuple(
        [Posted(r["id"], r["kind"], r["state"], r["record_id"], r["chatwoot_id"], r["created_at"]) async for r in cursor]
    )


async def recorded(conn: Connection, conversation_id: str) -> tuple[Recorded, ...]:
    """Every record of a conversation, oldest first, by its clear leaf."""
    cursor = await conn.execute(
        """SELECT r.id, r.event, r.turn, r.ts, r.leaf, audit.released(r.id) AS sealed
             FROM audit.records r JOIN audit.conversations c USING (conv) WHERE c.conversation_id = %s ORDER BY r.ord""",
        (conversation_id,),
    )
    return tuple(
        [
            Recorded(r["id"], r["event"], r["turn"], r["ts"], r["sealed"], json.loads(bytes(r["leaf"])).get("facts") or {})
            async for r in cursor
        ]
    )


def frontier(periods: Iterable[tuple[datetime, datetime]]) -> datetime | None:
    """Up to when everything was compared without a gap, from the oldest of these periods on. Pure."""
    reached: datetime | None = None
    for since, until in sorted(periods):
        if reached is not None and since > reached:
            break
        reached = until if reached is None else max(reached, until)
    return reached


def described(period: Period) -> str:
    """`2026-11-20T02:00:00Z to 2026-11-20T03:00:00Z`."""
    return f"{iso(period.since)} to {iso(period.until)}"
