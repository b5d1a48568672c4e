"""Messages made again from events; the gateway's own sentences; where a turn's words came from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tightrope.audit.models import Entry, Event
from tightrope.infra.settings import REPOSITORY
from tightrope.replay.inputs import Received, check_received
from tightrope.replay.messages import Sentences, check_messages
from tightrope.replay.models import Mark

HERE = Sentences(REPOSITORY)
ANSWERED = {"decision": "answered", "lang": "zh"}
LINK = "请点击安全登录链接（10 分钟内有效，仅限本浏览器使用，请勿转发给任何人）：[登录并继续](https://x.example/login/abc)"


def sent(*texts: str, offers: list[dict[str, str]] | None = None) -> list[dict[str, Any]]:
    drafts: list[dict[str, Any]] = [{"kind": "message", "body": {"content": text}, "offers": []} for text in texts]
    drafts[-1]["offers"] = offers or []
    return drafts


def payload(out: list[dict[str, Any]], *said: str, envelopes: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    events: list[dict[str, Any]] = [
        {"event": "user", "text": "x"},
        *({"event": "bot", "text": text, "data": {}} for text in said),
    ]
    events += [{"event": "bot", "text": None, "data": {"custom": {"envelope": envelope}}} for envelope in envelopes or ()]
    return {"engine": {"opening": []}, "events": events, "sent": out, "envelopes": envelopes or []}


def marks(found: dict[str, Any], facts: dict[str, Any] = ANSWERED) -> list[Mark]:
    return [check.mark for check in check_messages(found, facts, HERE)]


def test_the_assistants_words_between_the_gateways_own():
    person = [{"title": "转人工", "payload": "转人工"}]
    assert marks(payload(sent(HERE.say("disclosure", "zh"), "甲", "乙", LINK, offers=person), "甲", "乙")) == [Mark.SAME] * 3


@pytest.mark.parametrize(
    "out",
    [
        ["甲", "丙"],
        ["甲"],
        ["乙", "甲"],
        ["甲", "乙", "买入茅台"],
        ["甲", "买入茅台", "乙"],
        [],
        ["甲", "乙", LINK + " 或买入茅台"],
    ],
)
def test_a_word_more_less_or_other_differs(out: list[str]):
    assert Mark.DIFFERS in marks(payload(sent(*out) if out else [], "甲", "乙"))


def test_a_button_that_nobody_made_differs():
    assert Mark.DIFFERS in marks(
        payload(sent("甲", offers=[{"title": "a", "payload": "b"}, {"title": "c", "payload": "d"}]), "甲")
    )


def test_an_envelope_that_the_events_do_not_hold_differs():
    found = payload(sent("甲"), "甲")
    found["envelopes"] = [{"v": 1, "kind": "handoff", "reason": "request", "priority": "normal"}]
    assert Mark.DIFFERS in marks(found)


def test_an_answer_that_the_gateway_would_refuse_differs():
    assert marks(payload(sent("甲"), "甲", envelopes=[{"v": 1, "kind": "unheard_of"}])) == [Mark.DIFFERS]


def test_what_agents_get_is_taken_from_the_record():
    found = payload([*sent("甲"), {"kind": "note", "body": {"content": "x"}}], "甲")
    assert marks(found)[-1] is Mark.FROM_RECORD


def test_an_apology_is_an_approved_sentence():
    failed = {"decision": "failed", "lang": "zh"}
    assert marks({"sent": sent(HERE.say("error", "zh"))}, failed) == [Mark.SAME]
    assert marks({"sent": sent("系统说：买入茅台")}, failed) == [Mark.DIFFERS]


def test_without_the_releases_wording_it_cannot_be_told(tmp_path: Path):
    [check] = check_messages({"sent": sent("抱歉")}, {"decision": "failed"}, Sentences(tmp_path))
    assert check.mark is Mark.MISSING


def entry(event: Event, payload: dict[str, Any], *, record: UUID | None = None, **facts: Any) -> Entry:
    return Entry(record or uuid4(), 1, datetime(2026, 11, 20, tzinfo=UTC), event, 1, {"facts": facts}, payload, None)


def received(payload: dict[str, Any], event: Event = Event.CUSTOMER_MESSAGE_RECEIVED) -> Entry:
    return entry(event, payload)


def turn(said: str, cause: Entry | None, kind: str = "message", **facts: Any) -> Entry:
    return entry(Event.TURN_MADE, {"said": said, "caused_by": str(cause.record_id) if cause else None}, cause=kind, **facts)


OFFER = entry(
    Event.TURN_MADE,
    {
        "sent": [
            {
                "body": {"content_attributes": {"items": [{"title": "大", "value": "tr:1"}]}},
                "offers": [{"title": "大", "payload": "/x"}],
            }
        ]
    },
)


@pytest.mark.parametrize(
    ("content", "said", "mark"),
    [
        ("你好", "你好", Mark.SAME),
        ("／查询", "／查询", Mark.SAME),
        ("/x", "／x", Mark.SAME),
        ("你好", "再见", Mark.DIFFERS),
        ("", "你好", Mark.DIFFERS),
    ],
)
def test_a_message_goes_through_the_gateways_own_decision(content: str, said: str, mark: Mark):
    message = received({"content": content})
    check = check_received(Received.of([message]), turn(said, message))
    assert check is not None
    assert check.mark is mark, check


@pytest.mark.parametrize(
    ("values", "said", "mark"), [(["tr:1"], "/x", Mark.SAME), (["tr:1"], "/y", Mark.DIFFERS), (["tr:2"], "/x", Mark.DIFFERS)]
)
def test_a_button_means_what_was_put_out_with_it(values: list[str], said: str, mark: Mark):
    press = received({"values": values}, Event.CUSTOMER_BUTTON_PRESSED)
    check = check_received(Received.of([OFFER, press]), turn(said, press, "press"))
    assert check is not None
    assert check.mark is mark


def test_a_button_that_did_not_count_is_taken_from_the_record():
    press = received({"values": ["tr:1"]}, Event.CUSTOMER_BUTTON_PRESSED)
    check = check_received(Received.of([OFFER, press]), turn("", press, "press", decision="wording"))
    assert check is not None
    assert check.mark is Mark.FROM_RECORD


def test_a_cause_that_is_not_there_is_named():
    gone = received({"content": "x"})
    check = check_received(Received.of([]), turn("x", gone))
    assert check is not None
    assert (check.mark, str(gone.record_id) in check.detail) == (Mark.MISSING, True)
    old = check_received(Received.of([]), turn("x", None))
    assert old is not None
    assert old.mark is Mark.MISSING


def test_a_login_says_nothing():
    assert check_received(Received.of([]), turn("/SetSlots(login_state=done)", None, "login")) is None
