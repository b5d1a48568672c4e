"""Periods of statements: whole months, the running one up to today, years that have ended, and no further back than the rules say."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import tightrope.rules
from tightrope.rules.models import RuleDataError
from tightrope.rules.statement_periods import MAX_DAYS, Period, PeriodRefused, StatementRules

DATA: dict[str, Any] = yaml.safe_load(
    (Path(tightrope.rules.__file__).parent / "data" / "statements.yml").read_text(encoding="utf-8")
)
RULES = StatementRules(DATA)
TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-10", date(2026, 10, 1), date(2026, 10, 31)),
        ("2026-11", date(2026, 11, 1), TODAY),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2021-11", date(2021, 11, 1), date(2021, 11, 30)),
    ],
)
def test_a_month_runs_to_its_end_or_to_today(text: str, first: date, last: date) -> None:
    assert RULES.month(text, TODAY) == Period(first, last)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-12", "not_begun"),
        ("9999-12", "not_begun"),
        ("2021-10", "too_old"),
        ("0001-01", "too_old"),
        ("2026-13", "unreadable"),
        ("2026", "unreadable"),
        ("", "unreadable"),
        ("None", "unreadable"),
        ("2026-10-05", "unreadable"),
        ("十月", "unreadable"),
    ],
)
def test_a_month_that_cannot_be_had_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(PeriodRefused) as refused:
        RULES.month(text, TODAY)
    assert refused.value.reason == reason


def test_on_the_first_of_a_month_its_period_is_one_day() -> None:
    assert RULES.month("2026-11", date(2026, 11, 1)) == Period(date(2026, 11, 1), date(2026, 11, 1))


@pytest.mark.parametrize(("ago", "year"), [(1, 2025), (2, 2024), (4, 2022)])
def test_a_year_is_a_whole_one(ago: int, year: int) -> None:
    assert RULES.year(ago, TODAY) == Period(date(year, 1, 1), date(year, 12, 31))


@pytest.mark.parametrize(("ago", "reason"), [(0, "not_begun"), (-1, "not_begun"), (6, "too_old")])
def test_a_year_that_cannot_be_had_is_refused(ago: int, reason: str) -> None:
    with pytest.raises(PeriodRefused) as refused:
        RULES.year(ago, TODAY)
    assert refused.value.reason == reason


@given(st.dates(date(2026, 1, 1), date(2090, 12, 31)), st.dates(date(1990, 1, 1), date(2095, 12, 31)))
def test_whatever_is_granted_has_passed_and_is_no_longer_than_the_firm_takes(today: date, month: date) -> None:
    if month.replace(day=1) > today:
        with pytest.raises(PeriodRefused, match="not_begun"):
            RULES.month(f"{month:%Y-%m}", today)
        return
    try:
        period = RULES.month(f"{month:%Y-%m}", today)
    except PeriodRefused:
        return
    assert period.first <= period.last <= today
    assert period.last - period.first < timedelta(days=31)


@given(st.integers(-3, 9), st.dates(date(2026, 1, 1), date(2090, 12, 31)))
def test_a_granted_year_has_ended(ago: int, today: date) -> None:
    try:
        period = RULES.year(ago, today)
    except PeriodRefused:
        return
    assert period.last < today
    assert (period.last - period.first).days + 1 <= MAX_DAYS


@pytest.mark.parametrize(
    "entry",
    [
        {"version": "1", "effective_from": date(2026, 1, 1)},
        {"version": "1", "effective_from": date(2026, 1, 1), "oldest_months": 0},
        {"version": "1", "effective_from": date(2026, 1, 1), "oldest_months": "60"},
        {"version": "1", "effective_from": "2026-01-01", "oldest_months": 60},
    ],
)
def test_broken_rules_are_refused_when_they_are_read(entry: dict[str, Any]) -> None:
    with pytest.raises(RuleDataError):
        StatementRules({"editions": [entry]})


@pytest.mark.parametrize("data", [{}, {"editions": []}, {"editions": None}])
def test_rules_without_an_edition_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(RuleDataError):
        StatementRules(data)


def test_before_the_rules_begin_there_is_no_answer() -> None:
    with pytest.raises(RuleDataError):
        RULES.version(date(2025, 12, 31))
    assert RULES.version(date(2026, 1, 1)) == "2026.1"
