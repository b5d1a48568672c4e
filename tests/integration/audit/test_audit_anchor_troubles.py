"""The anchors' runner in trouble: clocks that jump, two writers, incidents, hanging anchors, a lost database, and its rights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from anchor_world import Scripted, World, empty_tables, until

from tightrope.audit.anchors import repository, service, watching
from tightrope.audit.anchors.errors import WitnessAhead, WitnessSetBack
from tightrope.audit.anchors.health import anchors_health
from tightrope.audit.anchors.models import Place, Receipt
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


async def test_two_writers_keep_one_receipt_and_tell_once(world: World) -> None:
    anchors = [Scripted(world.clock) for _ in range(2)]
    runners = [world.runner(anchor) for anchor in anchors]
    for _ in range(5):
        world.grow()
        await asyncio.gather(*(runner.choose() for runner in runners))
        await asyncio.gather(*(runner.serve(anchor) for runner, anchor in zip(runners, anchors, strict=True)))
    kept = await world.kept()
    assert [one.receipt.size for one in kept] == [10, 20, 30, 40, 50]
    assert sorted(one.receipt.size for one in world.told) == [10, 20, 30, 40, 50]


async def test_a_witness_that_another_writer_took_further_is_no_alarm(world: World) -> None:
    anchor = Scripted(world.clock)
    runner = world.runner(anchor)
    world.grow()
    await runner.choose()
    world.grow()
    anchor.ahead = 20
    await runner.serve(anchor)
    assert [one.receipt.size for one in await world.kept()] == [20]
    world.grow()
    await runner.choose()
    anchor.ahead = 99
    with pytest.raises(WitnessAhead):
        await runner.serve(anchor)


async def test_two_writers_open_one_gap(world: World) -> None:
    runners = [world.runner(Scripted(world.clock)) for _ in range(2)]
    world.grow()
    world.clock.advance(3600)
    await asyncio.gather(*(runner.judge() for runner in runners))
    assert len(world.gaps) == 1


async def test_a_clock_that_is_set_back_does_not_hide_a_gap(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = [1000.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: ticks[0])
    runner = world.runner(Scripted(world.clock))
    world.grow()
    await runner.judge()
    world.clock.advance(-86_400)
    ticks[0] += 601
    found = await runner.judge()
    assert found.late
    assert len(world.gaps) == 1


async def test_a_clock_that_jumps_ahead_is_an_alarm_and_ends_with_the_next_receipt(world: World) -> None:
    tsa = Scripted(world.clock)
    runner = world.runner(tsa)
    world.grow()
    await runner.choose()
    world.clock.advance(86_400)
    await runner.judge()
    assert runner.health() is not None
    await runner.serve(tsa)
    await runner.judge()
    assert runner.health() is None
    assert [gap.covered_at is None for gap in world.gaps] == [True, False]


async def test_an_incident_is_an_alarm_though_the_policy_is_met(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = Scripted(world.clock, "good"), Scripted(world.clock, "bad", fails=WitnessSetBack("bad was set back"))
    runner = world.runner(good, bad)
    world.grow()
    stop = asyncio.Event()
    task = asyncio.create_task(runner.run(stop))
    try:
        await until(lambda: runner.health() == "bad was set back" and bool(world.told))
        assert (await runner.judge()).met
        async with world.pool.connection() as conn:
            states = {state.anchor: state for state in await repository.states(conn)}
        assert states["bad"].incident
        assert states["bad"].problem == "bad was set back"
        assert not states["good"].incident
    finally:
        stop.set()
        await task
    assert good.closed
    assert bad.closed


async def test_a_witness_that_saw_a_fork_is_heard_though_it_goes_on_cosigning(world: World) -> None:
    anchor = Scripted(world.clock, unwell="tsa says: forks seen")
    runner = world.runner(anchor)
    await runner.prepare()
    await runner.ask_health(anchor)
    assert runner.health() == "tsa says: forks seen"
    async with world.pool.connection() as conn:
        assert [state.unwell for state in await repository.states(conn)] == ["tsa says: forks seen"]
    anchor.unwell = None
    await runner.ask_health(anchor)
    assert runner.health() is None


async def test_an_anchor_that_hangs_or_fails_delays_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SUBMIT_SECONDS", 0.2)
    world.settings = world.settings.model_copy(update={"audit_anchor_seconds": 0.1})
    good, bad = Scripted(world.clock, "good"), Scripted(world.clock, "bad", fails=RuntimeError("a fault of ours"))
    hanging = Scripted(world.clock, "hanging", hangs=True)
    runner = world.runner(hanging, bad, good)
    stop = asyncio.Event()
    task = asyncio.create_task(runner.run(stop))
    try:
        for number in range(1, 6):
            world.grow()
            await until(lambda wanted=number: len(good.asked) >= wanted, 5)
        await until(lambda: len(hanging.asked) >= 2, 5)
        async with world.pool.connection() as conn:
            states = {state.anchor: state for state in await repository.states(conn)}
        assert "no receipt within" in (states["hanging"].problem or "")
        assert "a fault of ours" in (states["bad"].problem or "")
        assert bad.asked, "it was tried"
        assert len(bad.asked) <= 3, "and not in every interval"
    finally:
        stop.set()
        await task


async def test_a_database_that_drops_every_connection_stops_nothing(world: World, superuser) -> None:
    world.settings = world.settings.model_copy(update={"audit_anchor_seconds": 0.1})
    tsa = Scripted(world.clock)
    stop = asyncio.Event()
    task = asyncio.create_task(world.runner(tsa).run(stop))
    try:
        world.grow()
        await until(lambda: bool(tsa.asked), 10)
        with superuser("tightrope") as conn:
            conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sealer'")
        world.grow()
        await until(lambda: Place(2026, 20) in tsa.asked, 20)
    finally:
        stop.set()
        await task


async def test_rights(world: World, log: Settings) -> None:
    tsa = Scripted(world.clock)
    runner = world.runner(tsa)
    world.grow()
    await runner.choose()
    await runner.serve(tsa)
    for attack in (
        "UPDATE audit.anchor_receipts SET received_at = now() - interval '1 day'",
        "DELETE FROM audit.anchor_receipts",
        "TRUNCATE audit.anchor_receipts",
        "DELETE FROM audit.anchor_gaps",
        "UPDATE audit.anchor_gaps SET since = now()",
        "DELETE FROM audit.anchors",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with world.pool.connection() as conn:
                await conn.execute(attack)
    async with open_pool(log, Role.AUDITOR, max_size=2) as pool, pool.connection() as conn:
        assert len(await repository.receipts(conn)) == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await conn.execute("DELETE FROM audit.anchor_outbox")


async def test_a_witness_that_contradicts_itself_is_found_among_the_receipts(world: World) -> None:
    witness = Scripted(world.clock, "w", "witness-c2sp", newest_only=False)
    runner = world.runner(witness)
    await runner.prepare()
    for _ in range(4):
        world.grow()
        await runner.choose()
        await runner.serve(witness)
        world.clock.advance(60)
    async with world.pool.connection() as conn:
        assert await repository.set_back(conn) == []
        covering = await repository.receipts_covering(conn, 2026, [0, 9, 10, 35])
        assert [one.receipt.size for one in covering] == [10, 20, 40]
        assert await repository.receipts_covering(conn, 2026, [40]) == []
        assert await repository.receipts_covering(conn, 2027, [0]) == []
        late = Receipt("w", "witness-c2sp", 2026, 15, world.clock.now(), world.clock.now(), b"body")
        await repository.settle(conn, late, b"note 15", world.clock.now(), older_too=False)
        assert [back.size for back in await repository.set_back(conn)] == [15]


async def test_health_needs_no_runner(world: World, tmp_path: Path) -> None:
    async def health() -> str | None:
        async with world.pool.connection() as conn:
            return await anchors_health(world.settings, conn, world.clock.now())

    assert await health() is None
    world.grow()
    world.clock.advance(3600)
    assert "has 0 of 1 receipts" in (await health() or "")
    worm = Scripted(world.clock, "worm", "worm-folder")
    runner = world.runner(worm)
    await runner.prepare()
    await runner.choose()
    await runner.serve(worm)
    assert await health() is None
    worm.unwell = "worm says: full"
    await runner.ask_health(worm)
    assert await health() == "worm says: full"
    world.settings = world.settings.model_copy(update={"audit_policy_file": tmp_path / "gone"})
    assert "TIGHTROPE_AUDIT_POLICY_FILE" in (await health() or "")
