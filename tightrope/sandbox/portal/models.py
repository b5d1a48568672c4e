"""The portal's session and the claims of the tokens it mints (docs/wire-contracts.md, Portal token)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

GATEWAY_AUDIENCE: Final = "tightrope-gateway"
TOKEN_SECONDS: Final = 240
"""Below the five minutes that the gateway accepts, so that a clock a little off does no harm."""
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_TYP: Final = "logout+jwt"


@dataclass(frozen=True, slots=True)
class PortalSession:
    """A customer logged in at the portal. `id_token` is the hint that ends the provider's session."""

    sub: str
    sid: str
    acr: str
    auth_time: datetime
    id_token: str
    expires_at: datetime


def browser_hash(cookie: str) -> str:
    """`bsh`: base64url without padding of SHA-256 over the cookie's value as it stands in the header (ASCII)."""
    return base64.urlsafe_b64encode(hashlib.sha256(cookie.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def chat_claims(issuer: str, browser: str, session: PortalSession | None, now: datetime) -> dict[str, Any]:
    """Claims of a gw_session token: which browser, and who when somebody is logged in."""
    issued = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": GATEWAY_AUDIENCE,
        "jti": secrets.token_urlsafe(16),
        "iat": issued,
        "exp": issued + TOKEN_SECONDS,
        "bsh": browser_hash(browser),
    }
    if session is not None:
        claims |= {"sub": session.sub, "sid": session.sid, "auth_time": int(session.auth_time.timestamp()), "acr": session.acr}
    return claims


def logout_claims(issuer: str, sid: str, now: datetime) -> dict[str, Any]:
    """Claims of a logout token (OpenID Back-Channel Logout 2.4): the session, never the customer."""
    issued = int(now.timestamp())
    return {
        "iss": issuer,
        "aud": GATEWAY_AUDIENCE,
        "jti": secrets.token_urlsafe(16),
        "iat": issued,
        "exp": issued + TOKEN_SECONDS,
        "sid": sid,
        "events": {LOGOUT_EVENT: {}},
    }
