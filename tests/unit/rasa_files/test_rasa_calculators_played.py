"""The calculators and the calendar played through the engine with their real actions: corrections, another go, interruptions."""

from __future__ import annotations

import pytest
from rasa_played import Play

COST = "start flow calculate_trading_cost"
GREET = "start flow greet"


def sold(play: Play) -> list[str]:
    given = (
        "set slot trade_market a_share",
        "set slot trade_side sell",
        "set slot trade_price 12.3",
        "set slot trade_quantity 1000",
    )
    return play.say("sell", COST, *given)


def test_what_the_first_message_tells_is_not_asked(play: Play) -> None:
    result, question = sold(play)
    assert "11.27" in result
    assert play.envelopes("login") == []
    assert play.buttons
    assert "12,288.73" not in question


def test_a_correction_after_the_result_computes_anew(zh: Play) -> None:
    sold(zh)
    corrected, result, _ = zh.say("不对，是买入", "set slot trade_side buy")
    assert corrected.startswith("好的")
    assert "5.12" in result


def test_the_other_side_is_one_tap(zh: Play) -> None:
    sold(zh)
    assert "5.12" in zh.press("买卖方向换一下")[0]
    assert "11.27" in zh.press("买卖方向换一下")[0]


def test_another_quantity_asks_for_price_and_quantity_alone(zh: Play) -> None:
    sold(zh)
    assert "价格" in zh.press("换个金额或数量")[0]
    assert "数量" in zh.say("20元", "set slot trade_price 20")[0]
    assert "20,000.00" in zh.say("1000", "set slot trade_quantity 1000")[0]


def test_another_market_keeps_the_figures(zh: Play) -> None:
    sold(zh)
    zh.press("换个市场")
    assert "12,300.00 港元" in zh.press("港股通")[0]


def test_nothing_is_unfinished_once_the_result_is_shown(play: Play) -> None:
    sold(play)
    (greeting,) = play.say("hello", GREET)
    assert greeting
    assert play.talk.state.stack == []


def test_before_the_result_going_on_is_offered(play: Play) -> None:
    play.say("cost", COST)
    assert len(play.say("hello", GREET)) == 2
    assert play.press("继续" if play.language == "zh" else "Continue")
    assert play.talk.state.stack[0]["flow_id"] == "calculate_trading_cost"


def test_a_question_after_a_changed_mind_is_unfinished_again(play: Play) -> None:
    sold(play)
    play.press("换个金额或数量" if play.language == "zh" else "Another amount or quantity")
    assert len(play.say("hello", GREET)) == 2


def test_the_answers_are_forgotten_with_the_journey(play: Play) -> None:
    sold(play)
    play.press("不用了" if play.language == "zh" else "No, thank you")
    for slot in ("trade_market", "trade_side", "trade_price", "trade_quantity", "trade_next", "result_shown"):
        assert play.talk.slot(slot) is None


@pytest.mark.parametrize("amount", ["0", "-5"])
def test_a_figure_that_is_not_above_zero_is_refused_at_once(zh: Play, amount: str) -> None:
    zh.say("go", COST, "set slot trade_market fund", "set slot trade_side buy", "set slot trade_amount 100")
    said = zh.say("x", f"set slot trade_amount {amount}")
    assert "大于 0" in said[1]
    assert zh.talk.slot("trade_amount") is None


def test_what_the_rule_refuses_is_asked_again_with_the_bounds(zh: Play) -> None:
    said = zh.say("go", COST, "set slot trade_market fund", "set slot trade_side buy", "set slot trade_amount 1e12")
    assert "0.01 至 100,000,000,000" in said[0]
    assert "成交金额是多少元" in said[1]


def test_why_follows_every_result_without_a_login(play: Play) -> None:
    sold(play)
    (said,) = play.say("why", "start flow explain_verdict")
    assert "0.05%" in said
    assert play.talk.state.stack == []


def test_two_calculations_one_in_the_other(zh: Play) -> None:
    zh.say("interest", "start flow calculate_margin_interest", "set slot interest_amount 100000")
    assert "11.27" in sold(zh)[0]
    said = zh.press("不用了")
    assert said[-1].startswith("刚才的业务还没有办完")
    zh.press("继续")
    assert "541.67" in zh.say("30天", "set slot interest_until 2026-12-20")[0]


def test_a_switched_off_calculator_computes_nothing(play: Play) -> None:
    play.fake.switches.scopes = frozenset({"journey:calculate_trading_cost"})
    assert len(sold(play)) == 1
    assert play.envelopes("handoff")[0]["reason"] == "switch"
    assert play.talk.state.stack == []


def test_growth_says_that_nothing_is_promised(play: Play) -> None:
    given = (
        "set slot growth_kind lump_sum",
        "set slot growth_amount 100000",
        "set slot growth_rate 5",
        "set slot growth_term 120",
    )
    said = play.say("growth", "start flow calculate_compound_growth", *given)[0]
    assert "162,889.46" in said
    assert ("不构成收益承诺" if play.language == "zh" else "no promise of a return") in said


def test_a_closed_day_names_the_next_one_and_another_day_can_follow(zh: Play) -> None:
    calendar = ("start flow check_trading_calendar", "set slot calendar_market mainland", "set slot calendar_day 2026-10-01")
    assert "下一个交易日：2026年10月8日" in zh.say("国庆开市吗", *calendar)[0]
    assert zh.press("换个日期") == ["想查哪一天？可以说“下周五”“12月25日”。"]
    assert "是交易日" in zh.press("今天（2026年11月20日）")[0]
