"""The model client: what it sends, what it believes, how each failure is told apart, and that nothing goes unrecorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from generation_world import FINGERPRINT, MODEL, SCHEMA, prompt, server_and_client, with_model
from pydantic import SecretStr, ValidationError

from tightrope.generation import ledger
from tightrope.generation.client import ModelClient
from tightrope.generation.errors import (
    ModelError,
    ModelMismatch,
    ModelRejected,
    ModelUnavailable,
    NotRecorded,
    OutputInvalid,
)
from tightrope.infra.settings import Settings
from tightrope.sandbox.model.faults import Fault


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[tuple[Any, ModelClient]]:
    app, client = server_and_client(settings)
    yield app, client
    await client.aclose()


async def test_an_answer_is_data_of_its_schema_and_the_record_says_how_it_came_about(world: tuple[Any, ModelClient]) -> None:
    app, client = world
    asked = prompt()
    with ledger.opened() as calls:
        completion = await client.complete(asked, SCHEMA, max_tokens=200)
    assert completion.data == {"decision": "answer", "quotes": [{"lead": "", "id": "1.1"}, {"lead": "另外，", "id": "1.2"}]}
    (call,) = calls
    assert call is completion.call
    item = call.item()
    assert item["outcome"] == "done"
    assert (item["model"], item["fingerprint"], item["finish_reason"]) == (MODEL, FINGERPRINT, "stop")
    assert item["prompt_id"] == "answer.v1"
    assert item["prompt_sha256"] == asked.sha256
    assert item["messages"] == app.state.seen[0]["messages"]
    assert item["output"].startswith('{"decision":"answer","quotes":[{"lead":"","id":"1.1"}')
    assert item["parameters"]["max_tokens"] == 200
    assert item["usage"].keys() == {"prompt_tokens", "completion_tokens"}


async def test_every_request_is_deterministic_single_and_bounded(world: tuple[Any, ModelClient]) -> None:
    app, client = world
    with ledger.opened():
        await client.complete(prompt(), SCHEMA, max_tokens=64)
    sent = app.state.seen[0]
    assert (sent["temperature"], sent["n"], sent["stream"], sent["max_tokens"]) == (0, 1, False, 64)
    assert isinstance(sent["seed"], int)
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA


async def test_vllms_own_form_of_the_constraint_is_sent_where_the_settings_say_so(settings: Settings) -> None:
    app, client = server_and_client(settings, model_constraint="structured_outputs")
    with ledger.opened():
        await client.complete(prompt(), SCHEMA, max_tokens=64)
    assert app.state.seen[0]["structured_outputs"] == {"json": SCHEMA, "disable_any_whitespace": True}
    assert "response_format" not in app.state.seen[0]


@pytest.mark.parametrize(
    ("fault", "error", "finish"),
    [
        (Fault.BUSY, ModelUnavailable, ""),
        (Fault.DEAD, ModelUnavailable, ""),
        (Fault.HANG, ModelUnavailable, ""),
        (Fault.HTML, OutputInvalid, ""),
        (Fault.NO_CHOICE, OutputInvalid, ""),
        (Fault.WRONG_FINGERPRINT, ModelMismatch, "stop"),
        (Fault.WRONG_NAME, ModelMismatch, "stop"),
        (Fault.CUT, OutputInvalid, "length"),
        (Fault.BLANKS, OutputInvalid, "length"),
        (Fault.UNCONSTRAINED, OutputInvalid, "stop"),
        (Fault.OFF_SCHEMA, OutputInvalid, "stop"),
        (Fault.TWICE, OutputInvalid, "stop"),
        (Fault.REFUSAL, OutputInvalid, "stop"),
    ],
)
async def test_each_fault_is_told_apart_and_recorded_and_the_next_call_works(
    world: tuple[Any, ModelClient], fault: Fault, error: type[ModelError], finish: str
) -> None:
    app, client = world
    app.state.faults.order(fault)
    with ledger.opened() as calls:
        with pytest.raises(error):
            await client.complete(prompt(), SCHEMA, max_tokens=200, seconds=0.1 if fault is Fault.HANG else None)
        assert (calls[0].outcome, calls[0].finish_reason) == (error.code, finish)
        assert calls[0].messages == prompt().messages
        await client.complete(prompt(), SCHEMA, max_tokens=200)
    assert [call.outcome for call in calls] == [error.code, "done"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"model_key": SecretStr("other")}, "401"), ({"model_name": "gone"}, "404"), ({"model_key": None}, "401")],
)
async def test_a_wrong_key_or_name_is_a_refusal_that_names_its_status(
    settings: Settings, changes: dict[str, Any], status: str
) -> None:
    _, client = server_and_client(settings, **changes)
    with ledger.opened() as calls, pytest.raises(ModelRejected, match=status):
        await client.complete(prompt(), SCHEMA, max_tokens=64)
    assert calls[0].outcome == "rejected"


async def test_a_prompt_that_the_model_cannot_hold_is_a_refusal(world: tuple[Any, ModelClient]) -> None:
    _, client = world
    with ledger.opened(), pytest.raises(ModelRejected, match="maximum context length"):
        await client.complete(prompt(), SCHEMA, max_tokens=9000)


async def test_no_call_without_a_record(world: tuple[Any, ModelClient]) -> None:
    app, client = world
    with pytest.raises(NotRecorded):
        await client.complete(prompt(), SCHEMA, max_tokens=64)
    assert app.state.seen == []


async def test_a_call_that_the_caller_gave_up_is_recorded(settings: Settings) -> None:
    arrived = asyncio.Event()

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            arrived.set()
            return await asyncio.Future()

    client = ModelClient(with_model(settings), transport=Silent())
    with ledger.opened() as calls:
        task = asyncio.ensure_future(client.complete(prompt(), SCHEMA, max_tokens=64))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [call.outcome for call in calls] == ["unavailable"]


@pytest.mark.parametrize("refusals", [1, 2])
async def test_a_refused_connection_is_tried_once_more(settings: Settings, refusals: int) -> None:
    app, _ = server_and_client(settings)
    inner, tried = httpx.ASGITransport(app), []

    class Refusing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            tried.append(request)
            if len(tried) <= refusals:
                raise httpx.ConnectError("nobody is there", request=request)
            return await inner.handle_async_request(request)

    client = ModelClient(with_model(settings), transport=Refusing())
    with ledger.opened() as calls:
        if refusals == 1:
            await client.complete(prompt(), SCHEMA, max_tokens=64)
        else:
            with pytest.raises(ModelUnavailable):
                await client.complete(prompt(), SCHEMA, max_tokens=64)
    assert (len(tried), len(calls)) == (2, 1)


async def test_an_answer_that_breaks_off_is_not_asked_for_again(settings: Settings) -> None:
    tried = []

    def breaking(request: httpx.Request) -> httpx.Response:
        tried.append(request)
        raise httpx.ReadError("reset", request=request)

    client = ModelClient(with_model(settings), transport=httpx.MockTransport(breaking))
    with ledger.opened(), pytest.raises(ModelUnavailable):
        await client.complete(prompt(), SCHEMA, max_tokens=64)
    assert len(tried) == 1


async def test_a_host_off_the_allow_list_is_never_reached(settings: Settings) -> None:
    reached = []
    transport = httpx.MockTransport(lambda request: reached.append(request) or httpx.Response(200))
    client = ModelClient(with_model(settings, model_url="https://api.example.com/v1"), transport=transport)
    with ledger.opened(), pytest.raises(ModelUnavailable, match="allow-list"):
        await client.complete(prompt(), SCHEMA, max_tokens=64)
    assert reached == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"choices":[{"message":{"content":null},"finish_reason":"stop"}],"model":"x"}',
        b'{"choices":{}}',
        b"\xff\xfe",
    ],
)
async def test_what_is_no_chat_completion_is_refused(settings: Settings, body: bytes) -> None:
    client = ModelClient(with_model(settings), transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body)))
    with ledger.opened() as calls, pytest.raises(OutputInvalid):
        await client.complete(prompt(), SCHEMA, max_tokens=64)
    assert calls[0].outcome == "invalid"


async def test_figures_that_json_has_not_are_refused(settings: Settings) -> None:
    app, client = server_and_client(settings)
    app.state.script = lambda messages, schema: '{"decision":NaN,"quotes":[]}'
    with ledger.opened(), pytest.raises(OutputInvalid):
        await client.complete(prompt(), SCHEMA, max_tokens=64)


async def test_nested_ledgers_keep_a_call_each(world: tuple[Any, ModelClient]) -> None:
    _, client = world
    with ledger.opened() as outer:
        with ledger.opened() as inner:
            await client.complete(prompt(), SCHEMA, max_tokens=64)
        assert len(inner) == 1
    assert outer == inner


def test_settings_that_want_a_model_and_name_none_are_refused() -> None:
    with pytest.raises(ValidationError, match="TIGHTROPE_MODEL_URL"):
        Settings(answer_composer="generative")
    with pytest.raises(ValidationError, match="TIGHTROPE_MODEL_URL"):
        Settings(commands_from_model=True, model_url="http://127.0.0.1:8000/v1")


def test_production_wants_the_fingerprint_of_the_approved_model() -> None:
    with pytest.raises(ValidationError, match="TIGHTROPE_MODEL_FINGERPRINT"):
        Settings(mode="production", answer_composer="generative", model_url="http://127.0.0.1:8000/v1", model_name=MODEL)


def test_no_client_without_a_model(settings: Settings) -> None:
    with pytest.raises(ValueError, match="TIGHTROPE_MODEL_URL"):
        ModelClient(settings)
