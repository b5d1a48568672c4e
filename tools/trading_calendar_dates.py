"""Prints the dates that `tightrope/rules/data/trading_calendar.yml` needs for a year, from exchange_calendars (requirements-dev.in).

    python tools/trading_calendar_dates.py 2027

Copy them into the file only after comparing them with what the exchange has published, and name that publication as the year's source:
the library is kept by volunteers, ends where the mainland's last published year ends, and computes Hong Kong's holidays ahead.
Why the product reads a file and not the library: docs/decisions/0013-calendar.md
"""

from __future__ import annotations

import sys
from datetime import date, timedelta

import exchange_calendars


def main(year: int) -> int:
    for name in ("XSHG", "XHKG"):
        known_to = exchange_calendars.calendar_utils.global_calendar_dispatcher._calendar_factories[name].bound_max()
        if known_to.date() < date(year, 12, 31):
            sys.stdout.write(
                f"{name}: the library knows nothing after {known_to.date()}; wait for the exchange and for a new version\n"
            )
            continue
        calendar = exchange_calendars.get_calendar(name, start=f"{year}-01-01", end=f"{year}-12-31")
        days = [date(year, 1, 1) + timedelta(n) for n in range(366)]
        sessions = {session.date() for session in calendar.sessions}
        closed = [day for day in days if day.year == year and day.weekday() < 5 and day not in sessions]
        half = [session.date() for session in calendar.early_closes if session.year == year]
        sys.stdout.write(
            f"{name} {year}\n  holidays: [{', '.join(map(str, closed))}]\n  half_days: [{', '.join(map(str, half))}]\n"
        )
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit("usage: python tools/trading_calendar_dates.py YEAR")
    sys.exit(main(int(sys.argv[1])))
