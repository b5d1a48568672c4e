"""Compares a period conversation by conversation and puts the outcome on record.

It only reads, holds one conversation in memory at a time (and the ids of those of the period), and leaves out what happened so recently that
it may still be on its way. What cannot be asked ends the run with an error and without a record: the next run begins where the last whole
one ended, so nothing is lost.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
from psycopg_pool import PoolTimeout

from tightrope.audit.errors import AuditError
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.gateway.assistant import Assistant
from tightrope.gateway.chatwoot import Chatwoot
from tightrope.gateway.errors import AssistantFailed, ChatwootError
from tightrope.gateway.models import sender_id
from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.database import Connection, Pool, Role, open_pool
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.reconcile import inbox, repository
from tightrope.reconcile.compare import ARRIVALS, compare
from tightrope.reconcile.errors import PeriodInvalid, ReconcileError
from tightrope.reconcile.models import Outcome, Period, Talk, Tracked
from tightrope.release.manifest import release_id

log = get_logger()

FIRST_LOOK_SECONDS = 60.0
_ONE_AT_A_TIME = "SELECT pg_try_advisory_lock(hashtextextended('reconcile', 43)) AS mine"


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Compares the four sides; opened by `reconciler`."""

    settings: Settings
    pool: Pool
    chatwoot: Chatwoot
    assistant: Assistant
    recorder: Recorder
    clock: Clock

    async def due(self) -> Period | None:
        """What was not compared yet and is old enough; None where that is nothing."""
        async with self.pool.connection() as conn:
            since = repository.frontier(await repository.compared(conn)) or await repository.first_event(conn)
        until = self.latest()
        since = since.replace(microsecond=0) if since else None
        return Period(since, until) if since is not None and since < until else None

    def latest(self) -> datetime:
        """Up to when can be compared now."""
        grace = timedelta(seconds=self.settings.reconcile_grace_seconds)
        return (self.clock.now().astimezone(UTC) - grace).replace(microsecond=0)

    async def run(self, period: Period, *, by: str) -> Outcome:
        """Compare a period and record the outcome.

        Args:
            by: who asked for it.

        Raises:
            PeriodInvalid: it is empty, or reaches into the grace.
            ReconcileError: a side could not be asked; names it. Nothing is recorded.
        """
        if period.since >= period.until:
            raise PeriodInvalid("the period is empty: its beginning has to lie before its end")
        if period.until > self.latest():
            seconds = self.settings.reconcile_grace_seconds
            raise PeriodInvalid(
                f"the period ends less than {seconds} s ago: what is on its way would look missing; ask again later"
            )
        outcome = Outcome(period)
        try:
            async with self.pool.connection() as conn:
                for conversation_id in sorted(await self._conversations(conn, period)):
                    talk = await self._talk(conn, conversation_id, period)
                    outcome.add(talk, compare(talk, period))
                    await conn.commit()
            payload = {"by": by, "findings": [finding.to_json() for finding in outcome.findings]}
            async with self.pool.connection() as conn:
                await self.recorder.record(conn, RecordDraft(Event.LOG_RECONCILED, facts=outcome.facts(), payload=payload))
        except ChatwootError as error:
            raise ReconcileError(f"Chatwoot ({self.settings.inbox_url}) could not be asked: {error}") from error
        except AssistantFailed as error:
            raise ReconcileError(f"the assistant ({self.settings.assistant_url}) could not be asked: {error}") from error
        except (psycopg.Error, PoolTimeout, AuditError) as error:
            raise ReconcileError(f"the database could not be read or written ({type(error).__name__}): {error}") from error
        return outcome

    async def _conversations(self, conn: Connection, period: Period) -> set[str]:
        async with aclosing(repository.active(conn, period)) as active:
            found = {conversation_id async for conversation_id in active}
        account = self.settings.inbox_account
        ours: list[int | None] = [*sorted(await repository.inboxes(conn))]
        for number in ours or [None]:
            async with aclosing(inbox.active(self.chatwoot, period, number)) as numbers:
                found |= {f"{account}-{display_id}" async for display_id in numbers}
        # A gateway serves one account: what is left of another one's cannot be asked for.
        return {conversation_id for conversation_id in found if conversation_id.startswith(f"{account}-")}

    async def _talk(self, conn: Connection, conversation_id: str, period: Period) -> Talk:
        known = await repository.conversation(conn, conversation_id)
        arrived = await repository.arrived(conn, conversation_id)
        turned = await repository.turned(conn, conversation_id)
        posted = await repository.posted(conn, conversation_id)
        recorded = await repository.recorded(conn, conversation_id)
        needed = [one.message_id for one in arrived if one.message_id and one.kind in ARRIVALS and period.holds(one.at)]
        needed += [one.chatwoot_id for one in posted if one.chatwoot_id and period.holds(one.at)]
        needed += [one.facts["message_id"] for one in recorded if one.facts.get("message_id") and period.holds(one.at)]
        display_id = int(conversation_id.rpartition("-")[2])
        messages = await inbox.messages(self.chatwoot, display_id, period, min(needed, default=None))
        senders = {one.sender_id for one in turned if period.holds(one.at)}
        senders |= {
            sender_id(conversation_id, one.facts["epoch"]) for one in recorded if "epoch" in one.facts and period.holds(one.at)
        }
        senders |= {sender_id(conversation_id, known["epoch"] if known else 0)}
        return Talk(
            conversation_id=conversation_id,
            known=known is not None,
            turn_count=known["turn_count"] if known else 0,
            messages=messages,
            arrived=arrived,
            turned=turned,
            posted=posted,
            recorded=recorded,
            tracked=tuple([one for sender in sorted(senders) for one in await self._tracked(sender)]),
        )

    async def _tracked(self, sender: str) -> list[Tracked]:
        return [
            Tracked(hashlib.sha256(turn_id.encode()).hexdigest(), sender, datetime.fromtimestamp(at, UTC))
            for turn_id, at in await self.assistant.turn_ids(sender)
        ]


@asynccontextmanager
async def reconciler(
    settings: Settings,
    *,
    clock: Clock | None = None,
    chatwoot: httpx.AsyncBaseTransport | None = None,
    assistant: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[Reconciler]:
    """A reconciler with the auditor's rights, and its clients.

    Args:
        chatwoot, assistant: what carries the requests; tests pass `httpx.MockTransport` or `httpx.ASGITransport`.

    Raises:
        ReconcileError: a secret is missing, or the database is not there.
    """
    clock = clock or clock_from(settings)
    try:
        recorder = Recorder(settings, Keyring.from_settings(settings), clock, release_id(settings))
        clients = Chatwoot(settings, transport=chatwoot), Assistant(settings, transport=assistant)
        settings.secret(f"db_{Role.AUDITOR.user}")
    except SystemExit as missing:
        raise ReconcileError(f"{missing}") from missing
    try:
        async with open_pool(settings, Role.AUDITOR, max_size=2, wait_seconds=5) as pool:
            yield Reconciler(settings, pool, *clients, recorder, clock)
    except (psycopg.OperationalError, PoolTimeout) as error:
        raise ReconcileError(f"the database is not there: {error}") from error
    finally:
        for client in clients:
            await client.aclose()


async def scheduled(settings: Settings, stop: asyncio.Event) -> None:
    """Compare what is due every `reconcile_minutes` until told to stop; of several workers one does it. What fails is tried again next time."""
    if settings.reconcile_minutes == 0:
        await stop.wait()
        return
    wait = FIRST_LOOK_SECONDS
    while not await _stopped(stop, wait):
        wait = settings.reconcile_minutes * 60.0
        try:
            async with reconciler(settings) as made:
                await _turn_of_ours(made)
        except Exception as error:  # whatever it is: comparing is no part of answering, and must not end the process that answers
            wait = min(wait, FIRST_LOOK_SECONDS * 5)
            why = f"{type(error).__name__}: {error}".splitlines()[0]
            log.error("nothing was compared", action="reconcile_failed", why=why, exc_info=not isinstance(error, ReconcileError))


async def _turn_of_ours(made: Reconciler) -> None:
    async with made.pool.connection() as conn:
        row = await (await conn.execute(_ONE_AT_A_TIME)).fetchone()
        await conn.commit()
        if row is None or not row["mine"]:
            return
        try:
            period = await made.due()
            if period is not None:
                outcome = await made.run(period, by="worker")
                tell = log.info if outcome.ok else log.error
                tell("compared", action="reconciled", period=repository.described(period), findings=dict(outcome.kinds))
        finally:
            await conn.execute("SELECT pg_advisory_unlock(hashtextextended('reconcile', 43))")


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
