"""Attacks on the embedded server with its key in hand: it answers as RAGFlow would, stays up, and gives nothing away."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from tightrope.infra.settings import Settings
from tightrope.knowledge.server.retrieval import MAX_IDS

pytestmark = pytest.mark.integration
RETRIEVAL = "/api/v1/retrieval"


async def ask(http: httpx.AsyncClient, dataset: dict[str, Any], **body: Any) -> dict[str, Any]:
    response = await http.post(
        RETRIEVAL, json={"question": "印花税", "dataset_ids": [dataset["id"]], "similarity_threshold": 0} | body
    )
    assert response.status_code == 200
    return response.json()


@pytest.mark.parametrize(
    "question",
    [
        "印花税" * 100_000,
        "1" * 200_000,
        "1 " * 100_000 + "万",
        "(a+)+$" + "a" * 5_000 + "!",
        "'" * 3_000,
        "x'); DROP TABLE knowledge.chunk; --",
        "印花税' OR '1'='1",
        "%s %(terms)s {0} {near} \\ $1",
        "税\x00务 \x00",
        "\u202e税印 \ufeff\ue000\U0001f600",
        "<em>印花税</em><script>alert(1)</script>",
    ],
    ids=["oversized", "digits", "spaced digits", "regex bomb", "quotes", "drop", "or", "placeholders", "nul", "odd", "markup"],
)
async def test_a_hostile_question_is_only_words(http: httpx.AsyncClient, dataset: dict[str, Any], question: str):
    answer = await ask(http, dataset, question=question, highlight=True)
    assert answer["code"] == 0
    assert {chunk["dataset_id"] for chunk in answer["data"]["chunks"]} <= {dataset["id"]}
    assert (await ask(http, dataset))["data"]["total"] == 3  # and nothing was lost


@pytest.mark.parametrize(
    "body",
    [
        {"dataset_ids": ["' OR true --"]},
        {"dataset_ids": ["{a,b}"]},
        {"dataset_ids": [["nested"]]},
        {"dataset_ids": [{"$ne": ""}]},
        {"document_ids": ["x' UNION SELECT 1 --"]},
        {"document_ids": ["\x00"]},
        {"dataset_ids": ["d" * 32] * 10_000},
        {"document_ids": ["d" * 32] * 10_000},
        {"metadata_condition": {"conditions": [{"name": "a", "comparison_operator": "=", "value": "b"}] * (MAX_IDS + 1)}},
        {"metadata_condition": "audience = public"},
        {"metadata_condition": {"conditions": ["audience"]}},
        {"similarity_threshold": "x"},
        {"vector_similarity_weight": []},
        {"reference_metadata": "all"},
    ],
    ids=lambda body: f"{next(iter(body))} {str(next(iter(body.values())))[:20]}",
)
async def test_ids_and_conditions_that_are_none_are_refused_with_a_code(
    http: httpx.AsyncClient, dataset: dict[str, Any], body: dict[str, Any]
):
    answer = await ask(http, dataset, **body)
    assert answer["code"] != 0
    assert "data" not in answer
    assert len(answer["message"]) <= 400
    assert "Traceback" not in answer["message"]


@pytest.mark.parametrize(
    "value",
    [
        "(" * 100_000,
        "-" * 50_000 + "1",
        "[" * 5_000 + "]" * 5_000,
        "9" * 100_000,
        "__import__('os').system('true')",
        "public\x00",
    ],
    ids=["brackets", "signs", "lists", "digits", "code", "nul"],
)
async def test_a_hostile_value_of_a_condition_matches_nothing(http: httpx.AsyncClient, dataset: dict[str, Any], value: str):
    condition = {"conditions": [{"name": "audience", "comparison_operator": "=", "value": value}]}
    answer = await ask(http, dataset, metadata_condition=condition)
    assert (answer["code"], answer["data"]["chunks"]) == (0, [])


@pytest.mark.parametrize(
    "raw",
    [b"[" * 100_000, b'{"a":' * 50_000, b'{"question":"\xff\xfe"}', b'{"question":"\\ud800","dataset_ids":["d"]}', b"\x00", b""],
    ids=["nested lists", "nested objects", "not UTF-8", "lone surrogate", "nul", "empty"],
)
async def test_a_body_that_is_no_json_is_an_exception_in_the_envelope(http: httpx.AsyncClient, raw: bytes):
    response = await http.post(RETRIEVAL, content=raw)
    assert response.status_code == 200
    assert response.json()["code"] in {100, 101, 102}


@pytest.mark.parametrize("size", [10**30, 10**400, -5, 1.5, True, None, [], "٣"])
async def test_a_page_of_any_size_is_bounded(http: httpx.AsyncClient, dataset: dict[str, Any], size: Any):
    # a number of 401 digits is no JSON for orjson, so it is written here
    raw = orjson.dumps({"question": "印花税", "dataset_ids": [dataset["id"]], "page_size": "SIZE"}).replace(
        b'"SIZE"', str(size).encode() if isinstance(size, int) and not isinstance(size, bool) else orjson.dumps(size)
    )
    answer = (await http.post(RETRIEVAL, content=raw)).json()
    assert answer["code"] in {0, 100}
    assert len((answer.get("data") or {"chunks": []})["chunks"]) <= 100


async def test_paths_are_ids_and_nothing_else(http: httpx.AsyncClient, dataset: dict[str, Any]):
    for path in ("../../etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%00", "*", "' OR true --"):
        response = await http.get(f"/api/v1/datasets/{dataset['id']}/documents/{path}")
        assert response.status_code in {200, 404}
        assert response.json()["code"] != 0


async def test_text_with_a_nul_byte_is_refused_and_nothing_half_written(http: httpx.AsyncClient, dataset: dict[str, Any]):
    path = f"/api/v1/datasets/{dataset['id']}/documents/{dataset['documents']['a.md']}/chunks"
    assert (await http.post(path, json={"content": "印花税\x00"})).json()["code"] != 0
    assert (await http.get(path)).json()["data"]["total"] == 1


async def test_an_error_shows_neither_the_key_nor_sql(http: httpx.AsyncClient, dataset: dict[str, Any], database: Settings):
    key = database.secret("knowledge_api_key").get_secret_value()
    for body in ({"top_k": "many"}, {"dataset_ids": ["\x00"]}, {"metadata_condition": {"conditions": [{"value": 1}]}}):
        text = orjson.dumps(await ask(http, dataset, **body)).decode()
        assert key not in text
        assert "SELECT" not in text
