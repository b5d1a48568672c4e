"""Durable events a second when a queue waits: the sequencer flat out, alone and with notary and segment writer, beside plain inserts and appends.

python -m benchmarks.audit batches
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from benchmarks.audit.drafts import copy_records
from benchmarks.audit.world import RELEASE, World, processor_seconds, sealer
from benchmarks.audit.writers import EVENT_BYTES
from tightrope.audit import tree_repository as repository
from tightrope.audit.keyring import Keyring
from tightrope.audit.log_keys import LogKeys
from tightrope.audit.sequencer import BATCH, Sequencer
from tightrope.infra.settings import Settings

EVENTS = 50_000
YARDSTICK_SECONDS = 4.0
_PLAIN = "INSERT INTO public.plain (body) SELECT unnest(%s::bytea[])"


@dataclass(frozen=True, slots=True)
class Pace:
    """Events a second of one way to keep them, and processor microseconds an event: of the process, of Postgres."""

    name: str
    rate: float
    own: float | None = None
    postgres: float | None = None


def measure(world: World, *, events: int = EVENTS, seconds: float = YARDSTICK_SECONDS) -> list[Pace]:
    """Both ways of sequencing `events` waiting records, then the yardsticks."""
    keyring = Keyring.from_settings(world.settings)
    spawn = multiprocessing.get_context("spawn")
    copy_records(world, keyring, 0, events)
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        before = processor_seconds(world.server(), family=True)
        took, own = pool.submit(drain, world.settings).result()
        spent = processor_seconds(world.server(), family=True) - before
    paces = [Pace("sequencer alone", events / took, own / events, spent / events)]
    copy_records(world, keyring, events, events)
    before = processor_seconds(world.server(), family=True)
    with sealer(world) as process:
        took = _drained(world)
        own = processor_seconds(process)
        spent = processor_seconds(world.server(), family=True) - before
    paces.append(Pace("sealer: sequencer, notary and segments together", events / took, own / events, spent / events))
    with psycopg.connect(world.postgres.superuser_conninfo("tightrope"), autocommit=True, prepare_threshold=1) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS public.plain (id bigserial PRIMARY KEY, body bytea)")
        body = b"x" * EVENT_BYTES
        for size, name in ((1, "plain insert, a commit each"), (BATCH, f"plain insert, a commit each {BATCH}")):
            paces.append(Pace(name, _rate(partial(conn.execute, _PLAIN, ([body] * size,)), size, seconds)))
    for size, name in ((1, "plain append, an fsync each"), (BATCH, f"plain append, an fsync each {BATCH}")):
        paces.append(Pace(name, _appends(world.settings.state_dir / "plain.log", size, seconds)))
    return paces


def fill(world: World, events: int) -> None:
    """A log of so many records, sealed, signed and stored by the sealer, which has stopped."""
    copy_records(world, Keyring.from_settings(world.settings), 0, events)
    with sealer(world):
        _drained(world)


def drain(settings: Settings) -> tuple[float, float]:
    """Sequence all that waits, in this process; seconds of wall and of processor time."""
    return asyncio.run(_drain(settings))


async def _drain(settings: Settings) -> tuple[float, float]:
    keys = LogKeys.from_settings(settings)
    async with repository.connection(settings) as conn:
        await conn.set_autocommit(True)
        sequencer = Sequencer(
            conn, log_name=settings.audit_log_name, vkeys=keys.vkeys, release=RELEASE, beat_seconds=settings.audit_beat_seconds
        )
        await sequencer.start()
        began, spent = time.perf_counter(), time.process_time()
        while await sequencer.sequence_batch() == BATCH:
            pass
        return time.perf_counter() - began, time.process_time() - spent


def _drained(world: World) -> float:
    """Wait until nothing waits; seconds from the first to the last place that the sealer gave in this run."""
    with world.superuser() as conn:
        while conn.execute("SELECT EXISTS (SELECT FROM audit.pending)").fetchone() == (True,):
            time.sleep(0.2)
        row = conn.execute(
            "SELECT extract(epoch FROM max(sequenced_at) - min(sequenced_at))::float8 FROM audit.leaves "
            "WHERE sequenced_at > (SELECT max(opened_at) FROM audit.shards) AND index > (SELECT max(size) / 2 FROM audit.shards) + 1"
        ).fetchone()
    assert row is not None
    return float(row[0])


def _rate(once: Callable[[], object], size: int, seconds: float) -> float:
    once()
    began, done = time.perf_counter(), 0
    while (now := time.perf_counter() - began) < seconds:
        once()
        done += size
    return done / now


def _appends(path: Path, size: int, seconds: float) -> float:
    lines = (b"x" * (EVENT_BYTES - 1) + b"\n") * size
    with path.open("ab", buffering=0) as file:

        def once() -> None:
            file.write(lines)
            os.fsync(file.fileno())

        return _rate(once, size, seconds)


def report(paces: list[Pace], events: int = EVENTS) -> list[str]:
    """The section of the report."""
    plain = next(pace.rate for pace in paces if pace.name.endswith("a commit each"))
    lines = [
        "## Durable events a second in batches",
        "",
        f"{events:,} records wait (copied into `audit.records` straight, with real leaves and ciphertexts); the sequencer reads each back,",
        f"holds it against its leaf and gives it a durable place, up to {BATCH} in a statement. Yardsticks on one connection or file, one after the other, of",
        f"{EVENT_BYTES:,} bytes an event.",
        "",
        "| | events a second | times plain inserts | processor µs an event, own / postgres |",
        "| --- | --- | --- | --- |",
    ]
    for pace in paces:
        spent = f"{pace.own * 1e6:.0f} / {pace.postgres * 1e6:.0f}" if pace.own is not None and pace.postgres is not None else ""
        lines.append(f"| {pace.name} | {pace.rate:,.0f} | {pace.rate / plain:.1f} | {spent} |")
    return lines
