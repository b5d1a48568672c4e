"""The queue when a worker dies or the database loses an answer: no conversation is left waiting behind a job that nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tightrope.gateway.jobs import Jobs
from tightrope.gateway.turns import TurnRepeats

pytestmark = pytest.mark.integration


class FakeDrain:
    """Notes the conversations; raises what it is given first."""

    def __init__(self) -> None:
        self.drained: list[str] = []
        self.raises: list[Exception] = []

    async def conversation(self, conversation_id: str) -> None:
        self.drained.append(conversation_id)
        if self.raises:
            raise self.raises.pop(0)


@pytest.fixture
async def jobs(gateway: Any) -> AsyncIterator[Jobs]:
    made = Jobs(gateway.settings, FakeDrain())  # type: ignore[arg-type]
    async with made.app.open_async():
        yield made


async def begun_by_a_dead_worker(gateway: Any, text: str = "hello") -> int:
    """A message whose job a worker took and never finished."""
    await gateway.deliver(gateway.message(text))
    (row,) = await gateway.rows(
        "UPDATE procrastinate_jobs SET status = 'doing' WHERE lock = %s AND status = 'todo' RETURNING id", gateway.conversation
    )
    return int(row["id"])


async def left(gateway: Any) -> list[tuple[int, str]]:
    rows = await gateway.rows("SELECT id, status FROM procrastinate_jobs WHERE lock = %s ORDER BY id", gateway.conversation)
    return [(row["id"], row["status"]) for row in rows]


async def work(jobs: Jobs, seconds: float = 2.0) -> None:
    await asyncio.wait_for(jobs.app.run_worker_async(queues=["turns"], wait=False, delete_jobs="always"), seconds)


async def test_dead_workers_job_is_queued_again(gateway: Any, jobs: Jobs) -> None:
    job = await begun_by_a_dead_worker(gateway)
    await jobs.take_up()
    assert await left(gateway) == [(job, "todo")]


async def test_dead_workers_job_makes_way_for_the_one_that_waits_behind_it(gateway: Any, jobs: Jobs) -> None:
    await begun_by_a_dead_worker(gateway)
    await gateway.deliver(gateway.message("and another thing"))
    ((_, _), (newer, _)) = await left(gateway)
    await jobs.take_up()
    assert await left(gateway) == [(newer, "todo")]
    await work(jobs)
    assert await left(gateway) == []


async def test_turn_that_repeats_keeps_its_place_and_is_tried_again(gateway: Any, jobs: Jobs) -> None:
    jobs._drain.raises = [TurnRepeats("assistant is down", after=0.01)]  # type: ignore[attr-defined]
    await gateway.deliver(gateway.message("hello"))
    await work(jobs)
    assert jobs._drain.drained.count(gateway.conversation) == 2  # type: ignore[attr-defined]
    assert await left(gateway) == []


async def test_job_whose_end_the_database_lost_is_queued_again_when_seen_twice(gateway: Any, jobs: Jobs) -> None:
    job = await begun_by_a_dead_worker(gateway)
    (row,) = await gateway.rows("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    await gateway.rows("UPDATE procrastinate_jobs SET worker_id = %s WHERE id = %s RETURNING id", row["id"], job)
    jobs._worker = row["id"]
    await jobs.take_up()
    assert await left(gateway) == [(job, "doing")]
    await jobs.take_up()
    assert await left(gateway) == [(job, "todo")]


async def test_running_job_of_a_living_worker_is_left_alone(gateway: Any, jobs: Jobs) -> None:
    job = await begun_by_a_dead_worker(gateway)
    (row,) = await gateway.rows("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    await gateway.rows("UPDATE procrastinate_jobs SET worker_id = %s WHERE id = %s RETURNING id", row["id"], job)
    jobs._worker, jobs._running = row["id"], {job}
    for _ in range(3):
        await jobs.take_up()
    assert await left(gateway) == [(job, "doing")]
