"""Rows of the brokerage and how they travel (contracts/business.openapi.yaml)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def money(amount: Decimal, currency: str) -> dict[str, str]:
    """Money as it travels: a decimal string with two places."""
    return {"amount": f"{amount:.2f}", "currency": currency}


@dataclass(frozen=True, slots=True)
class AccountRow:
    account_id: str
    customer_id: str
    kind: str
    number: str
    currency: str
    status: str
    opened_on: date
    cash_available: Decimal
    cash_frozen: Decimal
    cash_withdrawable: Decimal
    market_value: Decimal

    def summary(self) -> dict[str, Any]:
        return {
            "account_id": self.account_id,
            "kind": self.kind,
            "number_masked": f"****{self.number[-4:]}",
            "currency": self.currency,
            "status": self.status,
            "opened_on": self.opened_on.isoformat(),
        }

    def balance(self, as_of: datetime) -> dict[str, Any]:
        return {
            "account_id": self.account_id,
            "currency": self.currency,
            "cash_available": money(self.cash_available, self.currency),
            "cash_frozen": money(self.cash_frozen, self.currency),
            "cash_withdrawable": money(self.cash_withdrawable, self.currency),
            "market_value": money(self.market_value, self.currency),
            "total_assets": money(self.cash_available + self.cash_frozen + self.market_value, self.currency),
            "as_of": as_of.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class CustomerRow:
    customer_id: str
    tier: str
    risk_level: str | None
    risk_assessed_on: date | None
    risk_disclosure_signed_on: date | None
    standing: str
    first_trade_on: date | None
    average_assets_20d: Decimal
    margin_account_status: str

    def margin_facts(self, as_of: datetime) -> dict[str, Any]:
        return {
            "customer_id": self.customer_id,
            "customer_tier": self.tier,
            "risk_level": self.risk_level,
            "risk_assessed_on": _iso(self.risk_assessed_on),
            "risk_disclosure_signed_on": _iso(self.risk_disclosure_signed_on),
            "funds_account_standing": self.standing,
            "first_trade_on": _iso(self.first_trade_on),
            "average_assets_20d": money(self.average_assets_20d, "CNY"),
            "margin_account_status": self.margin_account_status,
            "as_of": as_of.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class ClosingRow:
    """An account with what stands in it."""

    account: AccountRow
    positions: int
    open_orders: int
    pending_transfers: int
    products: list[dict[str, Any]]
    margin_debt: Decimal

    @property
    def blocked(self) -> bool:
        """Something has to go before the account can be closed."""
        cash = self.account.cash_available + self.account.cash_frozen
        counts = self.positions + self.open_orders + self.pending_transfers + len(self.products)
        return bool(cash or counts or self.margin_debt) or self.account.status == "frozen"

    def body(self) -> dict[str, Any]:
        account = self.account
        return {
            "account_id": account.account_id,
            "kind": account.kind,
            "number_masked": f"****{account.number[-4:]}",
            "status": account.status,
            "cash": money(account.cash_available + account.cash_frozen, account.currency),
            "positions": self.positions,
            "open_orders": self.open_orders,
            "pending_transfers": self.pending_transfers,
            "margin_debt": money(self.margin_debt, account.currency),
            "products": self.products,
        }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
