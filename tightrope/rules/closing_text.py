"""Puts the approved wording of `data/closing_wording.yml` around what keeps accounts open. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from tightrope.rules.closing import AccountFindings, Assessment, Condition
from tightrope.rules.eligibility import Finding
from tightrope.rules.models import RuleDataError, Source, State
from tightrope.rules.text import Language, amount, calendar_day


class ClosingWording:
    """The wording, read and checked: every condition has its lines in both languages."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of `data/closing_wording.yml`.

        Raises:
            RuleDataError: a condition, a state or a language is missing.
        """
        self._data = data
        try:
            for language in ("zh", "en"):
                labels = data["labels"][language]
                for text in (labels["remedy"], labels["clear"], *(labels["states"][state.value] for state in State)):
                    str(text)
                for condition in Condition:
                    entry = data["conditions"][condition.value]
                    for text in (entry["title"], entry["not_met"], entry["unknown"], *entry["remedy"].values()):
                        str(text[language])
                    if set(entry["remedy"]) != {"not_met", "unknown"}:
                        raise ValueError(f"{condition.value} needs a remedy for not_met and unknown")
            for state in State:
                str(data["marks"][state.value])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise RuleDataError(f"closing wording: {error!r}") from error

    def account(self, account: AccountFindings, language: Language) -> str:
        """What keeps one account open, a paragraph each, with what to do; or that nothing does.

        Raises:
            RuleDataError: the wording has no line for a finding.
        """
        blockers = account.blockers
        if not blockers:
            return str(self._data["labels"][language]["clear"])
        return "\n".join(self._blocker(finding, language) for finding in blockers)

    def rules(self, assessment: Assessment, language: Language) -> str:
        """The sources with the conditions that rest on each and how they stand over all accounts, for "why?"."""
        worst: dict[str, Finding] = {}
        order = (State.NOT_MET, State.UNKNOWN, State.MET)
        for finding in (f for account in assessment.accounts for f in account.findings):
            held = worst.get(finding.condition.value)
            if held is None or order.index(finding.state) < order.index(held.state):
                worst[finding.condition.value] = finding
        by_source: dict[Source, list[Finding]] = {}
        for finding in worst.values():
            by_source.setdefault(finding.source, []).append(finding)
        separator, colon, opening, closing = ("、", "：", "（", "）") if language == "zh" else (", ", ": ", " (", ")")
        states = self._data["labels"][language]["states"]
        return "\n".join(
            f"• {source.text(language)}{colon}"
            + separator.join(f"{self._title(f, language)}{opening}{states[f.state.value]}{closing}" for f in findings)
            for source, findings in by_source.items()
        )

    def _title(self, finding: Finding, language: Language) -> str:
        return str(self._data["conditions"][finding.condition.value]["title"][language])

    def _blocker(self, finding: Finding, language: Language) -> str:
        entry = self._data["conditions"][finding.condition.value]
        values = self._values(finding, language)
        colon = "：" if language == "zh" else ": "
        try:
            said = entry[finding.detail][language].format(**values)
            remedy = entry["remedy"][finding.detail][language].format(**values)
        except KeyError as error:
            raise RuleDataError(f"closing wording: {finding.condition.value} has no {error} for {finding.detail}") from error
        mark = self._data["marks"][finding.state.value]
        return f"{mark} {self._title(finding, language)}{colon}{said}\n  {self._data['labels'][language]['remedy']}{remedy}"

    def _values(self, finding: Finding, language: Language) -> dict[str, str]:
        shown: dict[str, str] = {}
        currencies = self._data["terms"]["currency"]
        for name, value in finding.values.items():
            if isinstance(value, Decimal):
                currency = str(finding.values.get("currency", ""))
                known = currencies.get(currency, {}).get(language, "{amount} " + currency)
                shown[name] = known.format(amount=amount(value))
            elif isinstance(value, date):
                shown[name] = calendar_day(value, language)
            elif name == "standing":
                shown[name] = str(self._data["terms"]["standing"].get(value, {}).get(language, value))
            else:
                shown[name] = str(value)
        return shown
