"""For which period a customer can ask for a statement. Pure, no I/O.

A month runs to its last day, the running one to today. A year is a calendar year that has ended.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from tightrope.rules.dates import add_months
from tightrope.rules.models import RuleDataError

MAX_DAYS: Final = 366
"""The longest period that the business API takes."""


class PeriodRefused(ValueError):
    """No document can be asked for over this period; `reason` is `not_begun`, `too_old` or `unreadable`."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Period:
    """From `first` to `last`, both included, at most MAX_DAYS."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class _Edition:
    version: str
    effective_from: date
    oldest_months: int


class StatementRules:
    """The dated rules (`data/statements.yml`)."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of the file.

        Raises:
            RuleDataError: it is not what this rule needs.
        """
        try:
            editions = [_Edition(str(e["version"]), e["effective_from"], e["oldest_months"]) for e in data["editions"]]
        except (KeyError, TypeError) as error:
            raise RuleDataError(f"statements: {error!r}") from error
        if not editions or any(type(e.oldest_months) is not int or e.oldest_months < 1 for e in editions):
            raise RuleDataError("statements: an edition needs a number of months of one or more")
        if any(type(e.effective_from) is not date for e in editions):
            raise RuleDataError("statements: effective_from is a date")
        self._editions = sorted(editions, key=lambda edition: edition.effective_from)

    def version(self, today: date) -> str:
        """The version in force.

        Raises:
            RuleDataError: the rules begin later.
        """
        return self._on(today).version

    def month(self, text: str, today: date) -> Period:
        """The month `2026-10`, or what has passed of it.

        Raises:
            PeriodRefused: it is no month, has not begun, or is too old.
        """
        try:
            first = date.fromisoformat(f"{text}-01")
        except ValueError:
            raise PeriodRefused("unreadable") from None
        if first > today:
            raise PeriodRefused("not_begun")
        return self._checked(Period(first, min(today, _last_of_month(first))), today)

    def year(self, years_ago: int, today: date) -> Period:
        """A calendar year that has ended, 1 for the last one.

        Raises:
            PeriodRefused: it has not ended, or is too old.
        """
        if years_ago < 1:
            raise PeriodRefused("not_begun")
        year = today.year - years_ago
        return self._checked(Period(date(year, 1, 1), date(year, 12, 31)), today)

    def _checked(self, period: Period, today: date) -> Period:
        if period.first < add_months(today.replace(day=1), -self._on(today).oldest_months):
            raise PeriodRefused("too_old")
        return period

    def _on(self, today: date) -> _Edition:
        valid = [edition for edition in self._editions if edition.effective_from <= today]
        if not valid:
            raise RuleDataError(f"statements: no edition for {today}")
        return valid[-1]


def _last_of_month(first: date) -> date:
    return first.replace(day=calendar.monthrange(first.year, first.month)[1])
