"""Kept HTTP/1.1 connections for calls that are made thousands of times a minute: an httpx transport that does little more than send and parse.

httpx's own transport takes 0.7 ms of processor time a call here, this one 0.1. It holds whole answers in memory up to a limit, follows nothing,
decodes nothing, and raises httpx's errors with their meaning kept: `ConnectError` and `ConnectTimeout` mean that nothing was sent.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from typing import Any

import httptools
import httpx

IDLE_SECONDS = 3.0
"""After this time an idle connection is closed: servers close theirs after five seconds, and a request sent just then would be lost."""
HEAD_BYTES = 65_536
"""What an answer may have beside its body: headers, and the lengths of chunks."""
_Origin = tuple[str, str, int]
_PORTS = {"http": 80, "https": 443}


class AnswerTooLarge(httpx.RemoteProtocolError):
    """The answer is larger than the caller takes."""


class _Connection(asyncio.Protocol):
    """One connection; carries one exchange at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[httpx.Response] | None = None
        self._parser: Any = None
        self._status = 0
        self._received = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._framed = False
        self._expiry: asyncio.TimerHandle | None = None
        self.usable = False

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self.usable = True

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            # Nobody asked: what comes now could be taken for the next answer.
            self.close()
            return
        self._received += len(data)
        if self._received > self._limit + HEAD_BYTES:
            self._fail(AnswerTooLarge(f"the answer is larger than {self._limit} bytes"))
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(error if isinstance(error, httpx.HTTPError) else httpx.RemoteProtocolError(f"no HTTP answer: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        self.wake()
        if self._waiter is None:
            return
        if self._status >= 200 and not self._framed:
            # Neither a length nor chunks: the end of the connection is the end of the answer.
            self.on_message_complete()
            return
        self._fail(
            httpx.ReadError(str(exc)) if exc else httpx.RemoteProtocolError("the server closed before its answer was whole")
        )

    # the parser's side

    def on_message_begin(self) -> None:
        if self._waiter is None:
            self.close()
        self._headers = []
        self._body = bytearray()
        self._framed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        if name.lower() in {b"content-length", b"transfer-encoding"}:
            self._framed = True

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if any(name.lower() == b"content-encoding" and value.lower() != b"identity" for name, value in self._headers):
            # Not asked for, and a few bytes could unpack to fill the memory.
            self._fail(httpx.RemoteProtocolError("the answer is compressed"))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        waiter = self._waiter
        if waiter is None or self._status < 200:  # 100 Continue, 103 Early Hints: the answer is still to come
            return
        self._waiter = None
        if not (self.usable and self._framed and self._parser.should_keep_alive()):
            self.close()
        if not waiter.done():
            waiter.set_result(httpx.Response(self._status, headers=self._headers, content=bytes(self._body)))

    # the caller's side

    async def exchange(self, request: httpx.Request, seconds: float | None) -> httpx.Response:
        """Send a request and wait for its whole answer."""
        loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._status = self._received = 0
        waiter: asyncio.Future[httpx.Response] = loop.create_future()
        self._waiter = waiter
        target = request.url.raw_path
        lines = [b"%b %b HTTP/1.1" % (request.method.encode(), target), *(b"%b: %b" % pair for pair in request.headers.raw)]
        assert self._transport is not None  # noqa: S101 - connected before
        self._transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + request.content)
        alarm = (
            None if seconds is None else loop.call_later(seconds, self._fail, httpx.ReadTimeout(f"no answer in {seconds:g} s"))
        )
        try:
            return await waiter
        finally:
            if alarm is not None:
                alarm.cancel()
            if self._waiter is not None:  # given up: its answer may still come
                self._waiter = None
                self.close()

    def silent(self) -> bool:
        """Whether the other side has neither closed nor said anything that asyncio has not got round to telling."""
        assert self._transport is not None  # noqa: S101 - connected before
        socket = self._transport.get_extra_info("socket")
        poll = select.poll()
        poll.register(socket.fileno(), select.POLLIN)
        return not poll.poll(0)

    def rest(self) -> None:
        """Idle from now on, and closed if nobody comes."""
        self._expiry = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.close)

    def wake(self) -> None:
        """Idle no longer."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def close(self) -> None:
        """Close; not to be used again."""
        self.usable = False
        if self._transport is not None:
            self._transport.close()

    def _fail(self, error: Exception) -> None:
        waiter, self._waiter = self._waiter, None
        self.close()
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)


class KeptTransport(httpx.AsyncBaseTransport):
    """Keeps connections to each origin and uses the newest idle one.

    Of a request's time-outs `connect` bounds the connection and `read` the time from sending to the last byte of the answer, so that a
    server that gives a byte a second is no way to hold a caller.

    Args:
        max_bytes: the largest answer taken.
    """

    def __init__(self, *, max_bytes: int, ssl_context: ssl.SSLContext | None = None) -> None:
        self._limit = max_bytes
        self._ssl = ssl_context
        self._idle: dict[_Origin, list[_Connection]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout: nothing was sent.
            httpx.TransportError: it is not known whether the server acted.
        """
        url = request.url
        origin = (url.scheme, url.host, url.port or _PORTS[url.scheme])
        timeout = request.extensions.get("timeout") or {}
        idle = self._idle.setdefault(origin, [])
        connection = self._newest(idle) or await self._connect(origin, timeout.get("connect"))
        response = await connection.exchange(request, timeout.get("read"))
        if connection.usable:
            connection.rest()
            idle.append(connection)
        return response

    async def aclose(self) -> None:
        """Close all idle connections."""
        for connections in self._idle.values():
            while connections:
                connections.pop().close()

    @staticmethod
    def _newest(idle: list[_Connection]) -> _Connection | None:
        while idle:
            connection = idle.pop()
            connection.wake()
            if connection.usable and connection.silent():
                return connection
            connection.close()
        return None

    async def _connect(self, origin: _Origin, seconds: float | None) -> _Connection:
        scheme, host, port = origin
        context = (self._ssl or ssl.create_default_context()) if scheme == "https" else None
        try:
            async with asyncio.timeout(seconds):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self._limit), host, port, ssl=context, server_hostname=host if context else None
                )
        except TimeoutError:
            raise httpx.ConnectTimeout(f"no connection in {seconds} s") from None
        except OSError as error:
            raise httpx.ConnectError(str(error)) from None
        return connection
