"""The identity provider: logins and codes; and what an attacker tries at each."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tightrope.business.errors import ClientRejected, Refused
from tightrope.business.tokens import TokenExchange

pytestmark = pytest.mark.integration


def query_of(answer: httpx.Response) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def test_a_customer_logs_in_and_the_client_gets_both_tokens(world, payload_of):
    browser = world.browser()
    query = await browser.log_in("C1003")
    assert query["state"] == "the-state"
    assert query["iss"] == "http://localhost:8100/identity"
    answer = await world.redeem(browser, query)
    body = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert body["expires_in"] == 1200
    assert body["scope"] == "openid accounts:read eligibility:read"
    access, identity = payload_of(body["access_token"]), payload_of(body["id_token"])
    assert (access["sub"], access["aud"], access["exp"] - access["iat"]) == ("C1003", "tightrope", 1200)
    assert (identity["sub"], identity["aud"], identity["nonce"]) == ("C1003", "tightrope-gateway", "the-nonce")
    assert access["sid"] == identity["sid"]
    assert identity["acr"] == "loa2"


async def test_discovery_and_keys_are_served_and_hold_no_private_part(world):
    browser = world.browser()
    document = (await browser.http.get("/identity/.well-known/openid-configuration")).json()
    assert document["issuer"] == "http://localhost:8100/identity"
    assert document["code_challenge_methods_supported"] == ["S256"]
    keys = (await browser.http.get("/identity/jwks")).json()["keys"]
    assert [key["alg"] for key in keys] == ["ES256"]
    assert "d" not in keys[0]


async def test_an_open_session_needs_no_second_login_and_keeps_its_sid(world, payload_of):
    browser = world.browser()
    first = await world.redeem(browser, await browser.log_in("C1001"))
    silent = await browser.open_login()
    assert silent.status_code == 303
    second = await world.redeem(browser, query_of(silent))
    assert payload_of(first.json()["id_token"])["sid"] == payload_of(second.json()["id_token"])["sid"]


@pytest.mark.parametrize("ask", [{"prompt": "login"}, {"login_hint": "C1002"}, {"max_age": "30"}])
async def test_a_session_does_not_spare_the_login_when_the_client_asks_for_one(world, ask):
    browser = world.browser()
    await browser.log_in("C1001")
    world.clock.advance(31)
    page = await browser.open_login(**ask)
    assert page.status_code == 200
    assert "data-one-time-code" in page.text


async def test_another_customer_in_the_same_browser_ends_the_first_session(world):
    browser = world.browser()
    first = (await world.redeem(browser, await browser.log_in("C1001"))).json()["access_token"]
    assert await world.exchange.exchange(first, "accounts:read")
    await browser.log_in("C1002", prompt="login")
    with pytest.raises(Refused):
        await world.exchange.exchange(first, "accounts:read")


async def test_no_prompt_without_a_session_says_login_required(world):
    answer = await world.browser().open_login(prompt="none")
    assert query_of(answer)["error"] == "login_required"


async def test_the_login_can_be_cancelled(world):
    browser = world.browser()
    answer = await browser.type_code(await browser.open_login(), "C1001", do="cancel")
    assert query_of(answer)["error"] == "access_denied"


async def test_a_wrong_code_is_said_and_the_page_can_be_tried_again(world):
    browser = world.browser()
    page = await browser.open_login(ui_locales="en")
    wrong = await browser.type_code(page, "C1001", code="not it")
    assert wrong.status_code == 400
    assert "That code is not right" in wrong.text
    assert (await browser.type_code(wrong, "C1001")).status_code == 303


async def test_five_wrong_codes_close_the_page_even_for_the_right_one(world):
    browser = world.browser()
    page = await browser.open_login()
    for _ in range(5):
        assert (await browser.type_code(page, "C1001", code="wrong")).status_code == 400
    closed = await browser.type_code(page, "C1001")
    assert closed.status_code == 400
    assert "location" not in closed.headers


async def test_an_unknown_customer_cannot_log_in(world):
    browser = world.browser()
    assert (await browser.type_code(await browser.open_login(), "C9999")).status_code == 400


async def test_a_login_page_works_only_in_the_browser_that_opened_it(world):
    owner, thief = world.browser(), world.browser()
    page = await owner.open_login()
    assert (await thief.type_code(page, "C1001")).status_code == 400
    assert (await owner.type_code(page, "C1001")).status_code == 303


async def test_a_login_page_expires(world):
    browser = world.browser()
    page = await browser.open_login()
    world.clock.advance(601)
    assert (await browser.type_code(page, "C1001")).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "http://localhost:8080/login/callback/"},
        {"redirect_uri": "http://localhost:8080/login/callback?x=1"},
        {"redirect_uri": "http://evil.example/login/callback"},
        {"redirect_uri": None},
        {"client_id": "nobody"},
        {"client_id": "tightrope-actions"},
    ],
)
async def test_an_unregistered_address_or_client_is_never_redirected(world, changes):
    answer = await world.browser().open_login(**changes)
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"nonce": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"scope": "accounts:read"}, "invalid_scope"),
        ({"scope": "openid orders:write"}, "invalid_scope"),
        ({"prompt": "create"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
    ],
)
async def test_a_faulty_request_goes_back_to_the_client_with_its_error(world, changes, error):
    answer = await world.browser().open_login(**changes)
    assert answer.headers["location"].startswith("http://localhost:8080/login/callback?")
    assert query_of(answer)["error"] == error
    assert "code" not in query_of(answer)


async def test_a_repeated_parameter_is_refused(world):
    browser = world.browser()
    params = [*browser.authorize_params().items(), ("scope", "openid")]
    assert query_of(await browser.http.get("/identity/authorize", params=params))["error"] == "invalid_request"
    params = [*browser.authorize_params().items(), ("redirect_uri", "http://evil.example/")]
    assert (await browser.http.get("/identity/authorize", params=params)).status_code == 400


@pytest.mark.parametrize("verifier", ["", "wrong-verifier-wrong-verifier-wrong-verifier-wrong", "short"])
async def test_a_code_without_its_pkce_verifier_brings_nothing_and_is_spent(world, verifier):
    browser = world.browser()
    query = await browser.log_in("C1001")
    refused = await world.redeem(browser, query, code_verifier=verifier)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert (await world.redeem(browser, query)).json()["error"] == "invalid_grant"


async def test_a_replayed_code_revokes_the_tokens_it_brought(world):
    browser = world.browser()
    query = await browser.log_in("C1001")
    subject = (await world.redeem(browser, query)).json()["access_token"]
    assert await world.exchange.exchange(subject, "accounts:read")
    assert (await world.redeem(browser, query)).json()["error"] == "invalid_grant"
    with pytest.raises(Refused):
        await world.exchange.exchange(subject, "accounts:read")


async def test_a_code_sent_twice_at_once_leaves_no_good_token(world):
    browser = world.browser()
    query = await browser.log_in("C1001")
    answers = await asyncio.gather(*(world.redeem(browser, query) for _ in range(4)))
    good = [answer.json()["access_token"] for answer in answers if answer.status_code == 200]
    assert len(good) == 1
    with pytest.raises(Refused):
        await world.exchange.exchange(good[0], "accounts:read")


async def test_a_code_is_only_for_its_client_its_address_and_a_minute(world):
    browser = world.browser()
    query = await browser.log_in("C1001")
    form = {"grant_type": "authorization_code", "code": query["code"], "code_verifier": browser.verifier}
    other = await world.token("portal", redirect_uri="http://localhost:8100/portal/callback", **form)
    assert other.json()["error"] == "invalid_grant"
    query = query_of(await browser.open_login())
    assert (await world.redeem(browser, query, redirect_uri="http://localhost:8080/other")).json()["error"] == "invalid_grant"
    query = query_of(await browser.open_login())
    world.clock.advance(61)
    assert (await world.redeem(browser, query)).json()["error"] == "invalid_grant"
    assert (await world.redeem(browser, {"code": "invented"})).json()["error"] == "invalid_grant"


async def test_client_credentials_are_checked(world):
    for auth in (None, httpx.BasicAuth("tightrope-gateway", "wrong"), httpx.BasicAuth("nobody", "no such client")):
        answer = await world.http.post(
            "http://127.0.0.1:8100/identity/token", data={"grant_type": "authorization_code"}, auth=auth
        )
        assert answer.status_code == 401
        assert answer.json()["error"] == "invalid_client"
    with pytest.raises(ClientRejected):
        await TokenExchange(world.http, world.settings.identity_internal_url, "tightrope-actions", "wrong").exchange(
            "x", "accounts:read"
        )


async def test_the_token_endpoint_refuses_other_grants_and_other_bodies(world):
    assert (await world.token("tightrope-actions", grant_type="client_credentials")).json()["error"] == "unsupported_grant_type"
    auth = httpx.BasicAuth("tightrope-actions", world.settings.secret("oidc_client_actions").get_secret_value())
    url = "http://127.0.0.1:8100/identity/token"
    for sent in ({"json": {"grant_type": "x"}}, {"data": {"grant_type": "x" * 40_000}}):
        answer = await world.http.post(url, auth=auth, **sent)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    twice = await world.http.post(
        url, auth=auth, content="grant_type=a&grant_type=b", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert twice.json()["error"] == "invalid_request"
