"""Conversations in Postgres: one round trip to lock and load, one to save; neither grows with the length of a conversation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from psycopg.errors import LockNotAvailable

from tightrope.engine.errors import ConversationBusy
from tightrope.engine.state import Event, State
from tightrope.infra.database import Connection

RECENT_TURNS = 6
"""Turns whose events an action request may carry."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 5005))"
_LOAD = """
SELECT c.state::text AS state, coalesce(c.turns, 0) AS turns,
       (SELECT t.events::text FROM engine.turn t WHERE t.sender_id = %(sender)s AND t.turn_key = %(key)s) AS known,
       (SELECT json_agg(r.events ORDER BY r.number)::text
          FROM (SELECT number, events FROM engine.turn WHERE sender_id = %(sender)s ORDER BY number DESC LIMIT %(recent)s) r) AS recent
  FROM (SELECT 1) one LEFT JOIN engine.conversation c ON c.sender_id = %(sender)s
"""
_SAVE = """
INSERT INTO engine.conversation (sender_id, state, turns, updated_at) VALUES (%(sender)s, %(state)s, %(number)s, %(at)s)
ON CONFLICT (sender_id) DO UPDATE SET state = excluded.state, turns = excluded.turns, updated_at = excluded.updated_at
"""
_APPEND = """
INSERT INTO engine.turn (sender_id, number, turn_key, at, events) VALUES (%(sender)s, %(number)s, %(key)s, %(at)s, %(events)s)
"""


@dataclass(slots=True)
class Loaded:
    """A conversation as it lies in the database; `known` are the events of the turn asked about, if it has been run."""

    state: State | None
    turns: int
    known: list[Event] | None
    recent_json: str | None

    def recent(self) -> list[Event]:
        """Events of the last turns, oldest first."""
        if not self.recent_json:
            return []
        return [event for turn in orjson.loads(self.recent_json) for event in turn]


def turn_key(turn_id: str) -> str:
    """What is stored of a turn id: it is a secret, so only its hash is looked up by."""
    return hashlib.sha256(turn_id.encode()).hexdigest()


async def lock_and_load(connection: Connection, sender: str, key: str | None) -> Loaded:
    """Hold the conversation for this transaction, across all servers, and read it.

    Two statements in one round trip: the second must see what the last holder of the lock wrote, so it needs its own snapshot.

    Raises:
        ConversationBusy: another holder kept it for longer than the lock time-out.
    """
    try:
        async with connection.pipeline():
            await connection.execute(_LOCK, (sender,))
            cursor = await connection.execute(_LOAD, {"sender": sender, "key": key, "recent": RECENT_TURNS})
        row = await cursor.fetchone()
    except LockNotAvailable:
        raise ConversationBusy(sender) from None
    assert row is not None  # noqa: S101 - the query starts from one row
    return Loaded(
        state=State.from_json(orjson.loads(row["state"])) if row["state"] else None,
        turns=row["turns"],
        known=orjson.loads(row["known"]) if row["known"] else None,
        recent_json=row["recent"],
    )


async def save_turn(
    connection: Connection, sender: str, state: State, events: list[Event], *, number: int, key: str | None, at: datetime
) -> None:
    """Keep the state and this turn's events, and commit."""
    values = {
        "sender": sender,
        "state": orjson.dumps(state.to_json()).decode(),
        "number": number,
        "key": key,
        "at": at,
        "events": orjson.dumps(events).decode(),
    }
    async with connection.pipeline():
        await connection.execute(_SAVE, values)
        await connection.execute(_APPEND, values)
        await connection.commit()


async def all_events(connection: Connection, sender: str) -> list[Event]:
    """Every event of a conversation, oldest first; for the tracker endpoint only."""
    cursor = await connection.execute(
        "SELECT events::text AS events FROM engine.turn WHERE sender_id = %s ORDER BY number", (sender,)
    )
    return [event async for row in cursor for event in orjson.loads(row["events"])]


async def read(connection: Connection, sender: str, key: str | None) -> Loaded:
    """As `lock_and_load` without the lock, for reading."""
    cursor = await connection.execute(_LOAD, {"sender": sender, "key": key, "recent": 1})
    row: dict[str, Any] | None = await cursor.fetchone()
    assert row is not None  # noqa: S101 - the query starts from one row
    return Loaded(
        state=State.from_json(orjson.loads(row["state"])) if row["state"] else None,
        turns=row["turns"],
        known=orjson.loads(row["known"]) if row["known"] else None,
        recent_json=None,
    )
