"""How the business API is spoken to: attempts, their outcomes, and the checks that every answer has to pass."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from tightrope.business import asking
from tightrope.business.basics import Receipt
from tightrope.business.errors import (
    BadRequest,
    BusinessError,
    Conflict,
    InvalidAnswer,
    KeyReused,
    NoAnswer,
    NotFound,
    NotReached,
    Refused,
    Stale,
)
from tightrope.business.operations import MAX_AGE
from tightrope.infra.clock import Clock
from tightrope.infra.http import OutboundRefused
from tightrope.infra.logging import get_logger

log = get_logger()

TIMEOUT_SECONDS: Final = 2.0
"""For a whole attempt, connecting and reading included."""
PAGE_LIMIT: Final = 50
MAX_PAGES: Final = 20
MAX_BODY_BYTES: Final = 1_048_576
_CHUNK: Final = 65_536
AHEAD: Final = timedelta(minutes=2)
"""How far the firm's clock may be ahead of ours."""

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY: Final = re.compile(r"[A-Za-z0-9._-]{16,128}")


class _Dated(Protocol):
    @property
    def as_of(self) -> datetime: ...


M = TypeVar("M", bound=BaseModel)
_ERRORS: Final[Mapping[int, type[BusinessError]]] = {401: Refused, 403: Refused, 404: NotFound, 409: Conflict}
_OPEN_ENDS: Final = frozenset({"", "request-in-progress"})
"""Problem types of a 409 after which a request may still be carried out; no readable type is one, since the contract demands one of a refusal."""


class Wire:
    """One HTTP client and one clock.

    Args:
        http: a client made by `tightrope.infra.http.outbound_client` with `base_url=settings.brokerage_url`.
        clock: judges the age of answers.
        timeout: seconds for one attempt.
    """

    def __init__(self, http: httpx.AsyncClient, clock: Clock, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._http = http
        self._clock = clock
        self._timeout = timeout

    async def _get(self, operation: str, path: str, token: str | None, params: dict[str, str] | None = None) -> bytes:
        asking.note("GET", path, params or {}, b"")
        request = self._http.build_request("GET", path, params=params, headers=_headers(token))
        return self._body(operation, await self._reach(operation, request))

    async def _post(self, operation: str, path: str, token: str, key: str, body: Mapping[str, Any]) -> bytes:
        """Send a request with its idempotency key; repeat it once when the outcome of the first attempt is unknown.

        Raises:
            NoAnswer: both attempts left the outcome open, or the repetition could not settle what the first one did.
        """
        if not _KEY.fullmatch(key):
            raise BadRequest("not an idempotency key", Receipt(operation, BadRequest.outcome, None, None, None))
        headers = _headers(token) | {"Idempotency-Key": key, "Content-Type": "application/json"}
        try:
            content = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        except UnicodeEncodeError:
            raise BadRequest("half a character in the text", Receipt(operation, BadRequest.outcome, None, None, None)) from None
        asking.note("POST", path, {}, content)
        request = self._http.build_request("POST", path, content=content, headers=headers)
        try:
            return self._body(operation, await self._reach(operation, request))
        except NoAnswer:
            log.warning("outcome unknown, repeating with the same key", action="business_repeat", operation=operation)
        try:
            return self._body(operation, await self._attempt(operation, request))
        except InvalidAnswer:
            raise
        except BusinessError as error:
            receipt = Receipt(operation, NoAnswer.outcome, error.receipt.status, None, error.receipt.sha256)
            raise NoAnswer("sent twice, and still not known whether it was done", receipt) from error

    async def _reach(self, operation: str, request: httpx.Request) -> httpx.Response:
        """An attempt, and a second one when the first surely never left this machine."""
        try:
            return await self._attempt(operation, request)
        except NotReached as error:
            if isinstance(error.__cause__, OutboundRefused):
                raise
            log.warning("business API not reached, trying once more", action="business_retry", operation=operation)
        return await self._attempt(operation, request)

    async def _attempt(self, operation: str, request: httpx.Request) -> httpx.Response:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._received(_again(request, self._timeout))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotReached("no connection", Receipt(operation, NotReached.outcome, None, None, None)) from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise NoAnswer(
                f"no answer within {self._timeout} s", Receipt(operation, NoAnswer.outcome, None, None, None)
            ) from error

    async def _received(self, request: httpx.Request) -> httpx.Response:
        """The answer, read no further than what is refused as too long: whoever answers does not choose how much memory that takes."""
        response = await self._http.send(request, stream=True)
        content = bytearray()
        try:
            async for chunk in response.aiter_bytes(_CHUNK):
                content += chunk
                if len(content) > MAX_BODY_BYTES:
                    break
        finally:
            await response.aclose()
        return httpx.Response(response.status_code, content=bytes(content), request=request)

    @staticmethod
    def _body(operation: str, response: httpx.Response) -> bytes:
        body, status = response.content, response.status_code
        if response.is_success:
            if len(body) > MAX_BODY_BYTES:
                raise InvalidAnswer(f"the body has {len(body)} bytes", receipt_of(operation, InvalidAnswer, status, body))
            return body
        problem = _problem(body) if status == httpx.codes.CONFLICT else ""
        kind = _kind(response.request.method, status, problem)
        log.warning(
            "business API did not answer the question",
            action="business_error",
            operation=operation,
            outcome=kind.outcome,
            status=status,
        )
        receipt = receipt_of(operation, kind, status, body)
        if kind is Conflict:
            raise Conflict(f"status {status}", receipt, problem)
        raise kind(f"status {status}", receipt)

    @staticmethod
    def _parse(operation: str, model: type[M], body: bytes) -> M:
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            # Only the places are named: the values of a broken answer may be somebody's figures.
            places = sorted({".".join(str(part) for part in item["loc"]) or "body" for item in error.errors(include_input=False)})
            raise InvalidAnswer(
                f"the answer breaks the contract at {', '.join(places)}", receipt_of(operation, InvalidAnswer, 200, body)
            ) from None

    @staticmethod
    def _same(operation: str, body: bytes, got: str, asked: str) -> None:
        if got != asked:
            raise InvalidAnswer(
                "the answer is about another customer or account", receipt_of(operation, InvalidAnswer, 200, body)
            )

    def _fresh(self, operation: str, value: _Dated, body: bytes) -> Receipt:
        digest = hashlib.sha256(body).hexdigest()
        age = self._clock.now() - value.as_of
        if age > MAX_AGE[operation]:
            raise Stale(f"the data is of {value.as_of.isoformat()}", Receipt(operation, Stale.outcome, 200, value.as_of, digest))
        if age < -AHEAD:
            raise InvalidAnswer("the data is of the future", Receipt(operation, InvalidAnswer.outcome, 200, value.as_of, digest))
        return Receipt(operation, "ok", 200, value.as_of, digest)


def segment(operation: str, identifier: str) -> str:
    """The id, when it can stand in a path; anything else is not sent at all."""
    if not _ID.fullmatch(identifier):
        raise BadRequest("not an id", Receipt(operation, BadRequest.outcome, None, None, None))
    return identifier


def receipt_of(operation: str, kind: type[BusinessError], status: int, body: bytes) -> Receipt:
    """The receipt of an answer that cannot be used."""
    return Receipt(operation, kind.outcome, status, None, hashlib.sha256(body).hexdigest())


def _headers(token: str | None) -> dict[str, str]:
    # Nothing packed: a few kilobytes could unpack to gigabytes.
    accept = {"Accept": "application/json, application/problem+json", "Accept-Encoding": "identity"}
    return accept if token is None else accept | {"Authorization": f"Bearer {token}"}


def _again(request: httpx.Request, timeout: float) -> httpx.Request:
    """A fresh copy: a request that was sent once carries the state of that attempt."""
    extensions = {"timeout": httpx.Timeout(timeout).as_dict()}
    return httpx.Request(request.method, request.url, headers=request.headers, content=request.content, extensions=extensions)


def _problem(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    kind = found.get("type") if isinstance(found, dict) else None
    return kind.rsplit("/", 1)[-1] if isinstance(kind, str) else ""


def _kind(method: str, status: int, problem: str) -> type[BusinessError]:
    if method == "POST":
        if status == httpx.codes.UNPROCESSABLE_ENTITY:
            return KeyReused
        if status == httpx.codes.CONFLICT and problem in _OPEN_ENDS:
            return NoAnswer
    if status in _ERRORS:
        return _ERRORS[status]
    return BadRequest if 400 <= status < 500 else NoAnswer
