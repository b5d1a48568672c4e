"""What the action server opens for itself: once, at first use, and closed at the end; and the application it serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from psycopg_pool import PoolClosed
from sanic import Sanic

from actions import context
from actions.__main__ import main, make_app
from tightrope.identity.models import Anonymous
from tightrope.infra.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
async def _clean() -> AsyncIterator[None]:
    context.use(None)
    yield
    await context.close()


@pytest.mark.usefixtures("_clean")
async def test_the_context_is_built_once_however_many_ask_at_the_same_time(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "get_settings", lambda: database)
    first, second = await asyncio.gather(context.current(), context.current())
    assert first is second
    assert await first.switches.off() == frozenset()
    assert await first.identity.resolve("A" * 43) == Anonymous()
    await context.close()
    with pytest.raises(PoolClosed):
        await first.switches.off()


@pytest.mark.usefixtures("_clean")
async def test_a_context_that_cannot_be_built_closes_what_it_had_opened(
    database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    async def broken(settings: Settings, resources: AsyncExitStack) -> Any:
        resources.callback(closed.append, "closed")
        raise ConnectionError

    monkeypatch.setattr(context, "get_settings", lambda: database)
    monkeypatch.setattr(context, "build", broken)
    with pytest.raises(ConnectionError):
        await context.current()
    assert closed == ["closed"]


async def test_the_application_serves_rasa_sdks_routes_and_ours(database: Settings) -> None:
    app = make_app(database)
    try:
        assert {route.path for route in app.router.routes} >= {"webhook", "health", "actions", "release"}
    finally:
        Sanic.unregister_app(app)


def test_the_server_listens_on_loopback_in_one_process(database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: dict[str, Any] = {}

    class App:
        def run(self, **options: Any) -> None:
            ran.update(options)

    monkeypatch.setattr("sys.argv", ["actions", "--port", "5999"])
    monkeypatch.setattr("actions.__main__.make_app", lambda _: App())
    monkeypatch.setattr("actions.__main__.configure_logging", lambda *_: None)
    main()
    assert (ran["host"], ran["port"], ran["single_process"], ran["access_log"]) == ("127.0.0.1", 5999, True, False)
