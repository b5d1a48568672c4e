"""A log that grows when told and anchors that do as they are told, for tests of the runner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tightrope.audit.anchors import repository
from tightrope.audit.anchors.errors import WitnessAhead
from tightrope.audit.anchors.facts import gap_facts, receipt_facts
from tightrope.audit.anchors.models import Place, Point, Receipt
from tightrope.audit.anchors.policy import AnchorPolicy
from tightrope.audit.anchors.repository import Gap, Kept
from tightrope.audit.anchors.service import AnchorRunner
from tightrope.audit.leaf import check_facts
from tightrope.infra.clock import FixedClock
from tightrope.infra.database import Pool
from tightrope.infra.settings import Settings

TABLES = ("anchor_outbox", "anchor_receipts", "anchors", "anchor_gaps")


@dataclass
class Scripted:
    """An anchor that does as it is told."""

    clock: FixedClock
    name: str = "tsa"
    kind: str = "rfc3161"
    newest_only: bool = True
    fails: Exception | None = None
    fails_in: dict[int, Exception] = field(default_factory=dict)
    hangs: bool = False
    asked: list[Place] = field(default_factory=list)
    closed: bool = False
    unwell: str | None = None
    ahead: int = 0

    async def submit(self, point: Point) -> Receipt:
        self.asked.append(point.place)
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails is not None or point.place.shard in self.fails_in:
            raise self.fails or self.fails_in[point.place.shard]
        if point.place.size < self.ahead:
            raise WitnessAhead("it cosigned more")
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
    shard: int = 2026
    size: int = 0
    told: list[Kept] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    refuse: bool = False

    def grow(self, leaves: int = 10, *, sign: bool = True) -> None:
        """Add leaves and have them signed, or leave that for later."""
        self.size += leaves
        with self.superuser("tightrope") as conn:  # type: ignore[operator]
            conn.execute(
                "INSERT INTO audit.shards (shard, origin, size, frontier, vkeys) VALUES (%s, %s, %s, '', '{}') "
                "ON CONFLICT (shard) DO UPDATE SET size = excluded.size",
                (self.shard, f"log.example/audit/{self.shard}", self.size),
            )
        if sign:
            self.sign(self.shard, self.size)

    def sign(self, shard: int, size: int) -> None:
        """What the notary does."""
        with self.superuser("tightrope") as conn:  # type: ignore[operator]
            conn.execute(
                "INSERT INTO audit.checkpoints (shard, size, root, note, signed_at) VALUES (%s, %s, %s, %s, %s)",
                (shard, size, bytes(32), b"note %d" % size, self.clock.now()),
            )

    def new_year(self, leaves: int = 3) -> None:
        """Close the shard and open the next."""
        self.shard, self.size = self.shard + 1, 0
        self.grow(leaves)

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
            shards = await repository.waiting_shards(conn, anchor)
            rows = [row for shard in shards for row in await repository.waiting(conn, anchor, shard, 1000)]
        return [row.point.place.size for row in rows]


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"did not come to pass within {seconds} s")


def empty_tables(superuser) -> None:
    """Forget every anchor, receipt and gap."""
    with superuser("tightrope") as conn:
        conn.execute(
            "ALTER TABLE audit.anchor_receipts DISABLE TRIGGER append_only;"
            + "".join(f"TRUNCATE audit.{table};" for table in TABLES)
            + "ALTER TABLE audit.anchor_receipts ENABLE ALWAYS TRIGGER append_only"
        )
