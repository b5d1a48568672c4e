"""What customers type to bring things to a stop: endless words, words at the wrong place, lines made for the evaluation."""

from __future__ import annotations

import time
from datetime import date

import pytest

from actions.contact import holds_a_new_value
from tightrope.cli.understand import read
from tightrope.infra.settings import REPOSITORY
from tightrope.understanding import phrases, rules, slots
from tightrope.understanding.filling import Typed
from tightrope.understanding.models import REPEAT, Request
from tightrope.understanding.normalise import folded

LONG = 72_000
"""A message of 4,000 characters may have so many once it is normalised: one ligature stands for eighteen letters."""


@pytest.mark.parametrize("unit", ["a", "1", "路一", "一", "1a", "a@", "a.", "1 ", "路", "٣", "@a.", "十 "])
def test_no_message_keeps_the_search_for_contact_details_busy(unit: str) -> None:
    started = time.process_time()
    holds_a_new_value(unit * (LONG // len(unit)))
    assert time.process_time() - started < 1.5


@pytest.mark.parametrize(
    "text",
    [
        "新邮箱 someone.else+x@example.com",
        "x at a@b.cn",
        "地址改成人民路128号",
        "学院南路三十八号院五号楼",
        "move to 1288 Long River North Road",
        "138 0000 0042",
    ],
)
def test_a_new_value_is_still_seen(text: str) -> None:
    assert holds_a_new_value(text)


@pytest.mark.parametrize("text", ["我已登录", "我已经登录", "已登录", "我登录了", "登录好了", "I have logged in", "logged in"])
def test_who_says_to_have_logged_in_answers_the_login_and_reports_no_fraud(text: str) -> None:
    assert phrases.LOGGED_IN.search(folded(text))
    book = slots.load(REPOSITORY / "data" / "understanding")
    asked = Request.model_validate(
        {"v": 1, "message": text, "flow": {"id": "close_account", "slot": "closure_reason"}, "flows": []}
    )
    decision = rules.decide(asked, folded(text), Typed(book, date(2026, 11, 20)))
    assert decision is not None
    assert decision.commands == (REPEAT,)


@pytest.mark.parametrize(
    "text", ["登录", "不是我登录的", "有人登录了我的账户", "登录不了", "someone logged in", "I can't log in"]
)
def test_a_login_that_is_somebody_elses_or_fails_is_not_taken_for_that(text: str) -> None:
    assert not phrases.LOGIN_TOLD.found(folded(text))


@pytest.mark.parametrize("identifier", ["[" * 300 + "]" * 300, "null", "1.5", '{"a": 1}', "1e309"])
def test_a_line_whose_id_could_not_be_printed_again_is_refused_by_its_number(identifier: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        list(read(f'{{"id": {identifier}, "text": "查余额"}}'.encode()))
