"""The outbox sender: the only code that speaks to Chatwoot, in order per conversation, once each.

A row goes out when its record is sealed (red line 1), the switch lets it (red line 8: the claim itself reads the switch), the parts agree
on the release (red line 9), and, for the bot's own messages, when no person holds the conversation (the status is read again first).
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import psycopg

from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.gateway import outbox
from tightrope.gateway.chatwoot import Chatwoot
from tightrope.gateway.drain import hand_over_silently
from tightrope.gateway.errors import ChatwootRejected, ChatwootUnknown
from tightrope.gateway.release_watch import ReleaseWatch
from tightrope.gateway.repository import Row, load
from tightrope.infra.database import Pool
from tightrope.infra.logging import get_logger

log = get_logger()

POLL_SECONDS = 0.25
BATCH = 16
MAX_ATTEMPTS = 8


class Sender:
    """Claims ready rows and sends them. Several senders may run: a claim is exclusive and keeps the order of its conversation."""

    def __init__(self, pool: Pool, chatwoot: Chatwoot, recorder: Recorder, watch: ReleaseWatch) -> None:
        self._pool = pool
        self._chatwoot = chatwoot
        self._recorder = recorder
        self._watch = watch
        self._wake = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop; a database that is away is waited for."""
        while not stop.is_set():
            try:
                claimed = await self.step()
            except (psycopg.Error, OSError) as error:
                log.error("the outbox cannot be read", action="outbox_unavailable", error=str(error).splitlines()[0])
                await asyncio.sleep(1.0)
                continue
            if not claimed:
                self._wake.clear()
                waits = [asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(stop.wait())]
                await asyncio.wait(waits, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def wake(self) -> None:
        """Look at once: something was put into the outbox or sealed."""
        self._wake.set()

    async def step(self) -> int:
        """Claim what is ready and send it; returns how much was claimed."""
        async with self._pool.connection() as conn:
            blocked = await outbox.block_switched_off(conn)
            for row in blocked:
                await self._blocked(conn, row)
            rows = await outbox.claim(conn, BATCH, bot=not self._watch.differing())
        for row in rows:
            task = asyncio.create_task(self._send(row))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(rows)

    async def _blocked(self, conn: Any, row: Row) -> None:
        facts = {"kind": row["kind"], "journey": row["journey"]}
        await self._recorder.record(
            conn, RecordDraft(Event.OUTBOX_BLOCKED, row["conversation_id"], facts=facts, payload={"outbox": str(row["id"])})
        )
        conversation = await load(conn, row["conversation_id"])
        if conversation is not None and conversation["held_by"] is None:
            await hand_over_silently(conn, self._recorder, conversation, "switch", "a message was held back")

    async def _send(self, row: Row) -> None:
        try:
            sent = await self._deliver(row)
        except ChatwootRejected as error:
            await self._close(row, "failed", error=str(error))
        except ChatwootUnknown as error:
            await self._retry(row, str(error))
        except Exception:
            # The row stays claimed and is looked at again when the claim is old; the reason must be seen.
            log.exception("sending failed", action="outbox_send_crashed", outbox=str(row["id"]))
        else:
            await self._close(row, *sent)
        self.wake()

    async def _deliver(self, row: Row) -> tuple[str, int | None]:
        display_id, body, kind = row["display_id"], row["body"], row["kind"]
        if row["bot"] and not row["even_if_held"]:
            now = await self._chatwoot.conversation(display_id)
            held = now.get("status") != "pending" or (now.get("meta") or {}).get("assignee_type") == "User"
            if held:
                return "withheld", None
        if kind in {"message", "note"}:
            source_id = f"tr-{row['id']}"
            # A second attempt may follow a first that arrived: Chatwoot has no idempotency, so we look before we repeat.
            known = await self._chatwoot.find_message(display_id, source_id) if row["attempts"] > 1 else None
            return "sent", known or await self._chatwoot.post_message(display_id, body, source_id)
        if kind == "labels":
            await self._chatwoot.set_labels(display_id, body["add"])
        elif kind == "priority":
            await self._chatwoot.set_priority(display_id, body["priority"])
        elif kind == "open":
            await self._chatwoot.open(display_id)
        elif kind == "typing":
            await self._chatwoot.typing(display_id, on=body["on"])
        return "sent", None

    async def _close(self, row: Row, state: str, chatwoot_id: int | None = None, *, error: str | None = None) -> None:
        async with self._pool.connection() as conn:
            await outbox.close(conn, row["id"], state, chatwoot_id, error)
            if row["kind"] in {"message", "note"} and state != "sent":
                event = Event.OUTBOX_FAILED if state == "failed" else Event.OUTBOX_BLOCKED
                facts = {"kind": row["kind"], "state": state, "attempts": row["attempts"]}
                await self._recorder.record(
                    conn,
                    RecordDraft(event, row["conversation_id"], facts=facts, payload={"outbox": str(row["id"]), "error": error}),
                )
            elif row["kind"] == "message":
                facts = {"message_id": chatwoot_id, "attempts": row["attempts"], "turn_record": str(row["record_id"])}
                await self._recorder.record(
                    conn, RecordDraft(Event.OUTBOX_SENT, row["conversation_id"], facts=facts, payload={"outbox": str(row["id"])})
                )

    async def _retry(self, row: Row, error: str) -> None:
        if row["attempts"] >= MAX_ATTEMPTS or row["kind"] == "typing":
            await self._close(row, "failed", error=error)
            return
        delay = min(30.0, 0.3 * 2 ** row["attempts"]) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret
        async with self._pool.connection() as conn:
            await outbox.release(conn, row["id"], delay, error)
        log.warning(
            "Chatwoot call will be repeated",
            action="outbox_retry",
            outbox=str(row["id"]),
            attempt=row["attempts"],
            seconds=round(delay, 1),
        )
