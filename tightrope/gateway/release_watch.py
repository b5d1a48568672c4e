"""Do all parts run the same release? Asked every two seconds; nothing is sent while they differ (red line 9)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tightrope.gateway.errors import ReleaseDiffers
from tightrope.infra.http import outbound_client
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.release.manifest import release_id

log = get_logger()
PERIOD_SECONDS = 2.0


OnChange = Callable[[dict[str, str | None]], Awaitable[None]]


class ReleaseWatch:
    """Knows each part's release. A part that cannot be asked right now keeps its last answer: its absence shows when it is needed."""

    def __init__(self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.own = release_id(settings)
        self.seen: dict[str, str | None] = {}
        self._http = outbound_client(settings, purpose="release check", timeout=httpx.Timeout(2.0), transport=transport)
        self._where: dict[str, tuple[str, str]] = {
            "assistant": (
                f"{settings.assistant_url}/status?token={settings.secret('assistant_token').get_secret_value()}",
                "model_id",
            ),
            "actions": (f"{settings.actions_url.removesuffix('/webhook')}/release", "release"),
            "understanding": (f"{settings.understanding_url.removesuffix('/v1')}/health", "release"),
            "gateway": (f"{settings.gateway_url}/health", "release"),
        }

    async def aclose(self) -> None:
        await self._http.aclose()

    def differing(self) -> dict[str, str | None]:
        """The parts whose release is known and not ours."""
        return {part: release for part, release in self.seen.items() if release != self.own}

    def require(self) -> None:
        """Raises:
        ReleaseDiffers: some part runs another release than this process.
        """
        if differing := self.differing():
            raise ReleaseDiffers(
                f"we run {self.own}, but " + ", ".join(f"{part} runs {release}" for part, release in sorted(differing.items()))
            )

    async def ask(self) -> None:
        """Ask every part once."""
        for part, (url, field) in self._where.items():
            try:
                answer: Any = (await self._http.get(url)).json()
                self.seen[part] = answer.get(field) if isinstance(answer, dict) else None
            except (httpx.HTTPError, ValueError):
                continue

    async def run(self, stop: asyncio.Event, on_change: OnChange) -> None:
        """Keep asking until told to stop; `on_change` gets what differs whenever that changes, and puts it on the record."""
        before: dict[str, str | None] = {}
        while not stop.is_set():
            await self.ask()
            if (now := self.differing()) != before:
                log.error(
                    "releases differ" if now else "releases agree again",
                    action="release_mismatch" if now else "release_agrees",
                    own=self.own,
                    parts=now,
                )
                await on_change(now)
                before = now
            await _wait(stop, PERIOD_SECONDS)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
