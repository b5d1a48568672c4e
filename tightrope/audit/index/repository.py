"""SQL of the auditor's index. Reads the log's own tables, writes only `audit_index`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tightrope.audit.index.models import LISTS, IndexRow, Position
from tightrope.audit.models import Place
from tightrope.audit.repository import Conn

COLUMNS = (
    "shard",
    "index",
    "record_id",
    "ts",
    "event",
    "conv",
    "turn",
    "kid",
    "key_state",
    "release",
    "lang",
    "handoff",
    "customer",
    *LISTS,
    "inputs",
)
_SOURCE = (
    "SELECT l.shard, l.index, r.id, r.kid, r.leaf, r.ct, CASE WHEN r.kid IS NULL THEN NULL "
    "WHEN audit.key_gone(r.kid) IS NOT NULL THEN 'destroyed' ELSE coalesce(k.state, 'missing') END AS key_state "
    "FROM audit.leaves l JOIN audit.records r ON r.id = l.record_id LEFT JOIN audit.keys k ON k.kid = r.kid "
)
# By the shards' sizes: to count the leaves after a place Postgres would read them all.
_BEHIND = (
    "SELECT coalesce(sum(size - CASE WHEN shard = %(shard)s THEN least(size, %(next)s) ELSE 0 END), 0)::bigint "
    "FROM audit.shards WHERE shard >= %(shard)s"
)


async def take(conn: Conn) -> dict[str, Any]:
    """The index's state, locked until the transaction ends: one indexer at a time."""
    return await _one(conn, "SELECT shard, next, version, built_at FROM audit_index.state FOR UPDATE")


async def clear(conn: Conn, version: int, at: datetime) -> None:
    """Empty the index."""
    await conn.execute("TRUNCATE audit_index.records")
    await conn.execute("UPDATE audit_index.state SET shard = 0, next = 0, version = %s, built_at = %s", (version, at))


async def advance(conn: Conn, shard: int, following: int) -> None:
    """Note how far the index has read."""
    await conn.execute("UPDATE audit_index.state SET shard = %s, next = %s", (shard, following))


async def behind(conn: Conn, shard: int, following: int) -> int:
    """How many records were sequenced from a place on. Cheap however long the log: asked every second."""
    found = await _one(conn, f"SELECT ({_BEHIND}) AS behind", {"shard": shard, "next": following})
    return int(found["behind"])


async def ahead(conn: Conn, shard: int, following: int) -> bool:
    """Whether the index has read further than the log goes: the log was set back, so what the index holds is not to be trusted."""
    found = await _one(
        conn,
        "SELECT %(next)s > 0 AND NOT EXISTS (SELECT FROM audit.shards WHERE shard = %(shard)s AND size >= %(next)s) AS ahead",
        {"shard": shard, "next": following},
    )
    return bool(found["ahead"])


async def following(conn: Conn, shard: int, index: int, limit: int) -> list[dict[str, Any]]:
    """Sequenced records from a place on, in order."""
    query = _SOURCE + "WHERE (l.shard, l.index) >= (%s, %s) ORDER BY l.shard, l.index LIMIT %s"
    return await _all(conn, query, (shard, index, limit))


async def changed_keys(conn: Conn, limit: int) -> list[dict[str, Any]]:
    """Indexed records whose key has another state than when they were indexed: closed since, or opened again. A destroyed key stays so."""
    return await _changed(
        conn,
        limit,
        "SELECT i.shard, i.index FROM audit.keys c JOIN audit_index.records i ON i.kid = c.kid WHERE c.state <> 'active' "
        "AND i.key_state <> c.state AND i.key_state <> 'destroyed' "
        "UNION SELECT i.shard, i.index FROM audit_index.records i LEFT JOIN audit.keys c ON c.kid = i.kid "
        "WHERE i.key_state IN ('restricted', 'missing') AND i.key_state <> coalesce(c.state, 'missing')",
    )


async def returned_keys(conn: Conn, limit: int) -> list[dict[str, Any]]:
    """Indexed records of keys that the log says were destroyed and that a restored table has back. Asks for every destruction there was."""
    return await _changed(
        conn,
        limit,
        "SELECT i.shard, i.index FROM audit.records d JOIN audit.keys c ON c.kid = "
        "CASE WHEN audit.leaf_fact(d.leaf, 'kid') ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN audit.leaf_fact(d.leaf, 'kid')::uuid END "
        "JOIN audit_index.records i ON i.kid = c.kid WHERE d.event = 'audit:key:destroyed' AND c.state <> 'destroyed' "
        "AND i.key_state <> 'destroyed' AND audit.key_gone(c.kid) IS NOT NULL",
    )


async def _changed(conn: Conn, limit: int, places: LiteralString) -> list[dict[str, Any]]:
    query = (
        _SOURCE
        + f"JOIN ({places}) AS changed ON changed.shard = l.shard AND changed.index = l.index ORDER BY l.shard, l.index LIMIT %s"
    )
    return await _all(conn, query, (limit,))


async def remove(conn: Conn, places: Sequence[Place]) -> None:
    """Take rows out, to be written again."""
    await conn.cursor().executemany(
        "DELETE FROM audit_index.records WHERE shard = %s AND index = %s", [(place.shard, place.index) for place in places]
    )


async def insert(conn: Conn, rows: Sequence[IndexRow]) -> None:
    """Write rows."""
    async with conn.cursor().copy(f"COPY audit_index.records ({', '.join(COLUMNS)}) FROM STDIN") as copy:
        for row in rows:
            await copy.write_row(_values(row))


async def position(conn: Conn) -> Position:
    """How far the index has read."""
    state = await _one(conn, "SELECT shard, next, version, built_at FROM audit_index.state")
    found = await _one(
        conn,
        f"SELECT ({_BEHIND}) AS behind, "  # noqa: S608 - own texts
        "(SELECT shard FROM audit_index.records ORDER BY shard DESC, index DESC LIMIT 1) AS shard, "
        "(SELECT index FROM audit_index.records ORDER BY shard DESC, index DESC LIMIT 1) AS index",
        state,
    )
    last = Place(found["shard"], found["index"]) if found["index"] is not None else None
    return Position(last, found["behind"], state["version"], state["built_at"])


async def search(
    conn: Conn, where: str, params: dict[str, Any], limit: int | None, *, newest: bool = False
) -> list[tuple[IndexRow, str | None]]:
    """Rows that answer a question, in order of place (`newest`: against it), with the inbox's id of their conversation."""
    order = "i.shard DESC, i.index DESC" if newest else "i.shard, i.index"
    query = (
        f"SELECT {', '.join('i.' + name for name in COLUMNS)}, c.conversation_id FROM audit_index.records i "  # noqa: S608 - own texts
        f"LEFT JOIN audit.conversations c ON c.conv = i.conv WHERE {where} ORDER BY {order} LIMIT %(limit)s"
    )
    return [(_row(found), found["conversation_id"]) for found in await _all(conn, query, params | {"limit": limit})]


async def newest_leaves(conn: Conn, event: str, limit: int) -> list[dict[str, Any]]:
    """The newest records of one event: `ts`, `leaf` (bytes), `shard`, `index`. What a leaf says is in the clear and is evidence of nothing else."""
    query = (
        "SELECT i.ts, r.leaf, i.shard, i.index FROM audit_index.records i JOIN audit.records r ON r.id = i.record_id WHERE i.event = %s "
        "ORDER BY i.ts DESC, i.shard DESC, i.index DESC LIMIT %s"
    )
    return await _all(conn, query, (event, limit))


async def places(conn: Conn, where: str, params: dict[str, Any], limit: int | None = None) -> list[Place]:
    """The places that answer a question, in order, the first `limit` or all: the population of a sample."""
    query = f"SELECT i.shard, i.index FROM audit_index.records i WHERE {where} ORDER BY i.shard, i.index LIMIT %(limit)s"  # noqa: S608 - own texts
    return [Place(found["shard"], found["index"]) for found in await _all(conn, query, params | {"limit": limit})]


async def counts(conn: Conn, where: str, params: dict[str, Any]) -> dict[str, int]:
    """How many records, conversations and customers answer a question."""
    counted = "count(*) AS records, count(DISTINCT conv) AS conversations, count(DISTINCT customer) AS customers"
    query = f"SELECT {counted} FROM audit_index.records i WHERE {where}"  # noqa: S608 - own texts
    return dict(await _one(conn, query, params))


async def at_places(conn: Conn, wanted: Sequence[Place]) -> list[tuple[IndexRow, str | None]]:
    """The rows at some places, in order."""
    where = "(i.shard, i.index) IN (SELECT * FROM unnest(%(shards)s::smallint[], %(indexes)s::bigint[]))"
    params = {"shards": [place.shard for place in wanted], "indexes": [place.index for place in wanted]}
    return await search(conn, where, params, None)


async def conversations(conn: Conn, where: str, params: dict[str, Any]) -> list[UUID]:
    """The conversations of the records that answer a question."""
    query = f"SELECT DISTINCT i.conv FROM audit_index.records i WHERE {where} AND i.conv IS NOT NULL ORDER BY i.conv"  # noqa: S608
    return [found["conv"] for found in await _all(conn, query, params)]


async def of_conversations(conn: Conn, convs: Sequence[UUID], limit: int | None = None) -> list[Place]:
    """The places of the records of some conversations, in order, the first `limit` or all."""
    query = "SELECT shard, index FROM audit_index.records WHERE conv = ANY(%s) ORDER BY shard, index LIMIT %s"
    return [Place(found["shard"], found["index"]) for found in await _all(conn, query, (list(convs), limit))]


def _values(row: IndexRow) -> list[Any]:
    plain: list[Any] = [row.place.shard, row.place.index]
    for name in COLUMNS[2:-1]:
        value = getattr(row, name)
        plain.append(list(value) if isinstance(value, tuple) else value)
    return [*plain, Jsonb(row.inputs)]


def _row(found: dict[str, Any]) -> IndexRow:
    values = {name: found[name] for name in COLUMNS[2:]}
    values |= {name: tuple(found[name]) for name in LISTS}
    values["customer"] = bytes(found["customer"]) if found["customer"] is not None else None
    return IndexRow(place=Place(found["shard"], found["index"]), **values)


async def _all(conn: Conn, query: str, params: Any) -> list[dict[str, Any]]:
    return await (await conn.cursor(row_factory=dict_row).execute(query, params)).fetchall()


async def _one(conn: Conn, query: str, params: Any = None) -> dict[str, Any]:
    found = await (await conn.cursor(row_factory=dict_row).execute(query, params)).fetchone()
    assert found is not None  # noqa: S101 - each such query gives one row
    return found
