"""SQL of exports: records by place, with the state of their keys."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from tightrope.audit import repository as log_repository
from tightrope.audit.errors import PayloadUnreadable
from tightrope.audit.export.models import Record
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Entry, Event, JsonObject, Place
from tightrope.audit.repository import Conn
from tightrope.audit.segments import mismatch

_RECORDS = (
    "SELECT l.shard, l.index, r.id, r.conv, r.event, r.turn, r.ts, r.kid, r.leaf, r.ct, "
    "CASE WHEN audit.key_gone(r.kid) IS NOT NULL THEN 'destroyed' ELSE k.state END AS state, c.conversation_id "
    "FROM audit.leaves l JOIN audit.records r ON r.id = l.record_id LEFT JOIN audit.keys k ON k.kid = r.kid "
    "LEFT JOIN audit.conversations c ON c.conv = r.conv "
    "WHERE (l.shard, l.index) IN (SELECT * FROM unnest(%s::smallint[], %s::bigint[])) ORDER BY l.shard, l.index"
)
_KEY_ACTS = (Event.KEY_DESTROYED, Event.SUBJECT_RESTRICTED, Event.SUBJECT_OPENED, Event.RETENTION_EXTENDED)
_SENTENCES = {
    "restricted": "restricted: the record is kept as evidence, its payload is not read without two persons",
    "destroyed": "destroyed by policy: the record is there, its payload cannot be read any more",
}


async def records(conn: Conn, keyring: Keyring, places: Sequence[Place]) -> list[Record]:
    """The records at some places, in order, opened where their keys are active.

    Raises:
        WrongMasterKey: a key does not open under this master key.
    """
    cursor = await conn.cursor(row_factory=dict_row).execute(_RECORDS, ([p.shard for p in places], [p.index for p in places]))
    rows = await cursor.fetchall()
    await log_repository.load_keys(conn, keyring, (row["kid"] for row in rows if row["state"] == "active"))
    return [_record(keyring, row) for row in rows]


@dataclass(frozen=True, slots=True)
class KeyAct:
    """A record of what was done to keys: destroyed, restricted, opened, kept longer."""

    place: Place
    event: str
    kids: frozenset[str]
    ts: str


async def key_acts(conn: Conn, kids: Set[str]) -> list[KeyAct]:
    """The acts that name any of some keys, in order of place: by whose word such a key's records are withheld. The index has to be caught up."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT i.shard, i.index, i.event, r.leaf FROM audit_index.records i JOIN audit.records r ON r.id = i.record_id "
        "WHERE i.event = ANY(%s) ORDER BY i.shard, i.index",
        ([str(event) for event in _KEY_ACTS],),
    )
    found = []
    for row in await cursor.fetchall():
        leaf = json.loads(bytes(row["leaf"]))
        facts = leaf.get("facts", {})
        named = frozenset(map(str, facts.get("kids", [facts.get("kid")])))
        if named & kids:
            found.append(KeyAct(Place(row["shard"], row["index"]), row["event"], named, str(leaf["ts"])))
    return found


async def kids(conn: Conn, places: Sequence[Place]) -> set[str]:
    """The key ids of some records."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT DISTINCT r.kid::text AS kid FROM audit.leaves l JOIN audit.records r ON r.id = l.record_id WHERE r.kid IS NOT NULL "
        "AND (l.shard, l.index) IN (SELECT * FROM unnest(%s::smallint[], %s::bigint[]))",
        ([p.shard for p in places], [p.index for p in places]),
    )
    return {row["kid"] for row in await cursor.fetchall()}


async def log_keys(conn: Conn, shards: Sequence[int]) -> list[str]:
    """The public keys that sign these shards, as the log's own table names them."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT vkeys FROM audit.shards WHERE shard = ANY(%s) ORDER BY shard", (list(shards),)
    )
    return [vkey for row in await cursor.fetchall() for vkey in row["vkeys"]]


def _record(keyring: Keyring, row: dict[str, Any]) -> Record:
    leaf, ct = bytes(row["leaf"]), bytes(row["ct"]) if row["ct"] is not None else None
    state = row["state"] if row["state"] in _SENTENCES else "active"
    problem = mismatch(row["id"], leaf, ct)
    parsed: JsonObject = {}
    opened: tuple[bytes, bytes] | None = None
    payload: JsonObject | None = None
    if problem is None:
        parsed = json.loads(leaf)
        problem = _SENTENCES.get(state)
    if problem is None and ct is not None:
        try:
            opened = _open(keyring, row, parsed, ct)
            payload = json.loads(opened[1])
        except PayloadUnreadable as error:
            problem = str(error)
    place = Place(row["shard"], row["index"])
    salt, raw = opened or (None, None)
    entry = Entry(row["id"], place, row["ts"], row["event"], row["turn"], parsed, payload if ct is not None else {}, problem)
    return Record(place, row["id"], row["ts"], leaf, ct, state, raw, salt, problem, row["conv"], row["conversation_id"], entry)


def _open(keyring: Keyring, row: dict[str, Any], leaf: JsonObject, ct: bytes) -> tuple[bytes, bytes]:
    key = keyring.cached_kid(row["kid"])
    if key is None:
        raise PayloadUnreadable(f"its key {row['kid']} is missing")
    return keyring.reveal(key, row["id"], bytes.fromhex(leaf["commit"]), ct)
