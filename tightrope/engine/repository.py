"""Conversations in Postgres: one trip to take one (lock and read), one to keep a turn (write and commit); neither grows with its length.

Both speak libpq's simple protocol with literals escaped by libpq: a statement and its BEGIN or COMMIT go in one packet. psycopg's cursors
would do the same in three times the processor time, which is a third of a whole turn.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from psycopg import generators
from psycopg.errors import LockNotAvailable, error_from_result
from psycopg.pq import Escaping, ExecStatus
from psycopg.pq.abc import PGresult

from tightrope.engine.errors import ConversationBusy
from tightrope.engine.state import Event, State
from tightrope.infra.database import Connection

RECENT_TURNS = 6
"""Turns whose events an action request may carry."""

_ENOUGH = {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}


@dataclass(slots=True)
class Taken:
    """A conversation as it lies in the database, held by this transaction.

    Attributes:
        state: None if it is new.
        turns: how many are kept.
        known: the events of the turn asked about, if it has been run.
        begins: the turn that its tracker begins with.
        stamp: what the server that loaded its project last runs.
    """

    state: State | None
    turns: int
    known: list[Event] | None
    begins: int
    stamp: str | None


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A turn as it was kept; `inputs` is None for one that was kept before inputs were."""

    number: int
    events: bytes
    inputs: bytes | None


def turn_key(turn_id: str) -> str:
    """What is stored of a turn id: it is a secret, so only its hash is looked up by."""
    return hashlib.sha256(turn_id.encode()).hexdigest()


async def take(connection: Connection, sender: str, key: str | None) -> Taken:
    """Hold the conversation for this transaction, across all servers, and read it.

    Raises:
        ConversationBusy: another holder kept it for longer than the lock time-out.
    """
    literal = _literals(connection)
    query = b"BEGIN; SELECT * FROM engine.take(" + literal(sender) + b", " + literal(key) + b")"
    try:
        found = (await _talk(connection, query))[-1]
    except LockNotAvailable:
        raise ConversationBusy(sender) from None
    state, turns, known, stamp, begins = (found.get_value(0, column) for column in range(5))
    return Taken(
        state=State.from_json(orjson.loads(state)) if state else None,
        turns=int(turns or 0),
        known=orjson.loads(known) if known else None,
        begins=int(begins or 1),
        stamp=stamp.decode() if stamp else None,
    )


async def keep(
    connection: Connection,
    sender: str,
    state: State,
    events: list[Event],
    inputs: dict[str, Any],
    *,
    number: int,
    key: str | None,
    at: datetime,
    begins: int,
) -> None:
    """Keep the state and this turn's events and inputs, and commit."""
    literal = _literals(connection)
    values = (
        literal(sender), literal(orjson.dumps(state.to_json())), b"%d" % number, literal(key), literal(at.isoformat()),
        literal(orjson.dumps(events)), literal(orjson.dumps(inputs)), b"%d" % begins,
    )  # fmt: skip
    await _talk(connection, b"SELECT engine.keep(" + b", ".join(values) + b"); COMMIT")


def _literals(connection: Connection) -> Any:
    escape = Escaping(connection.pgconn).escape_literal

    def literal(value: str | bytes | None) -> bytes:
        if value is None:
            return b"NULL"
        return bytes(escape(value.encode() if isinstance(value, str) else value))

    return literal


async def _talk(connection: Connection, query: bytes) -> list[PGresult]:
    """The results of one packet of statements.

    Raises:
        psycopg.Error: one of them failed, or the connection did.
    """
    connection.pgconn.send_query(query)
    results: list[PGresult] = await connection.wait(generators.execute(connection.pgconn))
    for result in results:
        if result.status not in _ENOUGH:
            raise error_from_result(result)
    return results


async def recent(connection: Connection, sender: str, begins: int) -> list[Event]:
    """The events of the last turns, oldest first."""
    cursor = await connection.execute(
        "SELECT events::text AS events FROM engine.turn WHERE sender_id = %s AND number >= %s ORDER BY number DESC LIMIT %s",
        (sender, begins, RECENT_TURNS),
    )
    turns = [orjson.loads(row["events"]) async for row in cursor]
    return [event for turn in reversed(turns) for event in turn]


async def read(connection: Connection, sender: str) -> tuple[State | None, list[Event]]:
    """State and all events of a conversation, as they are now: for the tracker alone, since it grows with the conversation."""
    cursor = await connection.execute(
        """SELECT c.state::text AS state, t.events::text AS events
             FROM engine.conversation c JOIN engine.turn t ON t.sender_id = c.sender_id AND t.number >= c.begins
            WHERE c.sender_id = %s ORDER BY t.number""",
        (sender,),
    )
    rows = await cursor.fetchall()
    if not rows:
        return None, []
    events = [event for row in rows for event in orjson.loads(row["events"])]
    return State.from_json(orjson.loads(rows[0]["state"])), events


@dataclass(frozen=True, slots=True)
class ReadTurn:
    """One turn of a conversation; without number, events and inputs if it was never made. `inputs`: its record, as plain data."""

    state: State
    number: int | None
    events: list[Event]
    inputs: dict[str, Any] | None


async def read_turn(connection: Connection, sender: str, key: str) -> ReadTurn | None:
    """State of a conversation, and one turn of it; None if there is no such conversation."""
    cursor = await connection.execute(
        """SELECT c.state::text AS state, t.number, t.events::text AS events, t.inputs::text AS inputs
             FROM engine.conversation c LEFT JOIN engine.turn t ON t.sender_id = c.sender_id AND t.turn_key = %s
            WHERE c.sender_id = %s""",
        (key, sender),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    return ReadTurn(
        State.from_json(orjson.loads(row["state"])),
        row["number"],
        orjson.loads(row["events"]) if row["events"] else [],
        orjson.loads(row["inputs"]) if row["inputs"] else None,
    )


async def kept_turns(connection: Connection, sender: str) -> tuple[bytes | None, list[KeptTurn]]:
    """The stored state as it was written, and all turns of a conversation: for replay."""
    cursor = await connection.execute(
        """SELECT c.state::text AS state, t.number, t.events::text AS events, t.inputs::text AS inputs
             FROM engine.conversation c JOIN engine.turn t USING (sender_id) WHERE c.sender_id = %s ORDER BY t.number""",
        (sender,),
    )
    rows = await cursor.fetchall()
    turns = [
        KeptTurn(row["number"], row["events"].encode(), row["inputs"].encode() if row["inputs"] is not None else None)
        for row in rows
    ]
    return (rows[0]["state"].encode() if rows else None), turns


async def announce(connection: Connection, stamp: str) -> None:
    """Let the other servers of this database know what was loaded here."""
    await connection.execute(
        """INSERT INTO engine.release (stamp)
           SELECT %(stamp)s WHERE %(stamp)s IS DISTINCT FROM (SELECT stamp FROM engine.release ORDER BY number DESC LIMIT 1)""",
        {"stamp": stamp},
    )


async def alive(connection: Connection) -> None:
    """Raises:
    psycopg.Error: the database does not answer, or lacks what the engine needs.
    """
    await connection.execute("SELECT begins FROM engine.conversation LIMIT 1")
