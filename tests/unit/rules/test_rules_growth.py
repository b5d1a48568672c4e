"""Growth: tables, an independent implementation (numpy-financial), properties, refusals."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy_financial
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import tightrope.rules
from tightrope.rules.growth import Frequency, Growth, GrowthRules, Timing
from tightrope.rules.models import RuleDataError, RuleRefusal

FOLDER = Path(tightrope.rules.__file__).parent / "data"
DATA: dict[str, Any] = yaml.safe_load((FOLDER / "growth.yml").read_text(encoding="utf-8"))
RULES = GrowthRules(DATA)
YEARLY, MONTHLY = Frequency.YEARLY, Frequency.MONTHLY


def lump(principal: str, rate: str, years: int, frequency: Frequency = YEARLY) -> Growth:
    return RULES.lump_sum(Decimal(principal), "CNY", yearly_rate=Decimal(rate), months=12 * years, frequency=frequency)


def saving(payment: str, rate: str, years: int, frequency: Frequency, timing: Timing) -> Growth:
    return RULES.regular_saving(
        Decimal(payment), "CNY", yearly_rate=Decimal(rate), months=12 * years, frequency=frequency, timing=timing
    )


@pytest.mark.parametrize(
    ("principal", "rate", "years", "frequency", "value"),
    [
        ("10000", "0.05", 1, YEARLY, "10500.00"),
        ("10000", "0.05", 10, YEARLY, "16288.95"),
        ("10000", "0.05", 10, MONTHLY, "16470.09"),
        ("10000", "0", 30, MONTHLY, "10000.00"),
        ("10000", "-0.10", 2, YEARLY, "8100.00"),
        ("10000", "1", 2, YEARLY, "40000.00"),
        ("0.01", "0.03", 1, YEARLY, "0.01"),
        ("0.50", "0.01", 1, YEARLY, "0.51"),
    ],
)
def test_a_lump_sum_grows_by_compound_interest(principal: str, rate: str, years: int, frequency: Frequency, value: str) -> None:
    found = lump(principal, rate, years, frequency)
    assert found.value == Decimal(value)
    assert (found.paid_in, found.gain) == (Decimal(principal), Decimal(value) - Decimal(principal))


@pytest.mark.parametrize(
    ("payment", "rate", "years", "frequency", "timing", "value"),
    [
        ("1000", "0.06", 1, MONTHLY, Timing.END, "12335.56"),
        ("1000", "0.06", 1, MONTHLY, Timing.START, "12397.24"),
        ("1000", "0.05", 3, YEARLY, Timing.END, "3152.50"),
        ("1000", "0.05", 3, YEARLY, Timing.START, "3310.13"),
        ("1000", "0", 2, MONTHLY, Timing.START, "24000.00"),
    ],
)
def test_regular_saving_grows_by_period(
    payment: str, rate: str, years: int, frequency: Frequency, timing: Timing, value: str
) -> None:
    found = saving(payment, rate, years, frequency, timing)
    assert found.value == Decimal(value)
    assert found.paid_in == Decimal(payment) * years * frequency.per_year


RATES = st.decimals("-0.5", "1", places=4)
MONEY = st.decimals("0.01", "1000000", places=2)
YEARS = st.integers(1, 40)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # the library's own at a rate of zero
@given(principal=MONEY, rate=RATES, years=YEARS, frequency=st.sampled_from(Frequency))
def test_a_lump_sum_agrees_with_numpy_financial(principal: Decimal, rate: Decimal, years: int, frequency: Frequency) -> None:
    found = RULES.lump_sum(principal, "CNY", yearly_rate=rate, months=12 * years, frequency=frequency)
    n = frequency.per_year
    other = numpy_financial.fv(float(rate) / n, years * n, 0, -float(principal))
    assert float(found.value) == pytest.approx(other, rel=1e-9, abs=0.0051)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # the library's own at a rate of zero
@given(payment=MONEY, rate=RATES, years=YEARS, frequency=st.sampled_from(Frequency), timing=st.sampled_from(Timing))
def test_regular_saving_agrees_with_numpy_financial(
    payment: Decimal, rate: Decimal, years: int, frequency: Frequency, timing: Timing
) -> None:
    found = RULES.regular_saving(payment, "CNY", yearly_rate=rate, months=12 * years, frequency=frequency, timing=timing)
    n = frequency.per_year
    when = {Timing.START: "begin", Timing.END: "end"}[timing]
    other = numpy_financial.fv(float(rate) / n, years * n, -float(payment), 0, when=when)
    assert float(found.value) == pytest.approx(other, rel=1e-7, abs=0.0051)


@given(payment=MONEY, rate=RATES, years=st.integers(1, 10), timing=st.sampled_from(Timing))
def test_saving_is_the_sum_of_its_payments_as_lump_sums(payment: Decimal, rate: Decimal, years: int, timing: Timing) -> None:
    growth = 1 + Fraction(rate)
    first = 1 if timing is Timing.START else 0
    exact = sum(Fraction(payment) * growth**power for power in range(first, first + years))
    found = RULES.regular_saving(payment, "CNY", yearly_rate=rate, months=12 * years, frequency=YEARLY, timing=timing)
    assert abs(Fraction(found.value) - exact) <= Fraction(1, 200)


@given(principal=MONEY, rate=RATES, years=st.integers(1, 30), frequency=st.sampled_from(Frequency), more=RATES)
def test_a_higher_rate_never_ends_lower(
    principal: Decimal, rate: Decimal, years: int, frequency: Frequency, more: Decimal
) -> None:
    low, high = sorted((rate, more))
    one = RULES.lump_sum(principal, "CNY", yearly_rate=low, months=12 * years, frequency=frequency)
    other = RULES.lump_sum(principal, "CNY", yearly_rate=high, months=12 * years, frequency=frequency)
    assert one.value <= other.value
    assert (one.gain >= 0) or low < 0


@given(payment=MONEY, rate=st.decimals("0", "1", places=4), years=st.integers(1, 30), frequency=st.sampled_from(Frequency))
def test_paying_in_earlier_never_ends_lower_when_the_rate_is_not_negative(
    payment: Decimal, rate: Decimal, years: int, frequency: Frequency
) -> None:
    ends = [
        RULES.regular_saving(payment, "CNY", yearly_rate=rate, months=12 * years, frequency=frequency, timing=timing).value
        for timing in (Timing.END, Timing.START)
    ]
    assert ends[0] <= ends[1]


def test_the_greatest_inputs_are_exact_to_the_cent() -> None:
    found = lump("1000000000000", "1", 100, MONTHLY)
    exact = Fraction(10**12) * Fraction(13, 12) ** 1200
    assert abs(Fraction(found.value) - exact) <= Fraction(1, 200)
    tiny = saving("10000000000", "0.00000001", 100, MONTHLY, Timing.END)
    rate = Fraction(1, 12 * 10**8)
    assert abs(Fraction(tiny.value) - Fraction(10**10) * ((1 + rate) ** 1200 - 1) / rate) <= Fraction(1, 200)


@pytest.mark.parametrize(
    ("principal", "rate", "years", "currency", "reason"),
    [
        ("0", "0.05", 1, "CNY", "out_of_bounds"),
        ("-5", "0.05", 1, "CNY", "out_of_bounds"),
        ("1000000000000.01", "0.05", 1, "CNY", "out_of_bounds"),
        ("1.001", "0.05", 1, "CNY", "too_many_decimals"),
        ("NaN", "0.05", 1, "CNY", "not_a_number"),
        ("1", "1.01", 1, "CNY", "out_of_bounds"),
        ("1", "5", 1, "CNY", "out_of_bounds"),
        ("1", "-0.51", 1, "CNY", "out_of_bounds"),
        ("1", "1E-999999", 1, "CNY", "too_many_decimals"),
        ("1", "sNaN", 1, "CNY", "not_a_number"),
        ("1", "0.05", 0, "CNY", "out_of_bounds"),
        ("1", "0.05", 101, "CNY", "out_of_bounds"),
        ("1", "0.05", 1, "BTC", "unknown_currency"),
    ],
)
def test_what_cannot_be_computed_is_refused(principal: str, rate: str, years: int, currency: str, reason: str) -> None:
    for ask in (
        lambda: RULES.lump_sum(Decimal(principal), currency, yearly_rate=Decimal(rate), months=12 * years, frequency=MONTHLY),
        lambda: RULES.regular_saving(
            Decimal(principal), currency, yearly_rate=Decimal(rate), months=12 * years, frequency=MONTHLY, timing=Timing.END
        ),
    ):
        with pytest.raises(RuleRefusal) as refusal:
            ask()
        assert refusal.value.reason == reason


@pytest.mark.parametrize("months", [1, 18, 1199])
def test_a_term_of_months_needs_monthly_interest(months: int) -> None:
    value = RULES.lump_sum(Decimal(10_000), "CNY", yearly_rate=Decimal("0.06"), months=months, frequency=MONTHLY).value
    exact = 10_000 * (1 + Fraction(5, 1000)) ** months
    assert abs(Fraction(value) - exact) <= Fraction(1, 200)
    with pytest.raises(RuleRefusal) as refusal:
        RULES.lump_sum(Decimal(10_000), "CNY", yearly_rate=Decimal("0.06"), months=months, frequency=YEARLY)
    assert refusal.value.reason == "no_whole_years"


def test_the_callers_precision_changes_nothing() -> None:
    expected = lump("123456.78", "0.0321", 33, MONTHLY), saving("321.99", "0.0321", 33, MONTHLY, Timing.START)
    with localcontext() as context:
        context.prec = 4
        assert (lump("123456.78", "0.0321", 33, MONTHLY), saving("321.99", "0.0321", 33, MONTHLY, Timing.START)) == expected


@pytest.mark.parametrize("key", ["version", "sources", "currencies", "bounds"])
def test_missing_parts_of_the_data_are_refused(key: str) -> None:
    data = deepcopy(DATA)
    del data[key]
    with pytest.raises(RuleDataError):
        GrowthRules(data)
