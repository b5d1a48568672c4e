"""Conversations that are closed for good, and texts that look like payloads, over HTTP with a real Postgres."""

from __future__ import annotations

import httpx
import pytest

pytestmark = pytest.mark.integration
TURN = "e" * 43


def close(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"events": [{"event": "session_ended"}], "responses": []})


class TestClosed:
    async def test_later_messages_change_nothing_and_may_be_repeated(self, server, clock):
        server.neighbours.lines = {"多少钱": "start flow price"}
        server.neighbours.action_answer = close
        assert await server.say("多少钱") == []
        before = (await server.tracker())["events"]
        assert before[-1]["event"] == "session_ended"
        asked = len(server.neighbours.prompts)
        assert await server.say("多少钱", turn_id=TURN) == []
        assert await server.say("多少钱", turn_id=TURN) == []
        clock.advance(48 * 3600)
        assert await server.say("多少钱") == []
        assert (await server.tracker())["events"] == before
        assert len(server.neighbours.prompts) == asked
        url, params = "/conversations/cw-1-1-e0/tracker/events", {"token": server.token}
        answer = await server.client.post(url, params=params, json=[{"event": "session_started"}])
        assert (answer.status_code, "closed for good" in answer.json()["message"]) == (400, True)


class TestTypedPayloads:
    @pytest.mark.parametrize(
        "text", ["/restart", "/session_start", "/session_end", '/order{"size": "large"}', "/SetSlots(size=large)"]
    )
    async def test_they_are_understood_as_text_and_nothing_else(self, server, text):
        await server.say("你好")
        assert await server.say(text)
        assert server.neighbours.prompts[-1]["message"] == text
        user = [event for event in (await server.tracker())["events"] if event["event"] == "user"][-1]
        assert user["parse_data"]["intent"]["name"] is None
        assert "payload" not in user["parse_data"]
        assert sum(event["event"] == "session_started" for event in (await server.tracker())["events"]) == 1
