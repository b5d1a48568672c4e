"""Fixtures: an empty audit log, a recorder, a running sealer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tightrope.audit.keyring import Keyring
from tightrope.audit.recorder import Recorder
from tightrope.audit.sealer import run_sealer
from tightrope.audit.stores.folder import LocalFolderStore
from tightrope.infra.clock import FixedClock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import Settings

GROWING = ("records", "chain", "content", "conversations", "segments", "refused", "master")


def _triggers(verb: str) -> str:
    return "".join(f"ALTER TABLE audit.{table} {verb} TRIGGER append_only;" for table in GROWING)


@pytest.fixture
def insider(superuser):
    """A superuser who switches the triggers off: what the log must find out."""
    with superuser("tightrope") as conn:
        conn.execute(_triggers("DISABLE"))
        yield conn
        conn.execute(_triggers("ENABLE ALWAYS"))


def _empty(superuser) -> None:
    tables = ", ".join(f"audit.{table}" for table in (*GROWING, "keys", "pending"))
    with superuser("tightrope") as conn:
        conn.execute(
            _triggers("DISABLE")
            + f"TRUNCATE {tables}; UPDATE audit.sealer SET head_seq = 0, head_hash = '', segment_error = NULL, beat_at = '-infinity';"
            + _triggers("ENABLE ALWAYS")
        )


@pytest.fixture(scope="module", autouse=True)
def _leave_nothing(superuser) -> Iterator[None]:
    """What these tests break must not meet the tests of other parts."""
    yield
    _empty(superuser)


@pytest.fixture
def log(database: Settings, superuser, tmp_path: Path) -> Settings:
    """Settings of an empty audit log with a segment store of its own."""
    _empty(superuser)
    return database.model_copy(update={"audit_store": tmp_path / "store", "audit_segment_seconds": 0.0})


@pytest.fixture
def store(log: Settings) -> LocalFolderStore:
    assert log.audit_store is not None
    return LocalFolderStore(log.audit_store)


@pytest.fixture
def keyring(log: Settings) -> Keyring:
    return Keyring.from_settings(log)


@pytest.fixture
def recorder(log: Settings, keyring: Keyring, clock: FixedClock) -> Recorder:
    return Recorder(log, keyring, clock, "r-0123456789abcdef")


@pytest.fixture
async def worker(log: Settings) -> AsyncIterator:
    async with open_pool(log, Role.WORKER, max_size=3) as pool:
        yield pool


@pytest.fixture
async def auditor(log: Settings) -> AsyncIterator:
    async with open_pool(log, Role.AUDITOR, max_size=2) as pool:
        yield pool


@asynccontextmanager
async def sealing(settings: Settings, **kwargs):
    """A sealer at work for the time of the block; the block's end waits until it has stopped."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_sealer(settings, stop, **kwargs))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


@pytest.fixture
def seal(log: Settings):
    """Seals everything that waits and stores the segments, then stops."""

    async def once(**kwargs) -> None:
        async with sealing(log, **kwargs):
            pass

    return once


@pytest.fixture
def sealer_at_work():
    return sealing
