"""Keys of signed notes: names, types, vkeys and what each type signs (C2SP signed-note, tlog-cosignature). Pure, but for SM2 (see sm2.py).

    vkey   = name+hex(key id)+base64(type || public key)
    key id = SHA-256(key name || LF || type || public key)[:4]

Types: 0x01 Ed25519 over the text; 0x04 Ed25519 over `cosignature/v1`, `time <seconds>` and the text, with the time before the signature;
0xff `tightrope/sm2-sm3` SM2 with SM3 over the text (docs/audit-formats.md, Checkpoint).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tightrope.audit.errors import NoteInvalid
from tightrope.audit.tlog import sm2
from tightrope.audit.tlog.encoding import from_base64, to_base64

ED25519 = b"\x01"
"""Signature type: Ed25519 over the text."""

COSIGNATURE = b"\x04"
"""Signature type: timestamped Ed25519 cosignature of a witness."""

SM2_SM3 = b"\xfftightrope/sm2-sm3"
"""Signature type of ours: SM2 with SM3 over the text."""

KEY_ID_SIZE = 4
"""Bytes of a key id."""

TIME_SIZE = 8
"""Bytes of the time before a cosignature."""

_TIME_LIMIT = 2**63
_PUBLIC_SIZE = {ED25519: 32, COSIGNATURE: 32, SM2_SM3: sm2.POINT_SIZE}
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIGN_BIT = 0x80
_SMALL_ORDER = frozenset(
    bytes.fromhex(point)
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
    )
)
"""The points of order 1, 2, 4 and 8, without the sign bit: under such a public key anybody can make up signatures."""
_FIELD = 2**255 - 19
_HEX_ID = re.compile(r"[0-9a-fA-F]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under its name.

    Attributes:
        name: such as the log's origin or the witness's URL without scheme.
        kind: `ED25519`, `COSIGNATURE` or `SM2_SM3`.
        public: 32 bytes; 65 for SM2.
    """

    name: str
    kind: bytes
    public: bytes

    def __post_init__(self) -> None:
        """Refuse keys that cannot be.

        Raises:
            NoteInvalid: the name holds spaces or plus, the type is unknown, the key has the wrong length or is a point of small order.
        """
        check_name(self.name)
        size = _PUBLIC_SIZE.get(self.kind)
        if size is None:
            raise NoteInvalid(f"key {self.name}: unknown signature type {self.kind[:40]!r}")
        if len(self.public) != size:
            raise NoteInvalid(f"key {self.name}: a public key of this type has {size} bytes, not {len(self.public)}")
        if self.kind != SM2_SM3 and _is_weak(self.public):
            raise NoteInvalid(
                f"key {self.name}: a point of small order or not written in canonical form; anybody could sign under it"
            )

    @property
    def key_id(self) -> bytes:
        """4 bytes that name the key beside its name."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.kind + self.public).digest()[:KEY_ID_SIZE]

    @property
    def vkey(self) -> str:
        """The key as a text: `name+hexid+base64(type || public key)`."""
        return f"{self.name}+{self.key_id.hex()}+{to_base64(self.kind + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Read a vkey.

        Raises:
            NoteInvalid: malformed, of a type that is not known here, or its id does not belong to it.
        """
        parts = vkey.split("+", 2)
        if len(parts) != 3 or not _HEX_ID.fullmatch(parts[1]):
            raise NoteInvalid(f"a verifier key reads `name+8 hex digits+base64`, not {vkey[:120]!r}")
        name, hex_id, encoded = parts
        try:
            data = from_base64(encoded)
        except ValueError as error:
            raise NoteInvalid(f"key {name!r}: {error}") from None
        kind = next((kind for kind in _PUBLIC_SIZE if data.startswith(kind)), data[:1])
        key = cls(name, kind, data[len(kind) :])
        if key.key_id.hex() != hex_id.lower():
            raise NoteInvalid(f"key {name}: its id is {key.key_id.hex()}, not {hex_id}; the key or its name was changed")
        return key

    def check(self, text: str, body: bytes) -> int | None:
        """Refuse a signature that does not hold.

        Args:
            text: the note's text.
            body: of the signature line.

        Returns:
            For a cosignature its time, in seconds since 1970 (UTC); else None.

        Raises:
            NoteInvalid: it does not hold.
            SmUnavailable: SM2 cannot be checked on this machine.
        """
        if self.kind == SM2_SM3:
            if not sm2.holds(self.public, text.encode(), body):
                raise NoteInvalid(f"the signature of {self.name} does not hold")
            return None
        time, message = None, text.encode()
        if self.kind == COSIGNATURE:
            time, body = int.from_bytes(body[:TIME_SIZE], "big"), body[TIME_SIZE:]
            message = cosigned(text, time)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(body, message)
        except (InvalidSignature, ValueError):
            raise NoteInvalid(f"the signature of {self.name} does not hold") from None
        return time


def _is_weak(public: bytes) -> bool:
    height = public[:-1] + bytes([public[-1] & ~_SIGN_BIT])
    return height in _SMALL_ORDER or int.from_bytes(height, "little") >= _FIELD


def cosigned(text: str, time: int) -> bytes:
    """The message of a cosignature/v1.

    Raises:
        NoteInvalid: the time is out of range.
    """
    if not 0 <= time < _TIME_LIMIT:
        raise NoteInvalid(f"a cosignature's time lies between 1970 and 2^63 seconds later, {time} does not")
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def check_name(name: str) -> None:
    """Refuse names that no key may have.

    Raises:
        NoteInvalid: empty, or with spaces, plus or control characters.
    """
    if not name or "+" in name or any(character.isspace() for character in name) or _CONTROL.search(name):
        raise NoteInvalid(f"a key's name is not empty and has neither spaces nor plus: {name[:80]!r}")
    _check_unicode(name)


def check_text(text: str) -> None:
    """Refuse texts that no note may have.

    Raises:
        NoteInvalid: no newline at the end, control characters, lone surrogates.
    """
    if not text.endswith("\n"):
        raise NoteInvalid("a note's text ends with a newline")
    if _CONTROL.search(text):
        raise NoteInvalid("a note's text has no control characters but newlines")
    _check_unicode(text)


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NoteInvalid("a note holds no lone surrogates") from None
