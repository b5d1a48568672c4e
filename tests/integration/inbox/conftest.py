"""A running stand-in inbox over the real database: the app in this process, a recorded bot, a customer's browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
import uvicorn

from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import Settings
from tightrope.sandbox.inbox.api import create_app
from tightrope.sandbox.inbox.models import WEBSITE_TOKEN

BOT_URL = "http://127.0.0.1:1/chatwoot/webhook"
Answer = Callable[[httpx.Request], httpx.Response]


class RecordedBot:
    """Stands where the gateway stands: keeps every webhook, answers as told."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Answer = lambda _: httpx.Response(200)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)

    def events(self, conversation: int | None = None) -> list[dict[str, Any]]:
        bodies = [orjson.loads(request.content) for request in self.requests]
        return [one for one in bodies if conversation is None or self._number(one) == conversation]

    @staticmethod
    def _number(body: dict[str, Any]) -> int | None:
        return body["conversation"]["id"] if "conversation" in body else body.get("id")

    def named(self, name: str, conversation: int | None = None) -> list[dict[str, Any]]:
        return [one for one in self.events(conversation) if one["event"] == name]


class Customer:
    """A browser session of the widget."""

    def __init__(self, http: httpx.AsyncClient, config: dict[str, Any]) -> None:
        self._http = http
        self.token: str = config["website_channel_config"]["auth_token"]
        self.pubsub_token: str = config["contact"]["pubsub_token"]

    async def call(self, method: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
        return await self._http.request(
            method,
            f"/api/v1/widget/{path}",
            params={"website_token": WEBSITE_TOKEN, **params},
            headers={"X-Auth-Token": self.token},
            json=body,
        )

    async def begin(self, text: str = "你好", **extra: Any) -> dict[str, Any]:
        response = await self.call(
            "POST", "conversations", {"message": {"content": text, "referer_url": "http://localhost/"}, **extra}
        )
        assert response.status_code == 200, response.text
        return response.json()

    async def say(self, text: str) -> dict[str, Any]:
        response = await self.call("POST", "messages", {"message": {"content": text}})
        assert response.status_code == 200, response.text
        return response.json()


class Running:
    """The app with its clients."""

    def __init__(self, app: Any, http: httpx.AsyncClient, settings: Settings, bot: RecordedBot, clock: FixedClock) -> None:
        self.app = app
        self.http = http
        self.settings = settings
        self.bot = bot
        self.clock = clock
        self.admin = {"api_access_token": settings.secret("inbox_admin_token").get_secret_value()}
        self.bot_record: dict[str, Any] = {}

    @property
    def as_bot(self) -> dict[str, str]:
        return {"api_access_token": self.bot_record["access_token"]}

    def as_agent(self, n: int = 1) -> dict[str, str]:
        return {"api_access_token": self.app.state.parts.directory.agents[n + 1].access_token}

    async def customer(self) -> Customer:
        response = await self.http.post("/api/v1/widget/config", params={"website_token": WEBSITE_TOKEN})
        return Customer(self.http, response.json())

    async def api(self, method: str, path: str, headers: dict[str, str], body: Any = None, **params: Any) -> httpx.Response:
        return await self.http.request(method, f"/api/v1/accounts/1/{path}", headers=headers, json=body, params=params)

    async def drained(self) -> None:
        await asyncio.wait_for(self.app.state.parts.courier.drained(), 10)

    async def connect_bot(self, url: str = BOT_URL) -> None:
        made = await self.api("POST", "agent_bots", self.admin, {"name": "Assistant", "outgoing_url": url})
        self.bot_record = made.json()
        assert (
            await self.api("POST", "inboxes/1/set_agent_bot", self.admin, {"agent_bot": self.bot_record["id"]})
        ).status_code == 200

    async def disconnect_bot(self) -> None:
        await self.api("POST", "inboxes/1/set_agent_bot", self.admin, {"agent_bot": None})


@asynccontextmanager
async def run_inbox(database: Settings, clock: FixedClock, **options: Any) -> AsyncIterator[Running]:
    bot = RecordedBot()
    app = create_app(database, clock=clock, transport=httpx.MockTransport(bot), retry_seconds=0.05, **options)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:3000") as http,
    ):
        running = Running(app, http, database, bot, clock)
        await running.connect_bot()
        yield running
        await running.disconnect_bot()


@pytest_asyncio.fixture
async def inbox(database: Settings, clock: FixedClock) -> AsyncIterator[Running]:
    """The stand-in with a connected bot that answers 200."""
    async with run_inbox(database, clock) as running:
        yield running


@pytest.fixture
def run_again(database: Settings, clock: FixedClock) -> Callable[..., Any]:
    """Starts another stand-in over the same database: `async with run_again(faults=...) as inbox`."""
    return lambda **options: run_inbox(database, clock, **options)


@pytest_asyncio.fixture
async def live(inbox: Any) -> AsyncIterator[str]:
    """The running app behind a real server; gives host and port."""
    config = uvicorn.Config(inbox.app, host="127.0.0.1", port=0, lifespan="off", log_level="warning", ws="websockets-sansio")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for it
        await asyncio.sleep(0.01)
    yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving
