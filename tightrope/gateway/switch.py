"""The kill switch: one row a turn of it; the sender's claim and every journey's first step read it (red line 8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.infra.database import Pool

_JOURNEY = re.compile(r"^[a-z][a-z0-9_]{0,79}$")


@dataclass(frozen=True)
class SwitchState:
    """One scope that is off."""

    scope: str
    reason: str
    who: str
    at: datetime


def scope_of(journey: str | None) -> str:
    """`all`, or `journey:<id>`.

    Raises:
        ValueError: not a flow id.
    """
    if journey is None:
        return "all"
    if not _JOURNEY.match(journey):
        raise ValueError(f"{journey!r} is not a flow id, such as check_balance; the files of data/flows name them")
    return f"journey:{journey}"


async def turn(pool: Pool, recorder: Recorder, *, off: bool, journey: str | None, reason: str, who: str) -> None:
    """Turn the switch and record who did it and why, in one transaction."""
    scope = scope_of(journey)
    async with pool.connection() as conn:
        event = Event.SWITCH_ENGAGED if off else Event.SWITCH_RELEASED
        record = await recorder.record(conn, RecordDraft(event, facts={"scope": scope}, payload={"reason": reason, "who": who}))
        await conn.execute(
            "INSERT INTO gateway.switch (scope, off, reason, who, record_id) VALUES (%s, %s, %s, %s, %s)",
            (scope, off, reason, who, record),
        )


async def states(pool: Pool) -> list[SwitchState]:
    """Every scope that is off now."""
    async with pool.connection() as conn:
        cursor = await conn.execute("SELECT scope, reason, who, at FROM gateway.switch_now ORDER BY scope")
        return [SwitchState(**row) for row in await cursor.fetchall()]
