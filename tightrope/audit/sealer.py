"""The sealer: the one process that gives records their places, signs checkpoints, writes segments to the store and has it all anchored.

Four parts, each on a connection of its own: the sequencer (receipts), the notary (checkpoints and the tree on disk), the segment writer (the
store) and the anchors (what others hold of it). Trouble with disk, store or an anchor delays the last three, which health says; receipts
go on. It holds the log's signing keys and no payload key, and refuses to work where tree folder or store hold more than the database, since
then the database was set back.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import AsyncExitStack
from typing import Any

from tightrope.audit import tree_repository as repository
from tightrope.audit.anchors.at_work import run_anchors
from tightrope.audit.log_keys import LogKeys
from tightrope.audit.notary import Notary
from tightrope.audit.segment_writer import SegmentWriter
from tightrope.audit.sequencer import BATCH, Sequencer
from tightrope.audit.stores.checking import start_check
from tightrope.audit.stores.choice import store_from
from tightrope.audit.stores.models import SegmentStore
from tightrope.audit.tree_folder import TreeFolder
from tightrope.audit.tree_repository import Conn
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.release.manifest import release_id

log = get_logger()

POLL_SECONDS = 0.2
BEAT_SECONDS = 1.0
LEASE_SECONDS = 0.25
"""How often a second sealer asks for the lease."""


async def run_sealer(settings: Settings, stop: asyncio.Event, *, store: SegmentStore | None = None) -> None:
    """Seal until `stop` is set; a second sealer waits until the first is gone.

    Raises:
        SealerRefused: the database holds less than was sealed, the log was changed, or another sealer wrote.
        psycopg.Error: the database was lost; start again when it is back.
    """
    store = store or store_from(settings)
    start_check(settings)
    keys = LogKeys.from_settings(settings)
    async with AsyncExitStack() as stack:
        work, listen, sign, segments = [await stack.enter_async_context(repository.connection(settings)) for _ in range(4)]
        if not await _lease(work, stop):
            return
        await work.set_autocommit(True)
        sequencer = Sequencer(
            work,
            log_name=settings.audit_log_name,
            vkeys=keys.vkeys,
            release=release_id(settings),
            beat_seconds=settings.audit_beat_seconds,
        )
        notary = Notary(
            sign, lambda shard: TreeFolder.of(settings, shard), keys.signers, seconds=settings.audit_checkpoint_seconds
        )
        writer = SegmentWriter(segments, store, seconds=settings.audit_segment_seconds)
        await notary.start()
        await writer.start()
        await sequencer.start()
        log.info("sealing", action="sealer_started", store=store.describe().text)
        await listen.set_autocommit(True)
        await listen.execute("LISTEN audit_new")
        beat = _Heartbeat(work, store)
        anchors = run_anchors(settings, stop, store=store)
        await _together(_sequence(sequencer, beat, listen, stop), notary.run(stop), writer.run(stop), anchors)
        await notary.flush()
        await writer.flush()


class _Heartbeat:
    """The sealer's sign of life in its row, which health reads; the leaf of the log is the sequencer's."""

    def __init__(self, conn: Conn, store: SegmentStore) -> None:
        self._conn = conn
        self._store = store
        self._due = 0.0

    async def beat(self) -> None:
        if time.monotonic() >= self._due:
            await repository.beat(self._conn, host=socket.gethostname(), pid=os.getpid(), store=self._store.describe().text)
            await self._conn.commit()
            self._due = time.monotonic() + BEAT_SECONDS


async def _sequence(sequencer: Sequencer, beat: _Heartbeat, listen: Conn, stop: asyncio.Event) -> None:
    await beat.beat()
    while not stop.is_set():
        await beat.beat()
        await sequencer.beat()
        while await sequencer.sequence_batch() == BATCH and not stop.is_set():
            await beat.beat()
        async for _ in listen.notifies(timeout=POLL_SECONDS, stop_after=1):
            pass
    while await sequencer.sequence_batch() == BATCH:
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
