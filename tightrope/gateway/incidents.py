"""What belongs on the record though no conversation is about it: releases that differ, connections that were refused."""

from __future__ import annotations

import asyncio
import contextlib

import psycopg
from psycopg_pool import PoolTimeout

from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.infra.database import Pool
from tightrope.infra.http import refusal_observers
from tightrope.infra.logging import get_logger

log = get_logger()

RETRY_SECONDS = 2.0
MAX_WAITING = 1000


class Incidents:
    """Records incidents of this process in their own transactions, as soon as the database takes them."""

    def __init__(self, pool: Pool, recorder: Recorder, part: str = "worker") -> None:
        """`part`: which process this is."""
        self._pool = pool
        self._recorder = recorder
        self._part = part
        self._waiting: asyncio.Queue[RecordDraft] = asyncio.Queue(MAX_WAITING)

    def started(self) -> None:
        """This process runs, with the release that its records name."""
        self._put(RecordDraft(Event.RELEASE_STARTED, facts={"part": self._part}))

    async def releases(self, differing: dict[str, str | None]) -> None:
        """The parts that run another release have changed; none: they agree again."""
        facts = {"agree": not differing, "parts": sorted(differing)}
        self._put(RecordDraft(Event.RELEASE_MISMATCH, facts=facts, payload={"differing": differing}))

    def refused(self, host: str, purpose: str) -> None:
        """A connection to a host outside the allow-list was refused."""
        self._put(RecordDraft(Event.CONNECTION_REFUSED, facts={"part": self._part}, payload={"host": host, "purpose": purpose}))

    async def run(self, stop: asyncio.Event) -> None:
        """Record what comes until told to stop; a database that is away is waited for."""
        refusal_observers.append(self.refused)
        ended = asyncio.ensure_future(stop.wait())
        try:
            while True:
                waiting = asyncio.ensure_future(self._waiting.get())
                await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    waiting.cancel()
                    return
                await self._record(waiting.result(), stop)
        finally:
            ended.cancel()
            refusal_observers.remove(self.refused)

    async def _record(self, draft: RecordDraft, stop: asyncio.Event) -> None:
        while True:
            try:
                async with self._pool.connection() as conn:
                    await self._recorder.record(conn, draft)
                return
            except (psycopg.Error, PoolTimeout) as error:
                log.warning(
                    "an incident is not recorded yet", action="incident_waits", record=draft.event, error=type(error).__name__
                )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_SECONDS)
                return

    def _put(self, draft: RecordDraft) -> None:
        try:
            self._waiting.put_nowait(draft)
        except asyncio.QueueFull:
            log.error("an incident is lost: too many wait", action="incident_lost", record=draft.event)
