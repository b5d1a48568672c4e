"""The assistant server: Rasa's REST channel and the part of its HTTP API that the gateway uses (docs/wire-contracts.md)."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg
from fastapi import FastAPI, Request, Response
from psycopg_pool import PoolTimeout

import tightrope
from tightrope.engine import trace
from tightrope.engine.clients import PROTOCOL_VERSION, ActionClient, UnderstandingClient
from tightrope.engine.errors import ConversationBusy
from tightrope.engine.loader import load_project
from tightrope.engine.models import Options, Project
from tightrope.engine.prompt import Prompt
from tightrope.engine.service import Assistant
from tightrope.engine.turn import Incoming
from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.database import Role, open_pool
from tightrope.infra.health import health_body
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.release.manifest import release_id

log = get_logger()

TOKEN_SECRET = "assistant_token"  # noqa: S105 - the name of a secret
MAX_BODY = 262_144
MAX_SENDER = 255
POOL_SIZE = 16
"""Turns that one server runs at once: a turn holds a connection for as long as it lasts, its lock lies there."""


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def _failure(status: int, reason: str, message: str) -> Response:
    """An error in the shape of Rasa's HTTP API."""
    return _json(
        {"version": PROTOCOL_VERSION, "status": "failure", "message": message, "reason": reason, "details": {}, "code": status},
        status,
    )


class _Refused(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        self.response = _failure(status, reason, message)
        super().__init__(message)


async def _body(request: Request) -> Any:
    if int(request.headers.get("content-length") or 0) > MAX_BODY:
        raise _Refused(413, "TooLarge", f"the body is larger than {MAX_BODY} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            # A chunked body declares no length: it is refused before it fills the memory.
            raise _Refused(413, "TooLarge", f"the body is larger than {MAX_BODY} bytes")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _Refused(400, "BadRequest", "the body is no JSON") from None


def _incoming(found: Any) -> Incoming:
    if not isinstance(found, dict):
        raise _Refused(400, "BadRequest", "the body must be an object with sender and message")
    sender, text, metadata = found.get("sender"), found.get("message"), found.get("metadata")
    if not isinstance(sender, str) or not 0 < len(sender) <= MAX_SENDER or "\x00" in sender:
        raise _Refused(400, "BadRequest", f"sender must be a text of 1 to {MAX_SENDER} characters")
    if not isinstance(text, str):
        raise _Refused(400, "BadRequest", "message must be a text")
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict):
        raise _Refused(400, "BadRequest", "metadata must be an object")
    channel = found.get("input_channel")
    return Incoming(sender, text.replace("\x00", ""), metadata, channel if isinstance(channel, str) and channel else "rest")


def create_app(
    settings: Settings,
    project_dir: Path | None = None,
    *,
    config: Path | None = None,
    clock: Clock | None = None,
    understanding_transport: httpx.AsyncBaseTransport | None = None,
    actions_transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """The server of the project in `project_dir` (default: the settings' own); `config` stands for its config.yml.

    For the settings' own project its neighbours are where the settings say; for another one where its endpoints.yml says.

    Raises:
        ProjectError: the project cannot be loaded.
    """
    own = project_dir is None or project_dir.resolve() == settings.project_dir.resolve()
    options = Options(settings.clarify_several_starts, complete_responses=own and settings.complete_responses)
    project = replace(load_project(project_dir or settings.project_dir, config), options=options)
    prompt = Prompt.load(project)
    release = release_id(settings) if own else None
    token_path = settings.secrets_path / TOKEN_SECRET
    token = settings.secret(TOKEN_SECRET).get_secret_value() if token_path.is_file() else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(open_pool(settings, Role.ASSISTANT, max_size=POOL_SIZE))
            base = settings.understanding_url if own else project.understanding_base or settings.understanding_url
            model = project.understanding_model or "tightrope-understanding"
            understanding = UnderstandingClient(
                settings, base, model, prompt, clock=clock or clock_from(settings), transport=understanding_transport
            )
            stack.push_async_callback(understanding.aclose)
            url = settings.actions_url if own else project.actions_url or settings.actions_url
            actions = ActionClient(settings, url, project, transport=actions_transport)
            stack.push_async_callback(actions.aclose)
            app.state.assistant = Assistant(
                project,
                pool,
                understanding,
                actions,
                clock or clock_from(settings),
                strict_payloads=settings.strict_payloads,
                prediction_cap=settings.prediction_cap,
            )
            log.info("assistant ready", action="started", flows=len(project.flows), release=release)
            yield

    app = FastAPI(title="Tightrope assistant", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    _routes(app, project, release, token)
    return app


def _routes(app: FastAPI, project: Project, release: str | None, token: str | None) -> None:
    def assistant() -> Assistant:
        found: Assistant = app.state.assistant
        return found

    def permit(request: Request) -> None:
        if token is not None and not hmac.compare_digest(request.query_params.get("token", "").encode(), token.encode()):
            raise _Refused(401, "NotAuthenticated", "the parameter token is missing or wrong")

    @app.exception_handler(_Refused)
    async def refused(_request: Request, error: _Refused) -> Response:
        return error.response

    @app.exception_handler(ConversationBusy)
    async def busy(_request: Request, _error: ConversationBusy) -> Response:
        return _failure(503, "Busy", "this conversation is being answered elsewhere; try again")

    @app.exception_handler(psycopg.Error)
    async def database_down(_request: Request, error: psycopg.Error) -> Response:
        log.error("the database failed", action="database_failed", error=type(error).__name__)
        return _failure(503, "Unavailable", "the conversation cannot be read or kept now; try again")

    app.add_exception_handler(PoolTimeout, database_down)  # type: ignore[arg-type]

    @app.get("/")
    async def hello() -> Response:
        return Response(f"Hello from Tightrope: {tightrope.__version__}", media_type="text/plain")

    @app.get("/version")
    async def version() -> Response:
        return _json(
            {"version": PROTOCOL_VERSION, "minimum_compatible_version": PROTOCOL_VERSION, "tightrope": tightrope.__version__}
        )

    @app.get("/health")
    async def health() -> Response:
        status, body = await health_body("assistant", release, assistant().healthy)
        return _json(body, status)

    @app.get("/status")
    async def status(request: Request) -> Response:
        permit(request)
        return _json({"model_file": project.root, "model_id": release, "num_active_training_jobs": 0})

    @app.get("/flows")
    async def flows(request: Request) -> Response:
        permit(request)
        return _json(
            [{"id": f.id, "name": f.name, "description": f.description, "steps": list(f.steps)} for f in project.flows.values()]
        )

    @app.get("/domain")
    async def domain(request: Request) -> Response:
        permit(request)
        return _json(project.domain)

    @app.get("/webhooks/rest/")
    async def channel() -> Response:
        return _json({"status": "ok"})

    @app.post("/webhooks/rest/webhook")
    async def webhook(request: Request) -> Response:
        trace.take(request.headers.raw)
        return _json(await assistant().answer(_incoming(await _body(request))))

    @app.get("/conversations/{sender}/tracker")
    async def read_tracker(request: Request, sender: str) -> Response:
        permit(request)
        return _json(await assistant().tracker(sender, request.query_params.get("turn_id")))

    @app.post("/conversations/{sender}/tracker/events")
    async def append(request: Request, sender: str) -> Response:
        permit(request)
        found = await _body(request)
        events = found if isinstance(found, list) else [found]
        try:
            return _json(await assistant().append(sender, events))
        except ValueError as error:
            raise _Refused(400, "BadRequest", str(error)) from None
