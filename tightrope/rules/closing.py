"""Whether a customer's accounts can be closed: facts and dated rules in, one state per condition and account out. Pure; closes nothing.

Sources and rules stand in `data/closing.yml`. A condition is met only at exactly nothing: a cent, an order or a day to maturity blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from tightrope.rules.eligibility import Check, Finding, Values
from tightrope.rules.figures import first_day, in_force, ordered, sources_of
from tightrope.rules.models import RuleDataError, Source, State

RULE: Final = "account_closing"


class Condition(StrEnum):
    """What has to be settled, in the order in which a customer settles it: money comes last, since the others bring some."""

    OPEN_ORDERS = "open_orders"
    PENDING_TRANSFERS = "pending_transfers"
    POSITIONS = "positions"
    PRODUCTS = "products"
    MARGIN_DEBT = "margin_debt"
    BALANCE = "balance"
    STANDING = "standing"


class Verdict(StrEnum):
    """The outcome over all accounts."""

    CLOSABLE = "closable"
    BLOCKED = "blocked"
    UNDETERMINED = "undetermined"
    """Nothing surely blocks, but something is not known: a person has to look."""
    NOTHING = "nothing"
    """There is no account."""


@dataclass(frozen=True, slots=True)
class HeldProduct:
    """A product that is still held."""

    name_zh: str
    name_en: str
    matures_on: date


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What stands in one account. None means not known."""

    standing: str | None
    balance: Decimal | None
    """All money, frozen included, in units of `currency`."""
    currency: str
    positions: int | None
    open_orders: int | None
    pending_transfers: int | None
    margin_debt: Decimal | None
    """In units of `debt_currency`; zero where there is no credit."""
    debt_currency: str
    products: tuple[HeldProduct, ...] | None


@dataclass(frozen=True, slots=True)
class AccountFindings:
    """One account's conditions, in their order."""

    findings: tuple[Finding, ...]

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """The conditions that keep it open, and those that nobody knows."""
        return tuple(finding for finding in self.findings if finding.state is not State.MET)


@dataclass(frozen=True, slots=True)
class Assessment:
    """The verdict over all accounts, with theirs in the order in which they were given; `version` names the rules."""

    verdict: Verdict
    version: str
    accounts: tuple[AccountFindings, ...]


@dataclass(frozen=True, slots=True)
class _Rules:
    version: str
    effective_from: date
    closable_standing: frozenset[str]


class ClosingRules:
    """The rule data, read and checked."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of `data/closing.yml`.

        Raises:
            RuleDataError: something is missing, of the wrong kind, or given twice.
        """
        try:
            sources = sources_of(data)
            self._sources = {condition: sources[data["conditions"][condition.value]] for condition in Condition}
            self._rules = ordered([_rules(entry) for entry in data["rules"]])
        except (KeyError, TypeError, ValueError) as error:
            raise RuleDataError(f"closing rule data: {error!r}") from error

    def source(self, condition: Condition) -> Source:
        """Where the condition stands written."""
        return self._sources[condition]

    def assess(self, accounts: Sequence[AccountFacts], today: date) -> Assessment:
        """What keeps the accounts open on `today`.

        Raises:
            RuleRefusal: the day lies before the first set of rules.
        """
        rules = in_force(self._rules, today, RULE)
        found = tuple(self._account(facts, rules) for facts in accounts)
        return Assessment(_verdict(found), rules.version, found)

    def _account(self, facts: AccountFacts, rules: _Rules) -> AccountFindings:
        checks = {
            Condition.OPEN_ORDERS: _count(facts.open_orders),
            Condition.PENDING_TRANSFERS: _count(facts.pending_transfers),
            Condition.POSITIONS: _count(facts.positions),
            Condition.PRODUCTS: _products(facts.products),
            Condition.MARGIN_DEBT: _money(facts.margin_debt, "debt", facts.debt_currency),
            Condition.BALANCE: _money(facts.balance, "cash", facts.currency),
            Condition.STANDING: _standing(facts.standing, rules.closable_standing),
        }
        return AccountFindings(
            tuple(
                Finding(condition, state, self._sources[condition], detail, values)
                for condition, (state, detail, values) in checks.items()
            )
        )


def _verdict(accounts: Sequence[AccountFindings]) -> Verdict:
    states = {finding.state for account in accounts for finding in account.findings}
    if not accounts:
        return Verdict.NOTHING
    if State.NOT_MET in states:
        return Verdict.BLOCKED
    return Verdict.UNDETERMINED if State.UNKNOWN in states else Verdict.CLOSABLE


def _count(found: int | None) -> Check:
    if found is None or found < 0:
        return State.UNKNOWN, "unknown", {}
    return (State.NOT_MET, "not_met", {"count": found}) if found else (State.MET, "met", {"count": 0})


def _money(amount: Decimal | None, name: str, currency: str) -> Check:
    if amount is None or not amount.is_finite() or amount < 0:
        return State.UNKNOWN, "unknown", {}
    values: Values = {name: amount, "currency": currency}
    return (State.NOT_MET, "not_met", values) if amount else (State.MET, "met", values)


def _products(held: Sequence[HeldProduct] | None) -> Check:
    """Whatever is still held blocks, also one that has matured: its money is not back yet."""
    if held is None:
        return State.UNKNOWN, "unknown", {}
    if not held:
        return State.MET, "met", {"count": 0}
    values: Values = {
        "count": len(held),
        "names_zh": "、".join(product.name_zh for product in held),
        "names_en": ", ".join(product.name_en for product in held),
        "last_maturity": max(product.matures_on for product in held),
    }
    return State.NOT_MET, "not_met", values


def _standing(found: str | None, closable: frozenset[str]) -> Check:
    if found is None:
        return State.UNKNOWN, "unknown", {}
    return (State.MET, "met", {"standing": found}) if found in closable else (State.NOT_MET, "not_met", {"standing": found})


def _rules(entry: Mapping[str, Any]) -> _Rules:
    standing = entry["closable_standing"]
    if not isinstance(standing, list) or not standing:
        raise ValueError("closable_standing is a list")
    return _Rules(str(entry["version"]), first_day(entry), frozenset(str(word) for word in standing))
