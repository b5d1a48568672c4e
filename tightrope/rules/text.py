"""How figures are written in both languages."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final, Literal

from tightrope.rules.figures import exactly
from tightrope.rules.models import Months, Percent

Language = Literal["zh", "en"]

MONTHS_EN: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def amount(value: Decimal) -> str:
    """`500,000.00`: grouped, never rounded, with at least two decimals."""
    with exactly():
        shown = f"{value:,.2f}"
        return shown if Decimal(shown.replace(",", "")) == value else f"{value.normalize():,f}"


def percent(rate: Percent) -> str:
    """`0.05%`: never rounded, without trailing zeros."""
    with exactly():
        return f"{(rate.fraction * 100).normalize():f}%"


def calendar_day(day: date, language: str) -> str:
    """A date as people write it: `2026年11月20日`, `20 Nov 2026`."""
    if language == "en":
        return f"{day.day} {MONTHS_EN[day.month - 1]} {day.year}"
    return f"{day.year}年{day.month}月{day.day}日"


def length_of_time(term: Months, language: str) -> str:
    """`5 年`, `18 个月`; `5 years`, `1 month`."""
    whole = term.count % 12 == 0
    count = term.count // 12 if whole else term.count
    if language == "en":
        return f"{count} {'year' if whole else 'month'}{'' if count == 1 else 's'}"
    return f"{count} {'年' if whole else '个月'}"
