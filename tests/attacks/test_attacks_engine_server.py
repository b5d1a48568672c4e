"""The assistant server against callers and neighbours with bad intent; real Postgres, over ASGI."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration" / "engine"))

from engine_bench import SORRY, Neighbours, Server, serving

from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import Settings

HOOK = "/webhooks/rest/webhook"
ME = "cw-1-1-e0"


@pytest.fixture
async def server(database: Settings, clock: FixedClock, superuser: Any) -> AsyncIterator[Server]:
    with superuser("assistant") as connection:
        connection.execute("TRUNCATE engine.conversation CASCADE")
    async with serving(database, clock, Neighbours()) as made:
        yield made


def nested(depth: int) -> bytes:
    return b'{"sender": "a", "message": "hi", "metadata": {"a": ' + b"[" * depth + b"]" * depth + b"}}"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"5", b"{", b'{"sender": "a"}', b'{"sender": "", "message": "hi"}', b'{"sender": "a", "message": 5}',
        b'{"sender": "a\\u0000b", "message": "hi"}', b'{"sender": "\\ud800", "message": "hi"}', b'{"sender": "a", "message": "\\ud800"}',
        b'{"sender": "a", "message": "hi", "metadata": [1]}', b"\xff\xfe{}", nested(5000),
        b'{"sender": ["a"], "message": "hi"}', b'{"sender": "' + b"a" * 256 + b'", "message": "hi"}',
    ],
)  # fmt: skip
async def test_a_body_that_cannot_be_used_is_the_callers_fault(server, body):
    answer = await server.client.post(HOOK, content=body)
    assert answer.status_code == 400, answer.text


async def test_a_chunked_flood_is_refused(server):
    async def flood() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b" " * 1024

    assert (await server.client.post(HOOK, content=flood())).status_code == 413


@pytest.mark.parametrize("sender", ["a/b", "../x", "客户", "a?b=c", "a#b", "a b", "%2e%2e", "' OR 1=1 --", "😀" * 100])
async def test_an_odd_sender_is_only_a_name(server, sender):
    await server.say("hello", sender=ME)
    said = await server.client.post(HOOK, json={"sender": sender, "message": "hi", "metadata": {"a\x00": "b\x00"}})
    assert said.status_code == 200
    assert {reply["recipient_id"] for reply in said.json()} == {sender}


async def test_nobody_reads_or_writes_a_conversation_without_the_token(server):
    await server.say("hello")
    for params in ({}, {"token": ""}, {"token": "wrong"}, {"token": server.token + "x"}, {"Token": server.token}):
        for path in (f"/conversations/{ME}/tracker", "/status", "/domain", "/flows"):
            assert (await server.client.get(path, params=params)).status_code == 401
        answer = await server.client.post(f"/conversations/{ME}/tracker/events", params=params, json={"event": "restart"})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "event",
    [
        {"event": "stack", "update": '[{"value": 5}]'}, {"event": "stack", "update": '[{"value": [5]}]'},
        {"event": "stack", "update": '[{"value": [{"flow_id": "no"}]}]'}, {"event": "stack", "update": "junk"},
        {"event": "user", "text": 5, "parse_data": [1]}, {"event": "bot", "data": {"buttons": ["x"]}},
        {"event": "bot", "text": "x", "data": {"buttons": 5}}, {"event": "slot"},
        {"event": "action", "name": [1]}, {"event": "user", "text": "x", "timestamp": "soon"}, {"event": "bot", "text": {"a": 1}},
    ],
)  # fmt: skip
async def test_an_event_from_outside_is_refused_or_leaves_a_conversation_that_can_go_on(server, event):
    await server.say("hello")
    answer = await server.client.post(f"/conversations/{ME}/tracker/events", params={"token": server.token}, json=event)
    assert answer.status_code in {200, 400}, answer.text
    assert (await server.client.post(HOOK, json={"sender": ME, "message": "hi"})).status_code == 200
    await server.tracker()


async def test_a_turn_that_is_sent_many_times_at_once_runs_once(database, clock, server):
    server.neighbours.lines["price"] = "start flow price"
    body = {"sender": ME, "message": "price", "metadata": {"turn_id": "t1"}}
    async with serving(database, clock, server.neighbours) as second:
        answers = await asyncio.gather(*(one.client.post(HOOK, json=body) for one in (server, second) * 8))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    events = (await server.tracker())["events"]
    assert sum(event["event"] == "user" for event in events) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"x" * 300_000),
        httpx.Response(200, json={"choices": []}),
        httpx.Response(200, json={"choices": [{"message": {"content": 5}}]}),
        httpx.Response(200, json={"choices": [{"message": {"content": {"a": 1}}}]}),
        httpx.Response(200, json={"choices": [{"message": {"content": "set slot \x00 \x00\nstart flow ../../x"}}]}),
        httpx.Response(200, json={"choices": [{"message": {"content": "start flow nobody\n" * 10_000}}]}),
        httpx.Response(200, content=b'{"choices": ' + b"[" * 900 + b"]" * 900 + b"}"),
        httpx.Response(200, json={"choices": [{"message": {"content": ""}}], "tightrope": {"a": [[[[1]]]] * 9}}),
        httpx.Response(302, headers={"location": "http://127.0.0.1:1/"}),
        httpx.Response(500),
        httpx.Response(204),
    ],
)
async def test_understanding_that_lies_leaves_no_customer_without_words(server, answer):
    server.neighbours.understanding_answer = lambda _request: answer
    said = await server.say("hello")
    assert any(reply.get("text") for reply in said)
    server.neighbours.understanding_answer = None
    assert any(reply.get("text") for reply in await server.say("hello again"))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"x" * 1_100_000),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"events": [{"event": "slot", "name": ["x"]}], "responses": []}),
        httpx.Response(200, json={"events": [], "responses": [{"text": {"a": 1}}]}),
        httpx.Response(200, content=b'{"events": [], "responses": [{"custom": ' + b'{"a": ' * 200 + b"1" + b"}" * 200 + b"}]}"),
        httpx.Response(449, json={}),
        httpx.Response(404, json={}),
        httpx.Response(302, headers={"location": "http://127.0.0.1:1/"}),
        httpx.Response(500, content=b"Traceback: the customer's account 12345"),
    ],
)
async def test_an_action_server_that_lies_is_asked_once_and_the_customer_is_told(server, answer):
    asked: list[str] = []

    def act(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return answer

    server.neighbours.lines["price"] = "start flow price"
    server.neighbours.action_answer = act
    said = await server.say("price")
    assert any(SORRY in (reply.get("text") or "") for reply in said)
    assert "12345" not in str(said)
    # 449 is the one answer that says nothing was run: the domain is sent along once.
    assert len(asked) == (2 if answer.status_code == 449 else 1)
    server.neighbours.action_answer = None
    assert any("12.50" in (reply.get("text") or "") for reply in await server.say("price"))


async def test_words_that_an_action_or_understanding_put_a_nul_into_are_kept_and_the_action_runs_once(server):
    """A turn that could not be saved after its action ran would be repeated by the caller, and the action with it."""
    server.neighbours.lines["price"] = "start flow price"
    asked: list[int] = []

    def act(_request: httpx.Request) -> httpx.Response:
        asked.append(1)
        return httpx.Response(200, json={"events": [], "responses": [{"text": "a\x00b", "custom": {"\x00": "\x00"}}]})

    server.neighbours.action_answer = act
    body = {"sender": ME, "message": "price", "metadata": {"turn_id": "t", "x": "\x00"}}
    first = await server.client.post(HOOK, json=body)
    assert first.status_code == 200
    assert (await server.client.post(HOOK, json=body)).json() == first.json()
    assert asked == [1]


async def test_nothing_typed_acts_over_http(server):
    server.neighbours.lines["price"] = "start flow price"
    for typed in (
        "/StartFlow(price)",
        "/SetSlots(login_state=done)",
        "/restart",
        "/session_end",
        "／StartFlow(price)",
        "EXTERNAL: price",
    ):
        await server.say(typed)
    assert server.neighbours.calls == []
    assert (await server.tracker())["slots"].get("login_state") is None
