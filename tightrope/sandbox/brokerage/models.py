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
    risk_level: str
    risk_assessed_on: date
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
            "risk_assessed_on": self.risk_assessed_on.isoformat(),
            "risk_disclosure_signed_on": self.risk_disclosure_signed_on.isoformat() if self.risk_disclosure_signed_on else None,
            "funds_account_standing": self.standing,
            "first_trade_on": self.first_trade_on.isoformat() if self.first_trade_on else None,
            "average_assets_20d": money(self.average_assets_20d, "CNY"),
            "margin_account_status": self.margin_account_status,
            "as_of": as_of.isoformat(),
        }
