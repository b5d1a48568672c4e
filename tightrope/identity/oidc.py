"""The firm's OpenID Connect provider: code flow with PKCE for the gateway's and the console's client, and token exchange (RFC 8693)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx

from tightrope.identity.errors import ProviderInvalid, ProviderRefused, ProviderUnavailable, TokenRefused
from tightrope.identity.keys import Jwks
from tightrope.identity.models import SCOPES, Proof, SubjectToken
from tightrope.identity.tokens import GATEWAY_AUDIENCE, IdClaims, PortalClaims, verify_id_token
from tightrope.infra.clock import Clock
from tightrope.infra.settings import Settings

EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name, no secret
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
KEPT: Final = timedelta(minutes=10)
_SERVER_ERROR: Final = 500
_UNAUTHORIZED: Final = 401


def challenge(verifier: str) -> str:
    """PKCE S256 (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class Provider:
    """The provider: discovery and keys by the inside address, browsers by the issuer's.

    Args:
        http: made by `outbound_client`.
        client: which client of the provider we are.
        secret: name of the client's secret.
        public_url: where browsers reach us; our registered callback is `/login/callback` there. The gateway's by default.
        scopes: what is asked for beside `openid`.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        settings: Settings,
        clock: Clock,
        *,
        client: str = GATEWAY_AUDIENCE,
        secret: str = "oidc_client_gateway",  # noqa: S107 - a name, no secret
        public_url: str | None = None,
        scopes: Sequence[str] = SCOPES,
    ) -> None:
        self.issuer = settings.identity_issuer.rstrip("/")
        self.redirect_uri = (public_url or settings.gateway_public_url).rstrip("/") + "/login/callback"
        self._internal = settings.identity_internal_url.rstrip("/")
        self._http = http
        self._clock = clock
        self._client = client
        self._scopes = tuple(scopes)
        self._auth = httpx.BasicAuth(self._client, settings.secret(secret).get_secret_value())
        self._document: dict[str, Any] = {}
        self._read_at: datetime | None = None
        self._jwks: Jwks | None = None

    async def authorization_url(self, *, state: str, nonce: str, code_challenge: str, language: str, prompt: str = "") -> str:
        """Where the browser has to go.

        Args:
            prompt: `login` asks for a fresh login although there is a session.

        Raises:
            ProviderUnavailable, ProviderInvalid.
        """
        endpoint = str((await self._metadata())["authorization_endpoint"])
        query = {
            "response_type": "code",
            "client_id": self._client,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(("openid", *self._scopes)),
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
            "ui_locales": "zh-CN" if language == "zh" else "en",
        }
        if prompt:
            query["prompt"] = prompt
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def redeem(self, *, code: str, verifier: str, nonce: str, answered_by: str | None) -> Proof:
        """The customer that a code stands for.

        Args:
            answered_by: `iss` of the authorization response (RFC 9207).

        Raises:
            ProviderUnavailable, ProviderRefused, ProviderInvalid: nothing may be bound.
        """
        claims, answer = await self._redeemed(code, verifier, nonce, answered_by)
        subject = self._subject(answer, self._clock.now())
        return Proof(claims.customer_id, claims.sid, claims.acr or "unspecified", claims.auth_time, *subject)

    async def identify(self, *, code: str, verifier: str, nonce: str, answered_by: str | None) -> IdClaims:
        """Who a code stands for, by the ID token alone; the access token is not kept.

        Raises:
            ProviderUnavailable, ProviderRefused, ProviderInvalid: nobody is logged in.
        """
        claims, _ = await self._redeemed(code, verifier, nonce, answered_by)
        return claims

    async def _redeemed(self, code: str, verifier: str, nonce: str, answered_by: str | None) -> tuple[IdClaims, dict[str, Any]]:
        metadata = await self._metadata()
        must_name_itself = metadata.get("authorization_response_iss_parameter_supported") is True
        if answered_by != self.issuer and (answered_by is not None or must_name_itself):
            raise ProviderInvalid("the answer names another issuer")
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri, "code_verifier": verifier}
        answer = await self._post(str(metadata["token_endpoint"]), form)
        now = self._clock.now()
        assert self._jwks is not None  # noqa: S101 - set with the metadata
        try:
            claims = await self._jwks.verified(
                lambda ring: verify_id_token(
                    answer.get("id_token"), ring, issuer=self.issuer, client_id=self._client, nonce=nonce, now=now
                )
            )
        except TokenRefused as error:
            raise ProviderInvalid(f"ID token refused: {error.reason}") from error
        return claims, answer

    async def confirm(self, token: str, claims: PortalClaims) -> Proof:
        """The customer of a verified portal token, confirmed by the provider, which gives a subject token for it.

        Raises:
            ProviderUnavailable, ProviderRefused, ProviderInvalid: nothing may be bound.
        """
        if claims.customer_id is None or claims.auth_time is None:
            raise ProviderInvalid("a browser token names no customer")
        form = {
            "grant_type": EXCHANGE,
            "subject_token": token,
            "subject_token_type": JWT,
            "requested_token_type": ACCESS_TOKEN,
            "scope": " ".join(SCOPES),
        }
        answer = await self._post(str((await self._metadata())["token_endpoint"]), form)
        subject, scopes = self._subject(answer, self._clock.now())
        return Proof(claims.customer_id, claims.sid, claims.acr or "unspecified", claims.auth_time, subject, scopes)

    def _subject(self, answer: dict[str, Any], now: datetime) -> tuple[SubjectToken, tuple[str, ...]]:
        value, life, granted = answer.get("access_token"), answer.get("expires_in"), answer.get("scope")
        if not isinstance(value, str) or not value:
            raise ProviderInvalid("the answer holds no access token")
        expires_at = now + timedelta(seconds=life) if isinstance(life, int) and not isinstance(life, bool) and life > 0 else None
        # RFC 6749 5.1: no `scope` in the answer means that all that was asked for is granted.
        scopes = tuple(s for s in SCOPES if not isinstance(granted, str) or s in granted.split())
        return SubjectToken(value, expires_at), scopes

    async def _metadata(self) -> dict[str, Any]:
        now = self._clock.now()
        if self._read_at is not None and now - self._read_at < KEPT:
            return self._document
        answer = await self._answer("GET", self._internal + "/.well-known/openid-configuration")
        if answer.get("issuer") != self.issuer:
            raise ProviderInvalid("discovery names another issuer than TIGHTROPE_IDENTITY_ISSUER")
        browser, token, keys = (answer.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"))
        if not (isinstance(browser, str) and isinstance(token, str) and isinstance(keys, str)):
            raise ProviderInvalid("discovery lacks an endpoint")
        if _origin(browser) != _origin(self.issuer):
            raise ProviderInvalid("the authorization endpoint is not at the issuer's own origin")
        if self._jwks is None:
            self._jwks = Jwks(self._http, self._inside(keys), self._clock)
        self._document, self._read_at = answer, now
        return answer

    def _inside(self, url: str) -> str:
        return self._internal + url.removeprefix(self.issuer) if url.startswith(self.issuer + "/") else url

    async def _post(self, url: str, form: dict[str, str]) -> dict[str, Any]:
        return await self._answer("POST", self._inside(url), form)

    async def _answer(self, method: str, url: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            response = await self._http.request(method, url, data=form, auth=self._auth if form else None)
        except httpx.HTTPError as error:
            raise ProviderUnavailable("the identity provider was not reached") from error
        # 401 rejects our own credentials: the customer can do nothing about it.
        if response.status_code >= _SERVER_ERROR or response.status_code == _UNAUTHORIZED:
            raise ProviderUnavailable(f"the identity provider answered {response.status_code}")
        if not response.is_success:
            raise ProviderRefused(f"the identity provider answered {response.status_code}")
        try:
            answer = response.json()
        except ValueError as error:
            raise ProviderInvalid("the answer is not JSON") from error
        if not isinstance(answer, dict):
            raise ProviderInvalid("the answer is not an object")
        return answer


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
