"""Types that all rules share: the state of a condition, its source, and the two errors: broken data, and a question without an answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Percent:
    """A rate as a fraction of one: `Percent(Decimal("0.0005"))` is 0.05 %."""

    fraction: Decimal


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the domain that the wording translates: an item, a market, a currency."""

    name: str


@dataclass(frozen=True, slots=True)
class Months:
    """A length of time, shown in years where it is whole years."""

    count: int


Value = Decimal | Percent | Term | Months | date | int | str
"""What a wording can quote. A Decimal is an amount of money, an int a count."""


class State(StrEnum):
    """How one condition stands."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"
    """The data does not decide it; a person has to."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule stands written, in both languages, in full and short."""

    zh: str
    en: str
    short_zh: str
    short_en: str

    def text(self, language: str) -> str:
        """The full title."""
        return self.en if language == "en" else self.zh

    def short_text(self, language: str) -> str:
        """The title as a condition quotes it."""
        return self.short_en if language == "en" else self.short_zh


class RuleDataError(ValueError):
    """A file in `rules/data/` is not what its rule needs, or has no thresholds for the day asked."""


class RuleRefusal(ValueError):
    """The rule has no answer to this question: an unknown market, a day before the data begins, an input out of bounds.

    `reason` is a key below `refusals` in `data/calculator_wording.yml`; `values` fill its words.
    """

    def __init__(self, reason: str, **values: Value) -> None:
        self.reason = reason
        self.values: dict[str, Value] = values
        super().__init__(f"{reason}: " + ", ".join(f"{name}={value}" for name, value in values.items()))
