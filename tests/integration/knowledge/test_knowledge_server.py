"""The embedded knowledge server over a real Postgres: RAGFlow's contract."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI

from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import Settings
from tightrope.knowledge.errors import KnowledgeUnavailable
from tightrope.knowledge.server.api import VERSION, create_app
from tightrope.knowledge.service import KnowledgeService
from tightrope.knowledge.xxh64 import xxh64

pytestmark = pytest.mark.integration


async def ask(http: httpx.AsyncClient, dataset: dict[str, Any], **body: Any) -> dict[str, Any]:
    response = await http.post(
        "/api/v1/retrieval", json={"question": "印花税", "dataset_ids": [dataset["id"]], "similarity_threshold": 0, **body}
    )
    assert response.status_code == 200
    return response.json()


def names(answer: dict[str, Any]) -> list[str]:
    return sorted(chunk["document_keyword"] for chunk in answer["data"]["chunks"])


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer ragflow-wrong"}, {"authorization": ""}])
async def test_without_the_key_it_is_a_real_401(server: FastAPI, header: dict[str, str]):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server), base_url="http://127.0.0.1", headers=header) as client:
        for method, path in (
            ("POST", "/api/v1/retrieval"),
            ("GET", "/api/v1/datasets"),
            ("DELETE", "/api/v1/datasets"),
            ("GET", "/api/v1/system/ping"),
        ):
            response = await client.request(method, path)
            assert response.status_code == 401
            assert response.json()["code"] == 401


async def test_the_bare_token_and_any_case_of_bearer_are_accepted(http: httpx.AsyncClient, database: Settings):
    key = database.secret("knowledge_api_key").get_secret_value()
    for header in (key, f"bearer {key}", f"BEARER {key}"):
        assert (await http.get("/api/v1/system/ping", headers={"authorization": header})).text == "pong"


async def test_health_and_version_need_no_key(server: FastAPI):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server), base_url="http://127.0.0.1") as client:
        assert (await client.get("/api/v1/system/version")).json() == {"code": 0, "data": f"{VERSION}-tightrope"}
        assert (await client.get("/api/v1/system/healthz")).json()["status"] == "ok"
        health = await client.get("/health")
    assert health.status_code == 200
    assert health.json()["part"] == "knowledge"
    assert health.json()["release"].startswith("r-")


async def test_an_unknown_route_is_404_with_a_body(http: httpx.AsyncClient):
    response = await http.get("/api/v1/chats")
    assert response.status_code == 404
    assert response.json()["code"] == 404


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ({"question": "x"}, 102, "`dataset_ids` is required."),
        ({"question": "x", "dataset_ids": "d"}, 102, "should be a list"),
        ({"dataset_ids": ["d"]}, 102, "`question` is required."),
        ({"question": "x", "dataset_ids": ["d"]}, 102, "You don't own the dataset d."),
        ({"question": "x", "dataset_ids": ["d"], "document_ids": "e"}, 102, "should be a list"),
        ({"question": "x", "dataset_ids": ["d"], "page_size": 101}, 100, "page_size must be less than or equal to 100"),
        ({"question": "x", "dataset_ids": ["d"], "page": 3, "page_size": 30}, 102, "rerank_candidates_count"),
        ({"question": "x", "dataset_ids": ["d"], "top_k": 0}, 102, "`top_k` must be greater than 0"),
        ({"question": "x", "dataset_ids": ["d"], "top_k": "many"}, 100, "ValueError"),
        ({"question": "x", "dataset_ids": ["d"], "highlight": "maybe"}, 102, "`highlight` should be a boolean"),
        ({"question": "x", "dataset_ids": ["d"], "keyword": True}, 102, "needs a model"),
        ([1], 101, "must be a JSON object"),
    ],
)
async def test_a_bad_request_is_http_200_with_ragflows_code_and_text(http: httpx.AsyncClient, body: Any, code: int, says: str):
    response = await http.post("/api/v1/retrieval", json=body)
    assert response.status_code == 200
    assert response.json()["code"] == code
    assert says in response.json()["message"]


async def test_a_body_that_is_not_json_or_too_large_is_refused(http: httpx.AsyncClient):
    assert (await http.post("/api/v1/retrieval", content=b"{")).json()["code"] == 100
    assert (await http.post("/api/v1/retrieval", content=b" " * (8 * 1024 * 1024 + 1))).json()["code"] == 101


async def test_a_hit_has_ragflows_keys_and_its_content_addressed_id(http: httpx.AsyncClient, dataset: dict[str, Any]):
    answer = await ask(http, dataset, reference_metadata={"include": True})
    chunk = next(c for c in answer["data"]["chunks"] if c["document_keyword"] == "a.md")
    assert chunk["id"] == xxh64((chunk["content"] + dataset["documents"]["a.md"]).encode())
    assert chunk["dataset_id"] == dataset["id"]
    assert chunk["important_keywords"] == ["税率"]
    assert chunk["document_metadata"] == {"audience": "public", "lang": "zh"}
    assert chunk["similarity"] == pytest.approx(0.3 * chunk["vector_similarity"] + 0.7 * chunk["term_similarity"])
    assert "highlight" not in chunk
    assert sum(entry["count"] for entry in answer["data"]["doc_aggs"]) == 3


async def test_metadata_is_absent_where_there_is_none_or_none_was_asked_for(http: httpx.AsyncClient, dataset: dict[str, Any]):
    asked = {
        c["document_keyword"]: c
        for c in (await ask(http, dataset, reference_metadata={"include": True, "fields": ["lang"]}))["data"]["chunks"]
    }
    assert asked["a.md"]["document_metadata"] == {"lang": "zh"}
    assert "document_metadata" not in asked["c.md"]
    assert not any("document_metadata" in c for c in (await ask(http, dataset))["data"]["chunks"])


async def test_a_highlight_marks_the_words(http: httpx.AsyncClient, dataset: dict[str, Any]):
    chunks = (await ask(http, dataset, highlight="true"))["data"]["chunks"]
    assert all("<em>印花税</em>" in chunk["highlight"] for chunk in chunks)


async def test_the_filter_fails_open_as_ragflows_does(http: httpx.AsyncClient, dataset: dict[str, Any]):
    public = {"conditions": [{"name": "audience", "comparison_operator": "=", "value": "public"}]}
    assert names(await ask(http, dataset, metadata_condition=public)) == ["a.md"]
    assert names(await ask(http, dataset, metadata_condition={})) == ["a.md", "b.md", "c.md"]
    assert names(await ask(http, dataset, metadata_condition={"conditions": []})) == []
    ids = [dataset["documents"]["b.md"]]
    assert names(await ask(http, dataset, metadata_condition=public, document_ids=ids)) == ["b.md"]
    broken = {"conditions": [{"name": "audience", "comparison_operator": "empty"}]}
    assert (await ask(http, dataset, metadata_condition=broken))["code"] == 100
    assert "The datasets don't own" in (await ask(http, dataset, document_ids=["f" * 32]))["message"]


async def test_paging_and_threshold(http: httpx.AsyncClient, dataset: dict[str, Any]):
    assert len((await ask(http, dataset, page_size=2))["data"]["chunks"]) == 2
    assert len((await ask(http, dataset, page=2, page_size=2))["data"]["chunks"]) == 1
    assert len((await ask(http, dataset, page_size="x"))["data"]["chunks"]) == 3
    none = await ask(http, dataset, similarity_threshold=0.99)
    assert none["data"] == {"total": 0, "chunks": [], "doc_aggs": []}
    assert (await ask(http, dataset, similarity_threshold=0.99, vector_similarity_weight=0))["data"]["total"] == 3
    assert (await ask(http, dataset, question="  "))["data"] == {"total": 0, "chunks": [], "doc_aggs": {}}
    assert (await ask(http, dataset, question="天气", similarity_threshold=0.9))["data"]["chunks"] == []


async def test_a_disabled_document_is_invisible_at_once(http: httpx.AsyncClient, dataset: dict[str, Any]):
    path = f"/api/v1/datasets/{dataset['id']}/documents/{dataset['documents']['a.md']}"
    assert (await http.patch(path, json={"enabled": 0})).json()["data"]["status"] == "0"
    assert "a.md" not in names(await ask(http, dataset))
    await http.patch(path, json={"enabled": 1})
    assert "a.md" in names(await ask(http, dataset))


async def test_the_same_chunk_twice_is_one_chunk(http: httpx.AsyncClient, dataset: dict[str, Any]):
    path = f"/api/v1/datasets/{dataset['id']}/documents/{dataset['documents']['a.md']}/chunks"
    first, second = [(await http.post(path, json={"content": "同一段。"})).json()["data"]["chunk"]["id"] for _ in range(2)]
    assert first == second
    listed = (await http.get(path)).json()["data"]
    assert listed["total"] == 2
    assert listed["chunks"][1]["content"] == "同一段。"


async def test_deleted_documents_leave_the_index(http: httpx.AsyncClient, dataset: dict[str, Any]):
    await http.request("DELETE", f"/api/v1/datasets/{dataset['id']}/documents", json={"ids": [dataset["documents"]["a.md"]]})
    assert names(await ask(http, dataset)) == ["b.md", "c.md"]
    listed = (await http.get(f"/api/v1/datasets/{dataset['id']}/documents")).json()["data"]
    assert listed["total"] == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("POST", "/api/v1/datasets", {"name": "contract"}, "already exists"),
        ("POST", "/api/v1/datasets", {"name": ""}, "Field: <name>"),
        ("POST", "/api/v1/datasets", {"name": "n", "odd": 1}, "Extra inputs"),
        ("PUT", "/api/v1/datasets/{id}", {"name": 1}, "Field: <name>"),
        ("PUT", "/api/v1/datasets/none", {"name": "n"}, "is not there"),
        ("GET", "/api/v1/datasets?name=none", None, "lacks permission"),
        ("GET", "/api/v1/datasets?page_size=101", None, "page_size"),
        ("GET", "/api/v1/datasets/none/documents", None, "don't own the dataset"),
        ("GET", "/api/v1/datasets/{id}/documents/none", None, "not own the document"),
        ("POST", "/api/v1/datasets/{id}/documents?type=web", None, "files only"),
        ("POST", "/api/v1/datasets/{id}/documents", {}, "No file part"),
        ("POST", "/api/v1/datasets/{id}/chunks", {"document_ids": []}, "`document_ids` is required"),
        ("PATCH", "/api/v1/datasets/{id}/documents/{doc}", {"name": "x"}, "extension of file can't be changed"),
        ("PATCH", "/api/v1/datasets/{id}/documents/{doc}", {"content": "x"}, "Extra inputs"),
        ("POST", "/api/v1/datasets", {"name": "n", "chunk_method": "laws"}, "'naive' only"),
        ("POST", "/api/v1/datasets", {"name": "n", "embedding_model": "bge@x"}, "embedding_model"),
        ("POST", "/api/v1/datasets", {"name": "n", "permission": "all"}, "'me' or 'team'"),
        ("GET", "/api/v1/datasets?orderby=name", None, "orderby"),
        ("GET", "/api/v1/datasets?desc=perhaps", None, "desc"),
        ("GET", "/api/v1/datasets/none", None, "lacks permission"),
        ("DELETE", "/api/v1/datasets", {"ids": "x"}, "valid list"),
        ("DELETE", "/api/v1/datasets/{id}/chunks", {"document_ids": ["x"]}, "Can't stop parsing"),
        ("GET", "/api/v1/datasets/{id}/documents?metadata_condition=[", None, "valid JSON"),
        ("POST", "/api/v1/datasets/{id}/documents/{doc}/chunks", {"content": "x", "questions": ["y"]}, "`questions`"),
        ("PATCH", "/api/v1/datasets/{id}/documents/{doc}", {"meta_fields": {"a": {"b": 1}}}, "flat object"),
        ("PATCH", "/api/v1/datasets/{id}/documents/none", {"enabled": 1}, "don't own the document"),
        ("POST", "/api/v1/datasets/{id}/documents/{doc}/chunks", {"content": " "}, "`content` is required"),
        ("POST", "/api/v1/datasets/{id}/documents/{doc}/chunks", {"content": "x", "important_keywords": "y"}, "list"),
    ],
)
async def test_what_publishing_must_not_do_is_refused(
    http: httpx.AsyncClient, dataset: dict[str, Any], method: str, path: str, body: Any, says: str
):
    path = path.replace("{id}", dataset["id"]).replace("{doc}", dataset["documents"]["a.md"])
    response = await http.request(method, path, json=body)
    assert response.status_code == 200
    assert response.json()["code"] != 0
    assert says in response.json()["message"]


async def test_without_its_database_the_server_says_so_and_the_client_does_not_read_it_as_no_hits(database: Settings):
    app = create_app(database)
    async with app.router.lifespan_context(app):
        await app.state.pool.close()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            assert (await client.get("/api/v1/system/healthz")).status_code == 500
            assert (await client.get("/health")).status_code == 503
        answers = KnowledgeService.from_settings(database, FixedClock(datetime(2026, 11, 20, tzinfo=UTC)), transport=transport)
        with pytest.raises(KnowledgeUnavailable):
            await answers.answer("印花税", "zh")
        await answers.aclose()


def test_the_servers_role_cannot_change_the_schema_or_a_chunk(database: Settings):
    from tightrope.infra.database import Role, conninfo

    with psycopg.connect(conninfo(database, Role.KNOWLEDGE), autocommit=True) as connection:
        for statement in (
            "UPDATE knowledge.chunk SET content = 'x'",
            "CREATE TABLE knowledge.x ()",
            "TRUNCATE knowledge.chunk",
            "DROP TABLE knowledge.chunk",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
