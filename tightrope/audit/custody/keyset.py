"""A set of keys as one hash, so that what is signed stays small and each key can show that it was meant. Pure.

The hash is the root of the Merkle tree (RFC 6962) whose leaves are the ids of the keys, 16 bytes each, in ascending order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from tightrope.audit.errors import CustodyRefused, ProofInvalid
from tightrope.audit.tlog.merkle import check_inclusion, inclusion_proof, leaf_hash, node_hash, root_of


def commitment(kids: Iterable[UUID]) -> dict[str, Any]:
    """How many keys, and the root over them: `{"count", "root"}`."""
    hashes = _hashes(kids)
    return {"count": len(hashes), "root": root_of(hashes).hex()}


def inclusions(kids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """For each key its place in the tree and the proof: `{"index", "proof"}`."""
    there = sorted(set(kids))
    levels = [_hashes(there)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
    return {
        kid: {
            "index": index,
            "proof": [step.hex() for step in inclusion_proof(index, len(there), lambda level, at: levels[level][at])],
        }
        for index, kid in enumerate(there)
    }


def check(kid: UUID, keys: Any, inclusion: Any) -> None:
    """Whether a key is one of those that were signed for.

    Args:
        keys: `commitment` as it was signed.
        inclusion: the key's entry of `inclusions`.

    Raises:
        CustodyRefused: it is not, or one of the two is malformed.
    """
    try:
        proof = [bytes.fromhex(step) for step in inclusion["proof"]]
        check_inclusion(leaf_hash(kid.bytes), inclusion["index"], keys["count"], proof, bytes.fromhex(keys["root"]))
    except (KeyError, TypeError, ValueError, ProofInvalid):
        raise CustodyRefused("signed_other", f"what was signed is not about the key {kid}") from None


def _hashes(kids: Iterable[UUID]) -> list[bytes]:
    return [leaf_hash(kid.bytes) for kid in sorted(set(kids))]
