"""The part of verification that holds signed checkpoints and the tree's folder against the leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tightrope.audit import verify_repository as repository
from tightrope.audit.errors import NoteInvalid, StoreError, TileInvalid
from tightrope.audit.models import Finding, Place, Report
from tightrope.audit.tlog.checkpoint import Checkpoint, open_checkpoint
from tightrope.audit.tlog.keys import VerifierKey
from tightrope.audit.tlog.merkle import Frontier, leaf_hash
from tightrope.audit.tlog.tiles import WIDTH, entry_reader
from tightrope.audit.tree_folder import TreeFolder
from tightrope.audit.verify_repository import Conn, Row

DIFFERENCES = 20
"""Most differing entries of one shard's folder that are named one by one."""


class CheckpointCheck:
    """Every signed checkpoint of a shard against the tree at its size. The first one that does not hold is named, with what it covers."""

    def __init__(self, conn: Conn, report: Report, shard: Row) -> None:
        self._conn = conn
        self._report = report
        self._shard: int = shard["shard"]
        self._origin: str = shard["origin"]
        self._keys = [VerifierKey.parse(vkey) for vkey in shard["vkeys"]]
        self._rows: AsyncIterator[Row] = repository.checkpoints(conn, self._shard)
        self._next: Row | None = None
        self._held = 0
        self._broken = False

    async def begin(self) -> None:
        """Read the first of the shard's checkpoints; one is signed every second, so they are read in step with the leaves."""
        self._next = await anext(self._rows, None)

    async def passed(self, size: int, frontier: Frontier | None) -> None:
        """The walk has come to this size; without a frontier (an entry before is missing, which is told) nothing can be compared."""
        while self._next is not None and self._next["size"] <= size:
            row, self._next = self._next, await anext(self._rows, None)
            self._report.checkpoints += 1
            if row["size"] == size and frontier is not None:
                self._compare(row, size, frontier)

    def _compare(self, row: Row, size: int, frontier: Frontier) -> None:
        reason = self._reason(row, frontier)
        if reason is None:
            self._held = size
        elif not self._broken:
            self._broken = True
            detail = f"the checkpoint of {size} leaves does not hold: {reason} (entries {self._held} to {size - 1})"
            self._report.add(self._report.altered, Finding("checkpoint", detail, Place(self._shard, size - 1)))

    async def signed(self) -> int:
        """The largest signed size that the walk has not come to, or 0."""
        largest = 0
        while self._next is not None:
            largest = self._next["size"]
            self._report.checkpoints += 1
            self._next = await anext(self._rows, None)
        return largest

    def _reason(self, row: Row, frontier: Frontier) -> str | None:
        try:
            checkpoint = open_checkpoint(row["note"], self._keys).checkpoint
        except NoteInvalid as error:
            return str(error)
        if (checkpoint.origin, checkpoint.size, checkpoint.root) != (self._origin, row["size"], row["root"]):
            return "the signed text says something else than the table"
        return None if checkpoint.root == frontier.root() else "the leaves lead to another root"


async def check_folder(conn: Conn, report: Report, folder: TreeFolder, shard: Row, note: bytes | None) -> None:
    """The published tree against the leaves of the database, tile by tile.

    Args:
        note: the checkpoint as it was published before the snapshot was taken, or None where there was none.
    """
    if note is None:
        report.notes.append(f"the tree of {shard['shard']} is not published yet")
        return
    try:
        shown = open_checkpoint(note, [VerifierKey.parse(vkey) for vkey in shard["vkeys"]]).checkpoint
    except (NoteInvalid, StoreError) as error:
        report.tree(f"the published checkpoint of {shard['shard']} does not hold: {error}")
        return
    if shown.size > shard["size"]:
        detail = f"the tree's folder is ahead of the database: it shows {shown.size} leaves of {shard['shard']}, the database has {shard['size']}"
        report.add(report.tree_problems, Finding("tail", detail, Place(shard["shard"], shard["size"])))
    differences = 0
    async for number, hashes in _tiles_of(conn, shard["shard"], shown.size):
        for finding in await asyncio.to_thread(_compare, folder, shard["shard"], number, hashes, shown.size):
            differences += 1
            if differences <= DIFFERENCES:
                report.add(report.tree_problems, finding)
            else:
                report.not_listed += 1
    if not differences:
        _root_of_folder(report, folder, shard, shown)


def _root_of_folder(report: Report, folder: TreeFolder, shard: Row, shown: Checkpoint) -> None:
    try:
        if folder.frontier(shown.size).root() != shown.root:
            report.tree(f"the tiles of {shard['shard']} do not lead to the published checkpoint")
    except (TileInvalid, StoreError) as error:
        report.tree(str(error))


async def _tiles_of(conn: Conn, shard: int, size: int) -> AsyncIterator[tuple[int, list[bytes]]]:
    number, hashes = 0, list[bytes]()
    async for row in repository.leaf_hashes(conn, shard, size):
        hashes.append(row["leaf_hash"])
        if len(hashes) == WIDTH:
            yield number, hashes
            number, hashes = number + 1, []
    if hashes:
        yield number, hashes


def _compare(folder: TreeFolder, shard: int, number: int, hashes: list[bytes], size: int) -> list[Finding]:
    try:
        entries = entry_reader(size, folder.read)(number)
        there = folder.leaf_hashes(number, size)
    except (TileInvalid, StoreError) as error:
        return [Finding("tree", str(error), Place(shard, number * WIDTH))]
    found = []
    for at, (hashed, tile, entry) in enumerate(zip(hashes, there, entries, strict=False)):
        place = Place(shard, number * WIDTH + at)
        if tile != hashed:
            found.append(Finding("tree", "the published tile has another leaf hash here than the database", place))
        if leaf_hash(entry) != tile:
            found.append(Finding("tree", "the published entry is not the one of its tile", place))
    return found
