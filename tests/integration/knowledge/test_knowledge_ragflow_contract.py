"""RAGFlow's contract (A18 of the RAGFlow notes), played on the embedded server, or on a real RAGFlow: `make ragflow-verify URL=… KEY=…`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tightrope.infra.settings import Settings
from tightrope.knowledge.server.versions import Version
from tightrope.knowledge.xxh64 import xxh64

pytestmark = pytest.mark.integration
REAL = os.environ.get("RAGFLOW_URL", "")
WAIT = 3.0 if REAL else 0.0
"""RAGFlow's index shows a change after about a second."""


@pytest.fixture
async def ragflow(request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    """The server under contract, with its key."""
    if not REAL:
        yield request.getfixturevalue("http")
        return
    headers = {"authorization": f"Bearer {os.environ['RAGFLOW_KEY']}"}
    async with httpx.AsyncClient(base_url=REAL, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
async def filled(ragflow: httpx.AsyncClient) -> AsyncIterator[dict[str, Any]]:
    """A dataset with a public and an internal document and one without metadata, a chunk each."""
    made = (await ragflow.post("/api/v1/datasets", json={"name": f"contract-{time.time_ns()}"})).json()["data"]
    base = f"/api/v1/datasets/{made['id']}/documents"
    documents = {}
    for name, audience, content in (
        ("a.md", "public", "Stamp duty is paid by the seller of shares."),
        ("b.md", "internal", "Internal note on stamp duty of shares."),
        ("c.md", None, "Stamp duty of shares, without metadata."),
    ):
        document = (await ragflow.post(base, files={"file": (name, content.encode(), "text/markdown")})).json()["data"][0]["id"]
        if audience:
            await ragflow.patch(f"{base}/{document}", json={"meta_fields": {"audience": audience}})
        await ragflow.post(f"{base}/{document}/chunks", json={"content": content})
        documents[name] = document
    await asyncio.sleep(WAIT)
    yield {"id": made["id"], "documents": documents}
    await ragflow.request("DELETE", "/api/v1/datasets", json={"ids": [made["id"]]})


async def ask(ragflow: httpx.AsyncClient, filled: dict[str, Any], **body: Any) -> dict[str, Any]:
    asked = {"question": "stamp duty", "dataset_ids": [filled["id"]], "similarity_threshold": 0.0, **body}
    response = await ragflow.post("/api/v1/retrieval", json=asked)
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    return answer


def names(answer: dict[str, Any]) -> list[str]:
    return sorted(chunk["document_keyword"] for chunk in answer["data"]["chunks"])


async def test_a_wrong_key_is_a_real_401(ragflow: httpx.AsyncClient):
    response = await ragflow.get("/api/v1/datasets", headers={"authorization": "Bearer ragflow-wrong"})
    assert (response.status_code, response.json()["code"]) == (401, 401)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"question": "x"}, 102),
        ({"question": "x", "dataset_ids": "d"}, 102),
        ({"question": "x", "dataset_ids": ["d" * 32]}, 102),
        ({"page_size": 101}, 100),
        ({"top_k": 0}, 102),
        ({"highlight": "maybe"}, 102),
    ],
)
async def test_a_business_error_is_http_200_with_a_code(
    ragflow: httpx.AsyncClient, filled: dict[str, Any], body: dict[str, Any], code: int
):
    whole = body if "question" in body else {"question": "x", "dataset_ids": [filled["id"]], **body}
    response = await ragflow.post("/api/v1/retrieval", json=whole)
    assert (response.status_code, response.json()["code"]) == (200, code)


@pytest.mark.parametrize("size", [0, "x"])
async def test_a_page_size_that_is_none_becomes_the_default(ragflow: httpx.AsyncClient, filled: dict[str, Any], size: Any):
    assert len((await ask(ragflow, filled, page_size=size))["data"]["chunks"]) == 3


async def test_pages_are_bounded_by_the_candidates_from_0_27_1(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    version = Version.read((await ragflow.get("/api/v1/system/version")).json()["data"])
    code = (await ask(ragflow, filled, page=3, page_size=30, rerank_candidates_count=64))["code"]
    assert (code != 0) == version.bounds_paging
    assert (await ask(ragflow, filled, page=2, page_size=30, rerank_candidates_count=64))["code"] == 0


async def test_the_filter_and_its_traps(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    public = {"logic": "and", "conditions": [{"name": "audience", "comparison_operator": "=", "value": "public"}]}
    assert names(await ask(ragflow, filled, metadata_condition=public)) == ["a.md"]
    assert names(await ask(ragflow, filled, metadata_condition={})) == ["a.md", "b.md", "c.md"]
    assert names(await ask(ragflow, filled, metadata_condition={"conditions": []})) == []
    unlike = {"conditions": [{"name": "audience", "comparison_operator": "≠", "value": "internal"}]}
    assert names(await ask(ragflow, filled, metadata_condition=unlike)) == ["a.md"]
    named = await ask(ragflow, filled, metadata_condition=public, document_ids=[filled["documents"]["b.md"]])
    assert names(named) == ["b.md"]
    broken = {"conditions": [{"name": "audience", "comparison_operator": "empty"}]}
    assert (await ask(ragflow, filled, metadata_condition=broken))["code"] == 100


async def test_the_shape_of_an_answer(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    data = (await ask(ragflow, filled, reference_metadata={"include": True}, page_size=2))["data"]
    assert data["total"] == 3
    assert sum(entry["count"] for entry in data["doc_aggs"]) == 3
    chunks = {
        c["document_keyword"]: c for c in (await ask(ragflow, filled, reference_metadata={"include": True}))["data"]["chunks"]
    }
    assert chunks["a.md"]["document_metadata"]["audience"] == "public"
    assert "document_metadata" not in chunks["c.md"]
    assert chunks["a.md"]["id"] == xxh64((chunks["a.md"]["content"] + filled["documents"]["a.md"]).encode())
    assert (await ask(ragflow, filled, question=" "))["data"] == {"total": 0, "chunks": [], "doc_aggs": {}}
    assert (await ask(ragflow, filled, similarity_threshold=1.5))["data"]["doc_aggs"] == []


async def test_a_disabled_document_is_invisible(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    path = f"/api/v1/datasets/{filled['id']}/documents/{filled['documents']['a.md']}"
    await ragflow.patch(path, json={"enabled": 0})
    await asyncio.sleep(WAIT)
    assert "a.md" not in names(await ask(ragflow, filled))


async def test_parsing_anew_deletes_what_was_there(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    base, document = f"/api/v1/datasets/{filled['id']}", filled["documents"]["a.md"]
    await ragflow.post(f"{base}/documents/{document}/chunks", json={"content": "Added by hand."})
    assert (await ragflow.post(f"{base}/chunks", json={"document_ids": [document]})).json()["code"] == 0
    for _ in range(60):
        row = (await ragflow.get(f"{base}/documents", params={"id": document})).json()["data"]["docs"][0]
        if row["run"] in {"DONE", "FAIL"}:
            break
        await asyncio.sleep(1)
    await asyncio.sleep(WAIT)
    listed = (await ragflow.get(f"{base}/documents/{document}/chunks")).json()["data"]["chunks"]
    assert [chunk["content"] for chunk in listed] == ["Stamp duty is paid by the seller of shares."]


async def test_deleting_nothing_deletes_nothing(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    for body in ({"ids": None}, {"ids": []}):
        await ragflow.request("DELETE", f"/api/v1/datasets/{filled['id']}/documents", json=body)
    listed = (await ragflow.get(f"/api/v1/datasets/{filled['id']}/documents")).json()["data"]
    assert listed["total"] == 3


@pytest.mark.skipif(bool(REAL), reason="switches the embedded server's version")
async def test_before_0_27_1_the_number_of_candidates_is_ignored(http: httpx.AsyncClient, server: Any, filled: dict[str, Any]):
    kept = server.state.version
    server.state.version = Version(0, 27, 0)
    try:
        assert (await ask(http, filled, page=3, page_size=30))["code"] == 0
    finally:
        server.state.version = kept


@pytest.mark.skipif(bool(REAL), reason="plays the official SDK against the embedded server")
async def test_the_official_sdk_works_against_it(server: Any, database: Settings):
    sdk = pytest.importorskip("ragflow_sdk", reason="ragflow-sdk 0.22.1 needs Python below 3.13")
    import threading

    import uvicorn
    from loopback import free_port

    from tightrope.knowledge.server.api import create_app

    port = free_port()
    running = uvicorn.Server(uvicorn.Config(create_app(database), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        await asyncio.to_thread(_play_sdk, sdk, database, port, running)
    finally:
        running.should_exit = True
        await asyncio.to_thread(thread.join)


def _play_sdk(sdk: Any, database: Settings, port: int, running: Any) -> None:
    while not running.started:
        time.sleep(0.05)
    rag = sdk.RAGFlow(database.secret("knowledge_api_key").get_secret_value(), f"http://127.0.0.1:{port}")
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
