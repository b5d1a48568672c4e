"""The load of release.py, each kind in a process of its own: turns through the recorder, plain inserts, plain appends. Open loop.

A kind keeps to its schedule whether or not the one before is done; times are CLOCK_MONOTONIC, which every process of a machine shares.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psutil
import psycopg
import uvloop
from psycopg.rows import DictRow

from benchmarks.audit.drafts import TURN, drafts
from benchmarks.audit.world import RELEASE
from tightrope.audit.keyring import Keyring
from tightrope.audit.recorder import Recorder
from tightrope.infra.clock import SystemClock
from tightrope.infra.database import Role, conninfo, pool_kwargs
from tightrope.infra.settings import Settings

CONNECTIONS = 8
EVENT_BYTES = 2900
"""Of the yardsticks: what leaf and ciphertext of one event have together, rounded."""


@dataclass(slots=True)
class Load:
    """What a load did.

    Attributes:
        committed: by the transaction's last record: when its commit began, when it returned.
        took: seconds of each operation of a yardstick.
        behind: seconds behind the schedule at which operations began.
        processor: seconds of processor time of this process.
    """

    committed: dict[UUID, tuple[float, float]] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)
    processor: float = 0.0
    elapsed: float = 0.0


def write_turns(settings: Settings, rate: float, seconds: float) -> Load:
    """Turns of four records, each turn one transaction, `rate` records a second."""
    return uvloop.run(_turns(settings, rate, seconds))


async def _turns(settings: Settings, rate: float, seconds: float) -> Load:
    load, free = Load(), asyncio.Queue[psycopg.AsyncConnection[DictRow]]()
    recorder = Recorder(settings, Keyring.from_settings(settings), SystemClock(), RELEASE)
    # Not the pool, which gives up on somebody who waits for long: a stall must show as latency.
    for _ in range(CONNECTIONS):
        free.put_nowait(await psycopg.AsyncConnection.connect(conninfo(settings, Role.WORKER), **pool_kwargs()))

    async def turn(number: int) -> None:
        conn = await free.get()
        for draft in drafts(number):
            record = await recorder.record(conn, draft)
        began = time.monotonic()
        await conn.commit()
        load.committed[record] = (began, time.monotonic())
        free.put_nowait(conn)

    await _keep_to(turn, rate / len(TURN), seconds, load)
    while not free.empty():
        await free.get_nowait().close()
    return load


def insert_rows(server: str, rate: float, seconds: float) -> Load:
    """One plain insert and its commit for each event."""
    return uvloop.run(_rows(server, rate, seconds))


async def _rows(server: str, rate: float, seconds: float) -> Load:
    load, free = Load(), asyncio.Queue[psycopg.AsyncConnection]()
    for _ in range(CONNECTIONS):
        free.put_nowait(await psycopg.AsyncConnection.connect(server, autocommit=True, prepare_threshold=1))
    body = b"x" * EVENT_BYTES

    async def insert(_: int) -> None:
        conn = await free.get()
        began = time.monotonic()
        await conn.execute("INSERT INTO public.plain (body) VALUES (%s)", (body,))
        load.took.append(time.monotonic() - began)
        free.put_nowait(conn)

    await _keep_to(insert, rate, seconds, load)
    while not free.empty():
        await free.get_nowait().close()
    return load


def append_lines(path: Path, rate: float, seconds: float) -> Load:
    """One appended line and its fsync for each event; the next one begins when the one before is done."""
    load, body = Load(), b"x" * (EVENT_BYTES - 1) + b"\n"
    spent, began = _processor(), time.monotonic()
    with path.open("ab", buffering=0) as file:
        for number in range(round(rate * seconds)):
            due = began + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            at = time.monotonic()
            if at > began + seconds:
                break
            file.write(body)
            os.fsync(file.fileno())
            load.took.append(time.monotonic() - at)
            load.behind.append(at - due)
    load.elapsed, load.processor = time.monotonic() - began, _processor() - spent
    return load


async def _keep_to(work: Callable[[int], Awaitable[None]], rate: float, seconds: float, load: Load) -> None:
    spent, began = _processor(), time.monotonic()
    tasks: set[asyncio.Task[None]] = set()
    for number in range(round(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        load.behind.append(max(0.0, time.monotonic() - due))
        task = asyncio.ensure_future(work(number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    load.elapsed, load.processor = time.monotonic() - began, _processor() - spent


def _processor() -> float:
    return sum(psutil.Process().cpu_times()[:2])
