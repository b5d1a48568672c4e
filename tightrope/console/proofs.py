"""What a browser needs to check one record by itself: the leaf, its way up the tree, the signed checkpoint, the public keys."""

from __future__ import annotations

import base64
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from tightrope.audit.errors import AuditError, NoteInvalid, ProofInvalid, StoreError, TileInvalid
from tightrope.audit.models import Place
from tightrope.audit.tlog.checkpoint import Checkpoint
from tightrope.audit.tlog.merkle import inclusion_proof
from tightrope.audit.tlog.note import Note
from tightrope.audit.tree_folder import TreeFolder
from tightrope.console.errors import ProofUnavailable
from tightrope.infra.settings import Settings

_RECORD = (
    "SELECT r.id, r.leaf, r.ct, s.origin, s.vkeys FROM audit.leaves l JOIN audit.shards s ON s.shard = l.shard "
    "LEFT JOIN audit.records r ON r.id = l.record_id WHERE l.shard = %s AND l.index = %s"
)


async def record_at(conn: AsyncConnection[Any], place: Place) -> dict[str, Any]:
    """The record at a place, as the database has it now.

    Raises:
        ProofUnavailable: there is none.
    """
    row = await (await conn.cursor(row_factory=dict_row).execute(_RECORD, (place.shard, place.index))).fetchone()
    if row is None:
        raise ProofUnavailable(f"the log has no place {place}", wrong=False)
    if row["leaf"] is None:
        raise ProofUnavailable(f"place {place} is taken, but its record is gone from the database", wrong=True)
    return row


def proof_of(settings: Settings, place: Place, row: dict[str, Any]) -> dict[str, Any]:
    """Everything for the check, read from the published tree and not from the database: where the two differ, the check fails. Reads files.

    Raises:
        ProofUnavailable: no checkpoint covers it yet, or the published tree is damaged.
    """
    folder = TreeFolder.of(settings, place.shard)
    try:
        note = folder.checkpoint()
        if note is None:
            raise ProofUnavailable("no checkpoint is published yet; try again in a few seconds", wrong=False)
        checkpoint = Checkpoint.parse(Note.parse(note).text)
        if place.index >= checkpoint.size:
            raise ProofUnavailable("no published checkpoint covers this record yet; try again in a few seconds", wrong=False)
        path = inclusion_proof(place.index, checkpoint.size, folder.nodes(checkpoint.size))
    except (StoreError, TileInvalid, NoteInvalid, ProofInvalid) as error:
        raise ProofUnavailable(f"the published tree is damaged: {error}", wrong=True) from error
    except AuditError as error:
        raise ProofUnavailable(str(error), wrong=True) from error
    return {
        "shard": place.shard,
        "index": place.index,
        "record": str(row["id"]),
        "leaf": _b64(row["leaf"]),
        "ct": _b64(row["ct"]) if row["ct"] is not None else None,
        "proof": [_b64(one) for one in path],
        "origin": row["origin"],
        "checkpoint": note.decode(),
        "vkeys": list(row["vkeys"]),
    }


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
