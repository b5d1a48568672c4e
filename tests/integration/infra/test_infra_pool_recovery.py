"""Pools when the database goes away and comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from psycopg_pool import PoolTimeout

from tightrope.infra.database import FRESH_SECONDS, Role, open_pool
from tightrope.infra.settings import Settings

pytestmark = pytest.mark.integration


def refuse(superuser: Callable[..., Any], *, away: bool) -> None:
    with superuser("postgres") as conn:
        conn.execute(f"ALTER DATABASE knowledge ALLOW_CONNECTIONS {'false' if away else 'true'}")
        if away:
            conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'knowledge'")


def cut(superuser: Callable[..., Any]) -> None:
    with superuser("postgres") as conn:
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'knowledge'")


async def test_pool_whose_idle_connections_were_all_cut_serves_at_once(database: Settings, superuser: Callable[..., Any]):
    """As after a restart of the server: one look at a dead connection replaces all of them."""
    async with open_pool(database, Role.KNOWLEDGE, max_size=8) as pool:
        await asyncio.sleep(FRESH_SECONDS + 0.1)
        cut(superuser)
        began = time.monotonic()
        async with pool.connection() as conn:
            await conn.execute("SELECT 1")
        assert time.monotonic() - began < 0.9


async def test_pool_serves_within_two_seconds_of_the_database_s_return(database: Settings, superuser: Callable[..., Any]):
    async with open_pool(database, Role.KNOWLEDGE, max_size=4) as pool:
        await asyncio.sleep(FRESH_SECONDS + 0.1)
        refuse(superuser, away=True)
        try:
            with pytest.raises(PoolTimeout):
                async with pool.connection(timeout=4.0):
                    pass
        finally:
            refuse(superuser, away=False)
        back = time.monotonic()
        async with pool.connection(timeout=10.0) as conn:
            await conn.execute("SELECT 1")
        assert time.monotonic() - back < 2.0


async def test_pool_opens_when_the_database_comes_while_it_waits(database: Settings, superuser: Callable[..., Any]):
    async def come_back() -> None:
        await asyncio.sleep(5.0)
        refuse(superuser, away=False)

    refuse(superuser, away=True)
    coming = asyncio.create_task(come_back())
    try:
        async with open_pool(database, Role.KNOWLEDGE, max_size=4) as pool, pool.connection() as conn:
            await conn.execute("SELECT 1")
    finally:
        await coming
