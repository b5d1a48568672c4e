"""The sequencer: gives each record its place in the year's tree. Single writer; a committed row in `audit.leaves` is the durable receipt.

It holds no payload key. A record that does not match its own leaf, as read back from the database, is set aside and never released.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg

import tightrope
from tightrope.audit import tree_repository as repository
from tightrope.audit.errors import SealerRefused
from tightrope.audit.leaf import build_log_leaf
from tightrope.audit.models import Event
from tightrope.audit.segments import mismatch
from tightrope.audit.tlog.merkle import Frontier, leaf_hash
from tightrope.audit.tree_repository import Conn, NewLeaf, Shard, Waiting
from tightrope.infra.logging import get_logger

log = get_logger()

BATCH = 256
FOLD = 10_000
"""Leaves read at a time where a tree is made of leaves that were sealed before there were trees."""
GAP_BEATS = 3
"""So many beats missed are a gap that the log declares."""


def place(frontier: Frontier, batch: Sequence[Waiting]) -> tuple[Frontier, list[NewLeaf], list[tuple[UUID, str]]]:
    """Give places to what matches its own leaf, as read back from the database; the rest is refused with a reason. Pure.

    Returns:
        The tree after the batch, the new leaves, and the refused records with reasons.
    """
    after = Frontier(frontier.size, frontier.hashes)
    leaves: list[NewLeaf] = []
    refused: list[tuple[UUID, str]] = []
    for item in batch:
        if item.leaf is None:
            refused.append((item.record_id, "the record vanished before it was sealed"))
            continue
        reason = mismatch(item.record_id, item.leaf, item.ct)
        if reason is not None:
            refused.append((item.record_id, reason))
            continue
        hashed = leaf_hash(item.leaf)
        leaves.append(NewLeaf(after.size, item.record_id, hashed))
        after.append(hashed)
    return after, leaves, refused


class Sequencer:
    """Sequences batches on one connection that holds the lease.

    The connection is in autocommit: a batch is read in one statement and placed in one, so that a receipt costs two round trips and no more.
    """

    def __init__(
        self, conn: Conn, *, log_name: str, vkeys: Callable[[str], Sequence[str]], release: str, beat_seconds: float
    ) -> None:
        """`vkeys(origin)` gives the public keys that sign a shard's checkpoints; `beat_seconds` 0 writes no heartbeat leaves."""
        self._conn = conn
        self._log_name = log_name
        self._vkeys = vkeys
        self._release = release
        self._beat_seconds = beat_seconds
        self._beat_due = 0.0
        self._clock = (time.time(), time.monotonic())
        self._shard: Shard | None = None
        self._frontier = Frontier()

    @property
    def year(self) -> int:
        """The shard that grows."""
        assert self._shard is not None  # noqa: S101 - start() came first
        return self._shard.shard

    async def start(self) -> None:
        """Read where the tree stands; make trees of what was sealed before there were any; open the first shard; declare a gap.

        Raises:
            SealerRefused: the leaves are fewer than the tree had, or the tree is not the signed one.
        """
        for year in await repository.unopened(self._conn):
            await self._adopt(year)
        self._shard = await repository.shard(self._conn)
        if self._shard is not None:
            await self._check(self._shard)
            self._frontier = self._shard.frontier()
            async with self._conn.transaction():
                await self._declare_gap()
                await self._declare_keys(self._shard)
        await self._roll_over()

    async def sequence_batch(self) -> int:
        """Give places to what waits, up to 256 records, in one statement, which is its own transaction.

        Returns:
            How many were taken off the queue.

        Raises:
            SealerRefused: somebody else wrote into the tree.
            psycopg.Error: the database was lost; nothing is half done.
        """
        batch = await repository.waiting(self._conn, BATCH)
        if not batch:
            return 0
        after, leaves, refused = place(self._frontier, batch)
        await self._insert(leaves, refused, [item.ord for item in batch], after)
        for record_id, reason in refused:
            log.error("a record was not sealed", action="audit_record_refused", record=str(record_id), reason=reason)
        return len(batch)

    async def beat(self) -> None:
        """Write the heartbeat leaf when it is due, and open the next year's shard when its time has come."""
        if self._beat_seconds <= 0 or time.monotonic() < self._beat_due:
            return
        await self._roll_over()
        wall, steady = time.time(), time.monotonic()
        drift = (wall - self._clock[0]) - (steady - self._clock[1])
        at = await repository.now(self._conn)
        facts = {
            "size": self._frontier.size,
            "drift_ms": round(drift * 1000),
            "database_ms": round((at.timestamp() - wall) * 1000),
            "mono_ms": round(steady * 1000) % 10**9,
        }
        await self._write(Event.SEQUENCER_BEAT, facts)
        self._clock = (wall, steady)
        self._beat_due = steady + self._beat_seconds

    async def note(self, event: Event, facts: dict[str, Any]) -> None:
        """Write one of the log's own records; it takes its place with the next batch."""
        await self._write(event, facts)

    async def _insert(
        self, leaves: Sequence[NewLeaf], refused: Sequence[tuple[UUID, str]], done: Sequence[int], after: Frontier
    ) -> None:
        try:
            grown = await repository.insert_leaves(self._conn, self.year, leaves, refused, done, after)
        except psycopg.errors.UniqueViolation as error:
            detail = error.diag.message_primary
            raise SealerRefused(
                f"somebody else wrote into the tree of {self.year} after {self._frontier.size}: {detail}"
            ) from error
        if grown != 1:
            raise SealerRefused(
                f"the tree of {self.year} is no longer of size {self._frontier.size}: somebody else wrote into it"
            )
        self._frontier = after

    async def _write(self, event: Event, facts: dict[str, Any]) -> tuple[UUID, bytes]:
        at = await repository.now(self._conn)
        record_id = uuid4()
        leaf = build_log_leaf(
            record_id=record_id,
            at=at,
            host=socket.gethostname(),
            build=tightrope.__version__,
            release=self._release,
            event=str(event),
            facts=facts,
        )
        await repository.insert_log_event(self._conn, record_id, str(event), at, leaf)
        return record_id, leaf

    async def _check(self, shard: Shard) -> None:
        frontier = shard.frontier()
        signed = await repository.checkpoint(self._conn, shard.shard)
        if signed is not None and (signed[0] > shard.size or (signed[0] == shard.size and signed[1] != frontier.root())):
            raise SealerRefused(
                f"the tree of {shard.shard} has {shard.size} leaves, but {signed[0]} were signed: the database was set back or changed; "
                "run `tightrope audit verify`"
            )
        last = await repository.leaf_texts(self._conn, shard.shard, max(0, shard.size - 1), 2)
        if [index for index, _, _ in last] != ([shard.size - 1] if shard.size else []):
            raise SealerRefused(
                f"the tree of {shard.shard} has {shard.size} leaves, but the table ends elsewhere: the tail was cut or added to; "
                "run `tightrope audit verify`"
            )

    async def _declare_gap(self) -> None:
        since = await repository.last_beat(self._conn)
        now = await repository.now(self._conn)
        if since is None or self._beat_seconds <= 0:
            return
        silent = (now - since).total_seconds()
        if silent > GAP_BEATS * self._beat_seconds:
            facts = {
                "from": _stamp(since),
                "to": _stamp(now),
                "seconds": round(silent),
                "reason": "the sequencer was not at work",
            }
            await self._write(Event.GAP_DECLARED, facts)

    async def _declare_keys(self, shard: Shard) -> None:
        """Note keys that sign from now on; those before stay known, since they signed what is there."""
        added = [vkey for vkey in self._vkeys(shard.origin) if vkey not in shard.vkeys]
        if added:
            await repository.set_vkeys(self._conn, shard.shard, [*shard.vkeys, *added])
            for vkey in added:
                await self._write(Event.LOG_KEY_ADDED, {"shard": shard.shard, "vkey": vkey})

    async def _roll_over(self) -> None:
        """Open the shard of the database's year where it is later than the one that grows."""
        # Both clocks must have passed the turn of the year: one that jumps ahead must not close a year early.
        year = min((await repository.now(self._conn)).astimezone(UTC).year, datetime.now(UTC).year)
        if self._shard is not None and year <= self._shard.shard:
            return
        before = self._shard
        facts: dict[str, Any] = {
            "shard": year,
            "origin": self._origin(year),
            "vkeys": list(self._vkeys(self._origin(year))),
            "before": None,
        }
        if before is not None:
            facts["before"] = {"origin": before.origin, "size": self._frontier.size, "root": self._frontier.root().hex()}
        frontier = Frontier()
        async with self._conn.transaction():
            await repository.insert_shard(self._conn, year, self._origin(year), frontier, self._vkeys(self._origin(year)))
            record_id, leaf = await self._write(Event.SHARD_OPENED, facts)
            self._shard, self._frontier = await repository.shard(self._conn, year), frontier
            number = await repository.pending_ord(self._conn, record_id)
            after, leaves, _ = place(frontier, [Waiting(number, record_id, leaf, None)])
            await self._insert(leaves, [], [number], after)
        log.info("a shard was opened", action="audit_shard_opened", shard=year, origin=self._origin(year))

    async def _adopt(self, year: int) -> None:
        frontier = Frontier()
        while rows := await repository.leaf_texts(self._conn, year, frontier.size, FOLD):
            for index, hashed, _ in rows:
                if index != frontier.size:
                    raise SealerRefused(f"the leaves of {year} have no entry {frontier.size}; run `tightrope audit verify`")
                frontier.append(hashed)
        await repository.insert_shard(self._conn, year, self._origin(year), frontier, self._vkeys(self._origin(year)))

    def _origin(self, year: int) -> str:
        return f"{self._log_name}/{year}"


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
