"""Fraud, distress, declined wishes and passwords, played through the engine with the real actions over fakes."""

from __future__ import annotations

import re

import pytest
from rasa_played import Play

BALANCE = "start flow check_balance"
FRAUD = "start flow report_fraud"
PASSWORD = "start flow reset_password"
ADVICE = "start flow decline_investment_advice"
TRADE = "start flow decline_trade_instruction"
PERSON = "start flow talk_to_agent"
PRODUCTS = (
    "茅台",
    "600519",
    "Kweichow",
    "Moutai",
    "招商银行",
    "510300",
    "腾讯",
    "衡远稳健",
    "Apple",
    "AAPL",
    "比特币",
    "100",
    "5万",
)


def test_fraud_brings_the_words_and_a_person_at_once_without_a_login(play: Play) -> None:
    (said,) = play.say("我被骗了，刚转了钱", FRAUD)
    assert play.envelopes("handoff") == [{"v": 1, "kind": "handoff", "reason": "fraud", "priority": "urgent"}]
    assert play.envelopes("login") == []
    assert play.buttons == []
    assert "96110" in said
    assert re.search(r"(?<!\d)110(?!\d)", said)
    for word in (
        ("停止转账", "验证码", "紧急冻结") if play.language == "zh" else ("Stop all transfers", "no code", "Emergency freeze")
    ):
        assert word in said
    assert play.talk.state.stack == []
    assert play.talk.slot("handoff_reason") is None


@pytest.mark.parametrize("logged_in", [True, False])
def test_fraud_interrupts_any_journey_for_good(play: Play, logged_in: bool) -> None:
    if logged_in:
        play.fake.log_in()
    play.say("password", PASSWORD)
    play.say("balance", BALANCE)
    assert len(play.say("help", FRAUD)) == 1
    assert play.envelopes("handoff")[0]["reason"] == "fraud"
    assert play.talk.state.stack == []


def test_fraud_said_together_with_another_wish_reaches_the_person(play: Play) -> None:
    play.say("被骗了，再查余额", FRAUD, BALANCE)
    assert [e["reason"] for e in play.envelopes("handoff")] == ["fraud"]
    assert play.talk.state.stack == []


def test_with_the_journey_switched_off_fraud_still_comes_first_in_the_queue(play: Play) -> None:
    play.fake.switches.scopes = frozenset({"journey:report_fraud"})
    play.say("scam", FRAUD)
    assert play.envelopes("handoff") == [{"v": 1, "kind": "handoff", "reason": "switch", "priority": "urgent"}]
    assert play.talk.slot("handoff_reason") is None


def test_a_reason_of_before_does_not_stick_to_fraud_or_the_next_request(play: Play) -> None:
    play.say("scam", FRAUD)
    play.say("person", PERSON)
    assert play.envelopes("handoff")[0]["reason"] == "request"


def test_an_action_server_that_fails_still_brings_a_person(play: Play) -> None:
    async def broken() -> frozenset[str]:
        raise ConnectionError

    play.fake.switches.off = broken  # type: ignore[method-assign]
    play.may_fail = True
    play.say("scam", FRAUD)
    assert play.envelopes("handoff")[0]["reason"] == "error"


@pytest.mark.parametrize("reason", ["distress", "coercion", "vulnerable"])
@pytest.mark.parametrize("before", [[], [BALANCE], [PASSWORD], [PASSWORD, BALANCE], [ADVICE]])
def test_need_comes_before_whatever_runs_and_leaves_nothing_of_it(play: Play, before: list[str], reason: str) -> None:
    for command in before:
        play.say("x", command)
    (said,) = play.say("help", PERSON, f"set slot handoff_reason {reason}")
    assert play.envelopes("handoff") == [{"v": 1, "kind": "handoff", "reason": reason, "priority": "urgent"}]
    assert play.buttons == []
    assert "{" not in said
    assert play.talk.state.stack == []
    # Whatever comes next does not bring the old journey back.
    assert len(play.say("你好", "start flow greet")) == 1
    assert play.talk.state.stack == []


@pytest.mark.parametrize("flow", [ADVICE, TRADE])
@pytest.mark.parametrize("product", PRODUCTS)
def test_a_declined_wish_is_never_carried_back(play: Play, flow: str, product: str) -> None:
    (said,) = play.say(f"{product} 能买吗，帮我买 {product}", flow)
    assert product not in said
    for button in play.replies[0].get("buttons", ()):
        assert product not in button["title"] + button["payload"]
    assert play.envelopes("handoff") == []
    assert play.talk.state.stack == []
    assert product not in str(play.talk.state.slots)


def test_declining_says_why_and_names_the_lawful_way(play: Play) -> None:
    (advice,) = play.say("推荐一只股票", ADVICE)
    assert ("具备投资顾问资格" if play.language == "zh" else "licensed investment adviser") in advice
    (trade,) = play.say("帮我卖掉", TRADE)
    assert ("没有形成任何委托" if play.language == "zh" else "has not become an order") in trade
    assert ("App" if play.language == "zh" else "app") in trade


def test_declining_in_the_middle_of_a_journey_keeps_the_journey(play: Play) -> None:
    play.say("password", PASSWORD)
    play.say("推荐一只股票", ADVICE)
    play.press("继续" if play.language == "zh" else "Continue")
    assert play.talk.flow() == "reset_password"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("login", ("忘记密码", "Forgot password")),
        ("funds", ("资金密码", "funds password")),
        ("locked", ("次日0:00", "0:00 next day")),
        ("no_code", ("手机号已停用", "My number no longer works")),
    ],
)
def test_each_password_problem_leads_to_the_apps_own_way(play: Play, answer: str, words: tuple[str, str]) -> None:
    play.say("forgot", PASSWORD)
    assert len(play.buttons) == 4
    (said,) = play.say(f"/SetSlots(password_problem={answer})")
    assert words[play.language == "en"] in said
    assert play.envelopes("login") == []
    assert play.talk.state.stack == []


def test_a_typed_password_is_warned_about_once_and_never_repeated(play: Play) -> None:
    warned, _ = play.say("忘记密码 以前是 731946", PASSWORD)
    assert "731946" not in warned
    (way,) = play.say("交易密码 731946", "set slot password_problem login")
    assert "731946" not in way


def test_a_password_typed_with_the_answer_is_warned_about_too(play: Play) -> None:
    (_,) = play.say("忘记密码", PASSWORD)
    assert len(play.say("资金密码，是 731946", "set slot password_problem funds")) == 2
    (_,) = play.say("忘记密码", PASSWORD)


def test_a_wish_said_with_the_problem_is_answered_without_a_question(play: Play) -> None:
    assert len(play.say("账户被锁了", PASSWORD, "set slot password_problem locked")) == 1
    assert play.talk.state.stack == []
