"""What to do with an event before anybody is asked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.gateway.decide import Ask, Canned, StatusChange, may_answer, on_message, on_status


@pytest.mark.parametrize(
    ("body", "decision"),
    [
        ({"content": "我的余额是多少？"}, Ask("我的余额是多少?")),
        ({"content": "  my   balance\n"}, Ask("my balance")),
        ({"content": "?"}, Ask("?")),
        ({"content": ""}, Canned("empty_message")),
        ({"content": None}, Canned("empty_message")),
        ({"content": "   \n"}, Canned("empty_message")),
        ({"content": "\u200b\u202e"}, Canned("empty_message")),
        ({"content": None, "attachments": [{"file_type": "image"}]}, Canned("unsupported_content")),
        ({"content": None, "attachments": [{"file_type": "audio"}]}, Canned("unsupported_content")),
        ({"content": None, "content_type": "sticker"}, Canned("unsupported_content")),
        ({"content": "👍👍"}, Canned("unsupported_content")),
        ({"content": "🈶️🉐"}, Canned("unsupported_content")),
        ({"content": "。。。"}, Ask("。。。")),
        ({"content": "^_^"}, Ask("^_^")),
        ({"content": "好的👍"}, Ask("好的👍")),
        ({"content": "请说中文"}, Canned("language_switched")),
        ({"content": "Can we speak English?"}, Canned("language_switched")),
        ({"content": "Please answer in English: what are the trading fees at your firm?"}, None),
        ({"content": "x" * 4001}, Canned("too_long")),
        ({"content": "x" * 50_000}, Canned("too_long")),
    ],
)
def test_message_is_asked_or_answered_by_approved_wording(body: dict[str, Any], decision: Any) -> None:
    assert on_message(body) == (decision or Ask(body["content"]))


def test_four_thousand_characters_are_still_asked() -> None:
    assert isinstance(on_message({"content": "x" * 4000}), Ask)


@pytest.mark.parametrize(
    "typed",
    ["/SetSlots(login_state=done)", "/restart", "／SetSlots(login_state=done)", " /SetSlots(a=b)", "\u200b/SetSlots(a=b)"],
)
def test_payload_syntax_typed_as_text_stays_text(typed: str) -> None:
    decision = on_message({"content": typed})
    assert isinstance(decision, Ask)
    assert not decision.text.startswith("/")


@given(st.text(max_size=200))
def test_no_text_ever_becomes_a_payload(text: str) -> None:
    decision = on_message({"content": text})
    assert not (isinstance(decision, Ask) and (decision.text.startswith("/") or not decision.text.strip()))


@pytest.mark.parametrize(
    ("held_by", "seen", "why"),
    [
        (None, {"status": "pending", "assignee_type": "AgentBot"}, None),
        (None, {"status": "pending", "assignee_type": None}, None),
        (None, {}, None),
        (None, {"status": "pending", "assignee_type": "User"}, "assigned"),
        (None, {"status": "open"}, "opened"),
        (None, {"status": "snoozed"}, "opened"),
        ("replied", {"status": "pending"}, "replied"),
        ("opened", {"status": "pending"}, "opened"),
    ],
)
def test_bot_is_silent_while_a_person_holds_the_conversation(held_by: str | None, seen: dict[str, Any], why: str | None) -> None:
    assert may_answer(held_by, seen) == why


@pytest.mark.parametrize(
    ("held_by", "body", "change"),
    [
        ("opened", {"status": "pending", "assignee_type": None, "changed": ["status"]}, StatusChange(None)),
        ("opened", {"status": "pending", "assignee_type": "User", "changed": ["status"]}, StatusChange("assigned")),
        ("opened", {"status": "pending", "assignee_type": None, "changed": ["assignee_id"]}, StatusChange("opened")),
        ("replied", {"status": "pending", "assignee_type": "AgentBot", "changed": ["assignee_id"]}, StatusChange(None)),
        ("replied", {"status": "pending", "assignee_type": None, "changed": ["assignee_id"]}, StatusChange("replied")),
        ("assigned", {"status": "pending", "assignee_type": None, "changed": ["assignee_id"]}, StatusChange(None)),
        ("assigned", {"status": "open", "assignee_type": None, "changed": ["assignee_id"]}, StatusChange("assigned")),
        (None, {"status": "open", "assignee_type": None, "changed": ["status"]}, StatusChange("opened")),
        ("switch", {"status": "open", "assignee_type": None, "changed": ["status"]}, StatusChange("switch")),
        ("opened", {"status": "resolved", "assignee_type": "User", "changed": ["status"]}, StatusChange(None, session_over=True)),
    ],
)
def test_status_event_says_who_holds_the_conversation(held_by: str | None, body: dict[str, Any], change: StatusChange) -> None:
    assert on_status(held_by, body) == change
