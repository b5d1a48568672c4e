"""The anchors inside the sealer's process: their runner, fed from the log and reporting into it."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from uuid import uuid4

import tightrope
from tightrope.audit import tree_repository
from tightrope.audit.anchors.errors import AnchorsUnfit
from tightrope.audit.anchors.facts import gap_facts, receipt_facts
from tightrope.audit.anchors.log_source import consistency_of, latest_of
from tightrope.audit.anchors.repository import Conn, Gap, Kept
from tightrope.audit.anchors.service import runner_from
from tightrope.audit.anchors.worm import SegmentStore
from tightrope.audit.leaf import build_log_leaf
from tightrope.audit.models import Event
from tightrope.infra.clock import SystemClock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.release.manifest import release_id

log = get_logger()


async def run_anchors(settings: Settings, stop: asyncio.Event, *, store: SegmentStore) -> None:
    """Run the anchors until `stop` is set.

    Settings that do not fit stop anchoring, which health says (`anchors_health`), and not the log. The clock is the machine's, also in the demo:
    the anchors' own clocks are real.
    """
    try:
        release = release_id(settings)
        async with open_pool(settings, Role.SEALER, max_size=4) as pool:
            runner = runner_from(
                settings,
                pool,
                SystemClock(),
                store=store,
                latest=latest_of(pool),
                consistency=consistency_of(settings),
                on_receipt=_Report(release).receipt,
                on_gap=_Report(release).gap,
            )
            await runner.run(stop)
    except AnchorsUnfit as error:
        log.error("nothing is anchored: the settings do not fit", action="anchors_unfit", reason=str(error))
        await stop.wait()


class _Report:
    """Writes receipts and gaps into the log, in the transaction that keeps them."""

    def __init__(self, release: str) -> None:
        self._release = release

    async def receipt(self, conn: Conn, kept: Kept) -> None:
        await self._write(conn, Event.ANCHOR_RECEIVED, receipt_facts(kept))

    async def gap(self, conn: Conn, gap: Gap) -> None:
        await self._write(conn, Event.ANCHOR_LATE, gap_facts(gap))

    async def _write(self, conn: Conn, event: Event, facts: dict[str, Any]) -> None:
        at, record_id = await tree_repository.now(conn), uuid4()
        leaf = build_log_leaf(
            record_id=record_id,
            at=at,
            host=socket.gethostname(),
            build=tightrope.__version__,
            release=self._release,
            event=str(event),
            facts=facts,
        )
        await tree_repository.insert_log_event(conn, record_id, str(event), at, leaf)
