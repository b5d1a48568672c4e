"""The embedded Postgres: a real server that trusts nobody, with the roles and databases of the design."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tightrope.infra.database import FRESH_SECONDS, Role, conninfo, open_pool
from tightrope.infra.migrate import PARTS, migrate
from tightrope.infra.postgres import EmbeddedPostgres, PostgresFailed
from tightrope.infra.settings import Settings

pytestmark = pytest.mark.integration


def test_nobody_comes_in_without_a_password(database: Settings) -> None:
    for user in ("postgres", "gateway"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"host=127.0.0.1 port={database.database_port} user={user} dbname=tightrope connect_timeout=5")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(
            f"host=127.0.0.1 port={database.database_port} user=postgres password=postgres dbname=postgres connect_timeout=5"
        )


@pytest.mark.parametrize("role", list(Role))
def test_each_role_reaches_its_own_database_and_no_other(database: Settings, role: Role) -> None:
    with psycopg.connect(conninfo(database, role)) as conn:
        row = conn.execute(
            "SELECT current_database(), rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (role.database, False, False, False)
    other = "inbox" if role.database != "inbox" else "tightrope"
    password = database.secret(f"db_{role.user}").get_secret_value()
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(
            f"host=127.0.0.1 port={database.database_port} user={role.user} password={password} dbname={other} connect_timeout=5"
        )


def test_commits_wait_for_the_disk(database: Settings, superuser: Any) -> None:
    with superuser("tightrope") as conn:
        assert conn.execute("SHOW fsync").fetchone() == ("on",)
        assert conn.execute("SHOW synchronous_commit").fetchone() == ("on",)


@pytest.mark.parametrize("name", list(PARTS))
def test_migrations_are_applied_once_and_again_change_nothing(database: Settings, name: str) -> None:
    server = EmbeddedPostgres(database)
    first = migrate(name, server.superuser_conninfo(name))
    assert first
    assert migrate(name, server.superuser_conninfo(name)) == first


async def test_pool_survives_connections_that_the_server_dropped(database: Settings, superuser: Any) -> None:
    async with open_pool(database, Role.OPERATOR, max_size=2) as pool:
        async with pool.connection() as conn:
            await conn.execute("SELECT 1")
        with superuser("tightrope") as insider:
            insider.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'operator'")
        await asyncio.sleep(FRESH_SECONDS + 0.2)
        async with pool.connection() as conn:
            cursor = await conn.execute("SELECT 1 AS one")
            assert await cursor.fetchone() == {"one": 1}


def test_server_that_cannot_start_says_why(tmp_path: Path, database: Settings) -> None:
    taken = Settings(state_dir=tmp_path / "state", database_port=database.database_port)
    tmp_path.chmod(0o711)
    server = EmbeddedPostgres(taken)
    with pytest.raises(PostgresFailed, match="could not"):
        server.start()
    assert not server.running()
