"""Checkpoints: origin, size and root of a tree as the text of a signed note (C2SP tlog-checkpoint). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tightrope.audit.errors import NoteInvalid
from tightrope.audit.tlog.encoding import from_base64, from_decimal, to_base64
from tightrope.audit.tlog.keys import COSIGNATURE, VerifierKey, check_text
from tightrope.audit.tlog.merkle import EMPTY_ROOT, HASH_SIZE, SIZE_LIMIT
from tightrope.audit.tlog.note import Note, Signer, VerifiedSignature, verify


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree's head.

    Attributes:
        origin: names the log; for us also its signing keys.
        size: number of leaves.
        root: 32 bytes.
        extensions: further lines; ours have none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no checkpoint can hold.

        Raises:
            NoteInvalid: names the part.
        """
        for what, line in (("origin", self.origin), *(("extension line", line) for line in self.extensions)):
            if not line or "\n" in line:
                raise NoteInvalid(f"a checkpoint's {what} is one line and not empty")
            check_text(line + "\n")
        if not 0 <= self.size < SIZE_LIMIT:
            raise NoteInvalid(f"a checkpoint's size lies between 0 and 2^63 - 1, {self.size} does not")
        if len(self.root) != HASH_SIZE:
            raise NoteInvalid(f"a checkpoint's root has {HASH_SIZE} bytes, not {len(self.root)}")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise NoteInvalid("a checkpoint of no leaves has the root of the empty tree, SHA-256 of nothing")

    def text(self) -> str:
        """The note's text, with its last newline."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, to_base64(self.root), *self.extensions))

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a note's text.

        Raises:
            NoteInvalid: names the line that is wrong.
        """
        check_text(text)
        lines = text[:-1].split("\n")
        if len(lines) < 3:
            raise NoteInvalid(f"a checkpoint has at least three lines (origin, size, root), this one {len(lines)}")
        try:
            size = from_decimal(lines[1])
        except ValueError as error:
            raise NoteInvalid(f"line 2 of the checkpoint, the size: {error}") from None
        try:
            root = from_base64(lines[2], HASH_SIZE)
        except ValueError as error:
            raise NoteInvalid(f"line 3 of the checkpoint, the root: {error}") from None
        return cls(lines[0], size, root, tuple(lines[3:]))


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint that its log signed.

    Attributes:
        note: with every signature, those of unknown keys too.
        log: the log's signatures, one at least.
        cosignatures: those of the witnesses one knows.
    """

    checkpoint: Checkpoint
    note: Note
    log: tuple[VerifiedSignature, ...]
    cosignatures: tuple[VerifiedSignature, ...]


def open_checkpoint(data: bytes, log_keys: Iterable[VerifierKey], witness_keys: Iterable[VerifierKey] = ()) -> SignedCheckpoint:
    """Read a signed checkpoint and check it: a key of the log, named as the origin, must have signed it.

    Args:
        log_keys: may hold the keys of other logs too; those are not asked.

    Raises:
        NoteInvalid: malformed, not signed by the log, or a known key's signature does not hold.
        SmUnavailable: signed with SM2, which cannot be checked on this machine.
    """
    origin = Checkpoint.parse(Note.parse(data).text).origin
    own = [key for key in log_keys if key.name == origin and key.kind != COSIGNATURE]
    if not own:
        raise NoteInvalid(f"no key of the log {origin!r} is known; add its verifier key to the policy")
    verified = verify(data, [*own, *witness_keys])
    log = tuple(item for item in verified.verified if item.key in own)
    if not log:
        raise NoteInvalid(f"the checkpoint of {origin!r} is not signed by the log")
    cosignatures = tuple(item for item in verified.verified if item.key.kind == COSIGNATURE)
    return SignedCheckpoint(Checkpoint.parse(verified.text), verified.note, log, cosignatures)


def sign_checkpoint(checkpoint: Checkpoint, signers: Iterable[Signer]) -> bytes:
    """The signed note of a checkpoint, under every key of its log.

    Raises:
        NoteInvalid: without a signer.
    """
    text = checkpoint.text()
    return Note(text, tuple(signer.sign(text) for signer in signers)).encode()
