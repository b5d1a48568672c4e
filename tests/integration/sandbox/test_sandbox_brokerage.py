"""The brokerage behind the real client: facts of the customers, token and owner checks, ordered faults, and the contract."""

from __future__ import annotations

import base64
import json
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator

from tightrope.business.client import BusinessClient
from tightrope.business.errors import BadRequest, InvalidAnswer, NoAnswer, NotFound, Refused, Stale
from tightrope.infra.secrets import new_ec_key
from tightrope.sandbox.brokerage import api as brokerage_api
from tightrope.sandbox.brokerage.service import SHANGHAI
from tightrope.sandbox.catalogue import TWELVE
from tightrope.sandbox.tokens import SigningKey

pytestmark = pytest.mark.integration

CONTRACT = yaml.safe_load((Path(__file__).parents[3] / "contracts" / "business.openapi.yaml").read_text(encoding="utf-8"))
BASE = "http://127.0.0.1:8100/brokerage"


async def get(world, path: str, token: str | None) -> httpx.Response:
    return await world.http.get(BASE + path, headers={"Authorization": f"Bearer {token}"} if token else {})


def conforms(body: object, schema: str) -> None:
    document = {"$ref": f"#/components/schemas/{schema}", "components": CONTRACT["components"]}
    Draft202012Validator(document, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(body)


async def order(world, **fault: object) -> httpx.Response:
    token = world.settings.secret("sandbox_admin_token").get_secret_value()
    return await world.http.post(f"{BASE}/_sandbox/faults", json=fault, headers={"Authorization": f"Bearer {token}"})


async def test_a_balance_adds_up_and_is_of_now(world):
    answer = await world.business.balance(await world.business_token("C1001", "accounts:read"), "A1001-1")
    value = answer.value
    assert value.cash_available.amount == Decimal("128650.42")
    assert value.total_assets.amount == value.cash_available.amount + value.cash_frozen.amount + value.market_value.amount
    assert value.as_of == world.clock.now().replace(microsecond=0)
    assert value.as_of.utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize("customer", TWELVE, ids=lambda item: item.customer_id)
async def test_every_customer_has_the_documented_facts(world, customer):
    token = await world.business_token(customer.customer_id, "eligibility:read")
    if not customer.accounts:
        with pytest.raises(NotFound):
            await world.business.margin_facts(token, customer.customer_id)
        return
    facts = (await world.business.margin_facts(token, customer.customer_id)).value
    today = world.clock.now().astimezone(SHANGHAI).date()
    assert facts.risk_assessed_on == today - timedelta(days=customer.risk_assessed_days_ago)
    assert facts.first_trade_on == customer.first_trade.before(today)
    assert facts.average_assets_20d.amount == Decimal(customer.average_assets)
    assert (facts.risk_disclosure_signed_on is None) is (customer.disclosure_signed_days_ago is None)
    assert facts.customer_tier == customer.tier
    assert facts.margin_account_status == customer.margin_account
    assert facts.as_of <= world.clock.now()


async def test_dates_move_with_the_day_so_that_the_demo_does_not_age(world):
    token = await world.business_token("C1010", "eligibility:read")
    before = (await world.business.margin_facts(token, "C1010")).value
    world.clock.advance(86_400)
    token = await world.business_token("C1010", "eligibility:read")
    after = (await world.business.margin_facts(token, "C1010")).value
    assert after.risk_assessed_on == before.risk_assessed_on + timedelta(days=1)


async def test_before_the_nightly_run_the_facts_are_of_yesterday(world):
    now = world.clock.now()
    world.clock.at = now.replace(hour=18, minute=0) + timedelta(hours=3)
    facts = (await world.business.margin_facts(await world.business_token("C1001", "eligibility:read"), "C1001")).value
    assert facts.as_of < world.clock.now() - timedelta(hours=22)


async def test_accounts_come_in_pages_that_the_client_puts_together(world):
    token = await world.business_token("C1012", "accounts:read")
    accounts = (await world.business.accounts(token, "C1012")).value
    assert [item.account_id for item in accounts.items] == ["A1012-1", "A1012-2", "A1012-3"]
    assert accounts.items[0].number_masked == "****0001"
    first = (await get(world, "/v1/customers/C1012/accounts?limit=2", token)).json()
    assert len(first["items"]) == 2
    rest = (await get(world, f"/v1/customers/C1012/accounts?limit=2&cursor={first['next_cursor']}", token)).json()
    assert [item["account_id"] for item in rest["items"]] == ["A1012-3"]
    assert rest["next_cursor"] is None


async def test_a_customer_without_account_has_an_empty_list(world):
    assert (await world.business.accounts(await world.business_token("C1011", "accounts:read"), "C1011")).value.items == ()


async def test_every_answer_keeps_the_contract(world):
    reading = await world.business_token("C1012", "accounts:read")
    checking = await world.business_token("C1012", "eligibility:read")
    conforms((await get(world, "/v1/customers/C1012/accounts", reading)).json(), "AccountPage")
    conforms((await get(world, "/v1/accounts/A1012-3/balance", reading)).json(), "Balance")
    conforms((await get(world, "/v1/customers/C1012/margin-eligibility-facts", checking)).json(), "MarginEligibilityFacts")
    refused = await get(world, "/v1/accounts/A1001-1/balance", reading)
    assert refused.headers["content-type"] == "application/problem+json"
    conforms(refused.json(), "Problem")


def test_every_route_stands_in_the_contract_and_the_reverse(world):
    from fastapi.routing import APIRoute

    def routes(items):
        for item in items:
            if isinstance(item, APIRoute):
                yield item
            elif inner := getattr(getattr(item, "original_router", None), "routes", None):
                yield from routes(inner)

    served = {
        (verb.lower(), route.path.split("/brokerage")[-1], route.operation_id)
        for route in routes(world.app.routes)
        for verb in route.methods
        if "/v1/" in route.path
    }
    assert served == {(verb, path, x["operationId"]) for path, item in CONTRACT["paths"].items() for verb, x in item.items()}


@pytest.mark.parametrize("path", ["/v1/accounts/A1002-1/balance", "/v1/customers/C1002/accounts"])
async def test_anothers_and_not_existing_are_refused_alike(world, path):
    token = await world.business_token("C1001", "accounts:read")
    others = await get(world, path, token)
    nobodys = await get(world, path.replace("1002", "9999"), token)
    assert others.status_code == nobodys.status_code == 403
    assert others.content == nobodys.content
    assert others.json()["type"].endswith("/not-permitted")
    assert {k: v for k, v in others.headers.items() if k != "date"} == {k: v for k, v in nobodys.headers.items() if k != "date"}


async def test_anothers_margin_facts_are_refused(world):
    with pytest.raises(Refused):
        await world.business.margin_facts(await world.business_token("C1001", "eligibility:read"), "C1002")


async def test_a_token_of_a_customer_whom_the_brokerage_does_not_know_is_refused(world):
    token = world.forged(sub="C9999", scope="accounts:read eligibility:read")
    for path in ("/v1/customers/C9999/accounts", "/v1/customers/C9999/margin-eligibility-facts"):
        assert (await get(world, path, token)).json()["type"].endswith("/not-permitted")


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("accounts:read", "/v1/customers/C1001/margin-eligibility-facts"),
        ("eligibility:read", "/v1/customers/C1001/accounts"),
        ("eligibility:read", "/v1/accounts/A1001-1/balance"),
    ],
)
async def test_a_token_opens_only_what_its_scope_names(world, scope, path):
    answer = await get(world, path, await world.business_token("C1001", scope))
    assert answer.status_code == 403
    assert answer.json()["type"].endswith("/insufficient-scope")
    assert "insufficient_scope" in answer.headers["www-authenticate"]


async def test_a_forged_or_foreign_token_is_refused_before_anything_is_read(world):
    now = int(world.clock.now().timestamp())
    good = world.forged()
    header, claims, _ = good.split(".")
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode()).rstrip(b"=").decode()
    attacks = {
        "no token": None,
        "nonsense": "nonsense",
        "three parts of nothing": "..",
        "none": f"{unsigned}.{claims}.",
        "signature cut off": f"{header}.{claims}.",
        "signature of another": f"{header}.{claims}.{world.forged(sub='C1002').split('.')[2]}",
        "hmac with the public key": _hmac_confusion(world, claims),
        "other key": world.forged(key=SigningKey(new_ec_key())),
        "portal key": world.forged(key=world.portal_key),
        "other audience": world.forged(aud="tightrope"),
        "audience list": world.forged(aud=["brokerage"]),
        "other issuer": world.forged(iss="http://evil.example/identity"),
        "expired": world.forged(iat=now - 61, exp=now - 1),
        "expires now": world.forged(exp=now),
        "from the future": world.forged(iat=now + 60, exp=now + 120),
        "no expiry": world.forged(exp=None),
        "id token": world.forged(typ="JWT"),
        "no subject": world.forged(sub=""),
        "subject token": await world.subject_token("C1001"),
    }
    for name, token in attacks.items():
        answer = await get(world, "/v1/accounts/A1001-1/balance", token)
        assert answer.status_code == 401, name
        assert answer.json()["type"].endswith("/invalid-token"), name
    assert (await get(world, "/v1/accounts/A1001-1/balance", good)).status_code == 200


async def test_the_token_goes_only_as_a_bearer_header(world):
    token = await world.business_token("C1001", "accounts:read")
    assert (await world.http.get(f"{BASE}/v1/accounts/A1001-1/balance?access_token={token}")).status_code == 401
    answer = await world.http.get(f"{BASE}/v1/accounts/A1001-1/balance", headers={"Authorization": f"Basic {token}"})
    assert answer.status_code == 401


async def test_bad_paging_is_a_bad_request(world):
    token = await world.business_token("C1012", "accounts:read")
    for query in ("limit=0", "limit=101", "limit=x", "cursor=%21%21", "cursor=" + "A" * 200):
        answer = await get(world, f"/v1/customers/C1012/accounts?{query}", token)
        assert answer.status_code == 400, query
        assert answer.headers["content-type"] == "application/problem+json"
    with pytest.raises(BadRequest):
        await world.business.accounts(token, "../C1012")


@pytest.mark.parametrize(("fault", "error"), [("error_500", NoAnswer), ("stale", Stale), ("garbage", InvalidAnswer)])
async def test_an_ordered_fault_comes_as_often_as_ordered(world, fault, error):
    assert (await order(world, customer="C1001", operation="get_balance", fault=fault, times=2)).status_code == 201
    token = await world.business_token("C1001", "accounts:read")
    await world.business.accounts(token, "C1001")
    for _ in range(2):
        with pytest.raises(error):
            await world.business.balance(token, "A1001-1")
    await world.business.balance(token, "A1001-1")


async def test_stale_facts_are_noticed_too(world):
    await order(world, customer="C1001", operation=None, fault="stale")
    with pytest.raises(Stale):
        await world.business.margin_facts(await world.business_token("C1001", "eligibility:read"), "C1001")


async def test_a_time_out_and_a_slow_answer(world, monkeypatch):
    monkeypatch.setattr(brokerage_api, "TIMEOUT_SECONDS", 5.0)
    monkeypatch.setattr(brokerage_api, "SLOW_SECONDS", 0.05)
    hasty = BusinessClient(httpx.AsyncClient(transport=world.wires, base_url=BASE), world.clock, timeout=0.5)
    token = await world.business_token("C1001", "accounts:read")
    await order(world, customer="C1001", operation=None, fault="timeout")
    with pytest.raises(NoAnswer):
        await hasty.balance(token, "A1001-1")
    await order(world, customer="C1001", operation=None, fault="slow")
    started = time.monotonic()
    await hasty.balance(token, "A1001-1")
    assert time.monotonic() - started >= 0.05


async def test_a_fault_of_one_customer_does_not_touch_another_and_never_hides_a_refusal(world):
    await order(world, customer="C1001", operation=None, fault="garbage", times=5)
    await world.business.balance(await world.business_token("C1002", "accounts:read"), "A1002-1")
    with pytest.raises(Refused):
        await world.business.balance(await world.business_token("C1001", "accounts:read"), "A1002-1")


async def test_faults_are_ordered_by_the_admin_only_listed_and_forgotten(world):
    token = world.settings.secret("sandbox_admin_token").get_secret_value()
    body = {"customer": "C1001", "fault": "slow"}
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {world.forged()}"}):
        for method in ("POST", "GET", "DELETE"):
            answer = await world.http.request(method, f"{BASE}/_sandbox/faults", json=body, headers=headers)
            assert answer.status_code == 401
    assert (await order(world, customer="C1001", fault="earthquake")).status_code == 400
    await order(world, customer="C1001", fault="slow", times=3)
    headers = {"Authorization": f"Bearer {token}"}
    pending = (await world.http.get(f"{BASE}/_sandbox/faults", headers=headers)).json()["pending"]
    assert pending == [{"customer": "C1001", "operation": None, "fault": "slow", "times": 3}]
    assert (await world.http.delete(f"{BASE}/_sandbox/faults", headers=headers)).status_code == 204
    assert (await world.http.get(f"{BASE}/_sandbox/faults", headers=headers)).json()["pending"] == []


async def test_the_brokerages_role_cannot_remove_customers(world):
    import psycopg

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with world.app.state.pool.connection() as connection:
            await connection.execute("DELETE FROM brokerage.customer")


async def test_health_names_part_and_release(world):
    answer = await world.http.get("http://127.0.0.1:8100/health")
    assert answer.status_code == 200
    assert answer.json()["part"] == "sandbox"
    assert answer.json()["release"] is None or answer.json()["release"].startswith("r-")


def test_the_documented_customers_are_the_seeded_ones():
    from tightrope.sandbox.customers.page import markdown

    page = (Path(__file__).parents[3] / "docs" / "demo-customers.md").read_text(encoding="utf-8")
    assert page == markdown()


def _hmac_confusion(world, claims: str) -> str:
    import hashlib
    import hmac

    key = json.dumps(world.idp_key.jwks()["keys"][0]).encode()
    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "at+jwt", "kid": world.idp_key.kid}).encode())
    signed = header.rstrip(b"=") + b"." + claims.encode()
    signature = base64.urlsafe_b64encode(hmac.new(key, signed, hashlib.sha256).digest()).rstrip(b"=").decode()
    return f"{signed.decode()}.{signature}"
