"""An assistant server of the shop project over ASGI, with real Postgres and scripted neighbours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx

from tightrope.engine.api import AssistantApp, create_app
from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import Settings

SORRY = "抱歉，系统出了点问题，刚才的操作没有完成。请稍后再试。"
PRICE = {"response": "utter_price", "price": "12.50", "text": None, "buttons": [], "custom": {}}
SHOP = Path(__file__).parents[2] / "golden" / "engine" / "shop"


def answering(**body: Any) -> httpx.Response:
    """An action server's answer."""
    return httpx.Response(200, json={"events": [], "responses": [], **body})


class Neighbours:
    """Understanding that follows a script, and an action server in a few lines."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}
        self.prompts: list[dict[str, Any]] = []
        self.calls: list[dict[str, Any]] = []
        self.has_domain = False
        self.understanding_answer: Callable[[httpx.Request], httpx.Response] | None = None
        self.action_answer: Callable[[httpx.Request], httpx.Response] | None = None

    async def understand(self, request: httpx.Request) -> httpx.Response:
        if self.understanding_answer:
            return self.understanding_answer(request)
        prompt = json.loads(json.loads(request.content)["messages"][-1]["content"])
        self.prompts.append(prompt)
        content = self.lines.get(prompt["message"], "")
        return httpx.Response(
            200, json={"choices": [{"message": {"content": content}}], "tightrope": {"source": "rule", "rule": "test"}}
        )

    async def act(self, request: httpx.Request) -> httpx.Response:
        if self.action_answer:
            return self.action_answer(request)
        body = json.loads(request.content)
        if "domain" not in body and not self.has_domain:
            return httpx.Response(449, json={"error": "no domain", "action_name": body["next_action"]})
        self.has_domain = True
        self.calls.append(body)
        name = body["next_action"]
        events: list[dict[str, Any]] = []
        responses: list[dict[str, Any]] = []
        if name == "action_price":
            responses.append({"response": "utter_price", "price": "12.50", "text": None, "buttons": [], "custom": {}})
            responses.append({"text": None, "custom": {"envelope": {"v": 1, "kind": "journey"}}})
        elif name == "action_private":
            done = body["tracker"]["slots"]["login_state"] == "done"
            events.append({"event": "slot", "name": "verdict", "value": "ok" if done else "login", "timestamp": None})
        elif name == "action_ask_login_state":
            responses.append({"response": "utter_ask_login"})
        return httpx.Response(200, json={"events": events, "responses": responses})


class Server:
    """What a test talks to."""

    def __init__(
        self, client: httpx.AsyncClient, neighbours: Neighbours, clock: FixedClock, token: str, app: AssistantApp
    ) -> None:
        self.client = client
        self.app = app
        self.neighbours = neighbours
        self.clock = clock
        self.token = token

    async def post(self, text: str, sender: str = "cw-1-1-e0", **metadata: Any) -> httpx.Response:
        """A message, whatever becomes of it."""
        body = {"sender": sender, "message": text, "metadata": metadata}
        return await self.client.post("/webhooks/rest/webhook", json=body)

    async def say(self, text: str, sender: str = "cw-1-1-e0", **metadata: Any) -> list[dict[str, Any]]:
        answer = await self.post(text, sender, **metadata)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    async def tracker(self, sender: str = "cw-1-1-e0", **params: str) -> dict[str, Any]:
        answer = await self.client.get(f"/conversations/{sender}/tracker", params={"token": self.token, **params})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@asynccontextmanager
async def serving(
    settings: Settings,
    clock: FixedClock,
    neighbours: Neighbours,
    project: Path = SHOP,
    *,
    actions_transport: Literal["scripted", "real"] = "scripted",
    patient: bool = False,
) -> AsyncIterator[Server]:
    """A server whose neighbours are scripted; `real` actions are reached over the network. Dead neighbours are given up soon unless `patient`."""
    app = create_app(
        settings if patient else settings.model_copy(update={"neighbour_patience_seconds": 0.5}),
        project,
        clock=clock,
        understanding_transport=httpx.MockTransport(neighbours.understand),
        actions_transport=httpx.MockTransport(neighbours.act) if actions_transport == "scripted" else None,
    )
    token = settings.secret("assistant_token").get_secret_value()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://assistant") as client,
    ):
        yield Server(client, neighbours, clock, token, app)
