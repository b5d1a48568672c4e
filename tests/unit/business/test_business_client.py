"""The business API's client against a scripted firm: every outcome of errors.py, and what a receipt may say."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.business.client import BusinessClient
from tightrope.business.errors import BadRequest, Done, InvalidAnswer, NoAnswer, NotFound, NotReached, Refused, Stale, Unavailable
from tightrope.business.models import Money, Receipt
from tightrope.business.wire import MAX_PAGES
from tightrope.infra.clock import FixedClock
from tightrope.infra.http import OutboundRefused

NOW = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
AS_OF = "2026-11-20T10:30:50+08:00"


def money(amount: str, currency: str = "CNY") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


def balance_body(**changes: Any) -> dict[str, Any]:
    return {
        "account_id": "A1001-1",
        "currency": "CNY",
        "cash_available": money("1250.00"),
        "cash_frozen": money("0.00"),
        "cash_withdrawable": money("1000.00"),
        "market_value": money("98000.50"),
        "total_assets": money("99250.50"),
        "as_of": AS_OF,
    } | changes


def facts_body(**changes: Any) -> dict[str, Any]:
    return {
        "customer_id": "C1001",
        "customer_tier": "retail",
        "risk_level": "C4",
        "risk_assessed_on": "2026-06-01",
        "risk_disclosure_signed_on": None,
        "funds_account_standing": "normal",
        "first_trade_on": "2024-01-08",
        "average_assets_20d": money("500000.00"),
        "margin_account_status": "none",
        "as_of": AS_OF,
    } | changes


def account(number: int) -> dict[str, str]:
    return {
        "account_id": f"A1001-{number}",
        "kind": "cash",
        "number_masked": f"****{number:04}",
        "currency": "CNY",
        "status": "normal",
        "opened_on": "2020-05-06",
    }


Handler = Callable[[httpx.Request], httpx.Response]


def client_of(handler: Handler, *, timeout: float = 2.0, now: datetime = NOW) -> BusinessClient:
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler), base_url="http://127.0.0.1:8100/brokerage")
    return BusinessClient(http, FixedClock(now), timeout=timeout)


def answering(body: Any, status: int = 200) -> BusinessClient:
    return client_of(lambda request: httpx.Response(status, json=body))


async def test_a_balance_comes_as_decimals_with_its_zone_and_a_receipt_over_the_body():
    seen: list[httpx.Request] = []

    def firm(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=balance_body())

    answer = await client_of(firm).balance("the-token", "A1001-1")

    assert answer.value.cash_available == Money(amount="1250.00", currency="CNY")
    assert isinstance(answer.value.total_assets.amount, Decimal)
    assert answer.value.as_of.utcoffset() == timedelta(hours=8)
    assert str(seen[0].url) == "http://127.0.0.1:8100/brokerage/v1/accounts/A1001-1/balance"
    assert seen[0].headers["authorization"] == "Bearer the-token"
    body = httpx.Response(200, json=balance_body()).content
    assert answer.receipt == Receipt("get_balance", "ok", 200, answer.value.as_of, hashlib.sha256(body).hexdigest())


async def test_accounts_follow_the_cursor_to_the_last_page_and_keep_the_oldest_time():
    pages = {
        None: {"items": [account(1), account(2)], "next_cursor": "two", "as_of": AS_OF, "customer_id": "C1001"},
        "two": {"items": [account(3)], "next_cursor": None, "as_of": "2026-11-20T10:00:00+08:00", "customer_id": "C1001"},
    }
    answer = await client_of(lambda request: httpx.Response(200, json=pages[request.url.params.get("cursor")])).accounts(
        "t", "C1001"
    )
    assert [item.account_id for item in answer.value.items] == ["A1001-1", "A1001-2", "A1001-3"]
    assert answer.receipt.as_of == datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


async def test_a_firm_whose_pages_never_end_is_an_invalid_answer_after_a_bounded_number_of_calls():
    calls: list[str] = []

    def firm(request: httpx.Request) -> httpx.Response:
        calls.append("x")
        return httpx.Response(200, json={"items": [], "next_cursor": "again", "as_of": AS_OF, "customer_id": "C1001"})

    with pytest.raises(InvalidAnswer):
        await client_of(firm).accounts("t", "C1001")
    assert len(calls) == MAX_PAGES


async def test_facts_keep_what_is_absent_apart_from_what_is_empty():
    facts = (await answering(facts_body(first_trade_on=None)).margin_facts("t", "C1001")).value
    assert facts.risk_disclosure_signed_on is None
    assert facts.first_trade_on is None
    assert facts.average_assets_20d.amount == Decimal("500000.00")


@pytest.mark.parametrize(
    ("status", "kind", "done"),
    [
        (401, Refused, Done.NOT_DONE),
        (403, Refused, Done.NOT_DONE),
        (404, NotFound, Done.NOT_DONE),
        (400, BadRequest, Done.NOT_DONE),
        (422, BadRequest, Done.NOT_DONE),  # of a reading: only a request has a key that can be reused
        (500, NoAnswer, Done.UNKNOWN),
        (503, NoAnswer, Done.UNKNOWN),
        (302, NoAnswer, Done.UNKNOWN),
    ],
)
async def test_each_status_says_whether_the_firm_did_it(status: int, kind: type[Exception], done: Done):
    with pytest.raises(kind) as caught:
        await answering({"title": "x", "detail": "secret 123.45"}, status).balance("t", "A1001-1")
    assert caught.value.done is done
    assert caught.value.receipt.status == status
    assert caught.value.receipt.outcome == kind.outcome
    assert "123.45" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>gateway error</html>",
        b'{"account_id": "A1001-1"',
        b"[]",
        json.dumps(balance_body(cash_available={"amount": 1250.0, "currency": "CNY"})).encode(),
        json.dumps(balance_body(cash_available=money("12.5.0"))).encode(),
        json.dumps(balance_body(cash_available=money("NaN"))).encode(),
        json.dumps(balance_body(cash_available=money("Infinity"))).encode(),
        json.dumps(balance_body(cash_available=money("1.00", "USD"))).encode(),
        json.dumps(balance_body(as_of="2026-11-20T10:30:00")).encode(),
        json.dumps(balance_body(account_id="A1002-1")).encode(),
        json.dumps({k: v for k, v in balance_body().items() if k != "market_value"}).encode(),
        b" " * 1_048_577,
    ],
)
async def test_a_success_that_breaks_the_contract_is_an_invalid_answer_and_names_no_figure(body: bytes):
    with pytest.raises(InvalidAnswer) as caught:
        await client_of(lambda request: httpx.Response(200, content=body)).balance("t", "A1001-1")
    assert caught.value.done is Done.DONE
    assert caught.value.receipt.sha256 == hashlib.sha256(body).hexdigest()
    assert "1250" not in str(caught.value)
    assert "98000" not in str(caught.value)


async def test_facts_of_another_customer_are_never_handed_on():
    with pytest.raises(InvalidAnswer, match="another customer"):
        await answering(facts_body(customer_id="C1002")).margin_facts("t", "C1001")
    with pytest.raises(InvalidAnswer, match="another customer"):
        await answering({"items": [], "next_cursor": None, "as_of": AS_OF, "customer_id": "C1002"}).accounts("t", "C1001")


async def test_figures_older_than_ten_minutes_are_stale_and_ten_minutes_are_not():
    firm = lambda request: httpx.Response(200, json=balance_body(as_of="2026-11-20T10:21:00+08:00"))  # noqa: E731
    await client_of(firm, now=NOW).balance("t", "A1001-1")
    with pytest.raises(Stale) as caught:
        await client_of(firm, now=NOW + timedelta(seconds=1)).balance("t", "A1001-1")
    assert caught.value.done is Done.DONE
    assert caught.value.receipt.as_of == datetime(2026, 11, 20, 2, 21, tzinfo=UTC)


async def test_a_connection_that_fails_once_is_tried_once_more():
    attempts: list[int] = []

    def firm(request: httpx.Request) -> httpx.Response:
        attempts.append(1)
        if len(attempts) == 1:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200, json=balance_body())

    assert (await client_of(firm).balance("t", "A1001-1")).receipt.outcome == "ok"
    assert len(attempts) == 2


async def test_a_connection_that_fails_twice_is_unavailable_and_surely_not_done():
    attempts: list[int] = []

    def firm(request: httpx.Request) -> httpx.Response:
        attempts.append(1)
        raise httpx.ConnectTimeout("slow", request=request)

    with pytest.raises(Unavailable) as caught:
        await client_of(firm).balance("t", "A1001-1")
    assert isinstance(caught.value, NotReached)
    assert caught.value.done is Done.NOT_DONE
    assert caught.value.receipt.sha256 is None
    assert len(attempts) == 2


@pytest.mark.parametrize("fault", [httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.ReadError])
async def test_what_breaks_after_sending_is_not_repeated_and_its_effect_unknown(fault: type[httpx.HTTPError]):
    attempts: list[int] = []

    def firm(request: httpx.Request) -> httpx.Response:
        attempts.append(1)
        raise fault("broken")

    with pytest.raises(NoAnswer) as caught:
        await client_of(firm).balance("t", "A1001-1")
    assert caught.value.done is Done.UNKNOWN
    assert len(attempts) == 1


async def test_a_firm_that_dribbles_is_cut_off_after_the_whole_time_out():
    async def firm(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(5)
        return httpx.Response(200, json=balance_body())

    http = httpx.AsyncClient(transport=httpx.MockTransport(firm), base_url="http://firm")
    with pytest.raises(NoAnswer):
        await BusinessClient(http, FixedClock(NOW), timeout=0.02).balance("t", "A1001-1")


async def test_a_host_off_the_allow_list_is_not_tried_again():
    attempts: list[int] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        attempts.append(1)
        raise OutboundRefused("not on the allow-list", request=request)

    with pytest.raises(NotReached):
        await client_of(refuse).balance("t", "A1001-1")
    assert len(attempts) == 1


@given(st.text(max_size=40) | st.text(alphabet="A1._-/%?#", max_size=6))
async def test_no_account_id_can_leave_its_place_in_the_path(account_id: str):
    seen: list[bytes] = []

    def firm(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path)
        return httpx.Response(403, json={})

    try:
        await client_of(firm).balance("t", account_id)
    except BadRequest:
        assert not seen
        return
    except Refused:
        pass
    path = seen[0].split(b"?")[0]
    assert path.startswith(b"/brokerage/v1/accounts/")
    assert path.endswith(b"/balance")
    assert path.count(b"/") == 5


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=2, allow_nan=False, allow_infinity=False))
def test_every_amount_survives_to_the_cent(amount: Decimal):
    assert Money.model_validate_json(json.dumps(money(f"{amount:.2f}"))).amount == amount
