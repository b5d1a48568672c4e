"""The provider's tokens: code redemption, token exchange (RFC 8693), revocation (RFC 7009), logout hints."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from joserfc.jwk import KeySet

from tightrope.infra.clock import Clock
from tightrope.infra.logging import get_logger
from tightrope.sandbox.identity.errors import OAuthError
from tightrope.sandbox.identity.models import (
    ACTIONS,
    BUSINESS_AUDIENCE,
    BUSINESS_SCOPES,
    GATEWAY,
    STAFF,
    SUBJECT_AUDIENCE,
    Client,
    Session,
    pkce_matches,
    sha256,
)
from tightrope.sandbox.identity.repository import Identities
from tightrope.sandbox.tokens import ACCESS_TYP, SigningKey, TokenInvalid, verify

log = get_logger()

SUBJECT_LIFE: Final = timedelta(minutes=20)
ID_TOKEN_LIFE: Final = timedelta(minutes=5)
BUSINESS_LIFE: Final = timedelta(seconds=60)
EXCHANGE_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name, no secret
JWT_TYPE: Final = "urn:ietf:params:oauth:token-type:jwt"
PORTAL_TOKEN_AUDIENCE: Final = "tightrope-gateway"  # noqa: S105

Answer = dict[str, Any]


class Tokens:
    """The token endpoint's work.

    Args:
        portal_keys, portal_issuer: the portal's public keys and name, as registered with the provider.
    """

    def __init__(
        self,
        repository: Identities,
        key: SigningKey,
        issuer: str,
        clock: Clock,
        *,
        portal_keys: KeySet,
        portal_issuer: str,
    ) -> None:
        self._repository = repository
        self._key = key
        self._public = key.public()
        self._issuer = issuer
        self._clock = clock
        self._portal_keys = portal_keys
        self._portal_issuer = portal_issuer

    async def token(self, client: Client, form: dict[str, str]) -> Answer:
        """The token endpoint for an authenticated client.

        Raises:
            OAuthError: in OAuth's words.
        """
        grant = form.get("grant_type")
        if grant == "authorization_code":
            return await self._redeem(client, form)
        if grant == EXCHANGE_GRANT:
            return await self._exchange(client, form)
        raise OAuthError("unsupported_grant_type", "authorization_code or token-exchange")

    async def _redeem(self, client: Client, form: dict[str, str]) -> Answer:
        now = self._clock.now()
        jti = secrets.token_urlsafe(16)
        code = await self._repository.use_code(sha256(form.get("code", "")), now, jti=jti, token_expires_at=now + SUBJECT_LIFE)
        if code is None:
            raise OAuthError("invalid_grant", "unknown code")
        if code.used_before:
            log.warning("code replayed, its tokens are revoked", action="idp_code_replayed", client=client.client_id)
            raise OAuthError("invalid_grant", "code used before")
        if code.client_id != client.client_id or code.redirect_uri != form.get("redirect_uri"):
            raise OAuthError("invalid_grant", "code of another client or address")
        if code.expires_at <= now or code.ended:
            raise OAuthError("invalid_grant", "code expired")
        if not pkce_matches(form.get("code_verifier", ""), code.challenge):
            raise OAuthError("invalid_grant", "PKCE verifier does not match")
        answer = self._subject_token(code.session, client.client_id, code.scope, jti, now)
        answer["id_token"] = self._key.sign(
            {
                "iss": self._issuer,
                "sub": code.session.sub,
                "aud": client.client_id,
                "nonce": code.nonce,
                **_session_claims(code.session),
                "iat": _seconds(now),
                "exp": _seconds(now + ID_TOKEN_LIFE),
            }
        )
        return answer

    async def _exchange(self, client: Client, form: dict[str, str]) -> Answer:
        if form.get("requested_token_type", ACCESS_TOKEN_TYPE) != ACCESS_TOKEN_TYPE:
            raise OAuthError("invalid_request", "only access tokens are issued")
        if "actor_token" in form:
            raise OAuthError("invalid_request", "actor tokens are not supported")
        if client.client_id == ACTIONS:
            return await self._exchange_for_business(client, form)
        if client.client_id == GATEWAY:
            return await self._exchange_portal_token(client, form)
        raise OAuthError("unauthorized_client", "this client may not exchange tokens")

    async def _exchange_for_business(self, client: Client, form: dict[str, str]) -> Answer:
        now = self._clock.now()
        if form.get("subject_token_type") != ACCESS_TOKEN_TYPE:
            raise OAuthError("invalid_request", "subject_token_type has to be access_token")
        if form.get("audience") != BUSINESS_AUDIENCE:
            raise OAuthError("invalid_target", "audience has to be brokerage")
        claims = self._check(
            form.get("subject_token", ""), self._public, self._issuer, SUBJECT_AUDIENCE, now, ACCESS_TYP, ("jti", "scope")
        )
        scopes = form.get("scope", "").split()
        allowed = set(BUSINESS_SCOPES) & set(claims["scope"].split())
        if not scopes or not set(scopes) <= allowed:
            raise OAuthError("invalid_scope", "no scope, or one that the customer did not allow")
        session = await self._repository.session_of_token(claims["jti"], now)
        if session is None or session.sub != claims["sub"] or session.sid != claims["sid"]:
            raise OAuthError("invalid_request", "session ended or token revoked")
        expires = min(_seconds(now + BUSINESS_LIFE), int(claims["exp"]))
        scope = " ".join(dict.fromkeys(scopes))
        token = self._key.sign(
            {
                "iss": self._issuer,
                "sub": session.sub,
                "aud": BUSINESS_AUDIENCE,
                "scope": scope,
                "client_id": client.client_id,
                "act": {"sub": client.client_id},
                **_session_claims(session),
                "jti": secrets.token_urlsafe(16),
                "iat": _seconds(now),
                "exp": expires,
            },
            typ=ACCESS_TYP,
        )
        return _answer(token, expires - _seconds(now), scope) | {"issued_token_type": ACCESS_TOKEN_TYPE}

    async def _exchange_portal_token(self, client: Client, form: dict[str, str]) -> Answer:
        """A subject token for the session that a portal token names. Not consumed here: whoever binds by it consumes it."""
        now = self._clock.now()
        if form.get("subject_token_type") != JWT_TYPE:
            raise OAuthError("invalid_request", "subject_token_type has to be jwt")
        if form.get("audience", SUBJECT_AUDIENCE) != SUBJECT_AUDIENCE:
            raise OAuthError("invalid_target", "audience has to be tightrope")
        token = form.get("subject_token", "")
        claims = self._check(token, self._portal_keys, self._portal_issuer, PORTAL_TOKEN_AUDIENCE, now, "JWT", ("jti", "sid"))
        scopes = form.get("scope", " ".join(BUSINESS_SCOPES)).split()
        if not scopes or not set(scopes) <= {"openid", "profile", *BUSINESS_SCOPES}:
            raise OAuthError("invalid_scope", "unknown scope")
        session = await self._repository.live_session(claims["sid"], now)
        if session is None or session.sub != claims["sub"]:
            raise OAuthError("invalid_request", "session ended or of another customer")
        jti = secrets.token_urlsafe(16)
        await self._repository.add_token(jti, session.sid, client.client_id, now + SUBJECT_LIFE)
        issued = self._subject_token(session, client.client_id, " ".join(dict.fromkeys(scopes)), jti, now)
        return issued | {"issued_token_type": ACCESS_TOKEN_TYPE}

    async def revoke(self, client: Client, token: str) -> None:
        """RFC 7009: the client's own subject token. What is not a token of ours is already as good as revoked."""
        now = self._clock.now()
        try:
            claims = verify(
                token, self._public, issuer=self._issuer, audience=SUBJECT_AUDIENCE, now=now, typ=ACCESS_TYP, require=("jti",)
            )
        except TokenInvalid:
            return
        await self._repository.revoke_token(claims["jti"], client.client_id, now)

    def logout_hint(self, id_token: str) -> tuple[str, str]:
        """(client id, sid) of an id_token of ours, however old (OpenID RP-Initiated Logout 2).

        Raises:
            OAuthError: it is not one.
        """
        try:
            claims = verify(
                id_token,
                self._public,
                issuer=self._issuer,
                audience=None,
                now=self._clock.now(),
                require=("sid", "aud"),
                check_expiry=False,
            )
        except TokenInvalid as error:
            raise OAuthError("invalid_request", f"id_token_hint is not ours ({error.reason})") from None
        return claims["aud"], claims["sid"]

    def _check(
        self, token: str, keys: KeySet, issuer: str, audience: str, now: datetime, typ: str, require: tuple[str, ...]
    ) -> dict[str, Any]:
        try:
            return verify(token, keys, issuer=issuer, audience=audience, now=now, typ=typ, require=("sub", "sid", *require))
        except TokenInvalid as error:
            log.warning("subject token refused", action="idp_subject_token_refused", reason=error.reason)
            # RFC 8693 2.2.2: an unacceptable subject token is invalid_request.
            raise OAuthError("invalid_request", f"subject token refused ({error.reason})") from None

    def _subject_token(self, session: Session, client_id: str, scope: str, jti: str, now: datetime) -> Answer:
        expires = min(now + SUBJECT_LIFE, session.expires_at)
        token = self._key.sign(
            {
                "iss": self._issuer,
                "sub": session.sub,
                "aud": SUBJECT_AUDIENCE,
                "scope": scope,
                "client_id": client_id,
                **_session_claims(session),
                "jti": jti,
                "iat": _seconds(now),
                "exp": _seconds(expires),
            },
            typ=ACCESS_TYP,
        )
        return _answer(token, _seconds(expires) - _seconds(now), scope)


def _session_claims(session: Session) -> dict[str, Any]:
    staff = STAFF.get(session.sub)
    own = {"roles": list(staff.roles), "name": staff.name("zh")} if staff else {}
    return own | {"sid": session.sid, "auth_time": _seconds(session.auth_time), "acr": session.acr}


def _answer(token: str, life: int, scope: str) -> Answer:
    return {"access_token": token, "token_type": "Bearer", "expires_in": life, "scope": scope}


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
