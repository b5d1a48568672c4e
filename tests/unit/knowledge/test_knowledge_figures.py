"""Figures: two spellings of one figure are equal, two figures never, and no digit stays unread."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import cn2an
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.gate.figures import Figure, figures, plain, scan
from tightrope.knowledge.passages import load_release, split_sentences

RELEASE = load_release(REPOSITORY / "knowledge_base")


def said(text: str) -> list[str]:
    return [str(figure) for figure in figures(text)]


@pytest.mark.parametrize(
    ("canonical", "spellings"),
    [
        (
            "500000 CNY",
            [
                "人民币50万元",
                "50万元",
                "五十万元",
                "500,000元",
                "CNY 500,000",
                "RMB500000",
                "¥500,000.00",
                "５０万元",
                "500 thousand yuan",
            ],
        ),
        ("500 HKD", ["HK$500", "500港元", "港币500元", "HKD 500", "500 Hong Kong dollars"]),
        ("3 percent", ["3%", "３％", "百分之三", "30‰", "千分之三十", "300bp", "300个基点", "3 percent", "three percent"]),
        ("0.025 percent", ["0.025%", "万分之2.5", "万分之二点五", "2.5bp"]),
        ("30 percent", ["三成", "30%"]),
        ("1 percentage point", ["1个百分点", "1 percentage point"]),
        ("6 month", ["半年", "half a year", "6个月", "六个月", "six months", "2个季度", "6-month"]),
        ("12 month", ["1年", "一年", "one year", "12个月", "12 months"]),
        ("30 month", ["两年半", "2年半", "30个月"]),
        ("20 trading day", ["20个交易日", "二十个交易日", "20 trading days", "twenty trading days", "连续20个交易日"[2:]]),
        ("2 working day", ["两个工作日", "2 working days", "two business days"]),
        ("1440 minute", ["24小时", "24 hours", "1440分钟"]),
        ("2023-08-28 date", ["2023年8月28日", "28 August 2023", "August 28, 2023", "2023-08-28", "2023/08/28", "2023年08月28号"]),
        ("--12-31 date", ["12月31日", "31 December", "December 31st"]),
        ("2024-05 date", ["2024年5月", "May 2024"]),
        ("2023 date", ["2023年", "2023年度", "2023"]),
        ("15:00 time", ["15:00", "下午3点", "3 p.m.", "3:00 PM", "15时", "15：00"]),
        ("09:30 time", ["9:30", "上午9点半", "9点30分", "9:30 a.m."]),
        ("T+1 session", ["T+1", "T+1日", "Ｔ＋１", "t + 1"]),
        ("T-2 session", ["T-2日", "T-2"]),
        ("C4 code", ["C4", "c4"]),
        ("400-800-1234 code", ["400-800-1234"]),
        ("002 code", ["002"]),
        ("12386", ["12386"]),
        ("3 time", ["3次", "三次", "3 times", "three times"]),
        ("1 time", ["once a day", "一次"]),
        ("2 ordinal trading day", ["第二个交易日", "the second trading day", "2nd trading day"]),
        ("1/3 share of", ["三分之一", "1/3", "one third"]),
        ("1/2 share of", ["一半", "half of it"]),
        ("18 age", ["18周岁", "18岁", "18 years old"]),
        ("100000000 CNY", ["1亿元", "一亿元", "CNY 100 million", "10000万元"]),
        ("-5 percent", ["-5%", "负5%"]),
    ],
)
def test_the_spellings_of_a_figure_are_one_figure(canonical: str, spellings: list[str]):
    assert {tuple(said(spelling)) for spelling in spellings} == {(canonical,)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5元", "5万元"),
        ("3%", "3‰"),
        ("3%", "3个百分点"),
        ("20个交易日", "20个自然日"),
        ("20个交易日", "20天"),
        ("6个月", "6年"),
        ("CNY 5", "HKD 5"),
        ("T+1", "T+2"),
        ("100股", "100手"),
        ("9:15", "9:25"),
        ("9:15", "21:15"),
        ("C4", "R4"),
        ("001", "1"),
        ("2个交易日", "第2个交易日"),
        ("28 August 2023", "28 August 2022"),
        ("半年", "半个月"),
    ],
)
def test_different_figures_are_never_one(one: str, other: str):
    assert figures(one) != figures(other)


def test_the_first_of_a_range_counts_what_the_second_counts():
    assert said("3至5个交易日") == ["3 trading day", "5 trading day"]
    assert said("10 to 20%") == ["10 percent", "20 percent"]
    assert said("5-10年") == ["60 month", "120 month"]


@pytest.mark.parametrize(
    "text",
    [
        "一般情况下应当一次性卖出",
        "三方存管",
        "两融",
        "万一忘记",
        "第三方",
        "统一",
        "no one may",
        "at once",
        "一个客户",
        "一种方式",
        "十分重要",
    ],
)
def test_numerals_inside_words_are_no_figures(text: str):
    assert said(text) == []


@given(st.integers(1, 99_999_999))
@example(10_010_000)
def test_an_amount_reads_the_same_in_digits_and_numerals(amount: int):
    wanted = (Figure(Decimal(f"{Decimal(amount):f}"), "CNY"),)
    numerals = cn2an.an2cn(amount)
    for spelling in (
        f"{amount}元",
        f"{amount:,}元",
        f"人民币{amount}元",
        f"CNY {amount:,}",
        f"{numerals}元",
        f"{amount:,}.00 yuan",
    ):
        assert figures(spelling) == wanted, spelling


@given(st.decimals(min_value=Decimal("0.0001"), max_value=Decimal(999), places=4))
def test_a_share_reads_the_same_as_percent_permille_and_basis_points(share: Decimal):
    assert figures(f"{share}%") == figures(f"{share * 10}‰") == figures(f"{share * 100}bp") == figures(f"百分之{share}")


@given(
    st.integers(1, 10_000),
    st.integers(1, 10_000),
    st.sampled_from(["元", "股", "个交易日", "%", " trading days", " shares", "小时"]),
)
def test_only_equal_values_are_equal(one: int, other: int, unit: str):
    assert (figures(f"{one}{unit}") == figures(f"{other}{unit}")) == (one == other)


@given(st.dates(), st.sampled_from(["{0.year}年{0.month}月{0.day}日", "{0:%Y}-{0:%m}-{0:%d}"]))
def test_a_date_is_its_iso_form(day: object, form: str):
    from datetime import date

    assert isinstance(day, date)
    if 1900 <= day.year < 2100:
        assert said(form.format(day)) == [f"{day.isoformat()} date"]


@given(st.text(alphabet="0123456789,.:%‰-/+年月日元股万亿个交易TCa至 有不一二十百第", max_size=30))
def test_no_digit_stays_unread(text: str):
    covered = {at for found in scan(text) for at in range(found.start, found.end)}
    assert [at for at, char in enumerate(plain(text)) if char.isascii() and char.isdigit() and at not in covered] == []


@given(st.text(max_size=200))
def test_any_text_can_be_read_and_figures_stand_in_order(text: str):
    found = scan(text)
    assert all(one.end <= other.start for one, other in pairwise(found))


def test_no_digit_of_the_knowledge_base_stays_unread():
    for passage in RELEASE.passages:
        for text in split_sentences(passage.text):
            covered = {at for found in scan(text) for at in range(found.start, found.end)}
            assert not [at for at, char in enumerate(plain(text)) if char.isdigit() and at not in covered], text
            assert all(found.figure.unit != "unreadable" for found in scan(text)), text


@pytest.mark.parametrize(
    ("zh", "en"),
    [
        ("周五成交的A股", "A-shares traded on a Friday"),
        ("第四个星期三", "the fourth Wednesday"),
        ("星期一至星期五", "Mondays to Fridays"),
        ("星期天休市", "closed on Sunday"),
    ],
)
def test_days_of_the_week_are_figures_alike_in_both_languages(zh: str, en: str):
    weekdays = [figure for figure in figures(zh) if figure.unit == "weekday"]
    assert weekdays
    assert weekdays == [figure for figure in figures(en) if figure.unit == "weekday"]
    assert not [figure for figure in figures(zh) if figure.unit == "percent"]


@pytest.mark.parametrize("text", ["一周五次", "每隔两周，三次", "三周六个月"])
def test_weeks_and_a_number_are_no_day_of_the_week(text: str):
    assert not [figure for figure in figures(text) if figure.unit == "weekday"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Buying for CNY 40,000 costs CNY 10.00 in commission", ["40000 CNY", "10 CNY"]),
        ("bonds issued in 2027 bear CNY 10 of tax", ["2027 date", "10 CNY"]),
        ("卖出40000 CNY，另收10 CNY", ["40000 CNY", "10 CNY"]),
    ],
)
def test_a_currency_before_an_amount_is_not_the_unit_of_the_amount_before(text: str, wanted: list[str]):
    assert [str(figure) for figure in figures(text)] == wanted
