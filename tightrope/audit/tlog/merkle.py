"""The Merkle tree of RFC 6962: hashes, a compact frontier that grows, inclusion and consistency proofs. Pure.

    leaf hash = SHA-256(0x00 || leaf)      node hash = SHA-256(0x01 || left || right)      empty tree = SHA-256 of nothing

Leaf indexes start at 0. A *node* `(level, index)` is the hash of a full subtree: leaves index * 2**level up to (index + 1) * 2**level.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from tightrope.audit.errors import ProofInvalid

HASH_SIZE = 32
"""Bytes of a hash."""

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of the tree without leaves."""

SIZE_LIMIT = 2**63
"""Sizes and indexes stay below this, so that every reader can hold them in a signed 64-bit integer."""

NodeReader = Callable[[int, int], bytes]
"""`node(level, index)`: the hash of the full subtree over leaves index * 2**level .. (index + 1) * 2**level."""

_sha256 = hashlib.sha256


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of a leaf's stored bytes (RFC 6962, 2.1)."""
    return _sha256(b"\x00" + leaf).digest()


def leaf_hashes(leaves: Iterable[bytes]) -> list[bytes]:
    """The leaf hashes of many leaves, in order."""
    return [_sha256(b"\x00" + leaf).digest() for leaf in leaves]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 6962, 2.1)."""
    return _sha256(b"\x01" + left + right).digest()


def _pair_up(hashes: list[bytes]) -> list[bytes]:
    """One level up; the list's length is even."""
    pairs = iter(hashes)
    return [_sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]


def root_of(hashes: Iterable[bytes]) -> bytes:
    """The root over leaf hashes (RFC 6962, 2.1: MTH).

    Raises:
        ProofInvalid: a hash is not 32 bytes.
    """
    frontier = Frontier()
    frontier.extend(hashes)
    return frontier.root()


class Frontier:
    """A tree that only grows, as the roots of its full subtrees: log2(size) hashes of memory.

    Attributes:
        size: number of leaves.
        hashes: roots of the full subtrees, largest first; one for each bit set in `size`. With `size` all that must be kept to go on later.
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """A frontier as it was kept, or the empty one.

        Raises:
            ProofInvalid: the hashes do not belong to a tree of this size.
        """
        _check_size(size)
        if len(hashes) != size.bit_count():
            raise ProofInvalid(f"a frontier of {size} leaves holds {size.bit_count()} hashes, not {len(hashes)}")
        _check_hashes(hashes, "the frontier")
        self._size = size
        self._hashes = list(hashes)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """Roots of the full subtrees, largest first."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Grow by one leaf hash.

        Raises:
            ProofInvalid: not 32 bytes.
        """
        _check_hashes((leaf,), "the leaf")
        size, top = self._size, leaf
        while size & 1:
            top = node_hash(self._hashes.pop(), top)
            size >>= 1
        self._hashes.append(top)
        self._size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Grow by many leaf hashes, level by level: several times as fast as appending one by one. Memory: one batch.

        Raises:
            ProofInvalid: a hash is not 32 bytes; the frontier is as it was.
        """
        pending = list(leaves)
        _check_hashes(pending, "the leaves")
        size, stack, kept = self._size, self._hashes, []
        self._size += len(pending)
        while pending or stack:
            if size & 1:
                pending = [stack.pop(), *pending]
            if len(pending) & 1:
                kept.append(pending.pop())
            pending = _pair_up(pending)
            size >>= 1
        self._hashes = kept[::-1]

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        if not self._hashes:
            return EMPTY_ROOT
        right = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            right = node_hash(left, right)
        return right


def subtree_hash(start: int, end: int, node: NodeReader) -> bytes:
    """MTH(D[start:end]) from full subtrees, where start is a multiple of the smallest power of two that is not below end - start."""
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return node(level, start >> level)
    level = (count - 1).bit_length() - 1
    return node_hash(node(level, start >> level), subtree_hash(start + (1 << level), end, node))


def root_from(size: int, node: NodeReader) -> bytes:
    """The root of the tree of `size` leaves, from its nodes.

    Raises:
        ProofInvalid: the size is out of range.
    """
    _check_size(size)
    return subtree_hash(0, size, node) if size else EMPTY_ROOT


def frontier_from(size: int, node: NodeReader) -> Frontier:
    """The frontier of the tree of `size` leaves, from its nodes.

    Raises:
        ProofInvalid: the size is out of range.
    """
    _check_size(size)
    levels = [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]
    return Frontier(size, [node(level, (size >> level) - 1) for level in levels])


def inclusion_proof(index: int, size: int, node: NodeReader) -> list[bytes]:
    """The proof that the leaf at `index` is in the tree of `size` leaves: the leaf's sibling first (RFC 6962, 2.1.1).

    Raises:
        ProofInvalid: the tree has no such leaf.
    """
    _check_size(size)
    if not 0 <= index < size:
        raise ProofInvalid(f"a tree of {size} leaves has no leaf {index}; indexes start at 0")
    proof, start, end = [], 0, size
    while end - start > 1:
        split = start + (1 << (end - start - 1).bit_length() - 1)
        if index < split:
            proof.append(subtree_hash(split, end, node))
            end = split
        else:
            proof.append(subtree_hash(start, split, node))
            start = split
    return proof[::-1]


def consistency_proof(old: int, new: int, node: NodeReader) -> list[bytes]:
    """The proof that the tree of `new` leaves begins with the tree of `old` leaves (RFC 6962, 2.1.2); empty where old is 0 or new.

    Raises:
        ProofInvalid: old is larger than new, or out of range.
    """
    _check_growth(old, new)
    if old in {0, new}:
        return []
    proof, start, end, whole = [], 0, new, True
    while old != end:
        split = start + (1 << (end - start - 1).bit_length() - 1)
        if old <= split:
            proof.append(subtree_hash(split, end, node))
            end = split
        else:
            proof.append(subtree_hash(start, split, node))
            start, whole = split, False
    if not whole:
        proof.append(subtree_hash(start, end, node))
    return proof[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2).

    Args:
        leaf: the leaf's hash, not the leaf.

    Raises:
        ProofInvalid: index, size or the proof's length do not fit each other, or a hash is not 32 bytes.
    """
    _check_size(size)
    if not 0 <= index < size:
        raise ProofInvalid(f"a tree of {size} leaves has no leaf {index}; indexes start at 0")
    _check_hashes((leaf,), "the leaf")
    _check_hashes(proof, "the inclusion proof")
    first, last, result = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise ProofInvalid(f"the inclusion proof of leaf {index} of {size} is too long: {len(proof)} hashes")
        if first & 1 or first == last:
            result = node_hash(step, result)
            while not first & 1 and first:
                first >>= 1
                last >>= 1
        else:
            result = node_hash(result, step)
        first >>= 1
        last >>= 1
    if last != 0:
        raise ProofInvalid(f"the inclusion proof of leaf {index} of {size} is too short: {len(proof)} hashes")
    return result


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Refuse an inclusion proof that does not lead to the root (RFC 9162, 2.1.3.2).

    Args:
        leaf: the leaf's hash, not the leaf.

    Raises:
        ProofInvalid: the leaf is not at this place of this tree, as far as this proof shows.
    """
    if root_from_inclusion(leaf, index, size, proof) != root:
        raise ProofInvalid(f"the inclusion proof of leaf {index} does not lead to the root of the tree of {size} leaves")


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Refuse a proof that does not show that the new tree begins with the old one (RFC 9162, 2.1.4.2).

    Raises:
        ProofInvalid: the trees are not shown to be consistent.
    """
    _check_growth(old, new)
    _check_hashes((old_root, new_root), "the roots")
    _check_hashes(proof, "the consistency proof")
    if old in {0, new}:
        if proof:
            raise ProofInvalid(f"a consistency proof from {old} to {new} leaves is empty, this one has {len(proof)} hashes")
        if old_root != (new_root if old == new else EMPTY_ROOT):
            raise ProofInvalid(
                f"two roots for one tree of {old} leaves" if old == new else "the old root is not that of the empty tree"
            )
        return
    _check_grown(old, old_root, new, new_root, proof)


def _check_grown(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    path = iter(proof if old & (old - 1) else chain((old_root,), proof))
    first, last = old - 1, new - 1
    while first & 1:
        first >>= 1
        last >>= 1
    start = next(path, None)
    if start is None:
        raise ProofInvalid(f"the consistency proof from {old} to {new} leaves is empty")
    old_result = new_result = start
    for step in path:
        if last == 0:
            raise ProofInvalid(f"the consistency proof from {old} to {new} leaves is too long: {len(proof)} hashes")
        if first & 1 or first == last:
            old_result, new_result = node_hash(step, old_result), node_hash(step, new_result)
            while not first & 1 and first:
                first >>= 1
                last >>= 1
        else:
            new_result = node_hash(new_result, step)
        first >>= 1
        last >>= 1
    if last != 0:
        raise ProofInvalid(f"the consistency proof from {old} to {new} leaves is too short: {len(proof)} hashes")
    if old_result != old_root:
        raise ProofInvalid(f"the consistency proof from {old} to {new} leaves does not lead to the old root")
    if new_result != new_root:
        raise ProofInvalid(f"the consistency proof from {old} to {new} leaves does not lead to the new root")


def _check_size(size: int) -> None:
    if not 0 <= size < SIZE_LIMIT:
        raise ProofInvalid(f"a tree has from 0 to 2^63 - 1 leaves, not {size}")


def _check_growth(old: int, new: int) -> None:
    _check_size(old)
    _check_size(new)
    if old > new:
        raise ProofInvalid(f"a tree of {old} leaves cannot have grown to {new}")


def _check_hashes(hashes: Sequence[bytes], what: str) -> None:
    if set(map(len, hashes)) - {HASH_SIZE}:
        raise ProofInvalid(f"{what}: a hash has {HASH_SIZE} bytes")
