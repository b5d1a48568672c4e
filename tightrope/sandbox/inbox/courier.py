"""Delivery of webhooks to bots (lib/webhooks/trigger.rb, app/jobs/agent_bots/webhook_job.rb).

Asynchronous, ten at a time, without an order among a conversation's events. A 429 or 500 is tried three times, three seconds
apart; every other failure is final, and then a pending conversation is opened when the event was about a message. Unlike
Chatwoot, what was accepted survives a kill -9: the queue is a table, and what was not confirmed is sent again (with the same delivery id).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import httpx

from tightrope.infra.clock import Clock
from tightrope.infra.database import Pool
from tightrope.infra.logging import get_logger
from tightrope.sandbox.inbox import loading, repository
from tightrope.sandbox.inbox.directory import Directory
from tightrope.sandbox.inbox.faults import Faults, NoFaults
from tightrope.sandbox.inbox.models import BOT_ERROR_TEXT, Delivery
from tightrope.sandbox.inbox.signing import headers
from tightrope.sandbox.inbox.work import Office

log = get_logger()

THREADS = 10
"""Deliveries at a time (Sidekiq's default)."""
ATTEMPTS = 3
RETRY_SECONDS = 3.0
TIMEOUT_SECONDS = 5.0
"""WEBHOOK_TIMEOUT, default."""
_RETRIED = frozenset({429, 500})
_OPENING_EVENTS = frozenset({"message_created", "message_updated"})
_SWEEP_SECONDS = 0.05


class Courier:
    """Takes deliveries after their commit and sees each through to its end.

    Args:
        office: set by `attach`; opens conversations whose message could not be delivered.
    """

    def __init__(
        self,
        pool: Pool,
        directory: Directory,
        client: httpx.AsyncClient,
        clock: Clock,
        *,
        faults: Faults | None = None,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._pool = pool
        self._directory = directory
        self._client = client
        self._clock = clock
        self._faults: Faults = faults or NoFaults()
        self._retry_seconds = retry_seconds
        self._office: Office | None = None
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue()
        self._waiting: set[asyncio.Task[None]] = set()
        self._done: list[int] = []
        self._sweep = asyncio.Event()
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def attach(self, office: Office) -> None:
        self._office = office

    def accept(self, deliveries: list[Delivery]) -> None:
        """Queue what the caller has committed."""
        if not deliveries:
            return
        self._open += len(deliveries)
        self._idle.clear()
        for one in deliveries:
            self._queue.put_nowait(one)

    async def run(self) -> None:
        """Deliver until cancelled, beginning with what an earlier process left."""
        async with self._pool.connection() as conn:
            left = await repository.pending_deliveries(conn)
        if left:
            log.info("webhooks of an earlier run are sent again", action="webhooks_resumed", count=len(left))
        self.accept(left)
        async with asyncio.TaskGroup() as group:
            for _ in range(THREADS):
                group.create_task(self._work())
            group.create_task(self._forget())

    async def drained(self) -> None:
        """Wait until every accepted delivery has come to its end."""
        await self._idle.wait()

    async def _work(self) -> None:
        while True:
            one = await self._queue.get()
            try:
                await self._attempt(one)
            except Exception:
                # The database was away, most likely. Sidekiq would not lose the job either: it stays queued and comes again.
                log.exception("a webhook could not be handled; it is tried again", action="webhook_stuck", delivery=one.id)
                self._later(one)

    async def _attempt(self, one: Delivery) -> None:
        times = await self._faults.before(one)
        problem = None
        for _ in range(times):
            problem = await self._post(one)
        if problem is None:
            self._done.append(one.id)
            self._sweep.set()
            self._ended()
            return
        status, text = problem
        attempts = one.attempts + 1
        if status in _RETRIED and attempts < ATTEMPTS:
            async with self._pool.connection() as conn:
                await repository.note_attempt(conn, one.id, attempts, None)
            self._later(Delivery(one.id, one.bot_id, one.event, one.conversation_id, one.delivery_id, one.body, attempts))
            return
        await self._give_up(one, attempts, text)
        self._ended()

    async def _post(self, one: Delivery) -> tuple[int | None, str] | None:
        bot = self._directory.bots[one.bot_id]
        if not bot.outgoing_url:
            return None
        timestamp = int(self._clock.now().timestamp())
        try:
            answer = await self._client.post(
                bot.outgoing_url,
                content=one.body,
                headers=headers(bot.secret, timestamp, one.delivery_id, one.body),
                timeout=TIMEOUT_SECONDS,
            )
        except httpx.HTTPError as error:
            return None, f"{type(error).__name__}"
        return None if answer.is_success else (answer.status_code, f"HTTP {answer.status_code}")

    def _later(self, one: Delivery) -> None:
        async def wait() -> None:
            await asyncio.sleep(self._retry_seconds)
            self._queue.put_nowait(one)

        task = asyncio.create_task(wait())
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _give_up(self, one: Delivery, attempts: int, text: str) -> None:
        log.warning(
            "webhook given up",
            action="webhook_failed",
            event_name=one.event,
            delivery=str(one.delivery_id),
            attempts=attempts,
            reason=text,
        )
        row_id = one.conversation_id
        if row_id is None or one.event not in _OPENING_EVENTS or self._office is None:
            async with self._pool.connection() as conn:
                await repository.note_attempt(conn, one.id, attempts, text)
            return
        async with self._office.work(lambda conn: loading.by_row(conn, row_id)) as work:
            if work.conversation.status == "pending":
                work.conversation.status = "open"
                await work.note_activity(BOT_ERROR_TEXT)
            await repository.note_attempt(work.conn, one.id, attempts, text)

    def _ended(self) -> None:
        self._open -= 1
        if self._open <= 0:
            self._idle.set()

    async def _forget(self) -> None:
        while True:
            await self._sweep.wait()
            await asyncio.sleep(_SWEEP_SECONDS)
            self._sweep.clear()
            ids, self._done = self._done, []
            try:
                async with self._pool.connection() as conn:
                    await repository.forget_deliveries(conn, ids)
            except Exception:
                self._done += ids
                self._sweep.set()
                log.exception("delivered webhooks could not be crossed off", action="webhook_sweep_failed", count=len(ids))
                await asyncio.sleep(1)

    async def close(self) -> None:
        """Cancel the waits for a retry and cross off what was delivered."""
        for task in list(self._waiting):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self._done:
            async with self._pool.connection() as conn:
                await repository.forget_deliveries(conn, self._done)
            self._done = []
