"""Segments, the sealer's pure part, and the local store."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.audit.chain_repository import Head, Waiting
from tightrope.audit.errors import SegmentInvalid, StoreError, WriteOnceViolation
from tightrope.audit.leaf import GENESIS
from tightrope.audit.sealer import chain_batch, mismatch
from tightrope.audit.segments import ChainEntry, build_segment, parse_name, parse_segment
from tightrope.audit.stores.choice import store_from
from tightrope.audit.stores.folder import LocalFolderStore

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "audit"


def a_waiting(number: int, record_id: UUID | None = None, ct: bytes = b"ct") -> Waiting:
    record_id = record_id or uuid4()
    leaf = json.dumps({"id": str(record_id), "ct_sha256": hashlib.sha256(ct).hexdigest(), "n": number}).encode()
    return Waiting(number, record_id, leaf, ct)


def some_entries(count: int, head: Head | None = None) -> list[ChainEntry]:
    entries, refused = chain_batch(head or Head(0, GENESIS), [a_waiting(n, ct=bytes([n % 256])) for n in range(count)])
    assert not refused
    return entries


@given(st.integers(1, 20), st.integers(0, 10**6))
def test_a_segment_comes_back_as_it_was(count, before):
    entries = some_entries(count, Head(before, b"h" * 32))
    key, data = build_segment(entries)
    name, segment = parse_name(key), parse_segment(data)
    assert name is not None
    assert (name.first, name.last, name.sha256) == (before + 1, before + count, hashlib.sha256(data).hexdigest())
    assert list(segment.entries) == entries
    assert (segment.prev, segment.head) == (b"h" * 32, entries[-1].hash)


@given(st.data())
def test_no_flipped_byte_of_a_segment_goes_unnoticed(data):
    _, built = build_segment(some_entries(3))
    place = data.draw(st.integers(0, len(built) - 1))
    bit = data.draw(st.integers(0, 7))
    flipped = bytearray(built)
    flipped[place] ^= 1 << bit
    try:
        segment = parse_segment(bytes(flipped))
    except SegmentInvalid:
        return
    # The name's hash still tells; what is read must be what was written, as with a hex digit in capitals.
    assert hashlib.sha256(flipped).hexdigest() != hashlib.sha256(built).hexdigest()
    assert [(entry.seq, entry.hash, entry.leaf, entry.ct) for entry in segment.entries] == [
        (entry.seq, entry.hash, entry.leaf, entry.ct) for entry in parse_segment(built).entries
    ]


def test_entries_that_do_not_follow_make_no_segment():
    entries = some_entries(4)
    for wrong in ([], [entries[0], entries[2]], [entries[0], entries[1], entries[1]], some_entries(2)[:1] + entries[1:2]):
        with pytest.raises(SegmentInvalid):
            build_segment(wrong)


def test_a_leaf_that_is_no_utf8_makes_no_segment():
    good = some_entries(1)[0]
    with pytest.raises(SegmentInvalid, match="UTF-8"):
        build_segment([ChainEntry(good.seq, good.record_id, good.leaf_hash, good.prev, good.hash, b"\xff", good.ct)])


@pytest.mark.parametrize("data", [b"", b"{}", b"[]\n", b'{"first":1,"last":1,"count":1,"prev":"zz","head":""}\n'])
def test_rubbish_is_no_segment(data):
    with pytest.raises(SegmentInvalid):
        parse_segment(data)


def test_other_names_are_no_segments():
    assert parse_name("seg/main/readme.txt") is None
    assert parse_name("seg/other/000000000001-000000000002." + "0" * 64 + ".jsonl") is None


def test_the_golden_segment_still_reads():
    (path,) = GOLDEN.glob("*.jsonl")
    data = path.read_bytes()
    name = parse_name(f"seg/main/{path.name}")
    assert name is not None
    assert hashlib.sha256(data).hexdigest() == name.sha256
    segment = parse_segment(data)
    assert (segment.first, segment.last) == (1, 3)
    assert [json.loads(entry.leaf)["event"] for entry in segment.entries] == [
        "customer:message:received",
        "gateway:turn:made",
        "outbox:message:sent",
    ]
    assert build_segment(segment.entries) == (f"seg/main/{path.name}", data)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'\\"turn\\":1,', b'\\"turn\\":2,', "entry 2: the leaf is not the one that was hashed"),
        (b'"seq":2', b'"seq":9', "entry 2: numbered 9"),
        (b'"count":3', b'"count":2', "says 2 entries and holds 3"),
    ],
)
def test_the_golden_segment_tampered_with_is_named(old, new, says):
    (path,) = GOLDEN.glob("*.jsonl")
    data = path.read_bytes()
    assert data.count(old) >= 1
    with pytest.raises(SegmentInvalid, match=says):
        parse_segment(data.replace(old, new))


def test_lines_swapped_or_cut_off_are_named():
    header, *lines = build_segment(some_entries(3))[1].splitlines(keepends=True)
    with pytest.raises(SegmentInvalid, match="entry 1: numbered 2"):
        parse_segment(header + lines[1] + lines[0] + lines[2])
    with pytest.raises(SegmentInvalid, match="says 3 entries and holds 2"):
        parse_segment(header + lines[0] + lines[1])


def test_the_sealer_chains_what_holds_and_refuses_the_rest_with_a_reason():
    good, other = a_waiting(1), a_waiting(5)
    assert good.leaf is not None
    batch = [
        good,
        Waiting(2, uuid4(), None, None),
        Waiting(3, uuid4(), good.leaf, b"ct"),
        Waiting(4, good.record_id, good.leaf, b"another"),
        Waiting(4, uuid4(), b"\xff", b"ct"),
        other,
    ]
    entries, refused = chain_batch(Head(7, b"h" * 32), batch)
    assert [(entry.seq, entry.record_id) for entry in entries] == [(8, good.record_id), (9, other.record_id)]
    assert entries[1].prev == entries[0].hash
    assert [reason for _, reason in refused] == [
        "the record vanished before it was sealed",
        "the leaf belongs to another record",
        "the ciphertext is not the one that the leaf names",
        "the leaf is not readable",
    ]
    assert mismatch(good.record_id, b"[]", b"ct") == "the leaf is not readable"


def test_a_stored_file_is_read_only_and_named_by_its_key(tmp_path):
    store = LocalFolderStore(tmp_path / "deep" / "store")
    store.put("seg/main/a", b"one")
    assert (tmp_path / "deep/store/seg/main/a").stat().st_mode & 0o777 == 0o444
    assert list(store.keys("seg/main")) == ["seg/main/a"]
    assert list(store.keys("seg/none")) == []
    assert store.get("seg/main/none") is None


def test_another_content_is_never_written_over(tmp_path):
    store = LocalFolderStore(tmp_path)
    store.put("a", b"one")
    with pytest.raises(WriteOnceViolation, match="never overwritten"):
        store.put("a", b"two")
    assert store.get("a") == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a/../b", "", "A", "a//b", "a\n", ".hidden"])
def test_keys_cannot_leave_the_folder(tmp_path, key):
    with pytest.raises(StoreError, match="no key"):
        LocalFolderStore(tmp_path).put(key, b"")


def test_a_store_that_cannot_be_used_says_so(tmp_path):
    (tmp_path / "file").write_text("x")
    store = LocalFolderStore(tmp_path / "file")
    for use in (lambda: store.put("a", b""), lambda: store.get("a"), lambda: list(store.keys("a"))):
        with pytest.raises(StoreError):
            use()


def test_a_store_that_reads_back_something_else_gives_no_receipt(tmp_path, monkeypatch):
    monkeypatch.setattr(LocalFolderStore, "_write", staticmethod(lambda path, data: path.write_bytes(data[:-1])))
    with pytest.raises(WriteOnceViolation):
        LocalFolderStore(tmp_path).put("a", b"one")


def test_the_settings_name_the_folder_and_the_store_says_it_is_not_worm(settings, tmp_path):
    store = store_from(settings.model_copy(update={"audit_store": tmp_path / "s"}))
    store.put("a", b"1")
    assert (tmp_path / "s" / "a").exists()
    assert store.describe().worm is False
    assert "not WORM" in store_from(settings).describe().text
