"""The anchors' runner over a real database: receipts, outages, restarts, and the gap that stays visible."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from anchor_world import Scripted, World, empty_tables, until
from prometheus_client import CollectorRegistry

from tightrope.audit.anchors import repository
from tightrope.audit.anchors.errors import AnchorUnavailable
from tightrope.audit.anchors.facts import receipt_facts
from tightrope.audit.anchors.models import Place
from tightrope.infra.clock import FixedClock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
async def world(log: Settings, superuser, clock: FixedClock) -> AsyncIterator[World]:
    empty_tables(superuser)
    async with open_pool(log, Role.SEALER, max_size=4) as pool:
        yield World(log, pool, clock, superuser)
    empty_tables(superuser)


async def test_each_anchor_gets_the_newest_checkpoint_and_its_receipt_is_told(world: World) -> None:
    tsa, store = Scripted(world.clock), Scripted(world.clock, "worm", "worm-folder", newest_only=False)
    runner = world.runner(tsa, store, need=2)
    await runner.prepare()
    await runner.choose()
    assert tsa.asked == [], "an empty log is not anchored"
    world.grow(7)
    await runner.choose()
    await runner.choose()
    for anchor in (tsa, store):
        await runner.serve(anchor)
    found = await runner.judge()
    assert found.met
    assert found.covered == Place(2026, 7)
    assert runner.health() is None
    assert [(kept.receipt.anchor, kept.note, kept.settles) for kept in await world.kept()] == [
        ("tsa", b"note 7", 1),
        ("worm", b"note 7", 1),
    ]
    assert len(world.told) == 2
    assert await world.waiting("tsa") == []


async def test_an_anchor_down_for_an_hour_leaves_a_gap_that_is_not_filled(world: World) -> None:
    tsa = Scripted(world.clock)
    runner = world.runner(tsa)
    await runner.prepare()
    world.grow()
    await runner.choose()
    await runner.serve(tsa)
    tsa.fails = AnchorUnavailable("down")
    for _minute in range(60):
        world.clock.advance(60)
        world.grow()
        await runner.choose()
        with pytest.raises(AnchorUnavailable):
            await runner.serve(tsa)
        await runner.judge()
    assert "has not been anchored for 59 min" in (runner.health() or "")
    assert runner.unanchored_seconds == 59 * 60
    [gap] = world.gaps
    assert (gap.place, gap.missing, gap.covered_at) == (Place(2026, 20), ("tsa",), None)
    assert len(await world.waiting("tsa")) == 60, "nothing that was chosen is lost"

    tsa.fails = None
    asked = len(tsa.asked)
    await runner.serve(tsa)
    await runner.judge()
    assert tsa.asked[asked:] == [Place(2026, 610)], "the old checkpoints get no stamps of today"
    kept = await world.kept()
    assert [one.receipt.size for one in kept] == [10, 610]
    assert kept[-1].settles == 60
    assert kept[-1].receipt.received - kept[-1].waiting_since == timedelta(minutes=59)
    assert receipt_facts(kept[-1])["waited_seconds"] == 59 * 60
    assert [gap.covered_at is None for gap in world.gaps] == [True, False]
    assert runner.health() is None
    async with world.pool.connection() as conn:
        [told] = await repository.gaps(conn)
    assert told.covered_at is not None
    assert told.since < told.found_at < told.covered_at


async def test_the_store_keeps_every_checkpoint_it_missed(world: World) -> None:
    store = Scripted(world.clock, "worm", "worm-s3", newest_only=False, fails=AnchorUnavailable("down"))
    runner = world.runner(store)
    for _ in range(5):
        world.grow()
        await runner.choose()
        with pytest.raises(AnchorUnavailable):
            await runner.serve(store)
    store.fails = None
    await runner.serve(store)
    assert [one.receipt.size for one in await world.kept()] == [10, 20, 30, 40, 50]
    assert store.asked[-5:] == [Place(2026, size) for size in (50, 40, 30, 20, 10)], "the newest first"


async def test_receipt_and_record_come_both_or_neither(world: World) -> None:
    tsa = Scripted(world.clock)
    runner = world.runner(tsa)
    world.grow()
    await runner.choose()
    world.refuse = True
    with pytest.raises(RuntimeError):
        await runner.serve(tsa)
    assert await world.kept() == []
    assert await world.waiting("tsa") == [10]
    world.refuse = False
    await runner.serve(tsa)
    assert len(await world.kept()) == 1


async def test_a_crash_between_answer_and_receipt_loses_nothing(world: World) -> None:
    tsa = Scripted(world.clock)
    runner = world.runner(tsa)
    world.grow()
    await runner.choose()
    tsa.hangs = True
    task = asyncio.create_task(runner.serve(tsa))
    await until(lambda: bool(tsa.asked))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    tsa.hangs = False
    again = world.runner(tsa)
    await again.prepare()
    await again.serve(tsa)
    assert [one.receipt.size for one in await world.kept()] == [10]


async def test_a_gap_is_taken_up_after_a_restart(world: World) -> None:
    world.grow()
    world.clock.advance(3600)
    await world.runner(Scripted(world.clock)).judge()
    tsa = Scripted(world.clock)
    again = world.runner(tsa)
    await again.judge()
    assert len(world.gaps) == 1
    assert again.health() is not None
    await again.choose()
    await again.serve(tsa)
    await again.judge()
    assert world.gaps[-1].covered_at is not None


async def test_k_of_n(world: World) -> None:
    first, second, third = (Scripted(world.clock, name) for name in ("one", "two", "three"))
    registry = CollectorRegistry()
    runner = world.runner(first, second, third, need=2, registry=registry)
    world.grow()
    await runner.choose()
    await runner.serve(first)
    world.clock.advance(700)
    found = await runner.judge()
    assert found.missing == ("two", "three")
    assert "has 1 of 2 receipts" in (runner.health() or "")
    assert registry.get_sample_value("tightrope_audit_unanchored_seconds") == 700
    assert registry.get_sample_value("tightrope_audit_anchors_late") == 1
    await runner.serve(third)
    assert (await runner.judge()).met
    assert registry.get_sample_value("tightrope_audit_anchor_age_seconds", {"anchor": "one"}) == 700
