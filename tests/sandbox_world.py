"""The sandbox on a real port, with a person at a browser: for tests of identity, permissions and direct posts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

import httpx
import uvicorn
from loopback import free_port

from tightrope.infra.settings import Settings
from tightrope.sandbox.api import create_app


@asynccontextmanager
async def served(app: object, port: int) -> AsyncIterator[None]:
    """An ASGI application on 127.0.0.1 for the time of the block."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="on"))  # type: ignore[arg-type]
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined,method-assign]
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            task.result()
            raise RuntimeError("the server ended before it started")
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def running_sandbox(database: Settings) -> AsyncIterator[Settings]:
    """The sandbox; yields settings that lead to it."""
    port = free_port()
    settings = database.model_copy(
        update={
            "identity_issuer": f"http://localhost:{port}/identity",
            "identity_internal_url": f"http://127.0.0.1:{port}/identity",
            "brokerage_url": f"http://127.0.0.1:{port}/brokerage",
            "portal_public_url": f"http://localhost:{port}",
            "portal_internal_url": f"http://127.0.0.1:{port}",
        }
    )
    async with served(create_app(settings), port):
        yield settings


class Person:
    """Somebody with a browser of their own; cookies go to every port of localhost, as in a real one."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.portal = settings.portal_public_url
        self.http = httpx.AsyncClient(timeout=10)

    async def open_portal(self) -> None:
        """Get the browser cookie."""
        assert (await self.http.get(f"{self.portal}/")).status_code == 200

    @property
    def browser_cookie(self) -> str:
        return self.http.cookies["tr_browser"]

    async def pass_login_page(self, url: str, customer: str) -> dict[str, str]:
        """Log in at the provider: the query that the client's callback gets."""
        answer = await self.http.get(url)
        if answer.status_code == 200:
            form = {
                "page": re.search(r'name="page" value="([^"]+)"', answer.text)[1],  # type: ignore[index]
                "code": re.search(r'data-one-time-code="(\d{6})"', answer.text)[1],  # type: ignore[index]
                "customer": customer,
                "do": "login",
            }
            answer = await self.http.post(f"{self.settings.identity_issuer}/login", data=form)
        assert answer.status_code == 303, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    async def log_in_at_portal(self, customer: str) -> None:
        start = await self.http.get(f"{self.portal}/portal/login", params={"customer": customer})
        query = await self.pass_login_page(start.headers["location"], customer)
        assert (await self.http.get(f"{self.portal}/portal/callback", params=query)).headers["location"] == f"{self.portal}/"

    async def log_out_at_portal(self) -> None:
        answer = await self.http.post(f"{self.portal}/portal/logout", json={}, headers={"Origin": self.portal})
        assert answer.json() == {"logged_out": True}

    async def chat_token(self) -> str:
        """What the page hands to Chatwoot as `gw_session`."""
        answer = await self.http.post(f"{self.portal}/portal/chat-token", json={}, headers={"Origin": self.portal})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])
