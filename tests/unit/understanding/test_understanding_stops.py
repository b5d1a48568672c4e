"""A message that only stops is a cancellation however often it says so; a plain wish beside anger is the wish."""

from __future__ import annotations

import pytest

from tightrope.understanding import dangers, patterns, phrases
from tightrope.understanding.normalise import folded


@pytest.mark.parametrize(
    "text",
    ["取消", "不用了，取消", "算了，不办了，谢谢", "never mind, cancel", "stop, forget it", "cancel that, thanks", "no, cancel."],
)
def test_several_ways_of_stopping_are_one(text: str) -> None:
    assert phrases.cancels(folded(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",,",
        "谢谢",
        "不用了",
        "取消委托",
        "取消，帮我查余额",
        "撤单，取消早上那笔",
        "cancel my order",
        "never mind that, what is my balance",
        "不，我要投诉",
    ],
)
def test_whoever_wants_something_else_as_well_does_not_merely_stop(text: str) -> None:
    assert not phrases.cancels(folded(text))


@pytest.mark.parametrize("text", ["破公司 给我销户", "fed up, close my account", "烂平台，注销我的账户"])
def test_anger_beside_the_wish_to_close_is_no_complaint(text: str) -> None:
    assert not patterns.COMPLAINT.found(folded(text))


@pytest.mark.parametrize("text", ["我要投诉你们不给销户", "I want to complain, you won't close my account", "破公司", "fed up"])
def test_a_complaint_about_closing_stays_a_complaint(text: str) -> None:
    assert patterns.COMPLAINT.found(folded(text))


@pytest.mark.parametrize(
    "text", ["看看我的持仓，哪些该留", "这几只该割哪个，割哪只", "tell me which ones to dump", "what should i keep"]
)
def test_an_opinion_on_what_one_holds_is_advice(text: str) -> None:
    assert patterns.ADVICE.found(folded(text))


@pytest.mark.parametrize(
    "text", ["看看我的持仓", "哪些要交印花税", "what can i keep in a margin account", "which ones were filled"]
)
def test_what_one_holds_is_none(text: str) -> None:
    assert not patterns.ADVICE.found(folded(text))


@pytest.mark.parametrize("text", ["销了户我就解脱了", "活受罪", "他发了朋友圈说要走"])
def test_quiet_words_of_despair_are_heard(text: str) -> None:
    assert dangers.DISTRESS.found(folded(text))
