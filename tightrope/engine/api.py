"""The assistant server: Rasa's REST channel and HTTP API (docs/wire-contracts.md) for one project, read anew on SIGHUP and PUT /model."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg
from psycopg_pool import PoolTimeout
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tightrope.engine import trace
from tightrope.engine.auth import Guard
from tightrope.engine.edge import Refused, answer, check_sender, raw_body, read_body, refusal
from tightrope.engine.errors import ConversationBusy, ProjectError
from tightrope.engine.routes import Api
from tightrope.engine.service import Assistant
from tightrope.engine.serving import Serving, Source, load
from tightrope.engine.turn import Incoming
from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.database import Role, open_pool
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings

log = get_logger()

WEBHOOK = "/webhooks/rest/webhook"
POOL_SIZE = 16
"""Turns that one server runs at once: a turn holds a connection for as long as it lasts, its lock lies there."""
MAX_CHANNEL = 100
_JSON = [(b"content-type", b"application/json")]
_STREAM = [(b"content-type", b"text/event-stream")]


def _incoming(found: Any) -> Incoming:
    if not isinstance(found, dict):
        raise Refused(400, "BadRequest", "the body must be an object with sender and message")
    sender, text, metadata = check_sender(found.get("sender")), found.get("message"), found.get("metadata")
    if not isinstance(text, str):
        raise Refused(400, "BadRequest", "message must be a text")
    if not isinstance(metadata, dict | None):
        raise Refused(400, "BadRequest", "metadata must be an object")
    channel = found.get("input_channel")
    if not isinstance(channel, str) or not 0 < len(channel) <= MAX_CHANNEL:
        channel = "rest"
    return Incoming(sender, text.replace("\x00", ""), metadata or {}, channel)


class AssistantApp(Starlette):
    """The application. The REST channel is answered before routing and middleware: they cost a third of what a turn does."""

    def __init__(self, source: Source) -> None:
        """Raises:
        ProjectError: the project cannot be loaded.
        SystemExit: the secrets do not fit.
        """
        self._source = source
        self._guard = Guard.of(source.settings)
        self._api = Api(self._guard)
        self._first = load(source)
        super().__init__(
            routes=self._api.routes(),
            lifespan=self._lifespan,
            exception_handlers=dict.fromkeys((Refused, ConversationBusy, psycopg.Error, PoolTimeout, Exception), self._refuse),
        )

    @property
    def began_with(self) -> Serving:
        """What was loaded when the application was made."""
        return self._first

    @property
    def assistant(self) -> Assistant:
        """What answers, while the application runs.

        Raises:
            Refused: it is starting.
        """
        found = self._api.assistant
        if found is None:
            raise Refused(503, "Unavailable", "the server is starting")
        return found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] == WEBHOOK and scope["method"] == "POST":
            await self._webhook(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _webhook(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, status = _JSON, 200
        try:
            message = _incoming(read_body(await raw_body(scope, receive)))
            if self._source.settings.protect_webhook:
                self._guard.permit(scope, message.sender)
            trace.take(scope["headers"])
            replies = await self.assistant.answer(message)
            if b"stream=true" in scope["query_string"].lower().split(b"&"):
                headers, content = _STREAM, b"".join(orjson.dumps(reply) + b"\n" for reply in replies)
            else:
                content = orjson.dumps(replies)
        except Exception as error:
            refused = refusal(error)
            status, content = refused.status, orjson.dumps(refused.body)
        length = (b"content-length", b"%d" % len(content))
        await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": content})

    async def _refuse(self, _request: Request, error: Exception) -> Response:
        refused = refusal(error)
        return answer(refused.body, refused.status)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        settings = self._source.settings
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(open_pool(settings, Role.ASSISTANT, max_size=POOL_SIZE))
            made = Assistant(
                self._source,
                self._first,
                pool,
                self._source.clock or clock_from(settings),
                strict_payloads=settings.strict_payloads,
                prediction_cap=settings.prediction_cap,
            )
            stack.push_async_callback(made.aclose)
            await made.announce()
            self._api.assistant = made
            stack.callback(setattr, self._api, "assistant", None)
            stack.enter_context(_on_hangup(made))
            log.info("assistant ready", action="started", flows=len(made.serving.project.flows), release=made.serving.release)
            yield


class _on_hangup:  # noqa: N801 - reads as a function where it is used
    """SIGHUP loads the project anew, where signals can be had (the main thread)."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> None:
        try:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._begin)
        except (NotImplementedError, RuntimeError, ValueError):
            log.debug("no signals here", action="no_sighup")

    def __exit__(self, *_: object) -> None:
        try:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        except (NotImplementedError, RuntimeError, ValueError):
            return

    def _begin(self) -> None:
        task = asyncio.create_task(self._reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload(self) -> None:
        try:
            await self._assistant.reload()
        except (ProjectError, psycopg.Error, OSError) as error:
            log.error("the project could not be loaded anew; the one before goes on", action="reload_failed", reason=str(error))


def create_app(
    settings: Settings,
    project_dir: Path | None = None,
    *,
    config: Path | None = None,
    clock: Clock | None = None,
    understanding_transport: httpx.AsyncBaseTransport | None = None,
    actions_transport: httpx.AsyncBaseTransport | None = None,
) -> AssistantApp:
    """The server of the project in `project_dir` (default: the settings' own); `config` stands for its config.yml.

    For the settings' own project its neighbours are where the settings say; for another one where its endpoints.yml says.

    Raises:
        ProjectError: the project cannot be loaded.
        SystemExit: production without token or JWT, or a key that does not fit its method.
    """
    root = project_dir or settings.project_dir
    own = project_dir is None or project_dir.resolve() == settings.project_dir.resolve()
    return AssistantApp(Source(settings, root, config, own, clock, understanding_transport, actions_transport))
