"""The worker process: drain jobs, outbox sender, release watch, and the housekeeping that makes a dead worker harmless."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import procrastinate
import psycopg
from procrastinate import App

from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.gateway import repository
from tightrope.gateway.assistant import Assistant
from tightrope.gateway.chatwoot import Chatwoot
from tightrope.gateway.counting import count_frames
from tightrope.gateway.drain import Drain, hand_over_silently
from tightrope.gateway.incidents import Incidents
from tightrope.gateway.jobs import STALLED_SECONDS, Jobs
from tightrope.gateway.release_watch import ReleaseWatch
from tightrope.gateway.sender import Sender
from tightrope.gateway.turns import Turns
from tightrope.identity.grants import Grants
from tightrope.identity.portal import PortalDoor
from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.database import Pool, Role, conninfo, open_pool
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.release.manifest import manifest, release_id

log = get_logger()

HEARTBEAT_SECONDS = 2.0
SWEEP_SECONDS = 2.0
PURGE_SECONDS = 60.0
COUNT_SECONDS = 60.0
CONCURRENCY = 12


class Worker:
    """Everything one worker process runs; `run` returns when told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._failure: str | None = "starting"

    async def health(self) -> str | None:
        """What is wrong, or None."""
        return self._failure

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop.

        Raises:
            psycopg.Error, PoolTimeout: the database was not there at the start; the supervisor starts us again.
        """
        settings = self._settings
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(open_pool(settings, Role.WORKER, max_size=CONCURRENCY + 6))
            clock = clock_from(settings)
            recorder = Recorder(settings, Keyring.from_settings(settings), clock, release_id(settings))
            assistant, chatwoot, watch = Assistant(settings), Chatwoot(settings), ReleaseWatch(settings)
            portal = PortalDoor.open(settings, clock)
            for client in (assistant, chatwoot, watch, portal):
                stack.push_async_callback(client.aclose)
            grants = Grants(clock)
            turns = Turns(settings, pool, clock, recorder, assistant, grants, watch)
            turns.names_content(await store_release(pool, recorder, settings))
            await watch.ask()
            drain = Drain(settings, pool, clock, recorder, turns, portal)
            sender = Sender(pool, chatwoot, recorder, watch)
            turns.on_filled = sender.expect
            jobs = Jobs(settings, drain)
            await stack.enter_async_context(jobs.app.open_async())
            self._failure = None
            incidents = Incidents(pool, recorder)
            loops: list[Awaitable[None]] = [
                _jobs(jobs.app, stop),
                sender.run(stop),
                watch.run(stop, incidents.releases),
                incidents.run(stop),
                _listen(settings, sender, stop),
                _every(SWEEP_SECONDS, stop, lambda: housekeeping(pool, jobs, recorder)),
                _every(PURGE_SECONDS, stop, lambda: purge(pool, grants)),
                _every(COUNT_SECONDS, stop, lambda: frames(pool, recorder, clock, settings)),
            ]
            tasks = [asyncio.ensure_future(loop) for loop in loops]
            try:
                # One loop that ends takes the process down: half a worker is worse than a restarted one.
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                stop.set()
                for task in tasks[1:]:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def store_release(pool: Pool, recorder: Recorder, settings: Settings) -> dict[str, str]:
    """Keep the content behind the release, once by hash, and name its manifest in every record."""
    entries = manifest(settings.project_dir)
    async with pool.connection() as conn:
        for path, (kind, _) in entries.items():
            root = settings.project_dir if (settings.project_dir / path).exists() else REPOSITORY
            await recorder.store_content(conn, kind, (root / path).read_bytes())
        manifest_bytes = json.dumps(entries, sort_keys=True).encode()
        digest = await recorder.store_content(conn, "manifest", manifest_bytes)
        await recorder.record(conn, RecordDraft(Event.RELEASE_STARTED, facts={"part": "worker"}, content={"manifest": digest}))
    return {"manifest": digest}


async def _jobs(app: App, stop: asyncio.Event) -> None:
    worker = asyncio.create_task(
        app.run_worker_async(
            queues=["turns"],
            concurrency=CONCURRENCY,
            install_signal_handlers=False,
            fetch_job_polling_interval=1.0,
            delete_jobs="always",
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=STALLED_SECONDS,
            shutdown_graceful_timeout=5.0,
        )
    )
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({worker, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not worker.done():
        worker.cancel()
    stopping.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    if not stop.is_set() and worker.done() and not worker.cancelled() and (error := worker.exception()):
        raise error


async def _listen(settings: Settings, sender: Sender, stop: asyncio.Event) -> None:
    """Wake the sender when something was sealed or the switch was turned. Lost notifications only cost the poll's quarter of a second."""
    while not stop.is_set():
        try:
            async with await psycopg.AsyncConnection.connect(conninfo(settings, Role.WORKER), autocommit=True) as conn:
                await conn.execute("LISTEN switch_turned")
                await conn.execute("LISTEN audit_sealed")
                async for _ in conn.notifies():
                    sender.wake()
                    if stop.is_set():
                        return
        except psycopg.Error as error:
            log.warning("listening for notifications ended", action="listen_lost", error=str(error).splitlines()[0])
            await asyncio.sleep(1.0)


async def _every(seconds: float, stop: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
    while not stop.is_set():
        try:
            await work()
        except (psycopg.Error, OSError, procrastinate.exceptions.ProcrastinateException) as error:
            log.warning(
                "housekeeping failed",
                action="housekeeping_failed",
                error=str(error).splitlines()[0] if str(error) else type(error).__name__,
            )
        try:
            await asyncio.wait_for(stop.wait(), seconds)
        except TimeoutError:
            continue


async def housekeeping(pool: Pool, jobs: Jobs, recorder: Recorder) -> None:
    """Take up the jobs of workers that died, queue what no job will take, and hand over what the switch has silenced."""
    await jobs.take_up()
    async with pool.connection() as conn:
        for conversation_id in await repository.waiting_conversations(conn, SWEEP_SECONDS):
            await repository.defer_drain(conn, conversation_id)
        off = await repository.off_scopes(conn)
        if "all" in off:
            for conversation_id in await repository.active_conversations(conn):
                conversation = await repository.load(conn, conversation_id)
                if conversation is not None and conversation["held_by"] is None:
                    await hand_over_silently(conn, recorder, conversation, "switch", off["all"])


async def frames(pool: Pool, recorder: Recorder, clock: Clock, settings: Settings) -> None:
    """Put the gateway's own count of each period that is over on record."""
    async with pool.connection() as conn:
        await count_frames(conn, recorder, clock.now(), timedelta(minutes=settings.frames_minutes))


async def purge(pool: Pool, grants: Grants) -> None:
    """Delete what identity no longer needs: grants of crashed turns, used tokens, old links."""
    async with pool.connection() as conn:
        await grants.purge(conn)
