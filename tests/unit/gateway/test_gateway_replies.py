"""From the assistant's answer to Chatwoot messages; and the agent's note."""

import json
from typing import Any

import pytest

from tightrope.gateway import handoff
from tightrope.gateway.assistant import cut_turn, replies_of
from tightrope.gateway.errors import EnvelopeInvalid
from tightrope.gateway.models import Offer, Reply
from tightrope.gateway.replies import citation_line, escape_markdown, harmless, message_drafts, read_answer
from tightrope.gateway.wording import say

CITATION = {
    "n": 1, "document_id": "star-board", "version": "v1", "language": "zh", "title": "科创板[交易]", "section": "开通条件",
    "effective_from": "2026-01-01", "passage_id": "star-board.v1.zh.1", "sha256": "a" * 64,
}  # fmt: skip


def envelope(**fields: Any) -> dict[str, Any]:
    return {"custom": {"envelope": {"v": 1, **fields}}}


def test_texts_buttons_and_envelopes_are_told_apart() -> None:
    answer = read_answer(
        [
            {"recipient_id": "x", "text": " 您好 "},
            {"recipient_id": "x", "text": "确认吗？", "buttons": [{"title": "是", "payload": "/SetSlots(a=true)"}]},
            envelope(kind="handoff", reason="request", priority="normal"),
            envelope(kind="journey", journey="check_balance", event="started"),
        ],
        [],
    )
    assert answer.replies == [Reply("您好"), Reply("确认吗？", (Offer("是", "/SetSlots(a=true)"),))]
    assert answer.handoff is not None
    assert answer.journey == "check_balance"


def test_citations_belong_to_the_text_before_them() -> None:
    answer = read_answer([{"text": "a"}, {"text": "b"}, envelope(kind="citations", items=[CITATION])], [])
    assert [len(r.citations) for r in answer.replies] == [0, 1]


@pytest.mark.parametrize(
    "items",
    [
        {"text": "not a list"},
        ["not an object"],
        [{"custom": {"payload": "something else"}}],
        [{"custom": {"envelope": {"v": 1, "kind": "order", "symbol": "600000"}}}],
        [{"custom": {"envelope": {"v": 2, "kind": "handoff", "reason": "request", "priority": "normal"}}}],
        [{"custom": {"envelope": {"v": 1, "kind": "handoff", "reason": "request", "priority": "normal"}, "more": 1}}],
        [{"custom": {"envelope": "text"}}],
        [{"custom": {"envelope": {"v": 1, "kind": "citations", "items": [CITATION]}}}],
        [{"text": "x", "image": "https://elsewhere.example.test/x.png"}],
        [{"text": "x", "attachment": {}, "elements": [{"a": 1}]}],
        [{"text": "x", "buttons": [{"title": "no payload"}]}],
    ],
)
def test_anything_outside_the_contract_fails_closed(items: Any) -> None:
    with pytest.raises(EnvelopeInvalid):
        read_answer(items, [])


def test_last_message_offers_a_person_with_nonces_nobody_can_guess() -> None:
    drafts = message_drafts(
        [Reply("a"), Reply("b", (Offer("是", "/SetSlots(a=true)"),))],
        language="zh", base_url="http://gw.test", record="r-1", journey="check_balance", offer_person=True, even_if_held=False,
    )  # fmt: skip
    first, last = drafts
    assert first.body["content_type"] == "text"
    assert [item["title"] for item in last.body["content_attributes"]["items"]] == ["是", "转人工"]
    nonces = [nonce for nonce, _ in last.offers]
    assert all(nonce.startswith("tr:") and len(nonce) > 20 for nonce in nonces)
    assert len(set(nonces)) == 2
    assert "/SetSlots" not in str(last.body), "payloads stay with us: the browser gets a nonce"
    assert last.body["content_attributes"]["automated"] == {"label": "自动应答", "record": "r-1"}


def test_person_is_not_offered_twice_nor_when_one_is_coming() -> None:
    def titles(offers: tuple[Offer, ...], *, offer_person: bool) -> list[str]:
        (draft,) = message_drafts(
            [Reply("a", offers)],
            language="en",
            base_url="",
            record="r",
            journey=None,
            offer_person=offer_person,
            even_if_held=False,
        )
        return [o.title for _, o in draft.offers]

    assert titles((Offer("Talk to a person instead", "/SetSlots(login_state=person)"),), offer_person=True) == [
        "Talk to a person instead"
    ]
    assert titles((), offer_person=False) == []


def test_liquid_is_broken_in_everything_that_goes_out() -> None:
    (draft,) = message_drafts(
        [Reply("{{contact.email}} {% if a %}", (Offer("{{x}}", "p"),))],
        language="zh", base_url="", record="r", journey=None, offer_person=False, even_if_held=False,
    )  # fmt: skip
    assert "{{" not in draft.body["content"]
    assert "{%" not in draft.body["content"]
    assert "{{" not in draft.body["content_attributes"]["items"][0]["title"]
    assert harmless("a {b} c") == "a {b} c"


def test_citation_links_to_the_passage_and_its_title_cannot_break_out() -> None:
    line = citation_line(CITATION, "zh", "http://gw.test")
    assert "(http://gw.test/knowledge/star-board/v1/zh?passage=star-board.v1.zh.1#star-board.v1.zh.1)" in line
    assert "科创板\\[交易\\]" in line
    assert "2026-01-01 起生效" in line


def test_turn_is_cut_out_of_a_whole_tracker() -> None:
    events = [
        {"event": "action", "name": "action_session_start"},
        {"event": "user", "text": "a", "metadata": {"turn_id": "one"}},
        {"event": "bot", "text": "A"},
        {"event": "user", "text": "b", "metadata": {"turn_id": "two"}},
        {"event": "bot", "text": "B", "data": {"buttons": [{"title": "t", "payload": "p"}], "custom": {}, "image": None}},
        {"event": "user", "text": "c"},
    ]
    assert cut_turn(events, "three") is None
    assert replies_of(cut_turn(events, "one") or []) == [{"text": "A"}]
    assert replies_of(cut_turn(events, "two") or []) == [{"text": "B", "buttons": [{"title": "t", "payload": "p"}]}]


def situation(**changed: Any) -> handoff.Situation:
    values: dict[str, Any] = {
        "reason": "complaint", "priority": "high", "language": "zh", "verified": True, "journey": "check_balance", "step": "ask_login",
        "said": ["我的身份证是11010519491231002X", "卡号 6222 0200 0000 1234 567", "{{contact.email}} [点我](http://evil.test)"],
        "data": {"amount": "50000", "phone": "13800138000"}, "sources": ["科创板"], "record": "r-9",
    }  # fmt: skip
    return handoff.Situation(**(values | changed))


def test_note_tells_the_agent_what_matters_and_keeps_numbers_out() -> None:
    text = handoff.note(situation())
    for expected in ("投诉", "已验证", "check_balance", "ask_login", "科创板", "r-9", "50000"):
        assert expected in text
    for secret in ("11010519491231002X", "6222 0200", "13800138000", "{{", "](http://evil.test)"):
        assert secret not in text


def test_urgent_handoff_sets_the_priority_before_it_opens() -> None:
    before, after = handoff.drafts(situation(reason="distress", priority="urgent"))
    assert [d.kind for d in before] == ["note", "labels", "priority"]
    assert before[2].body == {"priority": "urgent"}
    assert [d.kind for d in after] == ["open"]
    assert all(d.even_if_held and not d.bot for d in [*before, *after])


def test_given_data_is_what_the_customer_said_not_what_an_action_found() -> None:
    events = [
        {
            "event": "user",
            "parse_data": {
                "commands": [{"command": "set slot", "name": "amount", "value": "5"}, {"command": "start flow", "flow": "f"}]
            },
        },
        {"event": "slot", "name": "balance_outcome", "value": "told"},
    ]
    assert handoff.given_data(events) == {"amount": "5"}


@pytest.mark.parametrize(
    "key", ["disclosure", "login_unavailable", "error", "unsupported_content", "empty_message", "offer_expired"]
)
def test_wording_exists_in_both_languages_and_says_different_things(key: str) -> None:
    assert say(key, "zh") != say(key, "en")


def test_markdown_of_others_is_shown_as_it_is() -> None:
    assert escape_markdown("[a](b) *c* `d`") == "\\[a\\]\\(b\\) \\*c\\* \\`d\\`"


def test_note_tells_of_the_journey_before_the_way_to_a_person() -> None:
    def left(flow: str, step: str) -> dict[str, Any]:
        patch = [{"op": "replace", "path": "", "value": [{"flow_id": flow, "step_id": step}]}]
        return {"event": "stack", "update": json.dumps(patch)}

    said = [{"event": "user", "parse_data": {"commands": [{"command": "set slot", "name": "amount", "value": "5"}]}}]
    context = handoff.remembered(
        {}, journey="check_balance", events=[left("check_balance", "ask_login"), *said], sources=["科创板"]
    )
    context = handoff.remembered(
        context, journey="talk_to_agent", events=[left("talk_to_agent", "hand_over")], sources=["科创板", "费用"]
    )
    assert context == {"journey": "check_balance", "step": "ask_login", "data": {"amount": "5"}, "sources": ["科创板", "费用"]}
    answered = handoff.remembered(context, journey=None, events=[left("check_balance", "ask_login_again")], sources=[])
    assert answered == context | {"step": "ask_login_again"}, "no action says that a journey goes on"


def test_journey_that_waits_for_a_login_is_what_the_turn_was_about() -> None:
    blocked = {"v": 1, "kind": "journey", "journey": "check_balance", "event": "blocked", "why": "login_required"}
    result = read_answer([{"text": "请登录"}, {"custom": {"envelope": blocked}}], [])
    assert (result.journey, result.about) == (None, "check_balance")
    assert read_answer([{"text": "您好"}], []).about is None


@pytest.mark.parametrize("update", ["not json", "{}", "[1, null]", None, 7])
def test_stack_event_of_another_shape_says_nothing(update: Any) -> None:
    assert handoff.last_step([{"event": "stack", "update": update}], "check_balance") is None
