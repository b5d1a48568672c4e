"""Fixtures: an empty audit log, a recorder, a running sealer."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tightrope.audit import sealer
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.audit.sealer import run_sealer
from tightrope.audit.stores.folder import LocalFolderStore
from tightrope.audit.tree_repository import LEASE
from tightrope.audit.verify import verify_log
from tightrope.infra.clock import FixedClock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import Settings

GROWING = ("records", "leaves", "checkpoints", "content", "conversations", "segments", "refused", "master", "custody_key")


def _triggers(verb: str) -> str:
    growing = "".join(f"ALTER TABLE audit.{table} {verb} TRIGGER append_only;" for table in (*GROWING, "shards"))
    return growing + f"ALTER TABLE audit.shards {verb} TRIGGER shard_grows;"


@pytest.fixture
def insider(superuser):
    """A superuser who switches the triggers off: what the log must find out."""
    with superuser("tightrope") as conn:
        conn.execute(_triggers("DISABLE"))
        yield conn
        conn.execute(_triggers("ENABLE ALWAYS"))


def _empty(superuser, database: Settings) -> None:
    """An empty log and nothing of an earlier one beside it: a store that holds more than the database is a refusal."""
    for folder in ("audit-segments", "audit-tree"):
        shutil.rmtree(database.state_dir / folder, ignore_errors=True)
    tables = ", ".join(f"audit.{table}" for table in (*GROWING, "shards", "keys", "pending"))
    with superuser("tightrope") as conn:
        conn.execute(
            _triggers("DISABLE")
            + f"TRUNCATE {tables}; UPDATE audit.sealer SET segment_error = NULL, tree_error = NULL, beat_at = '-infinity';"
            + _triggers("ENABLE ALWAYS")
            + "TRUNCATE audit_index.records; UPDATE audit_index.state SET shard = 0, next = 0, version = 0;"
        )


@pytest.fixture(scope="module", autouse=True)
def _leave_nothing(superuser, database: Settings) -> Iterator[None]:
    """What these tests break must not meet the tests of other parts."""
    yield
    _empty(superuser, database)


@pytest.fixture
def log(database: Settings, superuser, tmp_path: Path) -> Settings:
    """Settings of an empty audit log with tree and segment store of its own."""
    _empty(superuser, database)
    return database.model_copy(
        update={
            "audit_store": tmp_path / "store",
            "audit_tree": tmp_path / "tree",
            "audit_segment_seconds": 0.0,
            "audit_checkpoint_seconds": 0.05,
            "audit_beat_seconds": 0.0,
        }
    )


@pytest.fixture(autouse=True)
def _no_anchors(request, monkeypatch) -> None:
    """Receipts of anchors are leaves too, at times of their own; tests of the anchors ask for them with the marker `anchors`."""
    if request.node.get_closest_marker("anchors") is None:

        async def none(settings, stop, **kwargs) -> None:
            await stop.wait()

        monkeypatch.setattr(sealer, "run_anchors", none)


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
def seal(log: Settings, superuser):
    """Seals everything that waits and stores the segments, then stops."""

    def held() -> bool:
        with superuser("tightrope") as conn:
            held = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND (classid::bigint << 32) + objid::bigint = %s"
            return conn.execute(held, (LEASE,)).fetchone() is not None

    async def once(**kwargs) -> None:
        for _ in range(200):  # the database learns a moment later that a sealer before has died
            if not held():
                break
            await asyncio.sleep(0.02)
        async with sealing(log, **kwargs):
            pass

    return once


@pytest.fixture
def sealer_at_work():
    return sealing


@pytest.fixture
async def written(log, worker, recorder, seal):
    """Six records of two conversations, sealed and stored in segments; their ids in order."""
    ids = []
    async with worker.connection() as conn:
        digest = await recorder.store_content(conn, "flows", b"flows: {}")
        for number in range(6):
            conversation = f"1-{number // 3}"
            draft = RecordDraft(
                Event.CUSTOMER_MESSAGE_RECEIVED,
                conversation,
                "C1001",
                number,
                {"n": number},
                {"content": f"问题{number}"},
                {"flows": digest},
            )
            ids.append(await recorder.record(conn, draft))
            await conn.commit()
    await seal()
    report = await verify_log(log)
    assert report.ok
    assert (report.sealed, report.unsealed, report.segments, report.checkpoints) == (7, 0, 1, 1)
    return ids
