"""The S3 driver's own rules, against a server in memory that misbehaves in one way at a time."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from s3_fake import FakeS3

from tightrope.audit.errors import StoreError, StoreRefused, WriteOnceViolation
from tightrope.audit.stores import s3
from tightrope.audit.stores.s3 import Place, S3Store
from tightrope.audit.stores.verdict import KeptVerdict

PLACE = Place("https://s3.firm.internal", "audit")
DATA = b"a segment"
ADDRESS = hashlib.sha256(DATA).hexdigest()
KEY = f"seg/2026/000000000000-000000000003.{ADDRESS}.jsonl"
TWENTY_YEARS = timedelta(days=7305)


def kept(at: datetime, **changes) -> KeptVerdict:
    values = {
        "endpoint": PLACE.endpoint,
        "bucket": PLACE.bucket,
        "server": "Fake 1",
        "at": at.isoformat(),
        "verdict": "worm",
        "reason": "",
    }
    return KeptVerdict(**{**values, **changes})


@pytest.fixture
def fake(clock) -> FakeS3:
    return FakeS3(clock)


@pytest.fixture
def make(fake, clock):
    def store(*, lock=TWENTY_YEARS, encrypted=True, verdict=None, client=None) -> S3Store:
        return S3Store(lambda: client or fake, PLACE, lock=lock, encrypted=encrypted, clock=clock, verdict=lambda: verdict)

    return store


def test_one_put_with_both_checksums_and_the_lock_and_a_receipt_with_what_the_server_gave_back(make, fake, clock):
    receipt = make().put(KEY, DATA)
    (asked,) = [asked for name, asked in fake.calls if name == "PutObject"]
    assert asked["ContentMD5"] == base64.b64encode(hashlib.md5(DATA).digest()).decode()
    assert asked["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    assert asked["ObjectLockMode"] == "COMPLIANCE"
    assert asked["ObjectLockRetainUntilDate"] >= clock.now() + TWENTY_YEARS
    assert (receipt.key, receipt.sha256, receipt.size, receipt.version_id) == (KEY, ADDRESS, len(DATA), "v0")
    assert receipt.etag == hashlib.md5(DATA).hexdigest()
    assert receipt.retain_until == "2046-11-21T02:31:00Z"
    assert make().get(KEY) == DATA


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("drops the lock", "with no lock instead of COMPLIANCE"),
        ("governance", "with GOVERNANCE until 2046-11-21 02:31:00 instead of COMPLIANCE"),
        ("locks shorter", "with COMPLIANCE until 2046-11-21 02:30:59 instead of COMPLIANCE until 2046-11-21 02:31:00"),
        ("other bytes", "read back differently"),
        ("no version", "versioning is off"),
        ("silent", "did not answer"),
    ],
)
def test_a_server_that_does_something_else_gives_no_receipt(make, clock, fault, says):
    with pytest.raises(StoreError, match=says):
        make(client=FakeS3(clock, faults=frozenset({fault}))).put(KEY, DATA)


@pytest.mark.parametrize("operation", ["PutObject", "GetObject", "GetObjectRetention", "ListObjectVersions"])
def test_a_server_that_fails_at_any_step_gives_no_receipt(make, clock, operation):
    with pytest.raises(StoreError, match=r"HTTP 503, SlowDown"):
        make(client=FakeS3(clock, down=frozenset({operation}))).put(KEY, DATA)


def test_a_refusal_tells_which_rights_to_look_at(make, clock):
    with pytest.raises(StoreError, match=r"audit_s3_access_key.*Rights"):
        make(client=FakeS3(clock, forbidden=frozenset({"PutObject"}))).put(KEY, DATA)


def test_more_than_goes_into_one_put_is_refused_before_anything_is_sent(make, fake, monkeypatch):
    monkeypatch.setattr(s3, "MAX_BYTES", 8)
    with pytest.raises(StoreError, match="has 9 bytes; at most 8"):
        make().put(KEY, DATA)
    assert fake.calls == []


def test_the_same_bytes_again_make_no_second_version(make, fake, clock):
    first = make().put(KEY, DATA)
    clock.advance(3600)
    assert make().put(KEY, DATA) == first
    assert fake.count("PutObject") == 1


def test_the_same_bytes_get_a_second_version_when_the_first_is_not_locked_long_enough(make, fake):
    first = make(lock=timedelta(days=1)).put(KEY, DATA)
    second = make().put(KEY, DATA)
    assert second.version_id != first.version_id
    assert second.retain_until > first.retain_until
    assert fake.count("PutObject") == 2


def test_the_same_bytes_without_a_lock_do_not_count_as_stored(make, fake, clock):
    fake._add(KEY, DATA, None, None)
    assert make().put(KEY, DATA).version_id == "v1"


def test_other_bytes_under_the_key_are_never_written_over(make, fake):
    make().put("a", b"one")
    with pytest.raises(WriteOnceViolation, match="never written over"):
        make().put("a", b"two")
    assert make().get("a") == b"one"
    assert fake.count("PutObject") == 1


@pytest.mark.parametrize("key", ["../x", "", "A", "a//b", "/a"])
def test_what_is_no_key_is_refused(make, key):
    with pytest.raises(StoreError, match="no key"):
        make().put(key, b"")
    with pytest.raises(StoreError, match="no key"):
        make().get(key)


def test_what_is_put_or_marked_deleted_on_top_hides_nothing(make, fake):
    store = make()
    store.put(KEY, DATA)
    fake.delete_object(Bucket="audit", Key=KEY)
    assert store.get(KEY) == DATA
    fake._add(KEY, b"forged", None, None)
    assert store.get(KEY) == DATA
    assert list(store.keys("seg/2026")) == [KEY]
    store.put("plain", b"first")
    fake._add("plain", b"second", None, None)
    assert store.get("plain") == b"first"


def test_what_is_not_there_is_none_and_what_was_altered_is_given_as_it_is(make, fake):
    assert make().get(KEY) is None
    fake._add(KEY, b"altered", None, None)
    assert make().get(KEY) == b"altered"


def test_long_listings_come_in_pages_and_nothing_of_a_neighbouring_folder(make, fake):
    store = make()
    names = [f"seg/2026/{n}" for n in range(7)]
    for name in [*names, "seg/20267", "other"]:
        store.put(name, b"x")
    fake.page = 2
    assert list(store.keys("seg/2026")) == names


@pytest.mark.parametrize("fault", [None, "marker included"])
def test_a_listing_begins_and_ends_where_it_is_told(make, fake, fault):
    store = make()
    for name in [*(f"seg/2026/{n}" for n in range(7)), "seg/2027/0"]:
        store.put(name, b"x")
    fake.faults = frozenset({fault} if fault else ())
    fake.calls.clear()
    assert list(store.keys("seg", after="seg/2026/3", before="seg/2026/6")) == ["seg/2026/4", "seg/2026/5"]
    assert list(store.keys("seg", after="seg/2026/35", before="seg/2027/")) == ["seg/2026/4", "seg/2026/5", "seg/2026/6"]
    assert fake.count("ListObjectVersions") == 2
    fake.page = 2
    assert list(store.keys("seg", after="seg/2026/3")) == ["seg/2026/4", "seg/2026/5", "seg/2026/6", "seg/2027/0"]


def test_a_long_lock_on_unencrypted_payloads_is_refused_at_the_start_with_the_reason(make):
    with pytest.raises(
        StoreRefused, match=r"7305 days on unencrypted payloads is refused: nobody.*before 2046-11-20.*no key to destroy"
    ):
        make(encrypted=False)
    with pytest.raises(StoreRefused):
        make(encrypted=False, lock=timedelta(days=1, seconds=1))
    make(encrypted=False, lock=timedelta(days=1)).put("a", b"one")


def test_a_bucket_is_called_worm_only_with_a_passed_and_recent_self_test_of_this_server(make, fake, clock):
    passed = kept(clock.now() - timedelta(days=29))
    store = make(verdict=passed)
    assert store.describe().worm is True
    assert store.put(KEY, DATA).worm is True
    assert "WORM" in store.describe().text
    assert "NOT" not in store.describe().text
    for verdict, says in [
        (None, "NOT WORM: no self-test has been run"),
        (kept(clock.now() - timedelta(days=31)), "NOT WORM: the last self-test is of 2026-10-20"),
        (kept(clock.now(), verdict="not worm", reason="shorten a lock: allowed"), "NOT WORM: shorten a lock: allowed"),
        (kept(clock.now(), verdict="degraded", reason="the server's clock: +99 s from ours"), "NOT WORM: the server's clock"),
    ]:
        store = make(verdict=verdict)
        assert store.describe().worm is False
        assert says in store.describe().text
        assert store.put(KEY, DATA).worm is False


def test_a_server_of_another_version_than_was_tested_is_not_worm(make, fake, clock):
    store = make(verdict=kept(clock.now()))
    fake.server = "Fake 2"
    assert store.describe().worm is True  # it was not asked yet
    assert store.put(KEY, DATA).worm is False
    assert "NOT WORM: the server was Fake 1 at the self-test and is Fake 2 now" in store.describe().text


def test_a_lock_with_fractions_of_a_second_ends_at_the_next_whole_one(make, fake, clock):
    clock.at = datetime(2026, 11, 20, 2, 31, 0, 1, tzinfo=UTC)
    assert make(lock=timedelta(seconds=10)).put("a", b"1").retain_until == "2026-11-20T02:31:12Z"
