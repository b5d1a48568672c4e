"""Our client against the embedded server failing as RAGFlow fails."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.knowledge import client as ragflow
from tightrope.knowledge.client import RagflowClient
from tightrope.knowledge.errors import KnowledgeRejected, KnowledgeUnavailable
from tightrope.knowledge.passages import load_release
from tightrope.knowledge.retrieved import Retrieved
from tightrope.knowledge.service import load_thresholds
from tightrope.sandbox.knowledge.faults import Fault, Faulty

pytestmark = pytest.mark.integration
RELEASE = load_release(REPOSITORY / "knowledge_base")
THRESHOLDS = load_thresholds(REPOSITORY / "knowledge_base/thresholds.json")


@pytest.fixture
async def asks(published: httpx.ASGITransport, database: Settings) -> Any:
    """Ask one question through these faults."""

    async def ask(*faults: Fault, **options: Any) -> tuple[Retrieved, Faulty]:
        transport = Faulty(published, *faults, **options)
        clock = FixedClock(datetime(2026, 11, 20, tzinfo=UTC))
        async with RagflowClient(database, RELEASE, clock, transport=transport) as client:
            return await client.retrieve("卖股票的印花税是多少", "zh", THRESHOLDS), transport

    return ask


@pytest.mark.parametrize("fault", [Fault.EXCEPTION, Fault.SLOW, Fault.SPURIOUS_401])
async def test_a_fault_that_passes_is_tried_once_more(asks: Any, fault: Fault):
    found, transport = await asks(fault)
    assert found.chunks
    assert transport.paths.count("/api/v1/retrieval") == 2


async def test_a_spurious_401_is_confirmed_by_listing_datasets_before_the_key_is_doubted(asks: Any):
    _, transport = await asks(Fault.SPURIOUS_401)
    assert transport.paths[-2:] == ["/api/v1/datasets", "/api/v1/retrieval"]


@pytest.mark.parametrize(("fault", "kind"), [(Fault.EXCEPTION, KnowledgeUnavailable), (Fault.SPURIOUS_401, KnowledgeRejected)])
async def test_a_fault_that_stays_is_an_error_and_never_no_hits(asks: Any, fault: Fault, kind: type[Exception]):
    with pytest.raises(kind):
        await asks(fault, fault)


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.PROXY_PAGE])
async def test_an_answer_that_is_not_ragflows_is_rejected_at_once(asks: Any, fault: Fault):
    with pytest.raises(KnowledgeRejected):
        await asks(fault)


async def test_an_answer_in_crumbs_ends_at_our_own_deadline(asks: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ragflow, "DEADLINE", 0.8)
    with pytest.raises(KnowledgeUnavailable, match="no whole answer"):
        await asks(Fault.DRIP, Fault.DRIP)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.OTHER_DATASET, "another dataset"),
        (Fault.ALTERED_TEXT, "content is not in the manifest"),
        (Fault.NO_METADATA, "no metadata"),
    ],
)
async def test_a_spoiled_chunk_is_dropped_and_many_are_an_incident(asks: Any, fault: Fault, reason: str):
    found, _ = await asks(fault, chunks=2)
    assert [item.reason for item in found.dropped] == [reason, reason]
    assert found.chunks
    with pytest.raises(KnowledgeRejected, match=reason):
        await asks(fault)


async def test_a_lost_filter_lets_nothing_in_of_another_language(asks: Any):
    found, _ = await asks(Fault.FILTER_OPEN)
    assert {chunk.passage.language for chunk in found.chunks} == {"zh"}
