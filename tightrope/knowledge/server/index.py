"""SQL of the search: which chunks share words with a question, which lie near its vector, and how much of either."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tightrope.infra.database import Connection
from tightrope.knowledge.server.scoring import HEAD, WINDOW
from tightrope.knowledge.server.vectors import Rows, written

EXACT = 5_000
"""Up to so many chunks in the datasets that are asked, every vector is compared; above, pgvector's HNSW graph is walked
(docs/reports/2026-11-22-knowledge-retrieval.md: the best eight are the same at 10,000, in less time)."""
AHEAD = 4 * WINDOW
"""Found on each side before documents are filtered; most questions need no more."""
FURTHER = 16
"""Where the filter left too few, so many times as many are looked at, and in the end all."""


@dataclass(frozen=True)
class Candidate:
    """A chunk that is near the question by words or by vectors."""

    chunk_id: str
    document_id: str
    dataset_id: str
    document_name: str
    meta_fields: str | None
    """JSON, read only for what is shown."""
    content: str
    keywords: tuple[str, ...]
    held: float
    """Weight of the question's terms that the chunk holds (scoring.matched)."""
    cosine: float | None
    """Of the nearer of its vectors; None where it has none, or none was asked for."""


@dataclass(frozen=True)
class Ground:
    """What a retrieval must know of its datasets before it looks for passages."""

    models: dict[str, str]
    """Dataset -> the encoder of its vectors; datasets that are not there are missing."""
    revisions: dict[str, int]
    """Dataset -> a number that grows with every change of a document's metadata."""
    pageranks: dict[str, int]
    """Dataset -> what is added to the similarity of its chunks, as in RAGFlow; 0 unless somebody set it."""
    total: int
    """Chunks in them."""
    frequency: dict[str, int]
    """How many of the chunks hold each term of the question."""


async def ground(connection: Connection, dataset_ids: Sequence[str], terms: Sequence[str]) -> Ground:
    """One round trip for all of it."""
    cursor = await connection.execute(
        """SELECT (SELECT jsonb_object_agg(id, jsonb_build_array(embedding_model, revision, pagerank)) FROM knowledge.dataset
                   WHERE id = ANY(%(datasets)s)) AS known,
                  (SELECT count(*) FROM knowledge.chunk WHERE dataset_id = ANY(%(datasets)s)) AS total,
                  (SELECT jsonb_object_agg(term, n) FROM (
                      SELECT term, count(*) AS n FROM knowledge.posting
                      WHERE dataset_id = ANY(%(datasets)s) AND term = ANY(%(terms)s) GROUP BY term) AS counted) AS frequency""",
        {"datasets": list(dataset_ids), "terms": list(terms)},
    )
    row = await cursor.fetchone() or {}
    known = row.get("known") or {}
    return Ground(
        models={key: value[0] for key, value in known.items()},
        revisions={key: value[1] for key, value in known.items()},
        pageranks={key: value[2] for key, value in known.items()},
        total=row.get("total") or 0,
        frequency=row.get("frequency") or {},
    )


async def any_chunk(connection: Connection) -> bool:
    """Whether anything was ever put into any dataset."""
    row = await (await connection.execute("SELECT EXISTS (SELECT 1 FROM knowledge.chunk) AS found")).fetchone()
    return bool(row and row["found"])


async def metadata(connection: Connection, dataset_id: str) -> dict[str, dict[str, Any]]:
    """Metadata of every document of a dataset that has any."""
    cursor = await connection.execute(
        "SELECT id, meta_fields FROM knowledge.document WHERE dataset_id = %s AND meta_fields IS NOT NULL", (dataset_id,)
    )
    return {row["id"]: row["meta_fields"] for row in await cursor.fetchall()}


NEAR = {
    "none": "SELECT NULL::bigint AS chunk, NULL::float8 AS cosine WHERE false",
    # OFFSET 0: distances are grouped, not vectors, which would be sorted on disk
    "exact": """SELECT chunk, max(cosine) AS cosine
                FROM (SELECT chunk, -(vector <#> %(vector)s::vector) AS cosine FROM knowledge.embedding
                      WHERE dataset_id = ANY(%(datasets)s) OFFSET 0) AS found
                GROUP BY chunk ORDER BY cosine DESC, chunk LIMIT %(ahead)s""",
    "graph": """SELECT chunk, max(-distance) AS cosine
                FROM (SELECT chunk, vector <#> %(vector)s::vector AS distance FROM knowledge.embedding
                      WHERE dataset_id = ANY(%(datasets)s) ORDER BY vector <#> %(vector)s::vector LIMIT 2 * %(ahead)s) AS found
                GROUP BY chunk ORDER BY cosine DESC, chunk""",
}
"""How the chunks whose vectors lie nearest are found."""
_TERMS = "q AS (SELECT * FROM unnest(%(terms)s::text[], %(weights)s::float8[]) AS q (term, weight))"
_HELD = "sum(q.weight * CASE WHEN p.head THEN 1 ELSE %(text)s END)"
_FOUND = f"""
    WITH {_TERMS},
         words AS (SELECT p.chunk, {_HELD} AS held
                   FROM q JOIN knowledge.posting p ON p.term = q.term AND p.dataset_id = ANY(%(datasets)s)
                   GROUP BY p.chunk ORDER BY held DESC, p.chunk LIMIT %(ahead)s),
         near AS ({{near}})
    SELECT f.side, array_agg(f.chunk ORDER BY f.score DESC, f.chunk) AS chunks,
           array_agg(CASE WHEN d.enabled THEN d.id ELSE '' END ORDER BY f.score DESC, f.chunk) AS documents
    FROM (SELECT 'words' AS side, chunk, held AS score FROM words UNION ALL SELECT 'near', chunk, cosine FROM near) AS f
         JOIN knowledge.chunk c ON c.number = f.chunk JOIN knowledge.document d ON d.id = c.document_id
    GROUP BY f.side"""  # noqa: S608 - constants
_DETAILS = f"""
    WITH {_TERMS}
    SELECT c.id, c.document_id, c.dataset_id, d.name, d.meta_fields::text AS meta_fields, c.content, c.keywords,
           coalesce((SELECT {_HELD} FROM q JOIN knowledge.posting p
                     ON p.term = q.term AND p.dataset_id = c.dataset_id AND p.chunk = c.number), 0) AS held,
           {{cosine}} AS cosine
    FROM knowledge.chunk c JOIN knowledge.document d ON d.id = c.document_id
    WHERE c.number = ANY(%(chunks)s) ORDER BY c.number"""  # noqa: S608 - constants
_COSINE = "(SELECT max(-(vector <#> %(vector)s::vector)) FROM knowledge.embedding WHERE embedding.chunk = c.number)"


async def candidates(
    connection: Connection,
    dataset_ids: Sequence[str],
    weights: Mapping[str, float],
    row: Rows | None,
    *,
    documents: Collection[str] | None,
    total: int,
    limit: int = WINDOW,
) -> list[Candidate]:
    """The chunks whose terms weigh most and those whose vectors lie nearest, of enabled documents; at most `limit` of either.

    Args:
        row: the question's vector; None searches by words alone.
        documents: only these documents; None is no filter.
        total: chunks in the datasets.
    """
    near = "none" if row is None else "exact" if total <= EXACT else "graph"
    values: dict[str, Any] = {
        "terms": list(weights),
        "weights": list(weights.values()),
        "text": 1 - HEAD,
        "datasets": list(dataset_ids),
        "vector": written(row) if row is not None else None,
    }
    if near == "graph":
        await connection.execute(
            "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', '200', true)"
        )
    chosen: set[int] = set()
    ahead = AHEAD
    while True:
        found = await (await connection.execute(_FOUND.format(near=NEAR[near]), values | {"ahead": ahead})).fetchall()
        chosen, enough = _choose(found, documents, limit, {"words": ahead, "near": 0 if near == "graph" else ahead})
        if enough or (near != "graph" and ahead >= total):
            break
        near = "exact" if near == "graph" else near
        ahead = min(FURTHER * ahead, total)
    query = _DETAILS.format(cosine="NULL::float8" if row is None else _COSINE)
    rows = await (await connection.execute(query, values | {"chunks": list(chosen)})).fetchall()
    return [
        Candidate(
            chunk_id=found["id"],
            document_id=found["document_id"],
            dataset_id=found["dataset_id"],
            document_name=found["name"],
            meta_fields=found["meta_fields"],
            content=found["content"],
            keywords=tuple(found["keywords"]),
            held=found["held"],
            cosine=found["cosine"],
        )
        for found in rows
    ]


def _choose(
    found: Sequence[Mapping[str, Any]], documents: Collection[str] | None, limit: int, cut: Mapping[str, int]
) -> tuple[set[int], bool]:
    """The best `limit` of each side that the filter lets through, and whether looking further could add none.

    Args:
        cut: side -> how many chunks it may have been cut at; with fewer there are no more.
    """
    of_side = {row["side"]: list(zip(row["chunks"], row["documents"], strict=True)) for row in found}
    chosen: set[int] = set()
    enough = True
    for side, most in cut.items():
        pairs = of_side.get(side, [])
        allowed = [chunk for chunk, document in pairs if document and (documents is None or document in documents)]
        chosen |= set(allowed[:limit])
        enough = enough and (len(allowed) >= limit or len(pairs) < most)
    return chosen, enough
