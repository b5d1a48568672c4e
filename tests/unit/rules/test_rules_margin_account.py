"""Margin interest and maintenance ratio: tables by hand, boundaries, properties that a distance really leads to its line, refusals."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

import tightrope.rules
from tightrope.rules.margin_account import Account, MarginAccountRules, Standing
from tightrope.rules.models import RuleDataError, RuleRefusal

FOLDER = Path(tightrope.rules.__file__).parent / "data"
DATA: dict[str, Any] = yaml.safe_load((FOLDER / "margin_account.yml").read_text(encoding="utf-8"))
RULES = MarginAccountRules(DATA)
TODAY = date(2026, 11, 20)
CENT = Decimal("0.01")
CHANGED = deepcopy(DATA)
CHANGED["rates"].append(
    {"effective_from": date(2026, 11, 11), "source": "firm_interest", "rate": "0.06", "basis": 360, "minimum_days": 1}
)


def account(cash: str, securities: str, financed: str, sold_short: str = "0", fees: str = "0") -> Account:
    return Account(Decimal(cash), Decimal(securities), Decimal(financed), Decimal(sold_short), Decimal(fees))


# 6.5 % on calendar days over 360: 100,000 a day is 18.0555…
@pytest.mark.parametrize(
    ("principal", "first", "last", "days", "interest"),
    [
        ("100000", "2026-11-01", "2026-11-02", 1, "18.06"),
        ("100000", "2026-11-01", "2026-12-01", 30, "541.67"),
        ("100000", "2026-01-01", "2027-01-01", 365, "6590.28"),
        ("100000", "2024-01-01", "2025-01-01", 366, "6608.33"),
        ("100000", "2026-11-20", "2026-11-20", 1, "18.06"),
        ("360000", "2026-11-06", "2026-11-09", 3, "195.00"),
        ("0.01", "2026-11-01", "2026-11-02", 1, "0.00"),
        ("100000000000", "2026-11-01", "2026-11-02", 1, "18055555.56"),
    ],
)
def test_interest_is_simple_by_calendar_days(principal: str, first: str, last: str, days: int, interest: str) -> None:
    found = RULES.interest(Decimal(principal), date.fromisoformat(first), date.fromisoformat(last))
    assert (found.days, found.amount) == (days, Decimal(interest))
    assert found.currency == "CNY"


def test_the_last_day_of_the_calendar_is_a_day_like_any_other() -> None:
    assert RULES.interest(Decimal(100000), date.max, date.max).amount == Decimal("18.06")
    assert RULES.interest(Decimal(100000), date.max - timedelta(30), date.max).amount == Decimal("541.67")


def test_interest_is_split_where_the_rate_changes_and_rounded_once() -> None:
    found = MarginAccountRules(CHANGED).interest(Decimal(100000), date(2026, 11, 1), date(2026, 11, 21))
    assert [(p.first, p.days, p.rate.fraction) for p in found.periods] == [
        (date(2026, 11, 1), 10, Decimal("0.065")),
        (date(2026, 11, 11), 10, Decimal("0.06")),
    ]
    assert found.amount == Decimal("347.22")  # 180.5555… + 166.6666…; rounding each part would give 347.23


@pytest.mark.parametrize(
    ("principal", "first", "last", "reason"),
    [
        ("0", "2026-11-01", "2026-11-02", "out_of_bounds"),
        ("-1", "2026-11-01", "2026-11-02", "out_of_bounds"),
        ("100000000000.01", "2026-11-01", "2026-11-02", "out_of_bounds"),
        ("1.001", "2026-11-01", "2026-11-02", "too_many_decimals"),
        ("NaN", "2026-11-01", "2026-11-02", "not_a_number"),
        ("1", "2026-11-02", "2026-11-01", "wrong_order"),
        ("1", "2023-02-16", "2026-11-01", "before_first_entry"),
        ("1", "2026-11-01", "2036-11-09", "out_of_bounds"),
    ],
)
def test_a_loan_that_cannot_be_computed_is_refused(principal: str, first: str, last: str, reason: str) -> None:
    with pytest.raises(RuleRefusal) as refusal:
        RULES.interest(Decimal(principal), date.fromisoformat(first), date.fromisoformat(last))
    assert refusal.value.reason == reason


PRINCIPALS = st.decimals("0.01", "100000000", places=2)
STARTS = st.dates(date(2023, 2, 17), date(2030, 12, 31))


@given(principal=PRINCIPALS, first=STARTS, days=st.integers(1, 3000))
def test_interest_is_within_half_a_cent_of_the_exact_figure(principal: Decimal, first: date, days: int) -> None:
    found = MarginAccountRules(CHANGED).interest(principal, first, first + timedelta(days))
    change = date(2026, 11, 11)
    at_old = min(max((change - first).days, 0), days)
    exact = Fraction(principal) * (at_old * Fraction(65, 1000) + (days - at_old) * Fraction(6, 100)) / 360
    assert abs(Fraction(found.amount) - exact) <= Fraction(1, 200)
    assert sum(period.days for period in found.periods) == days


@given(principal=PRINCIPALS, first=STARTS, days=st.integers(0, 3000), more=st.integers(0, 600))
def test_a_longer_or_larger_loan_never_costs_less(principal: Decimal, first: date, days: int, more: int) -> None:
    one = RULES.interest(principal, first, first + timedelta(days)).amount
    assert RULES.interest(principal, first, first + timedelta(days + more)).amount >= one
    assert RULES.interest(principal + more, first, first + timedelta(days)).amount >= one


@pytest.mark.parametrize(
    ("found", "ratio", "standing"),
    [
        (account("0", "130000", "100000"), "1.3", Standing.BELOW_WARNING),
        (account("0", "129999.99", "100000"), "1.2999", Standing.BELOW_LIQUIDATION),
        (account("0", "150000", "100000"), "1.5", Standing.NORMAL),
        (account("0", "149999.99", "100000"), "1.4999", Standing.BELOW_WARNING),
        (account("100000", "200000", "100000"), "3", Standing.NORMAL),
        (account("100000", "200000.01", "100000"), "3", Standing.ABOVE_WITHDRAWAL),
        (account("20000", "180000", "60000", "30000", "10000"), "2", Standing.NORMAL),
        (account("0", "0", "100000"), "0", Standing.BELOW_LIQUIDATION),
    ],
)
def test_a_line_is_crossed_only_below_it(found: Account, ratio: str, standing: Standing) -> None:
    result = RULES.ratio(found, TODAY)
    assert result.ratio is not None
    assert (result.ratio.fraction, result.standing) == (Decimal(ratio), standing)


def test_without_debt_there_is_no_ratio_and_all_can_be_taken_out() -> None:
    result = RULES.ratio(account("100", "200.50", "0"), TODAY)
    assert (result.ratio, result.standing, result.withdrawable) == (None, Standing.NO_DEBT, Decimal("300.50"))


def test_distances_of_a_common_account() -> None:
    result = RULES.ratio(account("20000", "180000", "100000"), TODAY)
    assert (result.warning.may_fall, result.liquidation.may_fall) == (Decimal("50000.00"), Decimal("70000.00"))
    assert result.liquidation.fall_share is not None
    assert result.liquidation.fall_share.fraction == Decimal("0.3888")
    assert (result.warning.add, result.withdrawable) == (0, 0)
    below = RULES.ratio(account("0", "120000", "100000"), TODAY)
    assert (below.warning.add, below.warning.repay) == (Decimal("30000.00"), Decimal("20000.00"))
    assert (below.liquidation.add, below.liquidation.repay) == (Decimal("10000.00"), Decimal("7692.31"))


def test_cash_that_holds_the_line_leaves_no_share_of_the_securities() -> None:
    result = RULES.ratio(account("200000", "1000", "100000"), TODAY)
    assert result.warning.fall_share is None
    assert result.warning.may_fall == Decimal("51000.00")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cash": Decimal("-0.01")}, "out_of_bounds"),
        ({"securities": Decimal("100000000000.01")}, "out_of_bounds"),
        ({"financed": Decimal("NaN")}, "not_a_number"),
        ({"sold_short": Decimal("0.001")}, "too_many_decimals"),
        ({"interest_and_fees": 1.5}, "not_a_number"),
    ],
)
def test_an_account_with_impossible_figures_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(RuleRefusal) as refusal:
        RULES.ratio(replace(account("1", "1", "1"), **change), TODAY)
    assert refusal.value.reason == reason


def test_lines_before_the_first_entry_are_refused() -> None:
    with pytest.raises(RuleRefusal):
        RULES.ratio(account("1", "1", "1"), date(2023, 2, 16))


def test_a_negative_zero_is_a_zero() -> None:
    assert str(RULES.ratio(account("-0.00", "200000", "100000"), TODAY).computation.steps[0].values["cash"]) == "0"


MONEY = st.decimals("0", "1000000000", places=2)
ACCOUNTS = st.builds(Account, cash=MONEY, securities=MONEY, financed=MONEY, sold_short=MONEY, interest_and_fees=MONEY)


@given(found=ACCOUNTS)
def test_a_distance_leads_exactly_to_its_line(found: Account) -> None:
    collateral = Fraction(found.cash) + Fraction(found.securities)
    debt = Fraction(found.financed) + Fraction(found.sold_short) + Fraction(found.interest_and_fees)
    assume(debt > 0)
    result = RULES.ratio(found, TODAY)
    cent = Fraction(1, 100)
    for distance in (result.warning, result.liquidation):
        line, add, repay, fall = (Fraction(f) for f in (distance.line.fraction, distance.add, distance.repay, distance.may_fall))
        if collateral < line * debt:
            assert collateral + add >= line * debt > collateral + add - cent
            assert collateral >= line * (debt - repay)
            assert collateral < line * (debt - repay + cent)
            assert repay <= debt
            assert fall == 0
        else:
            assert add == repay == 0
            assert collateral - fall >= line * debt > collateral - fall - cent
    taken = Fraction(result.withdrawable)
    assert taken == 0 or collateral - taken >= 3 * debt > collateral - taken - cent
    assert result.ratio is not None
    assert 0 <= collateral / debt - Fraction(result.ratio.fraction) < Fraction(1, 10000)


@given(found=ACCOUNTS, more=st.decimals("0", "1000000", places=2))
def test_more_collateral_never_lowers_and_more_debt_never_raises_the_ratio(found: Account, more: Decimal) -> None:
    assume(found.financed > 0)
    ratio = RULES.ratio(found, TODAY).ratio
    richer = RULES.ratio(replace(found, cash=found.cash + more), TODAY).ratio
    poorer = RULES.ratio(replace(found, interest_and_fees=found.interest_and_fees + more), TODAY).ratio
    assert ratio is not None
    assert richer is not None
    assert poorer is not None
    assert poorer.fraction <= ratio.fraction <= richer.fraction


@given(found=ACCOUNTS)
def test_the_callers_precision_changes_nothing(found: Account) -> None:
    expected = RULES.ratio(found, TODAY), RULES.interest(Decimal("123456.78"), date(2026, 1, 1), TODAY)
    with localcontext() as context:
        context.prec = 2
        assert (RULES.ratio(found, TODAY), RULES.interest(Decimal("123456.78"), date(2026, 1, 1), TODAY)) == expected


def broken(*path: Any, value: Any) -> dict[str, Any]:
    data = deepcopy(DATA)
    entry = data
    for key in path[:-1]:
        entry = entry[key]
    entry[path[-1]] = value
    return data


@pytest.mark.parametrize(
    "data",
    [
        broken("rates", value=[]),
        broken("rates", value=DATA["rates"] * 2),
        broken("rates", 0, "rate", value=0.065),
        broken("rates", 0, "rate", value="6.5"),
        broken("rates", 0, "basis", value=0),
        broken("rates", 0, "minimum_days", value=-1),
        broken("lines", 0, "warning", value="1.20"),
        broken("lines", 0, "liquidation", value="0.5"),
        broken("lines", 0, "withdrawal", value=3.0),
        broken("ratio_source", value="nobody"),
        broken("bounds", value={}),
        {},
    ],
)
def test_broken_rates_and_lines_are_refused_at_the_start(data: dict[str, Any]) -> None:
    with pytest.raises(RuleDataError):
        MarginAccountRules(data)
