"""Our client of RAGFlow's retrieval, and the guard that checks every chunk again on arrival.

RAGFlow's filter can fail open, so the filter in the request is convenience. What may be quoted is decided here: a chunk must come from
the pinned release's dataset, say that it is public, approved and in force today (Asia/Shanghai), and be a passage of the local
knowledge base to the letter. A chunk that fails is dropped and reported.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection, Mapping
from datetime import date
from types import TracebackType
from typing import Any, Self

import httpx

from tightrope.infra.clock import Clock
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.knowledge.errors import KnowledgeRejected, KnowledgeUnavailable
from tightrope.knowledge.models import MICRO, SHANGHAI, Chunk, Language, Passage, Release, Thresholds
from tightrope.knowledge.publishing.store import Fixed, Quotables
from tightrope.knowledge.retrieved import Dropped, Retrieved
from tightrope.knowledge.transport import Unauthorised, call, knowledge_client, server_version
from tightrope.knowledge.versions import CALIBRATED, Version

log = get_logger()
MAX_QUESTION = 400
"""Characters of a question that are searched; more adds noise and cost, no meaning."""
CANDIDATES = 64
"""`rerank_candidates_count`: unknown up to RAGFlow 0.27.0 and not sent; from 0.27.1 a page beyond it is refused. Our one page lies within it."""
DEADLINE = 8.0
"""Seconds for one attempt in all: RAGFlow has no time limits of its own, and an answer in crumbs would pass every limit on a read."""
VERSION_SECONDS = 60.0
"""The server's version is read again after so long: an upgrade under our feet shifts scores."""
ROUNDING = 0.001
"""A cosine may exceed 1 by so much."""
SUSPECT = 0.5
"""When more than this share of an answer's chunks is refused, the rest is not trusted either."""


def check_chunk(
    raw: Any,
    *,
    dataset_id: str,
    day: date,
    passages: Mapping[str, Passage],
    withdrawn: Collection[tuple[str, str]] = frozenset(),
) -> Chunk | Dropped:
    """Accept a chunk as a passage of the release, or say why not. Pure."""
    if not isinstance(raw, dict):
        return Dropped("", "not an object")
    chunk_id = str(raw.get("id"))[:64]
    if raw.get("dataset_id") != dataset_id:
        return Dropped(chunk_id, "another dataset")
    meta = raw.get("document_metadata")
    if not isinstance(meta, dict):
        return Dropped(chunk_id, "no metadata")
    if meta.get("audience") != "public":
        return Dropped(chunk_id, "not public")
    if meta.get("status") != "approved":
        return Dropped(chunk_id, "not approved")
    try:
        in_force = date.fromisoformat(str(meta.get("effective_from"))) <= day <= date.fromisoformat(str(meta.get("effective_to")))
    except ValueError:
        return Dropped(chunk_id, "no effective dates")
    if not in_force:
        return Dropped(chunk_id, "not in force")
    passage = passages.get(str(raw.get("content")))
    if passage is None:
        return Dropped(chunk_id, "content is not in the manifest")
    named = (meta.get("doc_id"), meta.get("doc_version"), meta.get("lang"))
    if named != (passage.document_id, passage.version, passage.language):
        return Dropped(chunk_id, "metadata names another document")
    if (passage.document_id, passage.version) in withdrawn:
        return Dropped(chunk_id, "withdrawn")
    if not passage.effective_from <= day <= passage.effective_to:
        return Dropped(chunk_id, "not in force by the manifest")
    scores = _scores(raw)
    return Dropped(chunk_id, scores) if isinstance(scores, str) else Chunk(passage, *scores)


def _scores(raw: Mapping[str, Any]) -> tuple[float, float, float] | str:
    """The score triple, or why it cannot be used."""
    found = [raw.get(key) for key in ("similarity", "term_similarity", "vector_similarity")]
    figures = [
        float(value)
        for value in found
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    ]
    if len(figures) != len(found):
        return "no scores"
    if max(figures) > 1 + ROUNDING:
        # A dataset's pagerank or tags were set in RAGFlow: every passage would pass a threshold that was calibrated without them.
        return "a score above 1"
    return figures[0], figures[1], figures[2]


class RagflowClient:
    """Retrieves passages of the active release from RAGFlow or the embedded server.

    Args:
        quotables: says at each retrieval which release may be quoted (its id is the dataset's name); a release itself never changes.
        transport: tests pass `httpx.MockTransport` or `httpx.ASGITransport`.
    """

    def __init__(
        self,
        settings: Settings,
        quotables: Quotables | Release,
        clock: Clock,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = knowledge_client(settings, purpose="knowledge retrieval", transport=transport)
        self._quotables = Fixed(quotables) if isinstance(quotables, Release) else quotables
        self._passages: tuple[Release, Mapping[str, Passage]] | None = None
        self._clock = clock
        self._datasets: dict[str, str] = {}
        self._version: str | None = None
        self._version_read = -math.inf

    def _by_content(self, release: Release) -> Mapping[str, Passage]:
        if self._passages is None or self._passages[0] is not release:
            self._passages = (release, release.by_content())
        return self._passages[1]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _dataset_id(self, release: Release) -> str:
        """Id of the dataset that holds a release, looked up once."""
        name = release.release_id
        if name not in self._datasets:
            found = await call(self._client, "GET", "/api/v1/datasets", list, params={"name": name})
            exact = [row for row in found if isinstance(row, dict) and row.get("name") == name]
            if len(exact) != 1 or not isinstance(exact[0].get("id"), str):
                raise KnowledgeRejected(f"the release {name} is not published exactly once")
            self._datasets[name] = exact[0]["id"]
        return self._datasets[name]

    async def version(self) -> str:
        """The server's version as it names itself, read once a minute; the record of an answer holds it.

        Raises:
            KnowledgeUnavailable: it did not say.
            KnowledgeRejected: it is no version, or one that must not answer.
        """
        if self._version is None or time.monotonic() - self._version_read > VERSION_SECONDS:
            text, found = await server_version(self._client)
            if text != self._version:
                self._tell(text, found)
            self._version, self._version_read = text, time.monotonic()
        return self._version

    def _tell(self, text: str, found: Version) -> None:
        if self._version is not None:
            self._datasets.clear()
            log.critical(
                "the knowledge server was exchanged while we ran: an upgrade is a release; index anew, measure, sign, publish",
                action="knowledge_version_changed",
                before=self._version,
                now=text,
            )
        if (found.major, found.minor) != CALIBRATED:
            log.warning(
                "scores of this version are not those that the thresholds were calibrated on; run benchmarks/knowledge/calibrate.py",
                action="knowledge_version_uncalibrated",
                version=text,
            )

    async def retrieve(self, question: str, language: Language, thresholds: Thresholds) -> Retrieved:
        """The passages that resemble a question, best first, each checked.

        Raises:
            KnowledgeUnavailable: after one retry.
            KnowledgeRejected: the server refused, or its answer is not RAGFlow's.
        """
        try:
            return await self._retrieve(question, language, thresholds)
        except KnowledgeUnavailable as error:
            log.warning("retrieval failed, trying once more", action="knowledge_retry", error=str(error))
        except Unauthorised as error:
            # RAGFlow remaps any error text with "401" to HTTP 401; a cheap call with the same key tells which it is
            await call(self._client, "GET", "/api/v1/datasets", list, params={"page_size": 1})
            log.warning("a 401 that the key does not explain, trying once more", action="knowledge_retry", error=str(error))
        except KnowledgeRejected:
            self._datasets.clear()  # published anew under another id, perhaps: look again next time
            raise
        return await self._retrieve(question, language, thresholds)

    async def _retrieve(self, question: str, language: Language, thresholds: Thresholds) -> Retrieved:
        try:
            async with asyncio.timeout(DEADLINE):
                return await self._attempt(question, language, thresholds)
        except TimeoutError:
            raise KnowledgeUnavailable(f"no whole answer within {DEADLINE:.0f} s") from None

    async def _attempt(self, question: str, language: Language, thresholds: Thresholds) -> Retrieved:
        server = await self.version()
        quotable = await self._quotables.current()  # once: a switch in the meantime does not mix two releases
        dataset = await self._dataset_id(quotable.release)
        day = self._clock.now().astimezone(SHANGHAI).date()
        data = await call(
            self._client,
            "POST",
            "/api/v1/retrieval",
            dict,
            json={
                "question": question[:MAX_QUESTION],
                "dataset_ids": [dataset],
                "page": 1,
                "page_size": min(thresholds.page_size, CANDIDATES),
                "top_k": 1024,
                **({"rerank_candidates_count": CANDIDATES} if Version.read(server).bounds_paging else {}),
                "similarity_threshold": thresholds.floor / MICRO,
                "vector_similarity_weight": thresholds.vector_weight[language] / MICRO,
                "reference_metadata": {"include": True},
                "metadata_condition": {
                    "logic": "and",
                    "conditions": [
                        {"name": "audience", "comparison_operator": "=", "value": "public"},
                        {"name": "status", "comparison_operator": "=", "value": "approved"},
                        {"name": "lang", "comparison_operator": "=", "value": language},
                        {"name": "effective_from", "comparison_operator": "≤", "value": day.isoformat()},
                        {"name": "effective_to", "comparison_operator": "≥", "value": day.isoformat()},
                    ],
                },
            },
        )
        raws = data.get("chunks")
        if not isinstance(raws, list):
            raise KnowledgeRejected("the answer has no list of chunks")
        passages = self._by_content(quotable.release)
        checked = [
            check_chunk(raw, dataset_id=dataset, day=day, passages=passages, withdrawn=quotable.withdrawn)
            for raw in raws[: thresholds.page_size]
        ]
        chunks = [item for item in checked if isinstance(item, Chunk) and item.passage.language == language]
        dropped = [item for item in checked if isinstance(item, Dropped)]
        for item in dropped:
            log.error(
                "a chunk was refused", action="knowledge_chunk_dropped", chunk=item.chunk_id, reason=item.reason, dataset=dataset
            )
        suspect = [item for item in dropped if item.reason != "withdrawn"]
        if len(suspect) > SUSPECT * len(checked):
            log.critical(
                "most of what the knowledge server sent was refused: it is not used at all; compare its dataset with the release",
                action="knowledge_incident",
                refused=len(suspect),
                of=len(checked),
                reasons=sorted({item.reason for item in suspect}),
                dataset=dataset,
            )
            raise KnowledgeRejected(f"{len(suspect)} of {len(checked)} chunks were refused: {suspect[0].reason}")
        chunks.sort(key=lambda chunk: -chunk.score)
        return Retrieved(quotable, dataset, tuple(chunks), tuple(dropped), server)
