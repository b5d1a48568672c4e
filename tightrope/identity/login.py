"""Way in 2, and the way out: HTTP edge of identity, mounted by the gateway.

A login link is good once, for ten minutes, in the browser that holds the chat (docs/wire-contracts.md, Login link).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from tightrope.identity.errors import ProviderUnavailable, TokenRefused
from tightrope.identity.flow import Hooks, LoginFlow, Redirect, create_link
from tightrope.identity.pages import HEADERS, language_of, page
from tightrope.identity.portal import PortalDoor
from tightrope.infra.clock import Clock
from tightrope.infra.database import Pool
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings

log = get_logger()

BROWSER_COOKIE: Final = "tr_browser"
ATTEMPT_COOKIE: Final = "tr_login"
_ATTEMPT_SECONDS: Final = 600
_MAX_BODY: Final = 16_384


__all__ = ["Hooks", "create_link", "login_router"]


def login_router(settings: Settings, pool: Pool, clock: Clock, hooks: Hooks, door: PortalDoor | None = None) -> APIRouter:
    """`GET /login/callback`, `GET /login/{link}` and `POST /portal/logout`.

    Args:
        pool: of role `gateway`.
        door: closed by the caller; one is opened if none is given.
    """
    door = door or PortalDoor.open(settings, clock)
    flow = LoginFlow(pool, clock, door.provider, door.bindings, hooks)
    router = _logout_router(pool, door, hooks)
    secure = settings.gateway_public_url.startswith("https://")
    chat_url = settings.portal_public_url

    def shown(request: Request, name: str, status: int) -> HTMLResponse:
        language = language_of(request.headers.get("accept-language"))
        return HTMLResponse(page(name, language, chat_url), status, HEADERS)  # type: ignore[arg-type]

    @router.get("/login/callback", include_in_schema=False)
    async def callback(request: Request) -> Response:
        query = dict(request.query_params)
        answer = await flow.finish(query, request.cookies.get(ATTEMPT_COOKIE), _browser(request))
        response = shown(request, answer.page, answer.status)
        response.delete_cookie(ATTEMPT_COOKIE, path="/login", secure=secure, httponly=True, samesite="lax")
        return response

    @router.get("/login/{link}", include_in_schema=False)
    async def start(link: str, request: Request) -> Response:
        language = language_of(request.headers.get("accept-language"))
        answer = await flow.start(link, _browser(request), language)
        if not isinstance(answer, Redirect):
            return shown(request, answer.page, answer.status)
        response = RedirectResponse(answer.url, 302, HEADERS)
        response.set_cookie(
            ATTEMPT_COOKIE, answer.attempt, max_age=_ATTEMPT_SECONDS, path="/login", secure=secure, httponly=True, samesite="lax"
        )
        return response

    return router


def _browser(request: Request) -> str | None:
    """The browser's cookie, None when there are two: a sibling host of the firm's domain can plant a second one, the attacker's own,
    and which of them comes first is the attacker's choice too."""
    pairs = (pair.partition("=") for header in request.headers.getlist("cookie") for pair in header.split(";"))
    values = {value.strip() for name, _, value in pairs if name.strip() == BROWSER_COOKIE}
    return request.cookies.get(BROWSER_COOKIE) if len(values) == 1 else None


def _logout_router(pool: Pool, door: PortalDoor, hooks: Hooks) -> APIRouter:
    """`POST /portal/logout`: form field `logout_token` (OpenID Connect Back-Channel Logout 2.5)."""
    router = APIRouter()

    @router.post("/portal/logout", include_in_schema=False)
    async def logout(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY:
                return _answer(413, "the body is too large")
        token = parse_qs(bytes(body).decode("latin-1")).get("logout_token", [""])[0]
        try:
            claims = await door.check_logout(token)
        except TokenRefused as error:
            log.warning("logout token refused", action="logout_refused", reason=error.reason)
            return _answer(400, error.reason)
        except ProviderUnavailable:
            return _answer(503, "the portal's keys cannot be had; send it again")
        async with pool.connection() as conn:
            events = await door.logout(conn, claims)
            if events:
                await hooks.on_ended(conn, events)
        log.info("session logged out", action="logout_done", bindings=len(events))
        return _answer(200, None)

    return router


def _answer(status: int, detail: str | None) -> JSONResponse:
    body = {} if detail is None else {"error": "invalid_request", "error_description": detail}
    return JSONResponse(body, status, {"Cache-Control": "no-store"})
