"""Holding a turn at a step from outside, with no hook in the product: a process that the turn needs is stopped, or a row that it needs is locked.

Each step is a context manager that has sent the customer's message and holds the turn when its block begins, and lets go when it ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any

import psycopg
from demo_world import RunningDemo, until

from tightrope.cli.customer import Customer

MOMENT = 0.3
"""Seconds for a request to reach the process that is stopped."""
WAIT = 12.0


class Held:
    """One demo whose processes can be stopped, continued and killed."""

    def __init__(self, demo: RunningDemo, customer: Customer) -> None:
        self.demo = demo
        self.customer = customer
        self.conversation = f"1-{customer.conversation}"
        self.message = 0
        self._asleep: dict[str, int] = {}

    def pid(self, part: str) -> int:
        return self.demo.demo.supervisor.pids()[part]

    def one(self, sql: str, **values: Any) -> Any:
        return self.demo.one("tightrope", sql, c=self.conversation, m=self.message, **values)

    @asynccontextmanager
    async def stopped(self, part: str) -> AsyncIterator[None]:
        """The part does nothing inside; killed meanwhile, it is not continued."""
        os.kill(self.pid(part), signal.SIGSTOP)
        self._asleep[part] = self.pid(part)
        try:
            yield
        finally:
            self._wake(part)

    def wake_all(self) -> None:
        """Continue what is stopped before the step's block ends."""
        for part in list(self._asleep):
            self._wake(part)

    def _wake(self, part: str) -> None:
        pid = self._asleep.pop(part, None)
        if pid is not None and self.pid(part) == pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    @contextmanager
    def locked(self, sql: str, **values: Any) -> Any:
        """A row that the worker's transaction needs is held by somebody else."""
        with psycopg.connect(self.demo.demo.postgres.superuser_conninfo("tightrope")) as conn:
            conn.execute(sql, {"c": self.conversation, **values})
            try:
                yield
            finally:
                with suppress(psycopg.Error):  # the server may have been stopped inside
                    conn.rollback()

    async def send(self, text: str) -> None:
        self.message = await self.customer.say(text)

    async def turn_open(self) -> str:
        """Wait until the turn of the message is begun; returns its id."""
        sql = """SELECT t.turn_id FROM gateway.turn t JOIN gateway.inbound i ON i.id = t.inbound_id
                 WHERE i.conversation_id = %(c)s AND i.message_id = %(m)s AND i.kind = 'message'"""
        return str(await until(lambda: self.one(sql), WAIT, "the turn to be begun"))

    async def turn_committed(self) -> None:
        sql = """SELECT 1 FROM gateway.turn t JOIN gateway.inbound i ON i.id = t.inbound_id
                 WHERE i.conversation_id = %(c)s AND i.message_id = %(m)s AND i.kind = 'message' AND t.state = 'committed'"""
        await until(lambda: self.one(sql), WAIT, "the turn to be committed")

    def first_outgoing(self, state: str) -> Any:
        """The outbox row of this turn's first message once it is in this state."""
        sql = """SELECT o.id FROM gateway.outbox o JOIN gateway.turn t ON t.record_id = o.record_id JOIN gateway.inbound i ON i.id = t.inbound_id
                 WHERE i.conversation_id = %(c)s AND i.message_id = %(m)s AND o.kind = 'message' AND o.state = %(s)s ORDER BY o.seq LIMIT 1"""
        return self.one(sql, s=state)


@asynccontextmanager
async def arriving(held: Held, text: str) -> AsyncIterator[None]:
    """The inbox has the message; the gateway has not taken the webhook."""
    async with held.stopped("gateway"):
        await held.send(text)
        sql = "SELECT count(*) FROM inbox.delivery WHERE failed IS NULL"
        await until(lambda: held.demo.one("inbox", sql), WAIT, "a webhook on its way")
        yield


@asynccontextmanager
async def stored(held: Held, text: str) -> AsyncIterator[None]:
    """The gateway has stored the message and answered; the worker has not begun."""
    async with held.stopped("worker"):
        await held.send(text)
        sql = "SELECT 1 FROM gateway.inbound WHERE conversation_id = %(c)s AND message_id = %(m)s AND state = 'pending'"
        await until(lambda: held.one(sql), WAIT, "the message to be stored")
        yield


@asynccontextmanager
async def understanding(held: Held, text: str) -> AsyncIterator[None]:
    """The assistant waits for the understanding server."""
    async with held.stopped("understanding"):
        await held.send(text)
        await held.turn_open()
        await asyncio.sleep(MOMENT)
        yield


@asynccontextmanager
async def acting(held: Held, text: str) -> AsyncIterator[None]:
    """The assistant waits for the action server."""
    async with held.stopped("actions"):
        await held.send(text)
        await held.turn_open()
        await asyncio.sleep(MOMENT)
        yield


@asynccontextmanager
async def saved(held: Held, text: str) -> AsyncIterator[None]:
    """The assistant has saved the turn; the worker's commit waits for the conversation's row."""
    async with AsyncExitStack() as stack:
        async with held.stopped("actions"):
            await held.send(text)
            key = hashlib.sha256((await held.turn_open()).encode()).hexdigest()
            lock = "SELECT 1 FROM gateway.conversation WHERE conversation_id = %(c)s FOR NO KEY UPDATE"
            stack.enter_context(held.locked(lock))
        sql = "SELECT 1 FROM engine.turn WHERE turn_key = %(k)s"
        await until(lambda: held.demo.one("assistant", sql, k=key), WAIT, "the assistant to save the turn")
        waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tightrope-worker' AND wait_event_type = 'Lock'"
        await until(lambda: held.demo.one("tightrope", waiting), WAIT, "the worker's commit to wait for the row")
        yield


@asynccontextmanager
async def committed(held: Held, text: str) -> AsyncIterator[None]:
    """The turn is committed; its record is not sealed yet."""
    async with held.stopped("sealer"):
        await held.send(text)
        await held.turn_committed()
        yield


@asynccontextmanager
async def sending(held: Held, text: str) -> AsyncIterator[None]:
    """The sender has claimed the first message; the inbox does not answer."""
    async with AsyncExitStack() as stack:
        async with held.stopped("sealer"):
            await held.send(text)
            await held.turn_committed()
            await stack.enter_async_context(held.stopped("inbox"))
        await until(lambda: held.first_outgoing("sending"), WAIT, "the sender to claim the message")
        await asyncio.sleep(MOMENT)
        yield


@asynccontextmanager
async def posted(held: Held, text: str) -> AsyncIterator[None]:
    """The inbox has the reply; the sender could not note it yet."""
    async with AsyncExitStack() as stack:
        async with AsyncExitStack() as inner:
            async with held.stopped("sealer"):
                await held.send(text)
                await held.turn_committed()
                await inner.enter_async_context(held.stopped("inbox"))
            row = await until(lambda: held.first_outgoing("sending"), WAIT, "the sender to claim the message")
            stack.enter_context(held.locked("SELECT 1 FROM gateway.outbox WHERE id = %(o)s FOR NO KEY UPDATE", o=row))
        sql = "SELECT 1 FROM inbox.message WHERE source_id = %(s)s"
        await until(lambda: held.demo.one("inbox", sql, s=f"tr-{row}"), WAIT, "the inbox to have the message")
        yield


STEPS = {step.__name__: step for step in (arriving, stored, understanding, acting, saved, committed, sending, posted)}
"""In the order of a turn."""


async def kill(demo: RunningDemo, part: str) -> None:
    """kill -9; Postgres is stopped as in a power cut and started again."""
    if part == "postgres":
        await asyncio.to_thread(demo.demo.postgres.stop, mode="immediate")
        await asyncio.to_thread(demo.demo.postgres.start)
        return
    os.kill(demo.demo.supervisor.pids()[part], signal.SIGKILL)
