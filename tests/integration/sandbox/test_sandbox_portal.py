"""The portal: who is logged in, the tokens for the chat, logout, and the strictness of its pages."""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import KeySet

from tightrope.sandbox.tokens import verify

pytestmark = pytest.mark.integration

OURS = {"Origin": "http://localhost:8100"}
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


async def portal_keys(browser, path: str = "/.well-known/jwks.json") -> KeySet:
    return KeySet.import_key_set((await browser.http.get(path)).json())


def bsh(cookie: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(cookie.encode()).digest()).rstrip(b"=").decode()


async def test_the_page_sets_the_browser_cookie_once_and_out_of_reach_of_scripts(world):
    browser = world.browser()
    first = await browser.http.get("/")
    header = next(value for value in first.headers.get_list("set-cookie") if value.startswith("tr_browser="))
    assert "HttpOnly" in header
    assert "samesite=lax" in header.lower()
    assert "Path=/" in header
    assert len(base64.urlsafe_b64decode(browser.http.cookies["tr_browser"] + "=")) == 32
    second = await browser.http.get("/")
    assert "set-cookie" not in second.headers


async def test_an_anonymous_page_gets_a_token_that_names_the_browser_and_nobody(world):
    browser = world.browser()
    await browser.http.get("/")
    claims = verify(
        await browser.chat_token(),
        await portal_keys(browser),
        issuer="http://localhost:8100",
        audience="tightrope-gateway",
        now=world.clock.now(),
    )
    assert claims["bsh"] == bsh(browser.http.cookies["tr_browser"])
    assert claims["exp"] - claims["iat"] <= 300
    assert not {"sub", "sid", "acr", "auth_time", "events"} & set(claims)


async def test_a_logged_in_page_gets_a_token_that_names_the_customer_and_the_session(world, payload_of):
    browser = world.browser()
    await browser.http.get("/")
    await browser.portal_log_in("C1008")
    first, second = payload_of(await browser.chat_token()), payload_of(await browser.chat_token())
    assert first["sub"] == "C1008"
    assert first["acr"] == "loa2"
    assert isinstance(first["auth_time"], int)
    assert first["sid"] == second["sid"]
    assert first["jti"] != second["jti"]
    page = await browser.http.get("/?lang=en")
    assert "Hello, Luo Peishan" in page.text
    assert 'data-customer="C1008"' in page.text


async def test_a_browser_without_its_cookie_gets_one_with_the_token(world, payload_of):
    browser = world.browser()
    token = await browser.chat_token()
    assert payload_of(token)["bsh"] == bsh(browser.http.cookies["tr_browser"])


@pytest.mark.parametrize("path", ["/portal/chat-token", "/portal/logout"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "application/json", "Origin": "http://evil.example"},
        {"Content-Type": "application/json", "Origin": "http://localhost:3000"},
        {"Content-Type": "application/json", "Origin": "null"},
        {"Content-Type": "application/json", "Sec-Fetch-Site": "same-site"},
        {"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8100"},
        {"Content-Type": "text/plain", "Origin": "http://localhost:8100"},
        {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"},
    ],
)
async def test_other_sites_get_no_token_and_log_nobody_out(world, path, headers):
    browser = world.browser()
    await browser.portal_log_in("C1001")
    answer = await browser.http.post(path, content=b"{}", headers=headers)
    assert answer.status_code == 403
    assert "token" not in answer.json()
    assert not world.wires.logout_tokens
    assert 'data-customer="C1001"' in (await browser.http.get("/")).text


async def test_chat_knows_a_customer_by_a_name_that_nobody_can_guess(world):
    seen = set()
    for customer in ("C1001", "C1001", "C1002"):
        browser = world.browser()
        await browser.portal_log_in(customer)
        (contact,) = re.findall(r'data-contact="([^"]+)"', (await browser.http.get("/")).text)
        assert len(contact) == 64
        seen.add(contact)
    assert len(seen) == 2, "the same each time, another for another"
    assert 'data-contact=""' in (await world.browser().http.get("/")).text


async def test_logout_ends_the_session_everywhere_and_tells_the_gateway(world, payload_of):
    browser = world.browser()
    await browser.portal_log_in("C1001")
    session = payload_of(await browser.chat_token())
    stolen = dict(browser.http.cookies)
    answer = await browser.http.post("/portal/logout", json={}, headers=OURS)
    assert answer.json() == {"logged_out": True}
    (token,) = world.wires.logout_tokens
    claims = verify(
        token,
        await portal_keys(browser, "/portal/jwks.json"),
        issuer="http://localhost:8100",
        audience="tightrope-gateway",
        now=world.clock.now(),
        typ="logout+jwt",
    )
    assert claims["sid"] == session["sid"]
    assert claims["events"] == {LOGOUT_EVENT: {}}
    assert not {"sub", "nonce", "bsh"} & set(claims)
    assert "sub" not in payload_of(await browser.chat_token())

    replay = world.browser()
    replay.http.cookies.update(stolen)
    assert "sub" not in payload_of(await replay.chat_token())
    silent = await browser.http.get((await browser.http.get("/portal/login")).headers["location"])
    assert "data-one-time-code" in silent.text


@pytest.mark.parametrize("trouble", ["down", "busy", "refusing"])
async def test_a_gateway_in_trouble_does_not_keep_anybody_logged_in(world, payload_of, trouble):
    browser = world.browser()
    await browser.portal_log_in("C1001")
    world.wires.down = trouble == "down"
    world.wires.gateway_status = {"busy": 503, "refusing": 400}.get(trouble, 200)
    answer = await browser.http.post("/portal/logout", json={}, headers=OURS)
    assert answer.status_code == 200
    assert len(world.wires.logout_tokens) == {"down": 0, "busy": 2, "refusing": 1}[trouble]
    assert "sub" not in payload_of(await browser.chat_token())


async def test_logging_out_without_a_session_is_harmless(world):
    answer = await world.browser().http.post("/portal/logout", json={}, headers=OURS)
    assert answer.status_code == 200
    assert not world.wires.logout_tokens


async def test_another_customer_logging_in_logs_the_first_one_out(world, payload_of):
    browser = world.browser()
    await browser.portal_log_in("C1001")
    first = payload_of(await browser.chat_token())
    await browser.portal_log_in("C1002")
    assert payload_of(await browser.chat_token())["sub"] == "C1002"
    assert [payload_of(token)["sid"] for token in world.wires.logout_tokens] == [first["sid"]]


async def test_a_callback_that_this_browser_did_not_start_logs_nobody_in(world, payload_of):
    victim, attacker = world.browser(), world.browser()
    start = await attacker.http.get("/portal/login")
    back = await attacker.type_code(await attacker.http.get(start.headers["location"]), "C1005")
    planted = await victim.http.get(back.headers["location"])
    assert planted.headers["location"].endswith("/?login=failed")
    await victim.http.get("/portal/login")
    planted = await victim.http.get(back.headers["location"])
    assert planted.headers["location"].endswith("/?login=failed")
    assert "sub" not in payload_of(await victim.chat_token())
    assert "登录未完成" in (await victim.http.get("/?login=failed")).text


@pytest.mark.parametrize(
    "changes", [{"code": "invented"}, {"iss": "http://evil.example"}, {"error": "server_error"}, {"state": "other"}]
)
async def test_a_changed_callback_logs_nobody_in(world, payload_of, changes):
    browser = world.browser()
    start = await browser.http.get("/portal/login")
    back = await browser.type_code(await browser.http.get(start.headers["location"]), "C1005")
    query = {name: values[0] for name, values in parse_qs(urlsplit(back.headers["location"]).query).items()}
    answer = await browser.http.get("/portal/callback", params=query | changes)
    assert answer.headers["location"].endswith("/?login=failed")
    assert "sub" not in payload_of(await browser.chat_token())


async def test_an_attempt_expires_and_a_cancelled_one_is_no_failure(world):
    browser = world.browser()
    start = await browser.http.get("/portal/login")
    page = await browser.http.get(start.headers["location"])
    cancelled = await browser.type_code(page, "C1001", do="cancel")
    assert (await browser.http.get(cancelled.headers["location"])).headers["location"] == "http://localhost:8100/"
    start = await browser.http.get("/portal/login")
    back = await browser.type_code(await browser.http.get(start.headers["location"]), "C1001")
    world.clock.advance(901)
    assert (await browser.http.get(back.headers["location"])).headers["location"].endswith("/?login=failed")


async def test_a_session_of_the_portal_ends_by_itself(world, payload_of):
    browser = world.browser()
    await browser.portal_log_in("C1001")
    world.clock.advance(8 * 3600 + 1)
    assert "sub" not in payload_of(await browser.chat_token())


async def test_pages_allow_nothing_but_themselves_and_the_inbox(world):
    browser = world.browser()
    page = await browser.http.get("/")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self' http://localhost:3000"
    assert policy["style-src"] == "'self' http://localhost:3000"
    assert policy["frame-src"] == "http://localhost:3000"
    assert policy["connect-src"] == policy["img-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "<script>" not in page.text
    assert "onclick" not in page.text
    login = await browser.open_login()
    assert "script-src" not in login.headers["content-security-policy"]
    assert "default-src 'none'" in login.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in login.headers["content-security-policy"]


async def test_the_page_speaks_both_languages_and_remembers(world):
    browser = world.browser()
    assert "演示客户" in (await browser.http.get("/")).text
    assert "Demo customers" in (await browser.http.get("/?lang=en")).text
    assert "Demo customers" in (await browser.http.get("/")).text
    assert "Demo customers" in (await world.browser().http.get("/", headers={"Accept-Language": "en-GB,en"})).text
    for customer in ("林晓雯", "C1012"):
        assert customer in (await browser.http.get("/?lang=zh")).text


async def test_the_page_moves_to_the_public_name_because_cookies_belong_to_it(world):
    answer = await world.http.get("http://127.0.0.1:8100/")
    assert answer.status_code == 307
    assert answer.headers["location"] == "http://localhost:8100/"


async def test_the_pages_files_are_served(world):
    browser = world.browser()
    for name in ("portal.js", "chat-snippet.js", "sandbox.css", "mark.svg"):
        assert (await browser.http.get(f"/static/{name}")).status_code == 200
