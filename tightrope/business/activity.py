"""What a customer holds and has under way: positions, orders, transfers, subscriptions for new shares."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from tightrope.business.basics import ApiModel, Identifier, Money, Security

Count = Annotated[int, Field(ge=0, strict=True)]


def _one_currency(*amounts: Money | None) -> bool:
    return len({amount.currency for amount in amounts if amount is not None}) <= 1


class Position(ApiModel):
    """A holding in one account, at last prices."""

    security: Security
    quantity: Count
    available_quantity: Count
    """What can be sold now: shares bought today, pledged or in an open sell order are not in it."""
    cost_price: Money
    last_price: Money
    market_value: Money
    profit: Money
    """Unrealised, at last price; below zero for a loss."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.available_quantity > self.quantity:
            raise ValueError("more can be sold than is held")
        if not _one_currency(self.cost_price, self.last_price, self.market_value, self.profit):
            raise ValueError("amounts in several currencies")
        return self


class Positions(ApiModel):
    """All positions of one account, the pages already put together."""

    account_id: Identifier
    items: tuple[Position, ...]
    as_of: AwareDatetime


class PositionPage(Positions):
    """One page as it travels; `next_cursor` is null on the last."""

    next_cursor: str | None


class OrderStatus(StrEnum):
    """How far an order is."""

    PENDING = "pending"
    """Taken by the firm, not yet at the exchange: outside trading hours, for example."""
    ACCEPTED = "accepted"
    PARTLY_FILLED = "partly_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    PARTLY_CANCELLED = "partly_cancelled"
    """A part was filled, the rest was cancelled."""
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def open(self) -> bool:
        """Something can still happen to it."""
        return self in {OrderStatus.PENDING, OrderStatus.ACCEPTED, OrderStatus.PARTLY_FILLED}


class RejectionCode(StrEnum):
    """Why an order was not taken. A code that the contract does not know reads as OTHER."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    INSUFFICIENT_POSITION = "insufficient_position"
    BOUGHT_TODAY = "bought_today"
    """A-shares bought today can be sold on the next trading day."""
    PRICE_OUT_OF_RANGE = "price_out_of_range"
    """Outside the day's limits, or the band around the last price."""
    INVALID_QUANTITY = "invalid_quantity"
    """Not a whole lot, or above the greatest quantity of one order."""
    INVALID_PRICE_STEP = "invalid_price_step"
    SECURITY_SUSPENDED = "security_suspended"
    MARKET_CLOSED = "market_closed"
    PERMISSION_MISSING = "permission_missing"
    """The board or product is not enabled for this customer."""
    SUITABILITY_MISMATCH = "suitability_mismatch"
    RISK_ASSESSMENT_EXPIRED = "risk_assessment_expired"
    ACCOUNT_RESTRICTED = "account_restricted"
    NO_DESIGNATED_TRADING = "no_designated_trading"
    """Shanghai: the account has not designated this firm for trading."""
    MARGIN_LIMIT = "margin_limit"
    """The credit line or the free margin does not suffice."""
    EXCHANGE_REJECTED = "exchange_rejected"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> RejectionCode | None:
        return cls.OTHER if isinstance(value, str) else None


class Order(ApiModel):
    """An order of the last seven trading days. Nothing here can place, change or cancel one."""

    order_id: Identifier
    account_id: Identifier
    security: Security
    side: Literal["buy", "sell"]
    order_type: Literal["limit", "market"]
    status: OrderStatus
    quantity: Annotated[int, Field(gt=0, strict=True)]
    filled_quantity: Count
    price: Money | None
    """The limit; None for a market order."""
    average_fill_price: Money | None
    """None while nothing is filled."""
    rejection: RejectionCode | None
    """Set when, and only when, the order was rejected."""
    placed_at: AwareDatetime
    updated_at: AwareDatetime

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.filled_quantity > self.quantity:
            raise ValueError("more filled than ordered")
        if (self.rejection is not None) != (self.status is OrderStatus.REJECTED):
            raise ValueError("a rejection without a rejected order, or the reverse")
        if (self.filled_quantity > 0) != (self.average_fill_price is not None):
            raise ValueError("a fill without a price, or the reverse")
        if not _FILLS[self.status](self.filled_quantity, self.quantity):
            raise ValueError("the filled quantity does not fit the status")
        if (self.price is None) != (self.order_type == "market") or not _one_currency(self.price, self.average_fill_price):
            raise ValueError("the price does not fit")
        return self


class Fill(StrEnum):
    """How much of an order a status allows to be filled."""

    NONE = "none"
    PART = "part"
    ALL = "all"

    def __call__(self, filled: int, quantity: int) -> bool:
        return {Fill.NONE: filled == 0, Fill.PART: 0 < filled < quantity, Fill.ALL: filled == quantity}[self]


_FILLS = {
    OrderStatus.PENDING: Fill.NONE,
    OrderStatus.ACCEPTED: Fill.NONE,
    OrderStatus.PARTLY_FILLED: Fill.PART,
    OrderStatus.FILLED: Fill.ALL,
    OrderStatus.CANCELLED: Fill.NONE,
    OrderStatus.PARTLY_CANCELLED: Fill.PART,
    OrderStatus.EXPIRED: Fill.NONE,
    OrderStatus.REJECTED: Fill.NONE,
}


class Orders(ApiModel):
    """The customer's orders of the last seven trading days over all accounts, newest first."""

    customer_id: Identifier
    items: tuple[Order, ...]
    as_of: AwareDatetime


class OrderPage(Orders):
    """One page as it travels."""

    next_cursor: str | None


class TransferKind(StrEnum):
    """Between bank and securities account, or securities between firms."""

    BANK_TO_SECURITIES = "bank_to_securities"
    SECURITIES_TO_BANK = "securities_to_bank"
    CUSTODY_IN = "custody_in"
    """转托管: securities come from another firm."""
    CUSTODY_OUT = "custody_out"

    @property
    def of_money(self) -> bool:
        """Money moves, not securities."""
        return self in {TransferKind.BANK_TO_SECURITIES, TransferKind.SECURITIES_TO_BANK}


class TransferFailure(StrEnum):
    """Why a transfer failed. A code that the contract does not know reads as OTHER."""

    INSUFFICIENT_WITHDRAWABLE = "insufficient_withdrawable"
    """More than can be withdrawn now: proceeds of today's sales are withdrawable on the next trading day."""
    BANK_INSUFFICIENT_FUNDS = "bank_insufficient_funds"
    BANK_PASSWORD = "bank_password"  # noqa: S105 - a reason, no password
    FUNDS_PASSWORD = "funds_password"  # noqa: S105
    BANK_LIMIT = "bank_limit"
    FIRM_LIMIT = "firm_limit"
    OUTSIDE_HOURS = "outside_hours"
    BANK_ACCOUNT_INVALID = "bank_account_invalid"
    """Closed, frozen, or no longer the one that is linked."""
    NAME_MISMATCH = "name_mismatch"
    """Name or identity document at the bank differs."""
    DOCUMENT_EXPIRED = "document_expired"
    BANK_UNAVAILABLE = "bank_unavailable"
    ACCOUNT_RESTRICTED = "account_restricted"
    SECURITIES_FROZEN = "securities_frozen"
    """Pledged, frozen, or not yet settled."""
    COUNTERPARTY_DETAILS = "counterparty_details"
    """The other firm's seat or the account there is wrong."""
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> TransferFailure | None:
        return cls.OTHER if isinstance(value, str) else None


class Transfer(ApiModel):
    """A transfer of the last thirty days."""

    transfer_id: Identifier
    account_id: Identifier
    kind: TransferKind
    status: Literal["processing", "completed", "failed", "cancelled"]
    amount: Money | None
    """None for a transfer of securities."""
    security: Security | None
    """None for a transfer of money."""
    quantity: Count | None
    counterparty_masked: str
    """The bank with the last four digits of the account, or the other firm; all that may be shown."""
    failure: TransferFailure | None
    requested_at: AwareDatetime
    completed_at: AwareDatetime | None
    expected_on: date | None
    """While processing: the day by which it should be through, in Asia/Shanghai."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.failure is not None) != (self.status == "failed"):
            raise ValueError("a failure without a failed transfer, or the reverse")
        if self.kind.of_money != (self.amount is not None) or self.kind.of_money != (self.security is None):
            raise ValueError("money without an amount, or securities without a security")
        if (self.security is None) != (self.quantity is None):
            raise ValueError("a security without a quantity, or the reverse")
        return self


class Transfers(ApiModel):
    """The customer's transfers of the last thirty days over all accounts, newest first."""

    customer_id: Identifier
    items: tuple[Transfer, ...]
    as_of: AwareDatetime


class TransferPage(Transfers):
    """One page as it travels."""

    next_cursor: str | None


class IpoStatus(StrEnum):
    """How far a subscription for new shares is."""

    SUBSCRIBED = "subscribed"
    """Taken; the numbers are not yet drawn."""
    NOT_ALLOTTED = "not_allotted"
    PAYMENT_DUE = "payment_due"
    """Allotted, and the money has to be in the account by `pay_by`."""
    PAID = "paid"
    """Allotted and paid, not yet listed."""
    FORFEITED = "forfeited"
    """Allotted, and the money was not there in time."""
    LISTED = "listed"

    @property
    def allotted(self) -> bool:
        """Shares were allotted, whatever came after."""
        return self not in {IpoStatus.SUBSCRIBED, IpoStatus.NOT_ALLOTTED}


class IpoAllotment(ApiModel):
    """A subscription for new shares of the last ninety days and what came of it."""

    subscription_id: Identifier
    account_id: Identifier
    security: Security
    status: IpoStatus
    subscribed_on: date
    result_on: date
    """The day on which the result is or was published."""
    quantity: Annotated[int, Field(gt=0, strict=True)]
    allotted_quantity: Count
    issue_price: Money
    amount_due: Money | None
    """What has to be paid for the allotted shares; None when none are."""
    pay_by: AwareDatetime | None
    listing_on: date | None
    """None while the day is not published."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.allotted_quantity > self.quantity:
            raise ValueError("more allotted than subscribed")
        if (self.allotted_quantity > 0) != self.status.allotted:
            raise ValueError("the allotted quantity does not fit the status")
        if (self.amount_due is not None) != self.status.allotted or not _one_currency(self.amount_due, self.issue_price):
            raise ValueError("the amount due does not fit the status")
        if self.status is IpoStatus.PAYMENT_DUE and self.pay_by is None:
            raise ValueError("a payment is due without a time")
        return self


class IpoAllotments(ApiModel):
    """The customer's subscriptions of the last ninety days, newest first."""

    customer_id: Identifier
    items: tuple[IpoAllotment, ...]
    as_of: AwareDatetime


class IpoPage(IpoAllotments):
    """One page as it travels."""

    next_cursor: str | None
