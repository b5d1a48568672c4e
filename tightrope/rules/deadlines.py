"""By when the firm answers a complaint or a request to close accounts. Pure: the dates are `data/service_deadlines.yml` and the trading calendar.

Days are counted as the rule has them, in Asia/Shanghai: trading days of one market, or working days, which are these and the make-up days
around holidays. A year that is not published is refused, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

from tightrope.rules.figures import first_day, in_force, ordered, sources_of
from tightrope.rules.models import RuleDataError, RuleRefusal, Source, Term
from tightrope.rules.trading_calendar import TradingCalendar

RULE: Final = "service_deadlines"
KINDS: Final = ("complaint", "closing")
Counted = Literal["trading_days", "working_days"]
_ZONE: Final = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Deadline:
    """What the customer can hold the firm to."""

    kind: str
    counted_from: date
    """The day on which it counts as received."""
    acknowledged_by: date
    answered_by: date
    version: str
    source: Source


@dataclass(frozen=True, slots=True)
class _Entry:
    version: str
    effective_from: date
    source: Source
    counted_in: Counted
    accepted_until: time | None
    acknowledged_within: int
    answered_within: int


class ServiceDeadlines:
    """The rule data, read and checked."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of `data/service_deadlines.yml`.

        Raises:
            RuleDataError: something is missing, of the wrong kind, or given twice.
        """
        try:
            sources = sources_of(data)
            self._market = str(data["market"])
            self._make_up = {int(year): frozenset(days) for year, days in data["make_up_days"].items()}
            if any(type(day) is not date or day.year != year for year, days in self._make_up.items() for day in days):
                raise ValueError("make_up_days are dates of their year")
            if not self._make_up:
                raise ValueError("make_up_days names no year")
            self._entries = {kind: ordered([_entry(part, sources) for part in data["deadlines"][kind]]) for kind in KINDS}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RuleDataError(f"service deadlines: {error!r}") from error

    def due(self, kind: str, filed_at: datetime, calendar: TradingCalendar) -> Deadline:
        """The days by which what is filed at `filed_at` is acknowledged and answered.

        Args:
            kind: one of KINDS.
            filed_at: a moment with its zone.

        Raises:
            RuleRefusal: no entry is in force, or a year on the way is not known to the calendar or has no list of make-up days.
            ValueError: there is no such kind, or the moment has no zone.
        """
        if filed_at.tzinfo is None:
            raise ValueError("a moment without a zone has no day")
        if kind not in self._entries:
            raise ValueError(f"no deadline for {kind!r}; known are {', '.join(KINDS)}")
        local = filed_at.astimezone(_ZONE)
        entry = in_force(self._entries[kind], local.date(), RULE)
        start = local.date()
        if entry.accepted_until is not None:
            open_today = calendar.day(self._market, start).is_open and local.time() < entry.accepted_until
            start = start if open_today else self._after(calendar, start, 1, entry.counted_in)
        acknowledged = self._after(calendar, start, entry.acknowledged_within, entry.counted_in)
        answered = self._after(calendar, acknowledged, entry.answered_within, entry.counted_in)
        return Deadline(kind, start, acknowledged, answered, entry.version, entry.source)

    def _after(self, calendar: TradingCalendar, day: date, count: int, counted_in: Counted) -> date:
        while count:
            day += timedelta(days=1)
            works = counted_in == "working_days" and day in self._make_up_days(day.year)
            count -= works or calendar.day(self._market, day).is_open
        return day

    def _make_up_days(self, year: int) -> Set[date]:
        if year not in self._make_up:
            known = sorted(self._make_up)
            raise RuleRefusal("year_unknown", market=Term(self._market), year=str(year), first=str(known[0]), last=str(known[-1]))
        return self._make_up[year]


def _entry(part: Mapping[str, Any], sources: Mapping[str, Source]) -> _Entry:
    until, counts = part["accepted_until"], (part["acknowledged_within"], part["answered_within"])
    if any(type(count) is not int or not 0 <= count <= 250 for count in counts):
        raise ValueError(f"days are whole numbers from 0 to 250: {counts}")
    if part["counted_in"] not in get_args(Counted):
        raise ValueError(f"counted_in is one of {', '.join(get_args(Counted))}: {part['counted_in']!r}")
    if until is not None and not isinstance(until, str):
        raise TypeError(f"accepted_until is a quoted time or null: {until!r}")
    return _Entry(
        version=str(part["version"]),
        effective_from=first_day(part),
        source=sources[part["source"]],
        counted_in=part["counted_in"],
        accepted_until=None if until is None else time.fromisoformat(until),
        acknowledged_within=counts[0],
        answered_within=counts[1],
    )
