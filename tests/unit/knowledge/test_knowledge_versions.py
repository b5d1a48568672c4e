"""Which RAGFlow may answer, what our client says about it, and what it asks differently of an older one."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import structlog

from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.knowledge import client as ragflow
from tightrope.knowledge.client import RagflowClient
from tightrope.knowledge.errors import KnowledgeRejected, KnowledgeUnavailable
from tightrope.knowledge.passages import load_release
from tightrope.knowledge.service import load_thresholds
from tightrope.knowledge.versions import Version

RELEASE = load_release(REPOSITORY / "knowledge_base")
THRESHOLDS = load_thresholds(REPOSITORY / "knowledge_base/thresholds.json")


class Server:
    """Says each version in turn, the last one from then on."""

    def __init__(self, *says: Any) -> None:
        self._says = list(says)
        self.asked: list[dict[str, Any]] = []
        self.read = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v1/system/version":
            self.read += 1
            said = self._says.pop(0) if len(self._says) > 1 else self._says[0]
            return said if isinstance(said, httpx.Response) else httpx.Response(200, json={"code": 0, "data": said})
        if request.url.path == "/api/v1/datasets":
            return httpx.Response(200, json={"code": 0, "data": [{"id": "d" * 32, "name": RELEASE.release_id}]})
        self.asked.append(json.loads(request.content))
        return httpx.Response(200, json={"code": 0, "data": {"total": 0, "chunks": [], "doc_aggs": []}})


def client(settings: Settings, clock: FixedClock, server: Server) -> RagflowClient:
    return RagflowClient(settings, RELEASE, clock, transport=httpx.MockTransport(server))


async def asked_of(settings: Settings, clock: FixedClock, version: str) -> dict[str, Any]:
    server = Server(version)
    async with client(settings, clock, server) as made:
        found = await made.retrieve("印花税", "zh", THRESHOLDS)
    assert found.server == version
    return server.asked[0]


async def test_the_paging_rule_goes_by_the_version(settings: Settings, clock: FixedClock):
    new, old = [await asked_of(settings, clock, version) for version in ("v0.27.1", "v0.27.0-slim")]
    assert new["page"] * new["page_size"] <= new["rerank_candidates_count"] == 64
    assert "rerank_candidates_count" not in old


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ("v0.25.6", "joins filters wrongly"),
        ("v0.22.1", "joins filters wrongly"),
        ("v1.0.0-rc1", "a rewrite"),
        ("2.0.0", "a rewrite"),
        ("nightly", "no version of RAGFlow"),
        ("", "no version of RAGFlow"),
        (27, "data is int"),
        (None, "data is NoneType"),
        (httpx.Response(404, json={"code": 404}), "HTTP 404"),
        (httpx.Response(200, text="<html>"), "not JSON"),
    ],
)
async def test_a_server_of_another_kind_is_refused_before_it_is_asked_anything(
    settings: Settings, clock: FixedClock, says: Any, reason: str
):
    server = Server(says)
    async with client(settings, clock, server) as made:
        with pytest.raises(KnowledgeRejected, match=reason):
            await made.retrieve("印花税", "zh", THRESHOLDS)
    assert server.asked == []


async def test_a_version_that_cannot_be_read_just_now_is_tried_once_more(settings: Settings, clock: FixedClock):
    server = Server(httpx.Response(502), "v0.27.3")
    async with client(settings, clock, server) as made:
        await made.retrieve("印花税", "zh", THRESHOLDS)
    gone = Server(httpx.Response(502))
    async with client(settings, clock, gone) as made:
        with pytest.raises(KnowledgeUnavailable):
            await made.retrieve("印花税", "zh", THRESHOLDS)
    assert gone.read == 2


async def test_the_version_is_read_once_a_minute(settings: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch):
    server = Server("v0.27.3")
    async with client(settings, clock, server) as made:
        for _ in range(3):
            await made.retrieve("印花税", "zh", THRESHOLDS)
        assert server.read == 1
        monkeypatch.setattr(ragflow, "VERSION_SECONDS", -1.0)
        await made.retrieve("印花税", "zh", THRESHOLDS)
    assert server.read == 2


async def test_an_upgrade_under_our_feet_is_said_loudly_and_one_to_1_0_stops_answering(
    settings: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ragflow, "VERSION_SECONDS", -1.0)
    server = Server("v0.27.3", "v0.27.4", "v1.0.0")
    async with client(settings, clock, server) as made:
        with structlog.testing.capture_logs() as logs:
            await made.retrieve("印花税", "zh", THRESHOLDS)
            await made.retrieve("印花税", "zh", THRESHOLDS)
        (told,) = [log for log in logs if log.get("action") == "knowledge_version_changed"]
        assert (told["log_level"], told["before"], told["now"]) == ("critical", "v0.27.3", "v0.27.4")
        with pytest.raises(KnowledgeRejected, match="rewrite"):
            await made.retrieve("印花税", "zh", THRESHOLDS)


async def test_a_version_with_other_scores_is_said_loudly(settings: Settings, clock: FixedClock):
    with structlog.testing.capture_logs() as logs:
        await asked_of(settings, clock, "v0.26.4")
    assert [log["log_level"] for log in logs if log.get("action") == "knowledge_version_uncalibrated"] == ["warning"]


def test_versions_are_ordered_as_numbers_and_not_as_text():
    assert Version.read("v0.9.12") < Version.read("v0.27.0") < Version.read("0.27.10")
    assert str(Version.read("v0.27.3-tightrope")) == "v0.27.3"
