"""Days of the sandbox's firm: Asia/Shanghai, trading days by the rules' own calendar, and weekdays where no year is published."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import yaml

from tightrope.rules import trading_calendar
from tightrope.rules.models import RuleRefusal
from tightrope.rules.trading_calendar import TradingCalendar

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has no daylight saving time, so no zone data is needed."""
NIGHTLY_RUN_HOUR: Final = 6
ACTIVITY_FROM: Final = time(10, 5)
"""From then on a trading day counts as the last one: what customers did on it happened before 10:00."""
_SATURDAY: Final = 5


@cache
def calendar() -> TradingCalendar:
    """The exchanges' calendars, read once."""
    path = Path(trading_calendar.__file__).parent / "data" / "trading_calendar.yml"
    return TradingCalendar(yaml.safe_load(path.read_text(encoding="utf-8")))


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
