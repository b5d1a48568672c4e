"""Outbound HTTP, the only door out of the building (red line 7).

Every client of every part is made here. A host that is not on the allow-list is refused before a name is looked up or a socket
opened, and the refusal is logged. Redirects are never followed, proxies from the environment are ignored.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx

from tightrope.infra import network_log
from tightrope.infra.kept import KeptTransport
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings

log = get_logger()

_PORTS = {"http": 80, "https": 443}
TIMEOUT = httpx.Timeout(connect=2.0, read=10.0, write=5.0, pool=2.0)
"""Seconds; callers with another need pass their own."""


refusal_observers: list[Callable[[str, str], None]] = []
"""Told (host, purpose) of each refused connection; a process that may write records puts it on the record."""


class OutboundRefused(httpx.ConnectError):
    """The host is not on the allow-list (TIGHTROPE_ALLOWED_HOSTS). Add it there if the firm's policy allows it."""


def permitted(allow_list: frozenset[str], host: str, port: int | None, *, purpose: str) -> bool:
    """Whether a connection may be opened; notes the target, and logs and tells a refusal. For libraries that open their own sockets."""
    # Noted here as well as by the interpreter's hooks: an event loop written in C opens its sockets past them.
    network_log.note("connect" if host in allow_list else "refused", host, port)
    if host in allow_list:
        return True
    log.error("outbound connection refused", action="outbound_refused", host=host, purpose=purpose)
    for tell in refusal_observers:
        tell(host, purpose)
    return False


class _AllowListTransport(httpx.AsyncBaseTransport):
    def __init__(self, allow_list: frozenset[str], purpose: str, inner: httpx.AsyncBaseTransport) -> None:
        self._allow_list = allow_list
        self._purpose = purpose
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host.lower()
        port = request.url.port or _PORTS.get(request.url.scheme)
        if not permitted(self._allow_list, host, port, purpose=self._purpose):
            raise OutboundRefused(
                f"{host} is not on the allow-list (TIGHTROPE_ALLOWED_HOSTS); {self._purpose} was not sent", request=request
            )
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def outbound_client(
    settings: Settings,
    *,
    purpose: str,
    base_url: str = "",
    headers: dict[str, str] | None = None,
    timeout: httpx.Timeout = TIMEOUT,
    transport: httpx.AsyncBaseTransport | None = None,
    max_connections: int = 64,
) -> httpx.AsyncClient:
    """A client that reaches only hosts of the allow-list.

    Args:
        purpose: what it is for, in a word or two; appears in refusals.
        transport: what carries the allowed requests; tests pass `httpx.MockTransport` or `httpx.ASGITransport`.
    """
    inner = transport or httpx.AsyncHTTPTransport(
        limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections)
    )
    return httpx.AsyncClient(
        base_url=base_url,
        headers=headers,
        timeout=timeout,
        transport=_AllowListTransport(settings.allow_list, purpose, inner),
        follow_redirects=False,
        trust_env=False,
    )


class Poster:
    """Posts JSON to one address over kept connections; made by `outbound_poster`."""

    def __init__(self, url: str, timeout: httpx.Timeout, transport: httpx.AsyncBaseTransport) -> None:
        self._url = httpx.URL(url)
        self._extensions = {"timeout": timeout.as_dict()}
        self._transport = transport

    async def post(self, content: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        """Send a body and read the whole answer.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout: nothing was sent (`OutboundRefused`: and nothing ever will be).
            httpx.TransportError: it is not known whether the server acted.
        """
        sent = {"content-type": "application/json", "accept-encoding": "identity", **(headers or {})}
        request = httpx.Request("POST", self._url, headers=sent, content=content, extensions=self._extensions)
        response = await self._transport.handle_async_request(request)
        await response.aread()
        return response

    async def answers(self) -> bool:
        """Whether the server answers anything at all: asks for /health, which changes nothing."""
        health = self._url.copy_with(raw_path=b"/health")
        brief = {"timeout": httpx.Timeout(1.0).as_dict()}
        request = httpx.Request("GET", health, headers={"accept-encoding": "identity"}, extensions=brief)
        try:
            await (await self._transport.handle_async_request(request)).aread()
        except httpx.TransportError:
            return False
        return True

    async def aclose(self) -> None:
        """Close connections."""
        await self._transport.aclose()


def outbound_poster(
    settings: Settings,
    *,
    purpose: str,
    url: str,
    timeout: httpx.Timeout = TIMEOUT,
    max_bytes: int = 4_194_304,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Poster:
    """As `outbound_client`, for calls that are made so often that their own cost counts: POST to one address.

    Args:
        timeout: `read` bounds the time from sending to the last byte of the answer.
        max_bytes: the largest answer taken.
        transport: what carries the allowed requests; tests pass `httpx.MockTransport` or `httpx.ASGITransport`.
    """
    inner = transport or KeptTransport(max_bytes=max_bytes)
    return Poster(url, timeout, _AllowListTransport(settings.allow_list, purpose, inner))
