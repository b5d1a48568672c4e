"""The part of vLLM's OpenAI server that a client of ours meets, with its status codes and its odd corners (reference C5, C6)."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from jsonschema import Draft202012Validator, SchemaError

from tightrope.infra.clock import clock_from
from tightrope.infra.settings import Settings
from tightrope.sandbox.model.faults import HANG_SECONDS, SLOW_SECONDS, Fault, FaultBook, FaultOrder, spoilt
from tightrope.sandbox.model.scripts import Schema, Script, reader

VERSION: Final = "0.32.0"
NAME: Final = "scripted@000000000000"
FINGERPRINT: Final = "000000000000"
MAX_MODEL_LEN: Final = 8192
"""Tokens of prompt and output together; four characters count as one."""
_CONSTRAINTS: Final = frozenset({"json", "regex", "choice", "grammar", "json_object", "structural_tag"})


class _Refused(Exception):
    def __init__(self, status: int, message: str, kind: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.param = status, kind, param


def create_app(settings: Settings, *, script: Script = reader) -> FastAPI:
    """The server. Its name and fingerprint are those that the settings expect; the key that the settings give is demanded under /v1.

    `app.state.faults` takes orders, `app.state.seen` keeps the bodies of all completions, `app.state.script` may be exchanged.
    """
    app = FastAPI(title="Sandbox model", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.faults, app.state.seen, app.state.script = FaultBook([]), [], script
    counted = {"stop": 0, "length": 0, "rejected": 0}
    name, fingerprint = settings.model_name or NAME, settings.model_fingerprint or FINGERPRINT
    key = settings.optional_secret("model_key", settings.model_key)
    clock = clock_from(settings)

    @app.middleware("http")
    async def keyed(request: Request, go_on: Any) -> Response:
        guarded = key is not None and request.url.path.startswith("/v1")
        if guarded and request.headers.get("authorization") != f"Bearer {key.get_secret_value() if key else ''}":
            return _json({"error": "Unauthorized"}, 401)
        answer: Response = await go_on(request)
        if (request_id := request.headers.get("x-request-id")) is not None:
            answer.headers["X-Request-Id"] = request_id
        return answer

    @app.get("/health")
    @app.get("/ping")
    async def health() -> Response:
        return Response()

    @app.get("/version")
    async def version() -> Response:
        return _json({"version": VERSION})

    @app.get("/load")
    async def load() -> Response:
        return _json({"server_load": 0})

    @app.get("/v1/models")
    async def models() -> Response:
        card = {"id": name, "object": "model", "owned_by": "vllm", "root": f"/models/{name}", "max_model_len": MAX_MODEL_LEN}
        return _json({"object": "list", "data": [card]})

    @app.get("/metrics")
    async def metrics() -> Response:
        lines = [
            "vllm:num_requests_running 0",
            "vllm:num_requests_waiting 0",
            "vllm:kv_cache_usage_perc 0.0",
            f'vllm:request_success_total{{finished_reason="stop"}} {counted["stop"]}',
            f'vllm:request_success_total{{finished_reason="length"}} {counted["length"]}',
            f'vllm:admission_rejections_total{{reason="queue"}} {counted["rejected"]}',
        ]
        return Response("\n".join(lines) + "\n", media_type="text/plain")

    @app.post("/_sandbox/faults")
    async def order(ordered: FaultOrder) -> Response:
        app.state.faults.pending.append(ordered)
        return Response(status_code=204)

    @app.delete("/_sandbox/faults")
    async def forget() -> Response:
        app.state.faults.pending.clear()
        return Response(status_code=204)

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        try:
            asked = _read(await request.body(), name)
            schema = _constraint(asked)
        except _Refused as error:
            return _error(error.status, str(error), error.kind, error.param)
        app.state.seen.append(asked)
        fault = app.state.faults.take()
        if fault in {Fault.SLOW, Fault.HANG}:
            await asyncio.sleep(SLOW_SECONDS if fault is Fault.SLOW else HANG_SECONDS)
        if (broken := _broken(fault)) is not None:
            counted["rejected"] += fault is Fault.BUSY
            return broken
        text, finish = spoilt(fault, app.state.script(asked["messages"], schema))
        if len(text) // 4 > asked["max_tokens"]:
            text, finish = text[: asked["max_tokens"] * 4], "length"
        counted[finish] += 1
        body = {
            "id": f"chatcmpl-{request.headers.get('x-request-id') or uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(clock.now().timestamp()),
            "model": "another-model" if fault is Fault.WRONG_NAME else name,
            "system_fingerprint": "ffffffffffff" if fault is Fault.WRONG_FINGERPRINT else fingerprint,
            "choices": []
            if fault is Fault.NO_CHOICE
            else [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "tool_calls": []},
                    "logprobs": None,
                    "finish_reason": finish,
                }
            ],
            "usage": _usage(asked, text),
        }
        return _json(body)

    return app


def _read(raw: bytes, name: str) -> dict[str, Any]:
    """The request, held to what vLLM holds it to; fields that it does not know are not refused there either."""
    try:
        asked = json.loads(raw)
    except ValueError as error:
        raise _Refused(400, f"Invalid JSON: {error}", "BadRequestError") from None
    if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list) or not asked["messages"]:
        raise _Refused(400, "messages: Field required", "BadRequestError", "messages")
    if asked.get("model") != name:
        raise _Refused(404, f"The model `{asked.get('model')}` does not exist. Valid aliases: {name}", "NotFoundError", "model")
    asked.setdefault("max_tokens", MAX_MODEL_LEN // 2)
    length = sum(len(str(one.get("content"))) for one in asked["messages"]) // 4
    if length + asked["max_tokens"] > MAX_MODEL_LEN:
        raise _Refused(
            400, f"This model's maximum context length is {MAX_MODEL_LEN} tokens; you asked for {length}", "BadRequestError"
        )
    return asked


def _constraint(asked: dict[str, Any]) -> Schema | None:
    """The JSON schema of a request, in either of its forms.

    Raises:
        _Refused: two constraints at once, or a schema that is none.
    """
    given = asked.get("structured_outputs") or {}
    if len(_CONSTRAINTS & given.keys()) > 1:
        raise _Refused(400, "You can only use one kind of structured outputs constraint", "BadRequestError")
    schema = given.get("json")
    wanted = asked.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        schema = wanted["json_schema"]["schema"]
    if schema is not None:
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise _Refused(400, f"Invalid schema: {error.message}", "BadRequestError") from None
    return schema


def _broken(fault: Fault | None) -> Response | None:
    if fault is Fault.BUSY:
        return _error(503, "The engine is currently busy. Please try again later.", "Service Unavailable")
    if fault is Fault.DEAD:
        return _error(500, "EngineDeadError", "InternalServerError")
    if fault is Fault.HTML:
        return Response("<html><body>Gateway</body></html>", media_type="text/html")
    return None


def _usage(asked: dict[str, Any], text: str) -> dict[str, Any]:
    prompt = sum(len(str(one.get("content"))) for one in asked["messages"]) // 4
    said = max(1, len(text) // 4)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": said,
        "total_tokens": prompt + said,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value, ensure_ascii=False), status_code=status, media_type="application/json")


def _error(status: int, message: str, kind: str, param: str | None = None) -> Response:
    return _json({"error": {"message": message, "type": kind, "param": param, "code": status}}, status)
