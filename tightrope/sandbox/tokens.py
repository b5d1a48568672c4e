"""Signed tokens of the sandbox: ES256 only, each kind told from the others by `typ`, checked against one clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from tightrope.infra.settings import Settings

ALGORITHM: Final = "ES256"
ACCESS_TYP: Final = "at+jwt"
"""RFC 9068; an id_token can then never pass for an access token."""
REFETCH_SECONDS: Final = 30.0


class TokenInvalid(Exception):
    """The token is not what it has to be. `reason` is one word for logs and error descriptions, never token content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SigningKey:
    """A private EC P-256 key with its key id (RFC 7638 thumbprint)."""

    def __init__(self, pem: str) -> None:
        key = ECKey.import_key(pem)
        if key.curve_name != "P-256" or not key.is_private:
            raise SystemExit("a signing key has to be an EC P-256 private key in PEM")
        self._key = key
        self.kid = key.thumbprint()

    @classmethod
    def from_settings(cls, settings: Settings, name: str) -> SigningKey:
        """The key in the secret file `name`."""
        return cls(settings.secret(name).get_secret_value())

    def sign(self, claims: Mapping[str, Any], *, typ: str = "JWT") -> str:
        """A compact JWS over the claims."""
        return jwt.encode({"alg": ALGORITHM, "kid": self.kid, "typ": typ}, dict(claims), self._key, algorithms=[ALGORITHM])

    def jwks(self) -> dict[str, Any]:
        """The public half as a JWK set."""
        return {"keys": [{**self._key.as_dict(private=False), "kid": self.kid, "use": "sig", "alg": ALGORITHM}]}

    def public(self) -> KeySet:
        return KeySet.import_key_set(self.jwks())  # type: ignore[arg-type]


def verify(
    token: str,
    keys: KeySet,
    *,
    issuer: str,
    audience: str | None,
    now: datetime,
    typ: str = "JWT",
    require: tuple[str, ...] = (),
    check_expiry: bool = True,
) -> dict[str, Any]:
    """The claims of a token that has the right signature, kind, issuer, audience and time.

    Raises:
        TokenInvalid: with reason `malformed`, `signature`, `kind`, `issuer`, `audience`, `expired`, `not_yet` or `claims`.
    """
    try:
        decoded = jwt.decode(token, keys, algorithms=[ALGORITHM])
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise TokenInvalid("signature") from error
    claims = decoded.claims
    if str(decoded.header.get("typ", "")).lower() != typ.lower():
        raise TokenInvalid("kind")
    if claims.get("iss") != issuer:
        raise TokenInvalid("issuer")
    if audience is not None and claims.get("aud") != audience:
        raise TokenInvalid("audience")
    expires, issued = claims.get("exp"), claims.get("iat")
    if not isinstance(expires, int) or not isinstance(issued, int):
        raise TokenInvalid("claims")
    if check_expiry and expires <= now.timestamp():
        raise TokenInvalid("expired")
    if issued > now.timestamp() + 1:
        raise TokenInvalid("not_yet")
    if any(not isinstance(claims.get(name), str) or not claims[name] for name in require):
        raise TokenInvalid("claims")
    return claims


class RemoteKeys:
    """Public keys behind a JWKS address, fetched when first needed and again when an unknown key id turns up."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url
        self._keys: KeySet | None = None
        self._ids: set[str] = set()
        self._fetched = 0.0

    async def for_token(self, token: str) -> KeySet:
        """The key set to check `token` with.

        Raises:
            TokenInvalid: the token has no readable header.
            httpx.HTTPError: the keys cannot be fetched.
        """
        kid = _kid(token)
        stale = time.monotonic() - self._fetched > REFETCH_SECONDS
        if self._keys is None or (kid not in self._ids and stale):
            response = await self._http.get(self._url)
            response.raise_for_status()
            body = response.json()
            self._keys = KeySet.import_key_set(body)
            self._ids = {str(key.get("kid")) for key in body["keys"]}
            self._fetched = time.monotonic()
        return self._keys


def _kid(token: str) -> str | None:
    from joserfc.jws import extract_compact

    try:
        header = extract_compact(token.encode("ascii")).protected
    except (JoseError, ValueError, TypeError) as error:
        raise TokenInvalid("malformed") from error
    kid = header.get("kid")
    return kid if isinstance(kid, str) else None
