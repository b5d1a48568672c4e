"""The auditors' pages with the sandbox's identity provider and a sealed log of their own, in this process on real ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from loopback import free_port
from sandbox_world import running_sandbox, served

from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.audit.sealer import run_sealer
from tightrope.console.api import create_app
from tightrope.infra.clock import Clock, FixedClock, SystemClock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import Settings


@dataclass
class ConsoleWorld:
    """Where the pages are, and the sealer, which a test may stop."""

    settings: Settings
    _stop: asyncio.Event
    _sealer: asyncio.Task[None]

    async def stop_sealing(self) -> None:
        """Let the sealer finish its work and end."""
        self._stop.set()
        await asyncio.wait_for(self._sealer, 10)


@asynccontextmanager
async def console_world(
    database: Settings, folder: Path, *, text: str, clock: Clock | None = None
) -> AsyncIterator[ConsoleWorld]:
    """Conversation 1-9: a customer's message with this text and a turn, sealed."""
    port = free_port()
    base = database.model_copy(
        update={
            "console_port": port,
            "console_public_url": f"http://localhost:{port}",
            "audit_store": folder / "store",
            "audit_tree": folder / "tree",
            "audit_checkpoint_seconds": 0.05,
            "audit_beat_seconds": 0.0,
        }
    )
    recorder = Recorder(base, Keyring.from_settings(base), FixedClock(SystemClock().now()), "r-0123456789abcdef")
    async with open_pool(base, Role.WORKER, max_size=1) as pool, pool.connection() as conn:
        await recorder.record(conn, RecordDraft(Event.CUSTOMER_MESSAGE_RECEIVED, "1-9", "C1001", payload={"text": text}))
        await recorder.record(
            conn, RecordDraft(Event.TURN_MADE, "1-9", "C1001", 1, {"lang": "zh"}, {"replies": [{"text": "您好"}]})
        )
    stop = asyncio.Event()
    sealer = asyncio.create_task(run_sealer(base, stop))
    try:
        async with running_sandbox(base) as settings, served(create_app(settings, clock=clock), port):
            yield ConsoleWorld(settings, stop, sealer)
    finally:
        stop.set()
        await asyncio.wait_for(sealer, 10)
