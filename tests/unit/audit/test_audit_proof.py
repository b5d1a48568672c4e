"""Proofs to hand out: form of the specification, round trip, and every part forged."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.audit.errors import NoteInvalid, ProofInvalid
from tightrope.audit.tlog.checkpoint import Checkpoint, sign_checkpoint
from tightrope.audit.tlog.merkle import inclusion_proof, leaf_hashes, root_of
from tightrope.audit.tlog.note import CosignatureSigner, Ed25519Signer, Note
from tightrope.audit.tlog.policy import NONE, Log, Policy, Witness
from tightrope.audit.tlog.proof import HASH_LIMIT, TlogProof

ORIGIN = "tightrope.example/audit/2026"
LEAVES = [b'{"n":%d}' % number for number in range(70)]
HASHES = leaf_hashes(LEAVES)
LOG = Ed25519Signer.from_seed(ORIGIN, b"L" * 32)
WITNESS = CosignatureSigner.from_seed("witness.example/w1", b"W" * 32)
POLICY = Policy((Log(LOG.key),), (Witness("w1", WITNESS.key),), (), "w1")


def node(level: int, index: int) -> bytes:
    return root_of(HASHES[index << level : (index + 1) << level])


def proof_of(index: int, size: int = 70, extra: bytes | None = None, *, witnessed: bool = True) -> TlogProof:
    head = Checkpoint(ORIGIN, size, root_of(HASHES[:size]))
    note = Note.parse(sign_checkpoint(head, [LOG]))
    if witnessed:
        note = note.with_signatures([WITNESS.sign(note.text, 1_700_000_000)])
    return TlogProof(index, tuple(inclusion_proof(index, size, node)), note.encode(), extra)


GOOD = proof_of(17)


def test_the_file_is_that_of_the_specification():
    lines = proof_of(2, 3, b"extra").encode().decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra ZXh0cmE=", "index 2"]
    assert lines[3] == base64.b64encode(root_of(HASHES[:2])).decode()
    assert lines[4:7] == ["", ORIGIN, "3"]
    assert proof_of(0, 1).encode().startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + ORIGIN.encode())


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_proof_comes_back_and_holds(data):
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    proof = proof_of(index, size, data.draw(st.none() | st.binary(max_size=50)))
    assert TlogProof.parse(proof.encode()) == proof
    signed = TlogProof.parse(proof.encode()).check(LEAVES[index], POLICY)
    assert (signed.checkpoint.size, signed.cosignatures[0].time) == (size, 1_700_000_000)


def test_another_leaf_and_another_index_are_refused():
    with pytest.raises(ProofInvalid, match="leaf 17 does not lead to the root"):
        GOOD.check(LEAVES[18], POLICY)
    with pytest.raises(ProofInvalid):
        TlogProof(18, GOOD.hashes, GOOD.checkpoint).check(LEAVES[17], POLICY)
    with pytest.raises(ProofInvalid, match="no leaf 70"):
        TlogProof(70, GOOD.hashes, GOOD.checkpoint).check(LEAVES[17], POLICY)


def test_a_checkpoint_without_the_quorum_or_the_log_is_refused():
    with pytest.raises(NoteInvalid, match="quorum w1: cosigned by nobody"):
        proof_of(17, witnessed=False).check(LEAVES[17], POLICY)
    stranger = Policy((Log(Ed25519Signer.from_seed(ORIGIN, b"X" * 32).key),), (), (), NONE)
    with pytest.raises(NoteInvalid, match="no known key"):
        GOOD.check(LEAVES[17], stranger)


@settings(deadline=None)
@given(st.data())
def test_no_flipped_bit_of_a_proof_goes_unnoticed(data):
    built = GOOD.encode()
    bit = data.draw(st.integers(0, len(built) * 8 - 1))
    flipped = bytearray(built)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises((NoteInvalid, ProofInvalid)):
        TlogProof.parse(bytes(flipped)).check(LEAVES[17], POLICY)


def test_the_extra_data_is_vouched_for_by_nothing():
    """The specification says so; who needs it signed must not put it there."""
    TlogProof(GOOD.index, GOOD.hashes, GOOD.checkpoint, b"anything").check(LEAVES[17], POLICY)


TEXT = GOOD.encode().decode()
FIRST = base64.b64encode(GOOD.hashes[0]).decode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty line"),
        (TEXT.replace("@v1", "@v2"), "begins with the line"),
        (TEXT.replace("index 17\n", ""), "line 2 .* reads `index"),
        (TEXT.replace("index 17", "index 017"), "line 2"),
        (TEXT.replace("index 17", "index -1"), "line 2"),
        (TEXT.replace("index 17", "index 17 "), "line 2"),
        (TEXT.replace("index 17", "INDEX 17"), "line 2"),
        (TEXT.replace("index 17", "extra !!\nindex 17"), "line 2"),
        (TEXT.replace("index 17", "index 17\nindex 17"), "line 3"),
        (TEXT.replace("index 17", "extra AAAA\nextra AAAA\nindex 17"), "line 3"),
        (TEXT.replace(FIRST, FIRST[:-4]), "line 3"),
        (TEXT.replace(FIRST, "é" + FIRST), "ASCII"),
        (TEXT.replace(FIRST, "\n".join([FIRST] * (HASH_LIMIT + 1))), "at most 63"),
        (TEXT.replace("\n\n", "\n", 1), "."),
        (TEXT.replace(f"{ORIGIN}\n70", f"{ORIGIN}\nseventy"), "line 2 of the checkpoint"),
        (TEXT[: TEXT.index("—")], "."),
        (TEXT + "x" * 2_000_000, "at most"),
    ],
)
def test_malformed_proofs_are_refused_by_line(text, reason):
    with pytest.raises(NoteInvalid, match=reason):
        TlogProof.parse(text.encode())


@pytest.mark.parametrize(
    "proof",
    [
        TlogProof(70, GOOD.hashes, GOOD.checkpoint),
        TlogProof(-1, GOOD.hashes, GOOD.checkpoint),
        TlogProof(17, (b"short",), GOOD.checkpoint),
        TlogProof(17, (bytes(32),) * 64, GOOD.checkpoint),
        TlogProof(17, GOOD.hashes, b"no note"),
    ],
)
def test_what_no_proof_holds_is_not_written(proof):
    with pytest.raises(NoteInvalid):
        proof.encode()
