"""HTTP edge of the portal: the page, login and logout, and the tokens for the chat."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.sandbox.catalogue import BY_ID, CUSTOMERS, GROUPS
from tightrope.sandbox.inbox.models import WEBSITE_TOKEN
from tightrope.sandbox.portal.errors import LoginFailed
from tightrope.sandbox.portal.service import Portal
from tightrope.sandbox.portal.text import chips, text
from tightrope.sandbox.web import LANGUAGE_COOKIE, language_of, origin, page, set_cookie

log = get_logger()

SESSION_COOKIE = "portal_session"
ATTEMPT_COOKIE = "portal_login"
BROWSER_COOKIE = "tr_browser"
YEAR = 365 * 24 * 3600
NO_STORE = {"Cache-Control": "no-store"}


class PortalEdge:
    """Routes of the portal; the service is in `app.state.portal`."""

    def __init__(self, settings: Settings) -> None:
        self._public = settings.portal_public_url.rstrip("/")
        self._origin = origin(self._public)
        self._inbox = settings.inbox_public_url.rstrip("/")
        inbox = origin(self._inbox)
        # The chat's launcher brings its style sheet from the inbox. (Chatwoot's own SDK inlines it: a firm adds 'unsafe-inline' to style-src.)
        self._csp = (
            f"default-src 'none'; script-src 'self' {inbox}; frame-src {inbox}; style-src 'self' {inbox}; img-src 'self'; "
            "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
        )

    def router(self) -> APIRouter:
        routes = APIRouter()
        routes.add_api_route("/", self.home, methods=["GET"])
        routes.add_api_route("/portal/login", self.login, methods=["GET"])
        routes.add_api_route("/portal/callback", self.callback, methods=["GET"])
        routes.add_api_route("/portal/logout", self.logout, methods=["POST"])
        routes.add_api_route("/portal/chat-token", self.chat_token, methods=["POST"])
        routes.add_api_route("/portal/jwks.json", self.jwks, methods=["GET"])
        routes.add_api_route("/.well-known/jwks.json", self.jwks, methods=["GET"])
        return routes

    async def home(self, request: Request) -> Response:
        """The page. Opened under another name of this machine it moves to the public one: cookies belong to a host name."""
        if request.headers.get("host", "") != urlsplit(self._public).netloc:
            return RedirectResponse(f"{self._public}/", status_code=307)
        language = language_of(request)
        session = await _portal(request).session(request.cookies.get(SESSION_COOKIE))
        current = BY_ID.get(session.sub) if session else None
        context = {
            "language": language,
            "t": text(language),
            "chips": {customer.customer_id: chips(customer, language) for customer in CUSTOMERS},
            "groups": GROUPS,
            "current": current,
            "contact": _portal(request).chat_contact(current.customer_id) if current else "",
            "failed": request.query_params.get("login") == "failed",
            "inbox_url": self._inbox,
            "website_token": WEBSITE_TOKEN,
        }
        response = page("portal.html", context, csp=self._csp)
        if not request.cookies.get(BROWSER_COOKIE):
            self._cookie(response, BROWSER_COOKIE, secrets.token_urlsafe(32))
        if request.query_params.get("lang") in {"zh", "en"}:
            self._cookie(response, LANGUAGE_COOKIE, language, max_age=YEAR)
        return response

    async def login(self, request: Request) -> Response:
        customer = request.query_params.get("customer", "")
        url, sealed = _portal(request).start_login(language_of(request), customer if customer in BY_ID else "")
        response = RedirectResponse(url, status_code=303, headers=NO_STORE)
        self._cookie(response, ATTEMPT_COOKIE, sealed, path="/portal", max_age=900)
        return response

    async def callback(self, request: Request) -> Response:
        cookies = request.cookies
        try:
            cookie = await _portal(request).finish_login(
                dict(request.query_params), cookies.get(ATTEMPT_COOKIE), cookies.get(SESSION_COOKIE)
            )
        except LoginFailed as error:
            log.warning("login at the portal failed", action="portal_login_failed", reason=error.reason)
            where = "/" if error.reason == "cancelled" else "/?login=failed"
            response = RedirectResponse(f"{self._public}{where}", status_code=303, headers=NO_STORE)
        else:
            response = RedirectResponse(f"{self._public}/", status_code=303, headers=NO_STORE)
            self._cookie(response, SESSION_COOKIE, cookie)
        response.delete_cookie(ATTEMPT_COOKIE, path="/portal")
        return response

    async def logout(self, request: Request) -> Response:
        if refusal := self._foreign(request):
            return refusal
        cookie = request.cookies.get(SESSION_COOKIE)
        if cookie:
            await _portal(request).log_out(cookie)
        response = JSONResponse({"logged_out": True}, headers=NO_STORE)
        response.delete_cookie(SESSION_COOKIE, path="/")
        return response

    async def chat_token(self, request: Request) -> Response:
        if refusal := self._foreign(request):
            return refusal
        given = request.cookies.get(BROWSER_COOKIE, "")
        browser = given if given and given.isascii() else secrets.token_urlsafe(32)
        minted = await _portal(request).chat_token(browser, request.cookies.get(SESSION_COOKIE))
        response = JSONResponse({"token": minted.token, "expires_in": minted.expires_in}, headers=NO_STORE)
        if browser != given:
            self._cookie(response, BROWSER_COOKIE, browser)
        return response

    async def jwks(self, request: Request) -> dict[str, Any]:
        return _portal(request).jwks()

    def _foreign(self, request: Request) -> Response | None:
        """A refusal unless this page's own script sent it: JSON (no form can), and the browser's word that the origin is ours."""
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        site, sender = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        ours = (site or sender) and site in {None, "same-origin"} and sender in {None, self._origin}
        if kind == "application/json" and ours:
            return None
        log.warning("request from elsewhere refused", action="portal_foreign_request", path=request.url.path)
        return JSONResponse({"error": "this is for the portal's own page"}, status_code=403, headers=NO_STORE)

    def _cookie(self, response: Response, name: str, value: str, *, path: str = "/", max_age: int | None = None) -> None:
        set_cookie(response, name, value, public_url=self._public, path=path, max_age=max_age)


def _portal(request: Request) -> Portal:
    portal: Portal = request.app.state.portal
    return portal
