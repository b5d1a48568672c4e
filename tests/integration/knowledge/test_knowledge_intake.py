"""Chunks that arrive together are written together, and each request still gets its own answer."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tightrope.knowledge.server.graph import Graph
from tightrope.knowledge.server.index import EXACT
from tightrope.knowledge.server.intake import MOST, Intake
from tightrope.knowledge.server.repository import NewChunk
from tightrope.knowledge.server.scoring import index_terms
from tightrope.knowledge.server.search import Entry
from tightrope.knowledge.xxh64 import xxh64

pytestmark = pytest.mark.integration


async def add(http: httpx.AsyncClient, dataset: str, document: str, content: str) -> dict[str, Any]:
    path = f"/api/v1/datasets/{dataset}/documents/{document}/chunks"
    body: dict[str, Any] = (await http.post(path, json={"content": content})).json()
    return body


async def contents(http: httpx.AsyncClient, dataset: str, document: str) -> list[str]:
    path = f"/api/v1/datasets/{dataset}/documents/{document}/chunks"
    return [chunk["content"] for chunk in (await http.get(path, params={"page_size": 100})).json()["data"]["chunks"]]


async def test_many_at_a_time_are_all_there_and_each_is_answered_with_its_own_id(
    http: httpx.AsyncClient, dataset: dict[str, Any]
):
    owner = dataset["documents"]["a.md"]
    before = await contents(http, dataset["id"], owner)
    texts = [f"费用 > 第{number}项 (v1)\n第{number}项收费标准。" for number in range(MOST + 9)]
    made = await asyncio.gather(*(add(http, dataset["id"], owner, text) for text in texts))
    assert [answer["data"]["chunk"]["id"] for answer in made] == [xxh64((text + owner).encode()) for text in texts]
    assert sorted(await contents(http, dataset["id"], owner)) == sorted([*before, *texts])


async def test_one_that_is_bad_is_refused_alone(http: httpx.AsyncClient, dataset: dict[str, Any]):
    owner, other = dataset["documents"]["a.md"], dataset["documents"]["c.md"]
    before = await contents(http, dataset["id"], owner)
    good = [f"费用 > 佣金 (v1)\n佣金第{number}档。" for number in range(6)]
    answers = await asyncio.gather(
        *(add(http, dataset["id"], owner, text) for text in good[:3]),
        add(http, dataset["id"], owner, "含有\x00的一段"),
        add(http, dataset["id"], "0" * 32, "没有这个文件"),
        add(http, "f" * 32, owner, "没有这个数据集"),
        add(http, dataset["id"], other, good[0]),
        add(http, dataset["id"], owner, good[0]),
        *(add(http, dataset["id"], owner, text) for text in good[3:]),
    )
    assert [answer["code"] for answer in answers] == [0, 0, 0, 100, 102, 102, 0, 0, 0, 0, 0]
    assert sorted(await contents(http, dataset["id"], owner)) == sorted([*before, *good])
    assert good[0] in await contents(http, dataset["id"], other)


async def test_nobody_waits_for_ever_when_the_database_is_gone(server: FastAPI):
    class Gone:
        def connection(self) -> Any:
            raise TimeoutError("no connection")

    intake = Intake(Gone())  # type: ignore[arg-type]
    chunk = NewChunk("0" * 16, "0" * 32, "0" * 32, "x", (), Entry(index_terms("x", ()), None))
    answers = await asyncio.wait_for(asyncio.gather(*(intake.add(chunk) for _ in range(3)), return_exceptions=True), 5)
    assert [type(answer) for answer in answers] == [TimeoutError] * 3
    intake = Intake(server.state.pool)
    assert await intake.add(chunk) is False  # and the next one is written as if nothing had been
    await intake.aclose()


async def test_the_graph_is_built_when_a_dataset_outgrows_comparing(server: FastAPI, superuser: Any):
    def there() -> bool:
        with superuser("knowledge") as connection:
            return bool(connection.execute("SELECT to_regclass('knowledge.embedding_near') IS NOT NULL").fetchone()[0])

    graph = Graph(server.state.pool)
    graph.want(EXACT)
    assert not there()
    graph.want(EXACT + 1)
    for _ in range(1200):
        if there():
            break
        await asyncio.sleep(0.05)
    assert there()
    await graph.aclose()
    with superuser("knowledge") as connection:
        connection.execute("DROP INDEX knowledge.embedding_near")
