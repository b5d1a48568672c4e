"""Chunks on their way into the database: those that arrive together are written together.

RAGFlow's API takes one chunk a request, and a transaction for each costs more than the chunk. So one writer takes whatever waits; a
request is answered when its chunk is committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from tightrope.infra.database import Connection, Pool
from tightrope.knowledge.server import repository
from tightrope.knowledge.server.repository import NewChunk

MOST = 64
"""Chunks in one transaction; bounds what one failure makes others repeat."""


@dataclass
class _Waiting:
    chunk: NewChunk
    owned: asyncio.Future[bool]


class Intake:
    """Writes the chunks of all requests of this server.

    Args:
        pool: one of its connections is used while something waits.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, chunk: NewChunk) -> bool:
        """Store a chunk with its postings and vectors.

        Returns:
            False when the dataset does not hold the document.

        Raises:
            psycopg.Error: the database refused this chunk or is not there.
        """
        entry = _Waiting(chunk, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return await entry.owned

    async def aclose(self) -> None:
        """Wait for what is being written."""
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        batch: list[_Waiting] = []
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._write_together(batch)
        except BaseException as error:
            # Nobody waits for ever, whatever happened: those of this batch and those behind it hear of it.
            for entry in (*batch, *self._waiting):
                _fail(entry, error if isinstance(error, Exception) else RuntimeError("the knowledge server is stopping"))
            self._waiting = []
            if not isinstance(error, Exception):
                raise
        finally:
            self._writer = None

    async def _write_together(self, batch: Sequence[_Waiting]) -> None:
        async with self._pool.connection() as connection:
            try:
                owned = await _stored(connection, [entry.chunk for entry in batch])
            except (psycopg.DataError, psycopg.IntegrityError) as error:
                if len(batch) == 1:
                    _fail(batch[0], error)
                    return
                owned = None
        if owned is None:  # one of them is bad: each by itself, so that it alone is refused
            for entry in batch:
                await self._write_together([entry])
            return
        for entry, there in zip(batch, owned, strict=True):
            if not entry.owned.done():
                entry.owned.set_result(there)


async def _stored(connection: Connection, chunks: Sequence[NewChunk]) -> list[bool]:
    async with connection.transaction():
        return await repository.insert_chunks(connection, chunks)


def _fail(entry: _Waiting, error: Exception) -> None:
    if not entry.owned.done():
        entry.owned.set_exception(error)
