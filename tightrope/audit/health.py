"""Is the sealer at work, and is the store keeping up?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from tightrope.audit.anchors.health import anchors_health
from tightrope.infra.database import Role, conninfo, pool_kwargs
from tightrope.infra.settings import Settings

STALE_SECONDS = 5.0
"""A heartbeat or an unsealed record older than this is an alarm."""


async def sealer_health(settings: Settings) -> str | None:
    """What is wrong with sealing in a sentence, or None; the check for `tightrope.infra.health`.

    Raises:
        psycopg.Error: the database does not answer.
    """
    async with await AsyncConnection.connect(conninfo(settings, Role.SEALER), **pool_kwargs()) as conn:
        return await trouble(settings, conn)


async def trouble(settings: Settings, conn: AsyncConnection[Any]) -> str | None:
    """The same by a connection of the role `sealer` or `auditor`.

    Raises:
        psycopg.Error: the database does not answer.
    """
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT extract(epoch FROM clock_timestamp() - greatest(beat_at, '2000-01-01'))::float8 AS silent, segment_error, tree_error, "
        "coalesce((SELECT extract(epoch FROM clock_timestamp() - queued_at)::float8 FROM audit.pending ORDER BY ord LIMIT 1), 0) AS waiting, "
        "(SELECT count(*) FROM audit.refused WHERE refused_at > clock_timestamp() - interval '1 day') AS refused FROM audit.sealer"
    )
    row = await cursor.fetchone()
    anchoring = await anchors_health(settings, conn, datetime.now(UTC))
    if row is None or row["silent"] > STALE_SECONDS:
        return "no sealer is at work: nothing will be released"
    if row["waiting"] > STALE_SECONDS:
        return f"a record has waited {row['waiting']:.0f} s for its seal"
    found = [
        f"checkpoints are behind: {row['tree_error']}" if row["tree_error"] else None,
        f"segments are behind: {row['segment_error']}" if row["segment_error"] else None,
        # Of the last day: the table only grows, and an alarm that never ends is none. `audit verify` names them for ever.
        f"{row['refused']} records did not match their own leaf and were not sealed; run `tightrope audit verify`"
        if row["refused"]
        else None,
        anchoring,
    ]
    return "; ".join(one for one in found if one) or None
