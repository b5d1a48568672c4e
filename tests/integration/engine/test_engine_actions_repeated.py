"""What is asked of a neighbour again and what never is, and the action client against real servers: rasa-sdk, and such as break off."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from engine_bench import PRICE, SHOP, SORRY, Neighbours, answering, serving
from loopback import free_port

pytestmark = pytest.mark.integration


class TestRepeating:
    @pytest.mark.parametrize(
        ("error", "sent_again"),
        [(httpx.ConnectError, True), (httpx.ConnectTimeout, True), (httpx.ReadTimeout, False), (httpx.ReadError, False),
         (httpx.WriteError, False), (httpx.RemoteProtocolError, False)],
    )  # fmt: skip
    async def test_only_a_request_that_was_not_sent_is_sent_again(self, server, error, sent_again):
        count = 0

        def answer(request: httpx.Request) -> httpx.Response:
            nonlocal count
            if request.method == "GET":
                return httpx.Response(200)
            count += 1
            if count == 1:
                raise error("x", request=request)
            return answering(responses=[PRICE])

        server.neighbours.lines = {"多少钱": "start flow price"}
        server.neighbours.action_answer = answer
        said = [r["text"] for r in await server.say("多少钱")]
        assert (said, count) == ((["价格 12.50。"], 2) if sent_again else ([SORRY], 1))

    async def test_a_server_that_starts_is_asked_for_its_health_before_it_is_asked_to_act(self, server):
        seen: list[str] = []

        def starts(request: httpx.Request) -> httpx.Response:
            seen.append(request.method)
            if len(seen) == 1:
                raise httpx.ConnectError("refused", request=request)
            if request.method == "GET":
                assert request.url.path == "/health"
                if len(seen) < 4:
                    raise httpx.ReadError("taken and dropped", request=request)
                return httpx.Response(404)
            return answering(responses=[PRICE])

        server.neighbours.lines = {"多少钱": "start flow price"}
        server.neighbours.action_answer = starts
        assert [r["text"] for r in await server.say("多少钱")] == ["价格 12.50。"]
        assert seen == ["POST", "GET", "GET", "GET", "POST"]

    async def test_a_dead_server_is_waited_for_once_and_then_asked_once_a_request(self, server):
        count = 0

        def dead(request: httpx.Request) -> httpx.Response:
            nonlocal count
            count += 1
            raise httpx.ConnectError("x", request=request)

        server.neighbours.lines = {"多少钱": "start flow price"}
        server.neighbours.action_answer = dead
        assert [r["text"] for r in await server.say("多少钱")] == [SORRY]
        assert count > 2
        for _ in range(3):
            before = count
            assert [r["text"] for r in await server.say("多少钱")] == [SORRY]
            assert count == before + 1
        server.neighbours.action_answer = None
        assert (await server.say("多少钱"))[0]["text"] == "价格 12.50。"
        server.neighbours.action_answer = dead
        before = count
        await server.say("多少钱")
        assert count > before + 2

    @pytest.mark.parametrize("error", [httpx.ReadError, httpx.RemoteProtocolError, httpx.ConnectError])
    async def test_a_question_to_understanding_is_repeated_when_its_connection_breaks(self, server, error):
        count = 0

        def answer(request: httpx.Request) -> httpx.Response:
            nonlocal count
            if request.method == "GET":
                return httpx.Response(200)
            count += 1
            if count == 1:
                raise error("x", request=request)
            return httpx.Response(200, json={"choices": [{"message": {"content": "start flow hours"}}]})

        server.neighbours.understanding_answer = answer
        assert [r["text"] for r in await server.say("几点")] == ["九点开门。"]

    async def test_a_slow_understanding_is_asked_once(self, server):
        count = 0

        def slow(request: httpx.Request) -> httpx.Response:
            nonlocal count
            count += 1
            raise httpx.ReadTimeout("x", request=request)

        server.neighbours.understanding_answer = slow
        assert [r["text"] for r in await server.say("几点")] == [SORRY]
        assert count == 1


@asynccontextmanager
async def sdk(port: int, home: Path, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A real rasa-sdk server of the shop's actions."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rasa_sdk", "--actions", "shop_actions", "--port", str(port),
        cwd=SHOP, env={"PYTHONPATH": str(SHOP), "SANIC_HOST": "127.0.0.1", "HOME": str(home), "PATH": "", **env},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        # Its workers with it, at once: told to end, Sanic waits for kept connections for minutes.
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def up(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as probe:
        for _ in range(300):
            try:
                if (await probe.get(f"http://127.0.0.1:{port}/health")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    raise AssertionError("rasa-sdk did not start in half a minute")


class TestRealServer:
    @pytest.mark.parametrize("compressed", [False, True])
    async def test_a_real_rasa_sdk_server_runs_the_actions(self, database, clock, tmp_path, compressed):
        port = free_port()
        neighbours = Neighbours()
        neighbours.lines = {
            "多少钱": "start flow price",
            "账户": "start flow private",
            "下": "start flow order\nset slot size large\nset slot count 1",
            "对": "set slot confirmed true",
        }
        made = database.model_copy(
            update={
                "actions_url": f"http://127.0.0.1:{port}/webhook",
                "project_dir": SHOP,
                "compress_action_requests": compressed,
            }
        )
        async with sdk(port, tmp_path):
            await up(port)
            async with serving(made, clock, neighbours, actions_transport="real") as server:
                sender = f"cw-1-{port}-e0"
                assert [r["text"] for r in await server.say("多少钱", sender, price="9.99")] == ["价格 9.99。"]
                assert [r["text"] for r in await server.say("账户", sender)] == ["请先登录。"]
                assert await server.say("/SetSlots(login_state=done)", sender) == []
                await server.say("下", sender)
                assert [r["text"] for r in await server.say("对", sender)] == [SORRY]
                assert [r["text"] for r in await server.say("多少钱", sender)] == [SORRY]

    async def test_a_restart_of_the_action_server_costs_the_customer_a_moment_and_nothing_else(self, database, clock, tmp_path):
        port = free_port()
        neighbours = Neighbours()
        neighbours.lines = {"多少钱": "start flow price"}
        made = database.model_copy(
            update={
                "actions_url": f"http://127.0.0.1:{port}/webhook",
                "project_dir": SHOP,
                "neighbour_patience_seconds": 20.0,
            }
        )
        async with serving(made, clock, neighbours, actions_transport="real", patient=True) as server:
            async with sdk(port, tmp_path):
                await up(port)
                assert [r["text"] for r in await server.say("多少钱", "cw-1-restart", price="1")] == ["价格 1。"]
            waiting = asyncio.create_task(server.say("多少钱", "cw-1-restart", price="2"))
            await asyncio.sleep(0.2)
            assert not waiting.done()
            async with sdk(port, tmp_path):
                assert [r["text"] for r in await waiting] == ["价格 2。"]

    async def test_a_server_that_takes_the_request_and_dies_is_asked_once(self, database, clock):
        asked = 0

        async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            await reader.readuntil(b"\r\n\r\n")
            asked += 1
            writer.close()

        assert await self._against(database, clock, dies) == [SORRY]
        assert asked == 1

    async def test_a_server_that_drips_holds_the_turn_no_longer_than_the_time_out(self, database, clock, monkeypatch):
        from tightrope.engine import clients

        monkeypatch.setattr(clients, "ACTION_TIMEOUT", httpx.Timeout(connect=1.0, read=0.3, write=1.0, pool=1.0))

        async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
            while not writer.is_closing():
                writer.write(b" ")
                await asyncio.sleep(0.02)

        started = time.monotonic()
        assert await self._against(database, clock, drips) == [SORRY]
        assert time.monotonic() - started < 5

    async def test_a_huge_answer_is_refused_before_it_fills_the_memory(self, database, clock):
        sent = 0

        async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            while not writer.is_closing() and sent < 100_000_000:
                writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
                sent += 65536
                await writer.drain()

        assert await self._against(database, clock, floods) == [SORRY]
        assert sent < 50_000_000

    @staticmethod
    async def _against(database: Any, clock: Any, script: Any) -> list[str]:
        """What the customer reads when the action server is this function of a connection."""

        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await script(reader, writer)
            except ConnectionError:
                pass
            finally:
                writer.close()

        port = free_port()
        neighbours = Neighbours()
        neighbours.lines = {"多少钱": "start flow price"}
        made = database.model_copy(update={"actions_url": f"http://127.0.0.1:{port}/webhook", "project_dir": SHOP})
        tcp = await asyncio.start_server(guarded, "127.0.0.1", port)
        try:
            async with serving(made, clock, neighbours, actions_transport="real") as server:
                return [re.sub(r"\s+$", "", r["text"]) for r in await server.say("多少钱", f"cw-1-{port}-e0")]
        finally:
            tcp.close()
