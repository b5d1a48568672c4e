"""RAGFlow's contract (A18 of the RAGFlow notes): holds for the embedded server and for a real RAGFlow (`make ragflow-verify`).

Two kinds. What Tightrope relies on must hold: where it does not, the run fails. A trap is something bad that RAGFlow does and that Tightrope
guards against; the embedded server must have it too, since the guard is tested there, but a RAGFlow that has lost it does not fail the run: it
is reported as `XFAIL`. What only the embedded server can show lies in test_knowledge_ragflow_ours.py.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tightrope.infra.clock import FixedClock
from tightrope.infra.secrets import ensure_demo_secrets
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.knowledge.client import RagflowClient
from tightrope.knowledge.publish import publish
from tightrope.knowledge.publishing.record import Unrecorded
from tightrope.knowledge.publishing.store import Active, Store
from tightrope.knowledge.service import load_thresholds
from tightrope.knowledge.versions import Version
from tightrope.knowledge.xxh64 import xxh64

pytestmark = pytest.mark.integration
REAL = os.environ.get("RAGFLOW_URL", "")
ROUNDS = 60 if REAL else 1
"""Half seconds to wait for a change to show: RAGFlow's index takes about one, its parser many; the embedded server none."""
trap = pytest.mark.xfail(bool(REAL), reason="a trap that this RAGFlow does not have", strict=False)


if REAL:

    @pytest.fixture
    async def ragflow() -> AsyncIterator[httpx.AsyncClient]:
        """The server under contract, with its key."""
        headers = {"authorization": f"Bearer {os.environ['RAGFLOW_KEY']}"}
        async with httpx.AsyncClient(base_url=REAL, headers=headers, timeout=60, trust_env=False) as client:
            yield client
else:

    @pytest.fixture
    def ragflow(http: httpx.AsyncClient) -> httpx.AsyncClient:
        """The embedded server, which keeps the same contract."""
        return http


@pytest.fixture
async def filled(ragflow: httpx.AsyncClient) -> AsyncIterator[dict[str, Any]]:
    """A dataset with a public and an internal document and one without metadata, a chunk each."""
    model = {"embedding_model": os.environ["RAGFLOW_EMBEDDING"]} if os.environ.get("RAGFLOW_EMBEDDING") else {}
    created = (await ragflow.post("/api/v1/datasets", json={"name": f"contract-{time.time_ns()}", **model})).json()
    assert created["code"] == 0, f"no dataset could be made: {created.get('message')}; RAGFLOW_EMBEDDING names its model"
    made = created["data"]
    base = f"/api/v1/datasets/{made['id']}/documents"
    try:
        documents = {}
        for name, audience, content in (
            ("a.md", "public", "Stamp duty is paid by the seller of shares."),
            ("b.md", "internal", "Internal note on stamp duty of shares."),
            ("c.md", None, "Stamp duty of shares, without metadata."),
        ):
            upload = {"file": (name, content.encode(), "text/markdown")}
            document = (await ragflow.post(base, files=upload)).json()["data"][0]["id"]
            if audience:
                await ragflow.patch(f"{base}/{document}", json={"meta_fields": {"audience": audience}})
            await ragflow.post(f"{base}/{document}/chunks", json={"content": content})
            documents[name] = document
        found = {"id": made["id"], "documents": documents}
        await until(ragflow, found, ["a.md", "b.md", "c.md"])
        yield found
    finally:
        await ragflow.request("DELETE", "/api/v1/datasets", json={"ids": [made["id"]]})


async def ask(ragflow: httpx.AsyncClient, filled: dict[str, Any], **body: Any) -> dict[str, Any]:
    asked = {"question": "stamp duty", "dataset_ids": [filled["id"]], "similarity_threshold": 0.0, **body}
    response = await ragflow.post("/api/v1/retrieval", json=asked)
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    return answer


def names(answer: dict[str, Any]) -> list[str]:
    return sorted(chunk["document_keyword"] for chunk in answer["data"]["chunks"])


async def until(ragflow: httpx.AsyncClient, filled: dict[str, Any], wanted: list[str]) -> None:
    """Wait until exactly these documents are found."""
    for number in range(ROUNDS):
        answer = await ask(ragflow, filled)
        if answer["code"] == 0 and names(answer) == wanted:
            return
        await asyncio.sleep(0.5 if number + 1 < ROUNDS else 0)
    assert names(answer) == wanted, answer


async def test_the_version_is_one_that_our_client_takes(ragflow: httpx.AsyncClient):
    answer = (await ragflow.get("/api/v1/system/version")).json()
    assert answer["code"] == 0
    Version.read(answer["data"]).require_known()


async def test_a_wrong_key_is_a_real_401(ragflow: httpx.AsyncClient):
    response = await ragflow.get("/api/v1/datasets", headers={"authorization": "Bearer ragflow-wrong"})
    assert (response.status_code, response.json()["code"]) == (401, 401)


BAD = [
    ({"question": "x"}, 102),
    ({"question": "x", "dataset_ids": "d"}, 102),
    ({"question": "x", "dataset_ids": ["d" * 32]}, 102),
    ({"page_size": 101}, 100),
    ({"top_k": 0}, 102),
    ({"highlight": "maybe"}, 102),
]


def whole(body: dict[str, Any], filled: dict[str, Any]) -> dict[str, Any]:
    return body if "question" in body else {"question": "x", "dataset_ids": [filled["id"]], **body}


@pytest.mark.parametrize("body", [body for body, _ in BAD])
async def test_a_bad_request_is_never_read_as_success(ragflow: httpx.AsyncClient, filled: dict[str, Any], body: dict[str, Any]):
    response = await ragflow.post("/api/v1/retrieval", json=whole(body, filled))
    assert response.status_code != 200 or response.json()["code"] != 0


@trap
@pytest.mark.parametrize(("body", "code"), BAD)
async def test_a_business_error_comes_as_http_200(
    ragflow: httpx.AsyncClient, filled: dict[str, Any], body: dict[str, Any], code: int
):
    response = await ragflow.post("/api/v1/retrieval", json=whole(body, filled))
    assert (response.status_code, response.json()["code"]) == (200, code)


@trap
@pytest.mark.parametrize("size", [0, "x"])
async def test_a_page_size_that_is_none_becomes_the_default(ragflow: httpx.AsyncClient, filled: dict[str, Any], size: Any):
    assert len((await ask(ragflow, filled, page_size=size))["data"]["chunks"]) == 3


async def test_pages_are_bounded_by_the_candidates_from_0_27_1(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    version = Version.read((await ragflow.get("/api/v1/system/version")).json()["data"])
    code = (await ask(ragflow, filled, page=3, page_size=30, rerank_candidates_count=64))["code"]
    assert (code != 0) == version.bounds_paging
    assert (await ask(ragflow, filled, page=2, page_size=30, rerank_candidates_count=64))["code"] == 0


def condition(name: str, operator: str, value: str) -> dict[str, Any]:
    return {"logic": "and", "conditions": [{"name": name, "comparison_operator": operator, "value": value}]}


async def test_a_positive_condition_lets_through_what_it_says_and_no_more(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    assert names(await ask(ragflow, filled, metadata_condition=condition("audience", "=", "public"))) == ["a.md"]
    assert names(await ask(ragflow, filled, metadata_condition=condition("audience", "=", "nobody"))) == []
    assert names(await ask(ragflow, filled, metadata_condition=condition("unknown", "=", "public"))) == []


async def test_dates_are_compared_as_days(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    path = f"/api/v1/datasets/{filled['id']}/documents/{filled['documents']['a.md']}"
    meta = {"audience": "public", "effective_from": "2026-09-01", "effective_to": "9999-12-31"}
    await ragflow.patch(path, json={"meta_fields": meta})
    for name, operator, day, expected in (
        ("effective_from", "≤", "2026-09-01", ["a.md"]),
        ("effective_from", "≤", "2026-08-31", []),
        ("effective_to", "≥", "2026-11-20", ["a.md"]),
    ):
        for number in range(ROUNDS):
            if (found := names(await ask(ragflow, filled, metadata_condition=condition(name, operator, day)))) == expected:
                break
            await asyncio.sleep(0.5 if number + 1 < ROUNDS else 0)
        assert found == expected, (name, operator, day)


@trap
async def test_an_empty_filter_is_no_filter(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    assert names(await ask(ragflow, filled, metadata_condition={})) == ["a.md", "b.md", "c.md"]


@trap
async def test_a_filter_without_conditions_finds_nothing(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    assert names(await ask(ragflow, filled, metadata_condition={"conditions": []})) == []


@trap
async def test_a_negative_condition_leaves_out_documents_without_the_field(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    assert names(await ask(ragflow, filled, metadata_condition=condition("audience", "≠", "internal"))) == ["a.md"]


@trap
async def test_a_named_document_makes_the_filter_void(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    public, ids = condition("audience", "=", "public"), [filled["documents"]["b.md"]]
    assert names(await ask(ragflow, filled, metadata_condition=public, document_ids=ids)) == ["b.md"]


@trap
async def test_a_condition_without_a_value_is_an_unhandled_exception(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    broken = {"conditions": [{"name": "audience", "comparison_operator": "empty"}]}
    assert (await ask(ragflow, filled, metadata_condition=broken))["code"] == 100


async def test_a_chunk_carries_what_our_client_checks(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    answer = await ask(ragflow, filled, reference_metadata={"include": True})
    chunks = {chunk["document_keyword"]: chunk for chunk in answer["data"]["chunks"]}
    one = chunks["a.md"]
    assert one["document_metadata"]["audience"] == "public"
    assert not chunks["c.md"].get("document_metadata")
    assert one["dataset_id"] == filled["id"]
    assert one["content"] == "Stamp duty is paid by the seller of shares."
    assert one["id"] == xxh64((one["content"] + filled["documents"]["a.md"]).encode())
    weighted = 0.3 * one["vector_similarity"] + 0.7 * one["term_similarity"]
    assert one["similarity"] == pytest.approx(weighted, abs=0.01)


@trap
async def test_totals_and_aggregates_have_their_three_shapes(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    data = (await ask(ragflow, filled, page_size=2))["data"]
    assert data["total"] == 3
    assert sum(entry["count"] for entry in data["doc_aggs"]) == 3
    assert (await ask(ragflow, filled, question=" "))["data"] == {"total": 0, "chunks": [], "doc_aggs": {}}
    assert (await ask(ragflow, filled, similarity_threshold=1.5))["data"]["doc_aggs"] == []


@trap
async def test_a_datasets_pagerank_lifts_scores_above_one(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    changed = (await ragflow.put(f"/api/v1/datasets/{filled['id']}", json={"pagerank": 50})).json()
    assert changed["code"] == 0
    for number in range(ROUNDS):
        if (best := max(chunk["similarity"] for chunk in (await ask(ragflow, filled))["data"]["chunks"])) > 1:
            break
        await asyncio.sleep(0.5 if number + 1 < ROUNDS else 0)
    assert best > 1


async def test_a_disabled_document_becomes_invisible(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    path = f"/api/v1/datasets/{filled['id']}/documents/{filled['documents']['a.md']}"
    await ragflow.patch(path, json={"enabled": 0})
    await until(ragflow, filled, ["b.md", "c.md"])


@trap
async def test_parsing_anew_deletes_what_was_there(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    base, document = f"/api/v1/datasets/{filled['id']}", filled["documents"]["a.md"]
    await ragflow.post(f"{base}/documents/{document}/chunks", json={"content": "Added by hand."})
    assert (await ragflow.post(f"{base}/chunks", json={"document_ids": [document]})).json()["code"] == 0
    for number in range(4 * ROUNDS):
        row = (await ragflow.get(f"{base}/documents", params={"id": document})).json()["data"]["docs"][0]
        if row["run"] in {"DONE", "FAIL"}:
            break
        await asyncio.sleep(0.5 if number else 2 * bool(REAL))
    listed = (await ragflow.get(f"{base}/documents/{document}/chunks")).json()["data"]["chunks"]
    assert [chunk["content"].strip() for chunk in listed] == ["Stamp duty is paid by the seller of shares."]


async def test_deleting_nothing_deletes_nothing(ragflow: httpx.AsyncClient, filled: dict[str, Any]):
    for body in ({"ids": None}, {"ids": []}):
        await ragflow.request("DELETE", f"/api/v1/datasets/{filled['id']}/documents", json=body)
    listed = (await ragflow.get(f"/api/v1/datasets/{filled['id']}/documents")).json()["data"]
    assert listed["total"] == 3


async def test_our_own_publishing_and_retrieval_work_against_it(ragflow: httpx.AsyncClient, tmp_path: Path, clock: FixedClock):
    settings = Settings(state_dir=tmp_path / "state", project_dir=small_project(tmp_path / "project"))
    ensure_demo_secrets(settings)
    (settings.secrets_path / "knowledge_api_key").write_text(ragflow.headers["authorization"].removeprefix("Bearer "))
    transport = None if REAL else ragflow._transport
    if REAL:
        host = httpx.URL(REAL).host
        settings = settings.model_copy(update={"knowledge_url": REAL, "allowed_hosts": f"{settings.allowed_hosts},{host}"})
    release = await publish(settings, witness=Unrecorded(), transport=transport, by="contract", clock=clock)
    try:
        limits = load_thresholds(REPOSITORY / "knowledge_base/thresholds.json")
        async with RagflowClient(settings, Active(Store.from_settings(settings)), clock, transport=transport) as client:
            for number in range(ROUNDS):
                found = await client.retrieve("卖出股票要交多少印花税？", "zh", limits)
                if found.chunks:
                    break
                await asyncio.sleep(0.5 if number + 1 < ROUNDS else 0)
        assert found.dropped == ()
        assert {chunk.passage.document_id for chunk in found.chunks} == {"trading-fees"}
    finally:
        rows = (await ragflow.get("/api/v1/datasets", params={"name": release.release_id})).json()["data"]
        await ragflow.request("DELETE", "/api/v1/datasets", json={"ids": [row["id"] for row in rows]})


def small_project(folder: Path) -> Path:
    """A project whose knowledge base is one document in two languages, with its signatures."""
    kept, made = REPOSITORY / "knowledge_base", folder / "knowledge_base"
    for path in (*kept.glob("trading-fees.*"), *kept.glob("approvals/trading-fees.*"), kept / "signers.json"):
        target = made / path.relative_to(kept)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder
