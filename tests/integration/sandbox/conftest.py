"""The sandbox on a real Postgres, spoken to in process: a browser, the two clients of Tightrope, and a gateway that listens."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tightrope.business.client import BusinessClient
from tightrope.business.tokens import TokenExchange
from tightrope.infra.clock import FixedClock
from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings
from tightrope.sandbox.tokens import SigningKey

CALLBACK = "http://localhost:8080/login/callback"
SCOPE = "openid accounts:read eligibility:read"


def payload(token: str) -> dict[str, Any]:
    """A token's claims, unchecked."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Wires(httpx.AsyncBaseTransport):
    """Port 8100 leads into the app; everything else to the listening gateway."""

    def __init__(self) -> None:
        self.app: Any = None
        self.gateway_status = 200
        self.logout_tokens: list[str] = []
        self.down = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.port == 8100:
            return await httpx.ASGITransport(self.app).handle_async_request(request)
        if self.down:
            raise httpx.ConnectError("gateway is down", request=request)
        assert request.url.path == "/portal/logout"
        self.logout_tokens += parse_qs(request.content.decode())["logout_token"]
        return httpx.Response(self.gateway_status)


class Browser:
    """A browser with cookies that follows redirects by itself when told to."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(world.wires.app), base_url="http://localhost:8100")

    def authorize_params(self, **changes: str | None) -> dict[str, str]:
        self.verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        params: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "tightrope-gateway",
            "redirect_uri": CALLBACK,
            "scope": SCOPE,
            "state": "the-state",
            "nonce": "the-nonce",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        } | changes
        return {name: value for name, value in params.items() if value is not None}

    async def open_login(self, **changes: str | None) -> httpx.Response:
        return await self.http.get("/identity/authorize", params=self.authorize_params(**changes))

    async def type_code(self, page: httpx.Response, customer: str, code: str | None = None, **extra: str) -> httpx.Response:
        shown = re.search(r'data-one-time-code="(\d{6})"', page.text)
        page_id = re.search(r'name="page" value="([^"]+)"', page.text)
        assert shown
        assert page_id
        form = {"page": page_id[1], "customer": customer, "code": code or shown[1], "do": "login"} | extra
        return await self.http.post("/identity/login", data=form)

    async def log_in(self, customer: str, **changes: str | None) -> dict[str, str]:
        """The query that the callback gets."""
        answer = await self.type_code(await self.open_login(**changes), customer)
        assert answer.status_code == 303, answer.text
        return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}

    async def portal_log_in(self, customer: str) -> None:
        start = await self.http.get("/portal/login", params={"customer": customer})
        page = await self.http.get(start.headers["location"])
        back = await self.type_code(page, customer)
        done = await self.http.get(back.headers["location"])
        assert done.headers["location"] == "http://localhost:8100/"

    async def chat_token(self) -> str:
        answer = await self.http.post("/portal/chat-token", json={}, headers={"Origin": "http://localhost:8100"})
        assert answer.status_code == 200, answer.text
        return answer.json()["token"]


class World:
    """Everything around the app."""

    def __init__(
        self, settings: Settings, clock: FixedClock, wires: Wires, http: httpx.AsyncClient, brokerage: httpx.AsyncClient
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.wires = wires
        self.http = http
        self.app = wires.app
        secret = settings.secret("oidc_client_actions")
        self.exchange = TokenExchange(http, settings.identity_internal_url, "tightrope-actions", secret)
        self.business = BusinessClient(brokerage, clock)
        self.idp_key = SigningKey.from_settings(settings, "idp_signing_key")
        self.portal_key = SigningKey.from_settings(settings, "portal_signing_key")

    def browser(self) -> Browser:
        return Browser(self)

    async def token(self, client: str, **form: str) -> httpx.Response:
        name = {"tightrope-gateway": "gateway", "tightrope-actions": "actions", "portal": "portal"}[client]
        auth = httpx.BasicAuth(client, self.settings.secret(f"oidc_client_{name}").get_secret_value())
        return await self.http.post("http://127.0.0.1:8100/identity/token", data=form, auth=auth)

    async def redeem(self, browser: Browser, query: dict[str, str], **changes: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": query["code"],
            "redirect_uri": CALLBACK,
            "code_verifier": browser.verifier,
        } | changes
        return await self.token("tightrope-gateway", **form)

    async def subject_token(self, customer: str, **changes: str | None) -> str:
        browser = self.browser()
        answer = await self.redeem(browser, await browser.log_in(customer, **changes))
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    async def business_token(self, customer: str, scope: str) -> str:
        return await self.exchange.exchange(await self.subject_token(customer), scope)

    def forged(self, key: SigningKey | None = None, typ: str = "at+jwt", **changes: Any) -> str:
        """A token for the brokerage, right but for the changes."""
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": self.settings.identity_issuer,
            "sub": "C1001",
            "aud": "brokerage",
            "scope": "accounts:read",
            "client_id": "tightrope-actions",
            "sid": "s",
            "jti": "j",
            "iat": now,
            "exp": now + 60,
        } | changes
        return (key or self.idp_key).sign(claims, typ=typ)


@pytest.fixture(scope="session")
async def world(database: Settings) -> AsyncIterator[World]:
    from tightrope.sandbox.api import create_app

    clock = FixedClock(datetime.now(UTC).replace(hour=2, minute=31))
    wires = Wires()
    wires.app = create_app(database, clock=clock, outbound=wires)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(wires.app.router.lifespan_context(wires.app))
        http = await stack.enter_async_context(outbound_client(database, purpose="tests", transport=wires))
        brokerage = await stack.enter_async_context(
            outbound_client(database, purpose="tests", transport=wires, base_url=database.brokerage_url)
        )
        yield World(database, clock, wires, http, brokerage)


@pytest.fixture(autouse=True)
def _calm(request: pytest.FixtureRequest) -> None:
    """Each test starts a minute later, with a gateway that answers and no faults ordered."""
    if "world" in request.fixturenames:
        world: World = request.getfixturevalue("world")
        world.clock.at += timedelta(minutes=1)
        world.wires.gateway_status, world.wires.down = 200, False
        world.wires.logout_tokens.clear()
        world.app.state.faults.clear()
        # Another suite on the same database may have seeded for another day.
        world.app.state.brokerage._seeded = None


@pytest.fixture
def payload_of():
    return payload
