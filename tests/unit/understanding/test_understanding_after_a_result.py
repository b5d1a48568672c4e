"""Beside "anything else to compute?" a customer may thank, greet, ask why or say no: none of these repeats the result."""

from __future__ import annotations

import json
from datetime import date

import pytest
from understanding_data import DATA

from actions.journeys import journeys
from tightrope.understanding import quantities, rules, slots
from tightrope.understanding.dates import find_days
from tightrope.understanding.filling import Typed, anew, opening
from tightrope.understanding.models import ActiveFlow, FlowOffer, FlowSlot, Request, SetSlot, SlotOffer, StartFlow
from tightrope.understanding.normalise import folded

TYPED = Typed(slots.load(DATA), date(2026, 11, 22))
VALUES = ["figures", "side", "market", "done"]


def after_result(message: str) -> tuple[object, ...]:
    given = [FlowSlot(name=name, given=True) for name in ("trade_market", "trade_side", "trade_amount")]
    flow = ActiveFlow(
        id="calculate_trading_cost",
        slot="trade_next",
        slot_type="categorical",
        allowed_values=VALUES,
        slots=[*given, FlowSlot(name="trade_price"), FlowSlot(name="trade_quantity"), FlowSlot(name="trade_next")],
    )
    offers = [FlowOffer(id=flow_id) for flow_id in ("explain_verdict", "greet", "talk_to_agent", "calculate_trading_cost")]
    found = rules.decide(Request(v=1, message=message, flow=flow, flows=offers), folded(message), TYPED)
    return found.commands if found else ()


@pytest.mark.parametrize(
    "message", ["不用了", "谢谢", "好的，谢谢", "算了", "没有了", "no", "no thanks", "thank you", "that's all"]
)
def test_no_and_thanks_close_the_calculation(message: str) -> None:
    assert after_result(message) == (SetSlot("trade_next", "done"),)


@pytest.mark.parametrize(
    "message", ["为什么是这个结果？", "怎么算出来的", "how did you get this", "依据是什么", "why?", "what is this based on"]
)
def test_why_is_about_the_result(message: str) -> None:
    assert after_result(message) == (StartFlow("explain_verdict"),)


@pytest.mark.parametrize("message", ["你好", "what can you do"])
def test_a_greeting_is_answered(message: str) -> None:
    assert after_result(message) == (StartFlow("greet"),)


@pytest.mark.parametrize(
    ("message", "slot", "value"),
    [
        ("不对，是卖出", "trade_side", "sell"),
        ("换成8万", "trade_amount", "80000"),
        ("no, make it 80k", "trade_amount", "80000"),
        ("换个市场", "trade_next", "market"),
        ("另外再算一笔", "trade_next", "figures"),
        ("another amount", "trade_next", "figures"),
    ],
)
def test_changes_are_understood(message: str, slot: str, value: str) -> None:
    assert after_result(message) == (SetSlot(slot, value),)


def test_before_the_result_thanks_ask_the_question_again() -> None:
    flow = ActiveFlow(id="calculate_trading_cost", slot="trade_side", allowed_values=["buy", "sell"])
    found = rules.decide(Request(v=1, message="谢谢", flow=flow, flows=[FlowOffer(id="greet")]), "谢谢", TYPED)
    assert found is not None
    assert found.commands == (rules.REPEAT,)


@pytest.mark.parametrize(
    ("message", "day"),
    [
        ("30天", "2026-12-22"),
        ("3个月", "2027-02-22"),
        ("半年", "2027-05-22"),
        ("90", "2027-02-20"),
        ("12月31日", "2026-12-31"),
        ("three months", "2027-02-22"),
        ("90 days", "2027-02-20"),
        ("一年", "2027-11-22"),
    ],
)
def test_a_length_of_time_is_a_day_from_today(message: str, day: str) -> None:
    flow = ActiveFlow(
        id="calculate_margin_interest",
        slot="interest_until",
        slots=[FlowSlot(name="interest_amount", given=True), FlowSlot(name="interest_until")],
    )
    found = rules.decide(Request(v=1, message=message, flow=flow), folded(message), TYPED)
    assert found is not None
    assert found.commands == (SetSlot("interest_until", day),)


@pytest.mark.parametrize("message", ["3到5个月", "一两个月", "1.5个月", "999999999天"])
def test_a_length_of_time_with_more_than_one_reading_is_asked_again(message: str) -> None:
    flow = ActiveFlow(id="calculate_margin_interest", slot="interest_until", slots=[FlowSlot(name="interest_until")])
    found = rules.decide(Request(v=1, message=message, flow=flow), folded(message), TYPED)
    assert found is None or not any(isinstance(command, SetSlot) for command in found.commands)


def test_slots_of_the_calculators_are_read_from_the_file() -> None:
    names = set(json.loads((DATA / "slots.json").read_text(encoding="utf-8")))
    assert {"trade_market", "trade_price", "interest_until", "growth_rate", "calendar_day"} <= names


OPENINGS = [
    (
        "trade",
        "卖出1000股A股，每股12.3元，手续费多少",
        {"trade_market": "a_share", "trade_side": "sell", "trade_quantity": "1000", "trade_price": "12.3"},
    ),
    (
        "trade",
        "what does selling 1,000 shares at 12.3 cost",
        {"trade_side": "sell", "trade_quantity": "1000", "trade_price": "12.3"},
    ),
    ("trade", "买10万块钱的港股通股票费用是多少", {"trade_market": "hk_connect", "trade_side": "buy", "trade_amount": "100000"}),
    ("trade", "fees for buying 50k of etf", {"trade_market": "fund", "trade_side": "buy", "trade_amount": "50000"}),
    ("interest", "融资10万用30天利息多少", {"interest_amount": "100000", "interest_until": "2026-12-22"}),
    ("interest", "interest on borrowing 200,000 for 3 months", {"interest_amount": "200000", "interest_until": "2027-02-22"}),
    (
        "growth",
        "每月存2000，年化3%，存10年",
        {"growth_kind": "monthly_saving", "growth_amount": "2000", "growth_rate": "3", "growth_term": "120"},
    ),
    (
        "growth",
        "10万一次性按3.5%存5年有多少",
        {"growth_kind": "lump_sum", "growth_amount": "100000", "growth_rate": "3.5", "growth_term": "60"},
    ),
    ("calendar", "港股12月24日开市吗", {"calendar_market": "hk", "calendar_day": "2026-12-24"}),
    ("calendar", "is the mainland market open next Friday", {"calendar_market": "mainland", "calendar_day": "2026-11-27"}),
    ("calendar", "港股通下周五交易吗", {"calendar_market": "hk_connect", "calendar_day": "2026-11-27"}),
]


@pytest.mark.parametrize(("group", "message", "expected"), OPENINGS)
def test_the_first_message_tells_what_need_not_be_asked(group: str, message: str, expected: dict[str, str]) -> None:
    mine = [SlotOffer(name=name) for name in TYPED.book.specs if name.startswith(group)]
    found = {command.name: command.value for command in opening(FlowOffer(id="f", slots=mine), folded(message), TYPED)}
    assert found == expected


@pytest.mark.parametrize(
    ("message", "group"), [("账户与资金", "account"), ("Security and service", "service"), ("费用计算与交易日历", "calculators")]
)
def test_a_group_of_the_menu_is_understood_as_its_button_says_it(message: str, group: str) -> None:
    found = rules.decide(Request(v=1, message=message, flows=[FlowOffer(id="show_menu")]), folded(message), TYPED)
    assert found is not None
    assert found.commands == (StartFlow("show_menu"), SetSlot("menu_group", group))


def test_words_of_a_group_within_a_sentence_are_no_menu() -> None:
    message = "我的账户与资金安全吗"
    found = rules.decide(Request(v=1, message=message, flows=[FlowOffer(id="show_menu")]), message, TYPED)
    assert found is None or found.rule != "menu"


@pytest.mark.parametrize(
    ("message", "day"),
    [
        ("圣诞节", "2026-12-25"),
        ("港股平安夜开吗", "2026-12-24"),
        ("元旦", "2027-01-01"),
        ("明年春节", "2027-02-06"),
        ("十一长假", "2027-10-01"),
        ("春节", "2027-02-06"),
        ("国庆假期", "2027-10-01"),
        ("christmas", "2026-12-25"),
        ("christmas eve", "2026-12-24"),
        ("chinese new year", "2027-02-06"),
        ("十一月", None),
        ("十一个月", None),
    ],
)
def test_a_holiday_by_its_name_is_the_one_that_comes_next(message: str, day: str | None) -> None:
    found = [one.value.isoformat() for one in find_days(folded(message), TYPED.today) if one.value]
    assert found == ([day] if day else found)
    assert day or not any(value.endswith("10-01") for value in found)


@pytest.mark.parametrize("message", ["三四万吧", "somewhere from 10k to 20k", "3到5万", "那就三五万"])
def test_a_figure_that_cannot_be_read_starts_nothing(message: str) -> None:
    slots_of_flow = [FlowSlot(name=name) for name in ("trade_amount", "trade_price", "trade_quantity")]
    flow = ActiveFlow(id="calculate_trading_cost", slot="trade_amount", slots=slots_of_flow)
    found = rules.decide(Request(v=1, message=message, flow=flow), folded(message), TYPED)
    assert found == rules.Decision("unread", ())


@pytest.mark.parametrize("message", ["转人工", "我要投诉你们乱扣了50块", "卖1000股的印花税是多少？", "算了"])
def test_words_beside_a_figure_are_still_heard(message: str) -> None:
    flow = ActiveFlow(id="calculate_trading_cost", slot="trade_amount", slots=[FlowSlot(name="trade_amount")])
    found = rules.decide(Request(v=1, message=message, flow=flow), folded(message), TYPED)
    assert found is None or found.rule != "unread"


@pytest.mark.parametrize(("message", "price"), [("25块6", "25.6"), ("12元35", "12.35"), ("8块钱", "8"), ("20块5毛", "20.5")])
def test_prices_as_they_are_spoken(message: str, price: str) -> None:
    flow = ActiveFlow(id="calculate_trading_cost", slot="trade_price", slots=[FlowSlot(name="trade_price")])
    found = rules.decide(Request(v=1, message=message, flow=flow), folded(message), TYPED)
    assert found is not None
    assert found.commands == (SetSlot("trade_price", price),)


def test_a_length_of_time_right_after_an_amount_is_a_figure_of_its_own() -> None:
    assert [(q.value, q.unit) for q in quantities.scan("借20万一个月")] == [(200000, "none"), (1, "month")]
    assert [(q.value, q.unit) for q in quantities.scan("三万五")] == [(35000, "none")]
    assert [(q.value, q.unit) for q in quantities.scan("sell 2,000 a-shares")] == [(2000, "share")]


def test_what_counts_shares_is_no_tenth_of_a_price() -> None:
    text = "20块5手"
    assert [(quantity.value, quantity.unit) for quantity in quantities.scan(text)] == [(20, "money"), (5, "lot")]


@pytest.mark.parametrize("message", ["算了，不算了", "不查了", "取消", "算了不想算了", "不算了", "不用算了，取消"])
def test_ways_to_stop_half_way(message: str) -> None:
    flow = ActiveFlow(id="calculate_trading_cost", slot="trade_side", allowed_values=["buy", "sell"])
    found = rules.decide(Request(v=1, message=message, flow=flow), folded(message), TYPED)
    assert found is not None
    assert found.commands == (rules.CANCEL,)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_journey_begins_by_its_name_as_its_button_says_it(language: str) -> None:
    known = [journey for journey in journeys().values() if not journey.helper]
    request = Request(v=1, message="x", flows=[FlowOffer(id=journey.id) for journey in known])
    for journey in known:
        found = rules.decide(request, folded(journey.title(language)), TYPED)
        assert found is not None, journey.id
        assert StartFlow(journey.id) in found.commands, journey.id


def test_a_name_within_a_sentence_is_weighed_like_any_other_words() -> None:
    assert rules.decide(Request(v=1, message="x", flows=[FlowOffer(id="close_account")]), "销户要多久", TYPED) is None


def test_a_name_that_is_not_on_offer_starts_nothing() -> None:
    found = rules.decide(Request(v=1, message="x"), folded("算交易费用"), TYPED)
    assert found is None or StartFlow("calculate_trading_cost") not in found.commands


def test_asking_again_with_another_day_changes_the_day() -> None:
    given = [FlowSlot(name="calendar_market", given=True), FlowSlot(name="calendar_day", given=True)]
    flow = ActiveFlow(id="check_trading_calendar", slot="calendar_next", slots=[*given, FlowSlot(name="calendar_next")])
    text = folded("那港股12月24号开市吗？")
    assert set(anew(flow, text, TYPED)) == {SetSlot("calendar_market", "hk"), SetSlot("calendar_day", "2026-12-24")}
    assert anew(flow, folded("股市开不开门？"), TYPED) == ()
