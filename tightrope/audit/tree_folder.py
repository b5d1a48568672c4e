"""The tree on disk: one C2SP tlog-tiles log for each shard (docs/audit-formats.md, Tree on disk).

Files are written beside, flushed to the disk and renamed, tiles before the checkpoint that needs them; so a crash leaves the last checkpoint with
all its tiles. It holds leaves, no ciphertext, and can be made again from the database or from the segments.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from tightrope.audit.errors import StoreError
from tightrope.audit.tlog import tiles
from tightrope.audit.tlog.merkle import Frontier, NodeReader, frontier_from
from tightrope.audit.tlog.tiles import WIDTH
from tightrope.infra.settings import Settings

CHECKPOINT = "checkpoint"

_File = tuple[str, bytes, bool]
"""Path below the folder, bytes, and whether it is a full tile or bundle."""


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
        laid = [(tile.path, data, tile.width == WIDTH) for tile, data in tiles.grown(before, hashes, self.nodes(before))]
        self._put([*self._bundles(before, leaves), *laid])

    def publish(self, note: bytes) -> None:
        """Make a checkpoint the published one; its tiles must lie here."""
        self._put([(CHECKPOINT, note, False)])

    def _bundles(self, before: int, leaves: Sequence[bytes]) -> Iterator[_File]:
        number, kept = divmod(before, WIDTH)
        pending = [*(tiles.entry_reader(before, self.read)(number) if kept else []), *leaves]
        for at in range(0, len(pending), WIDTH):
            part = pending[at : at + WIDTH]
            yield tiles.entries_path(number + at // WIDTH, len(part)), tiles.bundle(part), len(part) == WIDTH

    def _put(self, files: Sequence[_File]) -> None:
        """Write files beside, flush them, rename them, flush their folders once: each flush makes whoever shares the disk wait, the database too."""
        beside = dict[Path, Path]()
        try:
            try:
                for path, data, _ in files:
                    target = self.path / path
                    beside[target] = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    beside[target].write_bytes(data)
                for target in beside:
                    _flush(beside[target])
                for target in beside:
                    beside[target].replace(target)
            finally:
                for left in beside.values():
                    left.unlink(missing_ok=True)
            for folder in {target.parent for target in beside}:
                _flush(folder)
        except OSError as error:
            raise StoreError(f"the tree's folder did not take {files[0][0]} or a file after it: {error}") from error
        for path, _, full in files:
            if full:  # readers of partial tiles turn to the full one (C2SP tlog-tiles)
                shutil.rmtree(self.path / f"{path}.p", ignore_errors=True)


def _flush(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
