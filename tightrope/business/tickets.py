"""Requests that people at the firm carry out, and the ticket that the firm answers with."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from pydantic import AwareDatetime

from tightrope.business.basics import ApiModel, Identifier, TicketNumber


class StatementKind(StrEnum):
    """What can be asked for; every kind is delivered into the app and nowhere else."""

    ACCOUNT_STATEMENT = "account_statement"
    """对账单: balances, positions and movements of a period."""
    TRADE_CONFIRMATIONS = "trade_confirmations"
    """交割单: each trade of a period with its fees."""
    ASSET_CERTIFICATE = "asset_certificate"
    """资产证明: total assets on the last day of the period."""
    TAX_SUMMARY = "tax_summary"
    """年度税务汇总: taxes withheld and gains of a calendar year."""


class ContactField(StrEnum):
    """Which contact detail shall change. The new value is typed in the app, after a check of identity, never in a chat."""

    MOBILE = "mobile"
    EMAIL = "email"
    ADDRESS = "address"


class ClosureReason(StrEnum):
    """Why the customer wants to leave; asked for once, and `unstated` is an answer."""

    MOVING_AWAY = "moving_away"
    OTHER_FIRM = "other_firm"
    NOT_TRADING = "not_trading"
    COSTS = "costs"
    SERVICE = "service"
    UNSTATED = "unstated"


class ComplaintCategory(StrEnum):
    """What a complaint is about."""

    TRADING = "trading"
    FEES = "fees"
    SERVICE = "service"
    APP = "app"
    ACCOUNT = "account"
    TRANSFER = "transfer"
    SALES = "sales"
    """How a product was recommended or sold."""
    PRIVACY = "privacy"
    OTHER = "other"


class ComplaintWish(StrEnum):
    """What the customer wants to come of it."""

    EXPLANATION = "explanation"
    CORRECTION = "correction"
    COMPENSATION = "compensation"
    APOLOGY = "apology"
    CALL_BACK = "call_back"
    OTHER = "other"


class TicketKind(StrEnum):
    """What the ticket is for."""

    STATEMENT = "statement"
    CLOSURE = "closure"
    CONTACT_CHANGE = "contact_change"
    COMPLAINT = "complaint"


class TicketStatus(StrEnum):
    """How far the firm is."""

    RECEIVED = "received"
    IN_WORK = "in_work"
    WAITING_FOR_CUSTOMER = "waiting_for_customer"
    """For a contact change: the app now asks for the new value and checks who it is."""


class Ticket(ApiModel):
    """The firm took a request. Nothing is done yet: people or the app carry it on."""

    customer_id: Identifier
    ticket_number: TicketNumber
    """Shown to the customer, who can quote it on the phone."""
    kind: TicketKind
    status: TicketStatus
    created_at: AwareDatetime
    due_on: date
    """The day by which the firm answers (of a statement: by which it lies in the app), in Asia/Shanghai."""

    @property
    def as_of(self) -> AwareDatetime:
        """When the firm took the request."""
        return self.created_at
