"""The real action server as a process, over the sandbox's provider and brokerage and the knowledge server, on a real Postgres."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from identity_world import World
from loopback import free_port
from sandbox_world import Person, running_sandbox, served

from tightrope.cli.demo import as_environment
from tightrope.identity.bindings import Bindings
from tightrope.identity.grants import Grants
from tightrope.identity.models import Place
from tightrope.identity.portal import CustomerBound, PortalDoor
from tightrope.infra.clock import SystemClock
from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.knowledge.publish import publish
from tightrope.knowledge.publishing.record import Unrecorded
from tightrope.knowledge.server.api import create_app as knowledge_app


@dataclass
class Result:
    """What an action answered over HTTP."""

    status: int
    body: dict[str, Any]

    @property
    def slots(self) -> dict[str, Any]:
        return {event["name"]: event["value"] for event in self.body["events"]}

    def said(self, response: str) -> dict[str, Any]:
        return next(item for item in self.body["responses"] if item["response"] == response)

    @property
    def names(self) -> list[str]:
        return [item["response"] for item in self.body["responses"] if item["response"]]

    def envelope(self, kind: str) -> dict[str, Any]:
        return next(
            item["custom"]["envelope"]
            for item in self.body["responses"]
            if item["custom"].get("envelope", {}).get("kind") == kind
        )


@dataclass
class Server:
    """The action server and everything around it."""

    settings: Settings
    http: httpx.AsyncClient
    door: PortalDoor
    bindings: Bindings
    grants: Grants
    worker: Pool
    people: list[Person] = field(default_factory=list)

    async def bound(self, customer: str) -> Place:
        """A conversation in which this customer is verified through the portal."""
        person = Person(self.settings)
        self.people.append(person)
        await person.open_portal()
        await person.log_in_at_portal(customer)
        place = World.place()
        checked = await self.door.check(await person.chat_token())
        async with self.worker.connection() as connection:
            assert isinstance(await self.door.consume(connection, place, checked), CustomerBound)
        return place

    async def turn(self, place: Place) -> str:
        """A turn with its grant, as the worker opens one."""
        turn_id = secrets.token_urlsafe(32)
        async with self.worker.connection() as connection:
            standing = await self.bindings.current(connection, place)
            await self.grants.open(connection, turn_id, place.conversation_id, standing.binding)
        return turn_id

    async def close(self, turn_id: str) -> None:
        async with self.worker.connection() as connection:
            await self.grants.close(connection, turn_id)

    async def log_in(self, customer: str) -> str:
        return await self.turn(await self.bound(customer))

    async def run(
        self,
        action: str,
        flow: str | None = "check_balance",
        *,
        turn_id: str | None = None,
        text: str = "",
        language: str = "zh",
        sender: str = "cw-1-1-e0",
        metadata: dict[str, Any] | None = None,
        **slots: Any,
    ) -> Result:
        """Post as the assistant does (and as an attacker could)."""
        stack = [{"frame_id": "F", "flow_id": flow, "step_id": "begin", "frame_type": "regular", "type": "flow"}] if flow else []
        body = {
            "next_action": action,
            "sender_id": sender,
            "version": "3.21.0",
            "tracker": {
                "sender_id": sender,
                "slots": {"language": language, **slots},
                "latest_message": {"text": text, "metadata": {"turn_id": turn_id, "language": language, **(metadata or {})}},
                "events": [],
                "stack": stack,
            },
            "domain": {},
        }
        answer = await self.http.post("/webhook", json=body)
        return Result(answer.status_code, answer.json())

    async def fault(self, customer: str, operation: str, fault: str) -> None:
        token = self.settings.secret("sandbox_admin_token").get_secret_value()
        async with httpx.AsyncClient(base_url=self.settings.brokerage_url) as client:
            order = {"customer": customer, "operation": operation, "fault": fault}
            answer = await client.post(
                f"{self.settings.brokerage_url}/_sandbox/faults", json=order, headers={"Authorization": f"Bearer {token}"}
            )
            assert answer.status_code == 201, answer.text


def start(settings: Settings, port: int) -> subprocess.Popen[bytes]:
    """`python -m actions` with these settings."""
    command = [sys.executable, "-m", "actions", "--port", str(port)]
    return subprocess.Popen(command, cwd=REPOSITORY, env=os.environ | as_environment(settings))


async def ready(client: httpx.AsyncClient, process: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        if process.poll() is not None:
            raise RuntimeError(f"the action server ended with {process.returncode}")
        try:
            if (await client.get("/health")).status_code == 200:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.05)
    raise TimeoutError("the action server did not come up within 20 s")


@pytest.fixture(scope="module")
async def server(database: Settings) -> AsyncIterator[Server]:
    async with AsyncExitStack() as stack:
        settings = await stack.enter_async_context(running_sandbox(database))
        actions, knowledge = free_port(), free_port()
        settings = settings.model_copy(
            update={"actions_url": f"http://127.0.0.1:{actions}/webhook", "knowledge_url": f"http://127.0.0.1:{knowledge}"}
        )
        await stack.enter_async_context(served(knowledge_app(settings), knowledge))
        await publish(settings, witness=Unrecorded())
        process = start(settings, actions)
        stack.callback(process.wait, 10)
        stack.callback(process.terminate)
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{actions}", timeout=15))
        await ready(http, process)
        clock = SystemClock()
        door = PortalDoor.open(settings, clock)
        stack.push_async_callback(door.aclose)
        worker = await stack.enter_async_context(open_pool(settings, Role.WORKER, max_size=2))
        made = Server(settings, http, door, Bindings.from_settings(settings, clock), Grants(clock), worker)
        yield made
        for person in made.people:
            await person.http.aclose()
