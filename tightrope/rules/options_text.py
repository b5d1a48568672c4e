"""The approved wording of options eligibility (`data/options_wording.yml`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tightrope.rules.eligibility_text import EligibilityWording
from tightrope.rules.options import Condition


class OptionsWording(EligibilityWording):
    """The wording, read and checked: every condition has a line for each of its states in both languages."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of `data/options_wording.yml`.

        Raises:
            RuleDataError: a condition or a language is missing.
        """
        super().__init__(data, Condition)
