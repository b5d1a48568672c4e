"""How a lump sum or regular saving grows at an assumed constant rate. Pure; bounds stand in `data/growth.yml`. A calculation, no forecast.

The yearly rate is nominal: compounded monthly, a twelfth of it is earned each month. Nothing is rounded on the way; the end value is
rounded once to the cent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from tightrope.rules.figures import Bounds, Computation, Step, each_once, exactly, half_up_cent, sources_of
from tightrope.rules.models import Months, Percent, RuleDataError, RuleRefusal, Term, Value

RULE: Final = "growth"


class Frequency(StrEnum):
    """How often interest is added, and how often a saver pays in."""

    YEARLY = "yearly"
    MONTHLY = "monthly"

    @property
    def per_year(self) -> int:
        """Periods in a year."""
        return 12 if self is Frequency.MONTHLY else 1


class Timing(StrEnum):
    """When in a period a saver pays in."""

    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True)
class Growth:
    """What comes of it."""

    currency: str
    periods: int
    paid_in: Decimal
    gain: Decimal
    """Value less what was paid in; below zero at a negative rate."""
    value: Decimal
    computation: Computation


class GrowthRules:
    """The bounds, read and checked."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of `data/growth.yml`.

        Raises:
            RuleDataError: something is missing or of the wrong kind.
        """
        try:
            self.version = str(data["version"])
            self._source = sources_of(data)["formula"]
            self._currencies = frozenset(str(currency) for currency in data["currencies"])
            self._bounds = Bounds(data["bounds"], ("principal", "payment", "yearly_rate", "months"))
        except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
            raise RuleDataError(f"growth: {error!r}") from error

    def of_kind(self, kind: str, amount: Decimal, *, yearly_rate: Decimal, months: int) -> Growth:
        """A sum or a saving in yuan, as the calculator offers them: `lump_sum`, `monthly_saving` or yearly saving.

        Interest is added yearly to a sum of whole years and to yearly saving, else monthly; savers pay in at the end of each period.

        Raises:
            RuleRefusal: a figure is out of bounds.
        """
        if kind == "lump_sum":
            frequency = Frequency.MONTHLY if months % 12 else Frequency.YEARLY
            return self.lump_sum(amount, "CNY", yearly_rate=yearly_rate, months=months, frequency=frequency)
        frequency = Frequency.MONTHLY if kind == "monthly_saving" else Frequency.YEARLY
        return self.regular_saving(amount, "CNY", yearly_rate=yearly_rate, months=months, frequency=frequency, timing=Timing.END)

    def lump_sum(self, principal: Decimal, currency: str, *, yearly_rate: Decimal, months: int, frequency: Frequency) -> Growth:
        """`principal` × (1 + r/n)^N.

        Args:
            principal: in units of `currency`.
            yearly_rate: as a fraction of one.
            months: the term; whole years where interest is added yearly.

        Raises:
            RuleRefusal: a figure is out of bounds, the term is no whole number of periods, or the currency is not known.
        """
        principal = self._bounds.check("principal", principal)
        with exactly():
            yearly_rate, rate, periods = self._periods(currency, yearly_rate, months, frequency)
            factor = (1 + rate) ** periods
            value = half_up_cent(principal * factor)
        inputs: dict[str, Value] = {"principal": principal, "value": value}
        return self._growth("lump_sum", currency, yearly_rate, months, frequency, principal, value, inputs)

    def regular_saving(
        self, payment: Decimal, currency: str, *, yearly_rate: Decimal, months: int, frequency: Frequency, timing: Timing
    ) -> Growth:
        """`payment` each period: payment × ((1 + i)^N − 1) / i, times (1 + i) when paid at the start; without interest payment × N.

        Raises:
            RuleRefusal: as for `lump_sum`.
        """
        payment = self._bounds.check("payment", payment)
        with exactly():
            yearly_rate, rate, periods = self._periods(currency, yearly_rate, months, frequency)
            series = ((1 + rate) ** periods - 1) / rate if rate else Decimal(periods)
            value = half_up_cent(payment * series * (1 + rate if timing is Timing.START else 1))
            paid_in = half_up_cent(payment * periods)
        inputs: dict[str, Value] = {"payment": payment, "value": value}
        return self._growth(f"saving_{timing.value}", currency, yearly_rate, months, frequency, paid_in, value, inputs)

    def formulas(self) -> Computation:
        """The formulas in words, for "why?"."""
        steps = tuple(Step(name, {}) for name in ("formula_lump_sum", "formula_saving", "no_forecast"))
        return Computation(RULE, self.version, steps, (self._source,))

    def _periods(self, currency: str, yearly_rate: Decimal, months: int, frequency: Frequency) -> tuple[Decimal, Decimal, int]:
        """The yearly rate, that of a period, and the number of periods."""
        if currency not in self._currencies:
            raise RuleRefusal("unknown_currency", currency=currency, known=", ".join(sorted(self._currencies)))
        rate, count = self._bounds.check("yearly_rate", yearly_rate), int(self._bounds.check("months", months))
        if count * frequency.per_year % 12:
            raise RuleRefusal("no_whole_years", term=Months(count))
        return rate, rate / frequency.per_year, count * frequency.per_year // 12

    def _growth(
        self,
        name: str,
        currency: str,
        yearly_rate: Decimal,
        months: int,
        frequency: Frequency,
        paid_in: Decimal,
        value: Decimal,
        inputs: Mapping[str, Value],
    ) -> Growth:
        periods = months * frequency.per_year // 12
        with exactly():
            gain = value - paid_in
        base: dict[str, Value] = {
            **inputs,
            "currency": Term(currency),
            "rate": Percent(yearly_rate),
            "term": Months(months),
            "frequency": Term(frequency.value),
            "periods": periods,
            "per_year": frequency.per_year,
            "paid_in": paid_in,
            "gain": gain,
        }
        steps = (Step("assumption", base), Step(name, base), Step("gain", base), Step("no_forecast", {}))
        return Growth(currency, periods, paid_in, gain, value, Computation(RULE, self.version, steps, each_once([self._source])))
