"""Signed tokens, verified: pure functions of token, keys and time.

Sources: docs/wire-contracts.md, Portal token; OpenID Connect Core 3.1.3.7. Only the named algorithms are accepted and the key is
taken by `kid` from the issuer's own set: `alg`, `jwk` and `jku` of a token's header choose nothing.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from tightrope.identity.errors import TokenRefused
from tightrope.identity.models import Reason

GATEWAY_AUDIENCE: Final = "tightrope-gateway"
PORTAL_ALGORITHMS: Final = ("ES256",)
PROVIDER_ALGORITHMS: Final = ("ES256", "RS256", "PS256")
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
MAX_LIFE_SECONDS: Final = 300
SKEW_SECONDS: Final = 30
"""How far ahead of ours an issuer's clock may be."""
MAX_TOKEN_CHARACTERS: Final = 4096
_HASH_BYTES: Final = 32

PublicKey = ECKey | RSAKey | OKPKey


class KeyUnknown(TokenRefused):
    """The token names a key that is not in the set: perhaps a new one, so the set may be fetched again, once."""

    def __init__(self) -> None:
        super().__init__(Reason.BAD_SIGNATURE)


class KeyRing:
    """The public keys of one issuer by `kid`; private or symmetric keys are never taken in."""

    def __init__(self, keys: Mapping[str, PublicKey]) -> None:
        self._keys = dict(keys)

    @classmethod
    def from_jwks(cls, document: Any) -> KeyRing:
        """Keys of a JWK set document.

        Raises:
            ValueError: not a JWK set, or one without any asymmetric key.
        """
        try:
            found = KeySet.import_key_set(document).keys
        except (JoseError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError("not a JWK set") from error
        keys = {key.kid or "": key for key in found if isinstance(key, ECKey | RSAKey | OKPKey)}
        if not keys:
            raise ValueError("the JWK set holds no public key")
        return cls(keys)

    def pick(self, kid: Any) -> PublicKey:
        """The key called `kid`; without a name, the only key there is.

        Raises:
            KeyUnknown: there is none.
        """
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if not isinstance(kid, str) or kid not in self._keys:
            raise KeyUnknown
        return self._keys[kid]


@dataclass(frozen=True)
class PortalClaims:
    """A verified portal or browser token.

    Attributes:
        browser_hash: SHA-256 of the browser's cookie, 32 bytes.
        customer_id: None for a browser token: it only says which browser holds the chat.
    """

    issuer: str
    jti: str
    browser_hash: bytes
    expires_at: datetime
    customer_id: str | None = None
    sid: str | None = None
    acr: str | None = None
    auth_time: datetime | None = None


@dataclass(frozen=True)
class LogoutClaims:
    """A verified logout token."""

    issuer: str
    jti: str
    sid: str
    expires_at: datetime


@dataclass(frozen=True)
class IdClaims:
    """A verified ID token.

    Attributes:
        customer_id: its subject: a customer, or in the console somebody of the firm.
        claims: all of them, as the provider signed them.
    """

    customer_id: str
    sid: str | None
    acr: str | None
    auth_time: datetime
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


def verify_portal_token(token: object, keys: KeyRing, *, issuer: str, now: datetime) -> PortalClaims:
    """A portal token's claims.

    Raises:
        TokenRefused: with the reason.
    """
    claims = _open(token, keys, PORTAL_ALGORITHMS)
    _issued_for(claims, issuer, GATEWAY_AUDIENCE)
    if "events" in claims:
        raise TokenRefused(Reason.MALFORMED)
    expires_at = _times(claims, now, max_life=MAX_LIFE_SECONDS)
    jti = _text(claims, "jti")
    browser_hash = _browser_hash(claims.get("bsh"))
    if claims.get("sub") is None:
        return PortalClaims(issuer, jti, browser_hash, expires_at)
    auth_time = _moment(claims, "auth_time")
    if auth_time is None or auth_time.timestamp() > now.timestamp() + SKEW_SECONDS:
        raise TokenRefused(Reason.CLAIM_MISSING)
    return PortalClaims(
        issuer, jti, browser_hash, expires_at, _text(claims, "sub"), _text(claims, "sid"), _text(claims, "acr"), auth_time
    )


def verify_logout_token(token: object, keys: KeyRing, *, issuer: str, now: datetime) -> LogoutClaims:
    """A logout token's claims (OpenID Connect Back-Channel Logout 2.6, and at most five minutes old).

    Raises:
        TokenRefused: with the reason.
    """
    claims = _open(token, keys, PORTAL_ALGORITHMS)
    _issued_for(claims, issuer, GATEWAY_AUDIENCE)
    events = claims.get("events")
    if not isinstance(events, dict) or LOGOUT_EVENT not in events or "nonce" in claims:
        raise TokenRefused(Reason.CLAIM_MISSING)
    expires_at = _times(claims, now, max_life=MAX_LIFE_SECONDS)
    return LogoutClaims(issuer, _text(claims, "jti"), _text(claims, "sid"), expires_at)


def verify_id_token(token: object, keys: KeyRing, *, issuer: str, client_id: str, nonce: str, now: datetime) -> IdClaims:
    """An ID token's claims, for the login that made `nonce`.

    Raises:
        TokenRefused: with the reason.
    """
    claims = _open(token, keys, PROVIDER_ALGORITHMS)
    _issued_for(claims, issuer, client_id)
    _times(claims, now, max_life=None)
    if not hmac.compare_digest(_text(claims, "nonce").encode(), nonce.encode()):
        raise TokenRefused(Reason.STATE_UNKNOWN)
    issued = _moment(claims, "iat")
    auth_time = _moment(claims, "auth_time") or issued
    if auth_time is None:
        raise TokenRefused(Reason.CLAIM_MISSING)
    sid, acr = claims.get("sid"), claims.get("acr")
    sid = sid if isinstance(sid, str) and sid else None
    return IdClaims(_text(claims, "sub"), sid, acr if isinstance(acr, str) else None, auth_time, claims)


def _open(token: object, keys: KeyRing, algorithms: Collection[str]) -> dict[str, Any]:
    if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN_CHARACTERS or not token.isascii() or token.count(".") != 2:
        raise TokenRefused(Reason.MALFORMED)
    header = _json(token.partition(".")[0])
    if header.get("alg") not in algorithms:
        raise TokenRefused(Reason.BAD_SIGNATURE)
    key = keys.pick(header.get("kid"))
    try:
        payload = jws.deserialize_compact(token, key, algorithms=list(algorithms)).payload
        claims = json.loads(payload)
    except JoseError as error:
        raise TokenRefused(Reason.BAD_SIGNATURE) from error
    except (ValueError, RecursionError) as error:
        raise TokenRefused(Reason.MALFORMED) from error
    if not isinstance(claims, dict):
        raise TokenRefused(Reason.MALFORMED)
    return claims


def _json(part: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError) as error:
        raise TokenRefused(Reason.MALFORMED) from error
    if not isinstance(value, dict):
        raise TokenRefused(Reason.MALFORMED)
    return value


def _issued_for(claims: dict[str, Any], issuer: str, audience: str) -> None:
    if claims.get("iss") != issuer:
        raise TokenRefused(Reason.WRONG_ISSUER)
    named = claims.get("aud")
    audiences = named if isinstance(named, list) else [named]
    meant_for = claims.get("azp", audience if len(audiences) == 1 else None)
    if audience not in audiences or meant_for != audience:
        raise TokenRefused(Reason.WRONG_AUDIENCE)


def _times(claims: dict[str, Any], now: datetime, *, max_life: int | None) -> datetime:
    issued, expires = _moment(claims, "iat"), _moment(claims, "exp")
    if issued is None or expires is None:
        raise TokenRefused(Reason.CLAIM_MISSING)
    if expires <= now:
        raise TokenRefused(Reason.EXPIRED)
    if issued.timestamp() > now.timestamp() + SKEW_SECONDS:
        raise TokenRefused(Reason.FROM_THE_FUTURE)
    if max_life is not None and (expires - issued).total_seconds() > max_life:
        raise TokenRefused(Reason.LIVES_TOO_LONG)
    return expires


def _moment(claims: dict[str, Any], name: str) -> datetime | None:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 255 or not value.isprintable():
        raise TokenRefused(Reason.CLAIM_MISSING)
    return value


def _browser_hash(value: Any) -> bytes:
    if not isinstance(value, str) or not value:
        raise TokenRefused(Reason.BROWSER_MISSING)
    try:
        found = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenRefused(Reason.BROWSER_MISSING) from error
    if len(found) != _HASH_BYTES:
        raise TokenRefused(Reason.BROWSER_MISSING)
    return found
