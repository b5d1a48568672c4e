"""The operations of contracts/business.openapi.yaml: their names, the one scope that each needs, and how old an answer may be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

LIST_ACCOUNTS: Final = "list_accounts"
GET_BALANCE: Final = "get_balance"
LIST_POSITIONS: Final = "list_positions"
LIST_ORDERS: Final = "list_orders"
LIST_TRANSFERS: Final = "list_transfers"
LIST_IPO_ALLOTMENTS: Final = "list_ipo_allotments"
GET_MARGIN_FACTS: Final = "get_margin_eligibility_facts"
GET_OPTIONS_FACTS: Final = "get_options_eligibility_facts"
GET_CLOSURE_FACTS: Final = "get_closure_facts"
GET_MARGIN_ACCOUNT: Final = "get_margin_account"
GET_RISK_PROFILE: Final = "get_risk_profile"
GET_CONTACT_DETAILS: Final = "get_contact_details"
LIST_TRADING_DAYS: Final = "list_trading_days"
REQUEST_STATEMENT: Final = "request_statement"
REQUEST_CLOSURE: Final = "request_closure"
REQUEST_CONTACT_CHANGE: Final = "request_contact_change"
FILE_COMPLAINT: Final = "file_complaint"

SCOPES: Final[Mapping[str, str]] = {
    LIST_ACCOUNTS: "accounts:read",
    GET_BALANCE: "accounts:read",
    LIST_POSITIONS: "accounts:read",
    LIST_ORDERS: "orders:read",
    LIST_TRANSFERS: "transfers:read",
    REQUEST_STATEMENT: "statements:request",
    GET_CLOSURE_FACTS: "closure:request",
    REQUEST_CLOSURE: "closure:request",
    GET_MARGIN_FACTS: "eligibility:read",
    GET_OPTIONS_FACTS: "eligibility:read",
    GET_MARGIN_ACCOUNT: "margin:read",
    LIST_IPO_ALLOTMENTS: "ipo:read",
    GET_RISK_PROFILE: "risk:read",
    GET_CONTACT_DETAILS: "contact:request",
    REQUEST_CONTACT_CHANGE: "contact:request",
    FILE_COMPLAINT: "complaints:write",
}
"""The one scope that each operation needs; the trading calendar is public and needs none."""

REQUESTS: Final = frozenset({REQUEST_STATEMENT, REQUEST_CLOSURE, REQUEST_CONTACT_CHANGE, FILE_COMPLAINT})
"""What leaves something behind at the firm: a request for its people, each with an idempotency key. Nothing else does."""

MAX_AGE: Final[Mapping[str, timedelta]] = {
    LIST_ACCOUNTS: timedelta(days=1),
    GET_BALANCE: timedelta(minutes=10),
    LIST_POSITIONS: timedelta(minutes=10),
    LIST_ORDERS: timedelta(minutes=5),
    LIST_TRANSFERS: timedelta(minutes=10),
    LIST_IPO_ALLOTMENTS: timedelta(hours=48),
    GET_MARGIN_FACTS: timedelta(hours=48),
    GET_OPTIONS_FACTS: timedelta(hours=48),
    GET_CLOSURE_FACTS: timedelta(minutes=10),
    GET_MARGIN_ACCOUNT: timedelta(minutes=10),
    GET_RISK_PROFILE: timedelta(hours=48),
    GET_CONTACT_DETAILS: timedelta(days=1),
    LIST_TRADING_DAYS: timedelta(days=7),
}
"""How old the firm's data may be. What comes from a nightly run may miss one night and not two. A ticket cannot be too old."""
