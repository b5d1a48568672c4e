"""What a witness reads and how it decides (C2SP tlog-witness, add-checkpoint). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tightrope.audit.errors import NoteInvalid, ProofInvalid
from tightrope.audit.tlog.checkpoint import Checkpoint, open_checkpoint
from tightrope.audit.tlog.encoding import from_base64, from_decimal
from tightrope.audit.tlog.keys import COSIGNATURE, ED25519, VerifierKey
from tightrope.audit.tlog.merkle import EMPTY_ROOT, HASH_SIZE, check_consistency
from tightrope.audit.tlog.note import Note

PROOF_LIMIT = 63
"""Hashes of a consistency proof that a client may send."""

BODY_LIMIT = 65_536
"""Bytes of a request: the proof has at most 2,900, the rest is room for a checkpoint with many signatures."""

SIZE_TYPE = "text/x.tlog.size"

Logs = Mapping[str, tuple[VerifierKey, ...]]
"""origin -> keys that the witness trusts for it."""


class Refusal(Exception):
    """The answer to a request that is not cosigned.

    Attributes:
        status: HTTP status as in the specification: 400, 403, 404, 409, 422.
        text: the body; for 409 the size that is known, and a newline.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    @property
    def media_type(self) -> str:
        """Content type of the answer."""
        return SIZE_TYPE if self.status == 409 else "text/plain; charset=utf-8"


class Fork(Refusal):
    """The log signed two trees of one size: refused with 409, and kept as evidence."""


@dataclass(frozen=True, slots=True)
class Request:
    """An add-checkpoint request whose log is known and whose signature holds."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes
    checkpoint: Checkpoint

    @property
    def text(self) -> str:
        """What is cosigned: the note's text as it was sent."""
        return Note.parse(self.note).text


@dataclass(frozen=True, slots=True)
class Known:
    """The newest tree that this witness cosigned for a log; before the first the empty one."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    ever: bool = False


def read_request(body: bytes, logs: Logs) -> Request:
    """Read a request and check the log's signature.

    Raises:
        Refusal: 400 malformed or old size larger than the checkpoint, 404 unknown origin, 403 no trusted signature.
    """
    head, blank, note = body.partition(b"\n\n")
    try:
        first, *lines = (head + b"\n" * bool(blank)).decode("ascii").removesuffix("\n").split("\n")
        if not blank:
            raise ValueError("an empty line stands between the proof and the checkpoint")
        word, _, number = first.partition(" ")
        if word != "old":
            raise ValueError("the first line reads `old <size>`")
        old = from_decimal(number)
        if len(lines) > PROOF_LIMIT:
            raise ValueError(f"a consistency proof has at most {PROOF_LIMIT} hashes, this one {len(lines)}")
        proof = tuple(from_base64(line, HASH_SIZE) for line in lines)
        checkpoint = Checkpoint.parse(Note.parse(note).text)
    except ValueError as error:  # NoteInvalid and UnicodeDecodeError are ValueErrors too
        raise Refusal(400, f"malformed request: {error}\n") from error
    keys = logs.get(checkpoint.origin)
    if not keys:
        raise Refusal(404, f"this witness does not know the log {checkpoint.origin}\n")
    try:
        open_checkpoint(note, keys)
    except NoteInvalid as error:
        raise Refusal(403, f"{error}\n") from error
    if old > checkpoint.size:
        raise Refusal(400, f"the old size {old} is larger than the checkpoint's, {checkpoint.size}\n")
    return Request(old, proof, note, checkpoint)


def decide(request: Request, known: Known) -> None:
    """Return if the checkpoint continues what is known.

    Raises:
        Fork: the log signed another tree of the size that is known.
        Refusal: 409 the client's old size is not the one known, 422 the proof does not hold.
    """
    new = request.checkpoint
    # Asked before the old size: whatever the client says it knew, two signed roots of one size are a fork.
    if known.ever and new.size == known.size and new.root != known.root:
        raise Fork(409, f"{known.size}\n")
    if request.old != known.size:
        raise Refusal(409, f"{known.size}\n")
    try:
        check_consistency(known.size, known.root, new.size, new.root, request.proof)
    except ProofInvalid as error:
        raise Refusal(422, f"{error}\n") from error


def read_logs(text: str) -> Logs:
    """The logs to witness: the `log <vkey>` lines of a file, such as a tlog-policy; several keys for one origin are all trusted.

    Keys other than Ed25519 are left out: the log signs with Ed25519 beside them, and this machine need not know SM2.

    Raises:
        ValueError: names the line that cannot be read.
    """
    found: dict[str, list[VerifierKey]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] in {"witness", "group", "quorum"}:
            continue
        if words[0] != "log" or len(words) not in {2, 3}:
            raise ValueError(f"line {number} reads `log <vkey>`, not {line[:120]!r}")
        try:
            key = VerifierKey.parse(words[1])
        except NoteInvalid as error:
            raise ValueError(f"line {number}: {error}") from error
        if key.kind == COSIGNATURE:
            raise ValueError(f"line {number}: {key.name} is a witness's key, a log's is wanted")
        if key.kind == ED25519:
            found.setdefault(key.name, []).append(key)
    return {origin: tuple(keys) for origin, keys in found.items()}


def origins(logs: Iterable[str]) -> str:
    """Names of logs for a person."""
    return ", ".join(sorted(logs)) or "none"
