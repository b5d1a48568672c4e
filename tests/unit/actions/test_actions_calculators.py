"""The calculators and the trading calendar: every figure is the rule's, in the customer's words; refusals in words; the way recorded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from actions_fakes import NOW, RULE_DATA, FakeContext, run, tracker
from hypothesis import given
from hypothesis import strategies as st

from actions import context
from actions.calculators import (
    MARKETS,
    AskInterestUntil,
    CalculateCompoundGrowth,
    CalculateMarginInterest,
    CalculateTradingCost,
)
from actions.trading_calendar import AskCalendarDay, CheckTradingCalendar
from actions.verdicts import ExplainVerdict
from tightrope.rules.calculator_text import CalculatorWording

SELL = {"trade_market": "a_share", "trade_side": "sell", "trade_price": 12.3, "trade_quantity": 1000.0}


def on(flow: str, language: str = "zh", **slots: Any) -> Any:
    return tracker(flow, language=language, slots=slots)


async def test_a_sale_shows_costs_proceeds_and_the_way_to_them(fake: FakeContext) -> None:
    done = await run(CalculateTradingCost(), on("calculate_trading_cost", **SELL))
    message = done.message("utter_trading_cost_sell")
    assert (message["amount"], message["total"], message["net"]) == ("12,300.00 元", "11.27 元", "12,288.73 元")
    assert (message["market"], message["day"]) == ("沪深A股", "2026年11月20日")
    assert "印花税：12,300.00 × 0.05% = 6.15 元" in message["steps"]
    assert done.slots == {"verdict_subject": "a_share", "calculation_outcome": "shown", "last_verdict": "trading_cost"}
    assert done.envelope("journey")["event"] == "completed"
    (rule,) = done.evidence["rules"]
    assert (rule["rule"], rule["inputs"]["amount"]) == ("trading_costs", "12300.0")
    assert "calls" not in done.evidence


async def test_an_amount_is_enough(fake: FakeContext) -> None:
    slots = {"trade_market": "hk_connect", "trade_side": "buy", "trade_amount": 50000.0}
    done = await run(CalculateTradingCost(), on("calculate_trading_cost", "en", **slots))
    message = done.message("utter_trading_cost_buy")
    assert message["net"] == "HKD 50,068.86"
    assert message["market"] == "southbound Stock Connect"


async def test_shanghai_and_shenzhen_cost_the_same_so_one_button_is_enough() -> None:
    day = NOW.date()
    assert RULE_DATA.costs.rates("sse", day) == RULE_DATA.costs.rates("szse", day)
    assert set(MARKETS.values()) <= set(RULE_DATA.costs.markets)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trade_price": 1e9}, "价格须在 0.001 至 1,000,000 之间"),
        ({"trade_price": 12.3456}, "价格最多 3 位小数"),
        ({"trade_quantity": 10.5}, "数量最多 0 位小数"),
        ({"trade_quantity": None}, "没有读懂数量"),
        ({"trade_price": None, "trade_quantity": None}, "没有读懂成交金额"),
    ],
)
async def test_what_the_rule_refuses_is_told_and_leaves_nothing_to_explain(
    fake: FakeContext, changes: dict[str, Any], words: str
) -> None:
    done = await run(CalculateTradingCost(), on("calculate_trading_cost", **(SELL | changes)))
    assert words in done.message("utter_calculation_refused")["reason"]
    assert done.slots == {"calculation_outcome": "refused", "last_verdict": None}


async def test_a_market_that_no_button_offers_is_a_failure_and_no_figure(fake: FakeContext) -> None:
    done = await run(CalculateTradingCost(), on("calculate_trading_cost", **(SELL | {"trade_market": "nasdaq"})))
    assert done.slots == {"calculation_outcome": "unavailable", "last_verdict": None}
    assert done.said == []


async def test_interest_counts_calendar_days_from_today(fake: FakeContext) -> None:
    slots = {"interest_amount": 100000.0, "interest_until": "2026-12-20"}
    done = await run(CalculateMarginInterest(), on("calculate_margin_interest", **slots))
    message = done.message("utter_margin_interest")
    assert (message["days"], message["interest"]) == ("30", "541.67 元")
    assert done.slots == {"calculation_outcome": "shown", "last_verdict": "margin_interest"}


@pytest.mark.parametrize("until", ["2026-11-19", "2040-01-01", "soon", None])
async def test_a_day_of_repayment_that_cannot_be_is_asked_again(fake: FakeContext, until: str | None) -> None:
    slots = {"interest_amount": 100000.0, "interest_until": until}
    done = await run(CalculateMarginInterest(), on("calculate_margin_interest", "en", **slots))
    assert done.slots["calculation_outcome"] == "refused_term"


async def test_today_in_shanghai_is_the_first_day_of_a_loan(fake: FakeContext) -> None:
    fake.clock.at = NOW.replace(hour=16, minute=0)
    slots = {"interest_amount": 100.0, "interest_until": "2026-11-20"}
    assert (await run(CalculateMarginInterest(), on("calculate_margin_interest", **slots))).slots == {
        "calculation_outcome": "refused_term",
        "last_verdict": None,
    }


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_question_for_repayment_offers_days_counted_from_today(fake: FakeContext, language: str) -> None:
    done = await run(AskInterestUntil(), on("calculate_margin_interest", language))
    buttons = done.message("utter_interest_until")["buttons"]
    assert [button["payload"] for button in buttons] == [
        f"/SetSlots(interest_until={day})" for day in ("2026-12-20", "2027-02-20", "2027-05-20")
    ]
    assert buttons[0]["title"] == ("30天（2026年12月20日）" if language == "zh" else "30 days (20 Dec 2026)")


@pytest.mark.parametrize(
    ("kind", "amount", "rate", "months", "value"),
    [
        ("lump_sum", 100000.0, 5.0, 120.0, "162,889.46 元"),
        ("lump_sum", 2000.0, 3.0, 18.0, "2,091.94 元"),
        ("monthly_saving", 2000.0, 3.0, 60.0, "129,293.43 元"),
        ("yearly_saving", 1000.0, 5.0, 36.0, "3,152.50 元"),
        ("monthly_saving", 1000.0, 0.0, 24.0, "24,000.00 元"),
    ],
)
async def test_growth_follows_the_customers_assumption(
    fake: FakeContext, kind: str, amount: float, rate: float, months: float, value: str
) -> None:
    slots = {"growth_kind": kind, "growth_amount": amount, "growth_rate": rate, "growth_term": months}
    done = await run(CalculateCompoundGrowth(), on("calculate_compound_growth", **slots))
    assert done.message("utter_growth")["value"] == value
    assert done.slots["last_verdict"] == "growth"


@pytest.mark.parametrize(
    ("kind", "months", "outcome"),
    [("yearly_saving", 18.0, "refused_term"), ("lump_sum", 1201.0, "refused_term"), ("lump_sum", 1.5, "refused_term")],
)
async def test_a_term_that_cannot_be_is_asked_again(fake: FakeContext, kind: str, months: float, outcome: str) -> None:
    slots = {"growth_kind": kind, "growth_amount": 1.0, "growth_rate": 5.0, "growth_term": months}
    done = await run(CalculateCompoundGrowth(), on("calculate_compound_growth", "en", **slots))
    assert done.slots["calculation_outcome"] == outcome


async def test_a_rate_is_exact_as_it_was_typed(fake: FakeContext) -> None:
    slots = {"growth_kind": "lump_sum", "growth_amount": 1000000000000.0, "growth_rate": 0.1, "growth_term": 12.0}
    done = await run(CalculateCompoundGrowth(), on("calculate_compound_growth", **slots))
    assert done.message("utter_growth")["value"] == "1,001,000,000,000.00 元"


@pytest.mark.parametrize(
    ("market", "day", "response", "words"),
    [
        ("mainland", "2026-11-20", "utter_trading_day_open", "2026年11月20日（星期五）：沪深北A股市场是交易日"),
        ("hk", "2026-12-24", "utter_trading_day_open", "半日市"),
        ("hk_connect", "2026-12-25", "utter_trading_day_closed", "节假日休市"),
        ("mainland", "2026-10-01", "utter_trading_day_closed", "节假日休市"),
        ("mainland", "2026-11-21", "utter_trading_day_closed", "周末休市"),
        ("hk", "2024-09-06", "utter_trading_day_closed", "临时停市"),
    ],
)
async def test_days_are_told_as_the_exchanges_published_them(
    fake: FakeContext, market: str, day: str, response: str, words: str
) -> None:
    done = await run(CheckTradingCalendar(), on("check_trading_calendar", calendar_market=market, calendar_day=day))
    assert words in done.message(response)["lines"]
    assert done.slots["last_verdict"] == "trading_calendar"


async def test_settlement_and_the_next_trading_day_are_named(fake: FakeContext) -> None:
    open_day = await run(
        CheckTradingCalendar(), on("check_trading_calendar", "en", calendar_market="mainland", calendar_day="2026-11-20")
    )
    assert "can be sold from 23 Nov 2026 (T+1)" in open_day.message("utter_trading_day_open")["settlement"]
    closed = await run(
        CheckTradingCalendar(), on("check_trading_calendar", calendar_market="mainland", calendar_day="2026-10-01")
    )
    message = closed.message("utter_trading_day_closed")
    assert (message["next_day"], message["next_weekday"]) == ("2026年10月8日", "星期四")


async def test_the_last_day_on_file_does_not_guess_what_comes_after(fake: FakeContext) -> None:
    last = on("check_trading_calendar", calendar_market="mainland", calendar_day="2026-12-31")
    message = (await run(CheckTradingCalendar(), last)).message("utter_trading_day_open")
    assert "2027 年的交易日历暂未收录" in message["settlement"]
    assert "T+1" not in message["settlement"]


@pytest.mark.parametrize("day", ["2027-01-04", "2023-12-29", "国庆", None])
async def test_a_year_that_is_not_published_is_refused(fake: FakeContext, day: str | None) -> None:
    done = await run(CheckTradingCalendar(), on("check_trading_calendar", calendar_market="hk", calendar_day=day))
    assert done.said == ["utter_calendar_refused"]
    assert done.slots == {"calculation_outcome": "refused_term", "last_verdict": None}


async def test_the_question_for_a_day_offers_today_and_tomorrow(fake: FakeContext) -> None:
    fake.clock.at = NOW.replace(hour=16)
    buttons = (await run(AskCalendarDay(), on("check_trading_calendar", "en"))).message("utter_calendar_day")["buttons"]
    assert [b["title"] for b in buttons] == ["Today (21 Nov 2026)", "Tomorrow (22 Nov 2026)"]


@pytest.mark.parametrize(
    ("verdict", "subject", "words"),
    [
        ("trading_cost", "bse", "经手费：0.0125%，已包含在佣金内，2023年8月28日 起"),
        ("trading_cost", "hk_connect", "股份交收费：0.0042%，买卖双向收取，2025年6月30日 起"),
        ("margin_interest", None, "融资年利率 6.5%（2023年2月17日 起）"),
        ("growth", None, "终值 = 本金 ×"),
        ("trading_calendar", "hk", "已收录 2024 至 2026 年"),
    ],
)
async def test_why_names_rules_sources_and_version_without_a_login(
    fake: FakeContext, verdict: str, subject: str | None, words: str
) -> None:
    done = await run(ExplainVerdict(), on("explain_verdict", last_verdict=verdict, verdict_subject=subject))
    message = done.message("utter_calculation_why")
    assert words in message["rules"]
    assert "规则数据版本：2026." in message["basis"]
    assert done.slots == {"explanation_outcome": "explained"}


async def test_a_broken_wording_gives_no_half_result(fake: FakeContext) -> None:
    class Silent(CalculatorWording):
        def __init__(self) -> None:
            self._data = {"terms": {}, "steps": {}, "labels": {}, "refusals": {}, "phrases": {}}

    fake.rules = RULE_DATA.__class__(**{**vars(RULE_DATA), "calculators": Silent()})
    done = await run(CalculateTradingCost(), on("calculate_trading_cost", **SELL))
    assert done.said == []
    assert done.slots == {"calculation_outcome": "unavailable", "last_verdict": None}


@given(price=st.decimals("0.01", "5000", places=2), quantity=st.integers(1, 1_000_000))
async def test_what_a_float_slot_holds_is_what_was_typed(price: Any, quantity: int) -> None:
    fake = FakeContext()
    context.use(fake)  # type: ignore[arg-type]
    slots = SELL | {"trade_price": float(price), "trade_quantity": float(quantity)}
    done = await run(CalculateTradingCost(), on("calculate_trading_cost", **slots))
    context.use(None)
    assert Decimal(done.evidence["rules"][0]["inputs"]["amount"]) == price * quantity
