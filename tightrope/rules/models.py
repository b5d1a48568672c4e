"""Types that all rules share: the state of a condition, and the error of broken rule data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
