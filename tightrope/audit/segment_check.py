"""The part of verification that holds the segment store against the database."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence

from tightrope.audit import verify_repository as repository
from tightrope.audit.errors import SegmentInvalid, StoreError
from tightrope.audit.leaf import GENESIS
from tightrope.audit.models import Finding, Report
from tightrope.audit.segments import ChainEntry, Segment, SegmentName, parse_segment
from tightrope.audit.stores.models import SegmentStore
from tightrope.audit.verify_repository import Conn, Row


class SegmentCheck:
    """Segments against index, index against store, both against the chain."""

    def __init__(self, conn: Conn, store: SegmentStore, report: Report, names: Sequence[SegmentName]) -> None:
        self._conn = conn
        self._store = store
        self._report = report
        self._names = names
        self._head = GENESIS

    async def run(self, last: int) -> None:
        """Check every indexed segment, then every stored one that the index does not name.

        Args:
            last: the last sequence number that the database has.
        """
        expected = 1
        indexed: set[str] = set()
        async for row in repository.stream(self._conn, repository.SEGMENTS):
            indexed.add(row["key"])
            self._report.segments += 1
            if row["first"] != expected:
                self._problem(f"the index of segments has nothing for entries {expected} to {row['first'] - 1}")
            expected = row["last"] + 1
            await self._indexed(row)
        for name in self._names:
            if name.key not in indexed:
                await self._unindexed(name, last)

    async def _indexed(self, row: Row) -> None:
        data = await self._get(row["key"])
        if data is None:
            self._problem(
                f"the segment with entries {row['first']} to {row['last']} is missing from the store: {row['key']}", row["first"]
            )
            return
        if hashlib.sha256(data).digest() != row["sha256"]:
            self._problem(f"the segment with entries {row['first']} to {row['last']} was altered in the store", row["first"])
        segment = self._parse(data, row["key"])
        if segment is None:
            return
        if (segment.first, segment.last, segment.head) != (row["first"], row["last"], row["head"]):
            self._problem(f"the index says something else of the segment {row['key']} than the segment itself", row["first"])
        if segment.first > 1 and self._head not in {GENESIS, segment.prev}:
            self._problem(f"the segment that begins with entry {segment.first} does not follow the one before it", segment.first)
        self._head = segment.head
        await self._against_chain(segment)

    async def _against_chain(self, segment: Segment) -> None:
        there = await repository.chain_range(self._conn, segment.first, segment.last)
        for entry in segment.entries:
            hash_there = there.get(entry.seq)
            if hash_there is None:
                self._name_missing(entry)
            elif hash_there != entry.hash:
                detail = "the database's chain was rewritten: the stored segment has another hash here"
                self._report.add(self._report.altered, Finding("chain", detail, entry.seq, entry.record_id))

    async def _unindexed(self, name: SegmentName, last: int) -> None:
        data = await self._get(name.key)
        if data is None:
            return
        if hashlib.sha256(data).hexdigest() != name.sha256:
            self._problem(f"the segment {name.key} was altered in the store", name.first)
        segment = self._parse(data, name.key)
        if segment is None:
            return
        if segment.last > last:
            self._problem(
                f"the segment store is ahead of the database: it holds entries up to {segment.last}, the database's chain ends at {last}",
                segment.last,
            )
        else:
            self._report.notes.append(f"the segment {name.key} is stored but not indexed")
        await self._against_chain(segment)

    def _name_missing(self, entry: ChainEntry) -> None:
        """Say which record a missing entry was: the segment still knows."""
        event = str(json.loads(entry.leaf).get("event", ""))
        detail = f"the entry is missing from the database; the stored segment still holds it ({event})"
        missing = self._report.missing
        for index, finding in enumerate(missing):
            if finding.seq == entry.seq:
                missing[index] = Finding(finding.kind, detail, entry.seq, entry.record_id)
                return
        self._report.add(missing, Finding("chain", detail, entry.seq, entry.record_id))

    async def _get(self, key: str) -> bytes | None:
        try:
            return await asyncio.to_thread(self._store.get, key)
        except StoreError as error:
            self._problem(str(error))
            return None

    def _parse(self, data: bytes, key: str) -> Segment | None:
        try:
            return parse_segment(data)
        except SegmentInvalid as error:
            self._problem(f"the segment {key} does not hold: {error}")
            return None

    def _problem(self, detail: str, seq: int | None = None) -> None:
        self._report.add(self._report.segment_problems, Finding("segment", detail, seq))
