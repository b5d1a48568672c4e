"""Segments: runs of sequenced records, leaf and ciphertext, as one file for the store (docs/audit-formats.md, Segment). Pure.

The header holds the root of the tree up to the segment's last entry, so that segments read one after the other prove themselves and one
another. The name holds the hash of the bytes: the same segment written twice has one name, another has another.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from tightrope.audit.canon import canonical
from tightrope.audit.errors import SegmentInvalid
from tightrope.audit.tlog.merkle import Frontier, leaf_hash
from tightrope.audit.tlog.tiles import ENTRY_LIMIT

FOLDER = "seg"
ENTRIES = 512
"""Most entries in one segment."""

VERSION = 2
_NAME = re.compile(rf"{FOLDER}/(\d{{4}})/(\d{{12}})-(\d{{12}})\.([0-9a-f]{{64}})\.jsonl")


@dataclass(frozen=True, slots=True)
class SequencedRecord:
    """One record with its place; `ct` is None where the log itself wrote it, without payload."""

    index: int
    record_id: UUID
    leaf: bytes
    ct: bytes | None


@dataclass(frozen=True, slots=True)
class Segment:
    """A parsed segment whose leaves match their ciphertexts; whether they lead to `root` needs the tree before (`follows`)."""

    origin: str
    first: int
    last: int
    root: bytes
    entries: tuple[SequencedRecord, ...]


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What a segment's key says."""

    shard: int
    first: int
    last: int
    sha256: str
    key: str


class SegmentBuilder:
    """A segment in the making, entry by entry: the sealer must not stand still for the ten milliseconds that a whole one takes."""

    def __init__(self, shard: int, origin: str, before: Frontier) -> None:
        """`before`: the tree up to the segment's first entry."""
        self._shard = shard
        self._origin = origin
        self._first = before.size
        self._lines: list[bytes] = []
        self._after = Frontier(before.size, before.hashes)

    def add(self, entry: SequencedRecord) -> None:
        """The next entry.

        Raises:
            SegmentInvalid: it does not follow the one before, or its leaf is no UTF-8.
        """
        if entry.index != self._after.size:
            raise SegmentInvalid(f"entry {entry.index} does not follow the one before")
        self._lines.append(_line(entry))
        self._after.append(leaf_hash(entry.leaf))

    def finish(self) -> tuple[str, bytes, Frontier]:
        """Key and bytes of the segment, and the tree that it leads to.

        Raises:
            SegmentInvalid: no entries.
        """
        if not self._lines:
            raise SegmentInvalid("a segment holds at least one entry")
        first, after = self._first, self._after
        header = {
            "v": VERSION,
            "kind": "segment",
            "origin": self._origin,
            "first": first,
            "last": after.size - 1,
            "count": len(self._lines),
            "root": after.root().hex(),
        }
        data = b"\n".join([canonical(header), *self._lines]) + b"\n"
        digest = hashlib.sha256(data).hexdigest()
        return f"{FOLDER}/{self._shard:04d}/{first:012d}-{after.size - 1:012d}.{digest}.jsonl", data, after


def parse_name(key: str) -> SegmentName | None:
    """What a key says, or None if it is no segment's."""
    found = _NAME.fullmatch(key)
    return SegmentName(int(found[1]), int(found[2]), int(found[3]), found[4], key) if found else None


def parse_segment(data: bytes) -> Segment:
    """Read a segment; every leaf is held against its ciphertext.

    Raises:
        SegmentInvalid: names the first entry that is wrong.
    """
    lines = data.split(b"\n")
    try:
        header = json.loads(lines[0])
        if header["v"] != VERSION or header["kind"] != "segment":
            raise SegmentInvalid(f"the first line is no header of a segment of version {VERSION}")
        first, last, count = int(header["first"]), int(header["last"]), int(header["count"])
        origin, root = str(header["origin"]), bytes.fromhex(header["root"])
    except (ValueError, KeyError, TypeError) as error:
        raise SegmentInvalid(f"the first line is no segment header: {error}") from error
    if lines[-1] != b"" or len(lines) != count + 2 or count != last - first + 1:
        raise SegmentInvalid(f"the segment says {count} entries and holds {len(lines) - 2}")
    return Segment(origin, first, last, root, tuple(_entries(lines[1:-1], first)))


def follows(segment: Segment, before: Frontier) -> Frontier | None:
    """The tree after the segment, or None where its leaves do not lead from `before` to the root it names."""
    if before.size != segment.first:
        return None
    after = Frontier(before.size, before.hashes)
    for entry in segment.entries:
        after.append(leaf_hash(entry.leaf))
    return after if after.root() == segment.root else None


def mismatch(record_id: UUID, leaf: bytes, ct: bytes | None) -> str | None:
    """Why a record does not match its own leaf, or None. What no entry of the tree can hold would stop the whole log, so it gets no place."""
    if len(leaf) > ENTRY_LIMIT:
        return f"the leaf has {len(leaf)} bytes, an entry of the log holds {ENTRY_LIMIT}"
    try:
        read = json.loads(leaf)
        named, committed = read["id"], read["ct_sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "the leaf is not readable"
    if named != str(record_id):
        return "the leaf belongs to another record"
    if committed != (hashlib.sha256(ct).hexdigest() if ct is not None else None):
        return "the ciphertext is not the one that the leaf names"
    return None


def _line(entry: SequencedRecord) -> bytes:
    try:
        leaf = entry.leaf.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SegmentInvalid(f"entry {entry.index}: the leaf is no UTF-8") from error
    return canonical(
        {
            "index": entry.index,
            "record": str(entry.record_id),
            "leaf": leaf,
            "ct": base64.b64encode(entry.ct).decode("ascii") if entry.ct is not None else None,
        }
    )


def _entries(lines: Sequence[bytes], first: int) -> Iterator[SequencedRecord]:
    for number, line in enumerate(lines, first):
        try:
            row = json.loads(line)
            entry = SequencedRecord(
                index=row["index"],
                record_id=UUID(row["record"]),
                leaf=row["leaf"].encode("utf-8"),
                ct=base64.b64decode(row["ct"], validate=True) if row["ct"] is not None else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SegmentInvalid(f"entry {number}: not readable ({error})") from error
        if entry.index != number:
            raise SegmentInvalid(f"entry {number}: numbered {entry.index}")
        reason = mismatch(entry.record_id, entry.leaf, entry.ct)
        if reason is not None:
            raise SegmentInvalid(f"entry {number}: {reason}")
        yield entry
