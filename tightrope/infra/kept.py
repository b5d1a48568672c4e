"""Kept HTTP/1.1 connections for calls that are made thousands of times a minute: aiohttp behind an httpx transport.

httpx's own transport takes 0.7 ms of processor time a call here, aiohttp 0.1. The adapter that is published (`httpx-aiohttp`) tells a
broken answer as a connection that was never made, so that a caller would send again what may have been done; ours keeps httpx's meaning:
`ConnectError` and `ConnectTimeout` say that nothing was sent. It holds whole answers in memory up to a limit, follows nothing and decodes nothing.
"""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
import httpx

IDLE_SECONDS = 3.0
"""After this time an idle connection is closed: servers close theirs after five seconds, and a request sent just then would be lost."""
CONNECTIONS = 256
"""To all addresses of one client; who needs another one waits."""
HEAD_BYTES = 16_384
"""The longest line of an answer's head."""


class AnswerTooLarge(httpx.RemoteProtocolError):
    """The answer is larger than the caller takes."""


class KeptTransport(httpx.AsyncBaseTransport):
    """Keeps connections and uses them again.

    Of a request's time-outs `connect` bounds the connection and `read` the time to the last byte of the answer, so that a server
    that gives a byte a second is no way to hold a caller.

    Args:
        max_bytes: the largest answer taken.
    """

    def __init__(self, *, max_bytes: int, ssl_context: ssl.SSLContext | None = None) -> None:
        self._limit = max_bytes
        self._ssl = ssl_context
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout: nothing was sent.
            httpx.TransportError: it is not known whether the server acted.
        """
        timeout = request.extensions.get("timeout") or {}
        try:
            return await self._exchange(request, timeout.get("connect"), timeout.get("read"))
        except aiohttp.ConnectionTimeoutError:
            raise httpx.ConnectTimeout(f"no connection in {timeout.get('connect')} s") from None
        except aiohttp.ClientConnectorError as error:
            raise httpx.ConnectError(str(error)) from None
        except TimeoutError:
            raise httpx.ReadTimeout(f"no answer in {timeout.get('read')} s") from None
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError) as error:
            raise httpx.RemoteProtocolError(f"the answer broke off: {error}") from None
        except aiohttp.ClientError as error:
            raise httpx.RemoteProtocolError(f"no HTTP answer: {error}") from None

    async def _exchange(self, request: httpx.Request, connect: float | None, read: float | None) -> httpx.Response:
        session = self._open()
        async with (
            # Bounds the whole; aiohttp's own bound of the connection lies within it and has an error of its own.
            asyncio.timeout(None if read is None else (connect or 0.0) + read),
            session.request(
                request.method,
                str(request.url),
                data=request.content,
                headers=list(request.headers.multi_items()),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=read),
            ) as answer,
        ):
            if answer.status < 200:
                answer.close()
                raise httpx.RemoteProtocolError(f"the server wants another protocol: {answer.status}")
            if answer.headers.get("content-encoding", "identity").lower() != "identity":
                # Not asked for, and a few bytes could unpack to fill the memory.
                answer.close()
                raise httpx.RemoteProtocolError("the answer is compressed")
            body = bytearray()
            async with asyncio.timeout(read):
                async for some in answer.content.iter_any():
                    body += some
                    if len(body) > self._limit:
                        answer.close()
                        raise AnswerTooLarge(f"the answer is larger than {self._limit} bytes")
            return httpx.Response(answer.status, headers=answer.raw_headers, content=bytes(body))

    def _open(self) -> aiohttp.ClientSession:
        """The session of this event loop, opened at the first request."""
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(
                limit=CONNECTIONS, keepalive_timeout=IDLE_SECONDS, ssl=self._ssl if self._ssl is not None else True
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
                max_line_size=HEAD_BYTES,
                max_field_size=HEAD_BYTES,
            )
        return self._session

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
