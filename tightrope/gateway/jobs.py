"""The queue's one task, and what makes a dead worker or a lost answer of the database harmless to the conversations that wait behind it."""

from __future__ import annotations

import asyncio

from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status

from tightrope.gateway.drain import Drain
from tightrope.gateway.turns import TurnRepeats
from tightrope.infra.database import Role, conninfo, pool_checked_after_a_pause
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings

log = get_logger()

STALLED_SECONDS = 6.0
"""A worker whose heartbeat is older than this is dead."""


class Jobs:
    """procrastinate with the task `drain`; one instance per worker process.

    The queue itself repeats nothing: it would put the job back under its queueing lock, and when another event of the conversation has
    queued a job meanwhile that clash leaves the first one "doing" for good, and the conversation behind it.
    """

    def __init__(self, settings: Settings, drain: Drain) -> None:
        self.app = App(
            connector=PsycopgConnector(
                conninfo=conninfo(settings, Role.WORKER), min_size=4, max_size=6, pool_factory=pool_checked_after_a_pause
            )
        )
        self.app.task(name="drain", queue="turns", pass_context=True)(self._run)
        self._drain = drain
        self._worker: int | None = None
        self._running: set[int | None] = set()
        self._suspects: set[int | None] = set()

    async def _run(self, context: JobContext, conversation_id: str) -> None:
        self._worker = context.job.worker_id
        self._running.add(context.job.id)
        try:
            while True:
                try:
                    return await self._drain.conversation(conversation_id)
                except TurnRepeats as repeats:
                    # Waiting here keeps the conversation's place: what arrives meanwhile comes after this turn.
                    await asyncio.sleep(repeats.after)
        finally:
            self._running.discard(context.job.id)

    async def take_up(self) -> None:
        """Queue again what dead workers had begun, and what this one finished while the database could not be told.

        Raises:
            ConnectorException: the database is away.
        """
        for job in await self.app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
            await self._again(job, "its worker died")
        if self._worker is None:
            return
        lost = {
            job.id: job
            for job in await self.app.job_manager.list_jobs_async(status="doing", worker_id=self._worker)
            if job.id not in self._running
        }
        # Seen twice, two seconds apart: not one that is about to start or to be crossed off.
        for number in lost.keys() & self._suspects:
            await self._again(lost[number], "the database lost its end")
        self._suspects = set(lost)

    async def _again(self, job: Job, why: str) -> None:
        log.warning("a job is taken up again", action="job_stalled", job=job.id, why=why)
        try:
            await self.app.job_manager.retry_job(job)
        except UniqueViolation:
            # Another event has queued the conversation's next job, which waits for this one to go and will do the work of both.
            await self.app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)
        except ConnectorException as error:
            log.info("another worker was quicker", action="job_gone", job=job.id, error=str(error.__cause__ or error))
