"""The graph over vectors (pgvector's HNSW): built in the background when a dataset outgrows comparing every vector."""

from __future__ import annotations

import asyncio

import psycopg

from tightrope.infra.database import Pool
from tightrope.infra.logging import get_logger
from tightrope.knowledge.server.index import EXACT

log = get_logger()


class Graph:
    """Builds the graph once. Until it is there a search compares every vector: slower, with the same result."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._building: asyncio.Task[None] | None = None

    def want(self, chunks: int) -> None:
        """Begin building if a dataset of so many chunks needs it and nobody builds."""
        if chunks > EXACT and (self._building is None or self._building.done()):
            self._building = asyncio.create_task(self._build())

    async def aclose(self) -> None:
        """Give up building; Postgres leaves nothing half-built behind."""
        if self._building is not None and not self._building.done():
            self._building.cancel()
            await asyncio.gather(self._building, return_exceptions=True)

    async def _build(self) -> None:
        try:
            async with self._pool.connection() as connection:
                await connection.execute("SET LOCAL statement_timeout TO 0")
                await connection.execute("SELECT knowledge.build_graph()")
        except psycopg.Error as error:
            log.error(
                "the graph over vectors was not built: searching large datasets stays slow",
                action="knowledge_graph_failed",
                error=type(error).__name__,
            )
