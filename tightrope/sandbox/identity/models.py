"""Clients, authorization requests and sessions of the provider, and the pure checks on them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tightrope.infra.settings import Settings
from tightrope.sandbox.identity.errors import OAuthError, RequestRefused

GATEWAY: Final = "tightrope-gateway"
ACTIONS: Final = "tightrope-actions"
PORTAL: Final = "portal"
CONSOLE: Final = "tightrope-console"
BUSINESS_SCOPES: Final = (
    "accounts:read",
    "orders:read",
    "transfers:read",
    "statements:request",
    "closure:request",
    "eligibility:read",
    "margin:read",
    "ipo:read",
    "risk:read",
    "contact:request",
    "complaints:write",
)
SUBJECT_AUDIENCE: Final = "tightrope"
BUSINESS_AUDIENCE: Final = "brokerage"
ACR: Final = "loa2"
"""Customer id and one-time code; the only level this provider has."""

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client."""

    client_id: str
    secret: str
    redirect_uris: tuple[str, ...] = ()
    post_logout_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    """What it may ask for at the authorization endpoint."""


def clients_from(settings: Settings) -> dict[str, Client]:
    """The four clients; their secrets are the files `oidc_client_*`."""
    portal, gateway = settings.portal_public_url.rstrip("/"), settings.gateway_public_url.rstrip("/")
    console = settings.console_public_url.rstrip("/")

    def secret(name: str) -> str:
        return settings.secret(name).get_secret_value()

    return {
        client.client_id: client
        for client in (
            Client(
                GATEWAY,
                secret("oidc_client_gateway"),
                (f"{gateway}/login/callback",),
                (f"{portal}/",),
                ("openid", "profile", *BUSINESS_SCOPES),
            ),
            Client(ACTIONS, secret("oidc_client_actions")),
            Client(PORTAL, secret("oidc_client_portal"), (f"{portal}/portal/callback",), (f"{portal}/",), ("openid", "profile")),
            Client(
                CONSOLE,
                secret("oidc_client_console"),
                (f"{console}/login/callback",),
                (f"{console}/login",),
                ("openid", "profile"),
            ),
        )
    }


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A checked authorization request."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str
    nonce: str
    challenge: str
    prompt: str
    login_hint: str
    max_age: int | None
    language: str


@dataclass(frozen=True, slots=True)
class Session:
    """A login at the provider."""

    sid: str
    sub: str
    acr: str
    auth_time: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """A login page in some browser: the request it serves and the one-time code it shows."""

    request: AuthorizationRequest
    one_time_code: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code's row. `used_before`: this is a replay."""

    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str
    scope: str
    session: Session
    expires_at: datetime
    used_before: bool
    ended: bool


def parse_authorization(params: Sequence[tuple[str, str]], clients: dict[str, Client]) -> AuthorizationRequest:
    """Check an authorization request.

    Raises:
        RequestRefused: unknown client, or a redirect address that is not registered to the letter; nothing may be redirected.
        OAuthError: anything else; goes back to the client's address. Its `redirect_uri` and `state` are the given ones.
    """
    values = dict(params)
    if any(sum(1 for name, _ in params if name == key) > 1 for key in ("client_id", "redirect_uri")):
        raise RequestRefused("a parameter is repeated")
    client = clients.get(values.get("client_id", ""))
    if client is None or not client.redirect_uris:
        raise RequestRefused("the client is not known")
    if values.get("redirect_uri") not in client.redirect_uris:
        raise RequestRefused("the address to come back to is not registered")
    if len(values) != len(params):
        raise OAuthError("invalid_request", "a parameter is repeated")
    if values.get("request") or values.get("request_uri"):
        raise OAuthError("request_not_supported", "request objects are not supported")
    if values.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "only code")
    if values.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "only response_mode=query")
    if not values.get("state") or not values.get("nonce"):
        raise OAuthError("invalid_request", "state and nonce are required")
    if values.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(values.get("code_challenge", "")):
        raise OAuthError("invalid_request", "PKCE with S256 is required")
    scopes = values.get("scope", "").split()
    if "openid" not in scopes or any(scope not in client.scopes for scope in scopes):
        raise OAuthError("invalid_scope", "openid and registered scopes only")
    prompt = values.get("prompt", "")
    if prompt not in {"", "none", "login", "select_account"}:
        raise OAuthError("invalid_request", "unknown prompt")
    max_age = values.get("max_age", "")
    if max_age and not re.fullmatch(r"\d{1,9}", max_age):
        raise OAuthError("invalid_request", "max_age is a number of seconds")
    return AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=values["redirect_uri"],
        scope=" ".join(dict.fromkeys(scopes)),
        state=values["state"],
        nonce=values["nonce"],
        challenge=values["code_challenge"],
        prompt=prompt,
        login_hint=values.get("login_hint", "")[:64],
        max_age=int(max_age) if max_age else None,
        language="en" if values.get("ui_locales", "").lower().startswith("en") else "zh" if values.get("ui_locales") else "",
    )


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody of the firm: logs in to the console, has no account and is no customer anywhere."""

    customer_id: str
    names: tuple[str, str]
    duties: tuple[str, str]
    roles: tuple[str, ...]

    def name(self, language: str) -> str:
        """The name."""
        return self.names[language == "en"]

    def case(self, language: str) -> str:
        """The duty."""
        return self.duties[language == "en"]


STAFF: Final = {
    person.customer_id: person
    for person in (
        Staff(
            "auditor-01",
            ("林慎", "Lin Shen"),
            ("内部审计：可查阅审计日志", "Internal audit: may read the audit log"),
            ("auditor",),
        ),
        Staff(
            "auditor-02",
            ("许宁", "Xu Ning"),
            ("外部审计：可查阅审计日志", "External audit: may read the audit log"),
            ("auditor",),
        ),
        Staff("clerk-01", ("周文", "Zhou Wen"), ("行政：没有审计权限", "Office clerk: no audit rights"), ("clerk",)),
    )
}
"""The demo's people of the firm. Invented."""


def needs_login(request: AuthorizationRequest, session: Session | None, now: datetime) -> bool:
    """Whether the login page has to be shown although there may be a session."""
    if session is not None and session.sub in STAFF and request.client_id != CONSOLE:
        return True
    if session is None or request.prompt in {"login", "select_account"}:
        return True
    if request.login_hint and request.login_hint != session.sub:
        return True
    return request.max_age is not None and (now - session.auth_time).total_seconds() > request.max_age


def pkce_matches(verifier: str, challenge: str) -> bool:
    """RFC 7636 4.6, S256."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")
    return hmac.compare_digest(digest, challenge)


def sha256(value: str) -> bytes:
    """How secrets of browsers and clients are kept: by hash."""
    return hashlib.sha256(value.encode("utf-8")).digest()
