"""How webhooks are retried, given up, repeated and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from tightrope.sandbox.inbox.models import Delivery

pytestmark = pytest.mark.integration

SYSTEM_LINE = "Conversation was marked open by system due to an error with the agent bot."


async def begun_and_drained(inbox: Any) -> int:
    number = (await (await inbox.customer()).begin())["id"]
    await inbox.drained()
    return number


def attempts(inbox: Any, number: int, event: str = "message_created") -> list[httpx.Request]:
    return [
        one
        for one in inbox.bot.requests
        if (body := orjson.loads(one.content))["event"] == event and body.get("conversation", body).get("id") == number
    ]


async def state(inbox: Any, number: int) -> tuple[str, str | None, list[str]]:
    shown = (await inbox.api("GET", f"conversations/{number}", inbox.as_bot)).json()
    payload = (await inbox.api("GET", f"conversations/{number}/messages", inbox.as_agent())).json()["payload"]
    return shown["status"], shown["meta"]["assignee_type"], [one["content"] for one in payload if one["message_type"] == 2]


@pytest.mark.parametrize("code", [429, 500])
async def test_429_and_500_are_tried_three_times_with_one_delivery_id(inbox: Any, code: int) -> None:
    inbox.bot.answer = lambda _: httpx.Response(code)
    number = await begun_and_drained(inbox)
    tried = attempts(inbox, number)
    assert len(tried) == 3
    assert len({one.headers["X-Chatwoot-Delivery"] for one in tried}) == 1
    assert await state(inbox, number) == ("open", "AgentBot", [SYSTEM_LINE])


async def test_a_retry_that_succeeds_leaves_the_conversation_pending(inbox: Any) -> None:
    codes: Iterator[int] = iter([500, 429])
    inbox.bot.answer = lambda _: httpx.Response(next(codes, 200))
    number = await begun_and_drained(inbox)
    assert len(attempts(inbox, number)) == 3
    assert (await state(inbox, number))[0] == "pending"


@pytest.mark.parametrize("code", [401, 404, 301, 502, 503])
async def test_other_answers_are_final_at_once_and_open_the_conversation(inbox: Any, code: int) -> None:
    inbox.bot.answer = lambda _: httpx.Response(code)
    number = await begun_and_drained(inbox)
    assert len(attempts(inbox, number)) == 1
    assert await state(inbox, number) == ("open", "AgentBot", [SYSTEM_LINE])


@pytest.mark.parametrize("error", [httpx.ReadTimeout("slow"), httpx.ConnectError("refused")])
async def test_timeout_and_refused_connection_are_final(inbox: Any, error: httpx.HTTPError) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    inbox.bot.answer = fail
    number = await begun_and_drained(inbox)
    assert len(attempts(inbox, number)) == 1
    assert (await state(inbox, number))[0] == "open"


async def test_a_lost_conversation_event_changes_nothing(inbox: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(503 if orjson.loads(request.content)["event"].startswith("conversation") else 200)

    inbox.bot.answer = answer
    number = await begun_and_drained(inbox)
    await inbox.api("POST", f"conversations/{number}/labels", inbox.as_bot, {"labels": ["x"]})
    await inbox.drained()
    assert len(attempts(inbox, number, "conversation_updated")) == 1
    assert (await state(inbox, number))[0] == "pending"


async def test_the_opening_is_told_to_the_bot_as_a_status_change(inbox: Any) -> None:
    codes = iter([503])
    inbox.bot.answer = lambda _: httpx.Response(next(codes, 200))
    number = await begun_and_drained(inbox)
    (told,) = inbox.bot.named("conversation_status_changed", number)
    assert told["status"] == "open"
    assert told["meta"]["assignee_type"] == "AgentBot"


async def test_what_was_accepted_is_sent_again_after_a_kill(inbox: Any, run_again: Any) -> None:
    stuck = asyncio.Event()

    class Hang:
        async def before(self, delivery: Delivery) -> int:
            stuck.set()
            await asyncio.Event().wait()
            return 1

    await inbox.disconnect_bot()
    async with run_again(faults=Hang()) as first:
        number = (await (await first.customer()).begin("不能丢"))["id"]
        await asyncio.wait_for(stuck.wait(), 5)
        assert first.bot.requests == []
    async with run_again() as second:
        await second.drained()
        (sent,) = attempts(second, number)
        assert orjson.loads(sent.content)["content"] == "不能丢"
    async with run_again() as third:
        await third.drained()
        assert attempts(third, number) == []


async def test_a_fault_can_repeat_and_lose_a_delivery(inbox: Any, run_again: Any) -> None:
    class Disturb:
        async def before(self, delivery: Delivery) -> int:
            return {"message_created": 2}.get(delivery.event, 0)

    await inbox.disconnect_bot()
    async with run_again(faults=Disturb()) as disturbed:
        number = await begun_and_drained(disturbed)
        assert len(attempts(disturbed, number)) == 2
        await disturbed.api("POST", f"conversations/{number}/labels", disturbed.as_bot, {"labels": ["x"]})
        await disturbed.drained()
        assert attempts(disturbed, number, "conversation_updated") == []


async def test_a_bot_without_a_url_gets_nothing_and_nothing_fails(inbox: Any) -> None:
    await inbox.connect_bot(url="")
    number = await begun_and_drained(inbox)
    assert inbox.bot.requests == []
    assert (await state(inbox, number))[0] == "pending"


async def test_host_outside_the_allow_list_is_a_failed_delivery(inbox: Any) -> None:
    await inbox.connect_bot(url="http://example.com/hook")
    number = await begun_and_drained(inbox)
    assert inbox.bot.requests == []
    assert (await state(inbox, number))[0] == "open"
