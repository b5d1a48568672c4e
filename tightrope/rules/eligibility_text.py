"""Puts the approved wording of an eligibility rule (`data/*_wording.yml`) around its findings. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from tightrope.rules.eligibility import Assessment, Finding
from tightrope.rules.models import RuleDataError, Source, State
from tightrope.rules.text import Language, amount, calendar_day

_TERMS: Final = ("tier", "standing")


class EligibilityWording:
    """The wording, read and checked: every condition has a line for each of its states in both languages."""

    def __init__(self, data: Mapping[str, Any], conditions: Iterable[StrEnum]) -> None:
        """Args:
            data: the content of the rule's wording.
            conditions: the conditions that need words.

        Raises:
            RuleDataError: a condition or a language is missing.
        """
        self._data = data
        try:
            for condition in conditions:
                entry = data["conditions"][condition.value]
                for language in ("zh", "en"):
                    for key in ("title", "met", "not_met", "unknown"):
                        if key in entry or key not in {"not_met", "unknown"}:
                            str(entry[key][language])
                    for remedy in entry["remedy"].values():
                        str(remedy[language])
            for state in State:
                str(data["marks"][state.value])
                str(data["labels"]["zh"]["states"][state.value])
                str(data["labels"]["en"]["states"][state.value])
        except (KeyError, TypeError, AttributeError) as error:
            raise RuleDataError(f"eligibility wording: {error!r}") from error

    def conditions(self, assessment: Assessment, language: Language) -> str:
        """Every condition in a paragraph: mark, title, how it stands, what the customer can do, and the basis.

        Raises:
            RuleDataError: the wording has no line for a finding.
        """
        return "\n".join(self._condition(finding, language) for finding in assessment.findings)

    def rules(self, assessment: Assessment, language: Language) -> str:
        """The sources with the conditions that rest on each, for "why?"."""
        by_source: dict[Source, list[Finding]] = {}
        for finding in assessment.findings:
            by_source.setdefault(finding.source, []).append(finding)
        separator, colon = ("、", "：") if language == "zh" else (", ", ": ")
        states = self._data["labels"][language]["states"]
        opening, closing = ("（", "）") if language == "zh" else (" (", ")")
        return "\n".join(
            f"• {source.text(language)}{colon}"
            + separator.join(f"{self._title(f.condition, language)}{opening}{states[f.state.value]}{closing}" for f in findings)
            for source, findings in by_source.items()
        )

    def _title(self, condition: StrEnum, language: Language) -> str:
        return str(self._data["conditions"][condition.value]["title"][language])

    def _condition(self, finding: Finding, language: Language) -> str:
        entry = self._data["conditions"][finding.condition.value]
        labels = self._data["labels"][language]
        values = self._values(finding, language)
        colon = "：" if language == "zh" else ": "
        try:
            lines = [
                f"{self._data['marks'][finding.state.value]} {self._title(finding.condition, language)}{colon}"
                + entry[finding.detail][language].format(**values)
            ]
            if finding.state is not State.MET:
                lines.append(f"  {labels['remedy']}" + entry["remedy"][finding.detail][language].format(**values))
        except KeyError as error:
            raise RuleDataError(f"eligibility wording: {finding.condition.value} has no {error} for {finding.detail}") from error
        lines.append(f"  {labels['source']}{finding.source.short_text(language)}")
        return "\n".join(lines)

    def _values(self, finding: Finding, language: Language) -> dict[str, str]:
        shown: dict[str, str] = {}
        for name, value in finding.values.items():
            if isinstance(value, Decimal):
                shown[name] = amount(value)
            elif isinstance(value, date):
                shown[name] = calendar_day(value, language)
            elif name in _TERMS:
                shown[name] = str(self._data["terms"][name][value][language])
            else:
                shown[name] = str(value)
        return shown
