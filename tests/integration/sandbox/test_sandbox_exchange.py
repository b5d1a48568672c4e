"""The identity provider's token exchange and the ends of sessions and tokens; and what an attacker tries at each."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tightrope.business.errors import Refused
from tightrope.infra.secrets import new_ec_key
from tightrope.sandbox.tokens import ACCESS_TYP, SigningKey

pytestmark = pytest.mark.integration

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"


def query_of(answer: httpx.Response) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def business_form(subject: str, scope: str = "accounts:read", **changes: str) -> dict[str, str]:
    return {
        "grant_type": EXCHANGE,
        "subject_token": subject,
        "subject_token_type": ACCESS,
        "audience": "brokerage",
        "scope": scope,
    } | changes


async def test_an_exchanged_token_is_for_this_customer_one_scope_and_a_minute(world, payload_of):
    claims = payload_of(await world.business_token("C1006", "eligibility:read"))
    assert claims["sub"] == "C1006"
    assert claims["aud"] == "brokerage"
    assert claims["scope"] == "eligibility:read"
    assert claims["act"] == {"sub": "tightrope-actions"}
    assert claims["exp"] - claims["iat"] == 60


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "orders:write"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "accounts:read orders:write"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"audience": "somewhere"}, "invalid_target"),
        ({"audience": "tightrope"}, "invalid_target"),
        ({"subject_token_type": JWT}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"subject_token": "not.a.token"}, "invalid_request"),
        ({"subject_token": ""}, "invalid_request"),
    ],
)
async def test_an_exchange_gives_exactly_what_is_allowed_or_nothing(world, changes, error):
    subject = await world.subject_token("C1001")
    answer = await world.token("tightrope-actions", **business_form(subject, **changes))
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert "access_token" not in answer.json()


async def test_a_scope_that_the_customer_did_not_allow_is_not_exchanged(world):
    subject = await world.subject_token("C1001", scope="openid accounts:read")
    assert await world.exchange.exchange(subject, "accounts:read")
    with pytest.raises(Refused):
        await world.exchange.exchange(subject, "eligibility:read")


async def test_forged_and_foreign_subject_tokens_are_refused(world, payload_of):
    browser = world.browser()
    body = (await world.redeem(browser, await browser.log_in("C1001"))).json()
    good = payload_of(body["access_token"])
    business = await world.exchange.exchange(body["access_token"], "accounts:read")
    unknown = SigningKey(new_ec_key())
    attacks = {
        "id token": body["id_token"],
        "business token": business,
        "other key": unknown.sign(good, typ=ACCESS_TYP),
        "other audience": world.idp_key.sign(good | {"aud": "brokerage"}, typ=ACCESS_TYP),
        "other customer": world.idp_key.sign(good | {"sub": "C1002"}, typ=ACCESS_TYP),
        "expired": world.idp_key.sign(good | {"exp": good["iat"] - 1}, typ=ACCESS_TYP),
        "no alg": _unsigned(body["access_token"]),
    }
    for name, token in attacks.items():
        answer = await world.token("tightrope-actions", **business_form(token))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), name
    assert (await world.token("tightrope-actions", **business_form(body["access_token"]))).status_code == 200


async def test_a_subject_token_is_worth_nothing_after_twenty_minutes(world):
    subject = await world.subject_token("C1001")
    world.clock.advance(1201)
    with pytest.raises(Refused):
        await world.exchange.exchange(subject, "accounts:read")


async def test_only_the_action_server_may_exchange_for_the_brokerage(world):
    subject = await world.subject_token("C1001")
    assert (await world.token("portal", **business_form(subject))).json()["error"] == "unauthorized_client"
    assert (await world.token("tightrope-gateway", **business_form(subject))).json()["error"] == "invalid_request"


async def test_no_exchange_after_the_session_ended(world):
    browser = world.browser()
    body = (await world.redeem(browser, await browser.log_in("C1001"))).json()
    assert await world.exchange.exchange(body["access_token"], "accounts:read")
    pending = query_of(await browser.open_login())
    answer = await browser.http.get(
        "/identity/end_session",
        params={"id_token_hint": body["id_token"], "post_logout_redirect_uri": "http://localhost:8100/", "state": "s"},
    )
    assert answer.headers["location"] == "http://localhost:8100/?state=s"
    with pytest.raises(Refused):
        await world.exchange.exchange(body["access_token"], "accounts:read")
    assert (await world.redeem(browser, pending)).json()["error"] == "invalid_grant"
    assert (await browser.open_login()).status_code == 200


async def test_ending_a_session_needs_a_hint_of_ours_and_never_redirects_elsewhere(world, payload_of):
    browser = world.browser()
    body = (await world.redeem(browser, await browser.log_in("C1001"))).json()
    hint = payload_of(body["id_token"])
    forged = SigningKey(new_ec_key()).sign(hint)
    for params in ({}, {"id_token_hint": forged}, {"id_token_hint": body["id_token"], "client_id": "portal"}):
        assert (await browser.http.get("/identity/end_session", params=params)).status_code == 400
    assert await world.exchange.exchange(body["access_token"], "accounts:read")
    answer = await browser.http.post(
        "/identity/end_session", data={"id_token_hint": body["id_token"], "post_logout_redirect_uri": "http://evil.example/"}
    )
    assert answer.status_code == 200
    assert "location" not in answer.headers


async def test_a_revoked_token_is_not_exchanged_and_only_its_client_can_revoke_it(world):
    subject = await world.subject_token("C1001")

    async def revoke(client: str, secret: str, token: str) -> int:
        auth = httpx.BasicAuth(client, world.settings.secret(secret).get_secret_value())
        return (await world.http.post("http://127.0.0.1:8100/identity/revoke", data={"token": token}, auth=auth)).status_code

    assert await revoke("portal", "oidc_client_portal", subject) == 200
    assert await world.exchange.exchange(subject, "accounts:read")
    assert await revoke("tightrope-gateway", "oidc_client_gateway", "nonsense") == 200
    assert await revoke("tightrope-gateway", "oidc_client_gateway", subject) == 200
    with pytest.raises(Refused):
        await world.exchange.exchange(subject, "accounts:read")
    unknown = await world.http.post("http://127.0.0.1:8100/identity/revoke", data={"token": subject})
    assert unknown.status_code == 401


async def test_the_gateway_gets_a_subject_token_for_a_portal_token_of_a_live_session(world, payload_of):
    browser = world.browser()
    await browser.portal_log_in("C1004")
    portal_token = await browser.chat_token()
    form = {
        "grant_type": EXCHANGE,
        "subject_token": portal_token,
        "subject_token_type": JWT,
        "scope": "accounts:read eligibility:read",
    }
    body = (await world.token("tightrope-gateway", **form)).json()
    assert payload_of(body["access_token"])["sid"] == payload_of(portal_token)["sid"]
    assert body["issued_token_type"] == ACCESS
    business = await world.exchange.exchange(body["access_token"], "accounts:read")
    assert payload_of(business)["sub"] == "C1004"
    assert (await world.token("tightrope-actions", **form)).json()["error"] == "invalid_request"
    assert (await world.token("portal", **form)).json()["error"] == "unauthorized_client"

    good = payload_of(portal_token)
    attacks = {
        "other customer": world.portal_key.sign(good | {"sub": "C1001"}),
        "other session": world.portal_key.sign(good | {"sid": "invented"}),
        "other key": world.idp_key.sign(good),
        "other audience": world.portal_key.sign(good | {"aud": "brokerage"}),
        "expired": world.portal_key.sign(good | {"exp": good["iat"] - 1}),
        "logout token": world.portal_key.sign(good, typ="logout+jwt"),
        "anonymous": world.portal_key.sign({name: good[name] for name in good if name not in {"sub", "sid"}}),
    }
    for name, token in attacks.items():
        answer = await world.token("tightrope-gateway", **(form | {"subject_token": token}))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), name
    for changes, error in (({"scope": "orders:write"}, "invalid_scope"), ({"audience": "brokerage"}, "invalid_target")):
        assert (await world.token("tightrope-gateway", **(form | changes))).json()["error"] == error

    await browser.http.post("/portal/logout", json={}, headers={"Origin": "http://localhost:8100"})
    assert (await world.token("tightrope-gateway", **form)).json()["error"] == "invalid_request"
    with pytest.raises(Refused):
        await world.exchange.exchange(body["access_token"], "accounts:read")


def _unsigned(token: str) -> str:
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode()).rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."
