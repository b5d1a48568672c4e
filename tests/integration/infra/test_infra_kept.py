"""The transport of kept connections against servers that follow a script byte for byte."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from loopback import free_port

from tightrope.infra import kept
from tightrope.infra.http import OutboundRefused, Poster, outbound_poster
from tightrope.infra.kept import AnswerTooLarge, KeptTransport
from tightrope.infra.settings import Settings

pytestmark = pytest.mark.integration
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Wire:
    """A server and what it saw."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0
        self.requests: list[bytes] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        self.requests.append(head + await reader.readexactly(length))
        return self.requests[-1]


@asynccontextmanager
async def wired(
    script: Callable[[Wire, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **kwargs
) -> AsyncIterator[Wire]:
    wire = Wire(free_port())

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire.connections += 1
        task = asyncio.current_task()
        assert task is not None
        wire.tasks.add(task)
        try:
            await script(wire, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", wire.port, **kwargs)
    try:
        yield wire
    finally:
        server.close()
        for task in wire.tasks:
            task.cancel()


def saying(*answers: bytes, pause: float = 0.0) -> Callable[[Wire, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Answers requests of a connection one after the other, then waits."""

    async def script(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await wire.request(reader)
            for at in range(0, len(answer), 7):
                writer.write(answer[at : at + 7])
                if pause:
                    await asyncio.sleep(pause)
        await reader.read(1)

    return script


_OPEN: list[Poster] = []


@pytest.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    """Nothing stays open after a test."""
    yield
    while _OPEN:
        await _OPEN.pop().aclose()


def poster(
    wire: Wire, *, read: float = 2.0, max_bytes: int = 10_000, scheme: str = "http", transport: KeptTransport | None = None
):
    made = outbound_poster(
        Settings(),
        purpose="tests",
        url=f"{scheme}://127.0.0.1:{wire.port}/webhook?x=1",
        timeout=httpx.Timeout(connect=1.0, read=read, write=1.0, pool=1.0),
        transport=transport or KeptTransport(max_bytes=max_bytes),
    )
    _OPEN.append(made)
    return made


async def test_a_connection_is_kept_and_carries_one_request_after_the_other():
    async with wired(saying(OK, OK, OK)) as wire:
        http = poster(wire)
        answers = [await http.post(b'{"n": %d}' % n, {"traceparent": "00-x"}) for n in range(3)]
        assert [(a.status_code, a.json()) for a in answers] == [(200, {})] * 3
        assert wire.connections == 1
        assert wire.requests[2].startswith(b"POST /webhook?x=1 HTTP/1.1\r\n")
        assert wire.requests[2].endswith(b'\r\n\r\n{"n": 2}')
        assert b"traceparent: 00-x\r\n" in wire.requests[2]
        assert b"content-type: application/json\r\n" in wire.requests[2].lower()
        await http.aclose()


async def test_requests_at_once_take_a_connection_each():
    async with wired(saying(OK, pause=0.01)) as wire:
        http = poster(wire)
        await asyncio.gather(*(http.post(b"{}") for _ in range(4)))
        assert wire.connections == 4
        await http.aclose()


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 200, b"abcde"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"{}"),
        (b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK, 200, b"{}"),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 3\r\n\r\nbad", 500, b"bad"),
        (b"HTTP/1.1 449 Retry With\r\nCONTENT-LENGTH: 0\r\n\r\n", 449, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-length: 2\r\n\r\n{}", 200, b"{}"),
    ],
)
async def test_answers_in_every_form_are_read(answer, status, body):
    async with wired(saying(answer)) as wire:
        found = await poster(wire).post(b"{}")
        assert (found.status_code, found.content) == (status, body)


async def test_an_answer_without_a_length_ends_with_its_connection():
    async def script(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await wire.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    async with wired(script) as wire:
        http = poster(wire)
        assert (await http.post(b"{}")).content == b"all of it"
        assert (await http.post(b"{}")).content == b"all of it"
        assert wire.connections == 2


async def test_a_server_that_says_close_is_believed():
    async with wired(saying(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")) as wire:
        http = poster(wire)
        await http.post(b"{}")
        await http.post(b"{}")
        assert wire.connections == 2


async def test_a_connection_that_was_idle_for_long_is_closed(monkeypatch):
    closed = 0

    async def script(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal closed
        for _ in range(2):
            await wire.request(reader)
            writer.write(OK)
        assert await reader.read(1) == b""
        closed += 1

    monkeypatch.setattr(kept, "IDLE_SECONDS", 0.2)
    async with wired(script) as wire:
        http = poster(wire)
        for pause in (0.05, 0.4, 0.0):
            await http.post(b"{}")
            await asyncio.sleep(pause)
        assert (wire.connections, closed) == (2, 1)


async def test_a_connection_that_the_server_closed_while_idle_is_not_used_again():
    async def script(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await wire.request(reader)
        writer.write(OK)

    async with wired(script) as wire:
        http = poster(wire)
        for _ in range(3):
            assert (await http.post(b"{}")).status_code == 200
            await asyncio.sleep(0.02)
        assert wire.connections == 3


async def test_a_server_that_is_not_there_is_told_apart_from_one_that_broke_off():
    async with wired(saying(OK)) as wire:
        pass
    with pytest.raises(httpx.ConnectError):
        await poster(wire).post(b"{}")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab", httpx.RemoteProtocolError),
        (b"<html>this is no HTTP</html>\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd", httpx.RemoteProtocolError),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000 + b"\r\n\r\n", httpx.RemoteProtocolError),
    ],
)
async def test_an_answer_that_breaks_off_or_is_none_is_an_error(answer, error):
    async def script(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await wire.request(reader)
        writer.write(answer)
        await writer.drain()

    async with wired(script) as wire:
        http = poster(wire, read=1.0)
        with pytest.raises(error):
            await http.post(b"{}")


async def test_a_server_that_drips_is_cut_off_in_time_however_often_a_byte_comes():
    async def script(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await wire.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x")
            await asyncio.sleep(0.02)

    async with wired(script) as wire:
        started = asyncio.get_running_loop().time()
        with pytest.raises(httpx.ReadTimeout):
            await poster(wire, read=0.2).post(b"{}")
        assert asyncio.get_running_loop().time() - started < 1.0


async def test_an_answer_that_is_too_large_is_not_read_to_its_end():
    sent = 0

    async def script(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await wire.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(2000):
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            sent += 4096
            await writer.drain()

    async with wired(script) as wire:
        with pytest.raises(AnswerTooLarge):
            await poster(wire, max_bytes=10_000).post(b"{}")
        await asyncio.sleep(0.05)
        assert sent < 8_000_000


async def test_a_compressed_answer_is_refused_since_nobody_asked_for_it():
    bomb = zlib.compress(b"x" * 5_000_000)
    answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: deflate\r\ncontent-length: %d\r\n\r\n" % len(bomb) + bomb
    async with wired(saying(answer)) as wire:
        with pytest.raises(httpx.RemoteProtocolError, match="compressed"):
            await poster(wire, max_bytes=100_000).post(b"{}")


async def test_what_a_server_sends_unasked_is_never_taken_for_an_answer():
    async def script(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await wire.request(reader)
        writer.write(OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
        await reader.read(1)

    async with wired(script) as wire:
        http = poster(wire)
        for _ in range(3):
            assert (await http.post(b"{}")).content == b"{}"
            await asyncio.sleep(0.1)
        assert wire.connections == 3


async def test_a_request_given_up_leaves_no_connection_whose_next_answer_is_somebody_else_s():
    async def script(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(10):
            await wire.request(reader)
            await asyncio.sleep(0.1)
            body = b"%d" % number
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n" + body)

    async with wired(script) as wire:
        http = poster(wire)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await http.post(b"{}")
        assert (await http.post(b"{}")).content == b"0"
        assert wire.connections == 2


async def test_a_host_that_is_not_allowed_is_refused_before_a_socket_opens():
    http = outbound_poster(Settings(), purpose="tests", url="http://example.invalid/")
    with pytest.raises(OutboundRefused):
        await http.post(b"{}")


async def test_over_tls_the_certificate_is_checked(tmp_path):
    certificate, key = _certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    async with wired(saying(OK), ssl=server) as wire:
        trusting = KeptTransport(max_bytes=1000, ssl_context=ssl.create_default_context(cafile=str(certificate)))
        http = poster(wire, scheme="https", transport=trusting)
        assert (await http.post(b"{}")).status_code == 200
        await http.aclose()
        with pytest.raises(httpx.ConnectError):
            await poster(wire, scheme="https").post(b"{}")


def _certificate(folder: Path) -> tuple[Path, Path]:
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths[1].write_bytes(private)
    return paths
