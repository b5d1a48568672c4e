"""The portal as a client of the identity provider, and the tokens it mints for the chat."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from tightrope.infra.clock import Clock
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.sandbox.portal.errors import LoginFailed
from tightrope.sandbox.portal.models import LOGOUT_TYP, TOKEN_SECONDS, PortalSession, chat_claims, logout_claims
from tightrope.sandbox.portal.repository import PortalSessions
from tightrope.sandbox.tokens import RemoteKeys, SigningKey, TokenInvalid, verify

log = get_logger()

CLIENT_ID: Final = "portal"
SESSION_LIFE: Final = timedelta(hours=8)
ATTEMPT_LIFE: Final = timedelta(minutes=15)
LOGOUT_ATTEMPTS: Final = 2


def digest(cookie: str) -> bytes:
    """How a session cookie is kept."""
    return hashlib.sha256(cookie.encode("utf-8")).digest()


@dataclass(frozen=True, slots=True)
class ChatToken:
    token: str
    expires_in: int


class Portal:
    """Logins, logouts and chat tokens.

    Args:
        http: made by `outbound_client`; reaches the provider and the gateway.
    """

    def __init__(
        self, settings: Settings, sessions: PortalSessions, http: httpx.AsyncClient, key: SigningKey, clock: Clock
    ) -> None:
        self._sessions = sessions
        self._http = http
        self._key = key
        self._clock = clock
        self.issuer = settings.portal_public_url.rstrip("/")
        self._provider = settings.identity_issuer.rstrip("/")
        self._provider_inside = settings.identity_internal_url.rstrip("/")
        self._logout_url = settings.gateway_url.rstrip("/") + "/portal/logout"
        self._redirect_uri = f"{self.issuer}/portal/callback"
        self._auth = httpx.BasicAuth(CLIENT_ID, settings.secret("oidc_client_portal").get_secret_value())
        self._keys = RemoteKeys(http, f"{self._provider_inside}/jwks")
        self._contact_key = settings.secret("portal_session_key").get_secret_value().encode()
        self._seal = OctKey.import_key(hashlib.sha256(settings.secret("portal_session_key").get_secret_value().encode()).digest())

    async def session(self, cookie: str | None) -> PortalSession | None:
        """Who is logged in with this cookie."""
        return await self._sessions.live(digest(cookie), self._clock.now()) if cookie else None

    def start_login(self, language: str, customer: str = "") -> tuple[str, str]:
        """(the provider's address to go to, the sealed attempt for a cookie of this browser)."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        attempt = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "until": int((self._clock.now() + ATTEMPT_LIFE).timestamp()),
        }
        sealed = jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, json.dumps(attempt).encode(), self._seal)
        query = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": self._redirect_uri,
            "scope": "openid profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "ui_locales": "en" if language == "en" else "zh-CN",
        } | ({"login_hint": customer} if customer else {})
        return f"{self._provider}/authorize?{urlencode(query)}", sealed

    async def finish_login(self, query: dict[str, str], sealed: str | None, old_cookie: str | None) -> str:
        """The new session's cookie. A session that this browser had before is logged out first.

        Raises:
            LoginFailed: nothing changed.
        """
        attempt = self._open(sealed)
        if not hmac.compare_digest(str(attempt["state"]).encode(), query.get("state", "").encode()):
            raise LoginFailed("state")
        if query.get("iss") != self._provider:
            raise LoginFailed("issuer")
        if "error" in query:
            raise LoginFailed("cancelled" if query["error"] == "access_denied" else "provider")
        session = await self._redeem(query.get("code", ""), attempt)
        if old_cookie is not None:
            old = await self.session(old_cookie)
            if old is not None:
                await self.log_out(old_cookie)
        cookie = secrets.token_urlsafe(32)
        await self._sessions.start(digest(cookie), session, self._clock.now())
        log.info("customer logged in at the portal", action="portal_login")
        return cookie

    async def log_out(self, cookie: str) -> None:
        """End the portal's session, the provider's, and what the gateway bound to it.

        A part that cannot be reached is logged and does not stop the others: once the provider's session has ended no token can be
        exchanged, and once the portal's has no new one is minted.
        """
        session = await self.session(cookie)
        if session is None:
            return
        now = self._clock.now()
        await self._sessions.end(digest(cookie), now)
        await self._tell(
            "provider", f"{self._provider_inside}/end_session", {"id_token_hint": session.id_token, "client_id": CLIENT_ID}
        )
        token = self._key.sign(logout_claims(self.issuer, session.sid, now), typ=LOGOUT_TYP)
        await self._tell("gateway", self._logout_url, {"logout_token": token})
        log.info("customer logged out at the portal", action="portal_logout")

    async def chat_token(self, browser: str, cookie: str | None) -> ChatToken:
        """A fresh gw_session token: which browser, and who."""
        session = await self.session(cookie)
        claims = chat_claims(self.issuer, browser, session, self._clock.now())
        return ChatToken(self._key.sign(claims), TOKEN_SECONDS)

    def chat_contact(self, customer_id: str) -> str:
        """The name under which the chat knows a customer: the same each time, and nothing that anybody could guess.

        Chatwoot's widget merges a session into the contact of an identifier without any proof, and lets it read that contact's messages:
        a customer id, an e-mail address or a telephone number there would open a customer's chat to whoever names it.
        """
        return hmac.new(self._contact_key, b"chat contact\x1f" + customer_id.encode(), hashlib.sha256).hexdigest()

    def jwks(self) -> dict[str, Any]:
        return self._key.jwks()

    def _open(self, sealed: str | None) -> dict[str, Any]:
        try:
            plain = jwe.decrypt_compact(sealed or "", self._seal, algorithms=["dir", "A256GCM"]).plaintext
            attempt: dict[str, Any] = json.loads(plain or b"")
        except (JoseError, ValueError, TypeError, KeyError):
            raise LoginFailed("attempt") from None
        if attempt["until"] <= self._clock.now().timestamp():
            raise LoginFailed("expired")
        return attempt

    async def _redeem(self, code: str, attempt: dict[str, Any]) -> PortalSession:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": attempt["verifier"],
        }
        try:
            response = await self._http.post(f"{self._provider_inside}/token", data=form, auth=self._auth)
            if not response.is_success:
                raise LoginFailed("code")
            id_token = str(response.json()["id_token"])
            keys = await self._keys.for_token(id_token)
            now = self._clock.now()
            claims = verify(
                id_token, keys, issuer=self._provider, audience=CLIENT_ID, now=now, require=("sub", "sid", "nonce", "acr")
            )
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise LoginFailed("provider") from error
        except TokenInvalid as error:
            raise LoginFailed(f"id_token_{error.reason}") from error
        if not hmac.compare_digest(claims["nonce"].encode(), str(attempt["nonce"]).encode()):
            raise LoginFailed("nonce")
        auth_time = datetime.fromtimestamp(claims["auth_time"], UTC)
        return PortalSession(claims["sub"], claims["sid"], claims["acr"], auth_time, id_token, auth_time + SESSION_LIFE)

    async def _tell(self, whom: str, url: str, form: dict[str, str]) -> None:
        for _ in range(LOGOUT_ATTEMPTS):
            try:
                response = await self._http.post(url, data=form)
            except httpx.HTTPError as error:
                log.warning("logout not delivered", action="portal_logout_undelivered", to=whom, error=type(error).__name__)
                continue
            if response.status_code < 500:
                if response.status_code >= 400:
                    log.error("logout refused", action="portal_logout_refused", to=whom, status=response.status_code)
                return
            log.warning("logout not delivered", action="portal_logout_undelivered", to=whom, status=response.status_code)
