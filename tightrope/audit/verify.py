"""Verification: is every record there, and as it was written?

Goes through the whole log in one snapshot and in bounded memory: the chain from its first entry, each leaf against the chain, each ciphertext
against its leaf, the index columns against the leaf, content against its hash, and the stored segments against all of it. What is wrong
is named by sequence number and record.
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
from tightrope.audit.leaf import GENESIS, chain_hash, leaf_hash, timestamp
from tightrope.audit.models import Finding, Report
from tightrope.audit.segment_check import SegmentCheck
from tightrope.audit.segments import FOLDER, SegmentName, parse_name
from tightrope.audit.store import SegmentStore, store_from
from tightrope.audit.verify_repository import Conn, Row
from tightrope.infra.settings import Settings

CONTENTS_TRACKED = 100_000
"""Most different contents whose presence is checked."""


async def verify_log(settings: Settings, *, store: SegmentStore | None = None) -> Report:
    """Check the whole log; changes nothing.

    Raises:
        psycopg.Error: the database cannot be read.
    """
    store = store or store_from(settings)
    report = Report(store=store.describe().text)
    # The store is listed before the snapshot: what is sealed meanwhile must not look like a store that is ahead.
    names = await asyncio.to_thread(_names, store, report)
    async with repository.snapshot(settings) as conn:
        walk = _Walk(report, await repository.gone(conn))
        async for row in repository.stream(conn, repository.CHAIN):
            walk.chained(row)
        walk.ended(await repository.noted(conn))
        await SegmentCheck(conn, store, report, names).run(walk.last)
        async for row in repository.stream(conn, repository.UNSEALED):
            walk.unsealed(row)
        async for row in repository.stream(conn, repository.VANISHED):
            report.add(
                report.missing,
                Finding("record", "the record was deleted before it was sealed", record_id=row["record_id"]),
            )
        await _contents(conn, report, walk.contents)
    return report


def _names(store: SegmentStore, report: Report) -> list[SegmentName]:
    try:
        return [name for key in store.keys(FOLDER) if (name := parse_name(key)) is not None]
    except StoreError as error:
        report.segment_problems.append(Finding("store", str(error)))
        return []


class _Walk:
    """Walks the chain row by row."""

    def __init__(self, report: Report, gone: Mapping[UUID, datetime]) -> None:
        self._report = report
        self._gone = gone
        self._came_back: set[UUID] = set()
        self._before = GENESIS
        self.last = 0
        self.contents: set[str] = set()

    def chained(self, row: Row) -> None:
        """One entry of the chain, in order."""
        report, seq, record_id = self._report, row["seq"], row["record_id"]
        for absent in range(self.last + 1, min(seq, self.last + 2000)):
            report.add(report.missing, Finding("chain", "the entry is missing from the chain", absent))
        gap = seq != self.last + 1
        report.sealed += 1
        self._entry(row, gap=gap)
        if row["id"] is None:
            report.add(report.missing, Finding("record", "the record of this entry was deleted", seq, record_id))
        else:
            self._record(row, seq)
        self.last = seq
        self._before = row["hash"]
        report.head_hash = row["hash"].hex()

    def _entry(self, row: Row, *, gap: bool) -> None:
        report, seq, record_id = self._report, row["seq"], row["record_id"]
        read_hash = leaf_hash(row["leaf"]) if row["leaf"] is not None else row["leaf_hash"]
        if not gap and row["prev"] != self._before:
            report.add(report.altered, Finding("chain", "the entry does not follow the one before it", seq, record_id))
        if chain_hash(seq, row["prev"], row["leaf_hash"]) == row["hash"]:
            if read_hash != row["leaf_hash"]:
                report.add(report.altered, Finding("leaf", "the leaf is not the one that was sealed", seq, record_id))
        elif chain_hash(seq, row["prev"], read_hash) == row["hash"]:
            report.add(report.altered, Finding("chain", "the leaf hash in the chain was altered", seq, record_id))
        else:
            report.add(report.altered, Finding("chain", "the entry's hash does not hold", seq, record_id))

    def _record(self, row: Row, seq: int | None) -> None:
        report, record_id = self._report, row["id"]
        leaf = _read(row["leaf"])
        if leaf is None:
            report.add(report.altered, Finding("leaf", "the leaf is not readable", seq, record_id))
            return
        if leaf.get("id") != str(record_id):
            report.add(report.altered, Finding("leaf", "the leaf belongs to another record", seq, record_id))
        if leaf.get("ct_sha256") != hashlib.sha256(row["ct"]).hexdigest():
            report.add(report.altered, Finding("ciphertext", "the ciphertext is not the one that the leaf names", seq, record_id))
        for column, value in _columns(row).items():
            if leaf.get(column) != value:
                report.add(
                    report.altered, Finding("columns", f"the column {column} says something else than the leaf", seq, record_id)
                )
        self._key(row, seq)
        content = leaf.get("content")
        if isinstance(content, dict) and len(self.contents) < CONTENTS_TRACKED:
            self.contents.update(str(digest) for digest in content.values())

    def _key(self, row: Row, seq: int | None) -> None:
        """Destroyed by policy, as the log itself says, is another thing than missing."""
        report, kid, record_id = self._report, row["kid"], row["id"]
        if kid is None:  # a leaf of the log's own, which has no payload
            return
        key = status(kid, {**row, "gone": self._gone.get(kid)})
        if key.by_policy:
            report.destroyed += 1
        elif key.gone is not None and key.state is not None:
            if kid not in self._came_back:
                detail = (
                    f"the log says that the key {kid} was destroyed on {key.gone:%Y-%m-%d}, and the table of keys has it: "
                    "run `tightrope audit keys replay`"
                )
                report.add(report.altered, Finding("key", detail, seq, record_id))
            self._came_back.add(kid)
        elif key.gone is not None:
            report.destroyed += 1  # an older table that never had the key again
        elif key.state is None:
            detail = f"its key {kid} was deleted: the payload cannot be read any more"
            report.add(report.missing, Finding("key", detail, seq, record_id))
        elif key.state is KeyState.DESTROYED:
            detail = f"its key {kid} was destroyed, and no record says so: the payload cannot be read any more"
            report.add(report.missing, Finding("key", detail, seq, record_id))

    def ended(self, noted: Row) -> None:
        """After the last entry: is it the one that the sealer noted?"""
        report = self._report
        if noted["head_seq"] > self.last:
            for absent in range(self.last + 1, min(noted["head_seq"], self.last + 2000) + 1):
                report.add(report.missing, Finding("tail", "the entry was cut off the end of the chain", absent))
        elif noted["head_seq"] < self.last or (self.last and noted["head_hash"] != self._before):
            report.add(report.altered, Finding("chain", "the end of the chain is not the one that the sealer noted", self.last))

    def unsealed(self, row: Row) -> None:
        """One record that no chain entry names."""
        report = self._report
        report.unsealed += 1
        self._record(row, None)
        if row["refused"] is not None:
            report.add(report.altered, Finding("refused", f"never sealed: {row['refused']}", record_id=row["id"]))
        elif not row["queued"]:
            detail = "the record is neither sealed nor waiting: its entry was taken out of the chain"
            report.add(report.missing, Finding("chain", detail, record_id=row["id"]))


def _columns(row: Row) -> dict[str, Any]:
    return {
        "conv": str(row["conv"]) if row["conv"] else None,
        "event": row["event"],
        "turn": row["turn"],
        "ts": timestamp(row["ts"]),
        "kid": str(row["kid"]),
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
