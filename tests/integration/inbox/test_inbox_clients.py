"""The stand-in under independent clients: Chatwoot's own SDK, a websocket client, and over a real server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
import websockets
from chatwoot import AsyncChatwootClient
from chatwoot.exceptions import ChatwootAPIError, ChatwootAuthError, ChatwootNotFoundError
from pydantic import ValidationError

pytestmark = pytest.mark.integration


def sdk(inbox: Any, token: str) -> AsyncChatwootClient:
    client = AsyncChatwootClient(base_url="http://localhost:3000", api_token=token)
    transport = httpx.ASGITransport(inbox.app)
    client._http._client = httpx.AsyncClient(
        transport=transport, base_url="http://localhost:3000", headers=dict(client._http._client.headers)
    )
    return client


async def test_official_client_reads_and_writes_as_a_person(inbox: Any) -> None:
    customer = await inbox.customer()
    number = (await customer.begin("sdk question"))["id"]
    person = sdk(inbox, inbox.as_agent()["api_access_token"])
    profile = await person.profile.get()
    assert (profile.name, profile.role.value, profile.account_id) == ("Agent 1 坐席一", "agent", 1)
    listed = await person.conversations.list(account_id=1, status="pending")
    assert number in [one.id for one in listed]
    shown = await person.conversations.get(account_id=1, conversation_id=number)
    assert (shown.status.value, shown.unread_count) == ("pending", 1)
    assert shown.meta is not None
    assert shown.meta.assignee is not None
    made = await person.messages.create(account_id=1, conversation_id=number, content="from the sdk")
    assert made.sender is not None
    assert (made.message_type, made.sender.type) == (1, "user")
    assert [one.content for one in await person.messages.list(account_id=1, conversation_id=number)] == [
        "sdk question",
        "from the sdk",
    ]
    assert await person.conversations.labels.add(account_id=1, conversation_id=number, labels=["x"]) == ["x"]
    assert await person.conversations.labels.list(account_id=1, conversation_id=number) == ["x"]
    toggled = await person.conversations.toggle_status(account_id=1, conversation_id=number, status="resolved")
    assert toggled.current_status.value == "resolved"


async def test_official_client_reads_contacts_and_inboxes(inbox: Any) -> None:
    customer = await inbox.customer()
    named = (await customer.call("PATCH", "contact/set_user", {"identifier": "sdk-id", "name": "Sdk Person"})).json()
    number = (await customer.begin())["id"]
    person = sdk(inbox, inbox.as_agent()["api_access_token"])
    assert [one.id for one in await person.contacts.search(account_id=1, query="sdk-id")] == [named["id"]]
    assert len(await person.contacts.list(account_id=1)) > 0
    contact = await person.contacts.get(account_id=1, contact_id=named["id"])
    assert (contact.name, contact.identifier, len(contact.contact_inboxes)) == ("Sdk Person", "sdk-id", 1)
    assert [one.id for one in await person.contacts.conversations(account_id=1, contact_id=named["id"])] == [number]
    (inbox_,) = await person.inboxes.list(account_id=1)
    assert inbox_.channel_type == "Channel::WebWidget"
    assert (await person.inboxes.get(account_id=1, inbox_id=1)).id == 1
    assert len(await person.agents.list(account_id=1)) == 4
    with pytest.raises(ChatwootNotFoundError):
        await person.contacts.get(account_id=1, contact_id=99999999)
    with pytest.raises(ChatwootAPIError):
        await person.contacts.search(account_id=1, query="")


async def test_official_client_as_a_bot_meets_the_known_exceptions(inbox: Any) -> None:
    number = (await (await inbox.customer()).begin())["id"]
    bot = sdk(inbox, inbox.as_bot["api_access_token"])
    assert (await bot.messages.create(account_id=1, conversation_id=number, content="hi")).source_id is None
    with pytest.raises(ChatwootAuthError):
        await bot.messages.list(account_id=1, conversation_id=number)
    with pytest.raises(ValidationError):
        await bot.conversations.toggle_status(account_id=1, conversation_id=number, status="open")
    shown = await bot.conversations.get(account_id=1, conversation_id=number)
    assert shown.status.value == "open"


class Listening:
    def __init__(self, socket: Any) -> None:
        self.socket = socket

    async def frame(self, want: str) -> dict[str, Any]:
        """The next frame of this type, or with this event."""
        while True:
            found = json.loads(await asyncio.wait_for(self.socket.recv(), 5))
            if found.get("type") == want or (isinstance(found.get("message"), dict) and found["message"]["event"] == want):
                return found

    async def subscribe(self, **fields: Any) -> dict[str, Any]:
        identifier = json.dumps({"channel": "RoomChannel", **fields})
        await self.socket.send(json.dumps({"command": "subscribe", "identifier": identifier}))
        while True:
            found = json.loads(await asyncio.wait_for(self.socket.recv(), 5))
            if found.get("type", "").endswith("_subscription"):
                assert found["identifier"] == identifier
                return found


def connect(live: str) -> Any:
    return websockets.connect(f"ws://{live}/cable", subprotocols=[websockets.Subprotocol("actioncable-v1-json")], proxy=None)


async def test_customer_hears_replies_status_and_typing_but_no_notes(inbox: Any, live: str) -> None:
    customer = await inbox.customer()
    number = (await customer.begin())["id"]
    path = f"conversations/{number}"
    async with connect(live) as socket:
        assert socket.subprotocol == "actioncable-v1-json"
        ear = Listening(socket)
        await ear.frame("welcome")
        assert (await ear.subscribe(pubsub_token=customer.pubsub_token))["type"] == "confirm_subscription"
        await inbox.api("POST", f"{path}/toggle_typing_status", inbox.as_bot, {"typing_status": "on"})
        assert (await ear.frame("conversation.typing_on"))["message"]["data"]["user"]["type"] == "agent_bot"
        await inbox.api("POST", f"{path}/toggle_typing_status", inbox.as_bot, {"status": "on"})
        await inbox.api("POST", f"{path}/messages", inbox.as_bot, {"content": "note", "private": True})
        await inbox.api("POST", f"{path}/messages", inbox.as_bot, {"content": "answer"})
        data = (await ear.frame("message.created"))["message"]["data"]
        assert (data["content"], data["message_type"], data["conversation_id"], data["account_id"]) == ("answer", 1, number, 1)
        assert data["performer"]["type"] == "agent_bot"
        await inbox.api("POST", f"{path}/toggle_status", inbox.as_bot, {"status": "open"})
        assert (await ear.frame("conversation.status_changed"))["message"]["data"]["status"] == "open"
        pressed = await customer.call("PATCH", f"messages/{data['id']}", {"submitted_values": [{"value": "v"}]})
        assert pressed.status_code == 200
        changed = (await ear.frame("message.updated"))["message"]["data"]
        assert "content_attributes" in changed["previous_changes"]


async def test_agent_hears_the_customer_notes_and_new_conversations(inbox: Any, live: str) -> None:
    agent = inbox.app.state.parts.directory.agents[2]
    async with connect(live) as socket:
        ear = Listening(socket)
        assert (await ear.subscribe(pubsub_token=agent.pubsub_token, user_id=2, account_id=1))["type"] == "confirm_subscription"
        customer = await inbox.customer()
        number = (await customer.begin())["id"]
        assert (await ear.frame("conversation.created"))["message"]["data"]["id"] == number
        assert (await ear.frame("message.created"))["message"]["data"]["message_type"] == 0
        await customer.call("POST", "conversations/toggle_typing", {"typing_status": "on"})
        assert (await ear.frame("conversation.typing_on"))["message"]["data"]["user"]["type"] == "contact"
        await inbox.api("POST", f"conversations/{number}/messages", inbox.as_bot, {"content": "note", "private": True})
        assert (await ear.frame("message.created"))["message"]["data"]["private"] is True
        await inbox.api("POST", f"conversations/{number}/assignments", inbox.as_agent(), {"assignee_id": 2})
        assert (await ear.frame("assignee.changed"))["message"]["data"]["meta"]["assignee"]["id"] == 2
        await customer.call("POST", "conversations/update_last_seen")
        assert (await ear.frame("conversation.read"))["message"]["data"]["contact_last_seen_at"] > 0


async def test_websocket_pings_and_refuses_what_it_does_not_know(inbox: Any, live: str) -> None:
    inbox.app.state.cable._ping_seconds = 0.05
    customer = await inbox.customer()
    async with connect(live) as socket:
        ear = Listening(socket)
        assert (await ear.frame("ping"))["message"] == int(inbox.clock.now().timestamp())
        assert (await ear.subscribe(pubsub_token="guess"))["type"] == "reject_subscription"
        assert (await ear.subscribe(pubsub_token=customer.pubsub_token, user_id=2))["type"] == "reject_subscription"
        assert (await ear.subscribe(nothing=1))["type"] == "reject_subscription"
        await socket.send("not json")
        await socket.send('{"identifier": "[]"}')
        assert (await ear.frame("reject_subscription"))["identifier"] == "[]"
        assert (await ear.subscribe(pubsub_token=customer.pubsub_token))["type"] == "confirm_subscription"
        identifier = json.dumps({"channel": "RoomChannel", "pubsub_token": customer.pubsub_token})
        await socket.send(json.dumps({"command": "unsubscribe", "identifier": identifier}))
        await ear.frame("ping")
        await ear.frame("ping")
        await customer.begin()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ear.frame("message.created"), 0.3)


async def test_health_page_and_pages_of_the_inbox(inbox: Any) -> None:
    health = (await inbox.http.get("/health")).json()
    assert (health["status"], health["part"]) == ("ok", "inbox")
    for path in ("/widget", "/desk", "/packs/js/sdk.js", "/assets/widget.js", "/assets/desk.css"):
        page = await inbox.http.get(path)
        assert page.status_code == 200, path
        assert "'unsafe" not in page.headers["content-security-policy"]
        again = await inbox.http.get(path, headers={"If-None-Match": page.headers["etag"]})
        assert again.status_code == 304
    assert (
        "frame-ancestors 'self' http://127.0.0.1:8100 http://localhost:8100"
        in (await inbox.http.get("/widget")).headers["content-security-policy"]
    )
    assert "frame-ancestors 'none'" in (await inbox.http.get("/desk")).headers["content-security-policy"]
    for missing in ("/assets/none.js", "/assets/..%2Fapi.py", "/rails/active_storage/blobs/redirect/x/y"):
        assert (await inbox.http.get(missing)).status_code == 404


async def test_desk_session_works_only_from_the_desks_own_page(inbox: Any) -> None:
    agents = (await inbox.http.get("/desk/agents")).json()
    assert [one["name"] for one in agents] == ["Agent 1 坐席一", "Agent 2 坐席二", "Agent 3 坐席三"]
    own = {"X-Desk": "1"}
    assert (await inbox.http.get("/desk/session", headers=own)).json() is None
    assert (await inbox.http.post("/desk/session", json={"agent_id": 1})).status_code == 422
    logged = await inbox.http.post("/desk/session", json={"agent_id": 3})
    cookie = logged.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    session = (await inbox.http.get("/desk/session", headers=own)).json()
    assert (session["name"], session["bot_id"]) == ("Agent 2 坐席二", inbox.bot_record["id"])
    assert "access_token" not in session
    assert (await inbox.http.get("/api/v1/accounts/1/conversations", headers=own)).status_code == 200
    assert (await inbox.http.get("/api/v1/accounts/1/conversations")).status_code == 401
    await inbox.http.delete("/desk/session")
    assert (await inbox.http.get("/desk/session", headers=own)).json() is None


async def test_production_refuses_the_stand_in(database: Any, tmp_path: Any) -> None:
    from tightrope.infra.settings import Settings
    from tightrope.sandbox.inbox.api import create_app

    production = Settings.model_construct(**{**database.model_dump(), "mode": "production"})
    with pytest.raises(SystemExit, match="does not run in production"):
        create_app(production)


async def test_seeding_twice_keeps_what_is_there(inbox: Any) -> None:
    from tightrope.sandbox.inbox.seed import seed

    before = inbox.as_agent()
    await seed(inbox.settings)
    await inbox.app.state.parts.directory.load()
    assert inbox.as_agent() == before
