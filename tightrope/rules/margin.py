"""Who may enable margin trading: facts and dated thresholds in, one state per condition and a verdict out. Pure, no I/O.

Sources and thresholds stand in `data/margin.yml`. Days are calendar days in Asia/Shanghai, money is in units of its currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from tightrope.rules import eligibility
from tightrope.rules.dates import add_months
from tightrope.rules.eligibility import RISK_LEVELS, Assessment, Check, Finding, Values, Verdict, verdict_of
from tightrope.rules.models import RuleDataError, Source, State

__all__ = ["RISK_LEVELS", "RULE", "Assessment", "Condition", "Finding", "MarginFacts", "MarginRules", "Verdict"]

RULE: Final = "margin_eligibility"
_SOURCE_TEXTS: Final = ("zh", "en", "short_zh", "short_en")
EXEMPT_TIER: Final = "professional"
"""Article 12 exempts professional institutional investors from experience and assets; a person checks who is one."""


class Condition(StrEnum):
    """The conditions in the order in which they are shown."""

    CUSTOMER_TIER = "customer_tier"
    RISK_LEVEL = "risk_level"
    RISK_ASSESSMENT_AGE = "risk_assessment_age"
    RISK_DISCLOSURE = "risk_disclosure"
    FUNDS_ACCOUNT = "funds_account"
    TRADING_EXPERIENCE = "trading_experience"
    AVERAGE_ASSETS = "average_assets"


@dataclass(frozen=True, slots=True)
class MarginFacts:
    """What the firm knows of the customer. None means not known, unless the field says otherwise."""

    customer_tier: str | None
    risk_level: str | None
    risk_assessed_on: date | None
    risk_disclosure_signed_on: date | None
    """None: not signed."""
    funds_account_standing: str | None
    first_trade_on: date | None
    """None: never traded."""
    average_assets: Decimal | None
    """Daily average over the last 20 trading days."""
    currency: str
    margin_enabled: bool


@dataclass(frozen=True, slots=True)
class Thresholds:
    """One dated set of limits."""

    version: str
    effective_from: date
    barred_tiers: frozenset[str]
    min_risk_level: str
    risk_assessment_valid_months: int
    required_standing: frozenset[str]
    min_experience_months: int
    min_average_assets: Decimal
    currency: str


class MarginRules:
    """The rule data, read and checked."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of `data/margin.yml`.

        Raises:
            RuleDataError: something is missing, of the wrong kind, or given twice.
        """
        try:
            sources = {key: Source(**{name: str(text[name]) for name in _SOURCE_TEXTS}) for key, text in data["sources"].items()}
            self._sources = {condition: sources[data["conditions"][condition.value]] for condition in Condition}
            self._thresholds = tuple(sorted((_thresholds(entry) for entry in data["thresholds"]), key=lambda t: t.effective_from))
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            raise RuleDataError(f"margin rule data: {error!r}") from error
        days = [entry.effective_from for entry in self._thresholds]
        if not days or len(set(days)) != len(days):
            raise RuleDataError("margin rule data: thresholds are missing, or two sets begin on the same day")

    def thresholds(self, today: date) -> Thresholds:
        """The set in force on `today`.

        Raises:
            RuleDataError: the day lies before the first set.
        """
        found = [entry for entry in self._thresholds if entry.effective_from <= today]
        if not found:
            raise RuleDataError(f"margin rule data: no thresholds are in force on {today}")
        return found[-1]

    def source(self, condition: Condition) -> Source:
        """Where the condition stands written."""
        return self._sources[condition]

    def assess(self, facts: MarginFacts, today: date) -> Assessment:
        """The verdict on `today`.

        Not met beats unknown: a condition that surely fails decides, whatever else is open.

        Raises:
            RuleDataError: no thresholds are in force.
        """
        limits = self.thresholds(today)
        checks = {
            Condition.CUSTOMER_TIER: _tier(facts, limits),
            Condition.RISK_LEVEL: eligibility.risk_level(facts.risk_level, limits.min_risk_level),
            Condition.RISK_ASSESSMENT_AGE: eligibility.risk_age(
                facts.risk_assessed_on, limits.risk_assessment_valid_months, today
            ),
            Condition.RISK_DISCLOSURE: eligibility.disclosure(facts.risk_disclosure_signed_on, today),
            Condition.FUNDS_ACCOUNT: eligibility.standing(facts.funds_account_standing, limits.required_standing),
            Condition.TRADING_EXPERIENCE: _experience(facts, limits, today),
            Condition.AVERAGE_ASSETS: _assets(facts, limits),
        }
        findings = tuple(Finding(c, state, self._sources[c], detail, values) for c, (state, detail, values) in checks.items())
        verdict = verdict_of((finding.state for finding in findings), enabled=facts.margin_enabled)
        return Assessment(verdict, limits.version, findings)


def _thresholds(entry: Mapping[str, Any]) -> Thresholds:
    effective_from = entry["effective_from"]
    if not isinstance(effective_from, date):
        raise TypeError(f"effective_from is no date: {effective_from!r}")
    if not isinstance(entry["min_average_assets"], str):
        raise TypeError("min_average_assets is a quoted decimal, never a float")
    if entry["min_risk_level"] not in RISK_LEVELS:
        raise ValueError(f"min_risk_level: {entry['min_risk_level']!r}")
    return Thresholds(
        version=str(entry["version"]),
        effective_from=effective_from,
        barred_tiers=frozenset(entry["barred_tiers"]),
        min_risk_level=entry["min_risk_level"],
        risk_assessment_valid_months=int(entry["risk_assessment_valid_months"]),
        required_standing=frozenset(entry["required_standing"]),
        min_experience_months=int(entry["min_experience_months"]),
        min_average_assets=Decimal(entry["min_average_assets"]),
        currency=str(entry["currency"]),
    )


def _tier(facts: MarginFacts, limits: Thresholds) -> Check:
    if facts.customer_tier is None:
        return State.UNKNOWN, "unknown", {}
    values: Values = {"tier": facts.customer_tier}
    return (State.NOT_MET, "not_met", values) if facts.customer_tier in limits.barred_tiers else (State.MET, "met", values)


def _experience(facts: MarginFacts, limits: Thresholds, today: date) -> Check:
    """Met from the day that lies `min_experience_months` after the first trade."""
    values: Values = {"months": limits.min_experience_months}
    if facts.first_trade_on is None:
        return eligibility.unless_exempt((State.NOT_MET, "never_traded", values), exempt=facts.customer_tier == EXEMPT_TIER)
    if facts.first_trade_on > today:
        return State.UNKNOWN, "unknown", values
    met_on = add_months(facts.first_trade_on, limits.min_experience_months)
    values |= {"first_trade_on": facts.first_trade_on, "met_on": met_on}
    if met_on <= today:
        return State.MET, "met", values
    return eligibility.unless_exempt((State.NOT_MET, "not_met", values), exempt=facts.customer_tier == EXEMPT_TIER)


def _assets(facts: MarginFacts, limits: Thresholds) -> Check:
    check = eligibility.average_assets(
        facts.average_assets, facts.currency, required=limits.min_average_assets, required_currency=limits.currency
    )
    return eligibility.unless_exempt(check, exempt=facts.customer_tier == EXEMPT_TIER)
