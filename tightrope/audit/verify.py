"""Verification: is every record there, and as it was written?

Goes through the whole log in one snapshot and in bounded memory: each shard's leaves from the first, each record against its leaf, each
ciphertext against its leaf, the index columns against the leaf, the tree against every signed checkpoint, content against its hash, and the tree's
folder and the stored segments against all of it. What is wrong is named by its place and record.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from tightrope.audit import verify_repository as repository
from tightrope.audit.custody.models import KeyState
from tightrope.audit.custody.states import status
from tightrope.audit.errors import StoreError
from tightrope.audit.leaf import timestamp
from tightrope.audit.models import Finding, Place, Report
from tightrope.audit.segment_check import SegmentCheck
from tightrope.audit.segments import FOLDER, SegmentName, mismatch, parse_name
from tightrope.audit.stores.choice import store_from
from tightrope.audit.stores.models import SegmentStore
from tightrope.audit.tlog.merkle import Frontier, leaf_hash
from tightrope.audit.tree_check import CheckpointCheck, check_folder
from tightrope.audit.tree_folder import TreeFolder
from tightrope.audit.tree_repository import split
from tightrope.audit.verify_repository import Conn, Row
from tightrope.infra.settings import Settings

CONTENTS_TRACKED = 100_000
"""Most different contents whose presence is checked."""
ABSENT_LISTED = 2000
"""Most missing places of one gap that are named one by one."""


async def verify_log(settings: Settings, *, store: SegmentStore | None = None) -> Report:
    """Check the whole log; changes nothing.

    Raises:
        psycopg.Error: the database cannot be read.
    """
    store = store or store_from(settings)
    report = Report(store=store.describe().text)
    # The store is listed before the snapshot: what is sealed meanwhile must not look like a store that is ahead.
    names = await asyncio.to_thread(_names, store, report)
    shown = await asyncio.to_thread(_published, settings)
    async with repository.snapshot(settings) as conn:
        segments = SegmentCheck(conn, store, report, names)
        records = _Records(report, await repository.gone(conn))
        for row in await repository.shards(conn):
            walk = await _shard(conn, report, row, records)
            folder = TreeFolder.of(settings, row["shard"])
            await check_folder(conn, report, folder, row, shown.pop(row["shard"], None))
            await segments.run(row["shard"], row["origin"], walk.last)
        await segments.unknown()
        for year in shown:
            report.add(report.missing, Finding("tail", f"the tree's folder shows a log of {year}, the database has none"))
        async for row in repository.stream(conn, repository.UNSEALED):
            _unsealed(report, row, records)
        async for row in repository.stream(conn, repository.VANISHED):
            report.add(
                report.missing,
                Finding("record", "the record was deleted before it was sealed", record_id=row["record_id"]),
            )
        await _contents(conn, report, records.contents)
    return report


def _names(store: SegmentStore, report: Report) -> list[SegmentName]:
    try:
        return [name for key in store.keys(FOLDER) if (name := parse_name(key)) is not None]
    except StoreError as error:
        report.segment_problems.append(Finding("store", str(error)))
        return []


def _published(settings: Settings) -> dict[int, bytes]:
    """The checkpoint that each shard's folder shows now."""
    base = TreeFolder.of(settings, 0).path.parent
    years = [int(path.name) for path in sorted(base.glob("[0-9][0-9][0-9][0-9]"))] if base.is_dir() else []
    notes = {year: TreeFolder.of(settings, year).checkpoint() for year in years}
    return {year: note for year, note in notes.items() if note is not None}


async def _shard(conn: Conn, report: Report, shard: Row, records: _Records) -> _Walk:
    checkpoints = CheckpointCheck(conn, report, shard)
    walk = _Walk(report, shard["shard"], records)
    await checkpoints.begin()
    async for row in repository.leaves(conn, shard["shard"]):
        walk.sequenced(row)
        await checkpoints.passed(walk.last + 1, walk.whole)
    walk.ended(shard, await checkpoints.signed())
    return walk


class _Walk:
    """Walks one shard leaf by leaf."""

    def __init__(self, report: Report, shard: int, records: _Records) -> None:
        self._report = report
        self._shard = shard
        self._records = records
        self.last = -1
        self._frontier = Frontier()

    @property
    def whole(self) -> Frontier | None:
        """The tree so far; None once an entry was missing."""
        return self._frontier if self._frontier.size == self.last + 1 else None

    def sequenced(self, row: Row) -> None:
        """One leaf, in order."""
        report, place, record_id = self._report, Place(self._shard, row["index"]), row["record_id"]
        for absent in range(self.last + 1, min(row["index"], self.last + ABSENT_LISTED)):
            report.add(report.missing, Finding("leaf", "the entry is missing from the tree", Place(self._shard, absent)))
        report.sealed += 1
        if row["id"] is None:
            report.add(report.missing, Finding("record", "the record of this entry was deleted", place, record_id))
        else:
            if leaf_hash(row["leaf"]) != row["leaf_hash"]:
                report.add(report.altered, Finding("leaf", "the leaf is not the one that was sealed", place, record_id))
            self._records.check(row, place)
        self.last = row["index"]
        self._frontier.append(row["leaf_hash"])

    def ended(self, shard: Row, signed: int) -> None:
        """After the last leaf: is it the one that the sequencer noted, and the last that was signed?"""
        report, size = self._report, self.last + 1
        for absent in range(size, min(max(shard["size"], signed), size + ABSENT_LISTED)):
            report.add(report.missing, Finding("tail", "the entry was cut off the end of the tree", Place(self._shard, absent)))
        if size > shard["size"]:
            detail = f"the tree had {shard['size']} leaves when the sequencer last noted it; these were added behind its back"
            report.add(report.altered, Finding("tree", detail, Place(self._shard, shard["size"])))
        elif self.whole and size == shard["size"]:
            noted = Frontier(size, split(shard["frontier"])) if shard["frontier"] else self.whole  # not folded into a tree yet
            if noted.root() != self.whole.root():
                report.add(
                    report.altered,
                    Finding("tree", "the root is not the one that the sequencer noted", Place(self._shard, self.last)),
                )
        report.heads[self._shard] = self._frontier.root().hex()


class _Records:
    """Checks each record against its own leaf and its key; remembers which contents leaves name."""

    def __init__(self, report: Report, gone: Mapping[UUID, datetime]) -> None:
        self._report = report
        self._gone = gone
        self._came_back: set[UUID] = set()
        self.contents: set[str] = set()

    def check(self, row: Row, place: Place | None) -> None:
        """One record; `place` is None while it has none."""
        report, record_id = self._report, row["id"]
        leaf = _read(row["leaf"])
        if leaf is None:
            report.add(report.altered, Finding("leaf", "the leaf is not readable", place, record_id))
            return
        if leaf.get("id") != str(record_id):
            report.add(report.altered, Finding("leaf", "the leaf belongs to another record", place, record_id))
        elif mismatch(record_id, row["leaf"], row["ct"]) is not None:
            detail = "the ciphertext is not the one that the leaf names"
            report.add(report.altered, Finding("ciphertext", detail, place, record_id))
        for column, value in _columns(row).items():
            if leaf.get(column) != value:
                detail = f"the column {column} says something else than the leaf"
                report.add(report.altered, Finding("columns", detail, place, record_id))
        if row["kid"] is not None:  # the log's own leaves have no payload
            self._key(row, place)
        content = leaf.get("content")
        if isinstance(content, dict) and len(self.contents) < CONTENTS_TRACKED:
            self.contents.update(str(digest) for digest in content.values())

    def _key(self, row: Row, place: Place | None) -> None:
        """Destroyed by policy, as the log itself says, is another thing than missing."""
        report, kid, record_id = self._report, row["kid"], row["id"]
        key = status(kid, {**row, "gone": self._gone.get(kid)})
        if key.by_policy:
            report.destroyed += 1
        elif key.gone is not None and key.state is not None:
            if kid not in self._came_back:
                detail = (
                    f"the log says that the key {kid} was destroyed on {key.gone:%Y-%m-%d}, and the table of keys has it: "
                    "run `tightrope audit keys replay`"
                )
                report.add(report.altered, Finding("key", detail, place, record_id))
            self._came_back.add(kid)
        elif key.gone is not None:
            report.destroyed += 1  # an older table that never had the key again
        elif key.state is None:
            detail = f"its key {kid} was deleted: the payload cannot be read any more"
            report.add(report.missing, Finding("key", detail, place, record_id))
        elif key.state is KeyState.DESTROYED:
            detail = f"its key {kid} was destroyed, and no record says so: the payload cannot be read any more"
            report.add(report.missing, Finding("key", detail, place, record_id))


def _unsealed(report: Report, row: Row, records: _Records) -> None:
    """One record that has no place."""
    report.unsealed += 1
    records.check(row, None)
    if row["refused"] is not None:
        report.add(report.altered, Finding("refused", f"never sealed: {row['refused']}", record_id=row["id"]))
    elif not row["queued"]:
        detail = "the record is neither sealed nor waiting: its entry was taken out of the tree"
        report.add(report.missing, Finding("tree", detail, record_id=row["id"]))


def _columns(row: Row) -> dict[str, Any]:
    return {
        "conv": str(row["conv"]) if row["conv"] else None,
        "event": row["event"],
        "turn": row["turn"],
        "ts": timestamp(row["ts"]),
        "kid": str(row["kid"]) if row["kid"] else None,
    }


def _read(leaf: bytes) -> dict[str, Any] | None:
    try:
        read = json.loads(leaf)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


async def _contents(conn: Conn, report: Report, named: set[str]) -> None:
    missing = set(named)
    async for row in repository.stream(conn, repository.CONTENT, size=1):
        report.contents += 1
        digest = row["sha256"].hex()
        missing.discard(digest)
        if hashlib.sha256(row["data"]).digest() != row["sha256"]:
            report.add(report.altered, Finding("content", f"the content {digest} is not what was stored"))
    for digest in sorted(missing):
        report.add(report.missing, Finding("content", f"the content {digest}, which records name, is not stored"))
