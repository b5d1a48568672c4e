"""The sealer: the one process that numbers and chains records, and writes sealed segments to the store.

It holds no key. A record that does not match its own leaf is set aside and never released. Chaining goes on while the store is down:
segments lag, which health says. It refuses to chain on when the store holds more than the database, since then the database was set back.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from tightrope.audit import chain_repository as repository
from tightrope.audit.chain_repository import Head, Waiting
from tightrope.audit.errors import SealerRefused
from tightrope.audit.leaf import GENESIS, chain_hash, leaf_hash
from tightrope.audit.segment_writer import SegmentWriter
from tightrope.audit.segments import ChainEntry
from tightrope.audit.stores.checking import start_check
from tightrope.audit.stores.choice import store_from
from tightrope.audit.stores.models import SegmentStore
from tightrope.infra.database import Role, conninfo, pool_kwargs
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings

log = get_logger()

BATCH = 256
POLL_SECONDS = 0.2
BEAT_SECONDS = 1.0
LEASE_SECONDS = 0.25
"""How often a second sealer asks for the lease."""

Conn = AsyncConnection[Any]


def chain_batch(head: Head, batch: Sequence[Waiting]) -> tuple[list[ChainEntry], list[tuple[UUID, str]]]:
    """Chain what matches its own leaf, as read back from the database; the rest is refused with a reason. Pure."""
    entries: list[ChainEntry] = []
    refused: list[tuple[UUID, str]] = []
    seq, before = head.seq, head.hash
    for item in batch:
        if item.leaf is None or item.ct is None:
            refused.append((item.record_id, "the record vanished before it was sealed"))
            continue
        reason = mismatch(item.record_id, item.leaf, item.ct)
        if reason is not None:
            refused.append((item.record_id, reason))
            continue
        seq += 1
        hashed = leaf_hash(item.leaf)
        entry = ChainEntry(seq, item.record_id, hashed, before, chain_hash(seq, before, hashed), item.leaf, item.ct)
        entries.append(entry)
        before = entry.hash
    return entries, refused


def mismatch(record_id: UUID, leaf: bytes, ct: bytes) -> str | None:
    """Why a record does not match its own leaf, or None."""
    try:
        read = json.loads(leaf)
        named, committed = read["id"], read["ct_sha256"]
    except (ValueError, KeyError, TypeError):
        return "the leaf is not readable"
    if named != str(record_id):
        return "the leaf belongs to another record"
    if committed != hashlib.sha256(ct).hexdigest():
        return "the ciphertext is not the one that the leaf names"
    return None


class Sealer:
    """Chains batches on one connection that holds the lease."""

    def __init__(self, conn: Conn, store: SegmentStore) -> None:
        self._conn = conn
        self._store = store
        self._head = Head(0, GENESIS)
        self._beat_due = 0.0

    async def start(self) -> None:
        """Read the head, and compare it with what was noted and with the store.

        Raises:
            SealerRefused: the chain is shorter than it was: the database was set back or its tail was cut.
        """
        self._head = await repository.chain_head(self._conn) or Head(0, GENESIS)
        noted = await repository.noted_head(self._conn)
        await self._conn.commit()
        if noted.seq > self._head.seq or (noted.seq == self._head.seq and noted.seq > 0 and noted.hash != self._head.hash):
            raise SealerRefused(
                f"the chain ends at {self._head.seq}, but {noted.seq} was its head: the tail was cut or changed; "
                "run `tightrope audit verify`"
            )

    async def seal_batch(self) -> int:
        """Chain what waits, up to 256 records, in one transaction.

        Returns:
            How many were taken off the queue.

        Raises:
            SealerRefused: somebody else wrote into the chain.
            psycopg.Error: the database was lost; nothing is half done.
        """
        batch = await repository.waiting(self._conn, BATCH)
        if not batch:
            await self._conn.rollback()
            return 0
        entries, refused = chain_batch(self._head, batch)
        head = Head(entries[-1].seq, entries[-1].hash) if entries else self._head
        try:
            if refused:
                await repository.insert_refused(self._conn, refused)
            await repository.insert_chain(self._conn, entries, [item.ord for item in batch], head)
            await self._conn.commit()
        except psycopg.errors.UniqueViolation as error:
            await self._conn.rollback()
            raise SealerRefused(
                f"somebody else wrote into the chain after {self._head.seq}: {error.diag.message_primary}"
            ) from error
        self._head = head
        for record_id, reason in refused:
            log.error("a record was not sealed", action="audit_record_refused", record=str(record_id), reason=reason)
        return len(batch)

    async def beat(self) -> None:
        """Write the heartbeat when it is due."""
        if time.monotonic() >= self._beat_due:
            await repository.beat(self._conn, host=socket.gethostname(), pid=os.getpid(), store=self._store.describe().text)
            await self._conn.commit()
            self._beat_due = time.monotonic() + BEAT_SECONDS


async def run_sealer(settings: Settings, stop: asyncio.Event, *, store: SegmentStore | None = None) -> None:
    """Seal until `stop` is set; a second sealer waits until the first is gone.

    Raises:
        SealerRefused: the database holds less than was sealed, or another sealer wrote.
        psycopg.Error: the database was lost; start again when it is back.
    """
    store = store or store_from(settings)
    start_check(settings)
    async with AsyncExitStack() as stack:
        work, listen, segments = [await stack.enter_async_context(await _connect(settings)) for _ in range(3)]
        if not await _lease(work, stop):
            return
        sealer = Sealer(work, store)
        await sealer.start()
        writer = SegmentWriter(segments, store, seconds=settings.audit_segment_seconds)
        await writer.start()
        log.info("sealing", action="sealer_started", store=store.describe().text)
        await listen.set_autocommit(True)
        await listen.execute("LISTEN audit_new")
        await _together(_seal(sealer, listen, stop), writer.run(stop))
        await writer.flush()


async def _seal(sealer: Sealer, listen: Conn, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await sealer.beat()
        while await sealer.seal_batch() == BATCH:
            pass
        async for _ in listen.notifies(timeout=POLL_SECONDS, stop_after=1):
            pass
    while await sealer.seal_batch() == BATCH:
        pass


async def _together(*work: Any) -> None:
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _connect(settings: Settings) -> Conn:
    return await AsyncConnection.connect(conninfo(settings, Role.SEALER), **(pool_kwargs() | {"row_factory": dict_row}))


async def _lease(conn: Conn, stop: asyncio.Event) -> bool:
    told = False
    while not await repository.take_lease(conn):
        if not told:
            log.info("another sealer is at work; waiting", action="sealer_waits")
            told = True
        try:
            await asyncio.wait_for(stop.wait(), LEASE_SECONDS)
        except TimeoutError:
            continue
        return False
    return True
