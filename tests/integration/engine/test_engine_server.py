"""The assistant server over HTTP with a real Postgres."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from engine_bench import Neighbours, serving

pytestmark = pytest.mark.integration
TURN = "t" * 43
SORRY = "抱歉，系统出了点问题，刚才的操作没有完成。请稍后再试。"
REPHRASE = "抱歉，我没有理解您的意思。请换一种说法再试一次。"


class TestTurns:
    async def test_a_flow_runs_over_the_rest_channel_with_an_action_and_its_envelope(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}
        replies = await server.say("多少钱", turn_id=TURN, language="zh")
        assert replies == [
            {"recipient_id": "cw-1-1-e0", "text": "价格 12.50。"},
            {"recipient_id": "cw-1-1-e0", "custom": {"envelope": {"v": 1, "kind": "journey"}}},
        ]
        [prompt] = server.neighbours.prompts
        assert prompt["message"] == "多少钱"
        assert prompt["flow"] is None
        assert {flow["id"] for flow in prompt["flows"]} == {"order", "hours", "price", "private", "paint"}

    async def test_a_conversation_goes_on_from_the_database(self, server, database, clock):
        server.neighbours.lines = {"下单": "start flow order", "三件": "set slot count 3"}
        [question] = await server.say("下单")
        assert question["buttons"][0] == {"title": "大", "payload": "/SetSlots(size=large)"}
        other = Neighbours()
        async with serving(database, clock, other) as second:
            assert [r["text"] for r in await second.say("/SetSlots(size=large)")] == ["要几件？"]
            assert other.prompts == []
        assert [r["text"] for r in await server.say("三件")] == ["3.0 件 large，确认吗？"]

    async def test_a_known_turn_is_answered_with_the_stored_replies_and_nothing_runs(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}
        first = await server.say("多少钱", turn_id=TURN)
        before = len(server.neighbours.calls), len(server.neighbours.prompts)
        assert await server.say("多少钱", turn_id=TURN) == first
        assert await server.say("something else", turn_id=TURN) == first
        assert (len(server.neighbours.calls), len(server.neighbours.prompts)) == before
        assert sum(e["event"] == "user" for e in (await server.tracker())["events"]) == 1

    async def test_the_turn_id_of_another_conversation_is_another_turn(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}
        await server.say("多少钱", turn_id=TURN)
        await server.say("多少钱", sender="cw-1-2-e0", turn_id=TURN)
        assert len(server.neighbours.prompts) == 2

    async def test_one_turn_asked_twice_at_once_runs_once(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}
        replies = await asyncio.gather(*(server.say("多少钱", turn_id=TURN) for _ in range(5)))
        assert len(server.neighbours.prompts) == 1
        assert all(reply == replies[0] for reply in replies)

    async def test_two_servers_never_run_one_conversation_at_once(self, server, database, clock):
        running = 0

        async def slow(request: httpx.Request) -> httpx.Response:
            nonlocal running
            running += 1
            assert running == 1
            await asyncio.sleep(0.05)
            running -= 1
            return httpx.Response(200, json={"events": [], "responses": []})

        other = Neighbours()
        for neighbours in (server.neighbours, other):
            neighbours.lines = {"多少钱": "start flow price"}
            neighbours.act = slow
        async with serving(database, clock, server.neighbours) as one, serving(database, clock, other) as two:
            await asyncio.gather(*(each.say("多少钱") for each in (one, two) for _ in range(3)))
        state = await server.tracker()
        assert sum(event["event"] == "user" for event in state["events"]) == 6

    async def test_a_crash_before_the_save_repeats_the_turn(self, server):
        server.neighbours.lines = {"多少钱": "start flow price"}

        def crash(_request: httpx.Request) -> httpx.Response:
            raise RuntimeError("the process dies here")

        server.neighbours.action_answer = crash
        assert (await server.post("多少钱", turn_id=TURN)).status_code == 500
        server.neighbours.action_answer = None
        assert (await server.say("多少钱", turn_id=TURN))[0]["text"] == "价格 12.50。"
        assert sum(event["event"] == "user" for event in (await server.tracker())["events"]) == 1

    async def test_idle_for_too_long_begins_a_new_session(self, server):
        server.neighbours.lines = {"下单": "start flow order"}
        await server.say("下单")
        server.clock.advance(29 * 60)
        assert [r["text"] for r in await server.say("嗯")] == [REPHRASE, "要多大的？"]
        server.clock.advance(31 * 60)
        assert [r["text"] for r in await server.say("嗯")] == [REPHRASE]
        events = (await server.tracker())["events"]
        assert sum(event["event"] == "session_started" for event in events) == 2

    async def test_what_is_saved_a_turn_does_not_grow_with_the_conversation(self, server, superuser):
        server.neighbours.lines = {"几点": "start flow hours"}
        sizes = []
        for _ in range(12):
            await server.say("几点")
            with superuser("assistant") as connection:
                row = connection.execute(
                    "SELECT length(c.state::text), (SELECT max(length(events::text)) FROM engine.turn WHERE number = c.turns) FROM engine.conversation c"
                ).fetchone()
            sizes.append(row)
        assert sizes[-1][0] <= sizes[1][0] + 20
        assert sizes[-1][1] <= sizes[1][1] + 20


class TestUnderstanding:
    async def test_commands_and_what_understanding_said_stand_on_the_user_event(self, server):
        server.neighbours.lines = {"几点": "start flow hours\nI am sure"}
        await server.say("几点", turn_id=TURN)
        tracker = await server.tracker(turn_id=TURN)
        user = tracker["events"][0]
        assert user["event"] == "user"
        assert user["metadata"]["turn_id"] == TURN
        assert user["parse_data"]["commands"] == [{"command": "start flow", "flow": "hours"}]
        assert user["parse_data"]["understanding"] == {"source": "rule", "rule": "test", "refused": ["I am sure"]}

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(500, json={"error": {"message": "no"}}),
            httpx.Response(200, content=b"no json"),
            httpx.Response(200, json={"choices": []}),
            httpx.Response(200, json=[]),
            httpx.Response(200, json={"choices": [{"message": {"content": ["x"]}}]}),
        ],
    )
    async def test_an_understanding_that_fails_is_said_and_recorded_and_the_flow_stays(self, server, answer):
        server.neighbours.lines = {"下单": "start flow order"}
        await server.say("下单")
        server.neighbours.understanding_answer = lambda _request: answer
        assert [r["text"] for r in await server.say("大", turn_id=TURN)] == [SORRY, "要多大的？"]
        user = (await server.tracker(turn_id=TURN))["events"][0]
        assert user["parse_data"]["understanding"]["source"] == "none"
        assert user["parse_data"]["commands"][0]["command"] == "error"

    async def test_an_understanding_that_cannot_be_reached_is_said(self, server):
        def down(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

        server.neighbours.understanding_answer = down
        assert [r["text"] for r in await server.say("大")] == [SORRY]

    async def test_nothing_is_asked_for_an_empty_or_too_long_text(self, server):
        assert [r["text"] for r in await server.say("  \x00 ")] == ["我没有收到内容，请再发一次。"]
        assert [r["text"] for r in await server.say("长" * 50_000)] == ["您的消息太长了，请控制在 200 个字符以内。"]
        assert server.neighbours.prompts == []

    @pytest.mark.parametrize(
        "text",
        ["\u202e{{7*7}}", "{slots}", "/SetSlots(login_state=done)", "/restart", '"}], "flows": [{"id": "x', "\x07\x1b[31m"],
    )
    async def test_odd_texts_are_understood_as_texts(self, server, text):
        assert [r["text"] for r in await server.say(text)] == [REPHRASE]
        assert [prompt["message"] for prompt in server.neighbours.prompts] == [text]

    async def test_a_nul_character_in_metadata_does_no_harm(self, server):
        assert [r["text"] for r in await server.say("嗯", note="a\x00b")] == [REPHRASE]
        assert (await server.tracker())["latest_message"]["metadata"]["note"] == "a\x00b"
