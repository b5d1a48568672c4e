"""The Merkle tree: published vectors, three ways to the same root, every proof of small trees, forgeries.

The vectors are those of Certificate Transparency's reference implementation (eight leaves of growing length). An independent
implementation of the same formats is in test_audit_tlog_peer.py.
"""

from __future__ import annotations

import hashlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.audit.errors import AuditError, ProofInvalid
from tightrope.audit.tlog.merkle import (
    EMPTY_ROOT,
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    frontier_from,
    inclusion_proof,
    leaf_hash,
    leaf_hashes,
    node_hash,
    root_from,
    root_from_inclusion,
    root_of,
)

CT_LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LARGEST = 130
HASHES = [leaf_hash(b"leaf %d" % number) for number in range(LARGEST)]


@cache
def plain_root(start: int, end: int) -> bytes:
    """MTH as RFC 6962, 2.1 defines it, by recursion over the leaves: the yardstick."""
    if start == end:
        return hashlib.sha256(b"").digest()
    if end - start == 1:
        return HASHES[start]
    split = 1
    while split * 2 < end - start:
        split *= 2
    return hashlib.sha256(b"\x01" + plain_root(start, start + split) + plain_root(start + split, end)).digest()


def node(level: int, index: int) -> bytes:
    return plain_root(index << level, (index + 1) << level)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_the_empty_tree_and_the_prefixes_are_those_of_the_rfc():
    assert EMPTY_ROOT == hashlib.sha256(b"").digest() == root_of([]) == Frontier().root() == root_from(0, node)
    assert leaf_hash(b"x") == hashlib.sha256(b"\x00x").digest()
    assert node_hash(b"l" * 32, b"r" * 32) == hashlib.sha256(b"\x01" + b"l" * 32 + b"r" * 32).digest()


def test_roots_of_the_reference_implementation():
    hashes = leaf_hashes(CT_LEAVES)
    frontier = Frontier()
    for count, root in enumerate(CT_ROOTS, start=1):
        frontier.append(hashes[count - 1])
        assert frontier.root().hex() == root_of(hashes[:count]).hex() == root


def test_proofs_of_the_reference_implementation():
    """Certificate Transparency's published paths: leaf 0 of 8, leaf 5 of 8, leaf 2 of 3, and the growth from 6 to 8 and 2 to 5 leaves."""
    hashes = leaf_hashes(CT_LEAVES)

    def ct_node(level: int, index: int) -> bytes:
        return root_of(hashes[index << level : (index + 1) << level])

    assert [step.hex() for step in inclusion_proof(0, 8, ct_node)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert [step.hex() for step in inclusion_proof(5, 8, ct_node)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [step.hex() for step in inclusion_proof(2, 3, ct_node)] == [CT_ROOTS[1]]
    assert [step.hex() for step in consistency_proof(6, 8, ct_node)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [step.hex() for step in consistency_proof(2, 5, ct_node)] == [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]


@pytest.mark.parametrize("size", range(LARGEST + 1))
def test_frontier_batch_and_recursion_agree(size):
    frontier = Frontier()
    for hashed in HASHES[:size]:
        frontier.append(hashed)
    assert frontier.size == size
    assert frontier.root() == root_of(HASHES[:size]) == root_from(size, node) == plain_root(0, size)
    assert frontier.hashes == frontier_from(size, node).hashes
    assert len(frontier.hashes) == size.bit_count()


@given(st.lists(st.integers(0, 60), max_size=6))
def test_a_frontier_extended_in_any_steps_is_the_one_appended_to(steps):
    by_step, one_by_one, at = Frontier(), Frontier(), 0
    for step in steps:
        batch = [leaf_hash(b"%d" % number) for number in range(at, at + step)]
        at += step
        by_step.extend(batch)
        for hashed in batch:
            one_by_one.append(hashed)
        kept = Frontier(by_step.size, by_step.hashes)  # stopped and started again
        assert (kept.size, kept.hashes, kept.root()) == (at, one_by_one.hashes, one_by_one.root())


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_every_inclusion_proof(size):
    root = plain_root(0, size)
    for index in range(size):
        proof = inclusion_proof(index, size, node)
        check_inclusion(HASHES[index], index, size, proof, root)
        other = (index + 1) % size
        if other != index:
            with pytest.raises(ProofInvalid):
                check_inclusion(HASHES[index], other, size, proof, root)
            with pytest.raises(ProofInvalid):
                check_inclusion(HASHES[other], index, size, proof, root)


@pytest.mark.parametrize("new", range(LARGEST + 1))
def test_every_consistency_proof(new):
    root = plain_root(0, new)
    for old in range(new + 1):
        proof = consistency_proof(old, new, node)
        check_consistency(old, plain_root(0, old), new, root, proof)
        if old:
            with pytest.raises(ProofInvalid):
                check_consistency(old, flipped(plain_root(0, old), 3), new, root, proof)


@given(st.data())
def test_a_flipped_bit_anywhere_in_an_inclusion_proof_is_refused(data):
    size = data.draw(st.integers(1, LARGEST))
    index = data.draw(st.integers(0, size - 1))
    parts = [HASHES[index], plain_root(0, size), *inclusion_proof(index, size, node)]
    part, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    parts[part] = flipped(parts[part], bit)
    with pytest.raises(ProofInvalid):
        check_inclusion(parts[0], index, size, parts[2:], parts[1])


@given(st.data())
def test_a_flipped_bit_anywhere_in_a_consistency_proof_is_refused(data):
    new = data.draw(st.integers(2, LARGEST))
    old = data.draw(st.integers(1, new - 1))
    parts = [plain_root(0, old), plain_root(0, new), *consistency_proof(old, new, node)]
    part, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    parts[part] = flipped(parts[part], bit)
    with pytest.raises(ProofInvalid):
        check_consistency(old, parts[0], new, parts[1], parts[2:])


@given(st.data())
def test_a_proof_cut_lengthened_or_turned_round_is_refused(data):
    size = data.draw(st.integers(3, LARGEST))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size - 1))
    root = plain_root(0, size)
    for proof, check in (
        (inclusion_proof(index, size, node), lambda steps: check_inclusion(HASHES[index], index, size, steps, root)),
        (consistency_proof(old, size, node), lambda steps: check_consistency(old, plain_root(0, old), size, root, steps)),
    ):
        check(proof)
        wrong = [proof[:-1], proof[1:], [*proof, proof[-1]], [proof[0], *proof], [], proof[::-1], [*proof[:-1], b"short"]]
        for steps in wrong:
            if steps != proof:
                with pytest.raises(ProofInvalid):
                    check(steps)


def test_a_leaf_that_is_really_a_node_is_refused():
    """The classic second preimage: without the prefixes, a node's two halves would pass as a leaf of a smaller tree."""
    root = plain_root(0, 4)
    fake_leaf = plain_root(0, 2) + plain_root(2, 4)
    with pytest.raises(ProofInvalid):
        check_inclusion(leaf_hash(fake_leaf), 0, 1, [], root)


def test_a_history_rewritten_is_refused():
    """A log that changes leaf 2 after a witness saw 5 leaves finds no proof: neither its own nor the honest one."""
    rewritten = [*HASHES[:2], leaf_hash(b"another"), *HASHES[3:8]]

    def lying(level: int, index: int) -> bytes:
        return root_of(rewritten[index << level : (index + 1) << level])

    for proof in (consistency_proof(5, 8, lying), consistency_proof(5, 8, node)):
        with pytest.raises(ProofInvalid):
            check_consistency(5, plain_root(0, 5), 8, root_of(rewritten), proof)


def test_two_roots_for_one_size_are_refused_by_name():
    with pytest.raises(ProofInvalid, match="two roots for one tree of 5"):
        check_consistency(5, HASHES[0], 5, HASHES[1], [])
    with pytest.raises(ProofInvalid, match="empty tree"):
        check_consistency(0, HASHES[0], 5, plain_root(0, 5), [])
    with pytest.raises(ProofInvalid, match="is empty, this one has 1"):
        check_consistency(5, plain_root(0, 5), 5, plain_root(0, 5), [HASHES[0]])


@pytest.mark.parametrize(
    "call",
    [
        lambda: inclusion_proof(0, 0, node),
        lambda: inclusion_proof(5, 5, node),
        lambda: inclusion_proof(-1, 5, node),
        lambda: inclusion_proof(0, 2**63, node),
        lambda: consistency_proof(6, 5, node),
        lambda: consistency_proof(-1, 5, node),
        lambda: root_from(-1, node),
        lambda: frontier_from(2**63, node),
        lambda: check_inclusion(HASHES[0], 5, 5, [], HASHES[0]),
        lambda: check_inclusion(HASHES[0], -1, 5, [], HASHES[0]),
        lambda: check_inclusion(b"no hash", 0, 1, [], b"no hash"),
        lambda: root_from_inclusion(HASHES[0], 0, 2, [b""]),
        lambda: check_consistency(6, HASHES[0], 5, HASHES[0], []),
        lambda: check_consistency(5, b"", 5, b"", []),
        lambda: check_consistency(1, HASHES[0], 2, plain_root(0, 2), [b"short"]),
        lambda: Frontier(-1),
        lambda: Frontier(3, [HASHES[0]]),
        lambda: Frontier(1, [b"short"]),
        lambda: Frontier().append(b"short"),
        lambda: Frontier().extend([HASHES[0], b"short"]),
    ],
)
def test_what_no_tree_holds_is_refused(call):
    with pytest.raises(ProofInvalid) as refused:
        call()
    assert isinstance(refused.value, (AuditError, ValueError))


def test_a_refused_batch_leaves_the_frontier_as_it_was():
    frontier = Frontier()
    frontier.extend(HASHES[:7])
    before = (frontier.size, frontier.hashes)
    with pytest.raises(ProofInvalid):
        frontier.extend([HASHES[7], b"short"])
    assert (frontier.size, frontier.hashes) == before
