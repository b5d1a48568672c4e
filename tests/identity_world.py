"""A firm in miniature for identity's tests: portal and OpenID provider behind `httpx.MockTransport`, and everything of ours around them."""

from __future__ import annotations

import base64
import hashlib
import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey

from tightrope.identity.bindings import Bindings
from tightrope.identity.box import SecretBox
from tightrope.identity.grants import Grants
from tightrope.identity.login import create_link, login_router
from tightrope.identity.models import SCOPES, Bound, IdentityEvent, Place, Reason
from tightrope.identity.portal import Outcome, PortalDoor
from tightrope.identity.reader import IdentityReader
from tightrope.identity.tokens import LOGOUT_EVENT
from tightrope.infra.clock import FixedClock
from tightrope.infra.database import Connection, Pool, Role, open_pool
from tightrope.infra.settings import Settings

_NUMBERS = itertools.count(1)


def new_key(kid: str) -> ECKey:
    """A P-256 key pair."""
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"}, private=True)


def sign(key: ECKey, claims: dict[str, Any], *, header: dict[str, Any] | None = None) -> str:
    """A compact ES256 token."""
    return jwt.encode({"alg": "ES256", "kid": key.kid, "typ": "JWT"} | (header or {}), claims, key, algorithms=["ES256"])


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def browser_hash(cookie: str) -> str:
    """`bsh` of a cookie."""
    return b64(hashlib.sha256(cookie.encode()).digest())


@dataclass
class FakeFirm:
    """Portal and provider. Knobs: `down`, `refuse`, `provider_issuer`, `answer` (replaces the token endpoint's answer), `id_claims`."""

    settings: Settings
    clock: FixedClock
    portal_key: ECKey = field(default_factory=lambda: new_key("portal-1"))
    provider_key: ECKey = field(default_factory=lambda: new_key("idp-1"))
    down: bool = False
    refuse: bool = False
    names_itself: bool = True
    token_status: int | None = None
    metadata_changes: dict[str, Any] = field(default_factory=dict)
    answer_changes: dict[str, Any] = field(default_factory=dict)
    id_claims: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    def portal_token(self, cookie: str | None = "browser-a", customer: str | None = "C1001", **changes: Any) -> str:
        """What the portal's backend mints; a value of None removes the claim."""
        key = changes.pop("key", self.portal_key)
        header = changes.pop("header", None)
        now = int(self.clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.settings.portal_public_url,
            "aud": "tightrope-gateway",
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + 300,
        }
        if cookie is not None:
            claims["bsh"] = browser_hash(cookie)
        if customer is not None:
            claims |= {"sub": customer, "sid": f"sid-{customer}", "auth_time": now - 5, "acr": "loa2"}
        claims |= changes
        return sign(key, {name: value for name, value in claims.items() if value is not None}, header=header)

    def logout_token(self, sid: str, /, **changes: Any) -> str:
        """What the portal's backend posts when a session ends."""
        key = changes.pop("key", self.portal_key)
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": self.settings.portal_public_url,
            "aud": "tightrope-gateway",
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + 120,
            "sid": sid,
            "events": {LOGOUT_EVENT: {}},
        } | changes
        return sign(key, {name: value for name, value in claims.items() if value is not None})

    def log_in(self, authorization_url: str, customer: str = "C1001", sid: str | None = None) -> dict[str, str]:
        """The customer logs in at the provider: the query of the redirect to our callback."""
        query = dict(parse_qsl(urlsplit(authorization_url).query))
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = {"sub": customer, "sid": sid or f"sid-{customer}", **query}
        return {"code": code, "state": query["state"]} | ({"iss": self.settings.identity_issuer} if self.names_itself else {})

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.down:
            raise httpx.ConnectError("down", request=request)
        issuer = self.settings.identity_issuer
        if request.url.path == "/.well-known/jwks.json":
            return httpx.Response(200, json={"keys": [self.portal_key.as_dict(private=False)]})
        if request.url.path == "/identity/jwks":
            return httpx.Response(200, json={"keys": [self.provider_key.as_dict(private=False)]})
        if request.url.path == "/identity/.well-known/openid-configuration":
            document = {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/jwks",
                "authorization_response_iss_parameter_supported": True,
            }
            return httpx.Response(200, json=document | self.metadata_changes)
        return self._token(request)

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.forms.append(form)
        expected = f"tightrope-gateway:{self.settings.secret('oidc_client_gateway').get_secret_value()}".encode()
        if request.headers.get("authorization") != "Basic " + base64.b64encode(expected).decode():
            return httpx.Response(401, json={"error": "invalid_client"})
        if self.token_status is not None:
            return httpx.Response(self.token_status, json={"error": "server_error"})
        if self.refuse:
            return httpx.Response(400, json={"error": "invalid_request"})
        answer: dict[str, Any] = {"access_token": f"subject-{secrets.token_hex(8)}", "token_type": "Bearer", "expires_in": 1200}
        if form["grant_type"] == "authorization_code":
            known = self.codes.pop(form["code"], None)
            if known is None or b64(hashlib.sha256(form["code_verifier"].encode()).digest()) != known["code_challenge"]:
                return httpx.Response(400, json={"error": "invalid_grant"})
            now = int(self.clock.now().timestamp())
            claims = {
                "iss": self.settings.identity_issuer,
                "aud": "tightrope-gateway",
                "sub": known["sub"],
                "sid": known["sid"],
                "nonce": known["nonce"],
                "acr": "loa2",
                "auth_time": now,
                "iat": now,
                "exp": now + 60,
            } | self.id_claims
            answer["id_token"] = sign(self.provider_key, {name: value for name, value in claims.items() if value is not None})
            answer["scope"] = known["scope"]
        return httpx.Response(
            200, json={name: value for name, value in (answer | self.answer_changes).items() if value is not None}
        )


class RecordingHooks:
    """What the gateway was told."""

    def __init__(self) -> None:
        self.logins: list[tuple[str, Bound]] = []
        self.refused: list[tuple[str, Reason]] = []
        self.ended: list[IdentityEvent] = []
        self.fail = False

    async def on_login(self, conn: Connection, conversation_id: str, bound: Bound) -> None:
        if self.fail:
            raise RuntimeError("the gateway could not store the login event")
        self.logins.append((conversation_id, bound))

    async def on_refused(self, conn: Connection, conversation_id: str, reason: Reason) -> None:
        self.refused.append((conversation_id, reason))

    async def on_ended(self, conn: Connection, events: tuple[IdentityEvent, ...]) -> None:
        self.ended += events


class World:
    """Our side, on a real database, with the firm's fakes."""

    def __init__(self, settings: Settings, gateway: Pool, worker: Pool, actions: Pool, clock: FixedClock) -> None:
        self.settings, self.clock = settings, clock
        self.gateway, self.worker, self.actions = gateway, worker, actions
        self.firm = FakeFirm(settings, clock)
        self.door = PortalDoor.open(settings, clock, transport=self.firm.transport)
        self.bindings: Bindings = self.door.bindings
        self.grants = Grants(clock)
        self.reader = IdentityReader(actions, clock, SecretBox.from_settings(settings))
        self.hooks = RecordingHooks()
        app = FastAPI()
        app.include_router(login_router(settings, gateway, clock, self.hooks, self.door))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8080")

    @staticmethod
    def place(contact: int = 7, source: str = "source-a") -> Place:
        """A conversation that no other test has."""
        return Place.of(f"1-{next(_NUMBERS)}", contact, hashlib.sha256(source.encode()).hexdigest())

    async def show(self, token: object, place: Place) -> Outcome:
        """The token arrives in a webhook of this conversation."""
        checked = await self.door.check(token)
        async with self.worker.connection() as conn:
            return await self.door.consume(conn, place, checked)

    async def bound(self, place: Place, customer: str = "C1001", cookie: str = "browser-a", sid: str | None = None) -> Any:
        """A customer bound by a portal token."""
        changes = {"sid": sid} if sid else {}
        return (await self.show(self.firm.portal_token(cookie, customer, **changes), place)).binding  # type: ignore[union-attr]

    async def hold(self, place: Place, cookie: str = "browser-a") -> None:
        """An anonymous browser holds the conversation."""
        await self.show(self.firm.portal_token(cookie, None), place)

    async def current(self, place: Place) -> Any:
        async with self.worker.connection() as conn:
            return await self.bindings.current(conn, place)

    async def turn(self, place: Place, binding: Any) -> str:
        """A granted turn's id."""
        turn_id = secrets.token_urlsafe(32)
        async with self.worker.connection() as conn:
            await self.grants.open(conn, turn_id, place.conversation_id, binding)
        return turn_id

    async def link(self, place: Place) -> str:
        """The path of a login link."""
        async with self.worker.connection() as conn:
            url = await create_link(conn, self.settings, self.clock, place.conversation_id, SCOPES, "check_balance")
        return urlsplit(url).path

    async def get(
        self, path: str, *, browser: str | None = "browser-a", attempt: str | None = None, **kwargs: Any
    ) -> httpx.Response:
        """A browser's GET with exactly these cookies."""
        self.http.cookies.clear()
        cookies = {"tr_browser": browser, "tr_login": attempt}
        header = "; ".join(f"{name}={value}" for name, value in cookies.items() if value is not None)
        headers = kwargs.pop("headers", {}) | ({"cookie": header} if header else {})
        return await self.http.get(path, headers=headers, **kwargs)

    async def opened(self, path: str, browser: str | None = "browser-a") -> tuple[str, str]:
        """Open a link: where it leads, and the attempt's cookie."""
        answer = await self.get(path, browser=browser)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"], answer.cookies["tr_login"]

    async def back(self, query: dict[str, str], attempt: str | None, browser: str | None = "browser-a") -> httpx.Response:
        """The provider's redirect to the callback."""
        return await self.get("/login/callback", browser=browser, attempt=attempt, params=query)

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with self.worker.connection() as conn:
            return await (await conn.execute(query, values)).fetchall()  # type: ignore[call-overload]


@asynccontextmanager
async def open_world(settings: Settings, clock: FixedClock) -> AsyncIterator[World]:
    """A world with one pool per role."""
    async with (
        open_pool(settings, Role.GATEWAY, max_size=4) as gateway,
        open_pool(settings, Role.WORKER, max_size=4) as worker,
        open_pool(settings, Role.ACTIONS, max_size=2) as actions,
    ):
        world = World(settings, gateway, worker, actions, clock)
        try:
            yield world
        finally:
            await world.http.aclose()
            await world.door.aclose()
