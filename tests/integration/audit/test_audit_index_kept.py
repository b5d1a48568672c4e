"""The index is kept current without anybody asking: beside a second one, and over the loss of the database."""

from __future__ import annotations

import asyncio

import pytest
from console_world import console_world

from tightrope.audit.errors import WrongMasterKey
from tightrope.audit.index import service
from tightrope.audit.index.keeping import kept_current
from tightrope.audit.index.service import Indexer
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, RecordDraft

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _fresh(superuser, monkeypatch) -> None:
    monkeypatch.setattr(service, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(service, "RETRY_SECONDS", 0.05)
    with superuser("tightrope") as conn:
        conn.execute("TRUNCATE audit_index.records; UPDATE audit_index.state SET shard = 0, next = 0, version = 0")


async def say(worker, recorder, seal, *conversations: str) -> None:
    async with worker.connection() as conn:
        for name in conversations:
            await recorder.record(conn, RecordDraft(Event.CUSTOMER_MESSAGE_RECEIVED, name, payload={"content": "你好"}))
    await seal()


async def indexed(superuser, count: int) -> int:
    """Waits until the index has so many messages; how many it has in the end."""

    def look() -> int:
        with superuser("tightrope") as conn:
            row = conn.execute("SELECT count(*) FROM audit_index.records WHERE event = 'customer:message:received'").fetchone()
            return int(row[0])

    for _ in range(100):
        if (found := await asyncio.to_thread(look)) >= count:  # in a thread: the indexer at work here may hold the table
            break
        await asyncio.sleep(0.05)
    return found


async def test_what_is_sealed_comes_into_the_index_without_a_question(log, worker, recorder, seal, clock, superuser):
    async with kept_current(log, clock):
        await say(worker, recorder, seal, "1-1", "1-2")
        assert await indexed(superuser, 2) == 2
        await say(worker, recorder, seal, "1-3")
        assert await indexed(superuser, 3) == 3
    await say(worker, recorder, seal, "1-4")
    await asyncio.sleep(0.3)
    assert await indexed(superuser, 0) == 3


async def test_two_at_work_write_each_row_once(log, worker, recorder, seal, clock, superuser, auditor, keyring):
    async with kept_current(log, clock), kept_current(log, clock):
        for number in range(4):
            await say(worker, recorder, seal, *(f"{number}-{n}" for n in range(5)))
            await Indexer(auditor, keyring, clock).catch_up()
        assert await indexed(superuser, 20) == 20
    with superuser("tightrope") as conn:
        row = conn.execute(
            "SELECT count(*), count(DISTINCT record_id), (SELECT count(*) FROM audit.leaves) FROM audit_index.records"
        )
        assert len(set(row.fetchone())) == 1


async def test_a_lost_database_is_waited_for(log, worker, recorder, seal, clock, superuser):
    async with kept_current(log, clock):
        await say(worker, recorder, seal, "1-1")
        assert await indexed(superuser, 1) == 1
        with superuser("tightrope") as conn:
            for _ in range(5):  # every connection that it makes, for a while
                conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'auditor'")
                await asyncio.sleep(0.1)
        await say(worker, recorder, seal, "1-2")
        assert await indexed(superuser, 2) == 2


async def test_trouble_is_told_once_and_tried_again(log, auditor, clock, monkeypatch):
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(service.log, "error", lambda text, **fields: told.append(("error", fields["reason"])), raising=False)
    monkeypatch.setattr(service.log, "info", lambda text, **fields: told.append(("info", fields["action"])), raising=False)
    indexer, stop, tries = Indexer(auditor, Keyring.from_settings(log), clock), asyncio.Event(), 0

    async def catch_up() -> int:
        nonlocal tries
        tries += 1
        if tries <= 3:
            raise WrongMasterKey("another key")
        if tries == 5:
            stop.set()
        return 0

    monkeypatch.setattr(indexer, "catch_up", catch_up)
    await asyncio.wait_for(indexer.run(stop), 5)
    assert told == [("error", "WrongMasterKey: another key"), ("info", "audit_index_current")]


async def test_the_auditors_pages_keep_it(log, superuser, tmp_path):
    async with console_world(log, tmp_path, text="你好"):
        assert await indexed(superuser, 1) == 1
