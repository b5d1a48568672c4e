"""By when the firm answers a complaint or a request to close accounts. Pure: the dates are `data/service_deadlines.yml` and the trading calendar.

Days are trading days of one market, in Asia/Shanghai. A year that the exchange has not published is refused, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from tightrope.rules.figures import first_day, in_force, ordered, sources_of
from tightrope.rules.models import RuleDataError, Source
from tightrope.rules.trading_calendar import TradingCalendar

RULE: Final = "service_deadlines"
KINDS: Final = ("complaint", "closing")
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
            self._entries = {kind: ordered([_entry(part, sources) for part in data["deadlines"][kind]]) for kind in KINDS}
        except (KeyError, TypeError, ValueError) as error:
            raise RuleDataError(f"service deadlines: {error!r}") from error

    def due(self, kind: str, filed_at: datetime, calendar: TradingCalendar) -> Deadline:
        """The days by which what is filed at `filed_at` is acknowledged and answered.

        Args:
            kind: one of KINDS.
            filed_at: a moment with its zone.

        Raises:
            RuleRefusal: no entry is in force, or the calendar does not know a year on the way.
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
            start = start if open_today else calendar.next_trading_day(self._market, start).day
        acknowledged = self._after(calendar, start, entry.acknowledged_within)
        answered = self._after(calendar, acknowledged, entry.answered_within)
        return Deadline(kind, start, acknowledged, answered, entry.version, entry.source)

    def _after(self, calendar: TradingCalendar, day: date, count: int) -> date:
        for _ in range(count):
            day = calendar.next_trading_day(self._market, day).day
        return day


def _entry(part: Mapping[str, Any], sources: Mapping[str, Source]) -> _Entry:
    until, counts = part["accepted_until"], (part["acknowledged_within"], part["answered_within"])
    if any(type(count) is not int or not 0 <= count <= 250 for count in counts):
        raise ValueError(f"days are whole numbers from 0 to 250: {counts}")
    if until is not None and not isinstance(until, str):
        raise TypeError(f"accepted_until is a quoted time or null: {until!r}")
    return _Entry(
        version=str(part["version"]),
        effective_from=first_day(part),
        source=sources[part["source"]],
        accepted_until=None if until is None else time.fromisoformat(until),
        acknowledged_within=counts[0],
        answered_within=counts[1],
    )
