"""Segments, the sequencer's pure part, and the local store."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.audit.errors import SegmentInvalid, StoreError, WriteOnceViolation
from tightrope.audit.segments import SegmentBuilder, SequencedRecord, follows, mismatch, parse_name, parse_segment
from tightrope.audit.sequencer import place
from tightrope.audit.stores.choice import store_from
from tightrope.audit.stores.folder import LocalFolderStore
from tightrope.audit.tlog.merkle import Frontier, leaf_hash
from tightrope.audit.tree_repository import Waiting

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "audit"


def a_waiting(number: int, record_id: UUID | None = None, ct: bytes = b"ct") -> Waiting:
    record_id = record_id or uuid4()
    leaf = json.dumps({"id": str(record_id), "ct_sha256": hashlib.sha256(ct).hexdigest(), "n": number}).encode()
    return Waiting(number, record_id, leaf, ct)


def a_tree(size: int) -> Frontier:
    tree = Frontier()
    tree.extend(bytes([n % 256]) * 32 for n in range(size))
    return tree


def some_entries(count: int, first: int = 0) -> list[SequencedRecord]:
    batch = [a_waiting(n, ct=bytes([n % 256])) for n in range(count)]
    return [SequencedRecord(first + n, item.record_id, item.leaf or b"", item.ct) for n, item in enumerate(batch)]


def build(
    entries: Sequence[SequencedRecord], origin: str = "t.example/audit/2026", before: Frontier | None = None
) -> tuple[str, bytes, Frontier]:
    builder = SegmentBuilder(2026, origin, before or a_tree(entries[0].index if entries else 0))
    for entry in entries:
        builder.add(entry)
    return builder.finish()


@given(st.integers(1, 20), st.integers(0, 1000))
def test_a_segment_comes_back_as_it_was_and_leads_to_its_root(count, before):
    entries = some_entries(count, before)
    key, data, after = build(entries)
    name, segment = parse_name(key), parse_segment(data)
    assert name is not None
    assert (name.shard, name.first, name.last) == (2026, before, before + count - 1)
    assert name.sha256 == hashlib.sha256(data).hexdigest()
    assert list(segment.entries) == entries
    assert (segment.root, after.size) == (after.root(), before + count)
    led = follows(segment, a_tree(before))
    assert led is not None
    assert led.root() == after.root()
    assert follows(segment, a_tree(before + 1)) is None
    if before:
        other = Frontier()
        other.extend([b"x" * 32] * before)
        assert follows(segment, other) is None


def test_an_entry_without_payload_is_the_logs_own():
    record_id = uuid4()
    leaf = json.dumps({"id": str(record_id), "ct_sha256": None}).encode()
    _, data, _ = build([SequencedRecord(0, record_id, leaf, None)])
    assert parse_segment(data).entries[0].ct is None
    assert mismatch(record_id, leaf, b"") == "the ciphertext is not the one that the leaf names"


@given(st.data())
def test_no_flipped_byte_of_a_segment_goes_unnoticed(data):
    _, built, _ = build(some_entries(3))
    place = data.draw(st.integers(0, len(built) - 1))
    bit = data.draw(st.integers(0, 7))
    flipped = bytearray(built)
    flipped[place] ^= 1 << bit
    try:
        segment = parse_segment(bytes(flipped))
    except SegmentInvalid:
        return
    # The name's hash still tells. What does not lead to the root is told by the tree; the rest reads as what was written.
    assert hashlib.sha256(flipped).hexdigest() != hashlib.sha256(built).hexdigest()
    if follows(segment, Frontier()) is not None:
        written = parse_segment(built).entries
        assert [(e.index, e.leaf, e.ct) for e in segment.entries] == [(e.index, e.leaf, e.ct) for e in written]


def test_entries_that_do_not_follow_make_no_segment():
    entries = some_entries(4)
    for wrong in ([], [entries[0], entries[2]], [entries[0], entries[1], entries[1]], entries[1:2] + entries[:1]):
        with pytest.raises(SegmentInvalid):
            build(wrong)


def test_a_leaf_that_is_no_utf8_makes_no_segment():
    with pytest.raises(SegmentInvalid, match="UTF-8"):
        build([SequencedRecord(0, uuid4(), b"\xff", b"ct")])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]\n",
        b'{"v":2,"kind":"segment","first":1,"last":1,"count":1,"origin":"x","root":"zz"}\n',
        b'{"v":1,"kind":"segment"}\n',
    ],
)
def test_rubbish_is_no_segment(data):
    with pytest.raises(SegmentInvalid):
        parse_segment(data)


def test_other_names_are_no_segments():
    assert parse_name("seg/2026/readme.txt") is None
    assert parse_name("seg/main/000000000001-000000000002." + "0" * 64 + ".jsonl") is None


def test_the_golden_segment_still_reads():
    (path,) = GOLDEN.glob("*.jsonl")
    data = path.read_bytes()
    name = parse_name(f"seg/2026/{path.name}")
    assert name is not None
    assert hashlib.sha256(data).hexdigest() == name.sha256
    segment = parse_segment(data)
    assert (segment.first, segment.last) == (0, 2)
    assert [json.loads(entry.leaf)["event"] for entry in segment.entries] == [
        "customer:message:received",
        "gateway:turn:made",
        "outbox:message:sent",
    ]
    assert {json.loads(entry.leaf)["v"] for entry in segment.entries} == {1}, "leaves of the first version stay readable"
    assert build(segment.entries, segment.origin, Frontier())[:2] == (f"seg/2026/{path.name}", data)
    assert follows(segment, Frontier()) is not None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"index":1', b'"index":9', "entry 1: numbered 9"),
        (b'"count":3', b'"count":2', "says 2 entries and holds 3"),
    ],
)
def test_the_golden_segment_tampered_with_is_named(old, new, says):
    (path,) = GOLDEN.glob("*.jsonl")
    data = path.read_bytes()
    assert data.count(old) >= 1
    with pytest.raises(SegmentInvalid, match=says):
        parse_segment(data.replace(old, new))


def test_a_leaf_changed_in_the_golden_segment_no_longer_leads_to_its_root():
    (path,) = GOLDEN.glob("*.jsonl")
    changed = path.read_bytes().replace(b'\\"turn\\":1,', b'\\"turn\\":2,')
    assert changed != path.read_bytes()
    assert follows(parse_segment(changed), Frontier()) is None


def test_lines_swapped_or_cut_off_are_named():
    header, *lines = build(some_entries(3))[1].splitlines(keepends=True)
    with pytest.raises(SegmentInvalid, match="entry 0: numbered 1"):
        parse_segment(header + lines[1] + lines[0] + lines[2])
    with pytest.raises(SegmentInvalid, match="says 3 entries and holds 2"):
        parse_segment(header + lines[0] + lines[1])


def test_what_holds_gets_a_place_and_the_rest_is_refused_with_a_reason():
    good, other = a_waiting(1), a_waiting(5)
    assert good.leaf is not None
    assert other.leaf is not None
    batch = [
        good,
        Waiting(2, uuid4(), None, None),
        Waiting(3, uuid4(), good.leaf, b"ct"),
        Waiting(4, good.record_id, good.leaf, b"another"),
        Waiting(4, good.record_id, good.leaf, None),
        Waiting(4, uuid4(), b"\xff", b"ct"),
        other,
    ]
    before = a_tree(7)
    after, leaves, refused = place(before, batch)
    assert [(leaf.index, leaf.record_id) for leaf in leaves] == [(7, good.record_id), (8, other.record_id)]
    expected = a_tree(7)
    expected.extend([leaf_hash(good.leaf), leaf_hash(other.leaf)])
    assert after.root() == expected.root()
    assert before.size == 7, "the tree before is as it was, in case the batch is not committed"
    assert [reason for _, reason in refused] == [
        "the record vanished before it was sealed",
        "the leaf belongs to another record",
        "the ciphertext is not the one that the leaf names",
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


def test_a_listing_begins_and_ends_where_it_is_told(tmp_path, monkeypatch):
    store = LocalFolderStore(tmp_path)
    keys = [f"seg/{year}/{number}" for year in (2025, 2026, 2027) for number in range(3)]
    for key in keys:
        store.put(key, b"x")
    assert list(store.keys("seg", after="", before="~")) == list(store.keys("seg")) == keys
    looked = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked.append(str(path)) or real(path))
    assert list(store.keys("seg", after="seg/2026/0", before="seg/2027/")) == ["seg/2026/1", "seg/2026/2"]
    assert [path.rpartition("/")[2] for path in looked] == ["seg", "2026"], "other years are not looked into"
    for after in keys:
        for before in keys:
            assert list(store.keys("seg", after=after, before=before)) == [key for key in keys if after < key < before]


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
