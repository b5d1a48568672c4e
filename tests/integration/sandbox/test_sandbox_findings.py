"""Attacks on the brokerage, and what Schemathesis once found: ids, cursors, bodies and tokens that nobody honest sends."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tightrope.business.operations import SCOPES
from tightrope.sandbox.brokerage import cursors
from tightrope.sandbox.catalogue import CUSTOMERS

pytestmark = pytest.mark.integration

BASE = "http://127.0.0.1:8100/brokerage"
ALL = " ".join(dict.fromkeys(SCOPES.values()))
MANY = next(item.customer_id for item in CUSTOMERS if len(item.orders) > 100)
OWNED = {
    "accounts:read": ("/v1/customers/{c}/accounts", "/v1/accounts/{a}/balance", "/v1/accounts/{a}/positions"),
    "orders:read": ("/v1/customers/{c}/orders",),
    "transfers:read": ("/v1/customers/{c}/transfers",),
    "ipo:read": ("/v1/customers/{c}/ipo-allotments",),
    "eligibility:read": ("/v1/customers/{c}/margin-eligibility-facts", "/v1/customers/{c}/options-eligibility-facts"),
    "closure:request": ("/v1/customers/{c}/closure-facts",),
    "margin:read": ("/v1/customers/{c}/margin-account",),
    "risk:read": ("/v1/customers/{c}/risk-profile",),
    "contact:request": ("/v1/customers/{c}/contact-details",),
}
FILED: dict[str, tuple[str, dict[str, Any]]] = {
    "statements:request": (
        "/v1/customers/{c}/statement-requests",
        {"kind": "asset_certificate", "from": "2025-01-01", "to": "2025-02-01", "language": "zh", "delivery": "app"},
    ),
    "closure:request": ("/v1/customers/{c}/closure-requests", {"account_ids": ["A1001-1"], "reason": "costs", "language": "zh"}),
    "contact:request": ("/v1/customers/{c}/contact-change-requests", {"field": "email", "language": "zh"}),
    "complaints:write": (
        "/v1/customers/{c}/complaints",
        {"category": "other", "text": "x", "wish": "other", "language": "zh"},
    ),
}


async def call(world, method: str, path: str, bearer: str, body: Any = None, idempotency: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    if method == "POST":
        headers["Idempotency-Key"] = idempotency or secrets.token_hex(16)
    content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    return await world.http.request(method, BASE + path, headers=headers, content=content)


def every(customer: str, account: str) -> list[tuple[str, str, str, Any]]:
    """Every operation: scope, method, path, body."""
    reads = [(scope, "GET", path.format(c=customer, a=account), None) for scope, paths in OWNED.items() for path in paths]
    return reads + [(scope, "POST", path.format(c=customer), body) for scope, (path, body) in FILED.items()]


@pytest.mark.parametrize(("scope", "method", "path", "body"), every("C1002", "A1002-1"))
async def test_foreign_and_missing_are_refused_byte_for_byte_alike(world, scope: str, method: str, path: str, body: Any):
    bearer = world.forged(sub="C1001", scope=ALL)
    foreign = await call(world, method, path, bearer, body)
    missing = await call(world, method, path.replace("1002", "9999"), bearer, body)
    nonsense = await call(world, method, path.replace("C1002", "x'--").replace("A1002-1", "x'--"), bearer, body)
    assert foreign.status_code == missing.status_code == nonsense.status_code == 403
    assert foreign.content == missing.content == nonsense.content
    headers = [{k: v for k, v in answer.headers.items() if k != "date"} for answer in (foreign, missing, nonsense)]
    assert headers[0] == headers[1] == headers[2]


@pytest.mark.parametrize(("scope", "method", "path", "body"), every("C1001", "A1001-1"))
async def test_no_other_scope_opens_an_operation(world, scope: str, method: str, path: str, body: Any):
    others = " ".join(sorted(set(SCOPES.values()) - {scope}))
    for held in (others, "", "openid", scope.upper(), scope + "x", scope.split(":", maxsplit=1)[0]):
        answer = await call(world, method, path, world.forged(scope=held or "none"), body)
        assert answer.status_code == 403
        assert answer.json()["type"].endswith("/insufficient-scope")


@pytest.mark.parametrize(("scope", "method", "path", "body"), every("C1001", "A1001-1"))
async def test_every_operation_refuses_who_has_no_good_token(world, scope: str, method: str, path: str, body: Any):
    for bearer in (
        "",
        "x",
        world.forged(world.portal_key, scope=ALL),
        world.forged(aud="tightrope", scope=ALL),
        world.forged(exp=1, scope=ALL),
    ):
        assert (await call(world, method, path, bearer, body)).status_code == 401


async def test_another_customers_account_in_a_body_is_refused_like_one_that_is_not_there(world):
    bearer = world.forged(scope=ALL)
    path, statement = FILED["statements:request"]
    close_path, closure = FILED["closure:request"]
    for where, body, change in (
        (path, statement, lambda a: {"account_id": a}),
        (close_path, closure, lambda a: {"account_ids": ["A1001-1", a]}),
    ):
        foreign = await call(world, "POST", where.format(c="C1001"), bearer, body | change("A1002-1"))
        missing = await call(world, "POST", where.format(c="C1001"), bearer, body | change("A9999-9"))
        assert foreign.status_code == missing.status_code == 403
        assert foreign.content == missing.content


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    identifier=st.text(min_size=1, max_size=30)
    | st.sampled_from(["%00", "A1001-1\0", "A1001-1' OR '1'='1", "..", "A1001-1%2f..", "Ａ1001-1"])
)
async def test_no_text_in_place_of_an_account_opens_or_breaks_anything(world, identifier: str):
    quoted = quote(identifier, safe="")
    if quoted in {".", ".."} or "%2F" in quoted:
        return
    for path in (f"/v1/accounts/{quoted}/balance", f"/v1/accounts/{quoted}/positions", f"/v1/customers/{quoted}/orders"):
        answer = await call(world, "GET", path, world.forged(sub="C1011", scope=ALL))
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cursor=st.text(max_size=60)
    | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="))
    | st.lists(st.none() | st.integers() | st.text(max_size=8) | st.floats(), max_size=3).map(
        lambda found: base64.urlsafe_b64encode(json.dumps(found).encode()).decode().rstrip("=")
    )
)
async def test_a_cursor_that_is_not_ours_is_a_bad_request(world, cursor: str):
    for last in ("orders", "accounts"):
        path = f"/v1/customers/{MANY}/{last}?cursor={quote(cursor, safe='')}"
        answer = await call(world, "GET", path, world.forged(sub=MANY, scope=ALL))
        assert answer.status_code == 400


async def test_a_cursor_of_another_list_or_customer_is_a_bad_request(world):
    bearer = world.forged(sub=MANY, scope=ALL)
    good = (await call(world, "GET", f"/v1/customers/{MANY}/orders?limit=10", bearer)).json()["next_cursor"]
    assert (await call(world, "GET", f"/v1/customers/{MANY}/orders?cursor={good}", bearer)).status_code == 200
    assert (await call(world, "GET", f"/v1/customers/{MANY}/transfers?cursor={good}", bearer)).status_code == 400
    other = cursors.encode("list_orders", "C1001", 3)
    assert (await call(world, "GET", f"/v1/customers/{MANY}/orders?cursor={other}", bearer)).status_code == 400
    for place in (-1, 0, 2**31, 2**70, "3", True):
        made = cursors.encode("list_orders", MANY, place)  # type: ignore[arg-type]
        assert (await call(world, "GET", f"/v1/customers/{MANY}/orders?cursor={made}", bearer)).status_code == 400


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limits=st.lists(st.integers(1, 100), min_size=1, max_size=8))
async def test_pages_of_any_size_make_the_whole_list_once_and_in_order(world, limits: list[int]):
    bearer = world.forged(sub=MANY, scope=ALL)
    path = f"/v1/customers/{MANY}/orders"
    whole = [order.order_id for order in (await world.business.orders(bearer, MANY)).value.items]
    seen: list[str] = []
    cursor, turn = "", 0
    while True:
        limit = limits[min(turn, len(limits) - 1)] if turn < len(limits) else 100
        page = (await call(world, "GET", f"{path}?limit={limit}{cursor}", bearer)).json()
        assert len(page["items"]) <= limit
        seen += [item["order_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        assert len(page["items"]) == limit
        cursor, turn = f"&cursor={page['next_cursor']}", turn + 1
    assert seen == whole


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'"text"',
        b"\xff\xfe",
        b"[" * 10_000,
        b'{"a":' * 2_000,
        b"1" * 5_000,
        json.dumps({"category": "other", "text": "", "wish": "other", "language": "zh"}).encode(),
        json.dumps({"category": "other", "text": " \n\u3000", "wish": "other", "language": "zh"}).encode(),
        json.dumps({"category": "other", "text": "9\u0000", "wish": "other", "language": "zh"}).encode(),
        json.dumps({"category": "other", "text": "\ud800", "wish": "other", "language": "zh"}).encode(),
        json.dumps({"category": "other", "text": "字" * 501, "wish": "other", "language": "zh"}).encode(),
        json.dumps({"category": "other", "text": 7, "wish": "other", "language": "zh"}).encode(),
        json.dumps({"category": ["other"], "text": "x", "wish": "other", "language": "zh"}).encode(),
        json.dumps({"category": "other", "text": "x", "wish": "other", "language": "zh", "customer_id": "C1002"}).encode(),
        json.dumps({"category": "other", "text": "x", "wish": "other"}).encode(),
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_a_body_that_breaks_the_contract_is_a_bad_request(world, body: bytes):
    answer = await call(world, "POST", "/v1/customers/C1001/complaints", world.forged(scope=ALL), body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_words_of_sql_are_words(world):
    text = '\'); DROP TABLE brokerage.ticket; -- \\ %s {} "quoted"'
    body = {"category": "other", "text": text, "wish": "other", "language": "en"}
    once = secrets.token_hex(16)
    assert (await call(world, "POST", "/v1/customers/C1001/complaints", world.forged(scope=ALL), body, once)).status_code == 201
    async with world.app.state.pool.connection() as connection:
        cursor = await connection.execute("SELECT request FROM brokerage.ticket WHERE idempotency_key = %s", (once,))
        assert (await cursor.fetchone())["request"]["text"] == text


async def test_a_giant_body_is_cut_off_before_it_is_read(world):
    read = 0

    async def endless():
        nonlocal read
        for _ in range(10_000):
            read += 65_536
            yield b" " * 65_536

    headers = {
        "Authorization": f"Bearer {world.forged(scope=ALL)}",
        "Content-Type": "application/json",
        "Idempotency-Key": "k" * 32,
    }
    answer = await world.http.post(f"{BASE}/v1/customers/C1001/complaints", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert read < 300_000
    # A stranger's body is not read at all.
    stranger = await world.http.post(
        f"{BASE}/v1/customers/C1001/complaints", content=b" " * 10_000_000, headers={"Idempotency-Key": "k" * 32}
    )
    assert stranger.status_code == 401


@pytest.mark.parametrize("idempotency", ["short", "k" * 129, "k" * 15 + "!", "k k" * 8, "'; --" * 6])
async def test_what_is_no_key_is_a_bad_request(world, idempotency: str):
    path, body = FILED["complaints:write"]
    assert (await call(world, "POST", path.format(c="C1001"), world.forged(scope=ALL), body, idempotency)).status_code == 400


async def test_a_request_without_a_key_or_of_another_media_type_is_a_bad_request(world):
    path, body = FILED["complaints:write"]
    headers = {"Authorization": f"Bearer {world.forged(scope=ALL)}"}
    url = BASE + path.format(c="C1001")
    assert (await world.http.post(url, json=body, headers=headers)).status_code == 400
    headers["Idempotency-Key"] = "k" * 32
    assert (await world.http.post(url, data=body, headers=headers)).status_code == 400
    assert (await world.http.post(url, content=json.dumps(body), headers=headers)).status_code == 400


@pytest.mark.parametrize(
    "change",
    [{"account_id": None}, {"from": 0}, {"from": "2025-1-1"}, {"to": "20250201"}, {"delivery": "email"}, {"delivery": None}],
)
async def test_a_statement_goes_to_the_app_and_its_days_are_days(world, change: dict[str, Any]):
    path, body = FILED["statements:request"]
    assert (await call(world, "POST", path.format(c="C1001"), world.forged(scope=ALL), body | change)).status_code == 400


async def test_an_empty_cursor_is_no_cursor_of_ours(world):
    """The contract says so since Schemathesis asked."""
    assert (await call(world, "GET", "/v1/customers/C1001/orders?cursor=", world.forged(scope=ALL))).status_code == 400


async def test_a_burst_of_customers_on_a_fresh_day_seeds_once(world):
    world.clock.advance(86_400)
    bearer = world.forged(scope=ALL)
    answers = await asyncio.gather(*(call(world, "GET", "/v1/customers/C1001/orders", bearer) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
