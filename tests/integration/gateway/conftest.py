"""A gateway over a real Postgres, with an assistant and a Chatwoot that are functions."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest_asyncio

from tightrope.audit.keyring import Keyring
from tightrope.audit.recorder import Recorder
from tightrope.audit.sealer import run_sealer
from tightrope.gateway.api import create_app
from tightrope.gateway.assistant import Assistant
from tightrope.gateway.chatwoot import Chatwoot
from tightrope.gateway.drain import Drain
from tightrope.gateway.release_watch import ReleaseWatch
from tightrope.gateway.sender import Sender
from tightrope.gateway.signature import sign
from tightrope.gateway.turns import Turns
from tightrope.identity.grants import Grants
from tightrope.identity.portal import PortalDoor
from tightrope.infra.clock import FixedClock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import Settings
from tightrope.release.manifest import release_id

Json = dict[str, Any]


class FakeAssistant:
    """Rasa's REST channel and tracker as a function; what it was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[Json] = []
        self.reply: Callable[[Json], list[Json]] = lambda body: [{"text": f"answer to {body['message']}"}]
        self.made: dict[str, list[Json]] = {}
        self.making: Any = None
        self.fail_after_making = 0
        self.fail_looking = 0
        self.down = False

    def handle(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            return httpx.Response(503)
        if request.url.path == "/webhooks/rest/webhook":
            body = json.loads(request.content)
            self.asked.append(body)
            items = self.reply(body)
            events: list[Json] = [
                {"event": "user", "text": body["message"], "metadata": body["metadata"], "parse_data": {"commands": []}}
            ]
            for item in items:
                events.append(
                    {
                        "event": "bot",
                        "text": item.get("text"),
                        "data": {"buttons": item.get("buttons"), "custom": item.get("custom")},
                    }
                )
            self.made[body["metadata"]["turn_id"]] = events
            if self.fail_after_making:
                self.fail_after_making -= 1
                return httpx.Response(500)
            return httpx.Response(200, json=items)
        if self.fail_looking:
            self.fail_looking -= 1
            return httpx.Response(503)
        turn_id = request.url.params["turn_id"]
        making = {"turn": self.making} if self.making is not None and turn_id in self.made else {}
        return httpx.Response(200, json={"events": self.made.get(turn_id, []), **making})


class FakeChatwoot:
    """The part of Chatwoot's API that the outbox uses."""

    def __init__(self) -> None:
        self.messages: list[Json] = []
        self.calls: list[tuple[str, Json]] = []
        self.status = "pending"
        self.assignee: str | None = "AgentBot"
        self.fail: list[int] = []
        self.lose_answers = 0

    def handle(self, request: httpx.Request) -> httpx.Response:
        path, body = request.url.path.rsplit("/", 1)[-1], json.loads(request.content or b"{}")
        if self.fail and request.method == "POST":
            return httpx.Response(self.fail.pop(0))
        if path == "messages" and request.method == "POST":
            self.messages.append({"id": 9000 + len(self.messages), **body})
            if self.lose_answers:
                self.lose_answers -= 1
                raise httpx.ReadTimeout("lost", request=request)
            return httpx.Response(200, json=self.messages[-1])
        if path == "messages":
            return httpx.Response(200, json={"payload": self.messages})
        if path == "toggle_status":
            self.status = body["status"]
            self.calls.append((path, body))
            return httpx.Response(200, json={"payload": {"success": None, "current_status": self.status}})
        if request.method == "POST":
            self.calls.append((path, body))
            return httpx.Response(200, json={"payload": []})
        return httpx.Response(200, json={"status": self.status, "meta": {"assignee_type": self.assignee}, "payload": []})


class Gateway:
    """Intake, turn loop and sender, driven by hand."""

    def __init__(self, settings: Settings, clock: FixedClock) -> None:
        self.settings = settings
        self.clock = clock
        self.assistant = FakeAssistant()
        self.chatwoot = FakeChatwoot()
        self.watch = ReleaseWatch(settings, transport=httpx.MockTransport(lambda _: httpx.Response(404)))
        self.account = uuid.uuid4().int % 1_000_000_000
        self.display = 7
        self.next_id = uuid.uuid4().int % 1_000_000_000

    @property
    def conversation(self) -> str:
        return f"{self.account}-{self.display}"

    def message(self, content: str | None, **changed: Any) -> Json:
        self.next_id += 1
        return {
            "event": "message_created", "id": self.next_id, "content": content, "content_type": "text", "content_attributes": {},
            "message_type": "incoming", "private": False, "source_id": None, "created_at": "2026-11-20T02:31:00Z",
            "account": {"id": self.account}, "sender": {"id": 812, "name": "Ana"},
            "conversation": {
                "id": self.display, "inbox_id": 1, "status": self.chatwoot.status, "custom_attributes": {},
                "contact_inbox": {"contact_id": 812, "source_id": "s-1", "pubsub_token": "SECRET"},
                "meta": {"sender": {"id": 812}, "assignee_type": self.chatwoot.assignee},
            },
        } | changed  # fmt: skip

    def status_event(self, status: str, *, assignee: str | None = None, at: float | None = None) -> Json:
        conversation = self.message("")["conversation"] | {"status": status}
        conversation["meta"] = {"assignee_type": assignee}
        self.chatwoot.status = status
        self.next_id += 1
        return conversation | {
            "event": "conversation_status_changed", "account": {"id": self.account}, "updated_at": at or float(self.next_id),
            "changed_attributes": [{"status": {"current_value": status}}],
        }  # fmt: skip

    async def deliver(self, payload: Json | bytes, *, secret: str | None = None, stamp: str | None = None) -> httpx.Response:
        """Post a signed webhook."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        stamp = stamp or str(int(self.clock.now().timestamp()))
        signature = sign(secret or self.settings.secret("bot_webhook_secret").get_secret_value(), stamp, body)
        return await self.http.post(
            "/chatwoot/webhook", content=body, headers={"X-Chatwoot-Signature": signature, "X-Chatwoot-Timestamp": stamp}
        )

    async def run(self) -> None:
        """Drain the conversation and send what is ready, until nothing moves."""
        await self.drain.conversation(self.conversation)
        for _ in range(200):
            rows = await self.rows(
                "SELECT 1 FROM gateway.outbox WHERE conversation_id = %s AND state IN ('pending', 'sending')", self.conversation
            )
            if not rows:
                return
            await self.sender.step()
            await asyncio.gather(*self.sender._running)
            await asyncio.sleep(0.01)
        raise AssertionError("the outbox does not empty")

    async def say(self, content: str | None, **changed: Any) -> Json:
        """A customer's message, all the way."""
        payload = self.message(content, **changed)
        assert (await self.deliver(payload)).status_code == 200
        await self.run()
        return payload

    async def press(self, message: Json, item: Json) -> None:
        """Press a button of a message that was sent, and let everything run."""
        payload = self.message(
            "",
            event="message_updated",
            id=message["id"],
            message_type="outgoing",
            source_id=message["source_id"],
            content_attributes={"submitted_values": [item]},
        )
        await self.deliver(payload)
        await self.run()

    async def rows(self, query: str, *args: Any) -> list[Json]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute(query, args)
            return await cursor.fetchall()

    async def events(self) -> list[str]:
        """The recorded events of this conversation, oldest first."""
        from tightrope.audit import reading

        view = await reading.show_conversation(self.settings, self.conversation, reader="test")
        return [entry.event for entry in view.entries]

    def texts(self) -> list[str]:
        """What the customer has been sent, notes left out."""
        return [m["content"] for m in self.chatwoot.messages if not m["private"]]


@pytest_asyncio.fixture
async def gateway(database: Settings, clock: FixedClock) -> AsyncIterator[Gateway]:
    made = Gateway(database, clock)
    stop = asyncio.Event()
    recorder = Recorder(database, Keyring.from_settings(database), clock, release_id(database))
    app = create_app(database, clock=clock)
    sealing = asyncio.create_task(run_sealer(database, stop))
    async with open_pool(database, Role.WORKER, max_size=6) as pool, app.router.lifespan_context(app):
        made.pool = pool
        assistant = Assistant(database, transport=httpx.MockTransport(made.assistant.handle))
        turns = Turns(database, pool, clock, recorder, assistant, Grants(clock), made.watch)
        door = PortalDoor.open(database, clock, transport=httpx.MockTransport(lambda _: httpx.Response(404)))
        made.drain = Drain(database, pool, clock, recorder, turns, door)
        made.turns = turns
        chatwoot = Chatwoot(database, transport=httpx.MockTransport(made.chatwoot.handle))
        made.sender = Sender(pool, chatwoot, recorder, made.watch)
        made.recorder = recorder
        made.app = app
        made.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")
        yield made
        await made.http.aclose()
    stop.set()
    await asyncio.wait_for(sealing, 10)
