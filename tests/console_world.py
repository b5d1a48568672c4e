"""The auditors' pages with the sandbox's identity provider and a sealed log of their own, in this process on real ports."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from audit_exports import hide
from audit_turns import agent_message, cited, margin, turn
from loopback import free_port
from sandbox_world import Person, running_sandbox, served

from tightrope.audit.export.models import Masker
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.audit.sealer import run_sealer
from tightrope.console.api import create_app
from tightrope.console.pictures import DRAWN
from tightrope.infra.clock import Clock, FixedClock, SystemClock
from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.release.manifest import manifest, manifest_id

OLD_NAME = "旧版余额查询"
"""What the older release called the journey `check_balance`."""
BALANCE_FLOW = "data/flows/check_balance.yml"
OLD_STEPS = [["check_balance", "begin"], ["check_balance", "tell_balance_long_ago"]]
"""The way through a step that only the older release had."""


class Auditor:
    """A browser at the pages."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.base = settings.console_public_url
        self.person = Person(settings)
        self.http = self.person.http

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(self.base + path)

    async def log_in(self, who: str) -> httpx.Response:
        start = await self.get("/login/start?back=/search")
        query = await self.person.pass_login_page(start.headers["location"], who)
        return await self.http.get(f"{self.base}/login/callback", params=query)

    async def csrf(self) -> str:
        return re.search(r'name="csrf" value="([^"]+)"', (await self.get("/")).text)[1]  # type: ignore[index]

    async def say_why(self, purpose: str = "sample") -> httpx.Response:
        form = {"csrf": await self.csrf(), "purpose": purpose, "back": "/search"}
        return await self.http.post(f"{self.base}/purpose", data=form)


class Ahead(SystemClock):
    """A clock that can be put forward."""

    def __init__(self) -> None:
        super().__init__()
        self.by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.by


@dataclass
class ConsoleWorld:
    """Where the pages are, the older release that conversation 1-12 ran, and the sealer, which a test may stop."""

    settings: Settings
    release: str
    manifest: str
    _stop: asyncio.Event
    _sealer: asyncio.Task[None]

    async def stop_sealing(self) -> None:
        """Let the sealer finish its work and end."""
        self._stop.set()
        await asyncio.wait_for(self._sealer, 10)


@asynccontextmanager
async def console_world(
    database: Settings,
    folder: Path,
    *,
    text: str,
    clock: Clock | None = None,
    mask: Masker = hide,
    changes: dict[str, Any] | None = None,
) -> AsyncIterator[ConsoleWorld]:
    """Sealed conversations.

    1-9: a customer's message with this text and a turn; 1-10: a margin refusal of C1001; 1-11: an answer that cites a document, and an
    agent's words; 1-12: a turn of an older release, whose files the log holds; 1-13: a turn of a release that it does not hold.
    """
    port = free_port()
    base = database.model_copy(
        update={
            "console_port": port,
            "console_public_url": f"http://localhost:{port}",
            "audit_store": folder / "store",
            "audit_tree": folder / "tree",
            "audit_checkpoint_seconds": 0.05,
            "audit_beat_seconds": 0.0,
            "console_exports": folder / "exports",
            **(changes or {}),
        }
    )
    async with open_pool(base, Role.WORKER, max_size=1) as pool:
        release, digest = await _tell(base, pool, text)
    stop = asyncio.Event()
    sealer = asyncio.create_task(run_sealer(base, stop))
    try:
        async with running_sandbox(base) as settings, served(create_app(settings, mask=mask, clock=clock), port):
            yield ConsoleWorld(settings, release, digest, stop, sealer)
    finally:
        stop.set()
        await asyncio.wait_for(sealer, 10)


async def _tell(base: Settings, pool: Pool, text: str) -> tuple[str, str]:
    keyring, clock = Keyring.from_settings(base), FixedClock(SystemClock().now())
    recorder = Recorder(base, keyring, clock, "r-0123456789abcdef")
    async with pool.connection() as conn:
        for draft in (
            RecordDraft(Event.CUSTOMER_MESSAGE_RECEIVED, "1-9", "C1001", payload={"text": text}),
            RecordDraft(Event.TURN_MADE, "1-9", "C1001", 1, {"lang": "zh"}, {"replies": [{"text": "您好"}]}),
            turn("1-10", 1, margin(clock.at.date(), date(2024, 1, 10)), customer="C1001"),
            turn("1-11", 1, cited("fees-brokerage", "v3"), text="佣金多少"),
            agent_message("1-11", "您好，我是人工客服"),
            RecordDraft(Event.TURN_MADE, "1-13", None, 1, {"lang": "zh"}, {"steps": OLD_STEPS}, {"manifest": "ab" * 32}),
        ):
            await recorder.record(conn, draft)
        # A release of flows, domain and configuration in which one flow was another: the log alone holds that file.
        entries = {path: entry for path, entry in manifest(base.project_dir).items() if entry[0] in DRAWN}
        old = (REPOSITORY / BALANCE_FLOW).read_text(encoding="utf-8").replace("name: 查账户余额", f"name: {OLD_NAME}")
        data = old.replace("tell_balance", "tell_balance_long_ago").replace("action_tell_balance_long_ago", "action_tell_balance")
        await recorder.store_content(conn, "flows", data.encode())
        entries[BALANCE_FLOW] = ("flows", hashlib.sha256(data.encode()).hexdigest())
        digest = await recorder.store_content(conn, "manifest", json.dumps(entries, sort_keys=True).encode())
        older = Recorder(base, keyring, clock, manifest_id(entries))
        said = {
            "steps": OLD_STEPS,
            "replies": [{"text": "余额"}],
            "events": [{"event": "flow_completed", "flow_id": "check_balance"}],
        }
        await older.record(conn, RecordDraft(Event.TURN_MADE, "1-12", None, 1, {"lang": "zh"}, said, {"manifest": digest}))
    return manifest_id(entries), digest
