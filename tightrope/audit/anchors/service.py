"""The runner: chooses checkpoints, hands them to every anchor, keeps the receipts, and says when too few keep up.

It works inside the sealer's process, each anchor in a task of its own: one that hangs or fails delays neither another nor the log. A checkpoint
that was chosen lies in the outbox until a receipt settles it, so a crash loses none. An anchor that takes the newest tree only (all but the
store) is never asked for old ones when it comes back: its receipt for the newest covers them, and says how many waited and since when.

All of this holds within one shard. The last checkpoint of a closed shard is one more to be anchored: it lies in each anchor's outbox until that
anchor has given its receipt, whatever it has given for later shards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry

from tightrope.audit.anchors import repository
from tightrope.audit.anchors.errors import AnchorError, AnchorIncident, AnchorPending, AnchorUnavailable, WitnessAhead
from tightrope.audit.anchors.models import Anchor, Consistency, Place, Point, Receipt, Trust
from tightrope.audit.anchors.policy import AnchorPolicy, Standing, covered_by, sentence, standing
from tightrope.audit.anchors.repository import Conn, Gap, Kept, State
from tightrope.audit.anchors.settings import anchors_from, policy_from, trust_from
from tightrope.audit.anchors.watching import Gauges, Watch
from tightrope.audit.anchors.witness import WitnessAnchor
from tightrope.audit.anchors.worm import SegmentStore
from tightrope.infra.clock import Clock
from tightrope.infra.database import Pool
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings

log = get_logger()

SUBMIT_SECONDS = 20.0
"""Longest time for one submission, whatever a client's own limits."""
JUDGE_SECONDS = 2.0
BACK_OFF_LIMIT = 60.0
_PENDING_SECONDS = 2.0
_BATCH = 50

Latest = Callable[[], Awaitable[tuple[int, int, bytes] | None]]
"""The log's newest signed checkpoint: shard, size, note."""
OnReceipt = Callable[[Conn, Kept], Awaitable[None]]
OnGap = Callable[[Conn, Gap], Awaitable[None]]


async def _nothing(_conn: Conn, _what: Any) -> None:
    """The callback of who wants to hear nothing."""


class AnchorRunner:
    """Runs the anchors.

    Args:
        pool: of the role `sealer`.
        policy: which anchors count; anchors beyond it are run as well.
        latest: the log's newest signed checkpoint.
        on_receipt: told of each kept receipt, in the transaction that keeps it: the log's record of it and the receipt come both or neither.
        on_gap: told when the policy stops being met, and again when it is met, in the same way.
        registry: where the metrics go; None for none.
    """

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        anchors: list[Anchor],
        policy: AnchorPolicy,
        clock: Clock,
        *,
        latest: Latest,
        on_receipt: OnReceipt = _nothing,
        on_gap: OnGap = _nothing,
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._pool = pool
        self._anchors = anchors
        self._policy = policy
        self._clock = clock
        self._latest = latest
        self._on_receipt = on_receipt
        self._on_gap = on_gap
        self._every = settings.audit_anchor_seconds
        self._witness_every = settings.audit_witness_seconds
        self._reached: dict[tuple[str, int], tuple[Receipt, bytes]] = {}
        self._chosen: Place | None = None
        self._target: Point | None = None
        self._wake = {anchor.name: asyncio.Event() for anchor in anchors}
        self._watch = Watch()
        self._standing: Standing | None = None
        self._incidents: dict[str, str] = {}
        self._unwell: dict[str, str] = {}
        self._gauges = Gauges(registry) if registry is not None else None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. Raises nothing that an anchor or the database does; both are tried again."""
        work = [self._repeat(self.choose, self._every), self._repeat(self.judge, JUDGE_SECONDS)]
        work += [self._repeat(partial(self.ask_health, anchor), self._every) for anchor in self._anchors]
        if any(isinstance(anchor, WitnessAnchor) for anchor in self._anchors):
            work.append(self._repeat(self.aim, self._witness_every))
        work += [self._attend(anchor) for anchor in self._anchors]
        await self._prepare(stop)
        tasks = [asyncio.ensure_future(one) for one in work]
        try:
            await stop.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for anchor in self._anchors:
                await anchor.aclose()

    def health(self) -> str | None:
        """What is wrong in a sentence, or None; as of the last look, at most a few seconds ago."""
        if self._incidents or self._unwell:
            return "; ".join([*self._incidents.values(), *self._unwell.values()])
        return sentence(self._policy, self._standing) if self._standing is not None else None

    @property
    def unanchored_seconds(self) -> float:
        """How long the first checkpoint without enough receipts has waited."""
        return self._standing.age.total_seconds() if self._standing is not None else 0.0

    async def prepare(self) -> None:
        """Name the anchors in the database, and take up what each had reached in each shard before a restart."""
        async with self._pool.connection() as conn:
            await repository.register(conn, self._anchors)
            known = [(kept.receipt, kept.note) for kept in await repository.newest_receipts(conn)]
            states = await repository.states(conn)
        # The newest of all comes last: a witness's may be newer than the one that is kept.
        known += [(state.receipt, state.note) for state in states if state.receipt is not None and state.note is not None]
        witnesses = {anchor.name: anchor for anchor in self._anchors if isinstance(anchor, WitnessAnchor)}
        for receipt, note in known:
            self._reach(receipt, note)
            if receipt.anchor in witnesses:
                witnesses[receipt.anchor].remember(note, receipt)

    async def choose(self) -> None:
        """Put the newest checkpoint into every anchor's outbox, if the log has grown since, and of closed shards the last one."""
        point, names, now = await self._newest(), [anchor.name for anchor in self._anchors], self._clock.now()
        grown = point is not None and (self._chosen is None or point.place > self._chosen)
        async with self._pool.connection() as conn:
            closed = await repository.choose_closed(conn, names, now)
            if point is not None and grown:
                await repository.choose(conn, names, point, now)
        if point is not None and grown:
            self._chosen, self._target = point.place, point
        if grown or closed:
            for event in self._wake.values():
                event.set()

    async def aim(self) -> None:
        """Give all witnesses the same newest checkpoint to cosign: cosignatures of different ones would never make a quorum."""
        self._target = await self._newest()
        for anchor in self._anchors:
            if isinstance(anchor, WitnessAnchor):
                self._wake[anchor.name].set()

    async def serve(self, anchor: Anchor) -> None:
        """Hand in what waits for one anchor: the oldest shard first, of each the newest first; a witness also what is newer than that.

        Trouble with one shard keeps no other from its turn.

        Raises:
            AnchorError: it gave no receipt for a shard, the worst where there are several; what waits goes on waiting.
        """
        # Taken before the outbox is read, so that it never runs ahead of a checkpoint that is chosen meanwhile.
        target = self._target
        async with self._pool.connection() as conn:
            work = [partial(self._serve_shard, anchor, shard) for shard in await repository.waiting_shards(conn, anchor.name)]
        if isinstance(anchor, WitnessAnchor) and target is not None:
            work.append(partial(self._take_further, anchor, target))
        troubles: list[Exception] = []
        for step in work:
            try:
                await step()
            except Exception as error:
                troubles.append(error)
        if troubles:
            raise max(troubles, key=_gravity)

    async def _serve_shard(self, anchor: Anchor, shard: int) -> None:
        while True:
            async with self._pool.connection() as conn:
                rows = await repository.waiting(conn, anchor.name, shard, 1 if anchor.newest_only else _BATCH)
            for row in rows:
                reached = self._reached.get((anchor.name, shard))
                if reached is None or not anchor.newest_only or not reached[0].place.covers(row.point.place):
                    async with self._pool.connection() as conn:
                        await repository.tried(conn, anchor.name, row.point.place)
                    reached = await self._submit(anchor, row.point)
                await self._settle(anchor, *reached, row.chosen_at)
            if not rows:
                return

    async def _take_further(self, anchor: Anchor, target: Point) -> None:
        reached = self._reached.get((anchor.name, target.place.shard))
        if reached is None or not reached[0].place.covers(target.place):
            receipt, note = await self._submit(anchor, target)
            async with self._pool.connection() as conn:
                await repository.advance(conn, receipt, note)
            self._reach(receipt, note)

    async def _settle(self, anchor: Anchor, receipt: Receipt, note: bytes, chosen_at: datetime) -> None:
        async with self._pool.connection() as conn:
            kept = await repository.settle(conn, receipt, note, chosen_at, older_too=anchor.newest_only)
            await repository.advance(conn, receipt, note)
            if kept is not None:
                await self._on_receipt(conn, kept)
        self._reach(receipt, note)

    def _reach(self, receipt: Receipt, note: bytes) -> None:
        before = self._reached.get((receipt.anchor, receipt.shard))
        if before is None or receipt.place.covers(before[0].place):
            self._reached[receipt.anchor, receipt.shard] = (receipt, note)

    async def _submit(self, anchor: Anchor, point: Point) -> tuple[Receipt, bytes]:
        try:
            async with asyncio.timeout(SUBMIT_SECONDS):
                try:
                    return await anchor.submit(point), point.note
                except WitnessAhead:
                    # Another writer handed in a newer one first. That is no alarm, as long as the log has that one too.
                    async with self._pool.connection() as conn:
                        newest = _point(await repository.newest_checkpoint(conn, point.place.shard))
                    if newest is None or newest.place <= point.place:
                        raise
                    return await anchor.submit(newest), newest.note
        except TimeoutError:
            raise AnchorUnavailable(f"{anchor.name} gave no receipt within {SUBMIT_SECONDS:.0f} s") from None

    async def judge(self) -> Standing:
        """Compare with the policy; in each shard open a gap or close it."""
        now, gaps = self._clock.now(), list[Gap]()
        async with self._pool.connection() as conn:
            found = self._watch.correct(await standing_now(conn, self._policy, now), self._policy)
            for one in found.shards:
                gap = await repository.close_gap(conn, one.covered, now) if one.covered is not None else None
                gaps += [gap] if gap is not None else []
                if one.late and one.open is not None:
                    gap = await repository.open_gap(conn, one.open, one.missing, self._policy.need, now)
                    gaps += [gap] if gap is not None else []
            for gap in gaps:
                await self._on_gap(conn, gap)
        for gap in gaps:
            how = "closed" if gap.covered_at else "opened"
            log.error(
                "a gap in anchoring", action=f"anchor_gap_{how}", shard=gap.place.shard, size=gap.place.size, missing=gap.missing
            )
        self._standing = found
        if self._gauges is not None:
            self._gauges.show(found, [receipt for receipt, _ in self._reached.values()], now)
        return found

    async def ask_health(self, anchor: Anchor) -> None:
        """Ask an anchor how it is: a witness that saw a fork says so, though it goes on cosigning the history it knows."""
        async with asyncio.timeout(SUBMIT_SECONDS):
            text = await anchor.health()
        if text is None:
            self._unwell.pop(anchor.name, None)
        else:
            self._unwell[anchor.name] = text
        async with self._pool.connection() as conn:
            await repository.note_unwell(conn, anchor.name, text)

    async def _newest(self) -> Point | None:
        return _point(await self._latest())

    async def _prepare(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.prepare()
            except psycopg.Error as error:
                log.warning("anchors wait for the database", action="anchors_wait", reason=repr(error))
                await asyncio.sleep(1)
            else:
                return

    async def _repeat(self, step: Callable[[], Awaitable[Any]], seconds: float) -> None:
        while True:
            try:
                await step()
            except Exception as error:
                log.error("anchoring: a step failed and is repeated", action="anchor_step_failed", reason=repr(error))
            await asyncio.sleep(seconds)

    async def _attend(self, anchor: Anchor) -> None:
        """One anchor's task: serve it, and after a failure wait longer each time. The waits are not by the wall clock, which may jump."""
        failures = 0
        while True:
            self._wake[anchor.name].clear()
            try:
                await self.serve(anchor)
                failures = 0
                self._incidents.pop(anchor.name, None)
                wait, wakes = self._every, True
            except AnchorPending:
                wait, wakes = _PENDING_SECONDS, False
            except Exception as error:
                failures += 1
                wait, wakes = min(2.0**failures, BACK_OFF_LIMIT), False
                await self._failed(anchor, error)
            try:
                async with asyncio.timeout(wait):
                    await (self._wake[anchor.name].wait() if wakes else asyncio.sleep(wait + 1))
            except TimeoutError:
                continue

    async def _failed(self, anchor: Anchor, error: Exception) -> None:
        text = str(error) if isinstance(error, AnchorError) else f"{anchor.name}: {error!r}"
        log.warning("an anchor gave no receipt", action="anchor_failed", anchor=anchor.name, reason=text)
        incident = isinstance(error, AnchorIncident)
        try:
            async with self._pool.connection() as conn:
                await repository.failed(conn, anchor.name, text, self._clock.now(), incident=incident)
        except psycopg.Error as lost:
            log.warning("the database did not note it", action="anchor_failed", anchor=anchor.name, reason=repr(lost))
        if incident:
            self._incidents[anchor.name] = text


def _gravity(error: Exception) -> int:
    """Of several troubles the one to tell: an incident before all, a receipt that only takes its time after all."""
    return 2 if isinstance(error, AnchorIncident) else 0 if isinstance(error, AnchorPending) else 1


def _point(found: tuple[int, int, bytes] | None) -> Point | None:
    return Point(Place(found[0], found[1]), found[2]) if found is not None and found[1] > 0 else None


async def standing_now(conn: Conn, policy: AnchorPolicy, now: datetime, states: list[State] | None = None) -> Standing:
    """How the log stands against its policy, from the database alone: seen whether or not a runner is at work."""
    known = states if states is not None else await repository.states(conn)
    receipts = [kept.receipt for kept in await repository.newest_receipts(conn)]
    reached: dict[str, dict[int, int]] = {}
    for receipt in [*receipts, *(state.receipt for state in known if state.receipt is not None)]:
        of_anchor = reached.setdefault(receipt.anchor, {})
        of_anchor[receipt.shard] = max(receipt.size, of_anchor.get(receipt.shard, 0))
    covered = {shard: covered_by(policy, reached, shard) for shard in await repository.shards(conn)}
    sizes = {shard: place.size if place is not None else 0 for shard, place in covered.items()}
    return standing(policy, await repository.first_uncovered(conn, sizes), reached, now)


def runner_from(
    settings: Settings,
    pool: Pool,
    clock: Clock,
    *,
    store: SegmentStore,
    latest: Latest,
    consistency: Consistency,
    on_receipt: OnReceipt = _nothing,
    on_gap: OnGap = _nothing,
    registry: CollectorRegistry | None = None,
) -> AnchorRunner:
    """The runner that the settings ask for.

    Raises:
        AnchorsUnfit: the settings name anchors that cannot be.
    """
    trust: Trust = trust_from(settings)
    anchors = anchors_from(settings, trust, store=store, clock=clock, consistency=consistency)
    policy = policy_from(settings, trust, {anchor.name: anchor.kind for anchor in anchors})
    return AnchorRunner(
        settings, pool, anchors, policy, clock, latest=latest, on_receipt=on_receipt, on_gap=on_gap, registry=registry
    )
