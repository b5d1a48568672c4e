"""The kill switch on the running demo: what leaves after it, whom the conversations go to, and what one journey's switch leaves alone."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from demo_world import RunningDemo, answered, until
from rich.console import Console

from tightrope.cli.agent import Agent
from tightrope.cli.customer import Customer
from tightrope.cli.operate import turn_switch

pytestmark = pytest.mark.acceptance

QUESTION = "查看资料：银证转账：资金到账时间"
Turn = Callable[..., Awaitable[str]]


@pytest.fixture
async def turn(demo: RunningDemo) -> AsyncIterator[Turn]:
    """Turns the switch as the operator's command does; whatever was turned off is on again afterwards."""

    async def command(journey: str | None = None, *, off: bool = True) -> str:
        console = Console(file=io.StringIO(), width=200)
        status = await asyncio.to_thread(
            turn_switch, demo.settings, console, off=off, journey=journey, reason="drill", who="operator"
        )
        assert status == 0
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    yield command
    for row in demo.query("tightrope", "SELECT scope FROM gateway.switch_now"):
        await command(None if row["scope"] == "all" else row["scope"].removeprefix("journey:"), off=False)


def ahead(demo: RunningDemo) -> float:
    """Seconds by which the demo's clock is ahead of the database's."""
    path = demo.settings.demo_clock
    return float(path.read_text() or 0) if path is not None and path.exists() else 0.0


async def test_no_bot_message_leaves_later_than_a_second_after_the_switch(demo: RunningDemo, turn: Turn):
    async with AsyncExitStack() as stack:
        customers = [Customer(demo.settings) for _ in range(4)]
        for customer in customers:
            stack.push_async_callback(customer.aclose)
            await customer.open_page()
            await customer.say(QUESTION)
        for customer in customers:
            await answered(customer, 2)

        async def keep_asking(customer: Customer) -> None:
            for _ in range(14):
                await customer.say(QUESTION)
                await asyncio.sleep(0.25)

        asking = [asyncio.create_task(keep_asking(customer)) for customer in customers]
        await asyncio.sleep(1.0)
        assert "OFF" in await turn()
        at = demo.one("tightrope", "SELECT at FROM gateway.switch_now WHERE scope = 'all'")
        await asyncio.gather(*asking)
        numbers = [customer.conversation for customer in customers]

        def all_open() -> bool:
            return {m["status"] for n in numbers for m in demo.messages(n)} == {"open"}

        await until(all_open, 10, "every conversation opened for the agents")
        await asyncio.sleep(1.0)
        for number in numbers:
            bots = demo.bot_messages(number)
            assert bots, "the bot answered before the switch"
            late = [(m["created_at"] - at).total_seconds() - ahead(demo) for m in bots]
            assert max(late) <= 1.0, f"a bot message left {max(late):.2f} s after the switch"
            notes = [m["content"] for m in demo.messages(number) if m["private"]]
            assert any("自动应答已停用" in note for note in notes), "the agents read why"


async def test_after_the_switch_is_on_again_and_given_back_the_bot_answers(demo: RunningDemo, turn: Turn):
    customer, agent = Customer(demo.settings), Agent(demo.settings)
    try:
        await turn()
        await customer.open_page()
        await customer.say(QUESTION)
        number = customer.conversation
        assert number is not None
        await until(lambda: demo.messages(number)[0]["status"] == "open", 10, "the conversation opened for the agents")
        assert demo.bot_messages(number) == []
        await turn(off=False)
        await customer.say(QUESTION)
        await asyncio.sleep(1.0)
        assert demo.bot_messages(number) == [], "a person holds it until it is given back"
        await agent.act(number, "return")
        await customer.say(QUESTION)
        texts = await answered(customer, 2)
        assert "[1]" in texts[-1]
        assert len(demo.bot_messages(number)) == 2, "what was asked meanwhile is not answered late"
    finally:
        await customer.aclose()
        await agent.aclose()


async def test_switch_of_one_journey_stops_only_that_journey(demo: RunningDemo, turn: Turn, play: Callable[..., Any]):
    assert "journey:check_balance" in await turn("check_balance")
    turns = (await play("C1001", "我的账户余额是多少？"))["turns"]
    texts = "\n".join(reply["text"] or "" for reply in turns[0]["replies"])
    assert "128,650.42" not in texts
    assert turns[0]["held_by"] is not None, "a person takes it"
    turns = (await play("C1001", QUESTION, "我能开通融资融券吗？"))["turns"]
    assert turns[0]["turns"][0]["citations"]
    assert turns[1]["turns"][0]["flow"] == "check_margin_eligibility"
    assert turns[1]["held_by"] is None


async def test_switch_and_its_reason_are_on_the_record(demo: RunningDemo, turn: Turn):
    await turn("check_balance")
    await turn("check_balance", off=False)
    found = demo.query("tightrope", "SELECT event FROM audit.records WHERE event LIKE '%%switch%%' ORDER BY ord DESC LIMIT 2")
    assert [row["event"].rsplit(":", 1)[-1] for row in found] == ["released", "engaged"]
