"""The outbox sender: the only code that speaks to Chatwoot, in order per conversation, once each.

A row goes out when its record is sealed (red line 1), the switch lets it (red line 8: the claim itself reads the switch), the parts agree
on the release (red line 9), and, for the bot's own messages, when no person holds the conversation (the status is read again first).
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

import psycopg
from psycopg_pool import PoolTimeout

from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.gateway import outbox
from tightrope.gateway.chatwoot import Chatwoot
from tightrope.gateway.drain import hand_over_silently
from tightrope.gateway.errors import ChatwootRejected, ChatwootUnknown
from tightrope.gateway.release_watch import ReleaseWatch
from tightrope.gateway.repository import Row, load
from tightrope.infra.database import Connection, Pool
from tightrope.infra.logging import get_logger

log = get_logger()

POLL_SECONDS = 0.25
BATCH = 16
MAX_ATTEMPTS = 8
CLAIM_FRESH_SECONDS = 0.2
"""How long a claim's word on the switch is believed: Chatwoot may be slow, and a claimed turn may have several messages."""


@dataclass(frozen=True)
class Sent:
    """What became of one call: `sent`, `withheld` (a person holds the conversation) or `failed`."""

    row: Row
    state: str
    chatwoot_id: int | None = None
    error: str | None = None


class Sender:
    """Claims ready rows and sends them. Several senders may run: a claim is exclusive and keeps the order of its conversation."""

    def __init__(self, pool: Pool, chatwoot: Chatwoot, recorder: Recorder, watch: ReleaseWatch) -> None:
        self._pool = pool
        self._chatwoot = chatwoot
        self._recorder = recorder
        self._watch = watch
        self._wake = asyncio.Event()
        self._expected = 0
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop; a database that is away is waited for."""
        switch_checked = 0.0
        while not stop.is_set():
            # Cleared before looking: what becomes ready meanwhile wakes us again.
            self._wake.clear()
            due = time.monotonic() - switch_checked >= POLL_SECONDS
            try:
                claimed = await self.step(check_switch=due)
            except (psycopg.Error, PoolTimeout, OSError) as error:
                log.error("the outbox cannot be read", action="outbox_unavailable", error=type(error).__name__)
                await asyncio.sleep(1.0)
                continue
            if due:
                switch_checked = time.monotonic()
            # What another worker took, or was taken by the regular look, is not waited for.
            self._expected = max(0, self._expected - claimed) if claimed or not due else 0
            if not claimed:
                waits = [asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(stop.wait())]
                await asyncio.wait(waits, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def expect(self) -> None:
        """Something was put into the outbox: look at once when the next records are sealed."""
        self._expected += 1

    def wake(self) -> None:
        """Records were sealed, the switch was turned, or a conversation's last call came back: look at once, if there is something to look for."""
        if self._expected:
            self._wake.set()

    async def step(self, *, check_switch: bool = True) -> int:
        """Claim what is ready and send it, conversation by conversation; returns how many were claimed.

        Args:
            check_switch: also take out what the switch holds back. The claim never takes it; this settles what becomes of it.
        """
        async with self._pool.connection() as conn:
            if check_switch:
                for row in await outbox.block_switched_off(conn):
                    await self._blocked(conn, row)
            claimed = await outbox.claim(conn, BATCH, bot=not self._watch.differing())
        for rows in claimed:
            task = asyncio.create_task(self._send(rows))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(claimed)

    async def _blocked(self, conn: Connection, row: Row) -> None:
        facts = {
            "state": "switched_off",
            "kinds": [row["kind"]],
            "message_ids": [],
            "outbox": [str(row["id"])],
            "journey": row["journey"],
            "turn_record": str(row["record_id"]),
        }
        payload: dict[str, object] = {"outbox": [str(row["id"])]}
        await self._recorder.record(conn, RecordDraft(Event.OUTBOX_BLOCKED, row["conversation_id"], facts=facts, payload=payload))
        conversation = await load(conn, row["conversation_id"])
        if conversation is not None and conversation["held_by"] is None:
            await hand_over_silently(conn, self._recorder, conversation, "switch", "a message was held back")

    async def _send(self, rows: list[Row]) -> None:
        """Send the calls of one turn in order. One that fails for now stops those behind it."""
        done: list[Sent] = []
        retry: tuple[Row, str] | None = None
        back: list[Row] = []
        asked = time.monotonic()
        try:
            held = await self._held(rows)
            for row in rows:
                if row["bot"] and time.monotonic() - asked > CLAIM_FRESH_SECONDS:
                    asked = time.monotonic()
                    async with self._pool.connection() as conn:
                        if await outbox.is_off(conn, row["journey"]):
                            back = rows[len(done) :]
                            break
                try:
                    done.append(await self._deliver(row, held=held))
                except ChatwootRejected as error:
                    done.append(Sent(row, "failed", None, str(error)))
        except ChatwootUnknown as error:
            retry = (rows[len(done)], str(error))
        except Exception:
            # The rows stay claimed and are looked at again when the claim is old; the reason must be seen.
            log.exception("sending failed", action="outbox_send_crashed", conversation=rows[0]["conversation_id"])
        try:
            await self._settle(rows, done, retry, back)
        except (psycopg.Error, PoolTimeout):
            log.exception("what was sent could not be noted; it is looked up by its source_id later", action="outbox_not_settled")
        self.wake()

    async def _held(self, rows: list[Row]) -> bool:
        """Whether a person holds the conversation now; asked of Chatwoot only when it matters."""
        row = next((row for row in rows if row["bot"] and not row["even_if_held"]), None)
        if row is None:
            return False
        now = await self._chatwoot.conversation(row["display_id"])
        return now.get("status") != "pending" or (now.get("meta") or {}).get("assignee_type") == "User"

    async def _deliver(self, row: Row, *, held: bool) -> Sent:
        display_id, body, kind = row["display_id"], row["body"], row["kind"]
        if held and row["bot"] and not row["even_if_held"]:
            return Sent(row, "withheld")
        chatwoot_id = None
        if kind in {"message", "note"}:
            source_id = f"tr-{row['id']}"
            # A second attempt may follow a first that arrived: Chatwoot has no idempotency, so we look before we repeat.
            known = await self._chatwoot.find_message(display_id, source_id) if row["attempts"] > 1 else None
            chatwoot_id = known or await self._chatwoot.post_message(display_id, body, source_id)
        elif kind == "labels":
            await self._chatwoot.set_labels(display_id, body["add"])
        elif kind == "priority":
            await self._chatwoot.set_priority(display_id, body["priority"])
        elif kind == "open":
            await self._chatwoot.open(display_id)
        elif kind == "typing":
            await self._chatwoot.typing(display_id, on=body["on"])
        return Sent(row, "sent", chatwoot_id)

    async def _settle(self, rows: list[Row], done: list[Sent], retry: tuple[Row, str] | None, back: list[Row]) -> None:
        """Note what became of the calls and record it, in one transaction. `back`: not sent, since the switch was turned meanwhile."""
        async with self._pool.connection() as conn:
            for sent in done:
                await outbox.close(conn, sent.row["id"], sent.state, sent.chatwoot_id, sent.error)
            await self._record(conn, rows[0]["conversation_id"], [s for s in done if s.row["kind"] in {"message", "note"}])
            for waiting in back:
                await outbox.put_back(conn, waiting["id"], 0.0, None)
            if retry is None:
                return
            row, error = retry
            if row["attempts"] >= MAX_ATTEMPTS or row["kind"] == "typing":
                await outbox.close(conn, row["id"], "failed", None, error)
                await self._record(conn, row["conversation_id"], [Sent(row, "failed", None, error)])
            else:
                delay = min(30.0, 0.3 * 2 ** row["attempts"]) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret
                await outbox.put_back(conn, row["id"], delay, error)
                log.warning(
                    "Chatwoot call will be repeated", action="outbox_retry", outbox=str(row["id"]), attempt=row["attempts"]
                )
            for waiting in rows[len(done) + 1 :]:
                await outbox.put_back(conn, waiting["id"], 0.0, None)

    async def _record(self, conn: Connection, conversation_id: str, messages: list[Sent]) -> None:
        for state, event in (("sent", Event.OUTBOX_SENT), ("withheld", Event.OUTBOX_BLOCKED), ("failed", Event.OUTBOX_FAILED)):
            of_state = [sent for sent in messages if sent.state == state]
            if not of_state:
                continue
            facts = {
                "state": state,
                "kinds": [sent.row["kind"] for sent in of_state],
                "message_ids": [sent.chatwoot_id for sent in of_state if sent.chatwoot_id is not None],
                "outbox": [str(sent.row["id"]) for sent in of_state],
                "attempts": max(sent.row["attempts"] for sent in of_state),
                "turn_record": str(of_state[0].row["record_id"]),
            }
            payload = {
                "outbox": [str(sent.row["id"]) for sent in of_state],
                "errors": [sent.error for sent in of_state if sent.error],
            }
            await self._recorder.record(conn, RecordDraft(event, conversation_id, facts=facts, payload=payload))
