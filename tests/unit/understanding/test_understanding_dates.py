"""Days and months against a given today: a Sunday, 22 November 2026, unless said otherwise."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.understanding.dates import find_days, find_months
from tightrope.understanding.normalise import folded

SUNDAY = date(2026, 11, 22)
WEDNESDAY = date(2026, 11, 25)


def days(text, today=SUNDAY, towards="near"):
    return [str(found.value) for found in find_days(folded(text), today, towards)]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("下周五", "2026-11-27"),
        ("下星期五开市吗", "2026-11-27"),
        ("下下周一", "2026-11-30"),
        ("这周三", "2026-11-18"),
        ("上周五", "2026-11-13"),
        ("周日", "2026-11-22"),
        ("明天", "2026-11-23"),
        ("大后天", "2026-11-25"),
        ("昨天", "2026-11-21"),
        ("11月28日", "2026-11-28"),
        ("十一月二十八号", "2026-11-28"),
        ("2026年12月1日", "2026-12-01"),
        ("明年1月1日", "2027-01-01"),
        ("下个月5号", "2026-12-05"),
        ("本月底", "2026-11-30"),
        ("3天后", "2026-11-25"),
        ("两周前", "2026-11-08"),
        ("2026-12-01", "2026-12-01"),
        ("2026/12/1", "2026-12-01"),
        ("20261201", "2026-12-01"),
        ("11/28", "2026-11-28"),
        ("28.11.2026", "2026-11-28"),
        ("11/12开吗", "2026-11-12"),
        ("next Friday", "2026-11-27"),
        ("this coming Friday", "2026-11-27"),
        ("Friday", "2026-11-27"),
        ("tomorrow", "2026-11-23"),
        ("the day after tomorrow", "2026-11-24"),
        ("in 3 days", "2026-11-25"),
        ("two weeks ago", "2026-11-08"),
        ("Nov 28", "2026-11-28"),
        ("28th of November", "2026-11-28"),
        ("December 25, 2026", "2026-12-25"),
    ],
)
def test_a_day_is_read(text, day):
    assert days(text) == [day]


@pytest.mark.parametrize("text", ["5/6", "3/4/2026", "last Monday", "this Friday", "二月三十日", "2026-02-30", "13/13"])
def test_a_day_with_two_readings_or_none_is_found_and_not_guessed(text):
    assert days(text) == ["None"]


def test_next_friday_is_asked_about_when_people_would_differ():
    assert days("next friday", WEDNESDAY) == ["None"]
    assert days("next tuesday", WEDNESDAY) == ["2026-12-01"]
    assert days("下周五", WEDNESDAY) == ["2026-12-04"]


@pytest.mark.parametrize(("towards", "day"), [("future", "2027-11-20"), ("past", "2026-11-20"), ("near", "2026-11-20")])
def test_a_day_without_a_year_goes_where_the_slot_looks(towards, day):
    assert days("11月20日", towards=towards) == [day]


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("2026-10", "2026-10"),
        ("10月", "2026-10"),
        ("十月份的", "2026-10"),
        ("12月", "2025-12"),
        ("去年12月", "2025-12"),
        ("2026年9月", "2026-09"),
        ("上个月", "2026-10"),
        ("上上个月", "2026-09"),
        ("本月", "2026-11"),
        ("last month", "2026-10"),
        ("October", "2026-10"),
        ("october 2025", "2025-10"),
        ("in May", "2026-05"),
        ("May", "2026-05"),
        ("10月5日", "2026-10"),
    ],
)
def test_a_month_is_read_looking_back(text, month):
    assert [f"{found.value:%Y-%m}" for found in find_months(folded(text), SUNDAY)] == [month]


@pytest.mark.parametrize("text", ["may i have it", "march on", "3个月", "13月"])
def test_other_words_are_no_months(text):
    assert [found.value for found in find_months(text, SUNDAY) if found.value] == []


@given(st.dates(date(2020, 1, 1), date(2035, 12, 31)), st.dates(date(2020, 1, 1), date(2035, 12, 31)))
def test_a_written_day_is_that_day_whenever_it_is_read(today, day):
    for text in (day.isoformat(), f"{day.year}年{day.month}月{day.day}日", f"{day.year}/{day.month}/{day.day}"):
        assert [found.value for found in find_days(text, today)] == [day]


@given(st.dates(date(2020, 1, 1), date(2035, 12, 31)), st.integers(0, 6))
def test_a_weekday_of_next_week_lies_in_next_week(today, weekday):
    (found,) = find_days(f"下周{'一二三四五六日'[weekday]}", today)
    assert found.value.weekday() == weekday
    assert timedelta(0) < found.value - (today - timedelta(days=today.weekday())) - timedelta(days=6) <= timedelta(days=7)
    for read in find_days(f"next {found.value:%A}".lower(), today):
        assert read.value in {None, found.value}


@given(st.text(max_size=60), st.dates(date(1990, 1, 1), date(2090, 1, 1)))
def test_any_text_is_read_without_an_error(text, today):
    for finder in (find_days, find_months):
        for found in finder(folded(text), today):
            assert 0 <= found.start < found.end


@pytest.mark.parametrize("text", ["11月" * 1500, "2026-" * 1000, "下" * 4000, "十" * 4000, "may " * 1000, "1/1" * 1500])
def test_time_grows_with_the_length_alone(text):
    import time

    started = time.perf_counter()
    find_months(text, SUNDAY)
    assert time.perf_counter() - started < 3.0
