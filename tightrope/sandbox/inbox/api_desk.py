"""The pages: the widget, its script for host pages, the agents' desk, and the files that customers sent."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Request, Response

from tightrope.infra.settings import Settings
from tightrope.sandbox.inbox import repository
from tightrope.sandbox.inbox.api_agent import profile_of
from tightrope.sandbox.inbox.edge import DESK_COOKIE, answer, desk_agent, empty, number, params, parts
from tightrope.sandbox.inbox.errors import ApiError, not_found
from tightrope.sandbox.inbox.presenters import agent_rest, iso
from tightrope.sandbox.inbox.tokens import DESK_SESSION_LIFE

router = APIRouter()

STATIC = Path(__file__).parent / "static"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors {}"
)


@lru_cache(maxsize=64)
def _file(name: str) -> tuple[bytes, str]:
    path = STATIC / name
    if path.parent != STATIC or path.suffix not in _KINDS or not path.is_file():
        raise not_found()
    body = path.read_bytes()
    return body, '"' + hashlib.sha256(body).hexdigest()[:20] + '"'


def _static(request: Request, name: str, frames: str = "'none'") -> Response:
    body, tag = _file(name)
    heads = {
        "ETag": tag,
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Content-Security-Policy": _POLICY.format(frames),
    }
    if request.headers.get("if-none-match") == tag:
        return Response(None, 304, heads)
    return Response(body, 200, heads, _KINDS[Path(name).suffix])


def frame_ancestors(settings: Settings) -> str:
    """Origins that may show the widget: its own and the portal's, by name and by address."""
    portal = urlsplit(settings.portal_public_url)
    origins = {f"{portal.scheme}://{portal.netloc}"}
    if portal.hostname in {"localhost", "127.0.0.1"}:
        port = f":{portal.port}" if portal.port else ""
        origins |= {f"{portal.scheme}://{host}{port}" for host in ("localhost", "127.0.0.1")}
    return " ".join(["'self'", *sorted(origins)])


@router.get("/widget")
async def widget_page(request: Request) -> Response:
    """The customer's chat, in an iframe of the host page or alone."""
    return _static(request, "widget.html", frame_ancestors(parts(request).settings))


@router.get("/packs/js/sdk.js")
async def sdk(request: Request) -> Response:
    """The script for host pages: `chatwootSDK.run({websiteToken, baseUrl})`."""
    return _static(request, "sdk.js")


@router.get("/desk")
async def desk_page(request: Request) -> Response:
    """The agents' desk."""
    return _static(request, "desk.html")


@router.get("/favicon.ico")
async def favicon() -> Response:
    """Browsers ask for it unasked."""
    return empty(204)


@router.get("/assets/{name}")
async def asset(request: Request, name: str) -> Response:
    """Scripts and styles of both pages."""
    return _static(request, name)


@router.get("/desk/agents")
async def desk_agents(request: Request) -> Response:
    """Whom one may log in as; the stand-in has demo agents and no passwords."""
    app = parts(request)
    return answer([{"id": one.id, "name": one.name} for one in app.directory.agents.values() if one.role == "agent"])


@router.get("/desk/session")
async def desk_session(request: Request) -> Response:
    """Who is logged in, with the token for the websocket; null for nobody."""
    app = parts(request)
    agent = desk_agent(request)
    if agent is None:
        return answer(None)
    record = profile_of(agent, app.directory.accounts[agent.account_id].name, active_at=iso(app.clock.now()))
    del record["access_token"]
    bot_ids = {inbox.agent_bot_id for inbox in app.directory.inboxes.values() if inbox.agent_bot_id is not None}
    record["bot_id"] = min(bot_ids, default=None)
    record["agents"] = [agent_rest(one) for one in app.directory.agents_of(agent.account_id)]
    return answer(record)


@router.post("/desk/session")
async def desk_login(request: Request) -> Response:
    """Log in as one of the demo agents."""
    app = parts(request)
    agent = app.directory.agents.get(number((await params(request)).get("agent_id")) or 0)
    if agent is None or agent.role != "agent":
        raise ApiError(422, {"error": "There is no such agent"})
    made = answer({"id": agent.id, "name": agent.name})
    made.set_cookie(
        DESK_COOKIE,
        app.tokens.desk(agent.id, app.clock.now()),
        max_age=int(DESK_SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="strict",
        path="/",
    )
    return made


@router.delete("/desk/session")
async def desk_logout(_: Request) -> Response:
    """Log out."""
    made = empty(204)
    made.delete_cookie(DESK_COOKIE, path="/")
    return made


@router.get("/rails/active_storage/blobs/redirect/{token}/{name}")
async def stored_file(request: Request, token: str, name: str) -> Response:  # noqa: ARG001 - the name is for people
    """A file that came with a message: whoever has the link has the file, as in Chatwoot. Always a download here."""
    async with parts(request).pool.connection() as conn:
        found = await repository.attachment(conn, token)
    if found is None:
        raise not_found()
    heads = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found['name'])}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(bytes(found["body"]), 200, heads, "application/octet-stream")
