"""The bucket's auditor names what is missing, altered, hidden, put on top, or less locked than it was; and leaves nothing unread."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from s3_fake import FakeS3

from tightrope.audit.errors import StoreError
from tightrope.audit.stores.s3 import Place, S3Store, StoredVersion
from tightrope.audit.stores.sampling import Expected, choose, held_against, sample

NOW = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)


def segment(number: int) -> tuple[str, bytes]:
    data = f"segment {number}".encode()
    return f"seg/2026/{number:012}-{number:012}.{hashlib.sha256(data).hexdigest()}.jsonl", data


@pytest.fixture
def fake(clock) -> FakeS3:
    return FakeS3(clock)


@pytest.fixture
def store(fake, clock) -> S3Store:
    place = Place("https://s3.firm.internal", "audit")
    return S3Store(lambda: fake, place, lock=timedelta(days=30), encrypted=True, clock=clock, verdict=lambda: None)


@pytest.fixture
def index(store, clock) -> list[Expected]:
    """Ten segments, stored and indexed."""
    made = []
    for number in range(10):
        receipt = store.put(*segment(number))
        until = datetime.fromisoformat(receipt.retain_until)
        made.append(Expected(receipt.key, receipt.sha256, receipt.version_id, until, clock.now()))
    return made


def found(report) -> list[tuple[str, str]]:
    return [(finding.kind, finding.key) for finding in report.findings]


def test_all_in_order_and_only_the_sample_is_read(store, index, fake, clock):
    before = fake.count("GetObject")
    report = sample(store, index, now=clock.now(), count=3, seed=7)
    assert (report.ok, report.listed, report.expected, report.due, report.tried, len(report.read)) == (True, 10, 10, 0, 3, 3)
    assert fake.count("GetObject") - before == 3
    again = sample(store, index, now=clock.now(), count=3, seed=7)
    assert again.read == report.read


def test_what_was_not_read_for_ninety_days_is_read_whatever_the_sample(store, index, clock):
    index[4] = replace(index[4], read_at=clock.now() - timedelta(days=90))
    report = sample(store, index, now=clock.now(), count=0, seed=1)
    assert (report.due, report.read) == (1, [index[4].key])


def test_a_version_that_is_gone_is_missing_though_it_was_not_in_the_sample(store, index, fake, clock):
    key = index[3].key
    fake.objects[key].clear()
    report = sample(store, index, now=clock.now(), count=0, seed=1)
    assert found(report) == [("missing", key)]
    assert index[3].version_id in report.findings[0].detail


def test_a_version_exchanged_for_another_is_missing_and_named(store, index, fake, clock):
    key, data = segment(3)
    fake.objects[key].clear()
    fake._add(key, data, "COMPLIANCE", clock.now() + timedelta(days=60))
    assert found(sample(store, index, now=clock.now(), count=0, seed=1)) == [("missing", key)]


def test_a_delete_marker_and_bytes_put_on_top_are_named(store, index, fake, clock):
    fake.delete_object(Bucket="audit", Key=index[0].key)
    fake._add(index[1].key, b"forged", None, None)
    report = sample(store, index, now=clock.now(), count=10, seed=1)
    assert found(report) == [("delete marker", index[0].key), ("other version", index[1].key)]
    assert len(report.read) == 10  # what was stored is still there


def test_the_same_bytes_twice_are_a_writer_that_tried_again(store, index, fake, clock):
    fake._add(*segment(2), "COMPLIANCE", clock.now() + timedelta(days=60))
    assert sample(store, index, now=clock.now(), count=10, seed=1).ok


def test_bytes_and_locks_that_changed_are_named_and_stay_due(store, index, fake, clock):
    fake.objects[index[0].key][0].data = b"altered"
    fake.objects[index[1].key][0].mode = None
    fake.objects[index[2].key][0].mode = "GOVERNANCE"
    fake.objects[index[3].key][0].until -= timedelta(days=1)
    report = sample(store, index, now=clock.now(), count=10, seed=1)
    assert sorted(found(report)) == sorted(
        [("altered", index[0].key), ("lock", index[1].key), ("lock", index[2].key), ("lock", index[3].key)]
    )
    assert not {index[n].key for n in range(4)} & set(report.read)
    assert "it was given one until 2026-12-" in " ".join(finding.detail for finding in report.findings)


def test_listed_but_not_readable_is_missing(store, index, fake, clock, monkeypatch):
    monkeypatch.setattr(fake, "get_object", lambda **asked: fake._refuse("GetObject", 404, "NoSuchKey"))
    report = sample(store, index[:1], now=clock.now(), count=1, seed=1)
    assert found(report)[0] == ("missing", index[0].key)
    assert "its bytes are gone" in report.findings[0].detail
    monkeypatch.setattr(fake, "get_object", lambda **asked: fake._refuse("GetObject", 500, "InternalError"))
    assert "HTTP 500" in sample(store, index[:1], now=clock.now(), count=1, seed=1).findings[0].detail


def test_what_the_index_does_not_name_is_read_by_the_hash_in_its_name(store, fake, clock):
    note = b"checkpoint"
    store.put(f"checkpoint/2026/000000000010.{hashlib.sha256(note).hexdigest()}", note)
    store.put("selftest/0/first", b"left by a self-test")
    assert sample(store, [], now=clock.now(), seed=1).ok
    fake._add("holiday.jpg", b"?", None, None)
    forged = f"checkpoint/2026/000000000011.{hashlib.sha256(note).hexdigest()}"
    fake._add(forged, b"forged", "COMPLIANCE", clock.now() + timedelta(days=1))
    assert sorted(found(sample(store, [], now=clock.now(), seed=1))) == [("altered", forged), ("unknown", "holiday.jpg")]


def test_a_bucket_that_cannot_be_listed_is_no_report(store, index, fake, clock):
    fake.down = frozenset({"ListObjectVersions"})
    with pytest.raises(StoreError, match="503"):
        sample(store, index, now=clock.now(), seed=1)


ages = st.lists(st.integers(0, 200), min_size=0, max_size=30)


@given(ages, st.integers(0, 40), st.integers(0, 2**32))
def test_everything_due_is_chosen_and_nothing_twice(days, count, seed):
    index = [Expected(f"k{n}", "", None, None, NOW - timedelta(days=age)) for n, age in enumerate(days)]
    due, others = choose(index, now=NOW, days=90, count=count, seed=seed)
    assert set(due) == {item.key for item, age in zip(index, days, strict=True) if age >= 90}
    assert len(others) == min(count, len(index) - len(due))
    assert len({*due, *others}) == len(due) + len(others)
    assert choose(index[::-1], now=NOW, days=90, count=count, seed=seed)[1] == others


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_exactly_what_is_gone_is_missing_and_exactly_what_is_hidden_is_named(there, gone, hidden):
    expected = {f"k{n}": Expected(f"k{n}", "", "v", None, NOW) for n in there}
    listed = [StoredVersion(f"k{n}", "m", 0, "", NOW, marker=True) for n in hidden]
    listed += [StoredVersion(f"k{n}", "v", 1, "e", NOW, marker=False) for n in there - gone]
    findings, _, count = held_against(expected, listed)
    assert {finding.key for finding in findings if finding.kind == "missing"} == {f"k{n}" for n in there & gone}
    assert {finding.key for finding in findings if finding.kind == "delete marker"} == {f"k{n}" for n in hidden}
    assert count == len(there - gone)
