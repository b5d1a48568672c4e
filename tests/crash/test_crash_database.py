"""The database of the record taken away before a turn's commit, and two workers of which one was only asleep."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from crash_judge import judge, settled
from crash_steps import STEPS, Held, acting
from demo_world import RunningDemo, answered, until

from tightrope.cli.customer import Customer
from tightrope.cli.supervisor import free_ports

pytestmark = [pytest.mark.long, pytest.mark.acceptance]

BALANCE = "我的账户余额是多少？"
AWAY = 5.0


@asynccontextmanager
async def verified(demo: RunningDemo) -> AsyncIterator[Customer]:
    """A logged-in customer who has been greeted."""
    customer = Customer(demo.settings)
    try:
        await customer.open_page()
        await customer.log_in("C1001")
        await customer.say("你好")
        await answered(customer, 2)
        yield customer
    finally:
        await customer.aclose()


@contextmanager
def away(demo: RunningDemo) -> Iterator[None]:
    """Nobody can reach the database of gateway, worker, identity and record; the inbox and the assistant keep theirs."""
    demo.query("postgres", "ALTER DATABASE tightrope ALLOW_CONNECTIONS false")
    try:
        demo.query("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'tightrope'")
        yield
    finally:
        demo.query("postgres", "ALTER DATABASE tightrope ALLOW_CONNECTIONS true")


@pytest.mark.parametrize("step", ["acting", "saved", "committed"])
async def test_no_reply_leaves_while_the_database_is_away_and_one_when_it_is_back(
    demo: RunningDemo, progress: Callable[[str], None], step: str
):
    async with verified(demo) as customer:
        held = Held(demo, customer)
        before = len(demo.bot_messages(customer.conversation or 0))
        async with STEPS[step](held, BALANCE):
            with away(demo):
                await asyncio.sleep(1.0)
                held.wake_all()
                await asyncio.sleep(AWAY)
                assert len(demo.bot_messages(customer.conversation or 0)) == before, "a reply left without its record"
        await settled(demo, customer, [held.message])
        outcome = await judge(demo, customer, [held.message])
        progress(f"  database away while {step}: {outcome}")
        said = [m["content"] for m in demo.bot_messages(customer.conversation or 0)[before:]]
        assert len(said) > 0, "the reply came when the database was back"


async def test_message_that_arrives_while_the_database_is_away_is_answered_when_it_is_back(
    demo: RunningDemo, progress: Callable[[str], None]
):
    async with verified(demo) as customer:
        with away(demo):
            message = await customer.say(BALANCE)
            await asyncio.sleep(AWAY)
        await settled(demo, customer, [message])
        progress(f"  arrived while the database was away: {await judge(demo, customer, [message])}")
        assert "128,650.42" in "".join(m["content"] for m in demo.bot_messages(customer.conversation or 0))


async def test_worker_that_slept_through_its_replacement_does_not_reply_again(demo: RunningDemo, progress: Callable[[str], None]):
    """The second worker takes the turn up after the first's heartbeat stopped; the first wakes and finds that it may not commit."""
    async with verified(demo) as customer:
        held = Held(demo, customer)
        first = held.pid("worker")
        (port,) = free_ports(1)
        second = None
        try:
            async with acting(held, BALANCE):
                os.kill(first, signal.SIGSTOP)
                environment = {**demo.demo.supervisor._environment, "TIGHTROPE_WORKER_HEALTH_PORT": str(port)}
                with (demo.settings.state_dir / "logs" / "worker-second.log").open("ab") as log:
                    second = await asyncio.create_subprocess_exec(
                        sys.executable, "-m", "tightrope.cli.serve", "worker", env=environment, stdout=log, stderr=log
                    )
            sql = "SELECT attempt FROM gateway.turn WHERE conversation_id = %(c)s AND attempt > 1 AND state = 'committed'"
            await until(lambda: held.one(sql), 30, "the second worker to take the turn up and commit it")
        finally:
            os.kill(first, signal.SIGCONT)
            if second is not None:
                await asyncio.sleep(2.0)
                second.terminate()
                await asyncio.wait_for(second.wait(), 10)
        await settled(demo, customer, [held.message])
        progress(f"  worker asleep while another took over: {await judge(demo, customer, [held.message])}")
