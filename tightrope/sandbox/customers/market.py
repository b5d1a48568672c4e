"""Last prices of the invented securities, and how an account's market value is spread over them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

from tightrope.sandbox.customers.model import DemoAccount, Holding

FILE: Final = Path(__file__).resolve().parents[3] / "data" / "understanding" / "securities.json"
"""Shared with understanding; the sandbox runs from a checkout only."""

PRICES: Final[dict[str, str]] = {
    "609001": "12.30",
    "609018": "5.80",
    "609036": "9.40",
    "609052": "21.60",
    "609077": "7.20",
    "609105": "15.50",
    "609121": "33.00",
    "609168": "45.70",
    "609199": "62.10",
    "609233": "128.00",
    "309006": "88.80",
    "309015": "27.90",
    "309027": "51.20",
    "309041": "39.60",
    "309058": "18.40",
    "309066": "6.60",
    "309083": "73.50",
    "309095": "24.00",
    "899010": "11.10",
    "899026": "8.90",
    "599001": "2.500",
    "599003": "1.300",
    "599005": "1.000",
    "599007": "5.200",
    "39001": "48.50",
    "39008": "3.20",
    "39012": "1.00",
    "39025": "15.60",
    "909001": "0.10",
}
_SHARES: Final = tuple(code for code in PRICES if code[:3] in {"609", "309"})
_REST: Final = {"CNY": "599005", "HKD": "39012", "USD": "909001"}
"""What the rest of a market value is in: the price divides it."""
_CALM: Final = ("0.998", "1.001", "0.996", "1.003")
"""The rest is in things whose price hardly moves."""
_COSTS: Final = ("0.86", "1.12", "0.97", "1.31", "0.79", "1.00", "1.07")


@dataclass(frozen=True, slots=True)
class ListedSecurity:
    """One of the file's securities."""

    code: str
    market: str
    kind: str
    name_zh: str
    name_en: str

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "market": self.market, "name_zh": self.name_zh, "name_en": self.name_en}


@cache
def securities() -> dict[str, ListedSecurity]:
    """All securities by code."""
    found = json.loads(FILE.read_text(encoding="utf-8"))["securities"]
    return {item["code"]: ListedSecurity(item["code"], item["market"], item["kind"], item["zh"], item["en"]) for item in found}


def currency_of(code: str) -> str:
    """What the security is traded in."""
    return "USD" if code.startswith("909") else "HKD" if securities()[code].market == "hk" else "CNY"


def holdings(account: DemoAccount) -> tuple[Holding, ...]:
    """The account's positions: those given by hand, or two shares and a rest that together make the market value, the same every time."""
    if account.holdings is not None:
        return account.holdings
    left: Decimal = Decimal(account.market_value)
    seed = int("".join(filter(str.isdigit, account.account_id)) or "0")
    found: list[Holding] = []
    if account.currency == "CNY":
        first, second = _SHARES[seed % len(_SHARES)], _SHARES[(seed * 5 + 7) % len(_SHARES)]
        for code, share in ((first, "0.45"), (second, "0.30")):
            if found and found[0].code == code:
                continue
            quantity = int(Decimal(account.market_value) * Decimal(share) / Decimal(PRICES[code]) / 100) * 100
            if quantity:
                found.append(_bought(code, quantity, seed + len(found)))
                left -= quantity * Decimal(PRICES[code])
    rest = _REST[account.currency]
    if left:
        quantity, remainder = int(left // Decimal(PRICES[rest])), left % Decimal(PRICES[rest])
        if remainder:
            raise ValueError(f"{account.account_id}: the market value cannot be made of the price list")
        found.append(_bought(rest, quantity, seed + 2))
    return tuple(found)


def _bought(code: str, quantity: int, seed: int) -> Holding:
    factors = _CALM if code in _REST.values() else _COSTS
    cost = (Decimal(PRICES[code]) * Decimal(factors[seed % len(factors)])).quantize(Decimal("0.001"))
    return Holding(code, quantity, str(cost))
