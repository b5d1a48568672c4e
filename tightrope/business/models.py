"""What the business API answers (contracts/business.openapi.yaml): money in Decimal, times with a zone, receipts of calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


def _text_only(value: object) -> object:
    """Money travels as text: a JSON number may already have lost a cent in somebody's float."""
    if not isinstance(value, str):
        raise ValueError("an amount is a decimal string, not a JSON number")  # noqa: TRY004 - pydantic turns only ValueError into a report
    return value


Amount = Annotated[Decimal, BeforeValidator(_text_only), Field(max_digits=20, decimal_places=4, allow_inf_nan=False)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Money(_Answer):
    """An amount in units of `currency` (ISO 4217), never a float."""

    amount: Amount
    currency: Currency


class Account(_Answer):
    """An account of a customer. `number_masked` is all that may be shown of its number."""

    account_id: Identifier
    kind: Literal["cash", "margin"]
    number_masked: str
    currency: Currency
    status: Literal["normal", "dormant", "restricted", "frozen"]
    opened_on: date


class Accounts(_Answer):
    """All accounts of one customer, the pages already put together."""

    customer_id: Identifier
    items: tuple[Account, ...]
    as_of: AwareDatetime


class AccountPage(Accounts):
    """One page as it travels; `next_cursor` is null on the last."""

    next_cursor: str | None


class Balance(_Answer):
    """The figures of one account at `as_of`."""

    account_id: Identifier
    currency: Currency
    cash_available: Money
    cash_frozen: Money
    cash_withdrawable: Money
    market_value: Money
    total_assets: Money
    as_of: AwareDatetime


class CustomerTier(StrEnum):
    """How the firm classifies the customer under the suitability rules."""

    RETAIL_RESTRICTED = "retail_restricted"
    RETAIL = "retail"
    PREMIUM = "premium"
    PROFESSIONAL = "professional"


class Standing(StrEnum):
    """State of the funds account."""

    NORMAL = "normal"
    DORMANT = "dormant"
    RESTRICTED = "restricted"
    FROZEN = "frozen"


class MarginFacts(_Answer):
    """What the firm knows that bears on margin trading: facts, no verdicts. Dates are days in Asia/Shanghai."""

    customer_id: Identifier
    customer_tier: CustomerTier
    risk_level: Literal["C1", "C2", "C3", "C4", "C5"]
    risk_assessed_on: date
    risk_disclosure_signed_on: date | None
    funds_account_standing: Standing
    first_trade_on: date | None
    """None: the customer has an account and never traded."""
    average_assets_20d: Money
    """Daily average of securities account assets over the last 20 trading days."""
    margin_account_status: Literal["none", "open"]
    as_of: AwareDatetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """Evidence of one call, safe to record: no figure, no token."""

    operation: str
    """operationId of contracts/business.openapi.yaml, or `token_exchange`."""
    outcome: str
    """`ok` or the `outcome` of the error (errors.py)."""
    status: int | None
    """HTTP status; None when no answer came."""
    as_of: datetime | None
    """The time of the data, as the firm stated it."""
    sha256: str | None
    """Hex digest of the body as received (of all pages' bodies in order); None when no answer came."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A checked answer with its receipt."""

    value: T
    receipt: Receipt
