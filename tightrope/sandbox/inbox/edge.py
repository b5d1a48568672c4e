"""What every route needs: the parts of the running app, parameters as Rails merges them, and who calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request, Response
from starlette.datastructures import UploadFile

from tightrope.infra.clock import Clock
from tightrope.infra.database import Pool
from tightrope.infra.settings import Settings
from tightrope.sandbox.inbox.courier import Courier
from tightrope.sandbox.inbox.directory import Directory
from tightrope.sandbox.inbox.errors import (
    ACCOUNT_REFUSED,
    BOT_ACCOUNT_REFUSED,
    BOT_REFUSED,
    TOKEN_REFUSED,
    ApiError,
    not_found,
    unauthorized,
)
from tightrope.sandbox.inbox.hub import Hub
from tightrope.sandbox.inbox.models import Actor, Agent, AgentBot, Json, Upload, WidgetInbox
from tightrope.sandbox.inbox.presenters import Presenter
from tightrope.sandbox.inbox.tokens import Tokens
from tightrope.sandbox.inbox.work import Office

DESK_COOKIE = "tightrope_desk"
DESK_HEADER = "x-desk"
"""The desk's script sends this header with every request, which no other site's page can do without CORS."""
BODY_LIMIT = 12 * 1024 * 1024
"""Largest request body, bytes: a message of 150,000 characters, or files for the demo."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The running app."""

    settings: Settings
    clock: Clock
    pool: Pool
    directory: Directory
    presenter: Presenter
    office: Office
    courier: Courier
    hub: Hub
    tokens: Tokens


def parts(request: Request) -> Parts:
    """The parts, made when the app started."""
    found: Parts = request.app.state.parts
    return found


def answer(data: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(data), status, media_type="application/json")


def empty(status: int = 200) -> Response:
    """Rails' `head :ok`."""
    return Response(None, status)


async def params(request: Request) -> Json:
    """Query and body in one mapping; the body is JSON or a form with `message[content]`-like names.

    Raises:
        ApiError: 400 for a body that is not JSON, 413 for one that is too large.
    """
    merged: Json = {}
    for key, value in request.query_params.multi_items():
        if key.endswith("[]"):
            merged.setdefault(key[:-2], []).append(value)
        else:
            merged[key] = value
    if int(request.headers.get("content-length") or 0) > BODY_LIMIT:
        raise ApiError(413, {"error": "Request body too large"})
    kind = request.headers.get("content-type", "")
    if kind.startswith(("multipart/form-data", "application/x-www-form-urlencoded")):
        return merged | await _form(request)
    body = await _raw(request)
    if body.strip():
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ApiError(400, {"status": 400, "error": "Bad Request"}) from error
        if isinstance(found, dict):
            merged |= found
    return without_nul(merged) if b"\\u0000" in body or "\x00" in str(request.query_params) else merged


def without_nul(value: Any) -> Any:
    """A parameter as Postgres can hold it."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, dict):
        return {without_nul(key): without_nul(inner) for key, inner in value.items()}
    return [without_nul(inner) for inner in value] if isinstance(value, list) else value


async def _raw(request: Request) -> bytes:
    """The body, refused as soon as it is too large; kept, since one request's parameters may be asked for twice."""
    if (kept := getattr(request.state, "raw", None)) is not None:
        return bytes(kept)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise ApiError(413, {"error": "Request body too large"})
    request.state.raw = bytes(body)
    return bytes(body)


async def _form(request: Request) -> Json:
    fields: Json = {}
    async with request.form() as form:
        for name, value in form.multi_items():
            entry: Any = value
            if isinstance(value, UploadFile):
                entry = Upload(value.filename or "file", value.content_type or "application/octet-stream", await value.read())
            target = fields
            path = name.replace("]", "").split("[")
            for step in path[:-1] if path[-1] else path[:-2]:
                inner = target.setdefault(step, {})
                target = inner if isinstance(inner, dict) else {}
            if path[-1]:
                target[path[-1]] = entry
            else:
                target.setdefault(path[-2], []).append(entry)
    return fields


def flag(value: Any) -> bool:
    """A boolean as ActiveModel casts it."""
    return value in {True} or str(value).lower() in {"true", "1", "t", "on", "yes"}


def number(value: Any) -> int | None:
    """A positive id or number, None where it is none."""
    if isinstance(value, bool) or value is None:
        return None
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


def caller(request: Request, *, bots: bool = False) -> Actor:
    """Who calls an endpoint below /api/v1: header `api_access_token`, or the desk's session.

    Args:
        bots: whether this endpoint is on the bots' allow-list.

    Raises:
        ApiError: 401.
    """
    app = parts(request)
    token = request.headers.get("api_access_token") or request.headers.get("api-access-token")
    found: Actor | None
    if token is None:
        found = desk_agent(request)
        if found is None:
            raise ApiError(401, {"errors": ["You need to sign in or sign up before continuing."]})
        return found
    found = app.directory.actor(token)
    if found is None:
        raise unauthorized(TOKEN_REFUSED)
    if isinstance(found, AgentBot) and not bots:
        raise unauthorized(BOT_REFUSED)
    return found


def desk_agent(request: Request) -> Agent | None:
    """The agent of the desk's cookie; requests of other sites lack the header and are nobody."""
    app = parts(request)
    cookie = request.cookies.get(DESK_COOKIE)
    if cookie is None or DESK_HEADER not in request.headers:
        return None
    agent_id = app.tokens.read_desk(cookie, app.clock.now())
    return app.directory.agents.get(agent_id) if agent_id is not None else None


def account_caller(request: Request, account_id: int, *, bots: bool = False) -> Actor:
    """The caller, checked to belong to the account.

    Raises:
        ApiError: 401; 404 for an account that does not exist.
    """
    actor = caller(request, bots=bots)
    if account_id not in parts(request).directory.accounts:
        raise not_found()
    if actor.account_id != account_id:
        raise unauthorized(BOT_ACCOUNT_REFUSED if isinstance(actor, AgentBot) else ACCOUNT_REFUSED)
    return actor


def administrator(request: Request, account_id: int) -> Agent:
    """An administrator of the account.

    Raises:
        ApiError: 401.
    """
    actor = account_caller(request, account_id)
    if not isinstance(actor, Agent) or actor.role != "administrator":
        raise unauthorized("You are not authorized to do this action")
    return actor


def website(request: Request, fields: Json) -> WidgetInbox:
    """The inbox that `website_token` names.

    Raises:
        ApiError: 404.
    """
    inbox = parts(request).directory.website(str(fields.get("website_token") or ""))
    if inbox is None:
        raise ApiError(404, {"error": "web widget does not exist"})
    return inbox
