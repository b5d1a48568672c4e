"""Figures as customers type them, and what they are worth."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.understanding.normalise import folded
from tightrope.understanding.quantities import scan


def only(text):
    (found,) = scan(folded(text))
    return found


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("5万", "50000", "none"),
        ("50k", "50000", "none"),
        ("10 k", "10000", "none"),
        ("¥3,000.50", "3000.50", "money"),
        ("￥３０００", "3000", "money"),
        ("三千五", "3500", "none"),
        ("三万五千块", "35000", "money"),
        ("3万5", "35000", "none"),
        ("三点五万", "35000", "none"),
        ("1.2亿", "120000000", "none"),
        ("80万元", "800000", "money"),
        ("十万八千", "108000", "none"),
        ("壹佰元", "100", "money"),
        ("1.5 million", "1500000", "none"),
        ("1.5m", "1500000", "none"),
        ("five hundred thousand", "500000", "none"),
        ("twenty five", "25", "none"),
        ("5w", "50000", "none"),
        ("500 bucks", "500", "money"),
        ("5.5%", "5.5", "percent"),
        ("百分之五", "5", "percent"),
        ("百分之五点五", "5.5", "percent"),
        ("千分之三", "0.3", "percent"),
        ("万分之2.5", "0.025", "percent"),
        ("3.5个点", "3.5", "percent"),
        ("2 per cent", "2", "percent"),
        ("3‰", "0.3", "percent"),
        ("1000股", "1000", "share"),
        ("一万股", "10000", "share"),
        ("1,000 shares", "1000", "share"),
        ("10手", "10", "lot"),
        ("两手", "2", "lot"),
        ("3年", "36", "month"),
        ("18 months", "18", "month"),
        ("半年", "6", "month"),
        ("一年半", "18", "month"),
        ("2 and a half years", "30", "month"),
        ("三个月", "3", "month"),
        ("两个季度", "6", "month"),
        ("100天", "100", "day"),
        ("2 weeks", "14", "day"),
    ],
)
def test_a_figure_is_read_with_its_unit(text, value, unit):
    found = only(text)
    assert (found.value, found.unit) == (Decimal(value), unit)


@pytest.mark.parametrize(
    ("text", "currency"), [("HK$12.3", "HKD"), ("500 dollars", "USD"), ("100港币", "HKD"), ("cny 5", "CNY"), ("5元", "CNY")]
)
def test_money_has_a_currency(text, currency):
    assert (only(text).unit, only(text).currency) == ("money", currency)


@pytest.mark.parametrize(
    "text",
    [
        "五六万",
        "5万多",
        "3到5万",
        "3-5 years",
        "-500",
        "负500",
        "三万五万",
        "9" * 20,
        "2026年",
        "2 million and a half",
        "5万以上",
    ],
)
def test_what_has_no_one_reading_has_no_value(text):
    assert [found.value for found in scan(folded(text))] == [None]


@pytest.mark.parametrize("text", ["十几万", "3,5", "1,00"])
def test_what_falls_into_two_figures_is_not_one(text):
    assert len(scan(folded(text))) == 2


@pytest.mark.parametrize(
    ("text", "values"), [("不是3万,是5万", ["50000"]), ("not 3 but 5", ["5"]), ("12.3元卖1000股", ["12.3", "1000"])]
)
def test_a_figure_that_is_denied_does_not_count(text, values):
    assert [str(found.value) for found in scan(folded(text))] == values


@pytest.mark.parametrize(
    ("text", "unit"), [("15岁", "other"), ("3点", "other"), ("第3次", "other"), ("5个", "other"), ("1e5", "other")]
)
def test_a_count_of_something_else_is_no_amount(text, unit):
    assert scan(folded(text))[0].unit == unit


@given(st.decimals(min_value=0, max_value=10**9, places=2, allow_nan=False))
def test_an_amount_survives_its_usual_spellings(amount):
    for text in (f"{amount}", f"¥{amount:,}", f"{amount}元", f"rmb {amount:,}"):
        assert only(text).value == amount


@given(
    st.integers(1, 9999), st.sampled_from([("万", 10**4), ("亿", 10**8), ("k", 1000), ("million", 10**6), (" thousand", 1000)])
)
def test_a_scale_multiplies_exactly(count, scale):
    word, factor = scale
    assert only(f"{count}{word if word[0] != 'm' else ' ' + word}").value == count * factor


@given(st.integers(1, 99_999_999))
def test_chinese_numerals_are_read_back(number):
    import cn2an

    assert only(cn2an.an2cn(str(number), "low") + "元").value == number


@given(st.text(max_size=60))
def test_any_text_is_scanned_and_places_are_in_order(text):
    plain = folded(text)
    found = scan(plain)
    assert all(0 <= one.start < one.end <= len(plain) for one in found)
    assert [one.start for one in found] == sorted(one.start for one in found)
    assert all(one.value is None or one.value >= 0 for one in found)


@pytest.mark.parametrize(
    "text", ["9" * 4000, "一" * 4000, "1," * 2000, "twenty " * 600, "半年" * 2000, "3到" * 1500, "¥ " * 2000]
)
def test_time_grows_with_the_length_alone(text):
    import time

    started = time.perf_counter()
    scan(text)
    assert time.perf_counter() - started < 2.0
