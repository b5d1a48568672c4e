"""Accounts and what the firm knows of a customer: facts, never verdicts. Dates are days in Asia/Shanghai."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from tightrope.business.basics import ApiModel, Currency, Identifier, Market, Money, NumberMasked, RiskLevel
from tightrope.business.tickets import Ticket

Count = Annotated[int, Field(ge=0, strict=True)]
Level = Annotated[int, Field(ge=0, le=3, strict=True)]


class Account(ApiModel):
    """An account of a customer. `number_masked` is all that may be shown of its number."""

    account_id: Identifier
    kind: Literal["cash", "margin"]
    number_masked: NumberMasked
    currency: Currency
    status: Literal["normal", "dormant", "restricted", "frozen"]
    opened_on: date


class Accounts(ApiModel):
    """All accounts of one customer, the pages already put together."""

    customer_id: Identifier
    items: tuple[Account, ...]
    as_of: AwareDatetime


class AccountPage(Accounts):
    """One page as it travels; `next_cursor` is null on the last."""

    next_cursor: str | None


class Balance(ApiModel):
    """The figures of one account at `as_of`."""

    account_id: Identifier
    currency: Currency
    cash_available: Money
    cash_frozen: Money
    cash_withdrawable: Money
    market_value: Money
    total_assets: Money
    as_of: AwareDatetime

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        amounts = (self.cash_available, self.cash_frozen, self.cash_withdrawable, self.market_value, self.total_assets)
        if any(money.currency != self.currency for money in amounts):
            raise ValueError("the amounts are in several currencies")
        return self


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


class MarginFacts(ApiModel):
    """What the firm knows that bears on margin trading."""

    customer_id: Identifier
    customer_tier: CustomerTier
    risk_level: RiskLevel | None
    """None: never assessed."""
    risk_assessed_on: date | None
    risk_disclosure_signed_on: date | None
    funds_account_standing: Standing
    first_trade_on: date | None
    """None: the customer has an account and never traded."""
    average_assets_20d: Money
    """Daily average of securities account assets over the last 20 trading days."""
    margin_account_status: Literal["none", "open"]
    as_of: AwareDatetime


class OptionsFacts(ApiModel):
    """What the firm knows that bears on trading options; None means not known, unless the field says otherwise."""

    customer_id: Identifier
    customer_tier: CustomerTier
    risk_level: RiskLevel | None
    risk_assessed_on: date | None
    risk_disclosure_signed_on: date | None
    """None: the options risk disclosure is not signed."""
    funds_account_standing: Standing
    account_opened_on: date | None
    """Since when the customer trades through a securities company, or holds an account with a futures company."""
    average_assets_20d: Money | None
    """Without money and securities borrowed on margin."""
    margin_account_status: Literal["none", "open"]
    traded_financial_futures: bool | None
    knowledge_level: Level | None
    """The highest level whose examination is passed; 0: none."""
    simulated_level: Level | None
    """The highest level that the recognised simulated trading covers; 0: none."""
    bad_record: bool | None
    enabled_level: Level
    """The level that is enabled; 0: none."""
    as_of: AwareDatetime


class Product(ApiModel):
    """A product that has not matured: a wealth product, a reverse repo, an income certificate."""

    name_zh: str
    name_en: str
    matures_on: date
    value: Money

    def name(self, language: str) -> str:
        """The name in `zh` or `en`."""
        return self.name_en if language == "en" else self.name_zh


class ClosingAccount(ApiModel):
    """What stands in an account that the customer wants closed."""

    account_id: Identifier
    kind: Literal["cash", "margin"]
    number_masked: NumberMasked
    status: Standing
    cash: Money
    """All money in it, frozen included, with interest not yet booked."""
    positions: Count
    open_orders: Count
    pending_transfers: Count
    margin_debt: Money
    """Financed, sold short, interest and fees together."""
    products: tuple[Product, ...]


class ClosureFacts(ApiModel):
    """What bears on closing the customer's accounts."""

    customer_id: Identifier
    accounts: tuple[ClosingAccount, ...]
    open_request: Ticket | None
    """A request that is already with the firm's people."""
    as_of: AwareDatetime


class MarginCall(ApiModel):
    """The firm has called for more collateral."""

    called_on: date
    restore_by: AwareDatetime
    """Until then the ratio has to be back, or the firm may sell."""


class MarginAccount(ApiModel):
    """The credit account, with what the maintenance ratio is made of; all amounts in `currency` and zero or above."""

    customer_id: Identifier
    account_id: Identifier
    number_masked: NumberMasked
    currency: Currency
    cash: Money
    securities: Money
    """Market value."""
    financed: Money
    """Borrowed to buy, not yet repaid."""
    sold_short: Money
    """Current market value of securities sold short."""
    interest_and_fees: Money
    """Accrued and not yet paid."""
    credit_limit: Money
    margin_call: MarginCall | None
    as_of: AwareDatetime

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        amounts = (self.cash, self.securities, self.financed, self.sold_short, self.interest_and_fees, self.credit_limit)
        if any(money.currency != self.currency or money.amount < 0 for money in amounts):
            raise ValueError("an amount is below zero or in another currency")
        return self


class RiskProfile(ApiModel):
    """The customer's risk assessment."""

    customer_id: Identifier
    customer_tier: CustomerTier
    risk_level: RiskLevel | None
    """None: never assessed."""
    risk_assessed_on: date | None
    valid_until: date | None
    """The last day on which it counts."""
    lowest_tolerance: bool
    """最低风险承受能力: the customer may be sold products of the lowest risk only (C1 with the lowest tolerance)."""
    as_of: AwareDatetime

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len({self.risk_level is None, self.risk_assessed_on is None, self.valid_until is None}) != 1:
            raise ValueError("an assessment without level, day or end")
        if self.risk_assessed_on and self.valid_until and self.valid_until < self.risk_assessed_on:
            raise ValueError("an assessment that ended before it was made")
        return self


class ContactDetails(ApiModel):
    """How the firm reaches the customer, masked: nothing here can be used to reach anybody."""

    customer_id: Identifier
    mobile_masked: str | None
    email_masked: str | None
    address_masked: str | None
    open_request: Ticket | None
    """A change that is already under way."""
    as_of: AwareDatetime

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(value is not None and "*" not in value for value in (self.mobile_masked, self.email_masked, self.address_masked)):
            raise ValueError("a contact detail that is not masked")
        return self


class CalendarDay(ApiModel):
    """A day of a market."""

    day: date
    kind: Literal["full", "half", "weekend", "holiday", "unplanned"]


class TradingCalendar(ApiModel):
    """The days of a market, in order and without gaps."""

    market: Market
    days: tuple[CalendarDay, ...]
    as_of: AwareDatetime
