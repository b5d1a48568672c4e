"""What every calculator shares: exact arithmetic, rounding by name, bounds of inputs, entries by date, and the way to a result. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)
from typing import Any, Final, Protocol, TypeVar

from tightrope.rules.models import RuleDataError, RuleRefusal, Source, Term, Value

CENT: Final = Decimal("0.01")
_CONTEXT: Final = Context(prec=60, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])
_SOURCE_TEXTS: Final = ("zh", "en", "short_zh", "short_en")


def exactly() -> AbstractContextManager[Context]:
    """Arithmetic with 60 digits, whatever precision the caller has set."""
    return localcontext(_CONTEXT)


def half_up_cent(value: Decimal) -> Decimal:
    """To the cent, half a cent upwards: as clearing houses and tax offices round."""
    return value.quantize(CENT, ROUND_HALF_UP)


def up_cent(value: Decimal) -> Decimal:
    """To the cent, always upwards: what has to be added may not fall short."""
    return value.quantize(CENT, ROUND_CEILING)


def down_cent(value: Decimal) -> Decimal:
    """To the cent, always downwards: what may be taken away may not go too far."""
    return value.quantize(CENT, ROUND_FLOOR)


def up_unit(value: Decimal) -> Decimal:
    """To the whole unit of the currency, always upwards, with two decimals: Hong Kong's stamp duty."""
    return value.quantize(Decimal(1), ROUND_CEILING).quantize(CENT)


ROUNDINGS: Final[Mapping[str, Callable[[Decimal], Decimal]]] = {"half_up_cent": half_up_cent, "up_unit": up_unit}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the way to a result: `name` is a key below the rule in `data/calculator_wording.yml`."""

    name: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Computation:
    """How a result came about: rule, version of its data, each step with its figures, and where the rule stands written."""

    rule: str
    version: str
    steps: tuple[Step, ...]
    sources: tuple[Source, ...]


def each_once(sources: Sequence[Source]) -> tuple[Source, ...]:
    """The sources in their order, each once."""
    return tuple(dict.fromkeys(sources))


class Dated(Protocol):
    """An entry that holds from a day on."""

    @property
    def effective_from(self) -> date:
        """The first day."""
        ...


E = TypeVar("E", bound=Dated)


def ordered(entries: Sequence[E]) -> tuple[E, ...]:
    """The entries by their first day.

    Raises:
        RuleDataError: there are none, or two begin on the same day.
    """
    days = {entry.effective_from for entry in entries}
    if not days or len(days) != len(entries):
        raise RuleDataError("rule data: entries are missing, or two begin on the same day")
    return tuple(sorted(entries, key=lambda entry: entry.effective_from))


def in_force(entries: Sequence[E], day: date, subject: str) -> E:
    """The entry that holds on `day`.

    Raises:
        RuleRefusal: the day lies before the first entry.
    """
    found = [entry for entry in entries if entry.effective_from <= day]
    if not found:
        raise RuleRefusal("before_first_entry", subject=Term(subject), day=day, first=entries[0].effective_from)
    return found[-1]


@dataclass(frozen=True, slots=True)
class Bound:
    """The least and the greatest value of an input, and its decimals."""

    least: Decimal
    greatest: Decimal
    decimals: int


class Bounds:
    """The bounds of a rule's inputs by name, from `bounds` of its data."""

    def __init__(self, data: Mapping[str, Any], names: Sequence[str]) -> None:
        """Args:
            data: `bounds` of the data file.
            names: the inputs that need bounds.

        Raises:
            KeyError, TypeError, ValueError: one is missing or broken.
        """
        self._bounds = {
            name: Bound(decimal(entry["least"]), decimal(entry["greatest"]), int(entry["decimals"]))
            for name, entry in ((name, data[name]) for name in names)
        }

    def check(self, name: str, value: object) -> Decimal:
        """The value, if it is a finite number within its bounds.

        Raises:
            RuleRefusal: it is not.
        """
        bound = self._bounds[name]
        if isinstance(value, bool) or not isinstance(value, Decimal | int) or not Decimal(value).is_finite():
            raise RuleRefusal("not_a_number", input=Term(name))
        number = Decimal(value)
        with exactly():
            if not bound.least <= number <= bound.greatest:
                least, greatest, given = (_plain(name, figure) for figure in (bound.least, bound.greatest, number))
                raise RuleRefusal("out_of_bounds", input=Term(name), least=least, greatest=greatest, given=given)
            if number != number.quantize(Decimal(1).scaleb(-bound.decimals)):
                raise RuleRefusal("too_many_decimals", input=Term(name), decimals=bound.decimals)
        return number or Decimal(0)


def _plain(name: str, value: Decimal) -> str:
    """A bound or a given figure for a refusal: grouped, a rate as percent, what is absurdly large in short."""
    if abs(value) >= Decimal("1E+20"):
        return f"{value:.3E}"
    return f"{(value * 100).normalize():,f}%" if name.endswith("_rate") else f"{value.normalize():,f}"


def decimal(text: Any) -> Decimal:
    """A figure of the rule data.

    Raises:
        TypeError: it is not a quoted decimal.
        ValueError: it is not finite.
    """
    if not isinstance(text, str):
        raise TypeError(f"a figure is a quoted decimal, never a float: {text!r}")
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(f"no finite figure: {text!r}")
    return value


def first_day(entry: Mapping[str, Any]) -> date:
    """`effective_from` of a data entry.

    Raises:
        TypeError: it is no date.
    """
    day = entry["effective_from"]
    if type(day) is not date:
        raise TypeError(f"effective_from is no date: {day!r}")
    return day


def sources_of(data: Mapping[str, Any]) -> dict[str, Source]:
    """`sources` of a data file by key."""
    return {key: Source(**{name: str(text[name]) for name in _SOURCE_TEXTS}) for key, text in data["sources"].items()}
