"""Is a day a trading day, which is the next, when are the sessions, when does a trade settle. Pure: the dates are `data/trading_calendar.yml`.

The file holds only years that the exchange has published. Any other year is refused with its number: nothing is guessed. Sessions
are those of shares; days are calendar days of the exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tightrope.rules.figures import Computation, Step, each_once, first_day, in_force, ordered, sources_of
from tightrope.rules.models import RuleDataError, RuleRefusal, Source, Term, Value

RULE: Final = "trading_calendar"
_SATURDAY: Final = 5


class DayKind(StrEnum):
    """What a day is for a market."""

    FULL = "full"
    HALF = "half"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    UNPLANNED = "unplanned"
    """Closed on the day itself, a typhoon for example."""


@dataclass(frozen=True, slots=True)
class Session:
    """A part of a trading day, in the exchange's zone."""

    name: str
    opens: datetime
    closes: datetime


@dataclass(frozen=True, slots=True)
class TradingDay:
    """A day of a market."""

    market: str
    day: date
    kind: DayKind
    sessions: tuple[Session, ...]
    """Empty when the market is closed."""
    computation: Computation

    @property
    def is_open(self) -> bool:
        """Trades are possible on this day, if only for half of it."""
        return self.kind in {DayKind.FULL, DayKind.HALF}


@dataclass(frozen=True, slots=True)
class Settlement:
    """What follows from a trade on a day."""

    market: str
    traded_on: date
    sellable_on: date
    """From when bought shares can be sold."""
    settled_on: date
    """Mainland: from when money of a sale can go to the bank. Hong Kong: delivery of shares and money."""
    computation: Computation


@dataclass(frozen=True, slots=True)
class _Year:
    source: Source
    closed: Mapping[date, DayKind]
    half: frozenset[date]


@dataclass(frozen=True, slots=True)
class _Hours:
    effective_from: date
    source: Source
    parts: Mapping[DayKind, tuple[tuple[str, time, time], ...]]


@dataclass(frozen=True, slots=True)
class _Calendar:
    zone: ZoneInfo
    years: Mapping[int, _Year]
    hours: tuple[_Hours, ...]


@dataclass(frozen=True, slots=True)
class _Market:
    calendars: tuple[str, ...]
    """All have to be open; the last one sets sessions and zone."""
    sell_after: int
    settle_after: int
    half_days_settle: bool
    source: Source


class TradingCalendar:
    """The calendars, read and checked."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of `data/trading_calendar.yml`.

        Raises:
            RuleDataError: something is missing, of the wrong kind, or a date stands where it cannot be.
        """
        try:
            sources = sources_of(data)
            self.version = str(data["version"])
            self._calendars = {name: _calendar(entry, sources) for name, entry in data["calendars"].items()}
            self._markets = {name: _market(entry, sources) for name, entry in data["markets"].items()}
            for name, market in self._markets.items():
                if not market.calendars or not set(market.calendars) <= set(self._calendars):
                    raise ValueError(f"no calendar: {market.calendars}")
                if not self.known_years(name):
                    raise ValueError(f"no year that all calendars of {name} know")
        except (KeyError, TypeError, ValueError, AttributeError, ZoneInfoNotFoundError) as error:
            raise RuleDataError(f"trading calendar: {error!r}") from error

    @property
    def markets(self) -> tuple[str, ...]:
        """The markets that can be asked for."""
        return tuple(self._markets)

    def known_years(self, market: str) -> tuple[int, ...]:
        """The years that can be asked for, in order.

        Raises:
            RuleRefusal: the market is not known.
        """
        calendars = [self._calendars[name] for name in self._market(market).calendars]
        return tuple(sorted(set.intersection(*(set(calendar.years) for calendar in calendars))))

    def day(self, market: str, day: date) -> TradingDay:
        """What `day` is, with its sessions.

        Raises:
            RuleRefusal: the market or the year is not known.
        """
        kind, published = self._kind(market, day)
        sessions, hours = self._sessions(market, day, kind)
        values: dict[str, Value] = {"market": Term(market), "day": day, "weekday": Term(f"weekday_{day.weekday()}")}
        steps = [Step(f"day_{kind.value}", values)]
        steps += [
            Step("session", {"session": Term(s.name), "opens": f"{s.opens:%H:%M}", "closes": f"{s.closes:%H:%M}"})
            for s in sessions
        ]
        used = each_once([*published, *([hours] if hours else [])])
        return TradingDay(market, day, kind, sessions, Computation(RULE, self.version, tuple(steps), used))

    def next_trading_day(self, market: str, day: date) -> TradingDay:
        """The first trading day after `day`.

        Raises:
            RuleRefusal: the market is not known, or a year on the way.
        """
        return next(found for found in self._from(market, day, 1) if found.is_open)

    def previous_trading_day(self, market: str, day: date) -> TradingDay:
        """The last trading day before `day`.

        Raises:
            RuleRefusal: the market is not known, or a year on the way.
        """
        return next(found for found in self._from(market, day, -1) if found.is_open)

    def settlement(self, market: str, traded_on: date) -> Settlement:
        """When shares bought on this day can be sold, and when the trade settles.

        Raises:
            RuleRefusal: the market is not known, it was closed on that day, or a year on the way is not known.
        """
        if not self.day(market, traded_on).is_open:
            raise RuleRefusal("not_a_trading_day", market=Term(market), day=traded_on)
        rule = self._market(market)
        sellable_on = self._after(market, traded_on, rule.sell_after, halves=True)
        settled_on = self._after(market, traded_on, rule.settle_after, halves=rule.half_days_settle)
        values: dict[str, Value] = {
            "market": Term(market),
            "traded_on": traded_on,
            "sellable_on": sellable_on,
            "settled_on": settled_on,
            "sell_after": rule.sell_after,
            "settle_after": rule.settle_after,
        }
        steps = (Step("sellable", values), Step("settled" if rule.half_days_settle else "settled_no_half_days", values))
        dates = [source for day in (traded_on, settled_on) for source in self._kind(market, day)[1]]
        return Settlement(
            market, traded_on, sellable_on, settled_on, Computation(RULE, self.version, steps, each_once([rule.source, *dates]))
        )

    def on_file(self, market: str) -> Computation:
        """Which years are on file and what says so, for "why?".

        Raises:
            RuleRefusal: the market is not known.
        """
        years = self.known_years(market)
        values: dict[str, Value] = {"market": Term(market), "first": str(years[0]), "last": str(years[-1])}
        calendars = [self._calendars[name] for name in self._market(market).calendars]
        used = [calendar.years[year].source for year in years for calendar in calendars]
        hours = calendars[-1].hours[-1].source
        sources = each_once([*used, hours, self._market(market).source])
        return Computation(RULE, self.version, (Step("on_file", values),), sources)

    def _after(self, market: str, day: date, count: int, *, halves: bool) -> date:
        """The `count`th trading day after `day`; half days count where they settle."""
        for found in self._from(market, day, 1) if count else ():
            if found.is_open and (halves or found.kind is DayKind.FULL):
                count -= 1
            if not count:
                return found.day
        return day

    def _from(self, market: str, day: date, step: int) -> Iterator[TradingDay]:
        while True:
            day += timedelta(step)
            yield self.day(market, day)

    def _market(self, market: str) -> _Market:
        if market not in self._markets:
            raise RuleRefusal("unknown_market", market=market, known=", ".join(self._markets))
        return self._markets[market]

    def _kind(self, market: str, day: date) -> tuple[DayKind, tuple[Source, ...]]:
        """The kind of the day over all calendars of the market: closed anywhere is closed, half anywhere is half. With what says so."""
        if isinstance(day, datetime):
            raise TypeError("a calendar day is asked for: take the date of the moment in the exchange's zone first")
        kinds: list[tuple[DayKind, Source]] = []
        for name in self._market(market).calendars:
            year = self._calendars[name].years.get(day.year)
            if year is None:
                known = self.known_years(market)
                raise RuleRefusal(
                    "year_unknown", market=Term(market), year=str(day.year), first=str(known[0]), last=str(known[-1])
                )
            if day.weekday() >= _SATURDAY:
                kinds.append((DayKind.WEEKEND, year.source))
            elif day in year.closed:
                kinds.append((year.closed[day], year.source))
            else:
                kinds.append((DayKind.HALF if day in year.half else DayKind.FULL, year.source))
        order = (DayKind.WEEKEND, DayKind.HOLIDAY, DayKind.UNPLANNED, DayKind.HALF, DayKind.FULL)
        kind = min((kind for kind, _ in kinds), key=order.index)
        return kind, tuple(source for found, source in kinds if found is kind)

    def _sessions(self, market: str, day: date, kind: DayKind) -> tuple[tuple[Session, ...], Source | None]:
        calendar = self._calendars[self._market(market).calendars[-1]]
        if kind not in {DayKind.FULL, DayKind.HALF}:
            return (), None
        hours = in_force(calendar.hours, day, market)
        if kind not in hours.parts:
            raise RuleDataError(f"trading calendar: {market} has no sessions for a {kind.value} day")
        sessions = tuple(
            Session(name, datetime.combine(day, opens, calendar.zone), datetime.combine(day, closes, calendar.zone))
            for name, opens, closes in hours.parts[kind]
        )
        return sessions, hours.source


def _calendar(entry: Mapping[str, Any], sources: Mapping[str, Source]) -> _Calendar:
    hours = ordered([_hours(part, sources) for part in entry["hours"]])
    years = {int(number): _year(int(number), part, sources) for number, part in entry["years"].items()}
    if not years or sorted(years) != list(range(min(years), max(years) + 1)):
        raise ValueError("years are missing between the first and the last")
    return _Calendar(ZoneInfo(str(entry["zone"])), years, hours)


def _year(number: int, entry: Mapping[str, Any], sources: Mapping[str, Source]) -> _Year:
    half = frozenset(entry["half_days"])
    closed = dict.fromkeys(entry["holidays"], DayKind.HOLIDAY) | dict.fromkeys(entry["unplanned"], DayKind.UNPLANNED)
    for day in (*half, *closed):
        if type(day) is not date or day.year != number or day.weekday() >= _SATURDAY:
            raise ValueError(f"{day!r} is no weekday of {number}")
    if half & closed.keys() or len(closed) != len(entry["holidays"]) + len(entry["unplanned"]):
        raise ValueError(f"a day of {number} stands twice")
    return _Year(sources[entry["source"]], closed, half)


def _hours(entry: Mapping[str, Any], sources: Mapping[str, Source]) -> _Hours:
    parts: dict[DayKind, tuple[tuple[str, time, time], ...]] = {}
    for kind in (DayKind.FULL, DayKind.HALF):
        if kind.value not in entry:
            continue
        listed = [(str(name), time.fromisoformat(opens), time.fromisoformat(closes)) for name, opens, closes in entry[kind.value]]
        flat = [moment for _, opens, closes in listed for moment in (opens, closes)]
        if not flat or flat != sorted(flat):
            raise ValueError(f"sessions out of order: {listed}")
        parts[kind] = tuple(listed)
    return _Hours(first_day(entry), sources[entry["source"]], parts)


def _market(entry: Mapping[str, Any], sources: Mapping[str, Source]) -> _Market:
    if type(entry["half_days_settle"]) is not bool or min(entry["sell_after"], entry["settle_after"]) < 0:
        raise ValueError(f"settlement of a market: {entry}")
    return _Market(
        calendars=tuple(entry["calendars"]),
        sell_after=int(entry["sell_after"]),
        settle_after=int(entry["settle_after"]),
        half_days_settle=entry["half_days_settle"],
        source=sources[entry["source"]],
    )
