"""New Year: the last leaves of a closed shard are anchored by themselves, whatever the new shard's receipts are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from anchor_world import Scripted, World, empty_tables

from tightrope.audit.anchors import repository
from tightrope.audit.anchors.errors import AnchorPending, AnchorUnavailable, WitnessAhead, WitnessSawFork, WitnessUnaware
from tightrope.audit.anchors.health import anchors_health
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


async def places(world: World) -> list[Place]:
    return [one.receipt.place for one in await world.kept()]


async def test_the_last_checkpoint_of_the_old_year_gets_its_own_receipt_before_the_new_one(world: World) -> None:
    tsa = Scripted(world.clock)
    runner = world.runner(tsa)
    world.grow(900)
    await runner.choose()
    await runner.serve(tsa)
    world.grow(100)
    world.new_year()
    await runner.choose()
    await runner.serve(tsa)
    assert tsa.asked == [Place(2026, 900), Place(2026, 1000), Place(2027, 3)]
    assert [(kept.receipt.place, kept.settles) for kept in world.told][1:] == [(Place(2026, 1000), 1), (Place(2027, 3), 1)]
    world.clock.advance(3600)
    assert (await runner.judge()).met
    world.grow()
    await runner.choose()
    await runner.serve(tsa)
    again = world.runner(tsa)
    await again.prepare()
    await again.choose()
    await again.serve(tsa)
    assert (await places(world)).count(Place(2026, 1000)) == 1, "it is settled for good"
    assert tsa.asked[3:] == [Place(2027, 13)]


async def test_a_receipt_of_the_new_year_covers_nothing_of_the_old_one(world: World) -> None:
    tsa = Scripted(world.clock, fails_in={2026: AnchorUnavailable("not that one")})
    runner = world.runner(tsa)
    world.grow(1000)
    world.new_year()
    await runner.choose()
    with pytest.raises(AnchorUnavailable, match="not that one"):
        await runner.serve(tsa)
    assert await places(world) == [Place(2027, 3)]
    assert await world.waiting("tsa") == [1000]
    world.clock.advance(3600)
    found = await runner.judge()
    assert [(one.shard, one.late) for one in found.shards] == [(2026, True), (2027, False)]
    assert "the record of 2026 has not been anchored for 60 min: the checkpoint 2026/1000 has 0 of 1" in (runner.health() or "")
    assert [gap.place for gap in world.gaps] == [Place(2026, 1000)]
    tsa.fails_in = {}
    await runner.serve(tsa)
    assert (await runner.judge()).met
    assert runner.health() is None
    assert [(gap.place.shard, gap.covered_at is None) for gap in world.gaps] == [(2026, True), (2026, False)]


async def test_trouble_in_the_new_year_keeps_the_old_one_from_nothing_and_each_has_its_own_gap(world: World) -> None:
    tsa = Scripted(world.clock, fails_in={2027: AnchorUnavailable("new"), 2026: AnchorUnavailable("old")})
    runner = world.runner(tsa)
    world.grow(1000)
    world.new_year()
    world.clock.advance(3600)
    await runner.judge()
    await runner.judge()
    assert [gap.place for gap in world.gaps] == [Place(2026, 1000), Place(2027, 3)]
    text = runner.health() or ""
    assert "of 2026 has not been anchored" in text
    assert "of 2027 has not been anchored" in text
    del tsa.fails_in[2026]
    await runner.choose()
    with pytest.raises(AnchorUnavailable, match="new"):
        await runner.serve(tsa)
    assert await places(world) == [Place(2026, 1000)]
    await runner.judge()
    assert [gap.place.shard for gap in world.gaps if gap.covered_at] == [2026], "the new year's gap stays open"


async def test_an_anchor_that_was_down_over_new_year_still_gets_the_last_checkpoint(world: World) -> None:
    tsa, other = Scripted(world.clock), Scripted(world.clock, "other")
    runner = world.runner(tsa, other, need=1)
    tsa.fails = AnchorUnavailable("down")
    for _ in range(3):
        world.grow()
        await runner.choose()
        with pytest.raises(AnchorUnavailable):
            await runner.serve(tsa)
        await runner.serve(other)
    world.grow(7)
    world.new_year()
    for _ in range(3):
        await runner.choose()
        with pytest.raises(AnchorUnavailable):
            await runner.serve(tsa)
        await runner.serve(other)
        world.grow()
    assert (await runner.judge()).met, "one of two is enough for the policy"
    assert await world.waiting("tsa") == [37, 30, 20, 10, 23, 13, 3], "and this anchor's due stays due"
    tsa.fails = None
    tsa.asked.clear()
    await runner.choose()
    await runner.serve(tsa)
    assert tsa.asked == [Place(2026, 37), Place(2027, 33)]
    assert [(one.receipt.anchor, one.settles) for one in world.told[-2:]] == [("tsa", 4), ("tsa", 4)]
    assert await world.waiting("tsa") == []


async def test_shards_that_were_closed_before_an_anchor_was_configured(world: World) -> None:
    for _ in range(2):
        world.grow(100)
        world.grow(1)
        world.shard, world.size = world.shard + 1, 0
    world.grow(5)
    witness, store = Scripted(world.clock), Scripted(world.clock, "worm", "worm-s3", newest_only=False)
    runner = world.runner(witness, store, need=2)
    await runner.prepare()
    world.clock.advance(3600)
    assert [one.shard for one in (await runner.judge()).late] == [2026, 2027, 2028]
    await runner.choose()
    for anchor in (witness, store):
        await runner.serve(anchor)
        assert anchor.asked == [Place(2026, 101), Place(2027, 101), Place(2028, 5)]
    assert (await runner.judge()).met
    assert len(world.gaps) == 6
    late = Scripted(world.clock, "late")
    runner = world.runner(witness, store, late, need=2)
    await runner.prepare()
    await runner.choose()
    await runner.serve(late)
    assert late.asked == [Place(2026, 101), Place(2027, 101), Place(2028, 5)], "one that is added later gets them too"
    assert len(store.asked) == 3


async def test_two_closed_shards_of_which_one_is_refused(world: World) -> None:
    tsa = Scripted(world.clock, fails_in={2026: WitnessUnaware("tsa does not know this log's 2026")})
    runner = world.runner(tsa)
    world.grow()
    world.new_year()
    world.new_year()
    await runner.choose()
    with pytest.raises(WitnessUnaware):
        await runner.serve(tsa)
    assert await places(world) == [Place(2027, 3), Place(2028, 3)]


async def test_the_worst_of_several_troubles_is_told(world: World) -> None:
    tsa = Scripted(world.clock)
    runner = world.runner(tsa)
    world.grow()
    world.new_year()
    world.new_year()
    await runner.choose()
    tsa.fails_in = {2026: AnchorPending("soon"), 2027: AnchorUnavailable("down"), 2028: AnchorPending("soon")}
    with pytest.raises(AnchorUnavailable):
        await runner.serve(tsa)
    tsa.fails_in[2026] = WitnessSawFork("a fork of 2026")
    with pytest.raises(WitnessSawFork):
        await runner.serve(tsa)
    tsa.fails_in = {2026: AnchorPending("soon")}
    with pytest.raises(AnchorPending):
        await runner.serve(tsa)


async def test_the_last_checkpoint_is_due_once_the_notary_has_signed_it(world: World) -> None:
    tsa = Scripted(world.clock)
    runner = world.runner(tsa)
    world.grow(10)
    await runner.choose()
    await runner.serve(tsa)
    world.grow(5, sign=False)
    world.new_year()
    await runner.choose()
    await runner.serve(tsa)
    assert tsa.asked == [Place(2026, 10), Place(2027, 3)]
    world.sign(2026, 15)
    await runner.choose()
    await runner.serve(tsa)
    assert tsa.asked[2:] == [Place(2026, 15)]


async def test_a_witness_ahead_in_the_old_year_is_compared_with_the_old_year(world: World) -> None:
    tsa = Scripted(world.clock)
    runner = world.runner(tsa)
    world.grow(10)
    await runner.choose()
    world.grow(10)
    tsa.ahead = 20
    world.new_year(30)
    await runner.serve(tsa)
    assert await places(world) == [Place(2026, 20)], "another writer's, which the log has"
    tsa.ahead = 99
    world.grow(5, sign=False)
    world.new_year(100)
    world.sign(2027, 35)
    await runner.choose()
    with pytest.raises(WitnessAhead):
        await runner.serve(tsa)
    assert Place(2028, 100) in await places(world), "a larger tree of the new year excuses nothing in the old one"


async def test_what_was_reached_in_each_shard_survives_a_restart_and_is_seen_without_a_runner(world: World) -> None:
    worm = Scripted(world.clock, "worm", "worm-folder")
    runner = world.runner(worm)
    await runner.prepare()
    world.grow()
    world.new_year()
    await runner.choose()
    await runner.serve(worm)
    world.clock.advance(timedelta(days=1).total_seconds())

    async def health() -> str | None:
        async with world.pool.connection() as conn:
            return await anchors_health(world.settings, conn, world.clock.now())

    assert await health() is None
    async with world.pool.connection() as conn:
        assert [kept.receipt.place for kept in await repository.newest_receipts(conn)] == [Place(2026, 10), Place(2027, 3)]
    world.grow(1)
    world.new_year(1)
    again = world.runner(worm)
    await again.prepare()
    await again.choose()
    world.clock.advance(3600)
    assert "of 2027 has not been anchored for 60 min: the checkpoint 2027/4" in (await health() or "")
    await again.serve(worm)
    assert worm.asked[2:] == [Place(2027, 4), Place(2028, 1)]
    assert await health() is None
