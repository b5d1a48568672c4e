"""The action server protocol: what a request holds, each way to fail, and what is repeated."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from engine_bench import PRICE, SHOP, SORRY, Neighbours, answering, serving

from tightrope.infra.settings import REPOSITORY

pytestmark = pytest.mark.integration
TURN = "t" * 43


class TestRequests:
    async def test_the_domain_goes_only_when_it_is_asked_for(self, server):
        seen = []

        def answer(request: httpx.Request) -> httpx.Response:
            body = json.loads(request.content)
            seen.append("domain" in body)
            assert body["domain_digest"]
            return httpx.Response(200 if "domain" in body or len(seen) > 2 else 449, json={"events": [], "responses": []})

        server.neighbours.action_answer = answer
        server.neighbours.lines = {"多少钱": "start flow price"}
        await server.say("多少钱")
        await server.say("多少钱")
        assert seen == [False, True, False]

    @pytest.mark.parametrize(("declared", "sent"), [("action_price: {send_domain: true}", None), ("action_price", {})])
    async def test_with_a_selective_domain_only_the_actions_that_want_it_get_it(self, database, clock, tmp_path, declared, sent):
        project = shutil.copytree(SHOP, tmp_path / "shop")
        (project / "endpoints.yml").write_text(
            "action_endpoint: {url: http://127.0.0.1:1/webhook, enable_selective_domain: true}\n"
        )
        domain = project / "domain" / "domain.yml"
        domain.write_text(domain.read_text().replace("  - action_price\n", f"  - {declared}\n"))
        neighbours = Neighbours()
        neighbours.lines = {"多少钱": "start flow price"}
        bodies = []

        def answer(request: httpx.Request) -> httpx.Response:
            bodies.append(json.loads(request.content))
            return httpx.Response(449 if "domain" not in bodies[-1] else 200, json={"events": [], "responses": []})

        neighbours.action_answer = answer
        async with serving(database, clock, neighbours, project) as server:
            await server.say("多少钱", "cw-1-selective-e0")
        assert bodies[0].get("domain") == sent
        assert (len(bodies) == 2) is (sent is None)
        if sent is None:
            assert "utter_price" in bodies[1]["domain"]["responses"]

    async def test_a_body_may_be_compressed(self, database, clock):
        neighbours = Neighbours()
        neighbours.lines = {"多少钱": "start flow price"}
        seen = []

        def answer(request: httpx.Request) -> httpx.Response:
            assert request.headers["content-encoding"] == "deflate"
            seen.append(json.loads(zlib.decompress(request.content)))
            return answering(responses=[PRICE])

        neighbours.action_answer = answer
        settings = database.model_copy(update={"compress_action_requests": True})
        async with serving(settings, clock, neighbours) as server:
            assert [r["text"] for r in await server.say("多少钱", "cw-1-deflate-e0")] == ["价格 12.50。"]
        assert seen[0]["next_action"] == "action_price"

    async def test_the_request_is_rasa_s_and_its_events_are_bounded_to_this_session(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}
        for _ in range(9):
            await server.say("多少钱", turn_id=None)
        body = server.neighbours.calls[-1]
        assert body["next_action"] == "action_price"
        assert body["version"] == "3.21.0"
        tracker = body["tracker"]
        assert len(tracker["events"]) == 50
        assert tracker["latest_message"]["text"] == "多少钱"
        assert tracker["stack"][-1]["flow_id"] == "price"
        server.clock.advance(3600)
        await server.say("多少钱", turn_id=TURN)
        events = server.neighbours.calls[-1]["tracker"]["events"]
        assert events[0]["event"] == "session_started"
        assert sum(e["event"] == "user" for e in events) == 1
        assert server.neighbours.calls[-1]["tracker"]["latest_message"]["metadata"]["turn_id"] == TURN

    @pytest.mark.parametrize(
        ("sent", "passed"),
        [
            ({"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "tracestate": "x=1"}, {"traceparent", "tracestate"}),
            ({"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "tracestate": "x" * 600}, {"traceparent"}),
            ({"traceparent": "00-zz", "tracestate": "x=1"}, set()),
            ({"tracestate": "x=1"}, set()),
        ],
    )
    async def test_the_trace_context_goes_on_to_both_neighbours(self, server, sent, passed):
        seen: list[httpx.Headers] = []

        def act(request: httpx.Request) -> httpx.Response:
            seen.append(request.headers)
            return answering()

        def understand(request: httpx.Request) -> httpx.Response:
            seen.append(request.headers)
            return httpx.Response(200, json={"choices": [{"message": {"content": "start flow price"}}]})

        server.neighbours.action_answer, server.neighbours.understanding_answer = act, understand
        body = {"sender": "cw-1-1-e0", "message": "多少钱"}
        await server.client.post("/webhooks/rest/webhook", json=body, headers=sent)
        assert len(seen) == 2
        for headers in seen:
            assert {name: headers[name] for name in passed} == {name: sent[name] for name in passed}
            assert not {"traceparent", "tracestate"} - passed & set(headers)

    async def test_a_repeated_turn_asks_with_the_same_turn_id_and_the_same_actions_before_it(self, server):
        """What an action makes its idempotency key of: turn id, its name, and how many actions ran before it in this turn."""
        server.neighbours.lines = {"多少钱": "start flow price\nstart flow private"}
        keys: list[tuple[str, str, int]] = []
        crash = True

        def answer(request: httpx.Request) -> httpx.Response:
            body = json.loads(request.content)
            events = body["tracker"]["events"]
            since = max(at for at, event in enumerate(events) if event["event"] == "user")
            ordinal = sum(event["event"] == "action" for event in events[since:])
            keys.append((events[since]["metadata"]["turn_id"], body["next_action"], ordinal))
            if crash and body["next_action"] == "action_private":
                raise RuntimeError("the process dies here")
            return answering()

        server.neighbours.action_answer = answer
        assert (await server.post("多少钱", turn_id=TURN)).status_code == 500
        first, crash = list(keys), False
        keys.clear()
        await server.say("多少钱", turn_id=TURN)
        assert [key[1] for key in first] == ["action_price", "action_private"]
        assert keys == first


LIES: list[Any] = [
    None,
    [],
    "x",
    {"events": {"a": 1}},
    {"events": [], "responses": ["x"]},
    {"events": ["slot"]},
    {"events": [{"name": "verdict", "value": "ok"}]},
    {"events": [{"event": "telepathy"}]},
    {"events": [{"event": ["slot"]}]},
    {"events": [{"event": "slot", "value": "ok"}]},
    {"events": [{"event": "slot", "name": 5, "value": "ok"}]},
    {"events": [{"event": "followup", "name": {}}]},
    {"events": [{"event": "bot", "text": "x", "data": "y"}]},
    {"events": [{"event": "bot", "text": ["x"]}]},
    {"responses": [{"text": 5}]},
    {"responses": [{"text": {"a": "b"}}]},
    {"responses": [{"response": 7}]},
    {"responses": [{"text": "x", "buttons": {"title": "x"}}]},
    {"responses": [{"text": "x", "buttons": ["x"]}]},
    {"responses": [{"text": "x", "buttons": [{"title": 5, "payload": "/x"}]}]},
    {"responses": [{"text": "x", "custom": "y"}]},
    {"responses": [{"text": "x", "elements": {"a": 1}}]},
    {"responses": [{"text": "x", "image": 5}]},
    {"responses": [{"text": "x", "attachment": 5}]},
]


def nested(depth: int) -> bytes:
    value = b"[" * depth + b"]" * depth
    return b'{"events": [{"event": "slot", "name": "verdict", "value": ' + value + b'}], "responses": []}'


class TestFailures:
    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(400, json={"error": "refused", "action_name": "action_price"}),
            httpx.Response(404, json={"error": "unknown", "action_name": "action_price"}),
            httpx.Response(449, json={"error": "domain", "action_name": "action_price"}),
            httpx.Response(500, json={"error": "secret figure 12345", "request_body": {}}),
            httpx.Response(302, headers={"location": "http://elsewhere/"}),
            httpx.Response(204),
            httpx.Response(200, content=b"<html>secret figure 12345</html>", headers={"content-type": "text/html"}),
            httpx.Response(200, content=b""),
            httpx.Response(200, content=b'{"events": [], "responses": [{"text": "\xff"}]}'),
            httpx.Response(200, content=b'{"events": [{"event": "slot", "name": "verdict", "value": NaN}]}'),
            httpx.Response(200, content=nested(150)),
            httpx.Response(200, content=nested(5000)),
            *(httpx.Response(200, content=json.dumps(lie)) for lie in LIES),
        ],
    )
    async def test_each_way_to_fail_ends_in_the_error_pattern(self, server, answer):
        server.neighbours.lines = {"多少钱": "start flow price", "账户": "start flow private"}
        server.neighbours.action_answer = lambda _request: answer
        assert [r["text"] for r in await server.say("多少钱", turn_id=TURN)] == [SORRY]
        tracker = await server.tracker()
        assert "12345" not in json.dumps(tracker)
        assert tracker["stack"] == []
        server.neighbours.action_answer = None
        assert (await server.say("多少钱"))[0]["text"] == "价格 12.50。"

    async def test_nothing_of_an_answer_that_lies_in_one_place_counts(self, server):
        server.neighbours.lines = {"账户": "start flow private"}
        events = [{"event": "slot", "name": "verdict", "value": "ok"}, {"event": "telepathy"}]
        server.neighbours.action_answer = lambda _request: answering(events=events, responses=[{"text": "half a truth"}])
        assert [r["text"] for r in await server.say("账户")] == [SORRY]
        assert (await server.tracker())["slots"]["verdict"] is None

    async def test_what_a_newer_action_server_may_honestly_say_is_let_through(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}
        events = [
            {"event": "slot", "name": "slot_of_tomorrow", "value": 1},
            {"event": "reminder", "intent": "x", "date_time": "2026-11-20T10:00:00", "name": "r", "kill_on_user_msg": True},
            {"event": "slot", "name": "verdict", "value": "ok", "unknown_key": 5},
        ]
        server.neighbours.action_answer = lambda _request: answering(events=events, responses=[PRICE])
        assert [r["text"] for r in await server.say("多少钱")] == ["价格 12.50。"]
        slots = (await server.tracker())["slots"]
        assert slots["verdict"] == "ok"
        assert "slot_of_tomorrow" not in slots

    async def test_a_chain_of_actions_that_ask_for_each_other_ends(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}
        server.neighbours.action_answer = lambda _request: answering(events=[{"event": "followup", "name": "action_price"}])
        assert [r["text"] for r in await server.say("多少钱")] == [SORRY]

    @pytest.mark.parametrize("down", [httpx.ConnectError, httpx.ReadTimeout])
    async def test_in_our_own_project_a_dead_action_server_ends_in_a_handoff(self, database, clock, down):
        def dead(request: httpx.Request) -> httpx.Response:
            raise down("gone", request=request)

        neighbours = Neighbours()
        neighbours.action_answer = dead
        neighbours.understanding_answer = lambda _request: httpx.Response(
            200, json={"choices": [{"message": {"content": "start flow check_balance"}}]}
        )
        async with serving(database, clock, neighbours, Path(REPOSITORY)) as server:
            replies = await server.say("余额", f"cw-1-dead-{down.__name__}", language="zh")
        assert replies[0]["text"]
        assert {r["custom"]["envelope"]["kind"] for r in replies if "custom" in r} == {"handoff"}
