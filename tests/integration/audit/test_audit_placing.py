"""One statement places a batch: all of it or nothing, whatever happens around it."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import psycopg
import pytest

from tightrope.audit import tree_repository
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.sealer import run_sealer
from tightrope.audit.tlog.merkle import Frontier, leaf_hash
from tightrope.audit.tree_repository import NewLeaf
from tightrope.audit.verify import verify_log

pytestmark = pytest.mark.integration


async def write(worker, recorder, count: int) -> list:
    async with worker.connection() as conn:
        return [
            await recorder.record(conn, RecordDraft(Event.TURN_MADE, "1-1", turn=n, payload={"said": "x"})) for n in range(count)
        ]


def rows(superuser, table: str) -> int:
    with superuser("tightrope") as conn:
        (count,) = conn.execute(f"SELECT count(*) FROM audit.{table}").fetchone()
    return count


async def test_a_sequencer_that_is_behind_writes_nothing_at_all(log, worker, recorder, seal, superuser):
    await write(worker, recorder, 3)
    await seal()
    (late,) = await write(worker, recorder, 1)
    before = {table: rows(superuser, table) for table in ("leaves", "pending", "refused")}
    assert before == {"leaves": 4, "pending": 1, "refused": 0}
    stale = Frontier()
    stale.append(leaf_hash(b"somebody else's"))
    async with tree_repository.connection(log) as conn:
        await conn.set_autocommit(True)
        (waiting,) = await tree_repository.waiting(conn, 10)
        year = (await tree_repository.shard(conn)).shard
        after = Frontier(stale.size, stale.hashes)
        after.append(leaf_hash(waiting.leaf))
        leaves = [NewLeaf(77, late, leaf_hash(waiting.leaf))]  # a free place, so that nothing but the shard's size is in the way
        assert await tree_repository.insert_leaves(conn, year, leaves, [(uuid4(), "x")], [waiting.ord], after) == 0
    assert {table: rows(superuser, table) for table in before} == before
    await seal()
    assert (await verify_log(log)).ok


async def test_a_place_that_is_taken_undoes_the_whole_batch(log, worker, recorder, seal, superuser):
    await write(worker, recorder, 3)
    await seal()
    (late,) = await write(worker, recorder, 1)
    before = {table: rows(superuser, table) for table in ("leaves", "pending", "refused")}
    async with tree_repository.connection(log) as conn:
        await conn.set_autocommit(True)
        (waiting,) = await tree_repository.waiting(conn, 10)
        shard = await tree_repository.shard(conn)
        after = shard.frontier()
        after.append(leaf_hash(waiting.leaf))
        leaves = [NewLeaf(2, late, leaf_hash(waiting.leaf))]
        with pytest.raises(psycopg.errors.UniqueViolation):
            await tree_repository.insert_leaves(conn, shard.shard, leaves, [(uuid4(), "x")], [waiting.ord], after)
        assert (await tree_repository.shard(conn)).size == shard.size
    assert {table: rows(superuser, table) for table in before} == before


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_around_the_statement_each_record_has_one_place(log, worker, recorder, seal, superuser, monkeypatch, when):
    await seal()  # the shard is open: what dies now is a batch
    ids = await write(worker, recorder, 5)
    real = tree_repository.insert_leaves

    class Crash(BaseException):
        """Stands for kill -9: nothing catches it."""

    async def dies(*args, **kwargs):
        if when == "after":
            await real(*args, **kwargs)
        raise Crash

    monkeypatch.setattr(tree_repository, "insert_leaves", dies)
    with pytest.raises(Crash):
        await run_sealer(log, asyncio.Event())
    monkeypatch.undo()
    assert rows(superuser, "leaves") == (6 if when == "after" else 1)
    await seal()
    with superuser("tightrope") as conn:
        placed = conn.execute("SELECT index, record_id FROM audit.leaves WHERE index > 0 ORDER BY index").fetchall()
    assert placed == list(enumerate(ids, 1))
    assert (await verify_log(log)).ok


async def test_a_refused_record_is_set_aside_in_the_same_statement(log, worker, recorder, insider, seal, superuser):
    bad, good = await write(worker, recorder, 2)
    insider.execute("UPDATE audit.records SET ct = ct || '\\x00' WHERE id = %s", (bad,))
    await seal()
    with superuser("tightrope") as conn:
        assert conn.execute("SELECT record_id FROM audit.refused").fetchall() == [(bad,)]
        assert conn.execute("SELECT record_id FROM audit.leaves WHERE index > 0").fetchall() == [(good,)]
    assert rows(superuser, "pending") == 0
