"""The client of the firm's business API: reads, and requests for the firm's people, each with a receipt (contracts/business.openapi.yaml).

There is no method that places, changes or cancels an order, moves money, or changes an account.
"""

from __future__ import annotations

from tightrope.business.operations import (
    FILE_COMPLAINT,
    GET_BALANCE,
    GET_CLOSURE_FACTS,
    GET_CONTACT_DETAILS,
    GET_MARGIN_ACCOUNT,
    GET_MARGIN_FACTS,
    GET_OPTIONS_FACTS,
    GET_RISK_PROFILE,
    LIST_ACCOUNTS,
    LIST_IPO_ALLOTMENTS,
    LIST_ORDERS,
    LIST_POSITIONS,
    LIST_TRADING_DAYS,
    LIST_TRANSFERS,
    MAX_AGE,
    REQUEST_CLOSURE,
    REQUEST_CONTACT_CHANGE,
    REQUEST_STATEMENT,
    REQUESTS,
    SCOPES,
)
from tightrope.business.reads_facts import FactReads
from tightrope.business.reads_lists import ListReads
from tightrope.business.requests import MAX_TEXT, Requests
from tightrope.business.wire import MAX_BODY_BYTES, MAX_PAGES, PAGE_LIMIT, TIMEOUT_SECONDS

__all__ = [
    "FILE_COMPLAINT",
    "GET_BALANCE",
    "GET_CLOSURE_FACTS",
    "GET_CONTACT_DETAILS",
    "GET_MARGIN_ACCOUNT",
    "GET_MARGIN_FACTS",
    "GET_OPTIONS_FACTS",
    "GET_RISK_PROFILE",
    "LIST_ACCOUNTS",
    "LIST_IPO_ALLOTMENTS",
    "LIST_ORDERS",
    "LIST_POSITIONS",
    "LIST_TRADING_DAYS",
    "LIST_TRANSFERS",
    "MAX_AGE",
    "MAX_BODY_BYTES",
    "MAX_PAGES",
    "MAX_TEXT",
    "PAGE_LIMIT",
    "REQUESTS",
    "REQUEST_CLOSURE",
    "REQUEST_CONTACT_CHANGE",
    "REQUEST_STATEMENT",
    "SCOPES",
    "TIMEOUT_SECONDS",
    "BusinessClient",
]


class BusinessClient(ListReads, FactReads, Requests):
    """Typed calls to the firm's systems for one customer's token at a time.

    `BusinessClient(http, clock, timeout=…)`; see `tightrope.business.wire.Wire`.
    """
