"""The anchors' runner over a real database: outages, crashes, clock jumps, two writers, and the gap that stays visible."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from tightrope.audit.anchors import repository, service
from tightrope.audit.anchors.errors import AnchorUnavailable, WitnessSetBack
from tightrope.audit.anchors.models import Place, Point, Receipt
from tightrope.audit.anchors.policy import AnchorPolicy
from tightrope.audit.anchors.repository import Gap, Kept
from tightrope.audit.anchors.service import AnchorRunner, gap_facts, receipt_facts
from tightrope.audit.leaf import check_facts
from tightrope.infra.clock import FixedClock
from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.settings import Settings

pytestmark = pytest.mark.integration

TABLES = ("anchor_outbox", "anchor_receipts", "anchors", "anchor_gaps")


@dataclass
class Scripted:
    """An anchor that does as it is told."""

    clock: FixedClock
    name: str = "tsa"
    kind: str = "rfc3161"
    newest_only: bool = True
    fails: Exception | None = None
    hangs: bool = False
    asked: list[Place] = field(default_factory=list)
    closed: bool = False
    unwell: str | None = None

    async def submit(self, point: Point) -> Receipt:
        self.asked.append(point.place)
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails is not None:
            raise self.fails
        now = self.clock.now()
        return Receipt(self.name, self.kind, point.place.shard, point.place.size, now, now, b"body")  # type: ignore[arg-type]

    async def health(self) -> str | None:
        return self.unwell

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class World:
    """A log that grows when told, its runner, and what the runner told."""

    settings: Settings
    pool: Pool
    clock: FixedClock
    superuser: object
    size: int = 0
    told: list[Kept] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    refuse: bool = False

    def grow(self, leaves: int = 10, shard: int = 2026) -> None:
        self.size += leaves
        with self.superuser("tightrope") as conn:  # type: ignore[operator]
            conn.execute(
                "INSERT INTO audit.checkpoints (shard, size, root, note, signed_at) VALUES (%s, %s, %s, %s, %s)",
                (shard, self.size, bytes(32), b"note %d" % self.size, self.clock.now()),
            )

    def runner(self, *anchors: Scripted, need: int = 1, minutes: float = 10, **kwargs) -> AnchorRunner:
        names = tuple(anchor.name for anchor in anchors)

        async def latest() -> tuple[int, int, bytes] | None:
            async with self.pool.connection() as conn:
                return await repository.newest_checkpoint(conn)

        async def on_receipt(conn, kept: Kept) -> None:
            self.told.append(kept)
            check_facts(receipt_facts(kept))
            if self.refuse:
                raise RuntimeError("the log did not take it")

        async def on_gap(conn, gap: Gap) -> None:
            self.gaps.append(gap)
            check_facts(gap_facts(gap))

        policy = AnchorPolicy(names, need, timedelta(minutes=minutes))
        return AnchorRunner(
            self.settings, self.pool, list(anchors), policy, self.clock,
            latest=latest, on_receipt=on_receipt, on_gap=on_gap, **kwargs,
        )  # fmt: skip

    async def kept(self) -> list[Kept]:
        async with self.pool.connection() as conn:
            return await repository.receipts(conn)

    async def waiting(self, anchor: str) -> list[int]:
        async with self.pool.connection() as conn:
            return [row.point.place.size for row in await repository.waiting(conn, anchor, 1000)]


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"did not come to pass within {seconds} s")


@pytest.fixture
def _anchor_tables(superuser) -> Iterator[None]:
    def empty() -> None:
        with superuser("tightrope") as conn:
            conn.execute(
                "ALTER TABLE audit.anchor_receipts DISABLE TRIGGER append_only;"
                + "".join(f"TRUNCATE audit.{table};" for table in TABLES)
                + "ALTER TABLE audit.anchor_receipts ENABLE ALWAYS TRIGGER append_only"
            )

    empty()
    yield
    empty()


@pytest.fixture
async def world(log: Settings, _anchor_tables, superuser, clock: FixedClock) -> AsyncIterator[World]:
    async with open_pool(log, Role.SEALER, max_size=4) as pool:
        yield World(log, pool, clock, superuser)


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


async def test_two_writers_open_one_gap(world: World) -> None:
    runners = [world.runner(Scripted(world.clock)) for _ in range(2)]
    world.grow()
    world.clock.advance(3600)
    await asyncio.gather(*(runner.judge() for runner in runners))
    assert len(world.gaps) == 1


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


async def test_a_clock_that_is_set_back_does_not_hide_a_gap(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = [1000.0]
    monkeypatch.setattr(service.time, "monotonic", lambda: ticks[0])
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


async def test_a_new_shard_covers_the_old_one(world: World) -> None:
    tsa = Scripted(world.clock)
    runner = world.runner(tsa)
    world.grow(1000)
    world.size = 0
    world.grow(3, shard=2027)
    await runner.choose()
    await runner.serve(tsa)
    assert tsa.asked == [Place(2027, 3)]
    world.clock.advance(3600)
    assert (await runner.judge()).met


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
