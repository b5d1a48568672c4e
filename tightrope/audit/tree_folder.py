"""The tree on disk: one C2SP tlog-tiles log for each shard (docs/audit-formats.md, Tree on disk).

Files are written beside, flushed to the disk and renamed, tiles before the checkpoint that needs them; so a crash leaves the last checkpoint with
all its tiles. It holds leaves, no ciphertext, and can be made again from the database or from the segments.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from tightrope.audit.errors import StoreError
from tightrope.audit.tlog import tiles
from tightrope.audit.tlog.merkle import Frontier, NodeReader, frontier_from
from tightrope.audit.tlog.tiles import WIDTH
from tightrope.infra.settings import Settings

CHECKPOINT = "checkpoint"


class TreeFolder:
    """Reads and grows the files of one shard. Calls block."""

    def __init__(self, folder: Path) -> None:
        self.path = folder

    @classmethod
    def of(cls, settings: Settings, shard: int) -> TreeFolder:
        """The folder of a shard as the settings place it."""
        return cls((settings.audit_tree or settings.state_dir / "audit-tree") / f"{shard:04d}")

    def checkpoint(self) -> bytes | None:
        """The checkpoint as it is published, or None before the first.

        Raises:
            StoreError: it cannot be read.
        """
        try:
            return self.read(CHECKPOINT)
        except FileNotFoundError:
            return None

    def read(self, path: str) -> bytes:
        """A file of the log.

        Raises:
            FileNotFoundError: it is not there.
            StoreError: it cannot be read.
        """
        try:
            return (self.path / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(self.path / path) from None
        except OSError as error:
            raise StoreError(f"the tree's folder cannot be read: {error}") from error

    def nodes(self, size: int) -> NodeReader:
        """Hashes of full subtrees in the tree of `size` leaves, for proofs (TileInvalid where a tile is missing)."""
        return tiles.node_reader(size, self.read)

    def frontier(self, size: int) -> Frontier:
        """The frontier of the tree of `size` leaves, read from the tiles.

        Raises:
            TileInvalid: a tile is missing or of the wrong length.
        """
        return frontier_from(size, self.nodes(size))

    def leaf_hashes(self, number: int, size: int) -> list[bytes]:
        """The leaf hashes of one tile in the tree of `size` leaves.

        Raises:
            TileInvalid: missing or of the wrong length.
        """
        node = self.nodes(size)
        return [node(0, index) for index in range(number * WIDTH, min(size, (number + 1) * WIDTH))]

    def grow(self, before: int, leaves: Sequence[bytes], hashes: Sequence[bytes]) -> None:
        """Write entries and tiles of the leaves that follow the first `before`; the checkpoint stays as it is.

        Args:
            leaves: the leaves themselves, in order.
            hashes: their leaf hashes.

        Raises:
            StoreError: the disk did not take it; what is written already is harmless.
            TileInvalid: a tile of the tree before is missing.
        """
        self._grow_entries(before, leaves)
        for tile, data in tiles.grown(before, hashes, self.nodes(before)):
            self._put(tile.path, data, full=tile.width == WIDTH)

    def publish(self, note: bytes) -> None:
        """Make a checkpoint the published one; its tiles must lie here."""
        self._put(CHECKPOINT, note, full=False)

    def _grow_entries(self, before: int, leaves: Sequence[bytes]) -> None:
        number, kept = divmod(before, WIDTH)
        pending = [*(tiles.entry_reader(before, self.read)(number) if kept else []), *leaves]
        for at in range(0, len(pending), WIDTH):
            part = pending[at : at + WIDTH]
            self._put(tiles.entries_path(number, len(part)), tiles.bundle(part), full=len(part) == WIDTH)
            number += 1

    def _put(self, path: str, data: bytes, *, full: bool) -> None:
        target = self.path / path
        beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with beside.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StoreError(f"the tree's folder did not take {path}: {error}") from error
        if full:  # readers of partial tiles turn to the full one (C2SP tlog-tiles)
            shutil.rmtree(f"{target}.p", ignore_errors=True)
