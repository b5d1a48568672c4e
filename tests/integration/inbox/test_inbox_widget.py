"""What the customer's browser may do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tightrope.sandbox.inbox.models import WEBSITE_TOKEN

pytestmark = pytest.mark.integration


async def test_config_makes_a_session_once_and_finds_it_again(inbox: Any) -> None:
    customer = await inbox.customer()
    again = (await customer.call("POST", "config")).json()
    assert again["contact"]["pubsub_token"] == customer.pubsub_token
    assert again["website_channel_config"]["website_token"] == WEBSITE_TOKEN
    assert (await inbox.customer()).pubsub_token != customer.pubsub_token


async def test_unknown_website_and_foreign_token_are_404(inbox: Any) -> None:
    assert (await inbox.http.post("/api/v1/widget/config", params={"website_token": "other"})).status_code == 404
    customer = await inbox.customer()
    customer.token = "eyJhbGciOiJub25lIn0.e30."
    assert (await customer.call("GET", "conversations")).status_code == 404


async def test_token_ends_after_180_days(inbox: Any) -> None:
    customer = await inbox.customer()
    inbox.clock.at += timedelta(days=181)
    assert (await customer.call("GET", "contact")).status_code == 404


async def test_before_the_first_message_there_is_no_conversation(inbox: Any) -> None:
    customer = await inbox.customer()
    assert (await customer.call("GET", "conversations")).json() == {}
    assert (await customer.call("GET", "messages")).json()["payload"] == []
    assert (
        await customer.call("POST", "conversations/set_custom_attributes", {"custom_attributes": {"a": 1}})
    ).status_code == 404
    assert (await customer.call("POST", "conversations/toggle_typing", {"typing_status": "on"})).status_code == 404
    assert (await customer.call("POST", "conversations/update_last_seen")).status_code == 200
    assert (await customer.call("POST", "conversations", {})).status_code == 400


async def test_first_message_without_a_conversation_begins_one(inbox: Any) -> None:
    customer = await inbox.customer()
    made = await customer.say("hello")
    shown = (await customer.call("GET", "conversations")).json()
    assert (shown["id"], shown["status"]) == (made["conversation_id"], "pending")
    assert made["sender"]["type"] == "contact"


async def test_conversation_notes_browser_and_language(inbox: Any) -> None:
    customer = await inbox.customer()
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    customer._http.headers.update({"user-agent": agent, "accept-language": "zh-CN,zh;q=0.9"})
    begun = await customer.begin()
    shown = (await inbox.api("GET", f"conversations/{begun['id']}", inbox.as_bot)).json()["additional_attributes"]
    assert (shown["browser"]["browser_name"], shown["browser"]["platform_name"]) == ("Firefox", "Linux")
    assert (shown["browser_language"], shown["referer"]) == ("zh", "http://localhost/")


async def test_attributes_from_the_browser_replace_everything_and_are_told(inbox: Any) -> None:
    customer = await inbox.customer()
    begun = await customer.begin(custom_attributes={"a": "1"})
    await inbox.api("POST", f"conversations/{begun['id']}/custom_attributes", inbox.as_bot, {"custom_attributes": {"mine": "x"}})
    assert (
        await customer.call("POST", "conversations/set_custom_attributes", {"custom_attributes": {"gw_session": "t"}})
    ).status_code == 204
    await inbox.drained()
    told = inbox.bot.named("conversation_updated", begun["id"])[-1]
    assert told["custom_attributes"] == {"gw_session": "t"}
    assert {"custom_attributes": {"previous_value": {"mine": "x"}, "current_value": {"gw_session": "t"}}} in told[
        "changed_attributes"
    ]
    await customer.call("POST", "conversations/destroy_custom_attributes", {"custom_attribute": ["gw_session"]})
    assert (await inbox.api("GET", f"conversations/{begun['id']}", inbox.as_bot)).json()["custom_attributes"] == {}


async def test_attributes_of_the_wrong_kind_are_refused(inbox: Any) -> None:
    customer = await inbox.customer()
    await customer.begin()
    for wrong in ("text", {"n": 10_000_000_000}):
        assert (
            await customer.call("POST", "conversations/set_custom_attributes", {"custom_attributes": wrong})
        ).status_code == 422


async def test_reading_marks_replies_read_and_tells_the_bot(inbox: Any) -> None:
    customer = await inbox.customer()
    begun = await customer.begin()
    made = (await inbox.api("POST", f"conversations/{begun['id']}/messages", inbox.as_bot, {"content": "answer"})).json()
    await inbox.api("POST", f"conversations/{begun['id']}/messages", inbox.as_bot, {"content": "note", "private": True})
    assert made["status"] == "sent"
    await customer.call("POST", "conversations/update_last_seen")
    await inbox.drained()
    (told,) = inbox.bot.named("message_updated", begun["id"])
    assert told["id"] == made["id"]
    assert told["conversation"]["messages"][0]["status"] == "read"
    assert (await customer.call("GET", "messages")).json()["meta"]["contact_last_seen_at"] > 0


async def test_set_user_names_the_contact_without_any_proof(inbox: Any) -> None:
    customer = await inbox.customer()
    named = (
        await customer.call("PATCH", "contact/set_user", {"identifier": "C1001", "name": "安娜", "email": "ANA@example.test"})
    ).json()
    assert (named["identifier"], named["name"], named["email"]) == ("C1001", "安娜", "ana@example.test")
    begun = await customer.begin()
    await inbox.drained()
    (event,) = inbox.bot.named("message_created", begun["id"])
    assert event["conversation"]["meta"]["sender"]["identifier"] == "C1001"
    assert event["conversation"]["meta"]["hmac_verified"] is False
    shown = (await customer.call("GET", "contact")).json()
    assert shown["has_email"] is True


async def test_another_identifier_in_the_same_browser_gets_a_new_session(inbox: Any) -> None:
    customer = await inbox.customer()
    await customer.call("PATCH", "contact/set_user", {"identifier": "first-user", "name": "First"})
    await customer.begin("private words of the first")
    second = (await customer.call("PATCH", "contact/set_user", {"identifier": "second-user", "name": "Second"})).json()
    assert second["name"] == "Second"
    customer.token = second["widget_auth_token"]
    assert (await customer.call("GET", "messages")).json()["payload"] == []


async def test_second_browser_of_a_known_identifier_joins_the_contact_but_not_the_chat(inbox: Any) -> None:
    one, two = await inbox.customer(), await inbox.customer()
    first = (await one.call("PATCH", "contact/set_user", {"identifier": "shared-id", "name": "S"})).json()
    await one.begin("said at home")
    second = (
        await two.call("PATCH", "contact/set_user", {"identifier": "shared-id", "name": "S", "email": "s@example.test"})
    ).json()
    assert first["id"] == second["id"]
    assert (await two.call("GET", "messages")).json()["payload"] == []


async def test_email_of_another_contact_merges_without_proof(inbox: Any) -> None:
    victim, attacker = await inbox.customer(), await inbox.customer()
    await victim.call("PATCH", "contact/set_user", {"identifier": "victim-id", "name": "V", "email": "victim@example.test"})
    merged = (await attacker.call("PATCH", "contact", {"email": "victim@example.test"})).json()
    assert merged["identifier"] == "victim-id"


async def test_session_merged_into_a_contact_does_not_read_its_messages_by_number(inbox: Any) -> None:
    victim, attacker = await inbox.customer(), await inbox.customer()
    message = (await victim.begin())["messages"][0]["id"]
    for one in (victim, attacker):
        await one.call("PATCH", "contact/set_user", {"identifier": "victim-id", "name": "V"})
    assert (await attacker.call("PATCH", f"messages/{message}", {"message": {"submitted_values": []}})).status_code == 404
    assert (await victim.call("PATCH", f"messages/{message}", {"message": {"submitted_values": []}})).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "messages", {"message": {"content": "a\x00b"}}),
        ("PATCH", "contact", {"name": {"a": 1}}),
        ("PATCH", "contact", {"email": ["x"], "phone_number": {"a": 1}}),
        ("PATCH", "contact", {"name": "a\x00b", "custom_attributes": {"a": {"b": "c\x00"}}}),
        ("PATCH", "contact", {"additional_attributes": {"a": 1}}),
        ("PATCH", "contact/set_user", {"identifier": {"a": 1}}),
        ("PATCH", "contact/set_user", {"identifier": "z", "additional_attributes": [1]}),
        ("POST", "conversations/destroy_custom_attributes", {"custom_attribute": [{"a": 1}]}),
        ("POST", "conversations/toggle_typing", {"typing_status": ["on"]}),
        ("GET", "messages?before=\u00b2", None),
    ],
)
async def test_malformed_values_break_nothing(inbox: Any, method: str, path: str, body: Any) -> None:
    customer = await inbox.customer()
    await customer.begin()
    assert (await customer.call(method, path, body)).status_code < 500


async def test_opening_the_widget_tells_the_bot(inbox: Any) -> None:
    customer = await inbox.customer()
    info = {"referer": "http://localhost/p", "widget_language": "zh"}
    assert (await customer.call("POST", "events", {"name": "webwidget.triggered", "event_info": info})).status_code == 204
    assert (await customer.call("POST", "events", {"name": "something.else"})).status_code == 204
    await inbox.drained()
    (told,) = inbox.bot.named("webwidget_triggered")
    assert told["current_conversation"] is None
    assert told["event_info"]["widget_language"] == "zh"
    assert "source_id" in told
    await customer.begin()
    await customer.call("POST", "events", {"name": "webwidget.triggered"})
    await inbox.drained()
    assert inbox.bot.named("webwidget_triggered")[-1]["current_conversation"]["status"] == "pending"


async def test_file_arrives_as_an_attachment_and_dies_with_its_message(inbox: Any) -> None:
    customer = await inbox.customer()
    begun = await customer.begin()
    sent = await inbox.http.post(
        "/api/v1/widget/messages",
        params={"website_token": WEBSITE_TOKEN},
        headers={"X-Auth-Token": customer.token},
        files={"message[attachments][]": ("对账单.pdf", b"%PDF-1.7", "application/pdf")},
        data={"message[echo_id]": "e"},
    )
    (attachment,) = sent.json()["attachments"]
    assert (attachment["file_type"], attachment["file_size"], attachment["extension"]) == ("file", 8, "pdf")
    assert sent.json()["content"] is None
    await inbox.drained()
    told = inbox.bot.named("message_created", begun["id"])[-1]
    assert told["attachments"][0]["data_url"] == attachment["data_url"]
    path = attachment["data_url"].removeprefix(inbox.settings.inbox_public_url)
    loaded = await inbox.http.get(path)
    assert (loaded.content, loaded.headers["x-content-type-options"]) == (b"%PDF-1.7", "nosniff")
    assert loaded.headers["content-disposition"].startswith("attachment")
    await inbox.api("DELETE", f"conversations/{begun['id']}/messages/{sent.json()['id']}", inbox.as_agent())
    assert (await inbox.http.get(path)).status_code == 404


async def test_message_too_long_or_too_large_is_refused(inbox: Any) -> None:
    customer = await inbox.customer()
    await customer.begin()
    assert (await customer.call("POST", "messages", {"message": {"content": "x" * 150_001}})).status_code == 422
    assert (await customer.call("POST", "messages", {"message": {"content": "x" * 13_000_000}})).status_code == 413
    assert (await customer.call("PATCH", "messages/999999999", {"submitted_values": []})).status_code == 404


async def test_other_sites_may_call_the_widget_api_and_nothing_else(inbox: Any) -> None:
    headers = {
        "Origin": "http://portal.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-auth-token",
    }
    allowed = await inbox.http.options("/api/v1/widget/messages", headers=headers)
    assert allowed.headers["access-control-allow-origin"] == "*"
    denied = await inbox.http.options("/api/v1/accounts/1/conversations", headers=headers)
    assert "access-control-allow-origin" not in denied.headers


async def test_members_of_the_inbox_are_listed(inbox: Any) -> None:
    customer = await inbox.customer()
    members = (await customer.call("GET", "inbox_members")).json()["payload"]
    assert {"Agent 1 坐席一", "Agent 2 坐席二", "Agent 3 坐席三"} <= {one["name"] for one in members}
