"""Who may enable trading in exchange-listed ETF options at a level: facts and dated thresholds in, one state per condition out. Pure.

Sources and thresholds stand in `data/options.yml`. Days are calendar days in Asia/Shanghai, money is in units of its currency. Only
individuals are judged; the exchanges have other conditions for institutions, and a person checks those.
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
from tightrope.rules.figures import decimal, first_day, in_force, ordered, sources_of
from tightrope.rules.models import RuleDataError, RuleRefusal, Source, State

__all__ = ["LEVELS", "RULE", "Assessment", "Condition", "Finding", "OptionsFacts", "OptionsRules", "Verdict"]

RULE: Final = "options_eligibility"
LEVELS: Final = (1, 2, 3)
"""1: covered calls and protective puts; 2: buying as well; 3: writing as well."""
EXEMPT_TIER: Final = "professional"
"""Professional institutions are exempt from assets, experience, examination and simulation; a person checks who is one."""


class Condition(StrEnum):
    """The conditions in the order in which they are shown."""

    RISK_LEVEL = "risk_level"
    RISK_ASSESSMENT_AGE = "risk_assessment_age"
    RISK_DISCLOSURE = "risk_disclosure"
    FUNDS_ACCOUNT = "funds_account"
    AVERAGE_ASSETS = "average_assets"
    TRADING_EXPERIENCE = "trading_experience"
    MARGIN_OR_FUTURES = "margin_or_futures"
    KNOWLEDGE_TEST = "knowledge_test"
    SIMULATED_TRADING = "simulated_trading"
    NO_BAD_RECORD = "no_bad_record"


@dataclass(frozen=True, slots=True)
class OptionsFacts:
    """What the firm knows of the customer. None means not known, unless the field says otherwise."""

    customer_tier: str | None
    risk_level: str | None
    risk_assessed_on: date | None
    risk_disclosure_signed_on: date | None
    """None: not signed."""
    funds_account_standing: str | None
    account_opened_on: date | None
    """Since when the customer trades through a securities company, or holds an account with a futures company."""
    average_assets: Decimal | None
    """Daily average over the last 20 trading days, without money and securities borrowed on margin."""
    currency: str
    margin_enabled: bool | None
    traded_financial_futures: bool | None
    knowledge_level: int | None
    """The highest level whose examination is passed; 0: none."""
    simulated_level: int | None
    """The highest level that the simulated trading recognised by the exchange covers; 0: none."""
    bad_record: bool | None
    """A serious record of bad faith, or a ban from options."""
    enabled_level: int
    """The level that is enabled; 0: none."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """One dated set of limits."""

    version: str
    effective_from: date
    min_risk_level: str
    risk_assessment_valid_months: int
    required_standing: frozenset[str]
    min_experience_months: int
    min_average_assets: Decimal
    currency: str


class OptionsRules:
    """The rule data, read and checked."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of `data/options.yml`.

        Raises:
            RuleDataError: something is missing, of the wrong kind, or given twice.
        """
        try:
            sources = sources_of(data)
            self._sources = {condition: sources[data["conditions"][condition.value]] for condition in Condition}
            self._thresholds = ordered([_thresholds(entry) for entry in data["thresholds"]])
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            raise RuleDataError(f"options rule data: {error!r}") from error

    def thresholds(self, today: date) -> Thresholds:
        """The set in force on `today`.

        Raises:
            RuleRefusal: the day lies before the first set.
        """
        return in_force(self._thresholds, today, RULE)

    def source(self, condition: Condition) -> Source:
        """Where the condition stands written."""
        return self._sources[condition]

    def assess(self, facts: OptionsFacts, level: int, today: date) -> Assessment:
        """The verdict on `today` for trading at `level`.

        Raises:
            RuleRefusal: no thresholds are in force, or there is no such level.
        """
        if level not in LEVELS:
            raise RuleRefusal("unknown_level", level=level)
        limits = self.thresholds(today)
        exempt = facts.customer_tier == EXEMPT_TIER
        assets = eligibility.average_assets(
            facts.average_assets, facts.currency, required=limits.min_average_assets, required_currency=limits.currency
        )
        checks = {
            Condition.RISK_LEVEL: eligibility.risk_level(facts.risk_level, limits.min_risk_level),
            Condition.RISK_ASSESSMENT_AGE: eligibility.risk_age(
                facts.risk_assessed_on, limits.risk_assessment_valid_months, today
            ),
            Condition.RISK_DISCLOSURE: eligibility.disclosure(facts.risk_disclosure_signed_on, today),
            Condition.FUNDS_ACCOUNT: eligibility.standing(facts.funds_account_standing, limits.required_standing),
            Condition.AVERAGE_ASSETS: eligibility.unless_exempt(assets, exempt=exempt),
            Condition.TRADING_EXPERIENCE: eligibility.unless_exempt(_experience(facts, limits, today), exempt=exempt),
            Condition.MARGIN_OR_FUTURES: eligibility.unless_exempt(_margin_or_futures(facts), exempt=exempt),
            Condition.KNOWLEDGE_TEST: eligibility.unless_exempt(_level(facts.knowledge_level, level), exempt=exempt),
            Condition.SIMULATED_TRADING: eligibility.unless_exempt(_level(facts.simulated_level, level), exempt=exempt),
            Condition.NO_BAD_RECORD: _record(facts),
        }
        findings = tuple(Finding(c, state, self._sources[c], detail, values) for c, (state, detail, values) in checks.items())
        verdict = verdict_of((finding.state for finding in findings), enabled=facts.enabled_level >= level)
        return Assessment(verdict, limits.version, findings)


def _thresholds(entry: Mapping[str, Any]) -> Thresholds:
    if entry["min_risk_level"] not in RISK_LEVELS:
        raise ValueError(f"min_risk_level: {entry['min_risk_level']!r}")
    return Thresholds(
        version=str(entry["version"]),
        effective_from=first_day(entry),
        min_risk_level=entry["min_risk_level"],
        risk_assessment_valid_months=int(entry["risk_assessment_valid_months"]),
        required_standing=frozenset(entry["required_standing"]),
        min_experience_months=int(entry["min_experience_months"]),
        min_average_assets=decimal(entry["min_average_assets"]),
        currency=str(entry["currency"]),
    )


def _experience(facts: OptionsFacts, limits: Thresholds, today: date) -> Check:
    """Met from the day that lies `min_experience_months` after the account was opened."""
    values: Values = {"months": limits.min_experience_months}
    if facts.account_opened_on is None or facts.account_opened_on > today:
        return State.UNKNOWN, "unknown", values
    met_on = add_months(facts.account_opened_on, limits.min_experience_months)
    values |= {"opened_on": facts.account_opened_on, "met_on": met_on}
    return (State.MET, "met", values) if met_on <= today else (State.NOT_MET, "not_met", values)


def _margin_or_futures(facts: OptionsFacts) -> Check:
    """Either is enough, so one that is known to hold settles it; both must be known to fail."""
    if facts.margin_enabled:
        return State.MET, "margin", {}
    if facts.traded_financial_futures:
        return State.MET, "futures", {}
    if facts.margin_enabled is None or facts.traded_financial_futures is None:
        return State.UNKNOWN, "unknown", {}
    return State.NOT_MET, "not_met", {}


def _level(reached: int | None, level: int) -> Check:
    values: Values = {"required": level}
    if reached is None or reached not in (0, *LEVELS):
        return State.UNKNOWN, "unknown", values
    values["level"] = reached
    if reached >= level:
        return State.MET, "met", values
    return State.NOT_MET, "not_met" if reached else "none", values


def _record(facts: OptionsFacts) -> Check:
    if facts.bad_record is None:
        return State.UNKNOWN, "unknown", {}
    return (State.NOT_MET, "not_met", {}) if facts.bad_record else (State.MET, "met", {})
