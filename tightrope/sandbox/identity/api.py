"""HTTP edge of the identity provider, below /identity."""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from tightrope.infra.settings import Settings
from tightrope.sandbox.catalogue import groups_from
from tightrope.sandbox.identity.errors import LoginRefused, OAuthError, RequestRefused
from tightrope.sandbox.identity.models import (
    BUSINESS_SCOPES,
    CONSOLE,
    STAFF,
    AuthorizationRequest,
    Client,
    clients_from,
    needs_login,
    parse_authorization,
)
from tightrope.sandbox.identity.service import Logins, new_secret
from tightrope.sandbox.identity.text import text
from tightrope.sandbox.identity.tokens import EXCHANGE_GRANT, Tokens
from tightrope.sandbox.tokens import SigningKey
from tightrope.sandbox.web import basic_credentials, language_of, origin, page, set_cookie

SESSION_COOKIE = "idp_session"
BROWSER_COOKIE = "idp_browser"
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
MAX_FORM_BYTES = 32_768


class IdentityEdge:
    """Routes of the provider; services are in `app.state` (`logins`, `tokens`)."""

    def __init__(self, settings: Settings, key: SigningKey) -> None:
        self._issuer = settings.identity_issuer
        self._key = key
        self._clients = clients_from(settings)
        pages = (settings.portal_public_url, settings.gateway_public_url, settings.inbox_public_url, settings.console_public_url)
        targets = " ".join(dict.fromkeys(origin(url) for url in pages))
        # form-action names where the login may lead: Chromium checks every redirect that follows a form.
        self._csp = (
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
            f"form-action 'self' {targets}"
        )

    def router(self) -> APIRouter:
        routes = APIRouter(prefix="/identity")
        routes.add_api_route("/.well-known/openid-configuration", self.discovery, methods=["GET"])
        routes.add_api_route("/jwks", self.jwks, methods=["GET"])
        routes.add_api_route("/authorize", self.authorize, methods=["GET"])
        routes.add_api_route("/login", self.login, methods=["POST"])
        routes.add_api_route("/token", self.token, methods=["POST"])
        routes.add_api_route("/revoke", self.revoke, methods=["POST"])
        routes.add_api_route("/end_session", self.end_session, methods=["GET", "POST"])
        return routes

    async def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self._issuer,
            "authorization_endpoint": f"{self._issuer}/authorize",
            "token_endpoint": f"{self._issuer}/token",
            "jwks_uri": f"{self._issuer}/jwks",
            "revocation_endpoint": f"{self._issuer}/revoke",
            "end_session_endpoint": f"{self._issuer}/end_session",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", EXCHANGE_GRANT],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "revocation_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "profile", *BUSINESS_SCOPES],
            "claims_supported": ["sub", "sid", "auth_time", "acr", "nonce", "name", "roles"],
            "prompt_values_supported": ["none", "login", "select_account"],
            "ui_locales_supported": ["zh-CN", "en"],
            "authorization_response_iss_parameter_supported": True,
        }

    async def jwks(self) -> dict[str, Any]:
        return self._key.jwks()

    async def authorize(self, request: Request) -> Response:
        params = request.query_params.multi_items()
        values = dict(params)
        try:
            asked = parse_authorization(params, self._clients)
        except RequestRefused:
            return self._notice(request, "bad_request", status=400)
        except OAuthError as error:
            return self._redirect(
                values["redirect_uri"], values.get("state", ""), {"error": error.error, "error_description": error.description}
            )
        logins = _logins(request)
        session = await logins.session(request.cookies.get(SESSION_COOKIE))
        if session is not None and not needs_login(asked, session, logins.now()):
            return self._redirect(asked.redirect_uri, asked.state, {"code": await logins.code(asked, session)})
        if asked.prompt == "none":
            return self._redirect(
                asked.redirect_uri, asked.state, {"error": "login_required", "error_description": "log in first"}
            )
        browser = request.cookies.get(BROWSER_COOKIE) or new_secret()
        opened = await logins.open_page(asked, browser)
        response = self._login_page(request, opened.page_id, opened.one_time_code, asked)
        self._cookie(response, BROWSER_COOKIE, browser)
        return response

    async def login(self, request: Request) -> Response:
        form = await _form(request)
        page_id, browser, logins = form.get("page", ""), request.cookies.get(BROWSER_COOKIE), _logins(request)
        try:
            if form.get("do") == "cancel":
                asked = await logins.leave(page_id, browser)
                return self._redirect(
                    asked.redirect_uri, asked.state, {"error": "access_denied", "error_description": "cancelled"}
                )
            customer, typed = form.get("customer", ""), form.get("code", "")
            done = await logins.log_in(page_id, browser, customer, typed, request.cookies.get(SESSION_COOKIE))
        except LoginRefused as refused:
            if refused.reason in {"expired", "attempts"}:
                return self._notice(request, refused.reason, status=400)
            attempt = await logins.page(page_id, browser)
            chosen = form.get("customer", "")
            return self._login_page(request, page_id, attempt.one_time_code, attempt.request, chosen=chosen, error=refused.reason)
        response = self._redirect(done.request.redirect_uri, done.request.state, {"code": done.code})
        self._cookie(response, SESSION_COOKIE, done.cookie)
        return response

    async def token(self, request: Request) -> Response:
        try:
            client = self._client(request)
            return JSONResponse(await _tokens(request).token(client, await _form(request)), headers=NO_STORE)
        except OAuthError as error:
            return _refusal(error)

    async def revoke(self, request: Request) -> Response:
        try:
            client = self._client(request)
            await _tokens(request).revoke(client, (await _form(request)).get("token", ""))
            return Response(status_code=200, headers=NO_STORE)
        except OAuthError as error:
            return _refusal(error)

    async def end_session(self, request: Request) -> Response:
        """OpenID RP-Initiated Logout; the hint is required, so that a link alone logs nobody out."""
        form = await _form(request) if request.method == "POST" else dict(request.query_params)
        try:
            client_id, sid = _tokens(request).logout_hint(form.get("id_token_hint", ""))
            client = self._clients.get(client_id)
            if client is None or form.get("client_id", client_id) != client_id:
                raise OAuthError("invalid_request", "the hint is another client's")
        except OAuthError:
            return self._notice(request, "bad_request", status=400)
        await _logins(request).end(sid)
        back = form.get("post_logout_redirect_uri")
        if back and back in client.post_logout_uris:
            response: Response = RedirectResponse(_with_query(back, {"state": form["state"]} if form.get("state") else {}), 303)
        else:
            response = self._notice(request, "logged_out")
        response.delete_cookie(SESSION_COOKIE, path="/identity")
        return response

    def _client(self, request: Request) -> Client:
        given = basic_credentials(request.headers.get("authorization"))
        client = self._clients.get(given[0]) if given else None
        # Compared also when the client is unknown, so that time does not tell which names exist.
        expected = client.secret if client else "no such client"
        if given is None or not hmac.compare_digest(given[1].encode(), expected.encode()) or client is None:
            raise OAuthError("invalid_client", "client_secret_basic is required", 401)
        return client

    def _redirect(self, redirect_uri: str, state: str, params: dict[str, str]) -> RedirectResponse:
        query = {**params, **({"state": state} if state else {}), "iss": self._issuer}
        return RedirectResponse(
            _with_query(redirect_uri, query), status_code=303, headers={**NO_STORE, "Referrer-Policy": "no-referrer"}
        )

    def _login_page(
        self,
        request: Request,
        page_id: str,
        one_time_code: str,
        asked: AuthorizationRequest,
        *,
        chosen: str = "",
        error: str = "",
    ) -> Response:
        language = language_of(request, asked.language)
        picked = chosen or asked.login_hint
        context = {
            "language": language,
            "t": text(language),
            "page_id": page_id,
            "one_time_code": one_time_code,
            "client_id": asked.client_id,
            "groups": groups_from(picked) if asked.client_id != CONSOLE else (),
            "staff": tuple(STAFF.values()) if asked.client_id == CONSOLE else (),
            "chosen": picked,
            "error": error,
        }
        return page("login.html", context, csp=self._csp, status=400 if error else 200)

    def _notice(self, request: Request, name: str, status: int = 200) -> Response:
        language = language_of(request)
        t = text(language)
        context = {"language": language, "t": t, "title": t[f"{name}_title"], "body": t[f"{name}_body"]}
        return page("notice.html", context, csp=self._csp, status=status)

    def _cookie(self, response: Response, name: str, value: str) -> None:
        set_cookie(response, name, value, public_url=self._issuer, path="/identity")


async def _form(request: Request) -> dict[str, str]:
    """An urlencoded body, each name once.

    Raises:
        OAuthError: something else, too large, or a repeated name.
    """
    body = await request.body()
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded" or len(body) > MAX_FORM_BYTES:
        raise OAuthError("invalid_request", "an urlencoded form is required")
    try:
        items = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=50)
    except (UnicodeDecodeError, ValueError):
        raise OAuthError("invalid_request", "not an urlencoded form") from None
    if len(dict(items)) != len(items):
        raise OAuthError("invalid_request", "a parameter is repeated")
    return dict(items)


def _refusal(error: OAuthError) -> JSONResponse:
    headers = {**NO_STORE, "WWW-Authenticate": 'Basic realm="identity"'} if error.status == 401 else NO_STORE
    return JSONResponse({"error": error.error, "error_description": error.description}, status_code=error.status, headers=headers)


def _with_query(url: str, params: dict[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(params)}" if params else url


def _logins(request: Request) -> Logins:
    logins: Logins = request.app.state.logins
    return logins


def _tokens(request: Request) -> Tokens:
    tokens: Tokens = request.app.state.tokens
    return tokens
