"""The understanding server: OpenAI's chat completions, for the engine and for Rasa Pro's model group alike (docs/wire-contracts.md)."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
from fastapi import FastAPI, Response
from fastapi import Request as HttpRequest
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

import tightrope
from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.encoder import MISSING as NO_ENCODER
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.release.manifest import release_id
from tightrope.understanding import slots, training
from tightrope.understanding.errors import BadRequestError
from tightrope.understanding.models import Request, Result
from tightrope.understanding.offers import Offers
from tightrope.understanding.proposing import Assisted
from tightrope.understanding.service import MARKET_ZONE, Understanding

MODEL = "tightrope-understanding"
MAX_BODY = 4_000_000
"""Bytes of a request body: a message of 8000 characters and a thousand wordy flows (640 kB) fit several times."""

_REFUSED = ("tools", "functions", "tool_choice", "function_call", "response_format", "audio")

_OFFERS = Offers()
log = get_logger()


def build(settings: Settings) -> Understanding:
    """The understanding of this release: thresholds, slots and classifier of `data/understanding`, the classifier kept in `<state_dir>/cache`.

    Raises:
        TrainingDataError: a file there cannot be used; names it.
    """
    folder = settings.project_dir / "data" / "understanding"
    clock = clock_from(settings)
    return Understanding(
        training.obtained(folder, settings.state_dir / "cache"),
        training.thresholds(folder),
        slots.load(folder),
        lambda: clock.now().astimezone(MARKET_ZONE).date(),
    )


def create_app(settings: Settings, *, model_transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """The HTTP app. Each message is understood in a thread, so that a long one keeps nobody waiting but those that the encoder has yet to read.

    Args:
        model_transport: what carries requests to the model instead of sockets (tests).

    Raises:
        SystemExit: in production there is no sentence encoder.
        TrainingDataError: see `build`.
    """
    local = build(settings)
    encoder = local.classifier.meaning.encoder.name if local.classifier.meaning else None
    if encoder is None and settings.mode == "production":
        raise SystemExit(f"mode=production refuses to understand by words alone: {NO_ENCODER}")
    understanding = Assisted.of(settings, local, transport=model_transport)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await understanding.aclose()

    app = FastAPI(title="Tightrope understanding", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    release = release_id(settings)
    clock = clock_from(settings)
    health = {
        "status": "ok",
        "part": "understanding",
        "version": tightrope.__version__,
        "release": release,
        "classifier": local.classifier.fingerprint,
        "encoder": encoder,
        **({} if encoder else {"detail": f"understands by words alone and is less often right: {NO_ENCODER}"}),
    }
    log.info(
        "Ready to understand",
        action="understanding_ready",
        classifier=local.classifier.fingerprint,
        release=release,
        model=understanding.standing,
    )

    @app.exception_handler(BadRequestError)
    async def bad_request(_: HttpRequest, error: BadRequestError) -> Response:
        return _error(error.status, str(error), error.code, error.param)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: HttpRequest, error: RequestValidationError) -> Response:
        return _error(400, str(error), "invalid_request", None)

    @app.exception_handler(HTTPException)
    async def not_here(_: HttpRequest, error: HTTPException) -> Response:
        return _error(
            error.status_code, "This server offers POST /v1/chat/completions, GET /v1/models and GET /health", "not_found", None
        )

    @app.get("/health")
    async def get_health() -> Response:
        return _json({**health, "model": understanding.standing})

    @app.get("/v1/models")
    async def get_models() -> Response:
        return _json({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "tightrope"}]})

    @app.post("/v1/chat/completions")
    async def complete(http: HttpRequest) -> Response:
        started = time.perf_counter_ns()
        body = await http.body()
        request = read(body)
        result = await understanding.understand(request)
        log.debug(
            "Understood",
            action="understood",
            source=result.source,
            rule=result.rule,
            commands=len(result.commands),
            microseconds=(time.perf_counter_ns() - started) // 1000,
        )
        return _json(completion(result, clock, len(body)))

    return app


def read(body: bytes) -> Request:
    """The request inside a chat completion's body.

    Raises:
        BadRequestError: the body is too large, not JSON, asks for something else, or its last message is not our JSON.
    """
    if len(body) > MAX_BODY:
        raise BadRequestError(
            f"The body has {len(body)} bytes; at most {MAX_BODY} are accepted", status=413, code="request_too_large"
        )
    cut = _OFFERS.cut(body)
    asked = cut.asked if cut else _object(body, "The body")
    if asked.get("stream"):
        raise BadRequestError("Streaming is not offered: leave `stream` out", code="unsupported_parameter", param="stream")
    if asked.get("n") not in {None, 1}:
        raise BadRequestError("Only one choice is offered: leave `n` out", code="unsupported_parameter", param="n")
    for name in _REFUSED:
        if asked.get(name):
            raise BadRequestError(f"`{name}` is not offered by this server", code="unsupported_parameter", param=name)
    if asked.get("model") != MODEL:
        raise BadRequestError(f"The model here is {MODEL!r}", status=404, code="model_not_found", param="model")
    try:
        return Request.model_validate(
            cut.request
            if cut
            else _object(_content(asked.get("messages")).encode("utf-8", "surrogatepass"), "The last message's content")
        )
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False, include_url=False)
        )
        raise BadRequestError(
            f"The last message's content is not a request as prompts/command.jinja2 renders it ({where})", param="messages"
        ) from None


def completion(result: Result, clock: Clock, size: int) -> dict[str, Any]:
    """OpenAI's chat completion that carries the command lines, and beside it what the record keeps of how they came about."""
    text = result.text
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(clock.now().timestamp()),
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": size // 4, "completion_tokens": len(text) // 4, "total_tokens": size // 4 + len(text) // 4},
        "tightrope": record(result),
    }


def record(result: Result) -> dict[str, Any]:
    """How commands came about, as the record of a turn keeps it (contracts/turn/understanding.schema.json)."""
    asked = {} if result.proposal is None else {"proposal": result.proposal, "models": [call.item() for call in result.calls]}
    return {
        **asked,
        "source": result.source,
        "rule": result.rule,
        "candidates": [list(candidate) for candidate in result.candidates],
        "threshold": result.threshold,
        "classifier": result.classifier,
    }


def _content(messages: Any) -> str:
    """The text of the last message, also when it comes as OpenAI's list of parts."""
    last = messages[-1] if isinstance(messages, list) and messages else None
    content = last.get("content") if isinstance(last, dict) else None
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in content]
        content = "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else None
    if not isinstance(content, str):
        raise BadRequestError("`messages` has to end with a message whose content is text", param="messages")
    return content


def _object(raw: bytes, what: str) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BadRequestError(f"{what} is not JSON", code="invalid_json", param="messages") from None
    if not isinstance(value, dict):
        raise BadRequestError(f"{what} is not a JSON object", code="invalid_json", param="messages")
    return value


def _json(value: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")


def _error(status: int, message: str, code: str, param: str | None) -> Response:
    return _json({"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}, status)
