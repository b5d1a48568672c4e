"""What the action server reads from the database itself: the kill switch."""

from __future__ import annotations

from typing import Protocol

from tightrope.infra.database import Pool


class Switches(Protocol):
    """The kill switch."""

    async def off(self) -> frozenset[str]:
        """The scopes that are off now: `all`, or `journey:<flow id>`."""
        ...


class SwitchRepository:
    """Reads the view `gateway.switch_now`. Never cached: off has to mean off within a second."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def off(self) -> frozenset[str]:
        async with self._pool.connection() as connection:
            # One statement needs no transaction around it: this runs at the start of every journey.
            await connection.set_autocommit(True)
            try:
                cursor = await connection.execute("SELECT scope FROM gateway.switch_now")
                return frozenset(str(row["scope"]) for row in await cursor.fetchall())
            finally:
                await connection.set_autocommit(False)
