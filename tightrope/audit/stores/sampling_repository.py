"""SQL of the bucket's auditor: what the index names, and when each object was last read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from tightrope.audit.stores.sampling import Expected
from tightrope.infra.database import Role, conninfo, pool_kwargs
from tightrope.infra.settings import Settings


async def expected(settings: Settings) -> list[Expected]:
    """Every object that the index names, in order of its key.

    Raises:
        psycopg.Error: the database cannot be read.
    """
    async with await _connect(settings) as conn:
        cursor = await conn.execute(
            "SELECT s.key, encode(s.sha256, 'hex') AS sha256, s.receipt->>'version_id' AS version_id, "
            "(s.receipt->>'retain_until')::timestamptz AS retain_until, coalesce(r.read_at, s.stored_at) AS read_at "
            "FROM audit.segments s LEFT JOIN audit.store_reads r USING (key) ORDER BY s.key"
        )
        return [Expected(**row) for row in await cursor.fetchall()]


async def note_read(settings: Settings, keys: Sequence[str], at: datetime) -> None:
    """Note that these objects were read and found right.

    Raises:
        psycopg.Error: the database did not take it.
    """
    async with await _connect(settings) as conn:
        await conn.execute(
            "INSERT INTO audit.store_reads (key, read_at) SELECT unnest(%s::text[]), %s "
            "ON CONFLICT (key) DO UPDATE SET read_at = greatest(audit.store_reads.read_at, excluded.read_at)",
            (list(keys), at),
        )


async def _connect(settings: Settings) -> AsyncConnection[Any]:
    return await AsyncConnection.connect(conninfo(settings, Role.AUDITOR), **(pool_kwargs() | {"row_factory": dict_row}))
