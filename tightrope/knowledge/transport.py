"""One RAGFlow call: the rule of what counts as success, and what kind of failure everything else is.

Success is status 200, a JSON object, `code` 0 and `data` of the expected type. RAGFlow answers most errors with HTTP 200.
"""

from __future__ import annotations

from typing import Any, TypeVar

import httpx
import orjson

from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings
from tightrope.knowledge.errors import KnowledgeRejected, KnowledgeUnavailable
from tightrope.knowledge.versions import Version

TIMEOUT = httpx.Timeout(connect=3.0, read=5.0, write=5.0, pool=2.0)
_RETRYABLE = {100, 105, 106}
_MAX_ANSWER = 4 * 1024 * 1024

T = TypeVar("T")


class Unauthorised(KnowledgeRejected):
    """HTTP 401: a wrong key, or an error text that merely contains "401" (RAGFlow remaps those)."""


def knowledge_client(
    settings: Settings,
    *,
    purpose: str,
    transport: httpx.AsyncBaseTransport | None = None,
    timeout: httpx.Timeout = TIMEOUT,
) -> httpx.AsyncClient:
    """An HTTP client for the knowledge server with its key; it keeps no cookies, since RAGFlow would accept a session cookie."""
    return outbound_client(
        settings,
        purpose=purpose,
        base_url=settings.knowledge_url,
        headers={"authorization": f"Bearer {settings.secret('knowledge_api_key').get_secret_value()}"},
        timeout=timeout,
        transport=transport,
        max_connections=16,
    )


async def call(client: httpx.AsyncClient, method: str, path: str, expected: type[T], **request: Any) -> T:
    """Send one request and return its `data`.

    Raises:
        KnowledgeUnavailable: no connection, time-out, 5xx, or a code that says "try again".
        KnowledgeRejected: every other answer that is not success, also one that is not RAGFlow's.
    """
    body = read_envelope(await send(client, method, path, **request))
    data = body.get("data")
    if not isinstance(data, expected):
        raise KnowledgeRejected(f"{method} {path}: data is {type(data).__name__}, not {expected.__name__}")
    return data


async def server_version(client: httpx.AsyncClient) -> tuple[str, Version]:
    """The server's version, as it names itself and as numbers.

    Raises:
        KnowledgeUnavailable: it did not say.
        KnowledgeRejected: it is no version, or one that must neither answer nor be published to.
    """
    text = await call(client, "GET", "/api/v1/system/version", str)
    try:
        found = Version.read(text)
    except ValueError as error:
        raise KnowledgeRejected(f"the knowledge server does not say which RAGFlow it is: {error}") from None
    found.require_known()
    return text, found


async def send(client: httpx.AsyncClient, method: str, path: str, **request: Any) -> httpx.Response:
    """Send one request; a connection failure or time-out is KnowledgeUnavailable."""
    try:
        response = await client.request(method, path, **request)
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise KnowledgeUnavailable(f"{method} {path}: {type(error).__name__}") from error
    client.cookies.clear()
    if len(response.content) > _MAX_ANSWER:
        raise KnowledgeRejected(f"{method} {path}: the answer is larger than {_MAX_ANSWER} bytes")
    return response


def read_envelope(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of a successful answer, by the rule above."""
    where = f"{response.request.method} {response.request.url.path}"
    if response.status_code >= 500:
        raise KnowledgeUnavailable(f"{where}: HTTP {response.status_code}")
    if response.status_code == 401:
        raise Unauthorised(f"{where}: HTTP 401")
    if response.status_code != 200:
        raise KnowledgeRejected(f"{where}: HTTP {response.status_code}")
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        raise KnowledgeRejected(f"{where}: the answer is not JSON") from None
    if not isinstance(body, dict) or not isinstance(body.get("code"), int) or isinstance(body["code"], bool):
        raise KnowledgeRejected(f"{where}: the answer has no code")
    if body["code"] != 0:
        kind = KnowledgeUnavailable if body["code"] in _RETRYABLE else KnowledgeRejected
        raise kind(f"{where}: code {body['code']}: {str(body.get('message'))[:200]}")
    return body
