"""Pools of Postgres connections: one database and one least-rights role for each process (docs/wire-contracts.md)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from tightrope.infra import network_log
from tightrope.infra.settings import Settings

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]


class Role(Enum):
    """Login roles: (role name, database). Passwords are secrets named `db_<role>`."""

    INBOX = ("inbox", "inbox")
    SANDBOX = ("sandbox", "sandbox")
    ASSISTANT = ("assistant", "assistant")
    KNOWLEDGE = ("knowledge", "knowledge")
    GATEWAY = ("gateway", "tightrope")
    WORKER = ("worker", "tightrope")
    ACTIONS = ("actions", "tightrope")
    SEALER = ("sealer", "tightrope")
    AUDITOR = ("auditor", "tightrope")
    OPERATOR = ("operator", "tightrope")

    @property
    def user(self) -> str:
        return self.value[0]

    @property
    def database(self) -> str:
        return self.value[1]


def conninfo(settings: Settings, role: Role) -> str:
    """libpq connection string of a role."""
    network_log.note("connect", settings.database_host, settings.database_port)
    return make_conninfo(
        host=settings.database_host,
        port=settings.database_port,
        dbname=role.database,
        user=role.user,
        password=settings.secret(f"db_{role.user}").get_secret_value(),
        application_name=f"tightrope-{role.user}",
        connect_timeout=5,
    )


def pool_kwargs() -> dict[str, Any]:
    """Connection arguments that all pools share: rows as dicts, and commits that wait for the disk."""
    return {
        "row_factory": dict_row,
        "autocommit": False,
        "prepare_threshold": 1,
        "options": "-c synchronous_commit=on -c lock_timeout=10s -c statement_timeout=30s",
    }


FRESH_SECONDS = 2.0
_returned: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()


async def _note_return(conn: Connection) -> None:
    _returned[conn] = time.monotonic()


RECONNECT_SECONDS = 2.0


async def _try_again(pool: AsyncConnectionPool[Any]) -> None:
    """Go on trying once a second: left to itself the pool waits 2, 4, 8 … s, so that a database back for long is still not used."""
    await pool.check()


def pool_checked_after_a_pause(*args: Any, **kwargs: Any) -> AsyncConnectionPool[Any]:
    """A pool that looks whether a connection lives only when it was not in use a moment ago; also procrastinate's `pool_factory`.

    Under load that look is a tenth of the work. When one connection turns out dead, all idle ones are replaced at once: the pool itself
    would try them one after the other, waiting 1, 2, 4 … s in between.
    """
    replaced = 0.0

    async def check(conn: Connection) -> None:
        nonlocal replaced
        if time.monotonic() - _returned.get(conn, 0.0) <= FRESH_SECONDS:
            return
        try:
            await AsyncConnectionPool.check_connection(conn)
        except psycopg.Error:
            if time.monotonic() - replaced > FRESH_SECONDS:
                replaced = time.monotonic()
                await pool.drain()
            raise

    ours = {
        "check": check,
        "reset": _note_return,
        "reconnect_timeout": RECONNECT_SECONDS,
        "reconnect_failed": _try_again,
    }
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(*args, **{**kwargs, **ours})
    return pool


@asynccontextmanager
async def open_pool(settings: Settings, role: Role, *, max_size: int = 8, wait_seconds: float = 30) -> AsyncIterator[Pool]:
    """A pool for `role`, open for the time of the block.

    Raises:
        psycopg_pool.PoolTimeout: no connection within `wait_seconds`; the database is down or refuses the role.
    """
    pool: Pool = pool_checked_after_a_pause(
        conninfo(settings, role),
        connection_class=AsyncConnection[DictRow],
        kwargs=pool_kwargs(),
        min_size=min(4, max_size),
        max_size=max_size,
        max_idle=3600,
        timeout=10,
        open=False,
    )
    await pool.open(wait=True, timeout=wait_seconds)
    try:
        yield pool
    finally:
        await pool.close()
