"""Logging in through the firm's identity provider: code flow with PKCE; a role in the ID token opens the pages."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from tightrope.console.errors import NotLoggedIn, PostRefused
from tightrope.console.sessions import Session, Sessions, local
from tightrope.console.web import language_of, page
from tightrope.identity.errors import ProviderInvalid, ProviderRefused, ProviderUnavailable
from tightrope.identity.models import sha256
from tightrope.identity.oidc import Provider, challenge
from tightrope.identity.tokens import IdClaims
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings

log = get_logger()

CLIENT: Final = "tightrope-console"
SESSION_COOKIE: Final = "console_session"
ATTEMPT_COOKIE: Final = "console_login"
PURPOSE_LIMIT: Final = 300


def sessions_of(request: Request) -> Sessions:
    """The process's sessions."""
    sessions: Sessions = request.app.state.sessions
    return sessions


async def auditor(request: Request) -> Session:
    """The one who is logged in; every page but the login asks.

    Raises:
        NotLoggedIn: nobody, or no longer.
    """
    session = sessions_of(request).of(request.cookies.get(SESSION_COOKIE))
    if session is None:
        raise NotLoggedIn
    request.state.session = session
    return session


async def posted(request: Request) -> dict[str, str]:
    """The fields of a form of this session.

    Raises:
        NotLoggedIn, PostRefused.
    """
    session = await auditor(request)
    async with request.form(max_files=0, max_fields=30) as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
    if not session.sent_by(fields.get("csrf", "")):
        raise PostRefused
    return fields


def has_role(claims: IdClaims, settings: Settings) -> bool:
    """Whether the provider says that this person is an auditor."""
    said: Any = claims.claims.get(settings.console_role_claim)
    roles = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
    return settings.console_role in roles


def login_router(settings: Settings) -> APIRouter:
    """The way in."""
    routes = APIRouter()
    public = settings.console_public_url.rstrip("/")
    secure = public.startswith("https://")

    def keep(response: Response, name: str, value: str) -> None:
        # Lax, not Strict: the answer comes by a link from the provider's page.
        response.set_cookie(name, value, httponly=True, samesite="lax", secure=secure, path="/")

    def refuse(request: Request, why: str, status: int) -> Response:
        response = page(request, "login", status=status, problem=why, back="/")
        response.delete_cookie(ATTEMPT_COOKIE)
        return response

    @routes.get("/login")
    async def welcome(request: Request, back: str = "/") -> Response:
        return page(request, "login", problem="", back=local(back))

    @routes.get("/login/start")
    async def start(request: Request, back: str = "/", fresh: bool = False) -> Response:
        provider: Provider = request.app.state.provider
        cookie, attempt = sessions_of(request).begin(back)
        try:
            url = await provider.authorization_url(
                state=attempt.state,
                nonce=attempt.nonce,
                code_challenge=challenge(attempt.verifier),
                language=language_of(request),
                prompt="login" if fresh else "",
            )
        except (ProviderUnavailable, ProviderInvalid) as error:
            log.warning("login cannot begin", action="console_login_unavailable", reason=str(error))
            return refuse(request, "provider", 503)
        response = RedirectResponse(url, status_code=303)
        keep(response, ATTEMPT_COOKIE, cookie)
        return response

    @routes.get("/login/callback")
    async def callback(request: Request, code: str = "", state: str = "", iss: str | None = None) -> Response:
        provider: Provider = request.app.state.provider
        attempt = sessions_of(request).answered(request.cookies.get(ATTEMPT_COOKIE), state)
        if attempt is None:
            return refuse(request, "expired", 400)
        if not code:
            return refuse(request, "cancelled", 400)
        try:
            claims = await provider.identify(code=code, verifier=attempt.verifier, nonce=attempt.nonce, answered_by=iss)
        except ProviderUnavailable as error:
            log.warning("login failed", action="console_login_unavailable", reason=str(error))
            return refuse(request, "provider", 503)
        except (ProviderRefused, ProviderInvalid) as error:
            log.warning("login refused", action="console_login_refused", reason=str(error))
            return refuse(request, "expired", 400)
        if not has_role(claims, settings):
            log.warning("login without the role", action="console_role_missing", person=sha256(claims.customer_id).hex()[:12])
            return refuse(request, "role", 403)
        name = claims.claims.get("name")
        session = sessions_of(request).open(claims.customer_id, name if isinstance(name, str) else claims.customer_id)
        log.info("auditor logged in", action="console_login", person=claims.customer_id)
        response = RedirectResponse(attempt.back, status_code=303)
        keep(response, SESSION_COOKIE, session)
        response.delete_cookie(ATTEMPT_COOKIE)
        return response

    return routes


def session_router() -> APIRouter:
    """What a session's own forms do: say the purpose, log out."""
    routes = APIRouter()

    @routes.post("/logout")
    async def logout(request: Request) -> Response:
        await posted(request)
        sessions_of(request).end(request.cookies.get(SESSION_COOKIE))
        response = RedirectResponse("/login", status_code=303)
        response.delete_cookie(SESSION_COOKIE)
        return response

    @routes.post("/purpose")
    async def purpose(request: Request) -> Response:
        fields = await posted(request)
        said = " ".join(fields.get("purpose", "").split())[:PURPOSE_LIMIT]
        if not said:
            return page(request, "purpose", status=400, back=local(fields.get("back", "/")), empty=True)
        sessions_of(request).note_purpose(request.cookies.get(SESSION_COOKIE), said)
        return RedirectResponse(local(fields.get("back", "/")), status_code=303)

    @routes.get("/purpose")
    async def ask_purpose(request: Request, back: str = "/search") -> Response:
        await auditor(request)
        return page(request, "purpose", back=local(back), empty=False)

    return routes
