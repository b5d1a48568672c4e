"""How a risk assessment stands on a day. The meaning of each level is data (data/risk_levels.yml); here is only the calendar. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

RULE: Final = "risk_levels"
SOON: Final = timedelta(days=30)
"""How long before the end a customer is told that it comes."""


def standing(valid_until: date, today: date) -> str:
    """`valid`, `expiring` or `expired`, by the time to the last day on which the assessment counts, that day included."""
    left = valid_until - today
    if left < timedelta(0):
        return "expired"
    return "expiring" if left <= SOON else "valid"
