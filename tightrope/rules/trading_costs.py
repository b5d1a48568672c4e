"""What a trade costs, item by item, by market and day. Pure; rates, minima and rounding stand in `data/trading_costs.yml`.

Each item is computed from the amount of the whole order (price times quantity) and rounded on its own as the data says; nothing else is rounded.
An item that the commission includes is shown and not charged again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from tightrope.rules.figures import (
    CENT,
    ROUNDINGS,
    Bounds,
    Computation,
    Step,
    decimal,
    each_once,
    exactly,
    first_day,
    in_force,
    ordered,
    sources_of,
)
from tightrope.rules.models import Percent, RuleDataError, RuleRefusal, Source, Term, Value

RULE: Final = "trading_costs"


class Side(StrEnum):
    """Which side of the trade the customer is on."""

    BUY = "buy"
    SELL = "sell"


@dataclass(frozen=True, slots=True)
class Trade:
    """An order that is executed at one price."""

    market: str
    side: Side
    price: Decimal
    """In the market's currency."""
    quantity: int
    day: date
    """In the market's zone."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order of which only the amount is known."""

    market: str
    side: Side
    amount: Decimal
    """Price times quantity, in the market's currency."""
    day: date
    """In the market's zone."""


@dataclass(frozen=True, slots=True)
class Item:
    """One fee or tax of a trade."""

    name: str
    rate: Percent
    amount: Decimal
    """Rounded; 0.00 for an item that is included."""
    included: bool
    """Part of the commission, not charged again."""
    source: Source


@dataclass(frozen=True, slots=True)
class TradingCost:
    """What a trade costs."""

    trade: Trade | Order
    currency: str
    amount: Decimal
    """Price times quantity, not rounded."""
    items: tuple[Item, ...]
    total: Decimal
    """The sum of the items."""
    net: Decimal
    """Buying: what is paid in all. Selling: what is received, below zero when the costs exceed the amount."""
    computation: Computation


@dataclass(frozen=True, slots=True)
class _Entry:
    effective_from: date
    source: Source
    rate: Decimal
    rounding: str
    minimum: Decimal | None
    maximum: Decimal | None


@dataclass(frozen=True, slots=True)
class _Charge:
    name: str
    sides: frozenset[Side]
    included: bool
    entries: tuple[_Entry, ...]


@dataclass(frozen=True, slots=True)
class _Market:
    currency: str
    charges: tuple[_Charge, ...]

    @property
    def first_day(self) -> date:
        """The day from which every charge is known."""
        return max(charge.entries[0].effective_from for charge in self.charges)


class TradingCosts:
    """The rates, read and checked."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of `data/trading_costs.yml`.

        Raises:
            RuleDataError: something is missing, of the wrong kind, or given twice.
        """
        try:
            sources = sources_of(data)
            self.version = str(data["version"])
            self._checked_to = data["checked_to"]
            if type(self._checked_to) is not date:
                raise TypeError(f"checked_to is no date: {self._checked_to!r}")
            self._bounds = Bounds(data["bounds"], ("price", "quantity", "amount"))
            self._markets = {name: _market(entry, sources) for name, entry in data["markets"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
            raise RuleDataError(f"trading costs: {error!r}") from error

    @property
    def markets(self) -> tuple[str, ...]:
        """The markets that can be asked for."""
        return tuple(self._markets)

    def cost(self, trade: Trade | Order) -> TradingCost:
        """What the trade costs.

        Raises:
            RuleRefusal: the market is not known, the day lies before its first rates, or a figure is out of bounds.
        """
        market = self._market(trade.market, trade.day)
        with exactly():
            amount, way = self._amount(trade)
            base: dict[str, Value] = {"currency": Term(market.currency), "amount": amount}
            steps = [Step("amount" if way else "amount_given", base | way)]
            items: list[Item] = []
            for charge in market.charges:
                if trade.side in charge.sides:
                    entry = in_force(charge.entries, trade.day, trade.market)
                    item, step = _item(charge, entry, amount, base)
                    items.append(item)
                    steps.append(step)
            total = sum((item.amount for item in items), Decimal("0.00"))
            net = amount + total if trade.side is Side.BUY else amount - total
        steps.append(Step("total", base | {"total": total}))
        steps.append(Step(f"net_{trade.side.value}", base | {"total": total, "net": net}))
        steps.append(Step("checked", {"checked_to": self._checked_to}))
        computation = Computation(RULE, self.version, tuple(steps), each_once([item.source for item in items]))
        return TradingCost(trade, market.currency, amount, tuple(items), total, net, computation)

    def rates(self, market: str, day: date) -> Computation:
        """The rates in force on `day`, each with the day from which it holds, for "why?".

        Raises:
            RuleRefusal: the market is not known, or the day lies before its first rates.
        """
        found = self._market(market, day)
        entries = [(charge, in_force(charge.entries, day, market)) for charge in found.charges]
        steps = [_rate_step(charge, entry, found.currency) for charge, entry in entries]
        steps.append(Step("checked", {"checked_to": self._checked_to}))
        return Computation(RULE, self.version, tuple(steps), each_once([entry.source for _, entry in entries]))

    def _market(self, name: str, day: date) -> _Market:
        market = self._markets.get(name)
        if market is None:
            raise RuleRefusal("unknown_market", market=name, known=", ".join(self._markets))
        if day < market.first_day:
            raise RuleRefusal("before_first_entry", subject=Term(name), day=day, first=market.first_day)
        return market

    def _amount(self, trade: Trade | Order) -> tuple[Decimal, dict[str, Value]]:
        """The amount of the order, and what it was multiplied from, if it was."""
        if isinstance(trade, Order):
            return self._bounds.check("amount", trade.amount), {}
        price, quantity = self._bounds.check("price", trade.price), self._bounds.check("quantity", trade.quantity)
        return self._bounds.check("amount", price * quantity), {"price": price, "quantity": int(quantity)}


def _rate_step(charge: _Charge, entry: _Entry, currency: str) -> Step:
    """One rate as "why?" lists it."""
    values: dict[str, Value] = {
        "item": Term(charge.name),
        "rate": Percent(entry.rate),
        "since": entry.effective_from,
        "sides": Term("both_sides" if len(charge.sides) > 1 else next(iter(charge.sides)).value),
        "currency": Term(currency),
    }
    if charge.included:
        return Step("rate_included", values)
    if entry.minimum is not None:
        return Step("rate_with_minimum", values | {"minimum": entry.minimum})
    return Step("rate", values)


def _item(charge: _Charge, entry: _Entry, amount: Decimal, base: Mapping[str, Value]) -> tuple[Item, Step]:
    """The fee, and the line that shows how it was computed."""
    rate = Percent(entry.rate)
    values: dict[str, Value] = {**base, "item": Term(charge.name), "rate": rate}
    if charge.included:
        return Item(charge.name, rate, Decimal("0.00"), True, entry.source), Step("included", values)
    raw = amount * entry.rate
    limited = raw if entry.minimum is None else max(raw, entry.minimum)
    limited = limited if entry.maximum is None else min(limited, entry.maximum)
    fee = ROUNDINGS[entry.rounding](limited)
    values |= {"raw": raw, "fee": fee}
    name = "exact" if fee == raw else entry.rounding if limited == raw else "minimum" if limited > raw else "maximum"
    return Item(charge.name, rate, fee, False, entry.source), Step(name, values)


def _market(entry: Mapping[str, Any], sources: Mapping[str, Source]) -> _Market:
    charges = tuple(_charge(part, sources) for part in entry["items"])
    if not charges or len({charge.name for charge in charges}) != len(charges):
        raise ValueError("items are missing, or one stands twice")
    return _Market(str(entry["currency"]), charges)


def _charge(entry: Mapping[str, Any], sources: Mapping[str, Source]) -> _Charge:
    sides = frozenset(Side(side) for side in entry["sides"])
    if not sides or type(entry["included"]) is not bool:
        raise ValueError(f"sides and included of {entry['name']}")
    return _Charge(str(entry["name"]), sides, entry["included"], ordered([_entry(part, sources) for part in entry["entries"]]))


def _entry(entry: Mapping[str, Any], sources: Mapping[str, Source]) -> _Entry:
    limits = [None if entry.get(key) is None else decimal(entry[key]) for key in ("minimum", "maximum")]
    rate = decimal(entry["rate"])
    if not 0 <= rate < 1 or entry["rounding"] not in ROUNDINGS:
        raise ValueError(f"rate or rounding: {entry}")
    if any(limit is not None and (limit < 0 or limit != limit.quantize(CENT)) for limit in limits):
        raise ValueError(f"minimum or maximum: {entry}")
    return _Entry(first_day(entry), sources[entry["source"]], rate, entry["rounding"], limits[0], limits[1])
