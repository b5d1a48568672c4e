"""By when the firm answers: over weekends, holidays, the closing hour, and the end of the known calendar."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import tightrope.rules
from tightrope.rules.deadlines import KINDS, ServiceDeadlines
from tightrope.rules.models import RuleDataError, RuleRefusal
from tightrope.rules.trading_calendar import TradingCalendar

FOLDER = Path(tightrope.rules.__file__).parent / "data"
DATA: dict[str, Any] = yaml.safe_load((FOLDER / "service_deadlines.yml").read_text(encoding="utf-8"))
CALENDAR = TradingCalendar(yaml.safe_load((FOLDER / "trading_calendar.yml").read_text(encoding="utf-8")))
DEADLINES = ServiceDeadlines(DATA)
SHANGHAI = timezone(timedelta(hours=8))


def at(month: int, day: int, hour: int = 10, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("filed", "acknowledged", "answered"),
    [
        # Friday: Monday, and fifteen trading days later.
        (at(11, 20), date(2026, 11, 23), date(2026, 12, 14)),
        # Saturday and Sunday lead to the same Monday.
        (at(11, 21), date(2026, 11, 23), date(2026, 12, 14)),
        (at(11, 22, 23, 59), date(2026, 11, 23), date(2026, 12, 14)),
        (at(11, 23, 0, 0), date(2026, 11, 24), date(2026, 12, 15)),
        # The last trading day before the National Day week, and the middle of it.
        # Saturday, 10 October is a working day, and no trading day.
        (at(9, 30), date(2026, 10, 8), date(2026, 10, 28)),
        (at(10, 3), date(2026, 10, 8), date(2026, 10, 28)),
        (at(10, 9), date(2026, 10, 10), date(2026, 10, 30)),
        (at(9, 18), date(2026, 9, 20), date(2026, 10, 16)),
    ],
)
def test_a_complaint_is_acknowledged_on_the_next_working_day_and_answered_fifteen_later(
    filed: datetime, acknowledged: date, answered: date
) -> None:
    due = DEADLINES.due("complaint", filed, CALENDAR)
    assert (due.acknowledged_by, due.answered_by) == (acknowledged, answered)
    assert due.version == "2026.1"
    assert "15" in due.source.zh


@pytest.mark.parametrize(
    ("filed", "counted_from", "answered"),
    [
        (at(11, 19, 9, 0), date(2026, 11, 19), date(2026, 11, 23)),
        (at(11, 19, 14, 59), date(2026, 11, 19), date(2026, 11, 23)),
        (at(11, 19, 15, 0), date(2026, 11, 20), date(2026, 11, 24)),
        (at(11, 20, 16, 0), date(2026, 11, 23), date(2026, 11, 25)),
        (at(11, 21, 10, 0), date(2026, 11, 23), date(2026, 11, 25)),
        (at(11, 19, 2, 0), date(2026, 11, 19), date(2026, 11, 23)),
        # On a make-up day people work, and no request to close is taken.
        (at(10, 10, 10, 0), date(2026, 10, 12), date(2026, 10, 14)),
    ],
)
def test_closing_counts_from_the_trading_day_on_which_it_is_accepted(filed: datetime, counted_from: date, answered: date) -> None:
    due = DEADLINES.due("closing", filed, CALENDAR)
    assert (due.counted_from, due.acknowledged_by, due.answered_by) == (counted_from, counted_from, answered)


def test_the_day_is_that_of_shanghai_wherever_the_moment_was_taken() -> None:
    assert DEADLINES.due("closing", datetime(2026, 11, 18, 20, 0, tzinfo=UTC), CALENDAR).counted_from == date(2026, 11, 19)


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        DEADLINES.due("complaint", datetime(2026, 11, 20, 10, 0), CALENDAR)  # noqa: DTZ001 - that is the point
    with pytest.raises(ValueError, match="no deadline for 'wish'"):
        DEADLINES.due("wish", at(11, 20), CALENDAR)
    with pytest.raises(RuleRefusal, match="before_first_entry"):
        DEADLINES.due("complaint", at(8, 31), CALENDAR)
    with pytest.raises(RuleRefusal, match="year_unknown"):
        DEADLINES.due("complaint", at(12, 24), CALENDAR)


@given(st.sampled_from(KINDS), st.integers(0, 90 * 24 * 60))
def test_every_answer_is_due_on_a_working_day_after_it_was_filed_and_later_filing_is_never_due_earlier(
    kind: str, minutes: int
) -> None:
    filed = at(9, 1, 0) + timedelta(minutes=minutes)
    due, later = DEADLINES.due(kind, filed, CALENDAR), DEADLINES.due(kind, filed + timedelta(hours=9), CALENDAR)
    assert filed.date() <= due.counted_from <= due.acknowledged_by < due.answered_by
    made_up = kind == "complaint" and due.answered_by in DATA["make_up_days"][2026]
    assert made_up or CALENDAR.day("sse", due.answered_by).is_open
    assert due.answered_by <= later.answered_by


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("acknowledged_within", -1),
        ("answered_within", "15"),
        ("answered_within", 1.5),
        ("answered_within", True),
        ("accepted_until", 15),
        ("accepted_until", "25:00"),
        ("source", "nobody"),
        ("counted_in", "days"),
        ("effective_from", "2026-09-01"),
    ],
)
def test_broken_data_is_refused_when_it_is_read(key: str, value: Any) -> None:
    broken = deepcopy(DATA)
    broken["deadlines"]["complaint"][0][key] = value
    with pytest.raises(RuleDataError, match="service deadlines"):
        ServiceDeadlines(broken)
