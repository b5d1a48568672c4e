"""What the customer reads when the knowledge server is down, slow, or sends garbage: played through flow, action, service and client."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import httpx
import pytest
import yaml
from rasa_played import Play, is_chinese, person

from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.knowledge.compose.decide import chosen_by
from tightrope.knowledge.models import Passage, Release
from tightrope.knowledge.passages import load_release
from tightrope.knowledge.publishing.approvals import read_approvals
from tightrope.knowledge.publishing.store import Store
from tightrope.knowledge.service import KnowledgeService

RESPONSES = yaml.safe_load((REPOSITORY / "domain" / "knowledge.yml").read_text(encoding="utf-8"))["responses"]
DATASET = "d" * 32
Answer = httpx.Response | Exception


@lru_cache(maxsize=1)
def release() -> Release:
    return load_release(REPOSITORY / "knowledge_base")


def ok(data: Any) -> httpx.Response:
    return httpx.Response(200, json={"code": 0, "data": data})


def quoted() -> Passage:
    return next(p for p in release().passages if p.passage_id == "trading-fees.v1.zh.2")


def chunk(**changes: Any) -> dict[str, Any]:
    passage = quoted()
    document = next(d for d in release().documents if d.file_name == "trading-fees.zh.md")
    scores = dict.fromkeys(("similarity", "term_similarity", "vector_similarity"), 0.95)
    whole = {"id": "a" * 16, "content": passage.content, "dataset_id": DATASET, "document_metadata": document.meta_fields}
    return whole | scores | changes


def found(*chunks: Any) -> httpx.Response:
    return ok({"total": len(chunks), "chunks": list(chunks), "doc_aggs": []})


class Server:
    """A knowledge server that answers as told; what it is not told it does well."""

    def __init__(self, retrieval: Answer, *, version: Answer | None = None, datasets: Answer | None = None) -> None:
        self._answers = {
            "/api/v1/system/version": version or ok("v0.27.3"),
            "/api/v1/datasets": datasets or ok([{"id": DATASET, "name": release().release_id}]),
            "/api/v1/retrieval": retrieval,
        }

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self._answers[request.url.path]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
def ask(play: Play, settings: Settings, clock: FixedClock) -> Callable[[Server], list[str]]:
    """One question to the assistant, with this server behind it; the texts that the customer reads."""
    store = Store.from_settings(settings)
    store.keep(release(), read_approvals(REPOSITORY / "knowledge_base"), clock.now())
    store.activate(release().release_id, what="published", by="test", at=clock.now())

    def asked(server: Server) -> list[str]:
        transport = httpx.MockTransport(server)
        play.fake.knowledge = KnowledgeService.from_settings(settings, clock, transport=transport)  # type: ignore[assignment]
        play.may_fail = True
        question = {"zh": "查看资料：交易费用与税收：印花税", "en": "Look up: Trading fees and taxes: Stamp duty"}[play.language]
        return play.say(question, "search and reply")

    return asked


FAILURES = {
    "down": Server(httpx.ConnectError("refused")),
    "slow": Server(httpx.ReadTimeout("slow")),
    "cut off": Server(httpx.RemoteProtocolError("cut off")),
    "a proxy's 502": Server(httpx.Response(502, html="<h1>Bad Gateway</h1>")),
    "a page with 200": Server(httpx.Response(200, html="<h1>印花税 0.5%</h1>")),
    "cut JSON": Server(httpx.Response(200, text='{"code":0,"data":{"chunks":[{"content":"印花税 0.5%')),
    "another shape": Server(httpx.Response(200, json=["印花税 0.5%"])),
    "an exception": Server(httpx.Response(200, json={"code": 100, "message": "KeyError('value')"})),
    "a refusal": Server(httpx.Response(200, json={"code": 102, "message": "You don't own the dataset"})),
    "nothing parsed": Server(
        httpx.Response(200, json={"code": 100, "message": "No chunk found, please upload file and parse it."})
    ),
    "a wrong key": Server(httpx.Response(401, json={"code": 401}), datasets=httpx.Response(401, json={"code": 401})),
    "a rewrite": Server(found(chunk()), version=ok("v1.0.0")),
    "no version": Server(found(chunk()), version=httpx.Response(404, json={"code": 404})),
    "not published": Server(found(chunk()), datasets=ok([])),
    "altered text": Server(found(chunk(content="印花税按成交金额的0.5%征收。"))),
    "another dataset": Server(found(chunk(dataset_id="e" * 32))),
    "lifted scores": Server(found(chunk(similarity=50.9))),
    "garbage chunks": Server(found("印花税 0.5%", None, 7)),
}


@pytest.mark.parametrize("server", FAILURES.values(), ids=FAILURES.keys())
def test_a_server_that_fails_is_said_with_a_person_and_nothing_of_what_it_sent(
    play: Play, ask: Callable[[Server], list[str]], server: Server
):
    (said,) = ask(server)
    (response,) = RESPONSES["utter_knowledge_unavailable"]
    assert said == (response["text"] if play.language == "zh" else response["translation"]["en"])
    assert play.buttons == [person(play)]
    assert "0.5" not in json.dumps(play.replies, ensure_ascii=False)
    assert not play.envelopes("citations")
    assert play.talk.flow() is None


def test_finding_nothing_reads_otherwise_than_a_failure(play: Play, ask: Callable[[Server], list[str]]):
    ask(Server(found()))
    (said,) = play.say("鲸鱼怎么睡觉" if play.language == "zh" else "how do whales sleep?", "search and reply")
    (response,) = RESPONSES["utter_no_relevant_answer_found"]
    assert said == (response["text"] if play.language == "zh" else response["translation"]["en"])
    assert play.buttons == [person(play)]


def test_a_server_that_is_well_is_quoted(play: Play, ask: Callable[[Server], list[str]]):
    if play.language == "zh":
        ask(Server(found(chunk())))
        (said,) = play.say(chosen_by(quoted()), "search and reply")  # as the button says that offers this passage
        assert "0.05%" in said
        assert is_chinese(said)
        assert play.envelopes("citations")
