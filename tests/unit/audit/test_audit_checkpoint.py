"""Checkpoints: the specification's example, every malformed line, and who must have signed."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.audit.errors import NoteInvalid
from tightrope.audit.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from tightrope.audit.tlog.merkle import EMPTY_ROOT
from tightrope.audit.tlog.note import CosignatureSigner, Ed25519Signer, Note, Signature

ORIGIN = "tightrope.example/audit/2026"
ROOT = bytes(range(32))
HEAD = Checkpoint(ORIGIN, 7, ROOT)
LOG = Ed25519Signer.from_seed(ORIGIN, b"L" * 32)
ROTATED = Ed25519Signer.from_seed(ORIGIN, b"R" * 32)
OTHER_LOG = Ed25519Signer.from_seed("tightrope.example/audit/2027", b"O" * 32)
WITNESS = CosignatureSigner.from_seed("witness.example/w1", b"W" * 32)
SIGNED = sign_checkpoint(HEAD, [LOG])

lines = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=60)


def test_the_example_of_the_specification():
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    head = Checkpoint.parse(text)
    assert (head.origin, head.size, head.extensions) == ("example.com/behind-the-sofa", 20852163, ())
    assert base64.b64encode(head.root) == b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    assert head.text() == text


@given(lines, st.integers(1, 2**63 - 1), st.binary(min_size=32, max_size=32), st.lists(lines, max_size=3))
def test_a_checkpoint_comes_back(origin, size, root, extensions):
    head = Checkpoint(origin, size, root, tuple(extensions))
    assert Checkpoint.parse(head.text()) == head


def test_the_empty_tree_has_one_root():
    assert Checkpoint.parse(Checkpoint(ORIGIN, 0, EMPTY_ROOT).text()).size == 0
    with pytest.raises(NoteInvalid, match="SHA-256 of nothing"):
        Checkpoint(ORIGIN, 0, ROOT)


B64 = base64.b64encode(ROOT).decode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ends with a newline"),
        (f"{ORIGIN}\n7\n{B64}", "ends with a newline"),
        (f"{ORIGIN}\n7\n", "three lines"),
        (f"\n7\n{B64}\n", "origin"),
        (f"{ORIGIN}\n07\n{B64}\n", "line 2"),
        (f"{ORIGIN}\n+7\n{B64}\n", "line 2"),
        (f"{ORIGIN}\n-7\n{B64}\n", "line 2"),
        (f"{ORIGIN}\n7 \n{B64}\n", "line 2"),
        (f"{ORIGIN}\n\n{B64}\n", "line 2"),
        (f"{ORIGIN}\n7_0\n{B64}\n", "line 2"),
        (f"{ORIGIN}\n٧\n{B64}\n", "line 2"),
        (f"{ORIGIN}\n{2**63}\n{B64}\n", "line 2"),
        (f"{ORIGIN}\n{'9' * 5000}\n{B64}\n", "line 2"),
        (f"{ORIGIN}\n7\n{B64[:-4]}\n", "line 3"),
        (f"{ORIGIN}\n7\n{B64[:-1]}\n", "line 3"),
        (f"{ORIGIN}\n7\n{B64[:-2]}9=\n", "line 3"),
        (f"{ORIGIN}\n7\n {B64}\n", "line 3"),
        (f"{ORIGIN}\n7\n\n", "line 3"),
        (f"{ORIGIN}\n7\n{B64}\n\n", "extension line"),
        (f"{ORIGIN}\n7\n{B64}\n\nmore\n", "extension line"),
        (f"{ORIGIN}\r\n7\n{B64}\n", "control characters"),
    ],
)
def test_malformed_checkpoints_are_refused_by_line(text, reason):
    with pytest.raises(NoteInvalid, match=reason):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Checkpoint("", 7, ROOT),
        lambda: Checkpoint("two\nlines", 7, ROOT),
        lambda: Checkpoint(ORIGIN, -1, ROOT),
        lambda: Checkpoint(ORIGIN, 2**63, ROOT),
        lambda: Checkpoint(ORIGIN, 7, ROOT[:-1]),
        lambda: Checkpoint(ORIGIN, 7, ROOT, ("",)),
        lambda: Checkpoint(ORIGIN, 7, ROOT, ("a\nb",)),
        lambda: sign_checkpoint(HEAD, []),
    ],
)
def test_what_no_checkpoint_holds_is_not_made(call):
    with pytest.raises(NoteInvalid):
        call()


def test_a_signed_checkpoint_opens_with_what_the_witnesses_said():
    note = Note.parse(sign_checkpoint(HEAD, [LOG, ROTATED])).with_signatures([WITNESS.sign(HEAD.text(), 1_700_000_000)])
    signed = open_checkpoint(note.encode(), [LOG.key, ROTATED.key, OTHER_LOG.key], [WITNESS.key])
    assert (signed.checkpoint, signed.note) == (HEAD, note)
    assert [item.key for item in signed.log] == [LOG.key, ROTATED.key]
    assert [(item.key, item.time) for item in signed.cosignatures] == [(WITNESS.key, 1_700_000_000)]


def test_a_reader_with_one_of_two_rotating_keys_is_served():
    note = sign_checkpoint(HEAD, [LOG, ROTATED])
    for key in (LOG.key, ROTATED.key):
        assert [item.key for item in open_checkpoint(note, [key]).log] == [key]


def test_a_cosignature_alone_is_no_signature_of_the_log():
    note = Note(HEAD.text(), (WITNESS.sign(HEAD.text(), 1),)).encode()
    with pytest.raises(NoteInvalid, match="not signed by the log"):
        open_checkpoint(note, [LOG.key], [WITNESS.key])


def test_another_log_cannot_sign_for_this_origin():
    """A key of the 2027 shard signs a text that claims to be 2026's."""
    forged = Note(HEAD.text(), (OTHER_LOG.sign(HEAD.text()),)).encode()
    with pytest.raises(NoteInvalid, match="no key of the log"):
        open_checkpoint(forged, [OTHER_LOG.key])
    with pytest.raises(NoteInvalid, match="no known key"):
        open_checkpoint(forged, [OTHER_LOG.key, LOG.key])


def test_a_witness_named_as_the_log_cannot_sign_for_it():
    impostor = CosignatureSigner.from_seed(ORIGIN, b"I" * 32)
    note = Note(HEAD.text(), (impostor.sign(HEAD.text(), 1),)).encode()
    with pytest.raises(NoteInvalid, match="no key of the log"):
        open_checkpoint(note, [impostor.key])


def test_an_unknown_log_is_named():
    with pytest.raises(NoteInvalid, match=ORIGIN):
        open_checkpoint(SIGNED, [])


@given(st.data())
def test_no_flipped_bit_of_a_checkpoint_goes_unnoticed(data):
    bit = data.draw(st.integers(0, len(SIGNED) * 8 - 1))
    flipped = bytearray(SIGNED)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NoteInvalid):
        open_checkpoint(bytes(flipped), [LOG.key])


def test_a_note_that_is_no_checkpoint_is_refused_even_when_signed():
    text = f"{ORIGIN}\nnot a number\n{B64}\n"
    with pytest.raises(NoteInvalid, match="line 2"):
        open_checkpoint(Note(text, (LOG.sign(text),)).encode(), [LOG.key])


def test_a_bad_cosignature_of_a_known_witness_spoils_the_checkpoint():
    line = WITNESS.sign(HEAD.text(), 1)
    bad = Signature(line.name, line.key_id, line.body[:-1] + bytes([line.body[-1] ^ 1]))
    note = Note.parse(SIGNED).with_signatures([bad]).encode()
    with pytest.raises(NoteInvalid, match="does not hold"):
        open_checkpoint(note, [LOG.key], [WITNESS.key])
    assert open_checkpoint(note, [LOG.key]).cosignatures == ()
