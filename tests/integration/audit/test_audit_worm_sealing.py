"""Records sealed into a bucket with Object Lock; what is destroyed behind its interface is named by verification, with its entries."""

from __future__ import annotations

import json

import pytest

from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.stores.sampling import sample
from tightrope.audit.stores.sampling_repository import expected
from tightrope.audit.verify import verify_log
from tightrope.infra.clock import SystemClock

pytestmark = [pytest.mark.integration, pytest.mark.long]


@pytest.fixture
def bucket(account):
    return account.store()


@pytest.fixture
def write(recorder, worker):
    async def some(count: int) -> None:
        async with worker.connection() as conn:
            for number in range(count):
                await recorder.record(conn, RecordDraft(Event.CUSTOMER_MESSAGE_RECEIVED, conversation_id=f"1-{number}"))

    return some


async def test_a_segment_destroyed_behind_the_interface_is_named_with_its_entries(log, write, seal, bucket, account):
    await write(3)
    await seal(store=bucket)
    await write(2)
    await seal(store=bucket)
    report = await verify_log(log, store=bucket)
    assert report.ok, report
    assert report.segments >= 2
    index = await expected(log)
    assert all(item.version_id and item.retain_until for item in index)
    gone = index[-1]
    arguments = ("--bucket", account.place.bucket, "--object", gone.key, "--object-version", gone.version_id)
    account.server.admin("object", "rm", *arguments)
    report = await verify_log(log, store=bucket)
    first, last = (int(part) for part in gone.key.rsplit("/", 1)[1].split(".")[0].split("-"))
    assert [finding.detail for finding in report.segment_problems] == [
        f"the segment with entries {first} to {last} is missing from the store: {gone.key}"
    ]
    sampled = sample(bucket, index, now=SystemClock().now(), seed=1)
    assert [(finding.kind, finding.key) for finding in sampled.findings] == [("missing", gone.key)]


async def test_a_bucket_that_is_gone_delays_segments_and_stops_no_sealing(log, write, seal, bucket, account, auditor):
    account.server.admin("bucket", "rm", "--bucket", account.place.bucket, "--purge-objects", "--bypass-gc")
    await write(2)
    await seal(store=bucket)
    async with auditor.connection() as conn:
        row = await (
            await conn.execute("SELECT segment_error, (SELECT count(*) FROM audit.leaves) AS leaves FROM audit.sealer")
        ).fetchone()
    assert "NoSuchBucket" in row["segment_error"]
    assert row["leaves"] >= 2
    account.client.create_bucket(Bucket=account.place.bucket, ObjectLockEnabledForBucket=True)
    await seal(store=bucket)
    stored = list(bucket.keys("seg"))
    assert stored
    assert json.loads(bucket.get(stored[0]).splitlines()[0])["kind"] == "segment"
