"""Releases that differ and connections that are refused are on the record."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tightrope.audit.models import Event
from tightrope.gateway.incidents import Incidents
from tightrope.infra.http import OutboundRefused, outbound_client

pytestmark = pytest.mark.integration


async def recorded(superuser: Any, event: Event) -> int:
    with superuser("tightrope") as conn:
        row = conn.execute("SELECT count(*) FROM audit.records WHERE event = %s", (str(event),)).fetchone()
        return int(row[0])


async def wait_for(superuser: Any, event: Event, count: int) -> None:
    for _ in range(100):
        if await recorded(superuser, event) >= count:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{event} was not recorded")


async def test_refused_connection_and_differing_release_are_recorded(gateway: Any, superuser: Any) -> None:
    stop = asyncio.Event()
    incidents = Incidents(gateway.pool, gateway.recorder)
    running = asyncio.create_task(incidents.run(stop))
    await asyncio.sleep(0)
    refused, differed = await recorded(superuser, Event.CONNECTION_REFUSED), await recorded(superuser, Event.RELEASE_MISMATCH)
    async with outbound_client(
        gateway.settings, purpose="test", transport=httpx.MockTransport(lambda _: httpx.Response(200))
    ) as client:
        with pytest.raises(OutboundRefused):
            await client.get("https://elsewhere.example/")
    await wait_for(superuser, Event.CONNECTION_REFUSED, refused + 1)
    await incidents.releases({"assistant": "r-0000000000000000"})
    await wait_for(superuser, Event.RELEASE_MISMATCH, differed + 1)
    stop.set()
    await asyncio.wait_for(running, 5)


async def test_watch_tells_when_releases_begin_and_cease_to_differ(gateway: Any) -> None:
    told: list[dict[str, str | None]] = []
    answers = ["r-other", gateway.watch.own]
    stop = asyncio.Event()

    async def on_change(differing: dict[str, str | None]) -> None:
        told.append(differing)
        if not differing:
            stop.set()

    async def ask() -> None:
        gateway.watch.seen = {"assistant": answers.pop(0) if len(answers) > 1 else answers[0]}

    gateway.watch.ask = ask
    await asyncio.wait_for(gateway.watch.run(stop, on_change), 10)
    assert told == [{"assistant": "r-other"}, {}]
