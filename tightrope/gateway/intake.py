"""Storing what arrives: verify, record, queue, all in one transaction; Chatwoot gets its 200 after the commit and not before."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from typing import Any

from psycopg import Rollback

from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.gateway import ingest, repository
from tightrope.gateway.models import Arrival, ConversationHint
from tightrope.infra.clock import Clock
from tightrope.infra.database import Connection, Pool
from tightrope.infra.logging import get_logger

log = get_logger()

REMEMBERED = 20_000
"""Keys of stored events that one process remembers, so that their repetitions cost nothing."""

_EVENTS = {
    "message": Event.CUSTOMER_MESSAGE_RECEIVED,
    "agent_message": Event.AGENT_MESSAGE_RECEIVED,
    "note": Event.AGENT_NOTE_RECEIVED,
    "system_message": Event.SYSTEM_MESSAGE_RECEIVED,
    "press": Event.CUSTOMER_BUTTON_PRESSED,
    "status": Event.STATUS_CHANGED,
}
_NEEDS_JOB = {"message", "agent_message", "press", "status", "session_token", "login", "logout", "refused_login"}
STORE_SECONDS = 2.5
"""How long an event waits for the database. Chatwoot gives up after 5 s without repeating; a 500 before that it repeats."""


class Intake:
    """The one way in, for webhooks and for the gateway's own events (login, logout)."""

    def __init__(self, pool: Pool, recorder: Recorder, clock: Clock) -> None:
        self._pool = pool
        self._recorder = recorder
        self._clock = clock
        self._stored: OrderedDict[str, None] = OrderedDict()

    async def webhook(self, payload: dict[str, Any]) -> int:
        """Store what an authentic webhook brings; returns how many events were new.

        Raises:
            BodyInvalid: the event lacks what it must have.
            psycopg.Error, PoolTimeout: nothing was stored; the caller answers 500 so that Chatwoot tries again.
        """
        where = ingest.hint(payload)
        if where is None:
            return 0
        if ingest.is_echo(payload):
            return 0
        found = [arrival for arrival in ingest.arrivals(payload, where) if arrival.dedupe_key not in self._stored]
        if not found:
            return 0
        async with self._pool.connection(timeout=STORE_SECONDS) as conn:
            new = await self._store(conn, where, found)
        # Only now are they durable. One message brings several events that all carry the same session token.
        for arrival in found:
            self._stored[arrival.dedupe_key] = None
        while len(self._stored) > REMEMBERED:
            self._stored.popitem(last=False)
        return new

    async def own_event(self, conn: Connection, conversation_id: str, arrival: Arrival) -> None:
        """Store an event of the gateway's own making in the caller's transaction; it becomes a turn like any other."""
        await repository.in_flight(conn, conversation_id)
        await repository.store_arrival(conn, conversation_id, arrival, None, self._clock.now())
        await repository.defer_drain(conn, conversation_id)

    async def _store(self, conn: Connection, where: ConversationHint, found: list[Arrival]) -> int:
        now = self._clock.now()
        new = 0
        known = await repository.known_keys(conn, [arrival.dedupe_key for arrival in found])
        if len(known) == len(found):
            return 0
        await repository.in_flight(conn, where.conversation_id)
        if await repository.know_conversation(conn, where, now):
            facts = {"inbox": where.inbox_id, "status": where.status, "assignee": where.assignee_type}
            payload = {"contact": where.contact_id, "source_sha256": where.source_hash}
            await self._recorder.record(
                conn, RecordDraft(Event.CONVERSATION_OPENED, where.conversation_id, facts=facts, payload=payload)
            )
        for arrival in found:
            if arrival.dedupe_key in known or not await self._says_something(conn, arrival):
                continue
            async with conn.transaction() as savepoint:
                record_id = await self._record(conn, where, arrival)
                if not await repository.store_arrival(conn, where.conversation_id, arrival, record_id, now):
                    # Another delivery of the same event was quicker: ours leaves no second record.
                    raise Rollback(savepoint)
                new += 1
                if arrival.kind in _NEEDS_JOB:
                    await repository.defer_drain(conn, where.conversation_id)
        return new

    async def _says_something(self, conn: Connection, arrival: Arrival) -> bool:
        """An update whose content is what we know is a read receipt or a delivery state: nobody changed anything."""
        if arrival.kind != "changed" or arrival.message_id is None or arrival.body.get("deleted"):
            return True
        known, content = await repository.known_content(conn, arrival.message_id)
        return not known or content != arrival.body.get("content")

    async def _record(self, conn: Connection, where: ConversationHint, arrival: Arrival) -> uuid.UUID | None:
        event = _EVENTS.get(arrival.kind)
        if arrival.kind == "changed":
            event = Event.MESSAGE_DELETED if arrival.body.get("deleted") else Event.MESSAGE_EDITED
        if arrival.kind == "status" and arrival.body.get("changed") == ["assignee_id"]:
            event = Event.ASSIGNEE_CHANGED
        if event is None:
            return None  # tokens and logins are recorded for what they turn out to be
        facts: dict[str, Any] = {"message_id": arrival.message_id} if arrival.message_id else {}
        if arrival.kind == "status":
            facts |= {"status": arrival.body.get("status") or "unknown", "assignee": arrival.body.get("assignee_type") or "none"}
        if arrival.body.get("attachments"):
            facts["attachments"] = len(arrival.body["attachments"])
        return await self._recorder.record(conn, RecordDraft(event, where.conversation_id, facts=facts, payload=arrival.body))
