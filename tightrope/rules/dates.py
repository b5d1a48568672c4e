"""Calendar arithmetic in whole months."""

from __future__ import annotations

import calendar
from datetime import date


def add_months(day: date, months: int) -> date:
    """The same day `months` later (or earlier); the last day of the month where that month has no such day.

    Raises:
        OverflowError: the result lies outside the years 1 to 9999.
    """
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    if not 1 <= year <= 9999:
        raise OverflowError(f"{day} plus {months} months is no date")
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
