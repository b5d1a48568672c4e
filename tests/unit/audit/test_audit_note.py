"""Signed notes: published vectors, keys, several signers, and notes that are malformed, forged or signed by nobody we know."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.audit.errors import NoteInvalid
from tightrope.audit.tlog.keys import COSIGNATURE, ED25519, SM2_SM3, cosigned
from tightrope.audit.tlog.note import (
    NOTE_LIMIT,
    SIGNATURE_LIMIT,
    CosignatureSigner,
    Ed25519Signer,
    Note,
    Signature,
    VerifierKey,
    verify,
)

# golang.org/x/mod/sumdb/note, package documentation
NEUMANN_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN_SKEY = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
NEUMANN_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_LINE = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
# The Go checksum database, and one of its tree heads
SUMDB_VKEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
SUMDB_NOTE = (
    "go.sum database tree\n15368405\n/g9am3I6YWNKaZX/jkne1fqd9zEyjss+JXyPXG0WfkY=\n\n"
    "— sum.golang.org Az3grqJGUaSGukG9p8nI2vKgiFn7qGHxn0W+mrwyI6Gz3F0t1J3LzmWk/p96Ybf295EjwdSwlzgijq5WA9d1Ded7owM=\n"
).encode()

LOG = Ed25519Signer.from_seed("log.example/2026", b"L" * 32)
ROTATED = Ed25519Signer.from_seed("log.example/2026", b"R" * 32)
WITNESS = CosignatureSigner.from_seed("witness.example/w1", b"W" * 32)
TEXT = "log.example/2026\n7\nAAAA\n"
SIGNED = Note(TEXT, (LOG.sign(TEXT), ROTATED.sign(TEXT), WITNESS.sign(TEXT, 1_700_000_000)))
ALL = (LOG.key, ROTATED.key, WITNESS.key)

texts = st.text(st.characters(blacklist_categories=("Cs",), min_codepoint=32) | st.just("\n"), max_size=200).map(
    lambda text: text + "\n"
)
names = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Z")), min_size=1, max_size=40).filter(
    lambda name: "+" not in name and not any(character.isspace() for character in name)
)


def test_the_published_note_is_made_and_verified():
    signer = Ed25519Signer.from_seed("PeterNeumann", base64.b64decode(NEUMANN_SKEY)[1:])
    assert signer.vkey == NEUMANN_VKEY
    note = Note(NEUMANN_TEXT, (signer.sign(NEUMANN_TEXT),)).encode()
    assert note == (NEUMANN_TEXT + "\n" + NEUMANN_LINE).encode()
    verified = verify(note, [VerifierKey.parse(NEUMANN_VKEY)])
    assert (verified.text, [item.time for item in verified.verified]) == (NEUMANN_TEXT, [None])


def test_a_tree_head_of_the_go_checksum_database_verifies():
    assert verify(SUMDB_NOTE, [VerifierKey.parse(SUMDB_VKEY)]).text.startswith("go.sum database tree\n15368405\n")


def test_the_message_of_a_cosignature_is_that_of_the_specification():
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert cosigned(text, 1679315147) == f"cosignature/v1\ntime 1679315147\n{text}".encode()
    line = "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA=="
    signature = Signature.parse(line)
    assert signature.key_id.hex() == "8d66cf3f"
    assert (int.from_bytes(signature.body[:8], "big"), len(signature.body)) == (1679315147, 72)


def test_several_signatures_are_verified_and_a_cosignature_tells_its_time():
    verified = verify(SIGNED.encode(), ALL)
    assert [(item.key, item.time) for item in verified.verified] == [
        (LOG.key, None),
        (ROTATED.key, None),
        (WITNESS.key, 1_700_000_000),
    ]
    assert verified.note == SIGNED


def test_signatures_of_unknown_keys_are_ignored_whatever_they_hold():
    stranger = Signature("stranger.example", b"abcd", b"nothing that is a signature")
    same_name = Signature(LOG.key.name, b"abcd", b"another key of this name")
    same_id = Signature("other.example", LOG.key.key_id, b"another name of this id")
    note = SIGNED.with_signatures([stranger, same_name, same_id])
    verified = verify(note.encode(), [LOG.key])
    assert [item.key for item in verified.verified] == [LOG.key]
    assert verified.note == note


def test_a_note_nobody_known_signed_is_refused():
    with pytest.raises(NoteInvalid, match=r"no known key .* log\.example/2026"):
        verify(SIGNED.encode(), [VerifierKey.parse(NEUMANN_VKEY)])
    with pytest.raises(NoteInvalid, match="no known key"):
        verify(SIGNED.encode(), [])


@pytest.mark.parametrize("place", range(3))
def test_one_bad_signature_of_a_known_key_spoils_the_note(place):
    lines = list(SIGNED.signatures)
    lines[place] = Signature(lines[place].name, lines[place].key_id, lines[place].body[:-1] + bytes([lines[place].body[-1] ^ 1]))
    with pytest.raises(NoteInvalid, match="does not hold"):
        verify(Note(TEXT, tuple(lines)).encode(), ALL)


@pytest.mark.parametrize("body", [b"x", b"\x00" * 8, b"\x00" * 71, b"\xff" * 72, b"\x00" * 73])
def test_a_cosignature_of_another_form_is_refused(body):
    note = Note(TEXT, (Signature(WITNESS.key.name, WITNESS.key.key_id, body),)).encode()
    with pytest.raises(NoteInvalid):
        verify(note, [WITNESS.key])


def test_a_cosignature_moved_to_another_time_is_refused():
    line = WITNESS.sign(TEXT, 1_700_000_000)
    later = Signature(line.name, line.key_id, (1_800_000_000).to_bytes(8, "big") + line.body[8:])
    with pytest.raises(NoteInvalid, match="does not hold"):
        verify(Note(TEXT, (later,)).encode(), [WITNESS.key])


def test_a_log_signature_does_not_pass_as_a_cosignature_nor_the_other_way_round():
    """One seed under both types: the key ids differ, and each type signs another message."""
    log, witness = Ed25519Signer.from_seed("both.example", b"B" * 32), CosignatureSigner.from_seed("both.example", b"B" * 32)
    assert log.key.key_id != witness.key.key_id
    as_witness = Signature("both.example", witness.key.key_id, bytes(8) + log.sign(TEXT).body)
    as_log = Signature("both.example", log.key.key_id, witness.sign(TEXT, 0).body[8:])
    for forged, key in ((as_witness, witness.key), (as_log, log.key)):
        with pytest.raises(NoteInvalid, match="does not hold"):
            verify(Note(TEXT, (forged,)).encode(), [key])


def test_two_known_keys_of_one_name_and_id_are_refused(monkeypatch):
    """Ids are four bytes, so that two keys of one id can be found by search; here they are made equal."""
    monkeypatch.setattr(VerifierKey, "key_id", property(lambda _: b"same"))
    with pytest.raises(NoteInvalid, match="two known keys"):
        verify(SIGNED.encode(), [LOG.key, ROTATED.key])


@given(texts, st.lists(names, min_size=1, max_size=4, unique=True))
def test_notes_of_any_text_come_back_and_verify(text, signers):
    keys = [Ed25519Signer.from_seed(name, hashlib.sha256(name.encode()).digest()) for name in signers]
    note = Note(text, tuple(key.sign(text) for key in keys))
    verified = verify(note.encode(), [key.key for key in keys])
    assert (verified.note, verified.text, len(verified.verified)) == (note, text, len(keys))


@given(st.data())
def test_no_flipped_bit_of_a_note_goes_unnoticed(data):
    built = SIGNED.encode()
    bit = data.draw(st.integers(0, len(built) * 8 - 1))
    flipped = bytearray(built)
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        verified = verify(bytes(flipped), ALL)
    except NoteInvalid:
        return
    # A bit in a name, id or dash turns a signature into a stranger's: it no longer counts, and the text is untouched.
    assert verified.text == TEXT
    assert len(verified.verified) == len(SIGNED.signatures) - 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"text\n",
        b"text\n\n",
        TEXT.encode() + LOG.sign(TEXT).line().encode(),
        TEXT.encode() + b"\n" + LOG.sign(TEXT).line().encode()[:-1],
        TEXT.encode() + b"\n" + LOG.sign(TEXT).line().encode() + b"\n",
        TEXT.encode() + b"\n" + LOG.sign(TEXT).line().replace("—", "-").encode(),
        TEXT.encode() + b"\n" + LOG.sign(TEXT).line().replace(" log", "  log").encode(),
        TEXT.encode() + b"\n" + LOG.sign(TEXT).line().replace("\n", "\r\n").encode(),
        TEXT.replace("7", "\t7").encode() + b"\n" + LOG.sign(TEXT).line().encode(),
        b"\xff\n\n" + LOG.sign(TEXT).line().encode(),
        TEXT.encode() + "\n— log.example/2026 AAAA\n".encode(),
        TEXT.encode() + "\n— log.example/2026 AAAAAA==\n".encode(),
        TEXT.encode() + "\n— log.example/2026 !!!!\n".encode(),
        TEXT.encode() + "\n— log.example/2026 AAAAAAB=\n".encode(),
        TEXT.encode() + "\n—  AAAAAAAA\n".encode(),
        TEXT.encode() + "\n— a+b AAAAAAAA\n".encode(),
        TEXT.encode() + "\n— a\u3000b AAAAAAAA\n".encode(),
    ],
)
def test_malformed_notes_are_refused(data):
    with pytest.raises(NoteInvalid):
        Note.parse(data)
    with pytest.raises(NoteInvalid):
        verify(data, ALL)


def test_a_text_may_hold_empty_lines_the_last_one_divides():
    text = "one\n\ntwo\n"
    note = Note(text, (LOG.sign(text),))
    assert Note.parse(note.encode()) == note


def test_limits_of_size_and_number():
    line = LOG.sign(TEXT)
    many = [Signature(f"k{number}", b"abcd", b"x") for number in range(SIGNATURE_LIMIT)]
    full = Note(TEXT, tuple(many))
    assert Note.parse(full.encode()) == full
    with pytest.raises(NoteInvalid, match="from 1 to 100 signatures, not 101"):
        full.with_signatures([line]).encode()
    with pytest.raises(NoteInvalid, match="at most 100 signatures"):
        Note.parse(full.encode() + line.line().encode())
    with pytest.raises(NoteInvalid, match="not 0"):
        Note(TEXT).encode()
    long = "x" * NOTE_LIMIT + "\n"
    with pytest.raises(NoteInvalid, match="at most 1000000 bytes"):
        Note(long, (LOG.sign(long),)).encode()
    with pytest.raises(NoteInvalid, match="at most 1000000 bytes"):
        Note.parse(long.encode())


def test_a_signature_is_not_repeated():
    assert SIGNED.with_signatures(SIGNED.signatures) == SIGNED


@pytest.mark.parametrize("text", ["no newline", "", "tab\there\n", "null\0\n", "return\r\n", "\ud800\n"])
def test_texts_that_no_note_holds_are_neither_written_nor_signed(text):
    for call in (lambda: Note(text), lambda: LOG.sign(text), lambda: WITNESS.sign(text, 0)):
        with pytest.raises(NoteInvalid):
            call()


@pytest.mark.parametrize("time", [-1, 2**63])
def test_times_out_of_range_are_not_signed(time):
    with pytest.raises(NoteInvalid, match="time"):
        WITNESS.sign(TEXT, time)


@given(names, st.binary(min_size=32, max_size=32))
def test_keys_come_back_from_their_text(name, seed):
    for signer in (Ed25519Signer.from_seed(name, seed), CosignatureSigner.from_seed(name, seed)):
        assert VerifierKey.parse(signer.vkey) == signer.key


def test_a_key_may_have_plus_in_its_base64_and_capitals_in_its_id():
    assert "+" in SUMDB_VKEY.split("+", 2)[2]
    assert VerifierKey.parse(SUMDB_VKEY.replace("033de0ae", "033DE0AE")) == VerifierKey.parse(SUMDB_VKEY)


@pytest.mark.parametrize(
    ("vkey", "reason"),
    [
        ("", "reads"),
        ("name", "reads"),
        ("name+c74f20a3", "reads"),
        ("PeterNeumann+c74f20a+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "reads"),
        ("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "its id is c74f20a3, not c74f20a4"),
        ("PeterNeumann2+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "its id is"),
        ("Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "spaces"),
        ("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "not empty"),
        ("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T", "base64"),
        ("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10", "base64"),
        ("PeterNeumann+c74f20a3+ARpc", "has 32 bytes, not 2"),
        ("PeterNeumann+c74f20a3+BRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "unknown signature type"),
        ("PeterNeumann+c74f20a3+/3RpZ2h0cm9wZS9vdGhlcg==", "unknown signature type"),
        ("PeterNeumann+c74f20a3+", "unknown signature type"),
    ],
)
def test_malformed_keys_are_refused_with_the_reason(vkey, reason):
    with pytest.raises(NoteInvalid, match=reason):
        VerifierKey.parse(vkey)


def test_seeds_and_secrets_of_another_length_are_refused():
    for call in (
        lambda: Ed25519Signer.from_seed("a", b"short"),
        lambda: CosignatureSigner.from_seed("a", b"x" * 33),
        lambda: Ed25519Signer.for_origin("a", b"short"),
        lambda: Ed25519Signer.for_origin("a b", b"x" * 32),
        lambda: VerifierKey("a", SM2_SM3, b"x" * 64),
    ):
        with pytest.raises(NoteInvalid):
            call()


def test_each_shard_has_its_own_key_from_one_secret():
    years = [Ed25519Signer.for_origin(f"log.example/{year}", b"S" * 32) for year in (2026, 2027)]
    assert years[0].key.public != years[1].key.public
    assert years[0].key == Ed25519Signer.for_origin("log.example/2026", b"S" * 32).key
    assert (
        years[0].vkey
        == "log.example/2026+" + years[0].key.key_id.hex() + "+" + base64.b64encode(ED25519 + years[0].key.public).decode()
    )


def small_order_heights() -> set[int]:
    """The y of the points of order 1, 2, 4 and 8 of edwards25519 (RFC 8032, 5.1): 1, -1, 0, and those that double to y = 0.

    A doubled point has y = 0 where x^2 = -y^2; then the curve's equation reads d*y^4 + 2*y^2 - 1 = 0.
    """
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p

    def roots(square: int) -> list[int]:
        root = pow(square, (p + 3) // 8, p)
        found = [each for each in (root, root * pow(2, (p - 1) // 4, p) % p) if each * each % p == square]
        return [*found, *(p - each for each in found)]

    squares = [(-1 + root) * pow(d, -1, p) % p for root in roots((1 + d) % p)]
    return {0, 1, p - 1, *(height for square in squares for height in roots(square))}


@pytest.mark.parametrize("sign", [0, 0x80])
def test_keys_under_which_anybody_can_sign_are_refused(sign):
    heights = small_order_heights()
    assert len(heights) == 5
    for height in [*heights, 2**255 - 19, 2**255 - 18, 2**255 - 1]:
        public = bytearray(height.to_bytes(32, "little"))
        public[31] |= sign
        for kind in (ED25519, COSIGNATURE):
            with pytest.raises(NoteInvalid, match="anybody could sign"):
                VerifierKey("weak.example", kind, bytes(public))


def test_why_such_keys_are_refused():
    """Under the neutral element a made-up signature holds for every text, as the library sees it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    neutral = b"\x01" + bytes(31)
    Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), b"whatever one likes")
