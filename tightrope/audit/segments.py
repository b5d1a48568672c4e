"""Segments: runs of sealed records as one file that can be checked alone. Pure.

One canonical JSON object a line. The first names the run: `{"count", "first", "head", "kind": "segment", "last", "prev", "v"}`; each
further one is an entry: `{"ct": base64, "hash", "leaf": the leaf's text, "leaf_hash", "record", "seq"}`. The name holds the hash of the
bytes, so that the same segment written twice has one name and another has another.
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
from tightrope.audit.leaf import chain_hash, leaf_hash

FOLDER = "seg/main"
ENTRIES = 512
"""Most entries in one segment."""

_NAME = re.compile(rf"{FOLDER}/(\d{{12}})-(\d{{12}})\.([0-9a-f]{{64}})\.jsonl")


@dataclass(frozen=True, slots=True)
class ChainEntry:
    """One sealed record with everything that proves it."""

    seq: int
    record_id: UUID
    leaf_hash: bytes
    prev: bytes
    hash: bytes
    leaf: bytes
    ct: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """A parsed segment whose own chain holds."""

    first: int
    last: int
    prev: bytes
    head: bytes
    entries: tuple[ChainEntry, ...]


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What a segment's key says."""

    first: int
    last: int
    sha256: str
    key: str


def build_segment(entries: Sequence[ChainEntry]) -> tuple[str, bytes]:
    """Key and bytes of a segment.

    Raises:
        SegmentInvalid: the entries are none, or do not follow one another, or a leaf is no UTF-8.
    """
    if not entries:
        raise SegmentInvalid("a segment holds at least one entry")
    lines = [_header(entries)]
    before = entries[0].prev
    for number, entry in enumerate(entries, entries[0].seq):
        if entry.seq != number or entry.prev != before:
            raise SegmentInvalid(f"entry {entry.seq} does not follow the one before")
        lines.append(_line(entry))
        before = entry.hash
    data = b"\n".join(lines) + b"\n"
    return f"{FOLDER}/{entries[0].seq:012d}-{entries[-1].seq:012d}.{hashlib.sha256(data).hexdigest()}.jsonl", data


def parse_name(key: str) -> SegmentName | None:
    """What a key says, or None if it is no segment's."""
    found = _NAME.fullmatch(key)
    return SegmentName(int(found[1]), int(found[2]), found[3], key) if found else None


def parse_segment(data: bytes) -> Segment:
    """Read a segment and check its own chain: leaf against leaf hash, leaf hash against chain hash, entry against entry.

    Raises:
        SegmentInvalid: names the first entry that is wrong.
    """
    lines = data.split(b"\n")
    try:
        header = json.loads(lines[0])
        first, last, count = int(header["first"]), int(header["last"]), int(header["count"])
        prev, head = bytes.fromhex(header["prev"]), bytes.fromhex(header["head"])
    except (ValueError, KeyError, TypeError) as error:
        raise SegmentInvalid(f"the first line is no segment header: {error}") from error
    if lines[-1] != b"" or len(lines) != count + 2 or count != last - first + 1:
        raise SegmentInvalid(f"the segment says {count} entries and holds {len(lines) - 2}")
    entries = tuple(_entries(lines[1:-1], first, prev))
    if entries[-1].hash != head:
        raise SegmentInvalid(f"entry {last}: the segment's head is another hash")
    return Segment(first, last, prev, head, entries)


def _header(entries: Sequence[ChainEntry]) -> bytes:
    first, last = entries[0], entries[-1]
    return canonical(
        {
            "v": 1,
            "kind": "segment",
            "first": first.seq,
            "last": last.seq,
            "count": len(entries),
            "prev": first.prev.hex(),
            "head": last.hash.hex(),
        }
    )


def _line(entry: ChainEntry) -> bytes:
    try:
        leaf = entry.leaf.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SegmentInvalid(f"entry {entry.seq}: the leaf is no UTF-8") from error
    return canonical(
        {
            "seq": entry.seq,
            "record": str(entry.record_id),
            "leaf": leaf,
            "leaf_hash": entry.leaf_hash.hex(),
            "hash": entry.hash.hex(),
            "ct": base64.b64encode(entry.ct).decode("ascii"),
        }
    )


def _entries(lines: Sequence[bytes], first: int, prev: bytes) -> Iterator[ChainEntry]:
    before = prev
    for number, line in enumerate(lines, first):
        try:
            row = json.loads(line)
            entry = ChainEntry(
                seq=row["seq"],
                record_id=UUID(row["record"]),
                leaf_hash=bytes.fromhex(row["leaf_hash"]),
                prev=before,
                hash=bytes.fromhex(row["hash"]),
                leaf=row["leaf"].encode("utf-8"),
                ct=base64.b64decode(row["ct"], validate=True),
            )
            leaf = json.loads(entry.leaf)
            named, committed = leaf["id"], leaf["ct_sha256"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SegmentInvalid(f"entry {number}: not readable ({error})") from error
        if entry.seq != number:
            raise SegmentInvalid(f"entry {number}: numbered {entry.seq}")
        if leaf_hash(entry.leaf) != entry.leaf_hash:
            raise SegmentInvalid(f"entry {number}: the leaf is not the one that was hashed")
        if chain_hash(number, before, entry.leaf_hash) != entry.hash:
            raise SegmentInvalid(f"entry {number}: the chain does not hold here")
        if named != str(entry.record_id):
            raise SegmentInvalid(f"entry {number}: the leaf belongs to another record")
        if hashlib.sha256(entry.ct).hexdigest() != committed:
            raise SegmentInvalid(f"entry {number}: the ciphertext is not the leaf's")
        yield entry
        before = entry.hash
