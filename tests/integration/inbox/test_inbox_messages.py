"""Messages in and out over the REST API, with the webhooks they cause."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import orjson
import pytest

pytestmark = pytest.mark.integration


async def test_first_message_makes_a_pending_conversation_held_by_the_bot(inbox: Any) -> None:
    customer = await inbox.customer()
    begun = await customer.begin("我的余额是多少？", custom_attributes={"gw_session": "token"})
    assert begun["status"] == "pending"
    await inbox.drained()
    (event,) = inbox.bot.named("message_created", begun["id"])
    assert event["message_type"] == "incoming"
    assert event["content"] == "我的余额是多少？"
    assert event["conversation"]["status"] == "pending"
    assert event["conversation"]["custom_attributes"] == {"gw_session": "token"}
    assert event["conversation"]["meta"]["assignee_type"] == "AgentBot"
    assert event["conversation"]["meta"]["assignee"]["id"] == inbox.bot_record["id"]


async def test_message_webhook_has_the_types_and_secrets_of_the_real_one(inbox: Any) -> None:
    customer = await inbox.customer()
    begun = await customer.begin()
    await inbox.drained()
    (event,) = inbox.bot.named("message_created", begun["id"])
    nested = event["conversation"]["messages"][0]
    assert (event["message_type"], nested["message_type"]) == ("incoming", 0)
    assert event["created_at"] == "2026-11-20T02:31:00.000Z"
    assert nested["created_at"] == 1795141860
    assert isinstance(event["conversation"]["updated_at"], float)
    assert event["conversation"]["first_reply_created_at"] is None
    assert event["conversation"]["contact_inbox"]["pubsub_token"] == customer.pubsub_token
    assert event["conversation"]["contact_inbox"]["source_id"] == nested["conversation"]["contact_inbox"]["source_id"]
    assert "type" not in event["sender"]
    assert event["conversation"]["meta"]["sender"]["type"] == "contact"
    assert "attachments" not in event
    assert "uuid" not in event["conversation"]


async def test_webhook_is_signed_over_timestamp_and_raw_body(inbox: Any) -> None:
    customer = await inbox.customer()
    begun = await customer.begin("<b>&\u2028")
    await inbox.drained()
    request = next(
        one for one in inbox.bot.requests if orjson.loads(one.content).get("conversation", {}).get("id") == begun["id"]
    )
    stamp = request.headers["X-Chatwoot-Timestamp"]
    expected = hmac.new(inbox.bot_record["secret"].encode(), f"{stamp}.".encode() + request.content, hashlib.sha256).hexdigest()
    assert request.headers["X-Chatwoot-Signature"] == f"sha256={expected}"
    assert int(stamp) == int(inbox.clock.now().timestamp())
    assert len(request.headers["X-Chatwoot-Delivery"]) == 36
    assert b"\\u003cb\\u003e\\u0026\\u2028" in request.content


async def test_bot_reply_keeps_unknown_attributes_and_source_id_and_is_echoed(inbox: Any) -> None:
    begun = await (await inbox.customer()).begin()
    attributes = {"items": [{"title": "是", "value": "tr:1"}], "automated": {"label": "自动应答", "record": "r"}}
    body = {"content": "请选择", "content_type": "input_select", "content_attributes": attributes, "source_id": "out-1"}
    made = await inbox.api("POST", f"conversations/{begun['id']}/messages", inbox.as_bot, body)
    assert made.status_code == 200
    assert made.json()["content_attributes"] == attributes
    assert made.json()["source_id"] == "out-1"
    assert made.json()["message_type"] == 1
    assert made.json()["sender"]["type"] == "agent_bot"
    await inbox.drained()
    echo = inbox.bot.named("message_created", begun["id"])[-1]
    assert (echo["message_type"], echo["source_id"], echo["content_attributes"]) == ("outgoing", "out-1", attributes)
    assert echo["sender"] == {"id": inbox.bot_record["id"], "name": "Assistant", "type": "agent_bot"}


async def test_bot_reply_clears_waiting_since_and_a_note_does_not(inbox: Any) -> None:
    begun = await (await inbox.customer()).begin()
    path = f"conversations/{begun['id']}"
    await inbox.api("POST", f"{path}/messages", inbox.as_bot, {"content": "note", "private": True})
    assert (await inbox.api("GET", path, inbox.as_bot)).json()["waiting_since"] > 0
    await inbox.api("POST", f"{path}/messages", inbox.as_bot, {"content": "reply"})
    assert (await inbox.api("GET", path, inbox.as_bot)).json()["waiting_since"] == 0
    await inbox.drained()
    noise = inbox.bot.named("conversation_updated", begun["id"])
    assert any("waiting_since" in change for one in noise for change in one["changed_attributes"])


async def test_private_note_reaches_the_bot_but_not_the_customer(inbox: Any) -> None:
    customer = await inbox.customer()
    begun = await customer.begin()
    await inbox.api(
        "POST", f"conversations/{begun['id']}/messages", inbox.as_agent(), {"content": "secret note", "private": True}
    )
    await inbox.drained()
    echo = inbox.bot.named("message_created", begun["id"])[-1]
    assert echo["private"] is True
    assert echo["sender"]["type"] == "user"
    assert echo["conversation"]["messages"][0]["content"] != "secret note"
    seen = (await customer.call("GET", "messages")).json()["payload"]
    assert [one["content"] for one in seen] == ["你好"]


@pytest.mark.parametrize(
    "body",
    [
        {"content": "x" * 150_001},
        {
            "content": "x",
            "content_type": "input_select",
            "content_attributes": {"items": [{"title": "a", "value": "b", "extra": 1}]},
        },
        {"content": "x", "content_type": "input_select", "content_attributes": {}},
        {"content": "x", "message_type": "incoming"},
        {"content": "x", "content_type": "hologram"},
        {"content": "x", "message_type": "telepathy"},
    ],
)
async def test_message_that_chatwoot_refuses_is_refused_with_422(inbox: Any, body: dict[str, Any]) -> None:
    begun = await (await inbox.customer()).begin()
    refused = await inbox.api("POST", f"conversations/{begun['id']}/messages", inbox.as_bot, body)
    assert refused.status_code == 422
    assert "error" in refused.json()


async def test_longest_message_is_taken(inbox: Any) -> None:
    begun = await (await inbox.customer()).begin()
    made = await inbox.api("POST", f"conversations/{begun['id']}/messages", inbox.as_bot, {"content": "x" * 150_000})
    assert made.status_code == 200


async def test_liquid_in_a_reply_is_rendered_but_not_in_code_spans(inbox: Any) -> None:
    customer = await inbox.customer()
    await customer.call("PATCH", "contact", {"name": "ana lee", "email": f"ana{id(customer)}@example.test"})
    begun = await customer.begin()
    content = "Hi {{contact.name}} {{ conversation.display_id }} {{nothing.here}}`{{contact.email}}`"
    made = await inbox.api("POST", f"conversations/{begun['id']}/messages", inbox.as_bot, {"content": content})
    assert made.json()["content"] == f"Hi Ana Lee {begun['id']} `{{{{contact.email}}}}`"


async def test_the_same_post_twice_makes_two_messages(inbox: Any) -> None:
    begun = await (await inbox.customer()).begin()
    body = {"content": "once", "source_id": "same", "echo_id": "e1"}
    first = await inbox.api("POST", f"conversations/{begun['id']}/messages", inbox.as_bot, body)
    second = await inbox.api("POST", f"conversations/{begun['id']}/messages", inbox.as_bot, body)
    assert first.json()["id"] < second.json()["id"]
    assert first.json()["echo_id"] == "e1"


async def test_more_than_200_messages_in_a_minute_are_refused(inbox: Any) -> None:
    from tightrope.sandbox.inbox.api_messages import FloodGuard
    from tightrope.sandbox.inbox.errors import ApiError

    guard = FloodGuard(limit=2)
    guard.check(1, inbox.clock.now())
    guard.check(1, inbox.clock.now())
    with pytest.raises(ApiError, match="Too many messages"):
        guard.check(1, inbox.clock.now())
    inbox.clock.advance(61)
    guard.check(1, inbox.clock.now())


async def test_messages_are_paged_by_before_and_after(inbox: Any) -> None:
    customer = await inbox.customer()
    begun = await customer.begin("m0")
    ids = [begun["messages"][0]["id"]] + [(await customer.say(f"m{n}"))["id"] for n in range(1, 25)]
    path = f"conversations/{begun['id']}/messages"

    async def contents(**params: Any) -> list[str]:
        payload = (await inbox.api("GET", path, inbox.as_agent(), **params)).json()["payload"]
        return [one["content"] for one in payload]

    assert await contents() == [f"m{n}" for n in range(5, 25)]
    assert await contents(before=ids[5]) == [f"m{n}" for n in range(5)]
    assert await contents(after=ids[22]) == ["m23", "m24"]
    assert await contents(after=ids[3], before=ids[5]) == ["m3", "m4"]


async def test_deleted_message_is_overwritten_and_told_to_the_bot(inbox: Any) -> None:
    customer = await inbox.customer()
    begun = await customer.begin()
    path = f"conversations/{begun['id']}/messages"
    made = (await inbox.api("POST", path, inbox.as_agent(), {"content": "mistake"})).json()
    gone = await inbox.api("DELETE", f"{path}/{made['id']}", inbox.as_agent())
    assert gone.json()["content"] == "This message was deleted"
    assert gone.json()["content_attributes"] == {"deleted": True}
    await inbox.drained()
    told = inbox.bot.named("message_updated", begun["id"])[-1]
    assert (told["id"], told["content_attributes"]) == (made["id"], {"deleted": True})
    assert (await inbox.api("DELETE", f"{path}/999999999", inbox.as_agent())).status_code == 404


async def test_button_press_is_an_update_of_the_bots_own_message_with_unchecked_values(inbox: Any) -> None:
    customer = await inbox.customer()
    begun = await customer.begin()
    body = {"content": "?", "content_type": "input_select", "content_attributes": {"items": [{"title": "Yes", "value": "a"}]}}
    offer = (await inbox.api("POST", f"conversations/{begun['id']}/messages", inbox.as_bot, body)).json()
    pressed = await customer.call(
        "PATCH", f"messages/{offer['id']}", {"submitted_values": [{"title": "Forged", "value": "zz", "more": 1}]}
    )
    assert pressed.status_code == 200
    await inbox.drained()
    told = inbox.bot.named("message_updated", begun["id"])[-1]
    assert told["message_type"] == "outgoing"
    assert told["sender"]["type"] == "agent_bot"
    assert told["content_attributes"]["submitted_values"] == [{"title": "Forged", "value": "zz"}]
    assert told["content_attributes"]["items"] == body["content_attributes"]["items"]
    stranger = await inbox.customer()
    assert (await stranger.call("PATCH", f"messages/{offer['id']}", {"submitted_values": []})).status_code == 404
