"""RAGFlow's edge: the key, the error envelope, and bodies read with a bound.

Errors are HTTP 200 with `code != 0`, 401 is real (api/utils/api_utils.py of RAGFlow 0.27).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from tightrope.infra.logging import get_logger
from tightrope.knowledge.server.errors import ARGUMENT, EXCEPTION, ApiError

log = get_logger()
MAX_BODY = 8 * 1024 * 1024
_OPEN = {"/api/v1/system/healthz", "/api/v1/system/version", "/health"}
_UNAUTHORISED = {"code": 401, "data": None, "message": "<Unauthorized '401: Unauthorized'>"}


def json_response(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def ok(data: Any = None, **more: Any) -> Response:
    return json_response({"code": 0, **({} if data is None else {"data": data}), **more})


class RagflowRoute(APIRoute):
    """Authentication and RAGFlow's error envelope around every handler."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if request.url.path not in _OPEN and not _authorised(request):
                return json_response(_UNAUTHORISED, 401)
            try:
                return await inner(request)
            except ApiError as error:
                return json_response({"code": error.code, "message": error.message})
            except HTTPException:
                raise
            except Exception as error:
                log.exception("a request failed", action="knowledge_request_failed", path=request.url.path)
                text = repr(error) if isinstance(error, (KeyError, ValueError, TypeError)) else f"{type(error).__name__}()"
                return json_response({"code": EXCEPTION, "message": text[:200]})

        return handle


def _authorised(request: Request) -> bool:
    header = request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else header
    return hmac.compare_digest(token.encode(), request.app.state.key.encode())


async def _raw(request: Request) -> bytes:
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > MAX_BODY:
            raise ApiError(ARGUMENT, f"the body is larger than {MAX_BODY} bytes")
    return bytes(raw)


async def read_body(request: Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await _raw(request))
    except orjson.JSONDecodeError:
        raise ApiError(EXCEPTION, "<BadRequest '400: Bad Request'>") from None
    if not isinstance(body, dict):
        raise ApiError(ARGUMENT, "the body must be a JSON object")
    return body
