"""The part of verification that holds the segment store against the database."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence

from tightrope.audit import verify_repository as repository
from tightrope.audit.errors import SegmentInvalid, StoreError
from tightrope.audit.models import Finding, Place, Report
from tightrope.audit.segments import Segment, SegmentName, SequencedRecord, follows, parse_name, parse_segment
from tightrope.audit.stores.models import SegmentStore
from tightrope.audit.tlog.merkle import Frontier, leaf_hash
from tightrope.audit.tree_repository import split
from tightrope.audit.verify_repository import Conn, Row


class SegmentCheck:
    """Segments against index, index against store, both against the tree; shard by shard."""

    def __init__(self, conn: Conn, store: SegmentStore, report: Report, names: Sequence[SegmentName]) -> None:
        self._conn = conn
        self._store = store
        self._report = report
        self._names = list(names)
        self._shard = 0
        self._origin = ""
        self._frontier = Frontier()

    async def run(self, shard: int, origin: str, last: int) -> None:
        """Check every indexed segment of a shard, then every stored one that the index does not name.

        Args:
            last: the last index that the database has; -1 for none.
        """
        self._shard, self._origin, self._frontier = shard, origin, Frontier()
        indexed: set[str] = set()
        async for row in repository.stream(self._conn, repository.SEGMENTS, {"shard": shard}):
            indexed.add(row["key"])
            self._report.segments += 1
            if row["first"] != self._frontier.size:
                self._problem(
                    f"the index of segments has nothing for entries {self._frontier.size} to {row['first'] - 1}", row["first"]
                )
            await self._indexed(row)
        for name in [name for name in self._names if name.shard == shard]:
            self._names.remove(name)
            if name.key not in indexed:
                await self._unindexed(name, last)

    async def unknown(self) -> None:
        """After the last shard: segments of years that the database does not have."""
        for name in self._names:
            self._shard = name.shard
            await self._unindexed(name, -1)

    async def _indexed(self, row: Row) -> None:
        data = await self._get(row["key"])
        before, self._frontier = self._frontier, Frontier(row["last"] + 1, split(row["frontier"]))
        if data is None:
            entries = f"entries {row['first']} to {row['last']}"
            self._problem(f"the segment with {entries} is missing from the store: {row['key']}", row["first"])
            return
        digest = hashlib.sha256(data).digest()
        if digest != row["sha256"]:
            self._problem(f"the segment with entries {row['first']} to {row['last']} was altered in the store", row["first"])
        segment = self._parse(data, row["key"])
        if segment is None:
            return
        if (segment.first, segment.last, segment.root) != (row["first"], row["last"], self._frontier.root()):
            self._problem(f"the index says something else of the segment {row['key']} than the segment itself", row["first"])
        if before.size == segment.first and follows(segment, before) is None:
            self._problem(f"the segment that begins with entry {segment.first} does not lead to the root it names", segment.first)
        name = parse_name(row["key"])
        if name is not None and name.sha256 == digest.hex():  # else the segment is what was altered
            await self._against_tree(segment)

    async def _against_tree(self, segment: Segment) -> None:
        there = await repository.leaves_range(self._conn, self._shard, segment.first, segment.last)
        for entry in segment.entries:
            hash_there = there.get(entry.index)
            if hash_there is None:
                self._name_missing(entry)
            elif hash_there != leaf_hash(entry.leaf):
                detail = "the database's tree was rewritten: the stored segment has another leaf here"
                place = Place(self._shard, entry.index)
                self._report.add(self._report.altered, Finding("tree", detail, place, entry.record_id))

    async def _unindexed(self, name: SegmentName, last: int) -> None:
        data = await self._get(name.key)
        if data is None:
            return
        if hashlib.sha256(data).hexdigest() != name.sha256:
            self._problem(f"the segment {name.key} was altered in the store", name.first)
            return
        segment = self._parse(data, name.key)
        if segment is None:
            return
        if segment.last > last:
            has = f"ends at {last}" if last >= 0 else "has none"
            detail = (
                f"the segment store is ahead of the database: it holds entries up to {segment.last}, the database's tree {has}"
            )
            self._problem(detail, segment.last)
        else:
            self._report.notes.append(f"the segment {name.key} is stored but not indexed")
        await self._against_tree(segment)

    def _name_missing(self, entry: SequencedRecord) -> None:
        """Say which record a missing entry was: the segment still knows."""
        event = str(json.loads(entry.leaf).get("event", ""))
        detail = f"the entry is missing from the database; the stored segment still holds it ({event})"
        missing, place = self._report.missing, Place(self._shard, entry.index)
        for index, finding in enumerate(missing):
            if finding.place == place:
                missing[index] = Finding(finding.kind, detail, place, entry.record_id)
                return
        self._report.add(missing, Finding("tree", detail, place, entry.record_id))

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

    def _problem(self, detail: str, index: int | None = None) -> None:
        place = Place(self._shard, index) if index is not None else None
        self._report.add(self._report.segment_problems, Finding("segment", detail, place))
