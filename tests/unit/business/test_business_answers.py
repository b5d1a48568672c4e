"""Every read of the client: good answers, answers about somebody else, old ones, and answers that contradict themselves."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.business.activity import OrderStatus, RejectionCode, TransferFailure
from tightrope.business.client import BusinessClient
from tightrope.business.errors import BadRequest, InvalidAnswer, Stale
from tightrope.business.operations import MAX_AGE
from tightrope.business.wire import AHEAD
from tightrope.infra.clock import FixedClock

NOW = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
AS_OF = "2026-11-20T10:31:00+08:00"
SECURITY = {"code": "609001", "market": "sse", "name_zh": "澜泊水务", "name_en": "Lanbo Water"}
Body = dict[str, Any]


def money(amount: str, currency: str = "CNY") -> Body:
    return {"amount": amount, "currency": currency}


ORDER: Body = {
    "order_id": "O1",
    "account_id": "A1001-1",
    "security": SECURITY,
    "side": "buy",
    "order_type": "limit",
    "status": "partly_filled",
    "quantity": 1000,
    "filled_quantity": 300,
    "price": money("12.30"),
    "average_fill_price": money("12.28"),
    "rejection": None,
    "placed_at": AS_OF,
    "updated_at": AS_OF,
}
TRANSFER: Body = {
    "transfer_id": "T1",
    "account_id": "A1001-1",
    "kind": "securities_to_bank",
    "status": "failed",
    "amount": money("5000.00"),
    "security": None,
    "quantity": None,
    "counterparty_masked": "工商银行 ****6620",
    "failure": "outside_hours",
    "requested_at": AS_OF,
    "completed_at": None,
    "expected_on": None,
}
ALLOTMENT: Body = {
    "subscription_id": "S1",
    "account_id": "A1001-1",
    "security": SECURITY,
    "status": "payment_due",
    "subscribed_on": "2026-11-18",
    "result_on": "2026-11-20",
    "quantity": 8000,
    "allotted_quantity": 500,
    "issue_price": money("41.20"),
    "amount_due": money("20600.00"),
    "pay_by": "2026-11-20T16:00:00+08:00",
    "listing_on": None,
}
POSITION: Body = {
    "security": SECURITY,
    "quantity": 1000,
    "available_quantity": 800,
    "cost_price": money("13.005"),
    "last_price": money("12.30"),
    "market_value": money("12300.00"),
    "profit": money("-705.00"),
}
CLOSING: Body = {
    "account_id": "A1001-1",
    "kind": "cash",
    "number_masked": "****0001",
    "status": "normal",
    "cash": money("0.00"),
    "positions": 0,
    "open_orders": 1,
    "pending_transfers": 0,
    "margin_debt": money("0.00"),
    "products": [{"name_zh": "逆回购", "name_en": "reverse repo", "matures_on": "2026-11-21", "value": money("1000.00")}],
}
TICKET: Body = {
    "customer_id": "C1001",
    "ticket_number": "XH-20261120-1001",
    "kind": "closure",
    "status": "received",
    "created_at": AS_OF,
    "due_on": "2026-11-25",
}


def page(item: Body, owner: str = "customer_id", identifier: str = "C1001") -> Body:
    return {owner: identifier, "items": [item], "next_cursor": None, "as_of": AS_OF}


ELIGIBILITY: Body = {
    "customer_id": "C1001",
    "customer_tier": "retail",
    "risk_level": "C4",
    "risk_assessed_on": "2026-06-01",
    "risk_disclosure_signed_on": None,
    "funds_account_standing": "normal",
    "average_assets_20d": money("500000.00"),
    "margin_account_status": "none",
    "as_of": AS_OF,
}
BODIES: dict[str, tuple[str, Body]] = {
    "list_positions": ("positions", page(POSITION, "account_id", "A1001-1")),
    "list_orders": ("orders", page(ORDER)),
    "list_transfers": ("transfers", page(TRANSFER)),
    "list_ipo_allotments": ("ipo_allotments", page(ALLOTMENT)),
    "get_margin_eligibility_facts": ("margin_facts", ELIGIBILITY | {"first_trade_on": None}),
    "get_options_eligibility_facts": (
        "options_facts",
        ELIGIBILITY
        | {
            "account_opened_on": "2024-01-02",
            "traded_financial_futures": None,
            "knowledge_level": 2,
            "simulated_level": None,
            "bad_record": False,
            "enabled_level": 0,
        },
    ),
    "get_closure_facts": (
        "closure_facts",
        {"customer_id": "C1001", "accounts": [CLOSING], "open_request": TICKET, "as_of": AS_OF},
    ),
    "get_margin_account": (
        "margin_account",
        {
            "customer_id": "C1001",
            "account_id": "A1001-2",
            "number_masked": "****0002",
            "currency": "CNY",
            **{
                name: money("100.00")
                for name in ("cash", "securities", "financed", "sold_short", "interest_and_fees", "credit_limit")
            },
            "margin_call": {"called_on": "2026-11-19", "restore_by": "2026-11-21T15:00:00+08:00"},
            "as_of": AS_OF,
        },
    ),
    "get_risk_profile": (
        "risk_profile",
        {
            "customer_id": "C1001",
            "customer_tier": "retail",
            "risk_level": "C4",
            "risk_assessed_on": "2026-06-01",
            "valid_until": "2028-06-01",
            "lowest_tolerance": False,
            "as_of": AS_OF,
        },
    ),
    "get_contact_details": (
        "contact_details",
        {
            "customer_id": "C1001",
            "mobile_masked": "138****1001",
            "email_masked": None,
            "address_masked": "上海市徐汇区****",
            "open_request": None,
            "as_of": AS_OF,
        },
    ),
}


def client(body: Any, now: datetime = NOW) -> BusinessClient:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    return BusinessClient(httpx.AsyncClient(transport=transport, base_url="http://firm/brokerage"), FixedClock(now))


async def ask(operation: str, body: Body, now: datetime = NOW) -> Any:
    name, _ = BODIES[operation]
    owner = "A1001-1" if operation == "list_positions" else "C1001"
    return await getattr(client(body, now), name)("the-token", owner)


def body_of(operation: str) -> Body:
    return copy.deepcopy(BODIES[operation][1])


@pytest.mark.parametrize("operation", BODIES)
async def test_a_good_answer_is_read_and_says_of_when_it_is(operation: str):
    answer = await ask(operation, body_of(operation) | {"something_new": 1})
    assert answer.as_of == NOW
    assert (answer.receipt.operation, answer.receipt.outcome, answer.receipt.status) == (operation, "ok", 200)


@pytest.mark.parametrize("operation", BODIES)
async def test_data_may_be_as_old_as_the_operation_allows_and_not_a_second_older(operation: str):
    await ask(operation, body_of(operation), NOW + MAX_AGE[operation])
    with pytest.raises(Stale):
        await ask(operation, body_of(operation), NOW + MAX_AGE[operation] + timedelta(seconds=1))


@pytest.mark.parametrize("operation", BODIES)
async def test_data_of_the_future_is_not_believed_beyond_a_clock_that_runs_ahead(operation: str):
    await ask(operation, body_of(operation), NOW - AHEAD)
    with pytest.raises(InvalidAnswer):
        await ask(operation, body_of(operation), NOW - AHEAD - timedelta(seconds=1))


@pytest.mark.parametrize("operation", BODIES)
async def test_an_answer_about_somebody_else_is_never_handed_on(operation: str):
    body = body_of(operation)
    body["account_id" if operation == "list_positions" else "customer_id"] = "C9999"
    with pytest.raises(InvalidAnswer, match="another customer"):
        await ask(operation, body)


@pytest.mark.parametrize("operation", BODIES)
async def test_each_field_that_the_contract_requires_is_missed(operation: str):
    for field in body_of(operation):
        body = {name: value for name, value in body_of(operation).items() if name != field}
        with pytest.raises(InvalidAnswer):
            await ask(operation, body)


@pytest.mark.parametrize("operation", BODIES)
async def test_no_identifier_can_leave_its_place(operation: str):
    for identifier in ("", "../C1002", "C1001/orders", "C1001?x=1", "C 1001", "C1001\n"):
        with pytest.raises(BadRequest):
            await getattr(client({}), BODIES[operation][0])("the-token", identifier)


def item(operation: str, **changes: Any) -> Body:
    body = body_of(operation)
    (body["items"][0] if "items" in body else body).update(changes)
    return body


CONTRADICTIONS: list[tuple[str, Body]] = [
    ("list_positions", {"available_quantity": 1001}),
    ("list_positions", {"quantity": -1}),
    ("list_positions", {"quantity": 10.5}),
    ("list_positions", {"profit": money("1.00", "USD")}),
    ("list_orders", {"filled_quantity": 1001}),
    ("list_orders", {"filled_quantity": 0}),
    ("list_orders", {"quantity": 0}),
    ("list_orders", {"average_fill_price": None}),
    ("list_orders", {"rejection": "other"}),
    ("list_orders", {"status": "rejected"}),
    ("list_orders", {"status": "filled"}),
    ("list_orders", {"status": "cancelled"}),
    ("list_orders", {"status": "unheard_of"}),
    ("list_orders", {"order_type": "market"}),
    ("list_orders", {"price": None}),
    ("list_orders", {"price": money("1.00", "HKD")}),
    ("list_orders", {"placed_at": "2026-11-20T10:31:00"}),
    ("list_orders", {"side": "borrow"}),
    ("list_transfers", {"failure": None}),
    ("list_transfers", {"status": "completed"}),
    ("list_transfers", {"amount": None}),
    ("list_transfers", {"security": SECURITY}),
    ("list_transfers", {"quantity": 5}),
    ("list_transfers", {"kind": "custody_in"}),
    ("list_ipo_allotments", {"allotted_quantity": 8001}),
    ("list_ipo_allotments", {"allotted_quantity": 0}),
    ("list_ipo_allotments", {"amount_due": None}),
    ("list_ipo_allotments", {"pay_by": None}),
    ("list_ipo_allotments", {"status": "subscribed"}),
    ("list_ipo_allotments", {"amount_due": money("1.00", "USD")}),
    ("get_margin_account", {"cash": money("-0.01")}),
    ("get_margin_account", {"financed": money("1.00", "HKD")}),
    ("get_margin_account", {"margin_call": {"called_on": "2026-11-19"}}),
    ("get_risk_profile", {"risk_level": None}),
    ("get_risk_profile", {"valid_until": None}),
    ("get_risk_profile", {"valid_until": "2026-05-31"}),
    ("get_risk_profile", {"risk_level": "C6"}),
    ("get_contact_details", {"mobile_masked": "13800001001"}),
    ("get_contact_details", {"email_masked": "someone@example.com"}),
    ("get_options_eligibility_facts", {"knowledge_level": 4}),
    ("get_options_eligibility_facts", {"enabled_level": None}),
    ("get_closure_facts", {"accounts": [CLOSING | {"open_orders": -1}]}),
    ("get_closure_facts", {"open_request": TICKET | {"status": "closed"}}),
]


@pytest.mark.parametrize(("operation", "changes"), CONTRADICTIONS, ids=lambda value: str(value)[:60])
async def test_an_answer_that_contradicts_itself_is_not_believed(operation: str, changes: Body):
    with pytest.raises(InvalidAnswer):
        await ask(operation, item(operation, **changes))


@pytest.mark.parametrize("operation", ["list_orders", "list_transfers", "list_ipo_allotments", "list_positions"])
async def test_an_empty_list_is_an_answer(operation: str):
    assert (await ask(operation, body_of(operation) | {"items": []})).value.items == ()


async def test_codes_that_we_do_not_know_read_as_other():
    rejected = {"status": "rejected", "rejection": "moon_phase", "filled_quantity": 0, "average_fill_price": None}
    assert (await ask("list_orders", item("list_orders", **rejected))).value.items[0].rejection is RejectionCode.OTHER
    failed = item("list_transfers", failure="moon_phase")
    assert (await ask("list_transfers", failed)).value.items[0].failure is TransferFailure.OTHER


@given(
    status=st.sampled_from(list(OrderStatus)),
    quantity=st.integers(1, 10**9),
    filled=st.integers(0, 10**9),
    rejection=st.none() | st.just("other"),
)
async def test_an_order_is_read_exactly_when_its_figures_fit_its_status(
    status: OrderStatus, quantity: int, filled: int, rejection: Any
):
    """Against a second statement of the same rule."""
    none, part, whole = filled == 0, 0 < filled < quantity, filled == quantity
    fits = {
        "partly_filled": part,
        "partly_cancelled": part,
        "filled": whole,
    }.get(status.value, none) and (rejection is not None) == (status is OrderStatus.REJECTED)
    price = money("1.00") if filled else None
    body = item(
        "list_orders",
        status=status.value,
        quantity=quantity,
        filled_quantity=filled,
        rejection=rejection,
        average_fill_price=price,
    )
    try:
        order = (await ask("list_orders", body)).value.items[0]
    except InvalidAnswer:
        assert not fits
    else:
        assert fits
        assert order.status.open == (status.value in {"pending", "accepted", "partly_filled"})


async def test_amounts_keep_every_place():
    position = (await ask("list_positions", body_of("list_positions"))).value.items[0]
    assert position.cost_price.amount == Decimal("13.005")
    assert position.profit.amount == Decimal("-705.00")
    assert position.security.name("en") == "Lanbo Water"
    assert position.security.name("zh") == "澜泊水务"


def calendar(first: str, count: int, **changes: Any) -> Body:
    start = date.fromisoformat(first)
    days = [{"day": (start + timedelta(days=n)).isoformat(), "kind": "full"} for n in range(count)]
    return {"market": "sse", "days": days, "as_of": AS_OF} | changes


async def test_the_calendar_is_asked_without_a_token_and_read_day_by_day():
    seen: list[httpx.Request] = []

    def firm(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=calendar("2026-11-20", 3))

    http = httpx.AsyncClient(transport=httpx.MockTransport(firm), base_url="http://firm")
    answer = await BusinessClient(http, FixedClock(NOW)).trading_calendar("sse", date(2026, 11, 20), date(2026, 11, 22))
    assert len(answer.value.days) == 3
    assert "authorization" not in seen[0].headers
    assert dict(seen[0].url.params) == {"from": "2026-11-20", "to": "2026-11-22"}


SPOILED: list[Callable[[Body], Body]] = [
    lambda body: body | {"days": body["days"][1:]},
    lambda body: body | {"days": [*body["days"], body["days"][-1]]},
    lambda body: body | {"days": body["days"][::-1]},
    lambda body: body | {"market": "hk"},
    lambda body: body | {"days": [day | {"kind": "sunny"} for day in body["days"]]},
]


@pytest.mark.parametrize("spoil", SPOILED)
async def test_a_calendar_with_gaps_doubles_or_of_another_market_is_not_believed(spoil: Callable[[Body], Body]):
    with pytest.raises(InvalidAnswer):
        await client(spoil(calendar("2026-11-20", 3))).trading_calendar("sse", date(2026, 11, 20), date(2026, 11, 22))
