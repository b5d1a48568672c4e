"""Proofs to hand out: a leaf's place, its inclusion proof and a signed checkpoint in one text file (C2SP tlog-proof v1). Pure.

A `.tlog-proof` needs no network to check: the leaf, this file and a policy with the log's and the witnesses' keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tightrope.audit.errors import NoteInvalid
from tightrope.audit.tlog.checkpoint import Checkpoint, SignedCheckpoint
from tightrope.audit.tlog.encoding import from_base64, from_decimal, to_base64
from tightrope.audit.tlog.merkle import HASH_SIZE, check_inclusion, leaf_hash
from tightrope.audit.tlog.note import NOTE_LIMIT, Note
from tightrope.audit.tlog.policy import Policy

HEADER = "c2sp.org/tlog-proof@v1"
"""First line of the file."""

MEDIA_SUFFIX = ".tlog-proof"
"""How such a file's name ends."""

HASH_LIMIT = 63
"""Hashes that an inclusion proof may have: a tree has less than 2^63 leaves."""

_FILE_LIMIT = NOTE_LIMIT + 1_000_000

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A leaf's proof, nothing of it checked: see `check`.

    Attributes:
        index: of the leaf, from 0.
        hashes: the inclusion proof in the tree of the checkpoint, the leaf's sibling first.
        checkpoint: the signed note, byte for byte.
        extra: bytes that nothing vouches for; ours have none.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The file.

        Raises:
            NoteInvalid: the checkpoint is none, or index or hashes are out of range.
        """
        note = Note.parse(self.checkpoint)
        size = Checkpoint.parse(note.text).size
        if not 0 <= self.index < size:
            raise NoteInvalid(f"the tree of {size} leaves has no leaf {self.index} to prove")
        if len(self.hashes) > HASH_LIMIT or any(len(step) != HASH_SIZE for step in self.hashes):
            raise NoteInvalid(f"an inclusion proof has at most {HASH_LIMIT} hashes of {HASH_SIZE} bytes")
        lines = [HEADER, f"index {self.index}", *map(to_base64, self.hashes), "", ""]
        if self.extra is not None:
            lines.insert(1, f"extra {to_base64(self.extra)}")
        return "\n".join(lines).encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Read a file.

        Raises:
            NoteInvalid: names the line that is wrong.
        """
        if len(data) > _FILE_LIMIT:
            raise NoteInvalid(f"a tlog-proof has at most {_FILE_LIMIT} bytes, this one {len(data)}")
        head, blank, checkpoint = data.partition(b"\n\n")
        if not blank:
            raise NoteInvalid("a tlog-proof is a head, an empty line and a signed checkpoint")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise NoteInvalid("the head of a tlog-proof is ASCII") from None
        if lines[0] != HEADER:
            raise NoteInvalid(f"a tlog-proof begins with the line {HEADER!r}, not {lines[0][:80]!r}")
        extra = None
        at = 1
        if len(lines) > at and lines[at].startswith("extra "):
            extra = _value(lines, at, from_base64, "extra ")
            at += 1
        if len(lines) <= at or not lines[at].startswith("index "):
            raise NoteInvalid(f"line {at + 1} of the tlog-proof reads `index <number>`")
        index = _value(lines, at, from_decimal, "index ")
        rest = range(at + 1, len(lines))
        if len(rest) > HASH_LIMIT:
            raise NoteInvalid(f"an inclusion proof has at most {HASH_LIMIT} hashes, this one {len(rest)}")
        hashes = tuple(_value(lines, line, _hash) for line in rest)
        Checkpoint.parse(Note.parse(checkpoint).text)
        return cls(index, hashes, checkpoint, extra)

    def check(self, leaf: bytes, policy: Policy) -> SignedCheckpoint:
        """Refuse the proof unless it shows the leaf in a tree that the policy trusts.

        Args:
            leaf: the leaf's bytes as stored, not its hash.
            policy: the log's and witnesses' keys, from a source that is not this file.

        Returns:
            The checkpoint; its cosignatures tell since when the tree has been known outside.

        Raises:
            NoteInvalid: the checkpoint is not signed as the policy asks.
            ProofInvalid: the leaf is not at this index of this tree.
        """
        signed = policy.check(self.checkpoint)
        head = signed.checkpoint
        check_inclusion(leaf_hash(leaf), self.index, head.size, self.hashes, head.root)
        return signed


def _value(lines: list[str], at: int, read: Callable[[str], Value], before: str = "") -> Value:
    try:
        return read(lines[at].removeprefix(before))
    except ValueError as error:
        raise NoteInvalid(f"line {at + 1} of the tlog-proof: {error}") from None


def _hash(text: str) -> bytes:
    return from_base64(text, HASH_SIZE)
