"""What a durable release adds: from the writer's commit until somebody who was notified reads the record's place in `audit.leaves`.

    python -m benchmarks.audit release

The sealer is the part as the demo starts it, in a process of its own, with checkpoints every second, segments every five and heartbeats every ten.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import psutil
from psycopg import AsyncConnection

from benchmarks.audit import writers
from benchmarks.audit.drafts import TURN
from benchmarks.audit.world import World, percentiles, processor_seconds, sealer
from benchmarks.audit.writers import Load
from tightrope.infra.database import Role, conninfo
from tightrope.infra.settings import Settings

RATES = (250, 500, 1000)
SECONDS = 20.0
WARM_SECONDS = 2.0
SETTLE_SECONDS = 10.0
"""Longest wait for the last records after the writers are done."""
AIM_MS = 10.0


class Listener:
    """Stands for the outbox: waits for `audit_sealed`, then reads which records have a place. One listening connection, one that reads."""

    def __init__(self, settings: Settings) -> None:
        self._conninfo = conninfo(settings, Role.AUDITOR)
        self.seen: dict[UUID, float] = {}

    async def run(self, ready: asyncio.Event) -> None:
        """Listen until cancelled."""
        async with (
            await AsyncConnection.connect(self._conninfo, autocommit=True) as listen,
            await AsyncConnection.connect(self._conninfo, autocommit=True, prepare_threshold=1) as read,
        ):
            await listen.execute("LISTEN audit_sealed")
            shard, last = await self._head(read)
            ready.set()
            async for _ in listen.notifies():
                cursor = await read.execute(
                    "SELECT index, record_id FROM audit.leaves WHERE shard = %s AND index > %s ORDER BY index", (shard, last)
                )
                found = await cursor.fetchall()
                at = time.monotonic()
                for index, record_id in found:
                    self.seen[record_id], last = at, index

    @staticmethod
    async def _head(read: AsyncConnection) -> tuple[int, int]:
        row = await (
            await read.execute("SELECT shard, index FROM audit.leaves ORDER BY shard DESC, index DESC LIMIT 1")
        ).fetchone()
        assert row is not None, "the sealer is healthy, so the year's first leaf is there"
        return row[0], row[1]


@dataclass(frozen=True, slots=True)
class Run:
    """One rate: the load, when each record was seen, and processor seconds by process."""

    rate: float
    load: Load
    added: list[float]
    whole: list[float]
    lost: int
    spent: dict[str, float]
    insert: Load
    insert_spent: dict[str, float]
    append: Load


def measure(world: World, *, rates: tuple[int, ...] = RATES, seconds: float = SECONDS) -> list[Run]:
    """Every rate, each with its yardsticks right after it."""
    with world.superuser() as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS public.plain (id bigserial PRIMARY KEY, body bytea)")
    spawn = multiprocessing.get_context("spawn")
    with sealer(world) as sealing, ProcessPoolExecutor(1, mp_context=spawn, initializer=gc.freeze) as pool:
        gc.freeze()  # as cli/serve does for every part: a collection of all that was imported is 60 ms of the listener's own
        return [asyncio.run(_rate(world, sealing, pool, rate, seconds)) for rate in rates]


async def _rate(world: World, sealing: psutil.Process, pool: ProcessPoolExecutor, rate: int, seconds: float) -> Run:
    loop, listener, ready = asyncio.get_running_loop(), Listener(world.settings), asyncio.Event()
    task = asyncio.create_task(listener.run(ready))
    await ready.wait()
    await loop.run_in_executor(pool, writers.write_turns, world.settings, rate, WARM_SECONDS)
    before = _spent(world, sealing)
    load = await loop.run_in_executor(pool, writers.write_turns, world.settings, rate, seconds)
    end = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < end and not load.committed.keys() <= listener.seen.keys():  # noqa: ASYNC110 - ten looks a second are enough
        await asyncio.sleep(0.1)
    after = _spent(world, sealing)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    there = [(listener.seen[record], *times) for record, times in load.committed.items() if record in listener.seen]
    before_plain = _spent(world, sealing)
    insert = await loop.run_in_executor(
        pool, writers.insert_rows, world.postgres.superuser_conninfo("tightrope"), rate, seconds / 2
    )
    after_plain = _spent(world, sealing)
    append = await loop.run_in_executor(pool, writers.append_lines, world.settings.state_dir / "plain.log", rate, seconds / 2)
    return Run(
        rate=rate,
        load=load,
        added=[seen - returned for seen, _, returned in there],
        whole=[seen - began for seen, began, _ in there],
        lost=len(load.committed) - len(there),
        spent={name: after[name] - before[name] for name in after} | {"writer": load.processor},
        insert=insert,
        insert_spent={name: after_plain[name] - before_plain[name] for name in after_plain},
        append=append,
    )


def _spent(world: World, sealing: psutil.Process) -> dict[str, float]:
    return {
        "sealer": processor_seconds(sealing),
        "postgres": processor_seconds(world.server(), family=True),
        "listener": processor_seconds(psutil.Process()),
    }


def report(runs: list[Run]) -> list[str]:
    """The section of the report."""
    lines = [
        "## Added latency of a durable release",
        "",
        f"Writers in one process on {writers.CONNECTIONS} connections, open loop, turns of {len(TURN)} records, each turn one transaction (as",
        "the worker's commit writes several). Added: from the return of the writer's commit until a listener, woken by `audit_sealed`, has read the record",
        "in `audit.leaves` (its answer's arrival, which is later than the notification). The sealer is the real part in a process of its own with",
        "checkpoints, segments and heartbeats at their defaults.",
        "Each yardstick follows at the same rate of events: a plain insert with its commit for each event, a plain",
        f"append with fsync for each event, both of {writers.EVENT_BYTES:,} bytes. p50, p95, p99 and max in ms.",
        "",
        "| events a second | | p50 | p95 | p99 | max | times the insert's p99 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for run in runs:
        plain, ours = _p99(run.insert.took), _p99(run.added)
        lines += [
            f"| {run.rate:,} | **release, added** | {percentiles(run.added)} | **{ours / plain:.1f}** |",
            f"| | release, from the commit's begin | {percentiles(run.whole)} | {_p99(run.whole) / plain:.1f} |",
            f"| | plain insert and commit | {percentiles(run.insert.took)} | 1.0 |",
            f"| | plain append and fsync | {percentiles(run.append.took)} | {_p99(run.append.took) / plain:.1f} |",
        ]
    top = runs[-1]
    p99 = _p99(top.added) * 1000
    held = "met" if p99 <= AIM_MS else f"missed; the plain insert's own p99 in this run is {_p99(top.insert.took) * 1000:.1f} ms"
    written = len(top.load.committed) * len(TURN) / top.load.elapsed
    if written < top.rate * 0.95:
        held += f"; this machine at this load wrote only {written:,.0f} a second, so turns waited for one another"
    lines += [
        "",
        f"Aim: p99 at most {AIM_MS:.0f} ms at {top.rate:,} events a second: p99 {p99:.1f} ms, **{held}**.",
        "",
        "| events a second | written a second | not released in time | turns begun behind schedule, p99 ms | inserts held a second | appends held a second |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {run.rate:,} | {len(run.load.committed) * len(TURN) / run.load.elapsed:,.0f} | {run.lost} | {_p99(run.load.behind) * 1000:.1f} "
            f"| {len(run.insert.took) / run.insert.elapsed:,.0f} | {len(run.append.took) / run.append.elapsed:,.0f} |"
            for run in runs
        ),
        "",
        "Processor time in microseconds an event:",
        "",
        "| events a second | writer | postgres | sealer | listener | all | plain insert: client + postgres |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for run in runs:
        events = len(run.load.committed) * len(TURN)
        parts = [run.spent[name] / events * 1e6 for name in ("writer", "postgres", "sealer", "listener")]
        plain = (run.insert.processor + run.insert_spent["postgres"]) / len(run.insert.took) * 1e6
        lines.append(f"| {run.rate:,} | {' | '.join(f'{part:.0f}' for part in (*parts, sum(parts)))} | {plain:.0f} |")
    return lines


def _p99(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
