"""The HTTP edge's small parts: bodies in, JSON and errors out, in the shapes of Rasa's HTTP API."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

import orjson
import psycopg
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from tightrope.engine.answers import read_json
from tightrope.engine.clients import PROTOCOL_VERSION
from tightrope.engine.errors import ConversationBusy
from tightrope.infra.logging import get_logger

log = get_logger()

MAX_BODY = 262_144
"""Bytes of a request."""
MAX_SENDER = 255


class Refused(Exception):
    """A request that is answered with an error in Rasa's shape."""

    def __init__(self, status: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        self.status = status
        self.body = {
            "version": PROTOCOL_VERSION,
            "status": "failure",
            "message": message,
            "reason": reason,
            "details": dict(details or {}),
            "help": None,
            "code": status,
        }
        super().__init__(message)


def answer(body: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(body), status, media_type="application/json")


def refusal(error: Exception) -> Refused:
    """What the caller is told of an error; of one that nobody expected, no word of its own."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, ConversationBusy):
        return Refused(503, "Busy", "this conversation is being answered elsewhere; try again")
    if isinstance(error, psycopg.Error | PoolTimeout):
        log.error("the database failed", action="database_failed", error=type(error).__name__)
        return Refused(503, "Unavailable", "the conversation cannot be read or kept now; try again")
    # Neither its message nor its variables: either may hold customers' data.
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    where = " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
    log.error("a request failed", action="request_failed", error=type(error).__name__, where=where)
    return Refused(500, "ServerError", "an unexpected error; it stands in the log of the server")


def check_sender(sender: Any) -> str:
    """A conversation id.

    Raises:
        Refused: it is none.
    """
    if not isinstance(sender, str) or not 0 < len(sender) <= MAX_SENDER or "\x00" in sender:
        raise Refused(400, "BadRequest", f"a conversation id must be a text of 1 to {MAX_SENDER} characters")
    return sender


async def raw_body(scope: Scope, receive: Receive) -> bytes:
    """The bytes of a request.

    Raises:
        Refused: there are more than MAX_BODY; a chunked body, which declares no length, is refused before it fills the memory.
    """
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if not declared.isdigit() or int(declared) > MAX_BODY:
        raise Refused(413, "TooLarge", f"the body is larger than {MAX_BODY} bytes")
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "BadRequest", "the request broke off")
        body += bytes(message.get("body", b""))
        if len(body) > MAX_BODY:
            raise Refused(413, "TooLarge", f"the body is larger than {MAX_BODY} bytes")
        if not message.get("more_body"):
            return body


def read_body(content: bytes) -> Any:
    """The JSON of a request.

    Raises:
        Refused: it is none, or nested deeper than anything that can be kept.
    """
    try:
        return read_json(content)
    except ValueError as error:
        raise Refused(400, "BadRequest", f"the body is no JSON that can be used: {str(error)[:200]}") from None


async def json_body(request: Request) -> Any:
    """The JSON of a request; null for an empty body."""
    content = await raw_body(request.scope, request.receive)
    return read_body(content) if content else None
