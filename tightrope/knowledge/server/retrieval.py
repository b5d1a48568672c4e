"""`POST /api/v1/retrieval` of the embedded server: RAGFlow's request rules, filter, fused score and answer.

Follows RAGFlow 0.27 (api/apps/restful_apis/chunk_api.py, rag/nlp/search.py). What would call a model is refused.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from tightrope.infra.database import Connection
from tightrope.infra.logging import get_logger
from tightrope.knowledge.server import index, repository
from tightrope.knowledge.server.errors import DATA, EXCEPTION, ApiError
from tightrope.knowledge.server.filters import Filters
from tightrope.knowledge.server.index import Candidate
from tightrope.knowledge.server.scoring import WINDOW, Score, fuse, resemblance, weigh
from tightrope.knowledge.server.search import Asked, Search
from tightrope.knowledge.server.tokens import normalise
from tightrope.knowledge.versions import Version

log = get_logger()
MAX_QUESTION = 2000
"""Characters of a question that are searched."""
MAX_IDS = 1000
"""Ids or conditions in one request; each condition is compared with every document."""
_MODEL_OPTIONS = ("keyword", "use_kg", "toc_enhance", "cross_languages", "rerank_id")


@dataclass(frozen=True)
class Query:
    """A checked retrieval request."""

    question: str
    dataset_ids: list[str]
    document_ids: list[str]
    condition: dict[str, Any] | None
    page: int
    page_size: int
    threshold: float
    vector_weight: float
    highlight: bool
    with_metadata: bool
    metadata_fields: list[str] | None


def _count(value: Any, default: int) -> int:
    """RAGFlow's reading of paging: anything that is no number above 0 becomes the default, silently."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        return default
    return number if number >= 1 else default


def read_query(body: dict[str, Any], version: Version) -> Query:
    """Check a request body as this version of RAGFlow does.

    Raises:
        ApiError: with RAGFlow's code and text.
    """
    datasets = body.get("dataset_ids")
    if not datasets:
        raise ApiError(DATA, "`dataset_ids` is required.")
    if not isinstance(datasets, list):
        raise ApiError(DATA, "`dataset_ids` should be a list")
    if body.get("question") is None:
        raise ApiError(DATA, "`question` is required.")
    documents = body.get("document_ids") or []
    if not isinstance(documents, list):
        raise ApiError(DATA, "`documents` should be a list")
    condition = body.get("metadata_condition")
    if condition is not None and not isinstance(condition, dict):
        raise ApiError(DATA, "`metadata_condition` should be an object")
    if max(len(datasets), len(documents), len((condition or {}).get("conditions") or [])) > MAX_IDS:
        raise ApiError(DATA, f"more than {MAX_IDS} ids or conditions in one request")
    page, page_size = _count(body.get("page"), 1), _count(body.get("page_size"), 30)
    if page_size > 100:
        raise ApiError(EXCEPTION, "ValueError('page_size must be less than or equal to 100')")
    rerank_candidates = _count(body.get("rerank_candidates_count"), 64)
    if version.bounds_paging and page * page_size > rerank_candidates:
        raise ApiError(
            DATA, f"`page * page_size` ({page * page_size}) must not exceed `rerank_candidates_count` ({rerank_candidates})"
        )
    if int(body.get("top_k", 1024)) <= 0:
        raise ApiError(DATA, "`top_k` must be greater than 0")
    highlight = {True: True, False: False, "true": True, "false": False, None: False}.get(body.get("highlight"))
    if highlight is None:
        raise ApiError(DATA, "`highlight` should be a boolean")
    for option in _MODEL_OPTIONS:
        if body.get(option):
            raise ApiError(DATA, f"`{option}` needs a model inside the server; the embedded knowledge server has none")
    reference = body.get("reference_metadata") or {}
    return Query(
        question=str(body["question"]).strip()[:MAX_QUESTION],
        dataset_ids=[str(item) for item in datasets],
        document_ids=[str(item) for item in documents],
        condition=condition,
        page=page,
        page_size=page_size,
        threshold=float(body.get("similarity_threshold", 0.2)),
        vector_weight=float(body.get("vector_similarity_weight", 0.3)),
        highlight=highlight,
        with_metadata=bool(reference.get("include")),
        metadata_fields=reference.get("fields"),
    )


async def retrieve(connection: Connection, query: Query, search: Search, filters: Filters) -> dict[str, Any]:
    """Answer a checked request: the `data` of RAGFlow's answer.

    Raises:
        ApiError: a dataset or document is not there, or nothing was ever published.
    """
    asked = await asyncio.to_thread(search.ask, query.question)
    ground = await index.ground(connection, query.dataset_ids, asked.terms)
    for dataset in query.dataset_ids:
        if dataset not in ground.models:
            raise ApiError(DATA, f"You don't own the dataset {dataset}.")
    if len(set(ground.models.values())) > 1:
        raise ApiError(DATA, "Datasets use different embedding models.")
    if not query.question:
        return {"total": 0, "chunks": [], "doc_aggs": {}}
    if query.condition and not query.document_ids:
        documents = await filters.allowed(connection, query.condition, ground.revisions)
    else:
        documents = await _named(connection, query)
    if ground.total == 0 and not await index.any_chunk(connection):
        raise ApiError(EXCEPTION, "No chunk found, please upload file and parse it.")
    row = asked.row if _comparable(next(iter(ground.models.values())), search.name) else None
    weights = weigh(asked.terms, ground.frequency, ground.total)
    found = await index.candidates(connection, query.dataset_ids, weights, row, documents=documents, total=ground.total)
    lift = ground.pageranks
    scored = [(_score(asked, weights, c, query.vector_weight, lift[c.dataset_id]), c) for c in found]
    scored.sort(key=lambda pair: (-pair[0].similarity, pair[1].content))
    scored = scored[: math.ceil(WINDOW / query.page_size) * query.page_size]
    if query.vector_weight > 0:
        scored = [pair for pair in scored if pair[0].similarity >= query.threshold]
    page = scored[(query.page - 1) * query.page_size : query.page * query.page_size]
    return {
        "total": len(scored),
        "chunks": [_chunk(score, c, query, asked.terms) for score, c in page],
        "doc_aggs": _aggregates(scored),
    }


def _comparable(dataset: str, here: str) -> bool:
    """Whether the question's vector may be compared with the dataset's; vectors of two encoders never are."""
    if dataset == here:
        return True
    log.error(
        "a dataset is searched by words alone: its vectors are of another encoder; publish its release anew",
        action="knowledge_words_alone",
        dataset=dataset or "none",
        here=here or "none",
    )
    return False


def _score(asked: Asked, weights: Mapping[str, float], candidate: Candidate, vector_weight: float, lift: int) -> Score:
    vector = candidate.cosine
    if vector is None:
        vector = resemblance(asked.grams, candidate.content, candidate.keywords)
    made = fuse(candidate.held, weights, vector, vector_weight)
    return replace(made, similarity=made.similarity + lift) if lift else made


async def _named(connection: Connection, query: Query) -> set[str] | None:
    """The documents that the request names; RAGFlow ignores `metadata_condition` then. None when it names none."""
    if not query.document_ids:
        return None
    there = {
        row["id"]
        for dataset in query.dataset_ids
        for row in await repository.documents(connection, dataset, ids=query.document_ids)
    }
    for document in query.document_ids:
        if document not in there:
            raise ApiError(DATA, f"The datasets don't own the document {document}")
    return there


def _chunk(found: Score, candidate: Candidate, query: Query, words: tuple[str, ...]) -> dict[str, Any]:
    chunk: dict[str, Any] = {
        "id": candidate.chunk_id,
        "content": candidate.content,
        "content_ltks": normalise(candidate.content),  # not segmented: nobody reads it, and it would cost more than the search
        "document_id": candidate.document_id,
        "document_keyword": candidate.document_name,
        "dataset_id": candidate.dataset_id,
        "important_keywords": list(candidate.keywords),
        "tag_kwd": [],
        "image_id": "",
        "similarity": found.similarity,
        "vector_similarity": found.vector_similarity,
        "term_similarity": found.term_similarity,
        "positions": [],
        "doc_type_kwd": "text",
        "mom_id": "",
        "row_id": None,
    }
    if query.highlight:
        longest_first = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        chunk["highlight"] = re.sub(longest_first, r"<em>\g<0></em>", candidate.content) if words else candidate.content
    if query.with_metadata and candidate.meta_fields:
        fields = query.metadata_fields
        metadata = orjson.loads(candidate.meta_fields)
        chunk["document_metadata"] = {k: v for k, v in metadata.items() if not fields or k in fields}
    return chunk


def _aggregates(scored: list[tuple[Score, Candidate]]) -> list[dict[str, Any]]:
    counts: dict[str, dict[str, Any]] = {}
    for _, candidate in scored:
        entry = counts.setdefault(
            candidate.document_id, {"doc_name": candidate.document_name, "doc_id": candidate.document_id, "count": 0}
        )
        entry["count"] += 1
    return sorted(counts.values(), key=lambda entry: -entry["count"])
