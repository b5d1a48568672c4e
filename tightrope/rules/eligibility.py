"""What all eligibility rules share: a state per condition, the verdict over all, and the checks that several of them make. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

from tightrope.rules.dates import add_months
from tightrope.rules.models import Source, State

RISK_LEVELS: Final = ("C1", "C2", "C3", "C4", "C5")

Values = dict[str, date | Decimal | int | str]
Check = tuple[State, str, Values]
"""State, key of the wording, and what the wording quotes."""


class Verdict(StrEnum):
    """The outcome over all conditions."""

    ELIGIBLE = "eligible"
    NOT_ELIGIBLE = "not_eligible"
    UNDETERMINED = "undetermined"
    ALREADY_ENABLED = "already_enabled"


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition: its state, what it rests on, and the values that explain it."""

    condition: StrEnum
    state: State
    source: Source
    detail: str
    """Which wording fits: a key below the condition in the rule's wording."""
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


def verdict_of(states: Iterable[State], *, enabled: bool) -> Verdict:
    """Not met beats unknown: a condition that surely fails decides, whatever else is open."""
    found = set(states)
    if enabled:
        return Verdict.ALREADY_ENABLED
    if State.NOT_MET in found:
        return Verdict.NOT_ELIGIBLE
    return Verdict.UNDETERMINED if State.UNKNOWN in found else Verdict.ELIGIBLE


def risk_level(level: str | None, required: str) -> Check:
    """At least the required level."""
    values: Values = {"required": required}
    if level not in RISK_LEVELS:
        return State.UNKNOWN, "unknown", values
    values["level"] = level
    if RISK_LEVELS.index(level) < RISK_LEVELS.index(required):
        return State.NOT_MET, "not_met", values
    return State.MET, "met", values


def risk_age(assessed_on: date | None, months: int, today: date) -> Check:
    """Valid up to and including the same day `months` later."""
    values: Values = {"months": months}
    if assessed_on is None or assessed_on > today:
        return State.UNKNOWN, "unknown", values
    valid_until = add_months(assessed_on, months)
    values |= {"assessed_on": assessed_on, "valid_until": valid_until}
    return (State.MET, "met", values) if today <= valid_until else (State.NOT_MET, "not_met", values)


def disclosure(signed_on: date | None, today: date) -> Check:
    """Signed, and not in the future."""
    if signed_on is None:
        return State.NOT_MET, "not_met", {}
    if signed_on > today:
        return State.UNKNOWN, "unknown", {}
    return State.MET, "met", {"signed_on": signed_on}


def standing(found: str | None, required: Collection[str]) -> Check:
    """The standing of the funds account is among the required ones."""
    if found is None:
        return State.UNKNOWN, "unknown", {}
    return (State.MET, "met", {"standing": found}) if found in required else (State.NOT_MET, "not_met", {"standing": found})


def average_assets(average: Decimal | None, currency: str, *, required: Decimal, required_currency: str) -> Check:
    """At least the required average; in another currency nothing is compared."""
    values: Values = {"required": required}
    if average is None or not average.is_finite() or currency != required_currency:
        return State.UNKNOWN, "unknown", values
    values["average"] = average
    if average >= required:
        return State.MET, "met", values
    values["missing"] = required - average
    return State.NOT_MET, "not_met", values


def unless_exempt(check: Check, *, exempt: bool) -> Check:
    """A professional who fails a condition may be exempt from it, which a person has to check."""
    state, _, values = check
    return (State.UNKNOWN, "exempt", values) if exempt and state is State.NOT_MET else check
