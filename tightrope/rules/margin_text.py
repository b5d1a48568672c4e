"""The approved wording of margin eligibility (`data/margin_wording.yml`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tightrope.rules.eligibility_text import EligibilityWording
from tightrope.rules.margin import Condition
from tightrope.rules.text import Language, amount

__all__ = ["Language", "MarginWording", "amount"]


class MarginWording(EligibilityWording):
    """The wording, read and checked: every condition has a line for each of its states in both languages."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of `data/margin_wording.yml`.

        Raises:
            RuleDataError: a condition or a language is missing.
        """
        super().__init__(data, Condition)
