"""The data files: published figures with sources (pairings) and prices (cost books). Dated: a newer figure is a newer file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from tightrope.generation.capacity.models import CostBook, CostRow, Pairing, Rate, Saved

DATA: Final = Path(__file__).with_name("data")
_STANDINGS: Final = ("published", "lower bound", "assumed")


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that plans rest on."""

    as_of: str
    pairings: tuple[Pairing, ...]
    sources: dict[str, str]


def read_pairings(raw: str) -> Figures:
    """Pairings with their rates.

    Raises:
        ValueError: not of this form, or a rate without a source; says which.
    """
    data = json.loads(raw)
    try:
        found = tuple(_pairing(one, data["sources"]) for one in data["pairings"])
        return Figures(data["as_of"], found, data["sources"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"the figures lack {error}") from None


def read_costs(raw: str) -> tuple[CostBook, ...]:
    """Cost books.

    Raises:
        ValueError: not of this form.
    """
    data = json.loads(raw)
    try:
        return tuple(_book(one) for one in data["books"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"the costs lack {error}") from None


@lru_cache(maxsize=1)
def published() -> Figures:
    """The newest figures that come with this release."""
    return read_pairings(_newest("pairings").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def books() -> tuple[CostBook, ...]:
    """The newest cost books that come with this release."""
    return read_costs(_newest("costs").read_text(encoding="utf-8"))


def _newest(kind: str) -> Path:
    return max(DATA.glob(f"{kind}.*.json"))


def _pairing(one: dict[str, Any], sources: dict[str, str]) -> Pairing:
    rates = tuple(Rate(**rate) for rate in one["rates"])
    for rate in rates:
        if rate.source not in sources or rate.standing not in _STANDINGS or not rate.reason:
            raise ValueError(f"{one['id']}: every rate names its source, its standing and the reason")
        if min(rate.tokens_in, rate.tokens_out, rate.requests_per_second) <= 0:
            raise ValueError(f"{one['id']}: a rate is above 0")
    if not rates:
        raise ValueError(f"{one['id']}: there is no rate")
    return Pairing(**{**one, "rates": rates})


def _book(one: dict[str, Any]) -> CostBook:
    rows = tuple(CostRow(**{**row, "price": Decimal(row["price"])}) for row in one["rows"])
    saved = Saved(one["saved"]["agents"], Decimal(one["saved"]["each"])) if one["saved"] else None
    return CostBook(**{**one, "rows": rows, "saved": saved})
