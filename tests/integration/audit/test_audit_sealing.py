"""The sealer on a real Postgres: one at a time, crash-safe, and what happens when database or store fail."""

from __future__ import annotations

import asyncio
import time

import psycopg
import pytest

from tightrope.audit import sealer as sealer_module
from tightrope.audit import segment_repository, segment_writer, tree_repository
from tightrope.audit.errors import SealerRefused, StoreError, WriteOnceViolation
from tightrope.audit.health import sealer_health
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.sealer import run_sealer
from tightrope.audit.stores.folder import LocalFolderStore
from tightrope.audit.verify import verify_log

pytestmark = pytest.mark.integration


class Crash(BaseException):
    """Stands for kill -9: nothing catches it."""


async def write(worker, recorder, count: int, conversation: str = "1-1") -> list:
    ids = []
    async with worker.connection() as conn:
        for number in range(count):
            ids.append(
                await recorder.record(conn, RecordDraft(Event.TURN_MADE, conversation, turn=number, payload={"said": "x"}))
            )
    return ids


def sealed(superuser) -> list[tuple[int, object]]:
    """What stands in the tree after its first leaf, which the sealer writes when it opens the year."""
    with superuser("tightrope") as conn:
        return conn.execute("SELECT index, record_id FROM audit.leaves WHERE index > 0 ORDER BY index").fetchall()


def opened(superuser) -> bool:
    """Whether the year's first leaf has its place."""
    with superuser("tightrope") as conn:
        return conn.execute("SELECT FROM audit.leaves").fetchone() is not None


async def until(condition, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        await asyncio.sleep(0.01)


async def test_more_than_a_batch_is_sealed_in_the_order_written(log, worker, recorder, seal, superuser):
    ids = await write(worker, recorder, 600)
    await seal()
    assert sealed(superuser) == list(enumerate(ids, 1))
    report = await verify_log(log)
    assert report.ok
    assert (report.sealed, report.segments) == (601, 2)


async def test_a_commit_wakes_the_sealer_without_waiting_for_the_poll(
    log, worker, recorder, sealer_at_work, superuser, monkeypatch
):
    monkeypatch.setattr(sealer_module, "POLL_SECONDS", 3.0)
    async with sealer_at_work(log):
        await asyncio.sleep(0.5)
        for count in range(1, 6):
            await write(worker, recorder, 1)
            await until(lambda count=count: len(sealed(superuser)) == count, seconds=2.5)


async def test_a_lost_notification_is_made_up_for_by_the_poll(log, worker, recorder, sealer_at_work, superuser):
    async with sealer_at_work(log):
        await until(lambda: opened(superuser))  # the year's first leaf needs the trigger
        with superuser("tightrope") as conn:
            conn.execute("ALTER TABLE audit.records DISABLE TRIGGER enqueue")
            try:
                (record,) = await write(worker, recorder, 1)
            finally:
                conn.execute("ALTER TABLE audit.records ENABLE ALWAYS TRIGGER enqueue")
            conn.execute("INSERT INTO audit.pending (record_id) VALUES (%s)", (record,))
        await until(lambda: len(sealed(superuser)) == 1)


async def test_a_second_sealer_waits_and_takes_over(log, worker, recorder, superuser):
    stops = [asyncio.Event(), asyncio.Event()]
    first = asyncio.create_task(run_sealer(log, stops[0]))
    await write(worker, recorder, 1)
    await until(lambda: len(sealed(superuser)) == 1)
    second = asyncio.create_task(run_sealer(log, stops[1]))
    await asyncio.sleep(0.4)
    assert not second.done()
    stops[0].set()
    await first
    await write(worker, recorder, 1)
    await until(lambda: len(sealed(superuser)) == 2)
    stops[1].set()
    await second
    assert (await verify_log(log)).ok


async def test_a_waiting_sealer_stops_when_told(log):
    stops = [asyncio.Event(), asyncio.Event()]
    first = asyncio.create_task(run_sealer(log, stops[0]))
    await asyncio.sleep(0.3)
    second = asyncio.create_task(run_sealer(log, stops[1]))
    await asyncio.sleep(0.3)
    stops[1].set()
    await asyncio.wait_for(second, 5)
    stops[0].set()
    await first


async def test_a_sealer_that_lost_its_lease_unnoticed_refuses_to_fork_the_tree(
    log, worker, recorder, seal, sealer_at_work, superuser
):
    stop = asyncio.Event()
    task = asyncio.create_task(run_sealer(log, stop))
    await write(worker, recorder, 1)
    await until(lambda: len(sealed(superuser)) == 1)
    with superuser("tightrope") as conn:
        conn.execute(
            "INSERT INTO audit.leaves (shard, index, record_id, leaf_hash) SELECT shard, 2, gen_random_uuid(), 'x' FROM audit.shards"
        )
    await write(worker, recorder, 1)
    with pytest.raises(SealerRefused, match="somebody else wrote"):
        await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("step", ["waiting", "insert_leaves"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_between_the_steps_of_a_batch_nothing_is_lost_or_sealed_twice(
    log, worker, recorder, seal, superuser, monkeypatch, step, when
):
    ids = await write(worker, recorder, 5)
    real = getattr(tree_repository, step)

    async def dies(*args, **kwargs):
        if when == "after":
            await real(*args, **kwargs)
        raise Crash

    monkeypatch.setattr(tree_repository, step, dies)
    with pytest.raises(Crash):
        await run_sealer(log, asyncio.Event())
    monkeypatch.undo()
    assert sealed(superuser) == []
    await seal()
    assert [record for _, record in sealed(superuser)] == ids
    assert (await verify_log(log)).ok


async def test_killed_after_a_segment_was_stored_the_next_sealer_takes_it_into_the_index(
    log, worker, recorder, seal, monkeypatch
):
    await write(worker, recorder, 3)

    async def dies(*args, **kwargs):
        raise Crash

    monkeypatch.setattr(segment_repository, "insert_segment", dies)
    with pytest.raises(Crash):
        await run_sealer(log, asyncio.Event())
    monkeypatch.undo()
    report = await verify_log(log)
    assert report.ok
    assert ["stored but not indexed" in note for note in report.notes if "not published yet" not in note] == [True]
    await write(worker, recorder, 2)
    await seal()
    report = await verify_log(log)
    assert report.ok
    assert (report.sealed, report.segments, report.notes) == (6, 2, [])


class Broken(LocalFolderStore):
    """A store that is full until told otherwise."""

    full = True

    def put(self, key, data):
        if self.full:
            raise StoreError("no space left on device")
        return super().put(key, data)


async def test_with_a_full_store_sealing_goes_on_and_health_says_segments_lag(
    log, worker, recorder, superuser, sealer_at_work, monkeypatch
):
    monkeypatch.setattr(segment_writer, "RETRY_SECONDS", 0.05)
    store = Broken(log.audit_store)
    async with sealer_at_work(log, store=store):
        ids = await write(worker, recorder, 2)
        await until(lambda: len(sealed(superuser)) == len(ids))
        health = None
        for _ in range(100):
            health = await sealer_health(log)
            if health:
                break
            await asyncio.sleep(0.02)
        assert health == "segments are behind: no space left on device"
        store.full = False
        for _ in range(100):
            health = await sealer_health(log)
            if health is None:
                break
            await asyncio.sleep(0.02)
        assert health is None
    assert (await verify_log(log)).segments >= 1


async def test_a_store_that_cannot_be_listed_is_an_alarm_and_no_stop(log, worker, recorder, seal, superuser, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    (record,) = await write(worker, recorder, 1)
    await seal(store=LocalFolderStore(blocked))
    assert [found for _, found in sealed(superuser)] == [record]
    assert "segments are behind" in (await sealer_health(log) or "")
    report = await verify_log(log.model_copy(update={"audit_store": blocked}))
    assert not report.ok
    assert "cannot be listed" in report.segment_problems[0].detail


async def test_a_foreign_segment_in_the_store_stops_the_sealer(log, worker, recorder, seal, insider):
    await write(worker, recorder, 2)
    await seal()
    insider.execute("DELETE FROM audit.segments")
    insider.execute("UPDATE audit.records SET leaf = leaf || ' ' WHERE id = (SELECT record_id FROM audit.leaves WHERE index = 2)")
    with pytest.raises(SealerRefused, match="another tree"):
        await run_sealer(log, asyncio.Event())


async def test_a_damaged_segment_that_is_not_indexed_is_named_and_its_entries_written_again(
    log, worker, recorder, seal, insider, store
):
    await write(worker, recorder, 2)
    await seal()
    insider.execute("DELETE FROM audit.segments")
    (key,) = store.keys("seg")
    path = log.audit_store / key
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-20])
    await write(worker, recorder, 1)
    await seal()
    report = await verify_log(log)
    assert report.segments == 1
    assert ["altered in the store" in finding.detail for finding in report.segment_problems] == [True]
    assert not report.missing


async def test_leftovers_of_puts_that_failed_after_they_had_landed_stop_nothing(
    log, worker, recorder, seal, insider, monkeypatch
):
    """A lost reply makes the next try a longer segment of another name: both stay in a write-once store."""
    real = LocalFolderStore.put

    def lands_and_fails(self, key, data):
        real(self, key, data)
        raise StoreError("the reply was lost")

    monkeypatch.setattr(LocalFolderStore, "put", lands_and_fails)
    for _ in range(3):
        await write(worker, recorder, 2)
        await seal()
    monkeypatch.undo()
    await write(worker, recorder, 1)
    await seal()
    report = await verify_log(log)
    assert report.ok, report.to_json()
    assert report.sealed == 8
    await seal()  # and again with the shorter ones still beside the index
    assert (await verify_log(log)).ok


class Listed(LocalFolderStore):
    """A folder that remembers which keys it was asked to name."""

    def __init__(self, folder) -> None:
        super().__init__(folder)
        self.named: list[str] = []

    def keys(self, prefix, **within):
        for key in super().keys(prefix, **within):
            self.named.append(key)
            yield key


async def test_the_start_lists_no_more_of_the_store_than_can_lie_beyond_the_index(log, worker, recorder, seal, monkeypatch):
    monkeypatch.setattr(segment_writer, "ENTRIES", 3)
    await write(worker, recorder, 30)
    await seal()
    store = Listed(log.audit_store)
    await write(worker, recorder, 1)
    await seal(store=store)
    assert len(list(LocalFolderStore(log.audit_store).keys("seg"))) >= 11
    assert len(store.named) <= 1, "the last segment alone, which might have reached beyond"
    assert (await verify_log(log)).ok


@pytest.mark.parametrize("year", [-1, 1])
async def test_a_store_with_a_year_that_the_database_lacks_stops_the_sealer(log, worker, recorder, seal, superuser, year):
    """A database that was set back to before New Year, or lost a whole year, on either side of what it has."""
    await write(worker, recorder, 3)
    await seal()
    with superuser("tightrope") as conn:
        (shard,) = conn.execute("SELECT shard FROM audit.shards").fetchone()
    digest = "0" * 64
    LocalFolderStore(log.audit_store).put(f"seg/{shard + year}/000000000000-000000000001.{digest}.jsonl", b"x")
    with pytest.raises(SealerRefused, match=f"holds entries of {shard + year} up to 1, the tree has 0"):
        await run_sealer(log, asyncio.Event())


async def test_a_segment_that_begins_within_the_index_and_ends_beyond_the_tree_stops_the_sealer(
    log, worker, recorder, seal, superuser
):
    """What another cut of a longer log left: the database was set back."""
    await write(worker, recorder, 600)
    await seal()
    with superuser("tightrope") as conn:
        shard, size = conn.execute("SELECT shard, size FROM audit.shards").fetchone()
    digest = "0" * 64
    first = size - segment_writer.ENTRIES + 1
    LocalFolderStore(log.audit_store).put(f"seg/{shard}/{first:012d}-{size:012d}.{digest}.jsonl", b"x")
    with pytest.raises(SealerRefused, match=f"up to {size}, the tree has {size} leaves"):
        await run_sealer(log, asyncio.Event())


async def test_a_segment_ends_before_it_is_too_large_for_one_put(log, worker, recorder, seal, monkeypatch):
    monkeypatch.setattr(segment_writer, "BYTES", 20_000)
    async with worker.connection() as conn:
        for number in range(8):
            await recorder.record(conn, RecordDraft(Event.TURN_MADE, "1-1", turn=number, payload={"said": "x" * 9000}))
    await seal()
    report = await verify_log(log)
    assert report.ok
    assert report.segments >= 3


async def test_a_vanished_record_holds_segments_back_and_is_told(log, worker, recorder, insider, sealer_at_work, superuser):
    slow = log.model_copy(update={"audit_segment_seconds": 60.0, "audit_checkpoint_seconds": 60.0})
    async with sealer_at_work(slow):
        await asyncio.sleep(0.3)
        ids = await write(worker, recorder, 2)
        await until(lambda: len(sealed(superuser)) == 2)
        insider.execute("DELETE FROM audit.records WHERE id = %s", (ids[0],))
    assert "entry 1 is missing or not as it was sequenced" in (await sealer_health(log) or "")
    with superuser("tightrope") as conn:
        (segments,) = conn.execute("SELECT segment_error FROM audit.sealer").fetchone()
        assert "/1 has vanished" in segments
        (signed,) = conn.execute("SELECT max(size) FROM audit.checkpoints").fetchone()
    assert signed == 1  # before the two records came


async def test_a_lost_database_ends_the_sealer_with_an_error(log, worker, recorder, superuser):
    task = asyncio.create_task(run_sealer(log, asyncio.Event()))
    await write(worker, recorder, 1)
    await until(lambda: len(sealed(superuser)) == 1)
    with superuser("tightrope") as conn:
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sealer'")
    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(task, 5)
    assert await sealer_health(log) is None  # the last beat is young yet
    with superuser("tightrope") as conn:
        conn.execute("UPDATE audit.sealer SET beat_at = clock_timestamp() - interval '6 seconds'")
    assert await sealer_health(log) == "no sealer is at work: nothing will be released"


async def test_health_tells_a_waiting_record_and_a_refused_one(log, worker, recorder, insider):
    insider.execute("UPDATE audit.sealer SET beat_at = clock_timestamp()")
    assert await sealer_health(log) is None
    await write(worker, recorder, 1)
    insider.execute("UPDATE audit.pending SET queued_at = queued_at - interval '9 seconds'")
    assert "has waited 9 s" in (await sealer_health(log) or "")
    insider.execute("DELETE FROM audit.pending")
    insider.execute("INSERT INTO audit.refused (record_id, reason) VALUES (gen_random_uuid(), 'x')")
    assert "were not sealed" in (await sealer_health(log) or "")
    insider.execute("UPDATE audit.sealer SET segment_error = 'full', tree_error = 'odd'")
    health = await sealer_health(log) or ""
    assert "checkpoints are behind: odd; segments are behind: full; 1 records" in health, "one alarm hides no other"
    insider.execute("UPDATE audit.sealer SET segment_error = NULL, tree_error = NULL")
    insider.execute("UPDATE audit.refused SET refused_at = refused_at - interval '25 hours'")
    assert await sealer_health(log) is None, "an alarm that never ends is none; verification names it for ever"


def test_the_local_store_never_overwrites_and_reads_back(store, tmp_path):
    receipt = store.put("seg/main/a.jsonl", b"one")
    assert (receipt.size, receipt.worm) == (3, False)
    assert store.put("seg/main/a.jsonl", b"one") == receipt
    with pytest.raises(WriteOnceViolation):
        store.put("seg/main/a.jsonl", b"two")
    assert store.get("seg/main/a.jsonl") == b"one"
