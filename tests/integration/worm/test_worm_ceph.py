"""The S3 driver and the self-test against a real server with Object Lock."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tightrope.audit.errors import StoreError, WriteOnceViolation
from tightrope.audit.stores.selftest import run_selftest
from tightrope.infra.clock import SystemClock

pytestmark = [pytest.mark.integration, pytest.mark.long]

DATA = b"a segment" * 1000
KEY = f"seg/2026/000000000000-000000000003.{hashlib.sha256(DATA).hexdigest()}.jsonl"


def test_ceph_is_worm_by_every_probe_that_counts(account):
    done = run_selftest(account.client, account.place, clock=SystemClock())
    assert {probe.name: probe.outcome for probe in done.probes if probe.ok is False} == {}
    assert (done.verdict, done.leftover) == ("worm", 0)
    assert all(probe.ok for probe in done.probes if probe.grade != "note")


def test_a_twenty_year_lock_is_kept_and_the_same_bytes_make_no_second_version(account):
    store = account.store(lock=timedelta(days=7305))
    first = store.put(KEY, DATA)
    assert datetime.fromisoformat(first.retain_until) >= datetime.now(UTC) + timedelta(days=7304)
    assert first.version_id
    assert first.etag == hashlib.md5(DATA).hexdigest()
    assert store.put(KEY, DATA) == first
    assert len(list(store.versions(""))) == 1
    lock = store.lock_of(KEY, first.version_id)
    assert (lock.mode, store.get(KEY)) == ("COMPLIANCE", DATA)
    with pytest.raises(ClientError, match="AccessDenied"):
        account.client.delete_object(
            Bucket=account.place.bucket, Key=KEY, VersionId=first.version_id, BypassGovernanceRetention=True
        )


def test_nothing_put_on_top_hides_what_was_stored(account):
    store = account.store()
    store.put(KEY, DATA)
    account.client.put_object(Bucket=account.place.bucket, Key=KEY, Body=b"forged")
    assert store.get(KEY) == DATA
    account.client.delete_object(Bucket=account.place.bucket, Key=KEY)
    assert store.get(KEY) == DATA
    assert list(store.keys("seg")) == [KEY]
    assert [version.marker for version in store.versions("seg/")] == [True, False, False]
    store.put("plain", b"one")
    with pytest.raises(WriteOnceViolation):
        store.put("plain", b"two")


def test_a_listing_begins_and_ends_where_it_is_told(account):
    store = account.store()
    names = [*(f"seg/2026/{number}" for number in range(7)), "seg/2027/0"]
    for name in names:
        store.put(name, b"x")
    account.client.put_object(Bucket=account.place.bucket, Key="seg/2026/3", Body=b"forged")
    account.client.delete_object(Bucket=account.place.bucket, Key="seg/2026/4")
    assert list(store.keys("seg", after="seg/2026/3", before="seg/2026/6")) == ["seg/2026/4", "seg/2026/5"]
    assert list(store.keys("seg", after="seg/2026/35", before="seg/2027/")) == names[4:7]
    assert list(store.keys("seg", after="seg/2026/3")) == names[4:]
    assert list(store.keys("seg", before="seg/2026/")) == []


def test_many_keys_are_listed_in_pages(account, monkeypatch):
    store = account.store()
    names = [f"seg/2026/{n:03}" for n in range(7)]
    for name in names:
        store.put(name, b"x")
    ask = account.client.list_object_versions
    monkeypatch.setattr(account.client, "list_object_versions", lambda **asked: ask(**asked, MaxKeys=2))
    assert list(store.keys("seg/2026")) == names


def test_a_bucket_without_object_lock_stores_nothing(account):
    account.client.create_bucket(Bucket="plain-bucket")
    with pytest.raises(StoreError, match="Object Lock on in this bucket"):
        account.store(bucket="plain-bucket").put(KEY, DATA)
    place = account.store(bucket="plain-bucket").place
    with pytest.raises(StoreError, match="takes no object under a lock"):
        run_selftest(account.client, place, clock=SystemClock(), lock_seconds=1)
    with pytest.raises(StoreError, match="make the bucket with Object Lock first"):
        account.store(bucket="no-such-bucket").put(KEY, DATA)


def test_a_writer_needs_no_more_than_the_rights_in_the_manual_and_proves_nothing_by_itself(account):
    name = f"{account.name}w"
    writer = account.client_for(*account.server.user(name))
    actions = ["PutObject", "PutObjectRetention", "GetObject", "GetObjectVersion", "GetObjectRetention", "ListBucketVersions"]
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam:::user/{name}"]},
        "Action": [f"s3:{action}" for action in actions],
        "Resource": [f"arn:aws:s3:::{account.place.bucket}", f"arn:aws:s3:::{account.place.bucket}/*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client.put_bucket_policy(Bucket=account.place.bucket, Policy=policy)
    store = account.store(client=writer)
    receipt = store.put(KEY, DATA)
    assert (store.put(KEY, DATA), store.get(KEY), list(store.keys("seg"))) == (receipt, DATA, [KEY])
    for which in ({}, {"VersionId": receipt.version_id}):
        with pytest.raises(ClientError, match="AccessDenied"):
            writer.delete_object(Bucket=account.place.bucket, Key=KEY, **which)
    done = run_selftest(writer, account.place, clock=SystemClock(), lock_seconds=3)
    assert done.verdict == "degraded"
    assert done.leftover > 0


def test_a_stranger_and_a_wrong_secret_are_told_what_to_look_at(account):
    access_key, _ = account.keys
    for client in (account.client_for(*account.server.user(f"{account.name}x")), account.client_for(access_key, "wrong")):
        with pytest.raises(StoreError, match="audit_s3_access_key"):
            account.store(client=client).put(KEY, DATA)


def test_a_server_that_is_gone_is_an_error_within_a_minute(account):
    nowhere = account.client_for(*account.keys, url="http://127.0.0.1:1")
    begun = time.monotonic()
    with pytest.raises(StoreError, match="did not answer"):
        account.store(client=nowhere).put(KEY, DATA)
    assert time.monotonic() - begun < 60
