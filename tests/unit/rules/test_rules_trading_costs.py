"""Trading costs: tables by market and day worked out by hand, an oracle in fractions, refusals, broken data, and attacks on the figures."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import tightrope.rules
from tightrope.rules.models import RuleDataError, RuleRefusal, Term
from tightrope.rules.trading_costs import Order, Side, Trade, TradingCost, TradingCosts

FOLDER = Path(tightrope.rules.__file__).parent / "data"
DATA: dict[str, Any] = yaml.safe_load((FOLDER / "trading_costs.yml").read_text(encoding="utf-8"))
RULES = TradingCosts(DATA)
TODAY = date(2026, 11, 20)
CENT = Decimal("0.01")


def cost(market: str, side: str, price: str, quantity: int, day: date = TODAY) -> TradingCost:
    return RULES.cost(Trade(market, Side(side), Decimal(price), quantity, day))


def fees(found: TradingCost) -> dict[str, str]:
    return {item.name: str(item.amount) for item in found.items if not item.included}


# Amount times rate by hand; the commission is 0.025 %, at least 5.
@pytest.mark.parametrize(
    ("market", "side", "price", "quantity", "day", "expected", "total", "net"),
    [
        ("sse", "buy", "12.30", 1000, TODAY, {"commission": "5.00", "transfer_fee": "0.12"}, "5.12", "12305.12"),
        (
            "sse",
            "sell",
            "12.30",
            1000,
            TODAY,
            {"commission": "5.00", "stamp_duty": "6.15", "transfer_fee": "0.12"},
            "11.27",
            "12288.73",
        ),
        (
            "szse",
            "sell",
            "50.00",
            2000,
            date(2023, 8, 27),
            {"commission": "25.00", "stamp_duty": "100.00", "transfer_fee": "1.00"},
            "126.00",
            "99874.00",
        ),
        (
            "szse",
            "sell",
            "50.00",
            2000,
            date(2023, 8, 28),
            {"commission": "25.00", "stamp_duty": "50.00", "transfer_fee": "1.00"},
            "76.00",
            "99924.00",
        ),
        (
            "bse",
            "sell",
            "10.00",
            10000,
            TODAY,
            {"commission": "25.00", "stamp_duty": "50.00", "transfer_fee": "1.00"},
            "76.00",
            "99924.00",
        ),
        ("fund", "sell", "3.521", 10000, TODAY, {"commission": "8.80"}, "8.80", "35201.20"),
        (
            "hk_connect",
            "buy",
            "88.85",
            1100,
            TODAY,
            {
                "commission": "24.43",
                "stamp_duty": "98.00",
                "trading_fee": "5.52",
                "sfc_levy": "2.64",
                "afrc_levy": "0.15",
                "settlement_fee": "4.10",
            },
            "134.84",
            "97869.84",
        ),
        (
            "hk_connect",
            "sell",
            "100.00",
            500,
            date(2023, 11, 16),
            {
                "commission": "12.50",
                "stamp_duty": "65.00",
                "trading_fee": "2.83",
                "sfc_levy": "1.35",
                "afrc_levy": "0.08",
                "settlement_fee": "2.00",
            },
            "83.76",
            "49916.24",
        ),
    ],
)
def test_costs_by_market_and_day(
    market: str, side: str, price: str, quantity: int, day: date, expected: dict[str, str], total: str, net: str
) -> None:
    found = cost(market, side, price, quantity, day)
    assert fees(found) == expected
    assert (found.total, found.net) == (Decimal(total), Decimal(net))


@pytest.mark.parametrize(
    ("day", "settlement"), [(date(2025, 6, 27), "100.00"), (date(2025, 6, 30), "420.00")], ids=["capped", "without a cap"]
)
def test_the_settlement_fee_lost_its_cap_on_30_june_2025(day: date, settlement: str) -> None:
    assert fees(cost("hk_connect", "buy", "100.00", 100_000, day))["settlement_fee"] == settlement


@pytest.mark.parametrize(("quantity", "commission"), [(19_999, "5.00"), (20_000, "5.00"), (20_040, "5.01")])
def test_the_minimum_commission_ends_where_the_rate_reaches_it(quantity: int, commission: str) -> None:
    assert fees(cost("sse", "buy", "1.00", quantity))["commission"] == commission


@pytest.mark.parametrize(("quantity", "duty"), [(1000, "1.00"), (1001, "2.00"), (1, "1.00"), (2000, "2.00")])
def test_hong_kong_stamp_duty_goes_up_to_the_next_dollar(quantity: int, duty: str) -> None:
    assert fees(cost("hk_connect", "sell", "1.00", quantity))["stamp_duty"] == duty


def test_handling_and_regulatory_fees_are_shown_as_contained_in_the_commission() -> None:
    included = {item.name: item.rate.fraction for item in cost("sse", "buy", "10.00", 100).items if item.included}
    assert included == {"handling_fee": Decimal("0.0000341"), "regulatory_fee": Decimal("0.00002")}
    before = {i.name: i.rate.fraction for i in cost("sse", "buy", "10.00", 100, date(2023, 8, 27)).items if i.included}
    assert before["handling_fee"] == Decimal("0.0000487")
    assert {i.name for i in cost("bse", "buy", "10.00", 100).items if i.included} == {"handling_fee", "regulatory_fee"}


@pytest.mark.parametrize(
    ("market", "first"),
    [("sse", date(2022, 7, 1)), ("szse", date(2022, 7, 1)), ("bse", date(2023, 8, 28)), ("hk_connect", date(2023, 1, 1))],
)
def test_a_day_before_the_first_rates_of_a_market_is_refused(market: str, first: date) -> None:
    assert cost(market, "buy", "10.00", 1000, first).total > 0
    with pytest.raises(RuleRefusal) as refusal:
        cost(market, "buy", "10.00", 1000, date.fromordinal(first.toordinal() - 1))
    assert refusal.value.reason == "before_first_entry"
    assert refusal.value.values["first"] == first


def test_an_unknown_market_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(RuleRefusal) as refusal:
        cost("nasdaq", "buy", "10.00", 100)
    assert (refusal.value.reason, refusal.value.values["known"]) == ("unknown_market", "sse, szse, bse, fund, hk_connect")


@pytest.mark.parametrize(
    ("price", "quantity", "reason"),
    [
        ("0", 100, "out_of_bounds"),
        ("-1", 100, "out_of_bounds"),
        ("1000000.001", 100, "out_of_bounds"),
        ("1E+999999", 100, "out_of_bounds"),
        ("10.0001", 100, "too_many_decimals"),
        ("NaN", 100, "not_a_number"),
        ("Infinity", 100, "not_a_number"),
        ("10", 0, "out_of_bounds"),
        ("10", -100, "out_of_bounds"),
        ("10", True, "not_a_number"),
        ("10", 10.5, "not_a_number"),
        ("1000000", 1_000_000_000, "out_of_bounds"),
        ("0.001", 1, "out_of_bounds"),
    ],
)
def test_figures_out_of_bounds_are_refused(price: str, quantity: Any, reason: str) -> None:
    with pytest.raises(RuleRefusal) as refusal:
        cost("sse", "buy", price, quantity)
    assert refusal.value.reason == reason


def test_the_callers_precision_changes_nothing() -> None:
    expected = cost("sse", "sell", "987.65", 123_400)
    with localcontext() as context:
        context.prec = 3
        assert cost("sse", "sell", "987.65", 123_400) == expected


TRADES = st.builds(
    Trade,
    market=st.sampled_from(RULES.markets),
    side=st.sampled_from(Side),
    price=st.decimals("0.01", "5000", places=2),
    quantity=st.integers(1, 1_000_000),
    day=st.dates(date(2023, 8, 28), date(2027, 12, 31)),
)


@given(trade=TRADES)
def test_an_order_known_by_its_amount_costs_what_the_trade_costs(trade: Trade) -> None:
    by_figures = RULES.cost(trade)
    by_amount = RULES.cost(Order(trade.market, trade.side, by_figures.amount, trade.day))
    assert (by_amount.items, by_amount.total, by_amount.net) == (by_figures.items, by_figures.total, by_figures.net)


@pytest.mark.parametrize("amount", ["0", "0.009", "100000000000.01", "NaN"])
def test_an_amount_out_of_bounds_is_refused(amount: str) -> None:
    with pytest.raises(RuleRefusal):
        RULES.cost(Order("sse", Side.BUY, Decimal(amount), TODAY))


def test_rates_name_the_day_since_which_they_hold() -> None:
    before, after = (RULES.rates("sse", day) for day in (date(2023, 8, 27), date(2023, 8, 28)))
    duties = [next(s for s in found.steps if s.values["item"] == Term("stamp_duty")).values for found in (before, after)]
    assert [values["since"] for values in duties] == [date(2022, 7, 1), date(2023, 8, 28)]
    with pytest.raises(RuleRefusal):
        RULES.rates("sse", date(2020, 1, 1))


@given(trade=TRADES)
def test_the_sum_is_that_of_the_items_and_no_item_is_off_by_more_than_its_rounding(trade: Trade) -> None:
    found = RULES.cost(trade)
    amount = Fraction(trade.price) * trade.quantity
    assert Fraction(found.amount) == amount
    assert found.total == sum(item.amount for item in found.items)
    assert found.net == (found.amount + found.total if trade.side is Side.BUY else found.amount - found.total)
    for item in found.items:
        exact = amount * Fraction(item.rate.fraction)
        if item.included:
            assert item.amount == 0
        elif item.name == "stamp_duty" and trade.market == "hk_connect":
            assert 0 <= Fraction(item.amount) - exact < 1
        elif not (item.name == "commission" and item.amount == 5) and item.name != "settlement_fee":
            assert abs(Fraction(item.amount) - exact) <= Fraction(1, 200)
            assert item.amount == item.amount.quantize(CENT)


@given(trade=TRADES)
def test_the_commission_is_never_less_than_what_it_contains(trade: Trade) -> None:
    items = RULES.cost(trade).items
    contained = sum(Fraction(item.rate.fraction) for item in items if item.included)
    assert contained < next(Fraction(item.rate.fraction) for item in items if item.name == "commission")


@given(trade=TRADES)
def test_buying_and_selling_differ_by_the_mainlands_stamp_duty_alone(trade: Trade) -> None:
    bought = RULES.cost(Trade(trade.market, Side.BUY, trade.price, trade.quantity, trade.day))
    sold = RULES.cost(Trade(trade.market, Side.SELL, trade.price, trade.quantity, trade.day))
    duty = Decimal(fees(sold).get("stamp_duty", "0")) - Decimal(fees(bought).get("stamp_duty", "0"))
    assert sold.total - bought.total == duty
    assert (duty == 0) or trade.market in {"sse", "szse", "bse"}
    assert bought.net - sold.net == bought.total + sold.total


@given(trade=TRADES, more=st.integers(1, 1_000_000))
def test_a_larger_order_never_costs_less(trade: Trade, more: int) -> None:
    larger = Trade(trade.market, trade.side, trade.price, trade.quantity + more, trade.day)
    assert RULES.cost(larger).total >= RULES.cost(trade).total


def broken(*path: Any, value: Any) -> dict[str, Any]:
    data = deepcopy(DATA)
    entry = data
    for key in path[:-1]:
        entry = entry[key]
    entry[path[-1]] = value
    return data


FUND = ("markets", "fund", "items")


@pytest.mark.parametrize(
    "data",
    [
        broken("checked_to", value="2025-06-30"),
        broken("bounds", value={}),
        broken("bounds", "price", "least", value=0.001),
        broken(*FUND, value=[]),
        broken(*FUND, value=DATA["markets"]["fund"]["items"] * 2),
        broken(*FUND, 0, "sides", value=["hold"]),
        broken(*FUND, 0, "sides", value=[]),
        broken(*FUND, 0, "included", value="no"),
        broken(*FUND, 0, "entries", value=[]),
        broken(*FUND, 0, "entries", value=DATA["markets"]["fund"]["items"][0]["entries"] * 2),
        broken(*FUND, 0, "entries", 0, "rate", value=0.00025),
        broken(*FUND, 0, "entries", 0, "rate", value="1.5"),
        broken(*FUND, 0, "entries", 0, "rate", value="-0.1"),
        broken(*FUND, 0, "entries", 0, "rate", value="NaN"),
        broken(*FUND, 0, "entries", 0, "minimum", value="5.001"),
        broken(*FUND, 0, "entries", 0, "rounding", value="banker"),
        broken(*FUND, 0, "entries", 0, "source", value="nobody"),
        broken(*FUND, 0, "entries", 0, "effective_from", value="2022-01-01"),
        {},
    ],
)
def test_broken_rates_are_refused_at_the_start(data: dict[str, Any]) -> None:
    with pytest.raises(RuleDataError):
        TradingCosts(data)


def test_every_rate_has_a_source_in_both_languages() -> None:
    for market in RULES.markets:
        for side in Side:
            for item in cost(market, side.value, "10.00", 1000).items:
                assert item.source.text("zh") != item.source.text("en")
                assert item.source.short_text("zh")
                assert item.source.short_text("en")
