"""How figures are written in both languages."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from tightrope.rules.figures import exactly
from tightrope.rules.models import Percent

Language = Literal["zh", "en"]


def amount(value: Decimal) -> str:
    """`500,000.00`: grouped, never rounded, with at least two decimals."""
    with exactly():
        shown = f"{value:,.2f}"
        return shown if Decimal(shown.replace(",", "")) == value else f"{value.normalize():,f}"


def percent(rate: Percent) -> str:
    """`0.05%`: never rounded, without trailing zeros."""
    with exactly():
        return f"{(rate.fraction * 100).normalize():f}%"
