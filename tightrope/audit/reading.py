"""Reading the log back: one conversation, decrypted and checked against its commitments. Who reads is recorded first."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from tightrope.audit import repository
from tightrope.audit.custody.states import KeyStatus, statuses
from tightrope.audit.errors import AuditError, ConversationUnknown, PayloadUnreadable
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import ConversationView, Entry, Event, JsonObject, Place, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.audit.repository import Conn
from tightrope.audit.segments import mismatch
from tightrope.infra.clock import clock_from
from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.settings import Settings
from tightrope.release.manifest import release_id


async def show_conversation(
    settings: Settings, conversation_id: str, *, reader: str, reason: str = "", keyring: Keyring | None = None
) -> ConversationView:
    """The whole record of one conversation, decrypted, oldest first.

    Writes an `audit:conversation:read` record before it shows anything; it is the last entry of what the next reader sees.

    Args:
        reader: who reads: the operator's or auditor's login name.
        reason: why, in the reader's words.
        keyring: one for which two people opened restricted keys; without it those stay closed.

    Raises:
        ConversationUnknown: no record names it.
        WrongMasterKey: another master key than the log's.
    """
    keyring = keyring or Keyring.from_settings(settings)
    async with open_pool(settings, Role.AUDITOR, max_size=1) as pool, pool.connection() as conn:
        await _confirm(conn, keyring)
        entries = await _entries(conn, keyring, conversation_id)
        if not entries:
            raise ConversationUnknown(f"the audit log has no record of conversation {conversation_id!r}")
        recorder = Recorder(settings, keyring, clock_from(settings), release_id(settings))
        await recorder.record(
            conn,
            RecordDraft(
                Event.CONVERSATION_READ,
                conversation_id=conversation_id,
                facts={"records": len(entries)},
                payload={"reader": reader, "reason": reason},
            ),
        )
        await conn.commit()
    return ConversationView(conversation_id, keyring.conv(conversation_id), tuple(entries))


async def turns(
    settings: Settings, conversation_id: str, *, pool: Pool | None = None, keyring: Keyring | None = None
) -> list[JsonObject]:
    """The turns of a conversation with their decrypted payloads, oldest first; for `tightrope play` and tests.

    It leaves no trace of the reading, so production refuses it. Each item: `record_id`, `place` (None while unsealed), `at`, `turn`, `facts`,
    `content`, `payload`.

    Args:
        pool: a pool of Role.AUDITOR; without it one is opened for the call.

    Raises:
        AuditError: mode=production.
        PayloadUnreadable: a turn's payload does not open.
        WrongMasterKey: another master key than the log's.
    """
    if settings.mode == "production":
        raise AuditError("turns() reads payloads without a trace and is for the demo and tests; use show_conversation()")
    keyring = keyring or Keyring.from_settings(settings)
    if pool is None:
        async with open_pool(settings, Role.AUDITOR, max_size=1) as own:
            return await turns(settings, conversation_id, pool=own, keyring=keyring)
    async with pool.connection() as conn:
        await _confirm(conn, keyring)
        entries = await _entries(conn, keyring, conversation_id, event=Event.TURN_MADE)
    for entry in entries:
        if entry.problem is not None:
            raise PayloadUnreadable(f"record {entry.record_id}: {entry.problem}")
    return [
        {
            "record_id": str(entry.record_id),
            "place": str(entry.place) if entry.place else None,
            "at": entry.at.isoformat(),
            "turn": entry.turn,
            "facts": entry.leaf["facts"],
            "content": entry.leaf["content"],
            "payload": entry.payload,
        }
        for entry in entries
    ]


async def _confirm(conn: Conn, keyring: Keyring) -> None:
    found = await repository.master_check(conn)
    if found is not None:
        keyring.confirm(found)


async def _entries(conn: Conn, keyring: Keyring, conversation_id: str, *, event: Event | None = None) -> list[Entry]:
    rows = await repository.conversation_records(conn, keyring.conv(conversation_id))
    rows = [row for row in rows if event is None or row["event"] == event]
    await repository.load_keys(conn, keyring, (row["kid"] for row in rows))
    known = await statuses(conn, (row["kid"] for row in rows))
    return [_entry(keyring, row, known[row["kid"]]) for row in rows]


def _entry(keyring: Keyring, row: dict[str, Any], status: KeyStatus) -> Entry:
    record_id: UUID = row["id"]
    problem = mismatch(record_id, row["leaf"], row["ct"])
    leaf: JsonObject = {}
    payload: JsonObject | None = None
    if problem is None:
        leaf = json.loads(row["leaf"])
        key = keyring.cached_kid(row["kid"])
        if key is None:
            problem = status.sentence or f"its key {row['kid']} is not to be had"
        else:
            try:
                payload = json.loads(keyring.decrypt(key, record_id, bytes.fromhex(leaf["commit"]), row["ct"]))
            except PayloadUnreadable as error:
                problem = str(error)
    place = Place(row["shard"], row["index"]) if row["index"] is not None else None
    return Entry(record_id, place, row["ts"], row["event"], row["turn"], leaf, payload, problem)
