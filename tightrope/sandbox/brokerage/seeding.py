"""The catalogue as rows, dated from a day: pure. Items of lists are written as they travel (contracts/business.openapi.yaml)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

from tightrope.rules.dates import add_months
from tightrope.sandbox.brokerage.days import about, answered_by, moment, trading_days
from tightrope.sandbox.brokerage.models import money
from tightrope.sandbox.customers.market import PRICES, currency_of, holdings, securities
from tightrope.sandbox.customers.model import (
    DemoAccount,
    DemoCustomer,
    DemoIpo,
    DemoOrder,
    DemoRequest,
    DemoTransfer,
    Months,
)

Row = dict[str, Any]

VALID_MONTHS: Final = 24
"""How long this firm's risk assessment counts."""
OPEN_ORDERS: Final = frozenset({"pending", "accepted", "partly_filled"})
_WAITS: Final = {"closure": "received", "contact_change": "waiting_for_customer"}
_PREFIX: Final = {"closure": "XH", "contact_change": "BG"}


@dataclass(slots=True)
class Rows:
    """Rows by table, in the order in which they can be written."""

    customer: list[Row] = field(default_factory=list)
    account: list[Row] = field(default_factory=list)
    entry: list[Row] = field(default_factory=list)
    fact: list[Row] = field(default_factory=list)
    ticket: list[Row] = field(default_factory=list)


@cache
def fingerprint(customers: tuple[DemoCustomer, ...]) -> str:
    """Changes when the catalogue or a price does, so that an older database is seeded again."""
    return hashlib.sha256(repr((customers, sorted(PRICES.items()))).encode()).hexdigest()[:16]


def rows(customers: Iterable[DemoCustomer], day: date, activity: date) -> Rows:
    """Everything that the brokerage knows of these customers on `day`, when `activity` is the last trading day."""
    made = Rows()
    for item in customers:
        made.customer.append(_customer(item, day))
        made.account += [_account(item.customer_id, account, day) for account in item.accounts]
        made.fact += _facts(item, day)
        for index, account in enumerate(item.accounts):
            made.entry += _positions(item, index, account)
            made.entry += _products(account, day)
        if item.accounts:
            made.entry += _numbered("order", item, [_order(item, order, n, activity) for n, order in enumerate(item.orders)])
            made.entry += _numbered(
                "transfer", item, [_transfer(item, entry, n, activity, day) for n, entry in enumerate(item.transfers)]
            )
            made.entry += _numbered("ipo", item, [_ipo(item, ipo, n, day) for n, ipo in enumerate(item.ipos)])
        made.ticket += [_ticket(item, request, day) for request in item.requests]
    return made


def _ago(day: date, count: int | None) -> str | None:
    return None if count is None else (day - timedelta(days=count)).isoformat()


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _customer(item: DemoCustomer, day: date) -> Row:
    return {
        "customer_id": item.customer_id,
        "tier": item.tier,
        "risk_level": item.risk_level,
        "risk_assessed_on": _iso(item.assessed_on(day)),
        "risk_disclosure_signed_on": _ago(day, item.disclosure_signed_days_ago),
        "standing": item.standing,
        "first_trade_on": _iso(item.first_trade.before(day) if item.first_trade else None),
        "average_assets_20d": item.average_assets,
        "margin_account_status": item.margin_account,
    }


def _account(customer_id: str, account: DemoAccount, day: date) -> Row:
    return {
        "account_id": account.account_id,
        "customer_id": customer_id,
        "kind": account.kind,
        "number": account.number,
        "currency": account.currency,
        "status": account.status,
        "opened_on": Months(account.opened_months_ago).before(day).isoformat(),
        "cash_available": account.cash_available,
        "cash_frozen": account.cash_frozen,
        "cash_withdrawable": account.cash_withdrawable,
        "market_value": account.market_value,
    }


def _entry(kind: str, owner: str, nr: int, account_id: str, document: Row, *, is_open: bool) -> Row:
    return {"kind": kind, "owner": owner, "nr": nr, "account_id": account_id, "open": is_open, "document": document}


def _positions(item: DemoCustomer, index: int, account: DemoAccount) -> list[Row]:
    """In order of market and code; what stands in a sell order or was bought today cannot be sold."""
    made: list[Row] = []
    for holding in holdings(account):
        security, price = securities()[holding.code], Decimal(PRICES[holding.code])
        bound = sum(_bound(order) for order in item.orders if order.code == holding.code and order.account == index)
        currency = currency_of(holding.code)
        document = {
            "security": security.body(),
            "quantity": holding.quantity,
            "available_quantity": max(0, holding.quantity - bound),
            "cost_price": {"amount": holding.cost, "currency": currency},
            "last_price": {"amount": str(price), "currency": currency},
            "market_value": money(holding.quantity * price, currency),
            "profit": money(holding.quantity * (price - Decimal(holding.cost)), currency),
        }
        made.append(document)
    made.sort(key=lambda document: (document["security"]["market"], document["security"]["code"]))
    return [
        _entry("position", account.account_id, nr, account.account_id, document, is_open=True)
        for nr, document in enumerate(made, 1)
    ]


def _bound(order: DemoOrder) -> int:
    if order.side == "sell":
        return order.quantity - order.filled if order.status in OPEN_ORDERS else 0
    return order.filled if order.days == 0 else 0


def _products(account: DemoAccount, day: date) -> list[Row]:
    return [
        _entry(
            "product",
            account.account_id,
            nr,
            account.account_id,
            {
                "name_zh": product.name_zh,
                "name_en": product.name_en,
                "matures_on": (day + timedelta(days=product.matures_in_days)).isoformat(),
                "value": money(Decimal(product.value), account.currency),
            },
            is_open=True,
        )
        for nr, product in enumerate(account.products, 1)
    ]


def _numbered(kind: str, item: DemoCustomer, found: Sequence[tuple[str, Row, bool]]) -> list[Row]:
    """Newest first; what is equally new stays in the catalogue's order."""
    newest = sorted(found, key=lambda entry: entry[0], reverse=True)
    return [
        _entry(kind, item.customer_id, nr, document["account_id"], document, is_open=is_open)
        for nr, (_, document, is_open) in enumerate(newest, 1)
    ]


def _price(amount: str | None, code: str) -> Row | None:
    return None if amount is None else {"amount": amount, "currency": currency_of(code)}


def _order(item: DemoCustomer, order: DemoOrder, number: int, activity: date) -> tuple[str, Row, bool]:
    placed = moment(trading_days(activity, -order.days), order.at)
    document = {
        "order_id": f"O{item.customer_id[1:]}-{number + 1:03}",
        "account_id": item.accounts[order.account].account_id,
        "security": securities()[order.code].body(),
        "side": order.side,
        "order_type": "market" if order.price is None else "limit",
        "status": order.status,
        "quantity": order.quantity,
        "filled_quantity": order.filled,
        "price": _price(order.price, order.code),
        "average_fill_price": _price(order.fill_price, order.code),
        "rejection": order.rejection,
        "placed_at": placed.isoformat(),
        "updated_at": (placed + timedelta(seconds=1 if order.rejection else 95)).isoformat(),
    }
    return placed.isoformat(), document, order.status in OPEN_ORDERS


def _transfer(item: DemoCustomer, entry: DemoTransfer, number: int, activity: date, day: date) -> tuple[str, Row, bool]:
    requested = moment(trading_days(activity, -entry.days), entry.at)
    account = item.accounts[entry.account]
    arrives = timedelta(seconds=48) if entry.amount else timedelta(days=1)
    document = {
        "transfer_id": f"T{item.customer_id[1:]}-{number + 1:03}",
        "account_id": account.account_id,
        "kind": entry.kind,
        "status": entry.status,
        "amount": money(Decimal(entry.amount), account.currency) if entry.amount else None,
        "security": securities()[entry.code].body() if entry.code else None,
        "quantity": entry.quantity,
        "counterparty_masked": entry.counterparty,
        "failure": entry.failure,
        "requested_at": requested.isoformat(),
        "completed_at": (requested + arrives).isoformat() if entry.status == "completed" else None,
        "expected_on": None if entry.expected_in_days is None else trading_days(day, entry.expected_in_days).isoformat(),
    }
    return requested.isoformat(), document, entry.status == "processing"


def _ipo(item: DemoCustomer, ipo: DemoIpo, number: int, day: date) -> tuple[str, Row, bool]:
    currency = currency_of(ipo.code)
    subscribed = about(day, ipo.subscribed)
    document = {
        "subscription_id": f"S{item.customer_id[1:]}-{number + 1:03}",
        "account_id": item.accounts[ipo.account].account_id,
        "security": securities()[ipo.code].body(),
        "status": ipo.status,
        "subscribed_on": subscribed.isoformat(),
        "result_on": about(day, ipo.result).isoformat(),
        "quantity": ipo.quantity,
        "allotted_quantity": ipo.allotted,
        "issue_price": money(Decimal(ipo.price), currency),
        "amount_due": money(ipo.allotted * Decimal(ipo.price), currency) if ipo.allotted else None,
        "pay_by": None if ipo.pay_by is None else _pay_by(ipo, day),
        "listing_on": None if ipo.listing is None else about(day, ipo.listing).isoformat(),
    }
    return subscribed.isoformat(), document, False


def _pay_by(ipo: DemoIpo, day: date) -> str:
    """Of what is still due: today, or on the next trading day when there is no trading today."""
    assert ipo.pay_by is not None  # noqa: S101 - asked for by the caller
    on = trading_days(day, ipo.pay_by) if ipo.status == "payment_due" else about(day, ipo.pay_by)
    return moment(on, "16:00:00").isoformat()


def _facts(item: DemoCustomer, day: date) -> list[Row]:
    found: dict[str, Row] = {"risk": _risk(item, day), "contact": _contact(item)}
    if item.accounts:
        found["options"] = _options(item, day)
    if item.margin:
        found["margin_account"] = _margin_account(item, day)
    return [{"kind": kind, "customer_id": item.customer_id, "document": document} for kind, document in found.items()]


def _risk(item: DemoCustomer, day: date) -> Row:
    assessed = item.assessed_on(day)
    return {
        "customer_tier": item.tier,
        "risk_level": item.risk_level,
        "risk_assessed_on": _iso(assessed),
        "valid_until": _iso(add_months(assessed, VALID_MONTHS) if assessed else None),
        "lowest_tolerance": item.lowest_tolerance,
    }


def _contact(item: DemoCustomer) -> Row:
    mobile = item.contact.mobile
    return {
        "mobile_masked": mobile.replace("{number}", item.customer_id[1:]) if mobile else None,
        "email_masked": item.contact.email,
        "address_masked": item.contact.address,
    }


def _options(item: DemoCustomer, day: date) -> Row:
    options, assessed = item.options, item.assessed_on(day)
    average = item.average_assets if options.average == "as customer" else options.average
    return {
        "customer_tier": item.tier,
        "risk_level": item.risk_level,
        "risk_assessed_on": _iso(assessed),
        "risk_disclosure_signed_on": _ago(day, options.disclosure_days_ago),
        "funds_account_standing": item.standing,
        "account_opened_on": _iso(options.opened.before(day) if options.opened else None),
        "average_assets_20d": money(Decimal(average), "CNY") if average else None,
        "margin_account_status": item.margin_account,
        "traded_financial_futures": options.futures,
        "knowledge_level": options.knowledge,
        "simulated_level": options.simulated,
        "bad_record": options.bad_record,
        "enabled_level": options.enabled,
    }


def _margin_account(item: DemoCustomer, day: date) -> Row:
    assert item.margin is not None  # noqa: S101 - asked for by the caller
    account = next(account for account in item.accounts if account.kind == "margin")
    debts, call = item.margin, None
    if debts.called_days_ago is not None and debts.restore_in_days is not None:
        within = debts.restore_in_days
        restore = moment(trading_days(day, within) if within >= 0 else about(day, within), "15:00:00")
        call = {"called_on": about(day, -debts.called_days_ago).isoformat(), "restore_by": restore.isoformat()}
    cash = Decimal(account.cash_available) + Decimal(account.cash_frozen)
    amounts = {
        "cash": cash,
        "securities": Decimal(account.market_value),
        "financed": Decimal(debts.financed),
        "sold_short": Decimal(debts.sold_short),
        "interest_and_fees": Decimal(debts.interest),
        "credit_limit": Decimal(debts.limit),
    }
    return {
        "account_id": account.account_id,
        "number_masked": f"****{account.number[-4:]}",
        "currency": account.currency,
        **{name: money(amount, account.currency) for name, amount in amounts.items()},
        "margin_call": call,
    }


def _ticket(item: DemoCustomer, request: DemoRequest, day: date) -> Row:
    created = moment(day - timedelta(days=request.days_ago), "14:12:00")
    number = f"{_PREFIX[request.kind]}-{created:%Y%m%d}-{item.customer_id[1:]}"
    answer = {
        "customer_id": item.customer_id,
        "ticket_number": number,
        "kind": request.kind,
        "status": _WAITS[request.kind],
        "created_at": created.isoformat(),
        "due_on": answered_by(request.kind, created).isoformat(),
    }
    return {
        "ticket_number": number,
        "customer_id": item.customer_id,
        "operation": "seeded",
        "idempotency_key": f"seeded-{request.kind}-{request.field}",
        "body_hash": "\\x00",
        "kind": request.kind,
        "subject": request.field,
        "created_at": created.isoformat(),
        "request": {},
        "answer": json.dumps(answer),
    }
