"""What an auditor sees in the terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tightrope.audit.models import ConversationView, Entry, Event, Finding, Place, Report
from tightrope.audit.render import render_conversation, render_report
from tightrope.audit.trail import said, trail
from tightrope.audit.wording import event_title, labels

AT = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)


def entry(event: str, number: int = 1, payload: dict | None = None, facts: dict | None = None, **changes) -> Entry:
    fields = {
        "record_id": UUID(int=number),
        "place": Place(2026, number),
        "at": AT + timedelta(seconds=number),
        "event": str(event),
        "turn": None,
        "leaf": {"release": "r-0123456789abcdef", "facts": facts or {}},
        "payload": payload or {},
        "problem": None,
    }
    return Entry(**(fields | changes))


TURN = {
    "said": "我能开通融资融券吗",
    "identity": {"customer_id": "C1001", "acr": "2"},
    "commands": [{"command": "start flow", "flow": "check_margin_eligibility"}],
    "understanding": {"source": "rule", "rule": "margin_open"},
    "events": [{"event": "user"}, {"event": "bot", "metadata": {"flow_id": "check_margin_eligibility", "step_id": "show"}}],
    "envelopes": [
        {"kind": "journey", "journey": "check_margin_eligibility", "event": "started"},
        {
            "kind": "evidence",
            "action": "action_check_margin",
            "outcome": "not_met",
            "calls": [{"operation": "getCustomer", "outcome": "ok", "as_of": "2026-11-20T10:31:00+08:00", "sha256": "ab" * 32}],
            "rules": [{"rule": "risk_level", "version": "2026-01-01", "verdict": "met", "inputs": {"level": "C4"}}],
            "passages": [
                {"passage_id": "margin.v1.zh.2", "score": 8123, "used": True},
                {"passage_id": "x", "score": 1, "used": False},
            ],
            "models": [{"model": "qwen@3f9c", "prompt_id": "answer.v1", "outcome": "invalid", "milliseconds": 812}],
        },
        {"kind": "login", "journey": "j", "scopes": ["accounts:read"]},
        {"kind": "handoff", "reason": "request", "priority": "normal"},
    ],
    "sent": [
        {
            "kind": "message",
            "bot": True,
            "body": {"content": "您还差一项条件"},
            "offers": [{"title": "人工服务", "payload": "/x"}],
        },
        {"kind": "message", "bot": False, "body": {"content": "客户已验证", "private": True}, "offers": []},
        {"kind": "status", "bot": False, "body": {"status": "open"}, "offers": []},
    ],
}
VIEW = ConversationView(
    "1-7",
    UUID(int=9),
    (
        entry(
            Event.CUSTOMER_MESSAGE_RECEIVED,
            1,
            {"content": "我能开通融资融券吗", "attachments": [{"file_type": "image", "sha256": "cd" * 32}]},
        ),
        entry(Event.TURN_MADE, 2, TURN, {"decision": "answered", "latency_ms": 120, "assistant_ms": 80}, turn=1),
        entry(Event.OUTBOX_SENT, 3, {"outbox": "o-1"}, {"message_id": 77}),
        entry(Event.MESSAGE_DELETED, 4, {}, {}),
        entry(Event.AGENT_MESSAGE_RECEIVED, 5, {"content": "您好，我是人工客服"}, at=AT + timedelta(days=1)),
    ),
)


def shown(view: ConversationView, language: str = "zh", width: int = 180) -> str:
    out = StringIO()
    render_conversation(view, Console(file=out, width=width, color_system=None), language=language)
    return out.getvalue()


def test_the_conversation_stands_beside_how_it_came_about():
    text = shown(VIEW)
    for part in (
        "我能开通融资融券吗", "您还差一项条件", "[人工服务]", "客户已验证", "内部备注", "人工客服", "cdcdcdcdcdcd", "（已删除）",
        "已验证 · C1001 · 级别 2", "start flow check_margin_eligibility · 来源 rule (margin_open)", "check_margin_eligibility/show",
        "action_check_margin → not_met", "getCustomer → ok", "risk_level 2026-01-01 → met", "margin.v1.zh.2", "accounts:read",
        "request · normal", "latency 120 ms", "全部已封存", "r-0123456789abcdef", "2026-11-21", "10:31:01", "2026/2",
    ):  # fmt: skip
        assert part in text, part
    line = next(line for line in text.splitlines() if "▌ 我能开通融资融券吗" in line)
    assert line.index("▌") < 30


def test_a_long_sentence_without_blanks_is_folded_and_never_cut():
    words = "".join(chr(0x4E00 + n) for n in range(150))
    text = shown(
        ConversationView("1-7", UUID(int=9), (entry(Event.CUSTOMER_MESSAGE_RECEIVED, 1, {"content": words}),)), width=100
    )
    assert not set(words) - set(text)


def test_the_labels_exist_in_both_languages():
    text = shown(VIEW, "en")
    for part in (
        "Customer",
        "Assistant",
        "Private note",
        "verified · C1001 · level 2",
        "all sealed",
        "How it came about",
        "(deleted)",
    ):
        assert part in text, part
    assert set(labels("zh")) == set(labels("en"))
    assert all(labels("zh").values())
    assert all(labels("en").values())
    for event in Event:
        assert event_title(event, "en") != str(event)
        assert any("一" <= letter <= "鿿" for letter in event_title(event, "zh"))


def test_what_is_unsealed_or_unreadable_is_said():
    broken = entry(Event.TURN_MADE, 1, {}, place=None, leaf={}, problem="the ciphertext does not open", turn=1)
    text = shown(ConversationView("1-7", UUID(int=9), (broken,)))
    assert "1 条待封存" in text
    assert "the ciphertext does not open" in text
    assert "无法读取的记录" in text


def test_an_unknown_event_is_shown_by_its_fields():
    lines = [line.text for line in trail(entry("future:thing:done", 1, {"a": {"b": 1}, "empty": None, "long": "x" * 500}), "en")]
    assert "future:thing:done" in lines
    assert '{"b": 1}' in lines
    assert any(line.endswith("…") for line in lines)
    assert list(said(entry("future:thing:done"), "en")) == []


@pytest.mark.parametrize("event", list(Event))
def test_every_event_can_be_shown_even_empty(event):
    assert str(event) in shown(ConversationView("1-7", uuid4(), (entry(event, turn=1),)), width=200)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*TURN, "content", "kind", "body", "metadata", "rules"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(list(Event)),
    st.dictionaries(st.sampled_from([*TURN, "content", "attachments", "deleted"]), json_values, max_size=7),
)
def test_no_payload_breaks_the_page(event, payload):
    shown(ConversationView("1-7", UUID(int=1), (entry(event, 1, payload, {"decision": "x"}, turn=1),)), width=100)


def test_markup_and_control_characters_of_a_customer_stay_text():
    text = shown(
        ConversationView(
            "1-7",
            UUID(int=1),
            (entry(Event.CUSTOMER_MESSAGE_RECEIVED, 1, {"content": "[bold]x[/bold] \x1b[2Jy\u202egpj\ud83d"}),),
        )
    )
    assert "[bold]x[/bold]" in text
    assert "<1b>[2Jy<202e>gpj<d83d>" in text
    assert "\x1b" not in text


def test_a_report_says_what_is_wrong_and_where():
    report = Report(sealed=9, unsealed=1, segments=2, store="local folder, not WORM", heads={2026: "ab" * 32}, not_listed=3)
    out = StringIO()
    render_report(report, Console(file=out, width=120, color_system=None))
    assert "完整，未被改动" in out.getvalue()
    assert "not WORM" in out.getvalue()
    report.altered.append(Finding("leaf", "the leaf is not the one that was sealed", Place(2026, 3), UUID(int=3)))
    report.missing.append(Finding("content", "gone"))
    report.notes.append("a note")
    out = StringIO()
    render_report(report, Console(file=out, width=160, color_system=None), language="en")
    for part in (
        "altered or is incomplete",
        "2026/3",
        str(UUID(int=3)),
        "not the one that was sealed",
        "gone",
        "a note",
        "3 more",
    ):
        assert part in out.getvalue(), part


def test_view_and_report_are_plain_json():
    read = json.loads(json.dumps(VIEW.to_json()))
    assert [record["place"] for record in read["records"]] == [f"2026/{n}" for n in range(1, 6)]
    report = Report(sealed=2, missing=[Finding("record", "gone", Place(2026, 2), UUID(int=2)), Finding("content", "gone")])
    read = json.loads(json.dumps(report.to_json()))
    assert (read["ok"], read["sealed"]) == (False, 2)
    assert [finding["record_id"] for finding in read["missing"]] == [str(UUID(int=2)), None]
