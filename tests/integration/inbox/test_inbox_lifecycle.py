"""Statuses, assignment, labels and attributes, as bot and as agent."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.integration

BOT_REFUSED = {"error": "Access to this endpoint is not authorized for bots"}


async def shown(inbox: Any, number: int) -> dict[str, Any]:
    return (await inbox.api("GET", f"conversations/{number}", inbox.as_bot)).json()


async def started(inbox: Any) -> tuple[Any, int]:
    customer = await inbox.customer()
    return customer, (await customer.begin())["id"]


async def activities(inbox: Any, number: int) -> list[str]:
    payload = (await inbox.api("GET", f"conversations/{number}/messages", inbox.as_agent())).json()["payload"]
    return [one["content"] for one in payload if one["message_type"] == 2]


async def status(inbox: Any, number: int, headers: dict[str, str], body: dict[str, Any] | None = None) -> dict[str, Any]:
    response = await inbox.api("POST", f"conversations/{number}/toggle_status", headers, body or {})
    assert response.status_code == 200, response.text
    return response.json()["payload"]


async def test_handoff_by_the_bot_answers_null_and_clears_the_bot(inbox: Any) -> None:
    _, number = await started(inbox)
    await inbox.api("POST", f"conversations/{number}/messages", inbox.as_bot, {"content": "ok"})
    given = await status(inbox, number, inbox.as_bot, {"status": "open"})
    assert given == {"success": None, "conversation_id": number, "current_status": "open", "snoozed_until": None}
    seen = await shown(inbox, number)
    assert seen["status"] == "open"
    assert seen["meta"]["assignee_type"] is None
    assert seen["waiting_since"] > 0
    await inbox.drained()
    assert inbox.bot.named("conversation_opened", number)
    (changed,) = inbox.bot.named("conversation_status_changed", number)
    assert changed["changed_attributes"] == [{"status": {"previous_value": "pending", "current_value": "open"}}]
    names = {
        key for one in inbox.bot.named("conversation_updated", number) for change in one["changed_attributes"] for key in change
    }
    assert {"status", "assignee_agent_bot_id", "updated_at"} <= names
    assert await activities(inbox, number) == ["Conversation was reopened by Assistant"]


async def test_agent_who_opens_is_assigned_and_the_bot_is_not(inbox: Any) -> None:
    _, number = await started(inbox)
    assert (await status(inbox, number, inbox.as_agent(), {"status": "open"}))["success"] is True
    seen = await shown(inbox, number)
    assert (seen["meta"]["assignee_type"], seen["meta"]["assignee"]["name"]) == ("User", "Agent 1 坐席一")


async def test_administrator_who_opens_is_not_assigned(inbox: Any) -> None:
    _, number = await started(inbox)
    await status(inbox, number, inbox.admin, {"status": "open"})
    assert (await shown(inbox, number))["meta"]["assignee_type"] is None


async def test_message_on_a_resolved_conversation_returns_it_to_pending_and_keeps_the_person(inbox: Any) -> None:
    customer, number = await started(inbox)
    await status(inbox, number, inbox.as_agent(), {"status": "open"})
    await status(inbox, number, inbox.as_agent(), {"status": "resolved"})
    assert (await shown(inbox, number))["waiting_since"] == 0
    again = await customer.say("还有一个问题")
    assert again["conversation_id"] == number
    seen = await shown(inbox, number)
    assert (seen["status"], seen["meta"]["assignee_type"]) == ("pending", "User")
    await inbox.drained()
    assert inbox.bot.named("message_created", number)[-1]["conversation"]["status"] == "pending"


async def test_message_on_a_snoozed_conversation_opens_it(inbox: Any) -> None:
    customer, number = await started(inbox)
    snoozed = await status(inbox, number, inbox.as_agent(), {"status": "snoozed", "snoozed_until": 1795200000})
    assert snoozed["snoozed_until"] == "2026-11-20T18:40:00.000Z"
    await customer.say("在吗")
    seen = await shown(inbox, number)
    assert (seen["status"], seen["snoozed_until"]) == ("open", None)


async def test_agents_reply_leaves_a_pending_conversation_pending(inbox: Any) -> None:
    _, number = await started(inbox)
    await inbox.api("POST", f"conversations/{number}/messages", inbox.as_agent(), {"content": "hi"})
    seen = await shown(inbox, number)
    assert seen["status"] == "pending"
    assert seen["first_reply_created_at"] > 0


async def test_status_without_a_value_toggles(inbox: Any) -> None:
    _, number = await started(inbox)
    assert [(await status(inbox, number, inbox.admin))["current_status"] for _ in range(3)] == ["open", "resolved", "open"]


async def test_unknown_status_and_priority_are_server_errors(inbox: Any) -> None:
    _, number = await started(inbox)
    assert (
        await inbox.api("POST", f"conversations/{number}/toggle_status", inbox.as_bot, {"status": "closed"})
    ).status_code == 500
    assert (
        await inbox.api("POST", f"conversations/{number}/toggle_priority", inbox.as_bot, {"priority": "none"})
    ).status_code == 500


async def test_assigning_a_person_clears_the_bot_but_not_pending(inbox: Any) -> None:
    _, number = await started(inbox)
    assigned = await inbox.api("POST", f"conversations/{number}/assignments", inbox.as_bot, {"assignee_id": 3})
    assert (assigned.json()["id"], assigned.json()["role"]) == (3, "agent")
    seen = await shown(inbox, number)
    assert (seen["status"], seen["meta"]["assignee_type"], seen["meta"]["assignee"]["id"]) == ("pending", "User", 3)


async def test_unknown_assignee_unassigns_without_an_error(inbox: Any) -> None:
    _, number = await started(inbox)
    response = await inbox.api("POST", f"conversations/{number}/assignments", inbox.as_agent(), {"assignee_id": 99999})
    assert (response.status_code, response.json()) == (200, None)
    assert (await shown(inbox, number))["meta"]["assignee_type"] is None
    team = await inbox.api("POST", f"conversations/{number}/assignments", inbox.as_agent(), {"team_id": 4})
    assert (team.status_code, team.json()) == (200, None)
    assert (await inbox.api("POST", f"conversations/{number}/assignments", inbox.as_agent(), {})).status_code == 422


async def test_giving_back_to_the_bot_takes_it_from_the_person(inbox: Any) -> None:
    _, number = await started(inbox)
    await status(inbox, number, inbox.as_agent(), {"status": "open"})
    body = {"assignee_id": inbox.bot_record["id"], "assignee_type": "AgentBot"}
    assert (await inbox.api("POST", f"conversations/{number}/assignments", inbox.as_agent(), body)).json()["type"] == "agent_bot"
    await status(inbox, number, inbox.as_agent(), {"status": "pending"})
    seen = await shown(inbox, number)
    assert (seen["status"], seen["meta"]["assignee_type"]) == ("pending", "AgentBot")


async def test_labels_and_custom_attributes_are_replaced(inbox: Any) -> None:
    _, number = await started(inbox)
    path = f"conversations/{number}"
    await inbox.api("POST", f"{path}/labels", inbox.as_bot, {"labels": ["a", "b"]})
    assert (await inbox.api("POST", f"{path}/labels", inbox.as_bot, {"labels": ["b", "c", "c"]})).json() == {
        "payload": ["b", "c"]
    }
    assert (await inbox.api("GET", f"{path}/labels", inbox.as_bot)).json() == {"payload": ["b", "c"]}
    await inbox.api("POST", f"{path}/custom_attributes", inbox.as_bot, {"custom_attributes": {"x": 1}})
    await inbox.api("POST", f"{path}/custom_attributes", inbox.as_bot, {"custom_attributes": {"y": "2"}})
    assert (await shown(inbox, number))["custom_attributes"] == {"y": "2"}
    long = await inbox.api("POST", f"{path}/custom_attributes", inbox.as_bot, {"custom_attributes": {"y": "x" * 1501}})
    assert long.status_code == 422
    assert await activities(inbox, number) == ["Assistant added a, b", "Assistant added c", "Assistant removed a"]
    await inbox.drained()
    names = [
        key for one in inbox.bot.named("conversation_updated", number) for change in one["changed_attributes"] for key in change
    ]
    assert "label_list" in names
    assert "custom_attributes" in names


async def test_priority_is_set_changed_and_removed(inbox: Any) -> None:
    _, number = await started(inbox)
    for value in ("high", "urgent", None):
        assert (
            await inbox.api("POST", f"conversations/{number}/toggle_priority", inbox.as_bot, {"priority": value})
        ).content == b""
    updated = await inbox.api("PATCH", f"conversations/{number}", inbox.as_bot, {"priority": "low", "assignee_id": 3})
    assert (updated.json()["priority"], updated.json()["meta"]["assignee_type"]) == ("low", "AgentBot")
    assert await activities(inbox, number) == [
        "Assistant set the priority to high",
        "Assistant changed the priority from high to urgent",
        "Assistant removed the priority",
        "Assistant set the priority to low",
    ]


async def test_a_change_that_changes_nothing_tells_nobody(inbox: Any) -> None:
    _, number = await started(inbox)
    await inbox.drained()
    before = len(inbox.bot.requests)
    await inbox.api("POST", f"conversations/{number}/labels", inbox.as_bot, {"labels": []})
    await inbox.drained()
    assert len(inbox.bot.requests) == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "conversations"),
        ("GET", "conversations/search?q=x"),
        ("GET", "conversations/{n}/messages"),
        ("DELETE", "conversations/{n}/messages/1"),
        ("POST", "conversations/{n}/update_last_seen"),
        ("GET", "contacts"),
        ("GET", "contacts/search?q=x"),
        ("GET", "contacts/1"),
        ("GET", "inboxes"),
        ("GET", "agents"),
        ("GET", "teams"),
        ("GET", "agent_bots"),
        ("POST", "agent_bots"),
        ("POST", "inboxes/1/set_agent_bot"),
    ],
)
async def test_bot_token_is_refused_outside_its_list(inbox: Any, method: str, path: str) -> None:
    _, number = await started(inbox)
    refused = await inbox.http.request(method, f"/api/v1/accounts/1/{path.format(n=number)}", headers=inbox.as_bot)
    assert (refused.status_code, refused.json()) == (401, BOT_REFUSED)


async def test_profile_is_refused_to_bots(inbox: Any) -> None:
    refused = await inbox.http.get("/api/v1/profile", headers=inbox.as_bot)
    assert (refused.status_code, refused.json()) == (401, BOT_REFUSED)


async def test_missing_and_wrong_tokens_are_401_and_unknown_things_404(inbox: Any) -> None:
    path = "/api/v1/accounts/1/conversations/1"
    assert (await inbox.http.get(path)).status_code == 401
    wrong = await inbox.http.get(path, headers={"api_access_token": "nonsense"})
    assert (wrong.status_code, wrong.json()) == (401, {"error": "Invalid Access Token"})
    for gone in ("/api/v1/accounts/7/conversations/1", "/api/v1/accounts/1/conversations/987654321"):
        missing = await inbox.http.get(gone, headers=inbox.as_bot)
        assert (missing.status_code, missing.json()) == (404, {"error": "Resource could not be found"})
    assert (await inbox.api("POST", "agent_bots", inbox.as_agent(), {"name": "x"})).status_code == 401
    broken = await inbox.http.post(f"{path}/labels", headers=inbox.as_bot, content=b"{not json")
    assert broken.status_code == 400


async def test_the_list_filters_counts_and_pages(inbox: Any) -> None:
    for _ in range(27):
        await started(inbox)
    customer, number = await started(inbox)
    word = f"needle{number}"
    await customer.say(word)
    first = (await inbox.api("GET", "conversations", inbox.as_agent(), status="pending")).json()["data"]
    second = (await inbox.api("GET", "conversations", inbox.as_agent(), status="pending", page=2)).json()["data"]
    assert len(first["payload"]) == 25
    assert first["payload"][0]["id"] == number
    assert not {one["id"] for one in first["payload"]} & {one["id"] for one in second["payload"]}
    counts = first["meta"]
    assert counts["all_count"] == counts["unassigned_count"] + counts["assigned_count"] >= 28
    found = (await inbox.api("GET", "conversations", inbox.as_agent(), q=word)).json()["data"]["payload"]
    assert [one["id"] for one in found] == [number]
    assert (await inbox.api("GET", "conversations/search", inbox.as_agent(), q=word)).json()["payload"][0]["id"] == number
    await inbox.api("POST", f"conversations/{number}/assignments", inbox.as_agent(), {"assignee_id": 2})
    mine = (await inbox.api("GET", "conversations", inbox.as_agent(1), status="all", assignee_type="me", q=word)).json()["data"][
        "payload"
    ]
    assert [one["id"] for one in mine] == [number]
    assert (await inbox.api("GET", "conversations", inbox.as_agent(2), status="all", assignee_type="me", q=word)).json()["data"][
        "payload"
    ] == []
    await inbox.api("POST", f"conversations/{number}/labels", inbox.as_agent(), {"labels": [word]})
    tagged = await inbox.http.get(
        "/api/v1/accounts/1/conversations", params={"status": "all", "labels[]": word}, headers=inbox.as_agent()
    )
    assert [one["id"] for one in tagged.json()["data"]["payload"]] == [number]
    assert (await inbox.api("GET", "conversations/meta", inbox.as_agent(), status="pending")).json()["meta"]["all_count"] >= 28
    assert (await inbox.api("GET", "conversations", inbox.as_agent(), status="odd")).status_code == 500


async def test_unread_rises_with_the_customer_and_falls_when_the_agent_looks(inbox: Any) -> None:
    customer, number = await started(inbox)
    await customer.say("2")
    assert (await shown(inbox, number))["unread_count"] == 2
    looked = await inbox.api("POST", f"conversations/{number}/update_last_seen", inbox.as_agent())
    assert looked.json()["unread_count"] == 0


async def test_bot_administration_rotates_token_and_secret(inbox: Any) -> None:
    path = f"agent_bots/{inbox.bot_record['id']}"
    old = dict(inbox.bot_record)
    assert (await inbox.api("GET", path, inbox.admin)).json() == old
    assert old in (await inbox.api("GET", "agent_bots", inbox.admin)).json()
    assert (await inbox.api("GET", "inboxes/1/agent_bot", inbox.admin)).json()["agent_bot"]["id"] == old["id"]
    renamed = (await inbox.api("PATCH", path, inbox.admin, {"name": "New", "outgoing_url": "http://127.0.0.1:2/x"})).json()
    assert (renamed["name"], renamed["outgoing_url"]) == ("New", "http://127.0.0.1:2/x")
    secret = (await inbox.api("POST", f"{path}/reset_secret", inbox.admin)).json()["secret"]
    token = (await inbox.api("POST", f"{path}/reset_access_token", inbox.admin)).json()["access_token"]
    assert secret != old["secret"]
    assert len(secret) == len(token) == 24
    _, number = await started(inbox)
    assert (await inbox.api("GET", f"conversations/{number}", inbox.as_bot)).status_code == 401
    inbox.bot_record["access_token"] = token
    assert (await inbox.api("GET", f"conversations/{number}", inbox.as_bot)).status_code == 200
    assert (await inbox.api("GET", "agent_bots/98765", inbox.admin)).status_code == 404
    assert (await inbox.api("POST", "inboxes/98/set_agent_bot", inbox.admin, {})).status_code == 404


async def test_without_a_bot_a_new_conversation_is_open_and_nothing_is_sent(inbox: Any) -> None:
    await inbox.disconnect_bot()
    assert (await inbox.api("GET", "inboxes/1/agent_bot", inbox.admin)).json() == {"agent_bot": {}}
    customer, number = await started(inbox)
    assert (await shown(inbox, number))["status"] == "open"
    await status(inbox, number, inbox.admin, {"status": "resolved"})
    await customer.say("again")
    assert (await shown(inbox, number))["status"] == "open"
    await inbox.drained()
    assert inbox.bot.events(number) == []
