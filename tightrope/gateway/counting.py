"""The gateway's own count of what goes through it (reference 4.5): kept by the gateway and the worker, never by the sealer.

Webhooks leave no row when they are refused or bring nothing new, so the gateway process counts them by the minute. Once in a while the
worker adds up what went in and out from the gateway's own tables, not from the log, and puts the sum on record: `gateway:frames:counted`.
The reader (`tightrope.audit.completeness`) holds the log to these sums.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from tightrope.audit.errors import AuditError
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.infra.clock import Clock
from tightrope.infra.database import Connection, Pool
from tightrope.infra.logging import get_logger

log = get_logger()

FLUSH_SECONDS = 10.0
"""How long counts of webhooks lie in memory: so much of them is lost with a process that dies."""
TAKEN = frozenset({"stored", "nothing_new"})
"""Outcomes of a webhook that was accepted; all others are refusals, `unavailable` among them (Chatwoot repeats those)."""
MOST_AT_ONCE = 200
"""Periods that one transaction adds up: a worker that was away for long catches up bit by bit."""
LATE = timedelta(seconds=30)
"""A period is added up only so long after its end: transactions that began in it are done by then."""


class WebhookCount:
    """Counts webhooks in one gateway process, and puts refusals on record, summed up so that a flood of them cannot fill the log."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._since = clock.now()
        self._counts: Counter[tuple[datetime, str]] = Counter()

    def note(self, outcome: str) -> None:
        """One webhook: `stored`, `nothing_new`, `unavailable`, or the name of the refusal."""
        minute = self._clock.now().astimezone(UTC).replace(second=0, microsecond=0)
        self._counts[minute, outcome] += 1

    async def run(self, pool: Pool, stop: asyncio.Event) -> None:
        """Write the counts down until told to stop, and once more then."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), FLUSH_SECONDS)
            try:
                await self.flush(pool)
            except (psycopg.Error, PoolTimeout, AuditError) as error:
                log.warning("webhook counts wait for the database", action="webhook_counts_wait", error=type(error).__name__)

    async def flush(self, pool: Pool) -> None:
        """Write down what was counted since the last time; kept in memory when that fails.

        Raises:
            psycopg.Error, PoolTimeout, AuditError: not written.
        """
        taken, until = self._counts.copy(), self._clock.now()
        if not taken:
            return
        async with pool.connection() as conn:
            for (minute, outcome), count in sorted(taken.items()):
                await conn.execute(
                    """INSERT INTO gateway.webhooks (minute, outcome, count) VALUES (%s, %s, %s)
                       ON CONFLICT (minute, outcome) DO UPDATE SET count = webhooks.count + EXCLUDED.count""",
                    (minute, outcome, count),
                )
            for outcome in sorted({outcome for _, outcome in taken} - TAKEN):
                count = sum(n for (_, name), n in taken.items() if name == outcome)
                facts = {"why": outcome, "count": count, "since": _iso(self._since), "until": _iso(until)}
                await self._recorder.record(conn, RecordDraft(Event.WEBHOOK_REFUSED, facts=facts))
        self._counts -= taken
        self._since = until


_SUMS = """
SELECT (SELECT count(*) FROM gateway.inbound WHERE received_at >= %(a)s AND received_at < %(b)s AND record_id IS NOT NULL) AS events_in,
       (SELECT count(*) FROM gateway.inbound WHERE received_at >= %(a)s AND received_at < %(b)s AND kind = 'message') AS messages_in,
       (SELECT count(*) FROM gateway.outbox WHERE sent_at >= %(a)s AND sent_at < %(b)s AND state = 'sent' AND kind IN ('message', 'note'))
           AS messages_out,
       (SELECT count(*) FROM gateway.turn WHERE committed_at >= %(a)s AND committed_at < %(b)s AND state = 'committed') AS turns,
       (SELECT count(*) FROM gateway.turn WHERE committed_at >= %(a)s AND committed_at < %(b)s AND state = 'refused') AS turns_given_up,
       (SELECT count(*) FROM gateway.conversation WHERE created_at >= %(a)s AND created_at < %(b)s) AS conversations,
       (SELECT coalesce(sum(count), 0)::bigint FROM gateway.webhooks
         WHERE minute >= %(a)s AND minute < %(b)s AND outcome = ANY(%(taken)s)) AS webhooks_accepted,
       (SELECT coalesce(sum(count), 0)::bigint FROM gateway.webhooks
         WHERE minute >= %(a)s AND minute < %(b)s AND NOT outcome = ANY(%(taken)s)) AS webhooks_refused
"""


async def count_frames(conn: Connection, recorder: Recorder, now: datetime, period: timedelta) -> int:
    """Add up every whole period that is over and not yet on record, in the caller's transaction; one worker at a time does.

    Args:
        period: whole minutes; periods begin at multiples of it since 1970 (an hour: on the hour).

    Returns:
        How many periods were put on record.

    Raises:
        ValueError: `period` is no whole number of minutes.
    """
    if period < timedelta(minutes=1) or period % timedelta(minutes=1):
        raise ValueError("the period of the gateway's count must be whole minutes: set TIGHTROPE_FRAMES_MINUTES to 1 or more")
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('gateway.frames', 42))")
    last = await (await conn.execute("SELECT until, totals FROM gateway.frames ORDER BY until DESC LIMIT 1")).fetchone()
    since = last["until"] if last else await _begin(conn, now, period)
    totals: dict[str, int] = dict(last["totals"]) if last else {}
    made = 0
    while made < MOST_AT_ONCE and since is not None and (until := _next(since, period)) + LATE <= now:
        counts = await (await conn.execute(_SUMS, {"a": since, "b": until, "taken": sorted(TAKEN)})).fetchone()
        assert counts is not None  # noqa: S101 - a SELECT without FROM gives a row
        totals = {name: totals.get(name, 0) + count for name, count in counts.items()}
        facts: dict[str, Any] = {
            "since": _iso(since),
            "until": _iso(until),
            **counts,
            "totals": totals,
            "uptime_s": int(time.monotonic()),
        }
        record_id = await recorder.record(conn, RecordDraft(Event.FRAMES_COUNTED, facts=facts))
        await conn.execute(
            "INSERT INTO gateway.frames (since, until, counts, totals, record_id) VALUES (%s, %s, %s, %s, %s)",
            (since, until, json.dumps(dict(counts)), json.dumps(totals), record_id),
        )
        since, made = until, made + 1
    return made


async def _begin(conn: Connection, now: datetime, period: timedelta) -> datetime | None:
    """The start of the period in which the gateway saw its first event; None before that."""
    found = await (await conn.execute("SELECT min(created_at) AS first FROM gateway.conversation")).fetchone()
    first = found["first"] if found else None
    return None if first is None or first > now else _floor(first, period)


def _floor(at: datetime, period: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (at - epoch) // period * period


def _next(since: datetime, period: timedelta) -> datetime:
    """The end of the period that begins then: the next multiple, so that another setting takes hold without a gap."""
    return _floor(since, period) + period


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
