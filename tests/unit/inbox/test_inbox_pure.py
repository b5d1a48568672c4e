"""Signature, Liquid, validation, tokens, browser and lifecycle rules, without any process."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.sandbox.inbox import lifecycle, validation
from tightrope.sandbox.inbox.browser import accept_language, browser_of
from tightrope.sandbox.inbox.errors import ApiError
from tightrope.sandbox.inbox.hub import QUEUE_LIMIT, Hub, Listener
from tightrope.sandbox.inbox.liquid import render, words
from tightrope.sandbox.inbox.models import Agent, AgentBot, Broadcast, Conversation, Draft, MessageType
from tightrope.sandbox.inbox.signing import encode, headers, signature
from tightrope.sandbox.inbox.tokens import Tokens

NOW = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
AGENT = Agent(2, 1, "Agent 1", "a@inbox.example", "agent", "t", "p")
ADMIN = Agent(1, 1, "Admin", "b@inbox.example", "administrator", "t1", "p1")
BOT = AgentBot(7, 1, "Bot", "", "", {}, "t2", "s")


def conversation(**values: Any) -> Conversation:
    made = Conversation(
        id=1,
        account_id=1,
        display_id=441,
        uuid=uuid4(),
        inbox_id=1,
        contact_id=1,
        contact_inbox_id=1,
        status="pending",
        assignee_id=None,
        assignee_agent_bot_id=7,
        priority=None,
        labels=[],
        additional_attributes={},
        custom_attributes={},
        snoozed_until=None,
        waiting_since=NOW,
        first_reply_created_at=None,
        agent_last_seen_at=None,
        assignee_last_seen_at=None,
        contact_last_seen_at=None,
        last_activity_at=NOW,
        unread_count=0,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(made, **values)


def test_signature_matches_the_published_vector() -> None:
    expected = "sha256=977d133fa6a7a0c5076428acd561eb85e2b2faaf420898db093f5a10c2fa5c5e"
    assert signature("test-secret", 1785150000, b'{"event":"message_created","id":5012}') == expected


def test_without_a_secret_the_signature_headers_are_absent() -> None:
    assert set(headers(None, 1, uuid4(), b"{}")) == {"Content-Type", "Accept", "X-Chatwoot-Delivery"}


@given(st.text())
def test_encoded_body_reads_back_and_holds_no_raw_markup(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    body = encode({"content": text})
    assert orjson.loads(body) == {"content": text}
    assert not set("<>&\u2028\u2029") & set(body.decode())


DROPS: dict[str, Any] = {"contact": {"name": "Ana", "email": "ana@example.test", "custom_attribute": {"tier": "gold"}}, "n": 3}


@pytest.mark.parametrize(
    ("content", "rendered"),
    [
        ("plain", "plain"),
        ("{{contact.name}}", "Ana"),
        ("{{ contact.email }}!", "ana@example.test!"),
        ("{{contact.custom_attribute.tier | upcase}}", "GOLD"),
        ("{{contact.name | downcase}}{{contact.name | capitalize}}{{contact.name | reverse}}", "anaAnaAna"),
        ("{{contact.custom_attribute['tier']}}", "gold"),
        ("{{ missing.thing }}{{ contact.none | default: 'x' }}", "x"),
        ("{{ 'text' }}{{n}}{{}}{{ a b }}{{contact}}", "text3"),
        ("{% if contact %}yes{% endif %}{%- comment %}c{% endcomment %}", "yesc"),
        ("`{{contact.name}}` {{contact.name}}", "`{{contact.name}}` Ana"),
        ("{% evil %}{{contact.name}}", "{% evil %}{{contact.name}}"),
        ("{{contact.name}} {{", "{{contact.name}} {{"),
    ],
)
def test_liquid_is_rendered_as_far_as_it_matters(content: str, rendered: str) -> None:
    assert render(content, DROPS) == rendered


@given(st.text(alphabet="{}%`ab. |'\n", max_size=60))
def test_liquid_never_fails(content: str) -> None:
    assert isinstance(render(content, {"a": {"b": "x"}}), str)


def test_names_are_capitalised_as_drops_do() -> None:
    assert words("ana  van LEE") == "Ana Van Lee"


def attributes(kind: str, *items: Any) -> Draft:
    return Draft("x", content_type=kind, content_attributes={"items": list(items)})


@pytest.mark.parametrize(
    "draft",
    [
        attributes("input_select", {"title": "a", "value": "b"}),
        attributes("cards", {"title": "a", "actions": [{"type": "link", "text": "t", "uri": "u"}]}),
        attributes("form", {"name": "a", "label": "b"}),
        attributes("article", {"title": "a", "link": "u"}),
        Draft(None),
        Draft("x", content_type="input_email"),
    ],
)
def test_valid_drafts_pass(draft: Draft) -> None:
    validation.check_draft(draft)


@pytest.mark.parametrize(
    "draft",
    [
        attributes("input_select"),
        attributes("input_select", "text"),
        attributes("input_select", {"title": "a", "label": "b"}),
        attributes("cards", {"title": "a"}),
        attributes("cards", {"title": "a", "actions": [{"kind": "x"}]}),
        Draft("x", content_type="form", content_attributes={"items": {}}),
        Draft("x", content_type="unknown"),
        Draft("x" * 150_001),
    ],
)
def test_invalid_drafts_are_refused_with_422(draft: Draft) -> None:
    with pytest.raises(ApiError) as refused:
        validation.check_draft(draft)
    assert refused.value.status == 422


def test_attributes_may_come_as_a_json_string() -> None:
    assert validation.content_attributes('{"a": 1}') == {"a": 1}
    assert validation.content_attributes("nonsense") == {}
    assert validation.content_attributes(None) == {}


def test_custom_attributes_are_bounded() -> None:
    assert validation.custom_attributes({"a": "x" * 1500, "b": 9_999_999_999, "c": True}) == {
        "a": "x" * 1500,
        "b": 9_999_999_999,
        "c": True,
    }
    assert validation.custom_attributes(None) == {}
    for wrong in ({"a": "x" * 1501}, {"a": 10_000_000_000}, [1]):
        with pytest.raises(ApiError):
            validation.custom_attributes(wrong)


def test_widget_token_names_its_session_until_it_ends() -> None:
    tokens = Tokens("k" * 43)
    token = tokens.widget("source", 3, NOW)
    assert tokens.read_widget(token, NOW) == ("source", 3)
    assert tokens.read_widget(token, NOW + timedelta(days=181)) is None
    assert Tokens("other" * 9).read_widget(token, NOW) is None
    assert tokens.read_widget("", NOW) is None
    assert tokens.read_desk(token, NOW) is None
    assert tokens.read_widget(tokens.desk(2, NOW), NOW) is None


def test_browser_and_language_are_recognised() -> None:
    chrome = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.1 Safari/537.36"
    assert browser_of(chrome)["browser_name"] == "Chrome"
    assert browser_of(chrome)["platform_name"] == "Windows"
    assert browser_of("curl/8")["browser_name"] == "Unknown Browser"
    assert [accept_language(one) for one in ("zh-CN,zh;q=0.9", "en", "", "*")] == ["zh", "en", None, None]


def test_first_status_depends_on_block_and_bot() -> None:
    assert lifecycle.first_status(blocked=True, bot_id=7) == "resolved"
    assert lifecycle.first_status(blocked=False, bot_id=7) == "pending"
    assert lifecycle.first_status(blocked=False, bot_id=None) == "open"


def test_incoming_message_waits_and_reopens() -> None:
    for before, bot_inbox, after in (
        ("resolved", True, "pending"),
        ("resolved", False, "open"),
        ("snoozed", True, "open"),
        ("open", True, "open"),
    ):
        row = conversation(status=before, waiting_since=None)
        lifecycle.on_message(row, MessageType.INCOMING, None, private=False, bot_inbox=bot_inbox, now=NOW)
        assert (row.status, row.waiting_since, row.unread_count) == (after, NOW, 1)


def test_only_a_persons_public_reply_counts_as_first_reply() -> None:
    for sender, private, first, waiting in ((BOT, False, None, None), (AGENT, True, None, NOW), (AGENT, False, NOW, None)):
        row = conversation()
        lifecycle.on_message(row, MessageType.OUTGOING, sender, private=private, bot_inbox=True, now=NOW)
        assert (row.first_reply_created_at, row.waiting_since) == (first, waiting)


def test_handoff_restores_the_wait_and_frees_the_conversation() -> None:
    row = conversation(waiting_since=None)
    assert lifecycle.set_status(row, "open", BOT, snoozed_until=None, now=NOW) is None
    assert (row.status, row.assignee_agent_bot_id, row.waiting_since) == ("open", None, NOW)
    assert lifecycle.set_status(row, "resolved", BOT, snoozed_until=None, now=NOW) is True
    assert row.waiting_since is None


def test_opening_by_a_person() -> None:
    row = conversation()
    assert lifecycle.set_status(row, "open", AGENT, snoozed_until=None, now=NOW) is True
    assert (row.assignee_id, row.assignee_agent_bot_id) == (2, None)
    row = conversation()
    lifecycle.set_status(row, "open", ADMIN, snoozed_until=None, now=NOW)
    assert (row.assignee_id, row.assignee_agent_bot_id) == (None, None)


def test_activity_lines_name_who_did_what() -> None:
    found: lifecycle.Changes = {
        "status": ("pending", "open"),
        "priority": ("low", None),
        "labels": (["a"], ["b"]),
        "assignee_id": (None, 2),
    }
    assert lifecycle.activities(found, AGENT, AGENT) == [
        "Conversation was reopened by Agent 1",
        "Agent 1 removed the priority",
        "Agent 1 added b",
        "Agent 1 removed a",
        "Agent 1 self-assigned this conversation",
    ]
    assert lifecycle.activities({"assignee_id": (2, None)}, ADMIN, None) == ["Conversation unassigned by Admin"]
    assert lifecycle.activities(found, None, None) == []


def test_changed_attributes_have_the_webhooks_form() -> None:
    after = conversation(status="open", labels=["x"], waiting_since=None)
    assert lifecycle.changed_attributes(lifecycle.changes(conversation(), after)) == [
        {"status": {"previous_value": "pending", "current_value": "open"}},
        {"label_list": {"previous_value": [], "current_value": ["x"]}},
        {"waiting_since": {"previous_value": "2026-11-20T02:31:00.000Z", "current_value": None}},
    ]


def test_slow_listener_is_cut_off_and_others_still_hear() -> None:
    hub, slow, quick = Hub(), Listener(), Listener()
    hub.subscribe(slow, "t", "i")
    hub.subscribe(quick, "t", "j")
    for n in range(QUEUE_LIMIT + 1):
        hub.send([Broadcast(frozenset({"t"}), "e", {"n": n})])
        quick.frames.get_nowait()
    assert slow.frames.get_nowait() is None
    hub.send([Broadcast(frozenset({"t"}), "e", {})])
    assert slow.frames.empty()
    assert quick.frames.get_nowait() == '{"identifier":"j","message":{"event":"e","data":{}}}'
    hub.leave(quick)
    hub.send([Broadcast(frozenset({"t"}), "e", {})])
    assert quick.frames.empty()
