"""HTTP/1.1 with as little work as possible, for both ends of a benchmark: what it costs must not be mistaken for the server's cost."""

from __future__ import annotations

import asyncio

LINE = b"\r\n\r\n"


class Caller:
    """One kept connection; `post` gives status and body."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Caller:
        """A connection to a port on this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Send and wait for the answer."""
        self._writer.write(
            b"POST %b HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (path.encode(), len(body), body)
        )
        head = (await self._reader.readuntil(LINE)).lower()
        start = head.index(b"content-length:") + 15
        length = int(head[start : head.index(b"\r\n", start)])
        return int(head[9:12]), await self._reader.readexactly(length)

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


async def serve(port: int, answer: object) -> asyncio.Server:
    """A server that gives `answer(path, body) -> bytes` as JSON with status 200."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(LINE)
                low = head.lower()
                start = low.index(b"content-length:") + 15
                body = await reader.readexactly(int(low[start : low.index(b"\r\n", start)]))
                found = answer(head.split(b" ", 2)[1], body)  # type: ignore[operator]
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(found), found)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return await asyncio.start_server(talk, "127.0.0.1", port, limit=1 << 22)
