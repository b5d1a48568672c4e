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

from tightrope.rules.dates import add_months
from tightrope.rules.models import RuleDataError, Source, State

RULE: Final = "margin_eligibility"
RISK_LEVELS: Final = ("C1", "C2", "C3", "C4", "C5")
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


class Verdict(StrEnum):
    """The outcome over all conditions."""

    ELIGIBLE = "eligible"
    NOT_ELIGIBLE = "not_eligible"
    UNDETERMINED = "undetermined"
    ALREADY_ENABLED = "already_enabled"


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


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition: its state, what it rests on, and the values that explain it."""

    condition: Condition
    state: State
    source: Source
    detail: str
    """Which wording fits: a key below the condition in `data/margin_wording.yml`."""
    values: Mapping[str, date | Decimal | int | str]
    """What the wording quotes: figures of the customer, limits, and the day from which the condition will hold."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """The verdict with all findings; `version` names the thresholds."""

    verdict: Verdict
    version: str
    findings: tuple[Finding, ...]

    @property
    def met(self) -> int:
        """How many conditions are met."""
        return sum(finding.state is State.MET for finding in self.findings)


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
            Condition.RISK_LEVEL: _risk_level(facts, limits),
            Condition.RISK_ASSESSMENT_AGE: _risk_age(facts, limits, today),
            Condition.RISK_DISCLOSURE: _disclosure(facts, today),
            Condition.FUNDS_ACCOUNT: _standing(facts, limits),
            Condition.TRADING_EXPERIENCE: _experience(facts, limits, today),
            Condition.AVERAGE_ASSETS: _assets(facts, limits),
        }
        findings = tuple(Finding(c, state, self._sources[c], detail, values) for c, (state, detail, values) in checks.items())
        states = {finding.state for finding in findings}
        if facts.margin_enabled:
            verdict = Verdict.ALREADY_ENABLED
        elif State.NOT_MET in states:
            verdict = Verdict.NOT_ELIGIBLE
        elif State.UNKNOWN in states:
            verdict = Verdict.UNDETERMINED
        else:
            verdict = Verdict.ELIGIBLE
        return Assessment(verdict, limits.version, findings)


_Check = tuple[State, str, dict[str, date | Decimal | int | str]]


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


def _tier(facts: MarginFacts, limits: Thresholds) -> _Check:
    if facts.customer_tier is None:
        return State.UNKNOWN, "unknown", {}
    values: dict[str, date | Decimal | int | str] = {"tier": facts.customer_tier}
    if facts.customer_tier in limits.barred_tiers:
        return State.NOT_MET, "not_met", values
    return State.MET, "met", values


def _risk_level(facts: MarginFacts, limits: Thresholds) -> _Check:
    values: dict[str, date | Decimal | int | str] = {"required": limits.min_risk_level}
    if facts.risk_level not in RISK_LEVELS:
        return State.UNKNOWN, "unknown", values
    values["level"] = facts.risk_level
    if RISK_LEVELS.index(facts.risk_level) < RISK_LEVELS.index(limits.min_risk_level):
        return State.NOT_MET, "not_met", values
    return State.MET, "met", values


def _risk_age(facts: MarginFacts, limits: Thresholds, today: date) -> _Check:
    """Valid up to and including the same day `risk_assessment_valid_months` later."""
    values: dict[str, date | Decimal | int | str] = {"months": limits.risk_assessment_valid_months}
    if facts.risk_assessed_on is None or facts.risk_assessed_on > today:
        return State.UNKNOWN, "unknown", values
    valid_until = add_months(facts.risk_assessed_on, limits.risk_assessment_valid_months)
    values |= {"assessed_on": facts.risk_assessed_on, "valid_until": valid_until}
    return (State.MET, "met", values) if today <= valid_until else (State.NOT_MET, "not_met", values)


def _disclosure(facts: MarginFacts, today: date) -> _Check:
    if facts.risk_disclosure_signed_on is None:
        return State.NOT_MET, "not_met", {}
    if facts.risk_disclosure_signed_on > today:
        return State.UNKNOWN, "unknown", {}
    return State.MET, "met", {"signed_on": facts.risk_disclosure_signed_on}


def _standing(facts: MarginFacts, limits: Thresholds) -> _Check:
    if facts.funds_account_standing is None:
        return State.UNKNOWN, "unknown", {}
    values: dict[str, date | Decimal | int | str] = {"standing": facts.funds_account_standing}
    if facts.funds_account_standing in limits.required_standing:
        return State.MET, "met", values
    return State.NOT_MET, "not_met", values


def _experience(facts: MarginFacts, limits: Thresholds, today: date) -> _Check:
    """Met from the day that lies `min_experience_months` after the first trade."""
    values: dict[str, date | Decimal | int | str] = {"months": limits.min_experience_months}
    if facts.first_trade_on is not None and facts.first_trade_on > today:
        return State.UNKNOWN, "unknown", values
    if facts.first_trade_on is None:
        return (
            (State.UNKNOWN, "exempt", values) if facts.customer_tier == EXEMPT_TIER else (State.NOT_MET, "never_traded", values)
        )
    met_on = add_months(facts.first_trade_on, limits.min_experience_months)
    values |= {"first_trade_on": facts.first_trade_on, "met_on": met_on}
    if met_on <= today:
        return State.MET, "met", values
    return _unless_exempt(facts, "not_met", values)


def _assets(facts: MarginFacts, limits: Thresholds) -> _Check:
    values: dict[str, date | Decimal | int | str] = {"required": limits.min_average_assets}
    if facts.average_assets is None or not facts.average_assets.is_finite() or facts.currency != limits.currency:
        return State.UNKNOWN, "unknown", values
    values["average"] = facts.average_assets
    if facts.average_assets >= limits.min_average_assets:
        return State.MET, "met", values
    values["missing"] = limits.min_average_assets - facts.average_assets
    return _unless_exempt(facts, "not_met", values)


def _unless_exempt(facts: MarginFacts, detail: str, values: dict[str, date | Decimal | int | str]) -> _Check:
    if facts.customer_tier == EXEMPT_TIER:
        return State.UNKNOWN, "exempt", values
    return State.NOT_MET, detail, values
