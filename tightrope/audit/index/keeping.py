"""The index kept current inside a process that has the auditor's role anyway: nobody needs to ask for it to be there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tightrope.audit.index.service import Indexer
from tightrope.audit.keyring import Keyring
from tightrope.infra.clock import Clock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import Settings


@asynccontextmanager
async def kept_current(settings: Settings, clock: Clock) -> AsyncIterator[None]:
    """Read what is new into the index for the time of the block, on a connection and with a keyring of its own.

    Any number of them may be at work: each batch takes the index's state for itself, and the next one goes on from there. A lost database is
    waited for. At the block's end a batch under way is given up; whoever reads next begins with it.

    Raises:
        psycopg_pool.PoolTimeout: the database does not answer at the start.
    """
    async with open_pool(settings, Role.AUDITOR, max_size=1) as pool:
        stop = asyncio.Event()
        keeping = asyncio.create_task(Indexer(pool, Keyring.from_settings(settings), clock).run(stop))
        try:
            yield
        finally:
            stop.set()
            while not keeping.done():  # a wait that times out in this very moment takes a cancellation with it
                keeping.cancel()
                await asyncio.wait([keeping], timeout=1)
