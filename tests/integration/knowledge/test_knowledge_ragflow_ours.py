"""What only the embedded server can show of RAGFlow's contract: other versions, an account with nothing in it, RAGFlow's official SDK."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tightrope.infra.settings import Settings
from tightrope.knowledge.errors import KnowledgeRejected, PublishFailed
from tightrope.knowledge.models import Release
from tightrope.knowledge.publish import publish
from tightrope.knowledge.publishing.record import Unrecorded
from tightrope.knowledge.server import index
from tightrope.knowledge.server.api import create_app
from tightrope.knowledge.versions import Version

pytestmark = pytest.mark.integration


@pytest.fixture
async def older(server: FastAPI) -> AsyncIterator[None]:
    """The embedded server keeping the rules of 0.27.0."""
    kept = server.state.version
    server.state.version = Version(0, 27, 0)
    yield
    server.state.version = kept


async def test_before_0_27_1_the_number_of_candidates_is_ignored(http: httpx.AsyncClient, older: None, dataset: dict[str, Any]):
    body = {"question": "x", "dataset_ids": [dataset["id"]], "page": 3, "page_size": 30}
    assert (await http.post("/api/v1/retrieval", json=body)).json()["code"] == 0


async def test_the_server_names_the_version_whose_rules_it_keeps_and_that_it_is_not_ragflow(http: httpx.AsyncClient, older: None):
    assert (await http.get("/api/v1/system/version")).json()["data"] == "v0.27.0-tightrope"


async def test_an_account_in_which_nothing_was_ever_parsed_is_code_100(database: Settings, superuser: Any):
    with superuser("knowledge") as connection:  # an account of its own: everything is hidden for this transaction's server
        connection.execute("ALTER TABLE knowledge.chunk RENAME TO chunk_hidden")
        connection.execute("CREATE TABLE knowledge.chunk (LIKE knowledge.chunk_hidden)")
        connection.execute("GRANT SELECT ON knowledge.chunk TO knowledge")
    try:
        app = create_app(database)
        async with app.router.lifespan_context(app):
            key = database.secret("knowledge_api_key").get_secret_value()
            headers = {"authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", headers=headers
            ) as client:
                made = (await client.post("/api/v1/datasets", json={"name": "empty"})).json()["data"]
                answer = (await client.post("/api/v1/retrieval", json={"question": "x", "dataset_ids": [made["id"]]})).json()
                await client.request("DELETE", "/api/v1/datasets", json={"ids": [made["id"]]})
    finally:
        with superuser("knowledge") as connection:
            connection.execute("DROP TABLE knowledge.chunk")
            connection.execute("ALTER TABLE knowledge.chunk_hidden RENAME TO chunk")
    assert answer == {"code": 100, "message": "No chunk found, please upload file and parse it."}


async def test_an_empty_dataset_beside_a_full_one_just_finds_nothing(http: httpx.AsyncClient, dataset: dict[str, Any]):
    made = (await http.post("/api/v1/datasets", json={"name": "empty beside full"})).json()["data"]
    answer = (await http.post("/api/v1/retrieval", json={"question": "印花税", "dataset_ids": [made["id"]]})).json()
    await http.request("DELETE", "/api/v1/datasets", json={"ids": [made["id"]]})
    assert answer == {"code": 0, "data": {"total": 0, "chunks": [], "doc_aggs": []}}


async def test_the_total_counts_a_window_and_not_the_corpus(http: httpx.AsyncClient, dataset: dict[str, Any]):
    path = f"/api/v1/datasets/{dataset['id']}/documents/{dataset['documents']['a.md']}/chunks"
    await asyncio.gather(*(http.post(path, json={"content": f"印花税 > 第 {n} 条 (v1)\n印花税第 {n} 条。"}) for n in range(120)))
    for size, most in ((64, 64), (30, 90), (100, 100)):
        body = {"question": "印花税", "dataset_ids": [dataset["id"]], "similarity_threshold": 0, "page_size": size}
        body["rerank_candidates_count"] = 100
        data = (await http.post("/api/v1/retrieval", json=body)).json()["data"]
        assert data["total"] <= most
        assert len(data["chunks"]) <= size


async def test_fields_that_it_does_not_know_are_ignored(http: httpx.AsyncClient, dataset: dict[str, Any]):
    body = {"question": "印花税", "dataset_ids": [dataset["id"]], "similarity_treshold": 0.99}
    assert (await http.post("/api/v1/retrieval", json=body)).json()["data"]["total"] > 0


async def test_unknown_ids_of_datasets_are_dropped_silently_and_an_unknown_name_is_not(
    http: httpx.AsyncClient, dataset: dict[str, Any]
):
    listed = (await http.get("/api/v1/datasets", params={"ids": [dataset["id"], "f" * 32]})).json()
    assert [row["id"] for row in listed["data"]] == [dataset["id"]]
    assert (await http.get("/api/v1/datasets", params={"id": dataset["id"], "ids": dataset["id"]})).json()["code"] == 101
    assert (await http.get("/api/v1/datasets", params={"name": "f"})).json()["code"] == 102


async def test_the_same_file_sent_again_is_another_document_with_other_chunks(http: httpx.AsyncClient, dataset: dict[str, Any]):
    base = f"/api/v1/datasets/{dataset['id']}/documents"
    ids = []
    for _ in range(2):
        document = (await http.post(base, files={"file": ("same.md", b"x", "text/markdown")})).json()["data"][0]["id"]
        ids.append((await http.post(f"{base}/{document}/chunks", json={"content": "同一段。"})).json()["data"]["chunk"]["id"])
    assert ids[0] != ids[1]


async def test_what_is_published_to_a_server_that_must_not_answer_is_refused_before_anything_is_sent(
    published: httpx.ASGITransport, server: FastAPI, database: Settings
):
    kept = server.state.version
    server.state.version = Version(0, 25, 6)
    try:
        with pytest.raises(KnowledgeRejected, match="joins filters wrongly"):
            await publish(database, witness=Unrecorded(), transport=published)
    finally:
        server.state.version = kept


async def test_a_release_whose_dataset_was_given_a_pagerank_is_not_taken_for_published(
    published: httpx.ASGITransport, http: httpx.AsyncClient, whole: Release, database: Settings
):
    (row,) = (await http.get("/api/v1/datasets", params={"name": whole.release_id})).json()["data"]
    await http.put(f"/api/v1/datasets/{row['id']}", json={"pagerank": 3})
    try:
        with pytest.raises(PublishFailed, match="pagerank of 3"):
            await publish(database, witness=Unrecorded(), transport=published)
    finally:
        await http.put(f"/api/v1/datasets/{row['id']}", json={"pagerank": 0})


async def test_pagerank_lifts_scores_of_its_dataset_alone(http: httpx.AsyncClient, dataset: dict[str, Any]):
    assert (await http.put(f"/api/v1/datasets/{dataset['id']}", json={"pagerank": 50})).json()["data"]["pagerank"] == 50
    body = {"question": "印花税", "dataset_ids": [dataset["id"]]}
    (first, *_) = (await http.post("/api/v1/retrieval", json=body)).json()["data"]["chunks"]
    assert 50 < first["similarity"] < 51.1
    assert first["term_similarity"] <= 1
    for wrong in (101, -1, 1.5, True, "9"):
        assert (await http.put(f"/api/v1/datasets/{dataset['id']}", json={"pagerank": wrong})).json()["code"] == 101


async def test_the_official_sdk_works_against_it(served: str, database: Settings):
    sdk = pytest.importorskip("ragflow_sdk", reason="ragflow-sdk 0.22.1 needs Python below 3.13")
    await asyncio.to_thread(_play_sdk, sdk, database, served)


def _play_sdk(sdk: Any, database: Settings, address: str) -> None:
    rag = sdk.RAGFlow(database.secret("knowledge_api_key").get_secret_value(), address)
    dataset = rag.create_dataset(name=f"sdk-{time.time_ns()}")
    try:
        (document,) = dataset.upload_documents([{"display_name": "a.md", "blob": b"Stamp duty is paid by the seller."}])
        document.update({"meta_fields": {"audience": "public"}})
        chunk = document.add_chunk(content="Stamp duty is paid by the seller.", important_keywords=["tax"])
        assert [found.id for found in document.list_chunks()] == [chunk.id]
        assert document.download() == b"Stamp duty is paid by the seller."
        public = {"conditions": [{"name": "audience", "comparison_operator": "=", "value": "public"}]}
        found = rag.retrieve([dataset.id], question="stamp duty", similarity_threshold=0.0, metadata_condition=public)
        assert [hit.content for hit in found] == ["Stamp duty is paid by the seller."]
        assert dataset.parse_documents([document.id])[0][1] == "DONE"
        assert rag.get_dataset(dataset.name).id == dataset.id
        dataset.delete_documents([document.id])
        with pytest.raises(Exception, match="don't own the dataset"):
            rag.retrieve(["f" * 32], question="x")
    finally:
        rag.delete_datasets([dataset.id])


async def test_walking_the_graph_finds_what_comparing_all_vectors_finds(
    published: httpx.ASGITransport, http: httpx.AsyncClient, whole: Release, monkeypatch: pytest.MonkeyPatch
):
    (row,) = (await http.get("/api/v1/datasets", params={"name": whole.release_id})).json()["data"]
    body = {"dataset_ids": [row["id"]], "page_size": 8, "similarity_threshold": 0, "vector_similarity_weight": 1.0}
    alike = []
    for question in ("卖股票的印花税是多少", "How do I reset my password?", "科创板开户条件", "What is margin trading?"):
        answers = []
        for limit in (10**9, 0):
            monkeypatch.setattr(index, "EXACT", limit)
            answer = (await http.post("/api/v1/retrieval", json=body | {"question": question})).json()
            answers.append({chunk["id"] for chunk in answer["data"]["chunks"]})
        alike.append(len(answers[0] & answers[1]))
    assert sum(alike) >= 31, alike


@pytest.mark.parametrize("exact", [10**9, 0], ids=["compared", "walked"])
async def test_a_filter_that_leaves_one_document_finds_it_however_far_away_it_lies(
    published: httpx.ASGITransport, http: httpx.AsyncClient, whole: Release, monkeypatch: pytest.MonkeyPatch, exact: int
):
    monkeypatch.setattr(index, "EXACT", exact)
    (row,) = (await http.get("/api/v1/datasets", params={"name": whole.release_id})).json()["data"]
    condition = {"conditions": [{"name": "doc_id", "comparison_operator": "=", "value": "app-price-alerts"}]}
    body = {
        "question": "卖股票的印花税是多少",
        "dataset_ids": [row["id"]],
        "similarity_threshold": 0,
        "page_size": 64,
        "metadata_condition": condition,
        "vector_similarity_weight": 1.0,
    }
    chunks = (await http.post("/api/v1/retrieval", json=body)).json()["data"]["chunks"]
    expected = {p.content for p in whole.passages if p.document_id == "app-price-alerts"}
    assert {chunk["content"] for chunk in chunks} == expected
