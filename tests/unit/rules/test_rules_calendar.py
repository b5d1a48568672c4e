"""The trading calendar against what the exchanges published for 2024, 2025 and 2026, its refusals, and properties over all known days."""

from __future__ import annotations

import runpy
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import tightrope.rules
from tightrope.rules.models import RuleDataError, RuleRefusal
from tightrope.rules.trading_calendar import DayKind, TradingCalendar

FOLDER = Path(tightrope.rules.__file__).parent / "data"
DATA: dict[str, Any] = yaml.safe_load((FOLDER / "trading_calendar.yml").read_text(encoding="utf-8"))
CALENDAR = TradingCalendar(DATA)
FIRST, LAST = date(2024, 1, 1), date(2026, 12, 31)
DAYS = [FIRST + timedelta(n) for n in range((LAST - FIRST).days + 1)]
# Closed from the first to the last day named, both included, weekends and all, as the exchanges write it.
# Shanghai: notices of 26 December 2023, 23 December 2024 and 22 December 2025 (the last one at
# sse.com.cn/disclosure/announcement/general/c/c_20251222_10802507.shtml). Make-up working days of the mainland are named as closed.
SHANGHAI = """
2024-01-01 2024-01-01, 2024-02-09 2024-02-17, 2024-02-04, 2024-02-18, 2024-04-04 2024-04-06, 2024-04-07, 2024-05-01 2024-05-05, 2024-04-28,
2024-05-11, 2024-06-10, 2024-09-15 2024-09-17, 2024-09-14, 2024-10-01 2024-10-07, 2024-09-29, 2024-10-12,
2025-01-01, 2025-01-28 2025-02-04, 2025-01-26, 2025-02-08, 2025-04-04 2025-04-06, 2025-05-01 2025-05-05, 2025-04-27, 2025-05-31 2025-06-02,
2025-10-01 2025-10-08, 2025-09-28, 2025-10-11,
2026-01-01 2026-01-03, 2026-01-04, 2026-02-15 2026-02-23, 2026-02-14, 2026-02-28, 2026-04-04 2026-04-06, 2026-05-01 2026-05-05, 2026-05-09,
2026-06-19 2026-06-21, 2026-09-25 2026-09-27, 2026-10-01 2026-10-07, 2026-09-20, 2026-10-10
"""
# "Opens again on": the same notices.
SHANGHAI_REOPENS = """
2024-01-02 2024-02-19 2024-04-08 2024-05-06 2024-06-11 2024-09-18 2024-10-08 2025-01-02 2025-02-05 2025-04-07 2025-05-06 2025-06-03 2025-10-09
2026-01-05 2026-02-24 2026-04-07 2026-05-06 2026-06-22 2026-09-28 2026-10-08
"""
# Hong Kong: general holidays that fall on weekdays (gov.hk/en/about/abouthk/holiday), on which HKEX is closed, and its half days.
HONG_KONG = """
2024-01-01, 2024-02-12 2024-02-13, 2024-03-29 2024-04-01, 2024-04-04, 2024-05-01, 2024-05-15, 2024-06-10, 2024-07-01, 2024-09-18, 2024-10-01,
2024-10-11, 2024-12-25 2024-12-26, 2024-09-06,
2025-01-01, 2025-01-29 2025-01-31, 2025-04-04, 2025-04-18 2025-04-21, 2025-05-01, 2025-05-05, 2025-07-01, 2025-10-01, 2025-10-07, 2025-10-29,
2025-12-25 2025-12-26,
2026-01-01, 2026-02-17 2026-02-19, 2026-04-03 2026-04-07, 2026-05-01, 2026-05-25, 2026-06-19, 2026-07-01, 2026-10-01, 2026-10-19, 2026-12-25
"""
HONG_KONG_HALF = """
2024-02-09 2024-12-24 2024-12-31 2025-01-28 2025-12-24 2025-12-31 2026-02-16 2026-12-24 2026-12-31
"""
# Southbound Stock Connect: notices of the two exchanges' subsidiaries on days without service in 2026 (22 December 2025).
SOUTHBOUND_2026 = """
2026-01-01 2026-01-03, 2026-02-15 2026-02-23, 2026-04-03 2026-04-07, 2026-05-01 2026-05-05, 2026-05-25, 2026-06-19 2026-06-21, 2026-07-01,
2026-09-25 2026-09-27, 2026-10-01 2026-10-07, 2026-10-19, 2026-12-25
"""


def published(text: str) -> set[date]:
    days: set[date] = set()
    for part in text.split(","):
        ends = [date.fromisoformat(word) for word in part.split()]
        days |= {ends[0] + timedelta(n) for n in range((ends[-1] - ends[0]).days + 1)}
    return days


def weekdays(days: set[date]) -> set[date]:
    return {day for day in days if day.weekday() < 5}


@pytest.mark.parametrize(
    ("market", "closed"), [("sse", SHANGHAI), ("szse", SHANGHAI), ("bse", SHANGHAI), ("hk", HONG_KONG)], ids=str.split
)
def test_closed_weekdays_are_exactly_those_that_the_exchange_published(market: str, closed: str) -> None:
    shut = {day for day in DAYS if not CALENDAR.day(market, day).is_open}
    assert weekdays(shut) == weekdays(published(closed))
    assert published(closed) <= shut


def test_southbound_days_are_those_that_were_published_for_2026() -> None:
    shut = {day for day in DAYS if day.year == 2026 and not CALENDAR.day("hk_connect", day).is_open}
    assert weekdays(shut) == weekdays(published(SOUTHBOUND_2026))


@pytest.mark.parametrize("opens", SHANGHAI_REOPENS.split())
def test_shanghai_opens_again_on_the_day_that_the_notice_names(opens: str) -> None:
    day = date.fromisoformat(opens)
    assert CALENDAR.day("sse", day).is_open
    assert not CALENDAR.day("sse", day - timedelta(1)).is_open


def test_a_moment_is_no_day() -> None:
    with pytest.raises(TypeError, match="zone"):
        CALENDAR.day("sse", datetime(2026, 10, 1, 10, 0, tzinfo=UTC))


def test_half_days_of_hong_kong_are_those_that_were_published() -> None:
    half = {day for day in DAYS if CALENDAR.day("hk", day).kind is DayKind.HALF}
    assert half == {date.fromisoformat(day) for day in HONG_KONG_HALF.split()}
    assert not any(CALENDAR.day("sse", day).kind is DayKind.HALF for day in DAYS)


def test_sessions_have_times_with_the_zone_of_the_exchange() -> None:
    shanghai = CALENDAR.day("sse", date(2026, 11, 20)).sessions
    assert [(s.name, s.opens.isoformat()) for s in shanghai] == [
        ("opening_auction", "2026-11-20T09:15:00+08:00"),
        ("morning", "2026-11-20T09:30:00+08:00"),
        ("afternoon", "2026-11-20T13:00:00+08:00"),
        ("closing_auction", "2026-11-20T14:57:00+08:00"),
    ]
    assert CALENDAR.day("hk", date(2026, 12, 24)).sessions[-1].closes.isoformat() == "2026-12-24T12:10:00+08:00"
    assert CALENDAR.day("hk_connect", date(2026, 11, 20)).sessions[-1].closes.isoformat() == "2026-11-20T16:10:00+08:00"
    assert CALENDAR.day("sse", date(2026, 10, 1)).sessions == ()


def test_a_typhoon_is_told_apart_from_a_holiday() -> None:
    assert CALENDAR.day("hk", date(2024, 9, 6)).kind is DayKind.UNPLANNED
    assert CALENDAR.day("hk", date(2024, 9, 7)).kind is DayKind.WEEKEND
    assert CALENDAR.day("hk", date(2024, 9, 18)).kind is DayKind.HOLIDAY


@pytest.mark.parametrize(
    ("day", "sources"),
    [
        ("2026-07-01", ["HKEX holiday schedule 2026"]),
        ("2026-09-25", ["exchanges' notice on closures in 2026 (22 December 2025)"]),
        ("2026-05-01", ["exchanges' notice on closures in 2026 (22 December 2025)", "HKEX holiday schedule 2026"]),
        ("2026-12-24", ["HKEX holiday schedule 2026", "HKEX trading hours"]),
        (
            "2026-11-20",
            ["exchanges' notice on closures in 2026 (22 December 2025)", "HKEX holiday schedule 2026", "HKEX trading hours"],
        ),
    ],
)
def test_a_southbound_day_names_the_publications_that_make_it_what_it_is(day: str, sources: list[str]) -> None:
    found = CALENDAR.day("hk_connect", date.fromisoformat(day)).computation.sources
    assert [source.short_en for source in found] == sources


@pytest.mark.parametrize(
    ("market", "day", "following"),
    [
        ("sse", "2026-09-30", "2026-10-08"),
        ("sse", "2026-11-20", "2026-11-23"),
        ("hk", "2026-04-02", "2026-04-08"),
        ("hk", "2024-09-05", "2024-09-09"),
        ("hk_connect", "2026-02-13", "2026-02-24"),
        ("hk_connect", "2026-04-02", "2026-04-08"),
    ],
)
def test_next_and_previous_trading_days_lead_over_holidays_and_back(market: str, day: str, following: str) -> None:
    assert CALENDAR.next_trading_day(market, date.fromisoformat(day)).day == date.fromisoformat(following)
    assert CALENDAR.previous_trading_day(market, date.fromisoformat(following)).day == date.fromisoformat(day)


# Southbound: ChinaClear's arrangement for the Spring Festival of 2026. Shanghai: the money of 13 February was settled on 24 February.
@pytest.mark.parametrize(
    ("market", "traded", "sellable", "settled"),
    [
        ("sse", "2026-11-19", "2026-11-20", "2026-11-20"),
        ("sse", "2026-11-20", "2026-11-23", "2026-11-23"),
        ("sse", "2026-02-13", "2026-02-24", "2026-02-24"),
        ("hk_connect", "2026-02-11", "2026-02-11", "2026-02-13"),
        ("hk_connect", "2026-02-12", "2026-02-12", "2026-02-24"),
        ("hk_connect", "2026-02-13", "2026-02-13", "2026-02-25"),
        ("hk", "2026-11-19", "2026-11-19", "2026-11-23"),
        ("hk", "2025-12-22", "2025-12-22", "2025-12-29"),
        ("hk", "2025-12-24", "2025-12-24", "2025-12-30"),
    ],
)
def test_settlement_counts_trading_days_and_leaves_half_days_out(market: str, traded: str, sellable: str, settled: str) -> None:
    found = CALENDAR.settlement(market, date.fromisoformat(traded))
    assert (found.sellable_on.isoformat(), found.settled_on.isoformat()) == (sellable, settled)


@pytest.mark.parametrize("market", CALENDAR.markets)
def test_a_year_that_is_not_published_is_refused_and_never_guessed(market: str) -> None:
    assert CALENDAR.known_years(market) == (2024, 2025, 2026)
    for day in (date(2023, 12, 29), date(2027, 1, 1), date(2027, 1, 2), date(2050, 5, 5)):
        with pytest.raises(RuleRefusal) as refusal:
            CALENDAR.day(market, day)
        assert refusal.value.reason == "year_unknown"
        assert refusal.value.values["year"] == str(day.year)
    for ask in (CALENDAR.next_trading_day, CALENDAR.settlement):
        with pytest.raises(RuleRefusal) as refusal:
            ask(market, date(2026, 12, 31))
        assert refusal.value.reason == "year_unknown"
    with pytest.raises(RuleRefusal):
        CALENDAR.previous_trading_day(market, date(2024, 1, 1))


def test_an_unknown_market_and_a_trade_on_a_closed_day_are_refused() -> None:
    with pytest.raises(RuleRefusal) as refusal:
        CALENDAR.day("nyse", date(2026, 11, 20))
    assert refusal.value.reason == "unknown_market"
    with pytest.raises(RuleRefusal) as refusal:
        CALENDAR.settlement("sse", date(2026, 11, 21))
    assert refusal.value.reason == "not_a_trading_day"


@given(market=st.sampled_from(CALENDAR.markets), day=st.dates(date(2024, 1, 15), date(2026, 12, 10)))
def test_next_and_previous_are_inverse_and_nothing_open_lies_between(market: str, day: date) -> None:
    following = CALENDAR.next_trading_day(market, day)
    assert following.is_open
    assert following.day > day
    assert not any(CALENDAR.day(market, day + timedelta(n)).is_open for n in range(1, (following.day - day).days))
    if CALENDAR.day(market, day).is_open:
        assert CALENDAR.previous_trading_day(market, following.day).day == day
        settled = CALENDAR.settlement(market, day)
        assert day <= settled.sellable_on <= settled.settled_on
        assert CALENDAR.day(market, settled.settled_on).is_open


@given(day=st.dates(FIRST, LAST))
def test_southbound_is_open_when_both_sides_are(day: date) -> None:
    both = CALENDAR.day("sse", day).is_open and CALENDAR.day("hk", day).is_open
    assert CALENDAR.day("hk_connect", day).is_open is both


@pytest.mark.filterwarnings("ignore")  # the library's own with a newer pandas
@pytest.mark.parametrize("name", ["XSHG", "XHKG"])
def test_the_file_agrees_with_the_library_for_every_year_it_holds(name: str) -> None:
    import exchange_calendars

    library = exchange_calendars.get_calendar(name, start="2024-01-01", end="2026-12-31")
    market = {"XSHG": "sse", "XHKG": "hk"}[name]
    assert {session.date() for session in library.sessions} == {day for day in DAYS if CALENDAR.day(market, day).is_open}
    half = {session.date() for session in library.early_closes}
    assert half == {day for day in DAYS if CALENDAR.day(market, day).kind is DayKind.HALF}


@pytest.mark.filterwarnings("ignore")
def test_the_script_for_a_new_year_prints_what_the_file_holds_and_says_what_the_library_does_not_know(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main = runpy.run_path(str(Path(tightrope.rules.__file__).parents[2] / "tools" / "trading_calendar_dates.py"))["main"]
    main(2026)
    printed = capsys.readouterr().out
    for name in ("XSHG", "XHKG"):
        year = DATA["calendars"][name]["years"][2026]
        for key in ("holidays", "half_days"):
            assert f"{key}: [{', '.join(map(str, year[key]))}]" in printed
    main(2090)
    assert capsys.readouterr().out.count("knows nothing after") == 2


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
        broken("calendars", "XSHG", "zone", value="Asia/Nowhere"),
        broken("calendars", "XSHG", "years", value={}),
        broken("calendars", "XSHG", "years", 2028, value=DATA["calendars"]["XSHG"]["years"][2026]),
        broken("calendars", "XSHG", "years", 2026, "holidays", value=[date(2025, 1, 1)]),
        broken("calendars", "XSHG", "years", 2026, "holidays", value=[date(2026, 1, 3)]),
        broken("calendars", "XSHG", "years", 2026, "holidays", value=["2026-01-01"]),
        broken("calendars", "XSHG", "years", 2026, "half_days", value=[date(2026, 1, 1)]),
        broken("calendars", "XSHG", "years", 2026, "source", value="nobody"),
        broken("calendars", "XSHG", "hours", value=[]),
        broken("calendars", "XSHG", "hours", 0, "full", value=[["morning", "11:30", "09:30"]]),
        broken("markets", "sse", "calendars", value=["XNYS"]),
        broken("markets", "sse", "calendars", value=[]),
        broken("markets", "sse", "settle_after", value=-1),
        broken(
            "calendars", "XHKG", "years", value={2023: {"source": "hkex_2024", "holidays": [], "unplanned": [], "half_days": []}}
        ),
        broken("markets", "sse", "half_days_settle", value="yes"),
        {},
    ],
)
def test_broken_calendars_are_refused_at_the_start(data: dict[str, Any]) -> None:
    with pytest.raises(RuleDataError):
        TradingCalendar(data)


def test_a_half_day_without_sessions_is_an_error_of_the_data() -> None:
    calendar = TradingCalendar(broken("calendars", "XSHG", "years", 2026, "half_days", value=[date(2026, 11, 20)]))
    with pytest.raises(RuleDataError, match="half"):
        calendar.day("sse", date(2026, 11, 20))
