"""How the log stands: shards and checkpoints, the sealer, segments and their store, anchors, heartbeats and gaps. Reads only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from tightrope.audit.anchors import repository as anchored
from tightrope.audit.errors import NoteInvalid, StoreError
from tightrope.audit.health import trouble
from tightrope.audit.index.repository import newest_leaves, position
from tightrope.audit.models import Event, JsonObject
from tightrope.audit.tlog.checkpoint import Checkpoint
from tightrope.audit.tlog.note import Note
from tightrope.audit.tree_folder import TreeFolder
from tightrope.infra.settings import Settings

Row = dict[str, Any]

GAPS_SHOWN = 20

_SHARDS: LiteralString = (
    "SELECT s.shard, s.origin, s.size, s.opened_at, c.size AS signed, c.signed_at, encode(c.root, 'hex') AS root, "
    "extract(epoch FROM clock_timestamp() - c.signed_at)::float8 AS age FROM audit.shards s LEFT JOIN LATERAL "
    "(SELECT size, signed_at, root FROM audit.checkpoints c WHERE c.shard = s.shard ORDER BY size DESC LIMIT 1) c ON true ORDER BY s.shard DESC"
)
_SEALER: LiteralString = (
    "SELECT host, pid, store, segment_error, tree_error, nullif(beat_at, '-infinity') AS beat_at, "
    "extract(epoch FROM clock_timestamp() - greatest(beat_at, '2000-01-01'))::float8 AS silent, (SELECT count(*) FROM audit.pending) AS waiting, "
    "(SELECT count(*) FROM audit.refused) AS refused FROM audit.sealer"
)
_SEGMENTS: LiteralString = (
    "SELECT count(*) AS number, coalesce(sum(bytes), 0)::bigint AS bytes, max(stored_at) AS stored_at, "
    "(SELECT shard || '/' || last FROM audit.segments ORDER BY shard DESC, first DESC LIMIT 1) AS last FROM audit.segments"
)
_BEAT: LiteralString = (
    "SELECT r.ts, l.shard, l.index FROM audit.records r LEFT JOIN audit.leaves l ON l.record_id = r.id WHERE r.event = %s "
    "ORDER BY r.ord DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Shard:
    """One year's tree; `published`: size of the checkpoint in the folder, `problem`: why it cannot be read."""

    row: Row
    published: int | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which the log was not at work, as the log itself declared it."""

    at: datetime
    place: str
    facts: JsonObject


@dataclass(frozen=True, slots=True)
class Status:
    """Everything on the first page.

    Attributes:
        trouble: what is wrong, in a sentence, or None.
        open_gaps: times in which checkpoints had no anchors as the policy wants them, newest first.
        worm: whether the store of the segments calls itself WORM.
        behind: sequenced records that the auditor's index, which lists the gaps, has not read yet.
    """

    trouble: str | None
    shards: tuple[Shard, ...]
    sealer: Row
    segments: Row
    beat: Row | None
    gaps: tuple[Gap, ...]
    anchors: tuple[anchored.State, ...]
    open_gaps: tuple[anchored.Gap, ...]
    worm: bool
    behind: int

    @property
    def records(self) -> int:
        """Records that have a place."""
        return sum(shard.row["size"] for shard in self.shards)


async def status(settings: Settings, conn: AsyncConnection[Any]) -> Status:
    """The status now.

    Args:
        conn: of the role `auditor`.

    Raises:
        psycopg.Error: the database does not answer.
    """
    sealer = (await _rows(conn, _SEALER))[0]
    beats = await _rows(conn, _BEAT, Event.SEQUENCER_BEAT.value)
    gaps = await newest_leaves(conn, Event.GAP_DECLARED.value, GAPS_SHOWN)
    return Status(
        trouble=await trouble(settings, conn),
        shards=tuple(_shard(settings, row) for row in await _rows(conn, _SHARDS)),
        sealer=sealer,
        segments=(await _rows(conn, _SEGMENTS))[0],
        beat=beats[0] if beats else None,
        gaps=tuple(_gap(row) for row in gaps),
        anchors=tuple(await anchored.states(conn)),
        open_gaps=tuple(await anchored.gaps(conn, GAPS_SHOWN)),
        worm=is_worm(sealer["store"]),
        behind=(await position(conn)).behind,
    )


def is_worm(store: str) -> bool:
    """Whether a store, by its own words, cannot be overwritten; `not WORM` and an empty text count as no."""
    said = store.lower()
    return "not worm" not in said and ("worm" in said or "object lock" in said)


def _shard(settings: Settings, row: Row) -> Shard:
    try:
        note = TreeFolder.of(settings, row["shard"]).checkpoint()
        return Shard(row, Checkpoint.parse(Note.parse(note).text).size if note is not None else None, None)
    except (StoreError, NoteInvalid) as error:
        return Shard(row, None, str(error))


def _gap(row: Row) -> Gap:
    facts = json.loads(bytes(row["leaf"])).get("facts", {})
    return Gap(row["ts"], f"{row['shard']}/{row['index']}", facts)


async def _rows(conn: AsyncConnection[Any], query: LiteralString, *values: Any) -> list[Row]:
    return await (await conn.cursor(row_factory=dict_row).execute(query, values)).fetchall()
