"""Signed notes (C2SP signed-note) with log signatures and witness cosignatures (C2SP tlog-cosignature). Pure.

text, ending in a newline
(empty line)
— <key name> base64(key id of 4 bytes || signature)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tightrope.audit.errors import NoteInvalid
from tightrope.audit.tlog import sm2
from tightrope.audit.tlog.encoding import from_base64, to_base64
from tightrope.audit.tlog.keys import (
    COSIGNATURE,
    ED25519,
    KEY_ID_SIZE,
    SM2_SM3,
    TIME_SIZE,
    VerifierKey,
    check_name,
    check_text,
    cosigned,
)

__all__ = [
    "CosignatureSigner",
    "Ed25519Signer",
    "Note",
    "Signature",
    "Signer",
    "Sm2Signer",
    "VerifiedNote",
    "VerifiedSignature",
    "VerifierKey",
    "verify",
]

NOTE_LIMIT = 1_000_000
"""Bytes that a note may have."""

SIGNATURE_LIMIT = 100
"""Signatures that a note may have."""

_SEED_SIZE = 32
_KEY_INFO = b"tightrope/log-key\n"
"""What a shard's key is derived for, before its origin."""
_DASH = "\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line.

    Attributes:
        name: the key's name.
        key_id: 4 bytes.
        body: what follows the key id: the signature in the form of its type.
    """

    name: str
    key_id: bytes
    body: bytes

    def line(self) -> str:
        """The line with its newline, as it stands in a note and in a witness's answer."""
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.body)}\n"

    @classmethod
    def parse(cls, line: str) -> Signature:
        """Read a signature line, with or without its newline.

        Raises:
            NoteInvalid: not of the form `— name base64`.
        """
        parts = line.removesuffix("\n").split(" ")
        if len(parts) != 3 or parts[0] != _DASH.strip():
            raise NoteInvalid(f"a signature line reads `— name base64`, not {line[:80]!r}")
        check_name(parts[1])
        try:
            data = from_base64(parts[2])
        except ValueError as error:
            raise NoteInvalid(f"the signature of {parts[1]}: {error}") from None
        if len(data) <= KEY_ID_SIZE:
            raise NoteInvalid(f"the signature of {parts[1]} is empty")
        return cls(parts[1], data[:KEY_ID_SIZE], data[KEY_ID_SIZE:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures, none of them checked: see `verify`."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def __post_init__(self) -> None:
        """Refuse texts that no note can hold.

        Raises:
            NoteInvalid: no newline at the end, control characters, lone surrogates.
        """
        check_text(self.text)

    def encode(self) -> bytes:
        """The note as it is stored and sent.

        Raises:
            NoteInvalid: without a signature, or too large.
        """
        if not 1 <= len(self.signatures) <= SIGNATURE_LIMIT:
            raise NoteInvalid(f"a note has from 1 to {SIGNATURE_LIMIT} signatures, not {len(self.signatures)}")
        data = (self.text + "\n" + "".join(signature.line() for signature in self.signatures)).encode()
        if len(data) > NOTE_LIMIT:
            raise NoteInvalid(f"a note has at most {NOTE_LIMIT} bytes, this one {len(data)}")
        return data

    def with_signatures(self, signatures: Iterable[Signature]) -> Note:
        """The note with further signatures; those it has already are not repeated."""
        return Note(self.text, tuple(dict.fromkeys([*self.signatures, *signatures])))

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note.

        Raises:
            NoteInvalid: too large, no UTF-8, control characters, no signatures or malformed ones.
        """
        if len(data) > NOTE_LIMIT:
            raise NoteInvalid(f"a note has at most {NOTE_LIMIT} bytes, this one {len(data)}")
        try:
            whole = data.decode()
        except UnicodeDecodeError:
            raise NoteInvalid("the note is no UTF-8") from None
        head, blank, tail = whole.rpartition("\n\n")
        if not blank or not tail.endswith("\n"):
            raise NoteInvalid("a note is a text, an empty line and signature lines, each ended by a newline")
        lines = tail[:-1].split("\n")
        if len(lines) > SIGNATURE_LIMIT:
            raise NoteInvalid(f"a note has at most {SIGNATURE_LIMIT} signatures, this one {len(lines)}")
        return cls(head + "\n", tuple(Signature.parse(line) for line in lines))


class Signer(Protocol):
    """What signs a log's notes."""

    @property
    def key(self) -> VerifierKey:
        """The public half."""
        ...

    def sign(self, text: str) -> Signature:
        """A signature over a note's text."""
        ...


@dataclass(frozen=True, slots=True)
class _Ed25519Half:
    key: VerifierKey
    _private: Ed25519PrivateKey

    @property
    def vkey(self) -> str:
        """The public key as a text."""
        return self.key.vkey


class Ed25519Signer(_Ed25519Half):
    """Signs a log's checkpoints (type 0x01)."""

    __slots__ = ()

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> Ed25519Signer:
        """The signer of a key.

        Args:
            name: the log's origin.
            seed: the private key, 32 bytes (RFC 8032).

        Raises:
            NoteInvalid: name or seed cannot be.
        """
        return cls(*_half(name, ED25519, seed))

    @classmethod
    def for_origin(cls, origin: str, secret: bytes) -> Ed25519Signer:
        """The signer of one shard, its key derived from the log's secret: HKDF-SHA-256, info `tightrope/log-key` LF origin.

        A key for each shard, since a trust policy may not name one public key twice (C2SP tlog-policy, Defining a log).

        Args:
            origin: the shard's origin, also the key's name.
            secret: 32 bytes.

        Raises:
            NoteInvalid: origin or secret cannot be.
        """
        check_name(origin)
        if len(secret) != _SEED_SIZE:
            raise NoteInvalid(f"the secret of a log's key has {_SEED_SIZE} bytes, not {len(secret)}")
        derivation = HKDF(algorithm=SHA256(), length=_SEED_SIZE, salt=None, info=_KEY_INFO + origin.encode())
        return cls.from_seed(origin, derivation.derive(secret))

    def sign(self, text: str) -> Signature:
        """A signature over a note's text.

        Raises:
            NoteInvalid: no text of a note.
        """
        check_text(text)
        return Signature(self.key.name, self.key.key_id, self._private.sign(text.encode()))


class CosignatureSigner(_Ed25519Half):
    """Signs as a witness, with the time (type 0x04)."""

    __slots__ = ()

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> CosignatureSigner:
        """The signer of a witness's key.

        Args:
            name: the witness's name.
            seed: the private key, 32 bytes (RFC 8032), used for nothing else.

        Raises:
            NoteInvalid: name or seed cannot be.
        """
        return cls(*_half(name, COSIGNATURE, seed))

    def sign(self, text: str, time: int) -> Signature:
        """A cosignature over a checkpoint's text.

        Args:
            time: seconds since 1970 (UTC).

        Raises:
            NoteInvalid: no text of a note, or the time is out of range.
        """
        check_text(text)
        body = self._private.sign(cosigned(text, time))
        return Signature(self.key.name, self.key.key_id, time.to_bytes(TIME_SIZE, "big") + body)


@dataclass(frozen=True, slots=True)
class Sm2Signer:
    """Signs a log's checkpoints with SM2 and SM3 (type 0xff `tightrope/sm2-sm3`)."""

    key: VerifierKey
    _private_pem: bytes

    @property
    def vkey(self) -> str:
        """The public key as a text."""
        return self.key.vkey

    @classmethod
    def from_pem(cls, name: str, private_pem: bytes) -> Sm2Signer:
        """The signer of a private key in PEM without passphrase.

        Raises:
            NoteInvalid: name or key cannot be.
            SmUnavailable: the OpenSSL of this machine lacks SM2.
        """
        return cls(VerifierKey(name, SM2_SM3, sm2.public_point(private_pem)), private_pem)

    @classmethod
    def for_origin(cls, origin: str, private_pem: bytes) -> Sm2Signer:
        """The signer of one shard, its key derived from the log's SM2 key, for the reason that Ed25519Signer.for_origin gives.

        Raises:
            NoteInvalid: origin or key cannot be.
            SmUnavailable: the OpenSSL of this machine lacks SM2 or SM3.
        """
        check_name(origin)
        return cls.from_pem(origin, sm2.derived(private_pem, _KEY_INFO + origin.encode()))

    def sign(self, text: str) -> Signature:
        """A signature over a note's text.

        Raises:
            NoteInvalid: no text of a note.
            SmUnavailable: the OpenSSL of this machine lacks SM2.
        """
        check_text(text)
        return Signature(self.key.name, self.key.key_id, sm2.sign(self._private_pem, text.encode()))


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """A signature that holds.

    Attributes:
        time: of a cosignature, in seconds since 1970 (UTC); else None.
    """

    key: VerifierKey
    signature: Signature
    time: int | None


@dataclass(frozen=True, slots=True)
class VerifiedNote:
    """A note of which at least one signature holds under a known key, and none fails.

    Attributes:
        note: with all signatures, those of unknown keys too.
        verified: the signatures of known keys, in the note's order.
    """

    note: Note
    verified: tuple[VerifiedSignature, ...]

    @property
    def text(self) -> str:
        """The note's text."""
        return self.note.text


def verify(data: bytes, keys: Iterable[VerifierKey]) -> VerifiedNote:
    """Read a note and check it against the keys one knows; signatures of others are ignored, whatever they hold.

    Raises:
        NoteInvalid: malformed, signed by none of the keys, or a signature of one of them does not hold.
        SmUnavailable: it is signed by one of the keys with SM2, which cannot be checked on this machine.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise NoteInvalid(f"two known keys are named {key.name} with id {key.key_id.hex()}; give one of them another name")
    note = Note.parse(data)
    verified = [
        VerifiedSignature(signer, signature, signer.check(note.text, signature.body))
        for signature in note.signatures
        if (signer := known.get((signature.name, signature.key_id))) is not None
    ]
    if not verified:
        names = ", ".join(signature.name for signature in note.signatures[:5])
        raise NoteInvalid(f"no known key signed the note; it is signed by {names}")
    return VerifiedNote(note, tuple(verified))


def _half(name: str, kind: bytes, seed: bytes) -> tuple[VerifierKey, Ed25519PrivateKey]:
    if len(seed) != _SEED_SIZE:
        raise NoteInvalid(f"the seed of an Ed25519 key has {_SEED_SIZE} bytes, not {len(seed)}")
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return VerifierKey(name, kind, private.public_key().public_bytes_raw()), private
