"""Writes sequenced records to the store: every few seconds, or when 512 entries wait. Store trouble delays segments, never the receipts."""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import suppress
from itertools import chain

from tightrope.audit import segment_repository, tree_repository
from tightrope.audit.errors import SealerRefused, SegmentInvalid, StoreError
from tightrope.audit.segment_repository import Stored
from tightrope.audit.segments import ENTRIES, FOLDER, SegmentBuilder, SegmentName, follows, parse_name, parse_segment
from tightrope.audit.stores.models import LAST, SegmentStore
from tightrope.audit.tree_repository import Conn, Shard
from tightrope.infra.logging import get_logger

log = get_logger()

BYTES = 24 * 1024 * 1024
"""A segment ends when its leaves and ciphertexts pass this: in base64 and with one more record it stays well below what a store takes in one put."""
LOOK_SECONDS = 0.5
RETRY_SECONDS = 2.0
SLICE = 32
"""Entries read and built at a time before the sequencer may have its turn: two milliseconds."""
PAUSE_SECONDS = 0.002
"""How long then, where no more than two segments wait."""


class SegmentWriter:
    """The part of the sealer that talks to the store, on a connection of its own."""

    def __init__(self, conn: Conn, store: SegmentStore, *, seconds: float) -> None:
        self._conn = conn
        self._store = store
        self._seconds = seconds

    async def start(self) -> None:
        """Take stored but unindexed segments into the index (a crash between the two), and compare the store with the tree.

        Raises:
            SealerRefused: the store holds entries that the database lacks, or another tree's.
        """
        shards = {shard.shard: shard for shard in await tree_repository.shards(self._conn)}
        stored = {year: await segment_repository.stored(self._conn, year) for year in shards}
        await self._conn.commit()
        try:
            for name in await asyncio.to_thread(self._after, stored):
                shard = shards.get(name.shard)
                if shard is None or name.last >= shard.size:
                    raise SealerRefused(
                        f"the segment store is ahead of the database: it holds entries of {name.shard} up to {name.last}, the tree has "
                        f"{shard.size if shard else 0} leaves; the database was set back; run `tightrope audit verify`"
                    )
                if name.last >= stored[name.shard].size:  # else one adopted a moment ago holds these entries too
                    stored[name.shard] = await self._adopt(name, shard, stored[name.shard])
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
        """Write one segment if 512 entries wait or the oldest waits long enough (or at once, with `now`); older shards first.

        Raises:
            StoreError: the store did not take it; it is tried again later.
            SegmentInvalid: the database's records are not those of the tree; nothing is stored over them.
        """
        for shard in await tree_repository.shards(self._conn):
            stored = await segment_repository.stored(self._conn, shard.shard)
            waiting = shard.size - stored.size
            age = await segment_repository.age(self._conn, shard.shard, stored.size) if waiting else 0.0
            if waiting and (now or waiting >= ENTRIES or age >= self._seconds):
                await self._write(shard, stored)
                return True
        await self._conn.commit()
        return False

    async def _write(self, shard: Shard, stored: Stored) -> None:
        builder = await self._build(shard, stored)
        await self._conn.commit()
        key, data, after = await asyncio.to_thread(builder.finish)
        last = after.size - 1
        if after.size == shard.size and after.root() != shard.frontier().root():
            raise SegmentInvalid(f"the records up to {shard.shard}/{last} do not lead to the tree's root")
        started = time.perf_counter()
        receipt = await asyncio.to_thread(self._store.put, key, data)
        if receipt.sha256 != hashlib.sha256(data).hexdigest():
            raise StoreError(f"the store's receipt for {key} names other bytes")
        await segment_repository.insert_segment(self._conn, shard.shard, stored.size, after, receipt)
        await tree_repository.note_trouble(self._conn, segments="")
        await self._conn.commit()
        milliseconds = round((time.perf_counter() - started) * 1000)
        log.debug("segment stored", action="segment_stored", shard=shard.shard, first=stored.size, last=last, ms=milliseconds)

    async def _build(self, shard: Shard, stored: Stored) -> SegmentBuilder:
        """Read and build the entries that follow, slice by slice: the sequencer works in between, on the same processor."""
        builder, number, taken = SegmentBuilder(shard.shard, shard.origin, stored.frontier()), stored.size, 0
        end = min(shard.size, number + ENTRIES)
        pause = PAUSE_SECONDS if shard.size < stored.size + 2 * ENTRIES else 0.0  # where much waits, throughput counts
        while number < end:
            stop = min(end, number + SLICE)
            for entry in await tree_repository.sequenced(self._conn, shard.shard, number, stop - 1):
                if entry.index != number:
                    break
                builder.add(entry)
                number, taken = number + 1, taken + len(entry.leaf) + len(entry.ct or b"")
                if taken > BYTES:
                    return builder
            if number != stop:
                raise SegmentInvalid(f"the record of entry {shard.shard}/{number} has vanished")
            await asyncio.sleep(pause)
        return builder

    def _after(self, stored: dict[int, Stored]) -> list[SegmentName]:
        """What the store holds beyond the index, the longest of those that begin together first: a put that failed after it had landed leaves
        a shorter one beside the one that was tried again.

        Listed are, of each known shard, the names from the first that can reach beyond its index, and all names of shards that the database
        does not know: a log of twenty years starts as fast as one of a day.
        """
        known = sorted(stored)
        starts = ["", *(f"{FOLDER}/{shard:04d}/{max(0, stored[shard].size - ENTRIES + 1):012d}" for shard in known)]
        ends = [*(f"{FOLDER}/{shard:04d}/" for shard in known), LAST]
        keys = chain.from_iterable(
            self._store.keys(FOLDER, after=start, before=end) for start, end in zip(starts, ends, strict=True)
        )
        names = [name for key in keys if (name := parse_name(key)) is not None]
        fresh = [name for name in names if name.shard not in stored or name.last >= stored[name.shard].size]
        return sorted(fresh, key=lambda name: (name.shard, name.first, -name.last))

    async def _adopt(self, name: SegmentName, shard: Shard, stored: Stored) -> Stored:
        data = await asyncio.to_thread(self._store.get, name.key)
        try:
            segment = parse_segment(data or b"")
        except SegmentInvalid as error:
            # A write-once store keeps it for ever; the entries are written again under another name, and verification names this one.
            await self._alarm(StoreError(f"the stored segment {name.key} is damaged and is not used: {error}"))
            return stored
        rows = await tree_repository.sequenced(self._conn, shard.shard, segment.first, segment.last)
        await self._conn.commit()
        if [row.leaf for row in rows] != [entry.leaf for entry in segment.entries]:
            raise SealerRefused(
                f"the stored segment {name.key} belongs to another tree than the database's; run `tightrope audit verify`"
            )
        if segment.first != stored.size:  # of another cut than what is indexed: the same entries, so nothing is lost
            return stored
        after = follows(segment, stored.frontier())
        if after is None:
            raise SealerRefused(f"the stored segment {name.key} names another root than the tree's; run `tightrope audit verify`")
        assert data is not None  # noqa: S101 - parse_segment refused an absent one
        receipt = await asyncio.to_thread(self._store.put, name.key, data)  # already there: its receipt is read back
        await segment_repository.insert_segment(self._conn, shard.shard, segment.first, after, receipt)
        await self._conn.commit()
        return Stored(after.size, tuple(after.hashes))

    async def _alarm(self, error: Exception) -> None:
        log.error("segments are behind", action="segments_behind", reason=str(error))
        await self._conn.rollback()
        await tree_repository.note_trouble(self._conn, segments=str(error))
        await self._conn.commit()
