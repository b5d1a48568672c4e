"""Writes sealed segments to the store: every few seconds, or when 512 entries wait. Store trouble delays segments, never the chain."""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import suppress
from typing import Any

from psycopg import AsyncConnection

from tightrope.audit import chain_repository as repository
from tightrope.audit.errors import SealerRefused, SegmentInvalid, StoreError
from tightrope.audit.segments import ENTRIES, FOLDER, SegmentName, build_segment, parse_name, parse_segment
from tightrope.audit.stores.models import Receipt, SegmentStore
from tightrope.infra.logging import get_logger

log = get_logger()

LOOK_SECONDS = 0.5
RETRY_SECONDS = 2.0


class SegmentWriter:
    """The part of the sealer that talks to the store, on a connection of its own."""

    def __init__(self, conn: AsyncConnection[Any], store: SegmentStore, *, seconds: float) -> None:
        self._conn = conn
        self._store = store
        self._seconds = seconds
        self._last = 0

    async def start(self) -> None:
        """Take stored but unindexed segments into the index (a crash between the two), and compare the store with the chain.

        Raises:
            SealerRefused: the store holds entries that the database lacks, or another chain.
        """
        self._last = await repository.last_segment(self._conn)
        head = await repository.chain_head(self._conn)
        await self._conn.commit()
        try:
            names = await asyncio.to_thread(self._stored_after, self._last)
            for name in names:
                if name.last > (head.seq if head else 0):
                    raise SealerRefused(
                        f"the segment store is ahead of the database: it holds entries up to {name.last}, the chain ends at "
                        f"{head.seq if head else 0}; the database was set back; run `tightrope audit verify`"
                    )
                await self._adopt(name)
        except StoreError as error:
            await self._alarm(error)

    async def run(self, stop: asyncio.Event) -> None:
        """Write segments as they fall due, until `stop`."""
        while not stop.is_set():
            pause = LOOK_SECONDS
            try:
                while await self.write_due():
                    pass
            except (StoreError, SegmentInvalid) as error:
                await self._alarm(error)
                pause = RETRY_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def flush(self) -> None:
        """Write what is left, on the way out."""
        try:
            while await self.write_due(now=True):
                pass
        except (StoreError, SegmentInvalid) as error:
            await self._alarm(error)

    async def write_due(self, *, now: bool = False) -> bool:
        """Write one segment if 512 entries wait or the oldest waits long enough (or at once, with `now`).

        Raises:
            StoreError: the store did not take it; it is tried again later.
            SegmentInvalid: the database's entries do not chain; nothing is stored over them.
        """
        age = await repository.unsegmented_age(self._conn, self._last)
        head = await repository.chain_head(self._conn)
        full = head is not None and head.seq - self._last >= ENTRIES
        if head is None or head.seq <= self._last or not (now or full or (age or 0.0) >= self._seconds):
            await self._conn.commit()
            return False
        entries = await repository.chain_entries(self._conn, self._last + 1, self._last + ENTRIES)
        await self._conn.commit()
        for number, entry in enumerate(entries, self._last + 1):
            if entry.seq != number:
                raise SegmentInvalid(f"the record of entry {number} has vanished")
        key, data = build_segment(entries)
        started = time.perf_counter()
        receipt = await asyncio.to_thread(self._store.put, key, data)
        if receipt.sha256 != hashlib.sha256(data).hexdigest():
            raise StoreError(f"the store's receipt for {key} names other bytes")
        await self._index(entries[0].seq, entries[-1].seq, entries[-1].hash, receipt)
        milliseconds = round((time.perf_counter() - started) * 1000)
        log.debug("segment stored", action="segment_stored", first=entries[0].seq, last=entries[-1].seq, ms=milliseconds)
        return True

    def _stored_after(self, last: int) -> list[SegmentName]:
        names = [name for key in self._store.keys(FOLDER) if (name := parse_name(key)) is not None]
        return sorted((name for name in names if name.last > last), key=lambda name: name.first)

    async def _adopt(self, name: SegmentName) -> None:
        data = await asyncio.to_thread(self._store.get, name.key)
        try:
            segment = parse_segment(data or b"")
        except SegmentInvalid as error:
            raise SealerRefused(f"the stored segment {name.key} is damaged: {error}") from error
        entries = await repository.chain_entries(self._conn, segment.last, segment.last)
        await self._conn.commit()
        if segment.first != self._last + 1 or not entries or entries[0].hash != segment.head:
            raise SealerRefused(
                f"the stored segment {name.key} belongs to another chain than the database's; run `tightrope audit verify`"
            )
        assert data is not None  # noqa: S101 - parse_segment refused an absent one
        digest = hashlib.sha256(data).hexdigest()
        worm = self._store.describe().worm
        await self._index(
            segment.first, segment.last, segment.head, Receipt(key=name.key, sha256=digest, size=len(data), worm=worm)
        )

    async def _index(self, first: int, last: int, head: bytes, receipt: Receipt) -> None:
        await repository.insert_segment(self._conn, first=first, last=last, head=head, receipt=receipt)
        await repository.note_segment_error(self._conn, None)
        await self._conn.commit()
        self._last = last

    async def _alarm(self, error: Exception) -> None:
        log.error("segments are behind", action="segments_behind", reason=str(error))
        await self._conn.rollback()
        await repository.note_segment_error(self._conn, str(error)[:500])
        await self._conn.commit()
