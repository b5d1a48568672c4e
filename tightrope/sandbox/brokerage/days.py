"""Days of the sandbox's firm: Asia/Shanghai, trading days by the rules' own calendar, and weekdays where no year is published."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

import tightrope.rules
from tightrope.rules.deadlines import ServiceDeadlines
from tightrope.rules.models import RuleRefusal
from tightrope.rules.trading_calendar import TradingCalendar

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has no daylight saving time, so no zone data is needed."""
NIGHTLY_RUN_HOUR: Final = 6
ACTIVITY_FROM: Final = time(10, 5)
"""From then on a trading day counts as the last one: what customers did on it happened before 10:00."""
_SATURDAY: Final = 5
_RULED: Final[Mapping[str, str]] = {"closure": "closing", "complaint": "complaint"}
"""Kinds of tickets whose deadline stands in rules/data/service_deadlines.yml."""
_WITHIN: Final[Mapping[str, int]] = {"statement": 1, "contact_change": 5}
"""Trading days of the others: until a statement lies in the app, until a change of contact details lapses."""
_WITH_ROOM: Final = 20


@cache
def calendar() -> TradingCalendar:
    """The exchanges' calendars, read once."""
    return TradingCalendar(_rule_data("trading_calendar.yml"))


@cache
def _deadlines() -> ServiceDeadlines:
    return ServiceDeadlines(_rule_data("service_deadlines.yml"))


def _rule_data(name: str) -> Any:
    return yaml.safe_load((Path(tightrope.rules.__file__).parent / "data" / name).read_text(encoding="utf-8"))


def answered_by(kind: str, filed_at: datetime) -> date:
    """The day by which this firm answers a request: as its published deadlines say, else within a number of trading days of its own.

    Where no year is published yet that a deadline is counted in, the firm names a day with room.
    """
    local = filed_at.astimezone(SHANGHAI).date()
    if kind in _RULED:
        try:
            return _deadlines().due(_RULED[kind], filed_at, calendar()).answered_by
        except RuleRefusal:
            return trading_days(local, _WITH_ROOM)
    return trading_days(local + timedelta(days=1), _WITHIN[kind] - 1)


@lru_cache(maxsize=4096)
def is_trading_day(day: date) -> bool:
    """Whether Shanghai trades; a weekday where the exchange has not published the year."""
    try:
        return calendar().day("sse", day).is_open
    except RuleRefusal:
        return day.weekday() < _SATURDAY


def activity_day(now: datetime) -> date:
    """The last trading day of which the first half hour is over."""
    local = now.astimezone(SHANGHAI)
    day = local.date() if local.time() >= ACTIVITY_FROM else local.date() - timedelta(days=1)
    while not is_trading_day(day):
        day -= timedelta(days=1)
    return day


def trading_days(day: date, count: int) -> date:
    """`count` trading days after (below zero: before) the first trading day not before `day`."""
    while not is_trading_day(day):
        day += timedelta(days=1)
    step = timedelta(days=1 if count > 0 else -1)
    for _ in range(abs(count)):
        day += step
        while not is_trading_day(day):
            day += step
    return day


def about(day: date, count: int) -> date:
    """The trading day `count` away from `day`: up to 0 counted back from the last trading day, above it forward from the next one."""
    if count > 0:
        return trading_days(day + timedelta(days=1), count - 1)
    while not is_trading_day(day):
        day -= timedelta(days=1)
    return trading_days(day, count)


def moment(day: date, clock: str) -> datetime:
    """A time of a day, as `09:41:07`."""
    return datetime.combine(day, time.fromisoformat(clock), SHANGHAI)


def nightly(now: datetime) -> datetime:
    """When the last nightly run was."""
    local = now.astimezone(SHANGHAI)
    run = local.replace(hour=NIGHTLY_RUN_HOUR, minute=0, second=0, microsecond=0)
    return run if run <= local else run - timedelta(days=1)
