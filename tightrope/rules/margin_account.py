"""Interest on money borrowed on margin, and how far an account is from its lines. Pure; rates and lines stand in `data/margin_account.yml`.

Interest is simple: principal times the yearly rate in force on each day, divided by the basis; rounded once, at the end. The maintenance ratio is
cash and securities over debt; a line is reached when the ratio equals it, and crossed only below. Distances round against the customer's hope:
what to add upwards, what may be lost or taken out downwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from tightrope.rules.figures import (
    Bounds,
    Computation,
    Step,
    decimal,
    down_cent,
    each_once,
    exactly,
    first_day,
    half_up_cent,
    in_force,
    ordered,
    sources_of,
    up_cent,
)
from tightrope.rules.models import Percent, RuleDataError, RuleRefusal, Source, Term, Value

INTEREST: Final = "margin_interest"
RATIO: Final = "maintenance_ratio"


@dataclass(frozen=True, slots=True)
class Period:
    """Days at one rate."""

    first: date
    days: int
    rate: Percent


@dataclass(frozen=True, slots=True)
class Interest:
    """What a loan costs."""

    principal: Decimal
    currency: str
    days: int
    periods: tuple[Period, ...]
    amount: Decimal
    computation: Computation


@dataclass(frozen=True, slots=True)
class Account:
    """A credit account in one currency. All figures are zero or above."""

    cash: Decimal
    securities: Decimal
    """Market value."""
    financed: Decimal
    """Borrowed to buy, not yet repaid."""
    sold_short: Decimal
    """Current market value of securities sold short."""
    interest_and_fees: Decimal


class Standing(StrEnum):
    """Where the account stands between its lines."""

    NO_DEBT = "no_debt"
    ABOVE_WITHDRAWAL = "above_withdrawal"
    NORMAL = "normal"
    BELOW_WARNING = "below_warning"
    BELOW_LIQUIDATION = "below_liquidation"


@dataclass(frozen=True, slots=True)
class Distance:
    """From the account to a line. Either the first two are above zero or `may_fall` can be."""

    line: Percent
    add: Decimal
    """Cash or securities to add so that the ratio reaches the line."""
    repay: Decimal
    """Or debt to repay with money from outside the account."""
    may_fall: Decimal
    """By how much the collateral may lose value until the ratio reaches the line, the debt staying as it is."""
    fall_share: Percent | None
    """The same as a share of the securities' value, rounded down; None where there is no such fall."""


@dataclass(frozen=True, slots=True)
class MaintenanceRatio:
    """The ratio, where it stands, and the way to each line."""

    ratio: Percent | None
    """Rounded down to a hundredth of a percent for showing; None without debt. The standing follows from the exact ratio."""
    standing: Standing
    warning: Distance
    liquidation: Distance
    withdrawable: Decimal
    """What can be taken out so that the ratio stays at the withdrawal line; the free margin limits it further."""
    computation: Computation


@dataclass(frozen=True, slots=True)
class _Rate:
    effective_from: date
    source: Source
    rate: Decimal
    basis: int
    minimum_days: int


@dataclass(frozen=True, slots=True)
class _Lines:
    effective_from: date
    source: Source
    withdrawal: Decimal
    warning: Decimal
    liquidation: Decimal
    cure_days: int
    """Trading days in which an account below the liquidation line has to be back at the warning line."""


class MarginAccountRules:
    """Rates and lines, read and checked."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of `data/margin_account.yml`.

        Raises:
            RuleDataError: something is missing, of the wrong kind, or given twice.
        """
        try:
            sources = sources_of(data)
            self.version = str(data["version"])
            self.currency = str(data["currency"])
            self._bounds = Bounds(data["bounds"], ("principal", "days", "money"))
            self._rates = ordered([_rate(entry, sources) for entry in data["rates"]])
            self._lines = ordered([_lines(entry, sources) for entry in data["lines"]])
            self._exchange = sources[data["ratio_source"]]
        except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
            raise RuleDataError(f"margin account: {error!r}") from error

    def interest(self, principal: Decimal, borrowed_on: date, repaid_on: date) -> Interest:
        """Simple interest by calendar days: the day of borrowing counts, the day of repayment does not, and at least the minimum counts.

        Raises:
            RuleRefusal: a figure is out of bounds, the days are in the wrong order, or a day lies before the first rate.
        """
        principal = self._bounds.check("principal", principal)
        if repaid_on < borrowed_on:
            raise RuleRefusal("wrong_order", first=borrowed_on, last=repaid_on)
        opening = in_force(self._rates, borrowed_on, INTEREST)
        days = max((repaid_on - borrowed_on).days, opening.minimum_days)
        self._bounds.check("days", days)
        parts = self._parts(borrowed_on, days)
        with exactly():
            amount = half_up_cent(sum((principal * rate.rate * count / rate.basis for rate, _, count in parts), Decimal(0)))
        base: dict[str, Value] = {"currency": Term(self.currency), "principal": principal}
        steps = [Step("days", {"borrowed_on": borrowed_on, "repaid_on": repaid_on, "days": days})]
        for rate, first, count in parts:
            last = first + timedelta(count - 1)
            shown: dict[str, Value] = {
                "rate": Percent(rate.rate),
                "days": count,
                "basis": rate.basis,
                "first": first,
                "last": last,
            }
            steps.append(Step("period", base | shown))
        steps.append(Step("interest", base | {"interest": amount}))
        computation = Computation(INTEREST, self.version, tuple(steps), each_once([rate.source for rate, _, _ in parts]))
        periods = tuple(Period(first, count, Percent(rate.rate)) for rate, first, count in parts)
        return Interest(principal, self.currency, days, periods, amount, computation)

    def rate_in_force(self, day: date) -> Computation:
        """The rate of interest on `day`, for "why?".

        Raises:
            RuleRefusal: the day lies before the first rate.
        """
        rate = in_force(self._rates, day, INTEREST)
        values: dict[str, Value] = {"rate": Percent(rate.rate), "since": rate.effective_from, "basis": rate.basis}
        return Computation(INTEREST, self.version, (Step("rate_in_force", values),), (rate.source,))

    def _parts(self, first: date, days: int) -> list[tuple[_Rate, date, int]]:
        """The days split where the rate changes; in ordinals, since the day after the last one may not exist."""
        start, end = first.toordinal(), first.toordinal() + days
        starts = [start, *(day for day in (rate.effective_from.toordinal() for rate in self._rates) if start < day < end)]
        return [
            (in_force(self._rates, date.fromordinal(day), INTEREST), date.fromordinal(day), stop - day)
            for day, stop in zip(starts, [*starts[1:], end], strict=True)
        ]

    def ratio(self, account: Account, day: date) -> MaintenanceRatio:
        """The ratio on `day` and the way to each line.

        Raises:
            RuleRefusal: a figure is out of bounds, or the day lies before the first lines.
        """
        lines = in_force(self._lines, day, RATIO)
        checked = (
            self._bounds.check("money", figure)
            for figure in (account.cash, account.securities, account.financed, account.sold_short, account.interest_and_fees)
        )
        account = Account(*checked)
        securities = account.securities
        with exactly():
            collateral, debt = account.cash + securities, account.financed + account.sold_short + account.interest_and_fees
            ratio = _rounded_down(collateral / debt) if debt else None
            standing = _standing(collateral, debt, lines)
            warning = _distance(collateral, debt, securities, lines.warning)
            liquidation = _distance(collateral, debt, securities, lines.liquidation)
            withdrawable = max(Decimal("0.00"), down_cent(collateral - lines.withdrawal * debt))
        steps = self._steps(account, collateral, debt, ratio)
        steps += [self._line("warning", warning), self._line("liquidation", liquidation)] if debt else []
        values: dict[str, Value] = {
            "currency": Term(self.currency),
            "line": Percent(lines.withdrawal),
            "withdrawable": withdrawable,
        }
        if debt:
            steps.append(Step("withdrawable" if withdrawable else "not_withdrawable", values))
            steps.append(Step(f"standing_{standing.value}", _line_values(lines)))
        computation = Computation(RATIO, self.version, tuple(steps), each_once([self._exchange, lines.source]))
        return MaintenanceRatio(ratio, standing, warning, liquidation, withdrawable, computation)

    def _steps(self, account: Account, collateral: Decimal, debt: Decimal, ratio: Percent | None) -> list[Step]:
        base: dict[str, Value] = {"currency": Term(self.currency), "collateral": collateral, "debt": debt}
        steps = [
            Step("collateral", base | {"cash": account.cash, "securities": account.securities}),
            Step(
                "debt",
                base
                | {
                    "financed": account.financed,
                    "sold_short": account.sold_short,
                    "interest_and_fees": account.interest_and_fees,
                },
            ),
        ]
        return [*steps, Step("no_debt", base) if ratio is None else Step("ratio", base | {"ratio": ratio})]

    def _line(self, name: str, distance: Distance) -> Step:
        values: dict[str, Value] = {
            "currency": Term(self.currency),
            "name": Term(f"{name}_line"),
            "line": distance.line,
            "add": distance.add,
            "repay": distance.repay,
            "may_fall": distance.may_fall,
        }
        if distance.add:
            return Step("below", values)
        if distance.fall_share is None:
            return Step("out_of_reach", values)
        return Step("above", values | {"share": distance.fall_share})


def _line_values(lines: _Lines) -> dict[str, Value]:
    return {
        "warning": Percent(lines.warning),
        "liquidation": Percent(lines.liquidation),
        "withdrawal": Percent(lines.withdrawal),
        "cure_days": lines.cure_days,
        "since": lines.effective_from,
    }


def _standing(collateral: Decimal, debt: Decimal, lines: _Lines) -> Standing:
    if not debt:
        return Standing.NO_DEBT
    if collateral < lines.liquidation * debt:
        return Standing.BELOW_LIQUIDATION
    if collateral < lines.warning * debt:
        return Standing.BELOW_WARNING
    return Standing.ABOVE_WITHDRAWAL if collateral > lines.withdrawal * debt else Standing.NORMAL


def _distance(collateral: Decimal, debt: Decimal, securities: Decimal, line: Decimal) -> Distance:
    gap = line * debt - collateral
    none = Decimal("0.00")
    if gap > 0:
        return Distance(Percent(line), up_cent(gap), up_cent(debt - collateral / line), none, None)
    may_fall = down_cent(-gap)
    share = _rounded_down(may_fall / securities) if securities > 0 and may_fall < securities else None
    return Distance(Percent(line), none, none, may_fall, share)


def _rounded_down(share: Decimal) -> Percent:
    return Percent(share.quantize(Decimal("0.0001"), ROUND_FLOOR))


def _rate(entry: Mapping[str, Any], sources: Mapping[str, Source]) -> _Rate:
    rate = decimal(entry["rate"])
    if not 0 <= rate < 1 or entry["basis"] not in {360, 365} or not 0 <= entry["minimum_days"] <= 31:
        raise ValueError(f"rate, basis or minimum_days: {entry}")
    return _Rate(first_day(entry), sources[entry["source"]], rate, int(entry["basis"]), int(entry["minimum_days"]))


def _lines(entry: Mapping[str, Any], sources: Mapping[str, Source]) -> _Lines:
    found = _Lines(
        first_day(entry),
        sources[entry["source"]],
        decimal(entry["withdrawal"]),
        decimal(entry["warning"]),
        decimal(entry["liquidation"]),
        int(entry["cure_days"]),
    )
    if not 1 <= found.liquidation <= found.warning <= found.withdrawal or found.cure_days < 0:
        raise ValueError(f"lines out of order, or cure_days: {entry}")
    return found
