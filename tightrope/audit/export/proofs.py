"""Where an export gets its proofs from: the published tree on disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tightrope.audit.errors import ExportRefused, ProofInvalid, StoreError, TileInvalid
from tightrope.audit.tlog.checkpoint import Checkpoint
from tightrope.audit.tlog.merkle import NodeReader, check_inclusion, inclusion_proof, leaf_hash
from tightrope.audit.tlog.note import Note
from tightrope.audit.tree_folder import TreeFolder
from tightrope.infra.settings import Settings


class ProofSource(Protocol):
    """Checkpoints, and inclusion proofs that lead to them. Calls block."""

    def checkpoint(self, shard: int) -> bytes | None:
        """The newest published checkpoint of a shard, a signed note."""
        ...

    def inclusion(self, shard: int, index: int, size: int) -> list[bytes]:
        """The inclusion proof of a leaf in the tree of `size` leaves."""
        ...


class TreeProofs:
    """Proofs from the log's own tiles. What they give is checked against the checkpoint before it goes into an export."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._nodes: dict[tuple[int, int], NodeReader] = {}

    def checkpoint(self, shard: int) -> bytes | None:
        """The newest published checkpoint of a shard.

        Raises:
            StoreError: the folder cannot be read.
        """
        return TreeFolder.of(self._settings, shard).checkpoint()

    def inclusion(self, shard: int, index: int, size: int) -> list[bytes]:
        """The inclusion proof of a leaf.

        Raises:
            StoreError, TileInvalid, ProofInvalid: the tree on disk is damaged.
        """
        if (shard, size) not in self._nodes:
            self._nodes[shard, size] = TreeFolder.of(self._settings, shard).nodes(size)
        return inclusion_proof(index, size, self._nodes[shard, size])


def covering(shard: int, last: int, notes: Sequence[bytes | None]) -> tuple[Checkpoint, bytes]:
    """The first of some checkpoints that covers a leaf.

    Args:
        last: the highest index that is exported.
        notes: in order of preference.

    Raises:
        ExportRefused: none does.
    """
    for note in notes:
        if note is not None:
            found = Checkpoint.parse(Note.parse(note).text)
            if found.size > last:
                return found, note
    raise ExportRefused(
        f"no checkpoint covers record {shard}/{last} yet: the sealer signs one every second while it is at work; see `tightrope status`, then try again"
    )


def proven(source: ProofSource, checkpoint: Checkpoint, shard: int, index: int, leaf: bytes) -> list[bytes]:
    """The inclusion proof of a leaf, checked.

    Raises:
        ExportRefused: the record is not the one that the tree holds, or the tree on disk is damaged; nothing is exported that does not hold.
    """
    try:
        proof = source.inclusion(shard, index, checkpoint.size)
        check_inclusion(leaf_hash(leaf), index, checkpoint.size, proof, checkpoint.root)
    except (ProofInvalid, TileInvalid, StoreError) as error:
        raise ExportRefused(f"record {shard}/{index} cannot be proven: {error}; run `tightrope audit verify`") from error
    return proof
