"""SQL of the embedded knowledge server: datasets, documents, chunks and the inverted index."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from tightrope.infra.database import Connection

Row = dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """A chunk that holds at least one term of the question."""

    chunk_id: str
    document_id: str
    dataset_id: str
    document_name: str
    meta_fields: dict[str, Any] | None
    content: str
    keywords: tuple[str, ...]
    matched: float
    """Summed weight of the question's terms that the chunk holds."""


async def datasets(connection: Connection, *, name: str | None = None, dataset_id: str | None = None) -> list[Row]:
    """Datasets with their counts, newest first."""
    cursor = await connection.execute(
        """SELECT d.*, (SELECT count(*) FROM knowledge.document x WHERE x.dataset_id = d.id) AS document_count,
                  (SELECT count(*) FROM knowledge.chunk x WHERE x.dataset_id = d.id) AS chunk_count
           FROM knowledge.dataset d
           WHERE (%(name)s::text IS NULL OR d.name = %(name)s) AND (%(id)s::text IS NULL OR d.id = %(id)s)
           ORDER BY d.created_at DESC, d.id""",
        {"name": name, "id": dataset_id},
    )
    return await cursor.fetchall()


async def insert_dataset(connection: Connection, dataset_id: str, name: str, description: str, at: datetime) -> bool:
    """False when the name is taken."""
    cursor = await connection.execute(
        "INSERT INTO knowledge.dataset VALUES (%s, %s, %s, %s, %s) ON CONFLICT (name) DO NOTHING",
        (dataset_id, name, description, at, at),
    )
    return cursor.rowcount == 1


async def rename_dataset(connection: Connection, dataset_id: str, name: str, at: datetime) -> bool:
    """False when the dataset is not there or the name is taken."""
    cursor = await connection.execute(
        """UPDATE knowledge.dataset SET name = %s, updated_at = %s
           WHERE id = %s AND NOT EXISTS (SELECT 1 FROM knowledge.dataset WHERE name = %s AND id <> %s)""",
        (name, at, dataset_id, name, dataset_id),
    )
    return cursor.rowcount == 1


async def delete_datasets(connection: Connection, ids: Sequence[str]) -> int:
    """Delete datasets with everything in them; the number deleted."""
    return (await connection.execute("DELETE FROM knowledge.dataset WHERE id = ANY(%s)", (list(ids),))).rowcount


async def known_datasets(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Which of the ids exist."""
    cursor = await connection.execute("SELECT id FROM knowledge.dataset WHERE id = ANY(%s)", (list(ids),))
    return {row["id"] for row in await cursor.fetchall()}


_DOCUMENT = """id, dataset_id, name, octet_length(content) AS size, meta_fields, enabled, created_at, updated_at,
               (SELECT count(*) FROM knowledge.chunk c WHERE c.document_id = document.id) AS chunk_count"""


async def documents(
    connection: Connection, dataset_id: str, *, ids: Sequence[str] | None = None, name: str | None = None
) -> list[Row]:
    """Documents of a dataset, without their bytes, by name."""
    cursor = await connection.execute(
        f"""SELECT {_DOCUMENT} FROM knowledge.document
            WHERE dataset_id = %(dataset)s AND (%(ids)s::text[] IS NULL OR id = ANY(%(ids)s))
              AND (%(name)s::text IS NULL OR name = %(name)s)
            ORDER BY name, id""",  # noqa: S608 - a constant column list
        {"dataset": dataset_id, "ids": list(ids) if ids is not None else None, "name": name},
    )
    return await cursor.fetchall()


async def insert_document(
    connection: Connection, document_id: str, dataset_id: str, name: str, content: bytes, at: datetime
) -> None:
    """Store a file."""
    await connection.execute(
        """INSERT INTO knowledge.document (id, dataset_id, name, content, created_at, updated_at)
           VALUES (%s, %s, %s, %s, %s, %s)""",
        (document_id, dataset_id, name, content, at, at),
    )


async def update_document(
    connection: Connection, document_id: str, meta_fields: Mapping[str, Any] | None, enabled: bool | None, at: datetime
) -> None:
    """Replace the metadata, switch the document, or both; None leaves as it is."""
    await connection.execute(
        """UPDATE knowledge.document SET meta_fields = coalesce(%s, meta_fields), enabled = coalesce(%s, enabled), updated_at = %s
           WHERE id = %s""",
        (Jsonb(dict(meta_fields)) if meta_fields is not None else None, enabled, at, document_id),
    )


async def document_bytes(connection: Connection, dataset_id: str, document_id: str) -> Row | None:
    """Name and bytes of a file."""
    cursor = await connection.execute(
        "SELECT name, content FROM knowledge.document WHERE dataset_id = %s AND id = %s", (dataset_id, document_id)
    )
    return await cursor.fetchone()


async def delete_documents(connection: Connection, dataset_id: str, ids: Sequence[str]) -> int:
    """Delete documents with their chunks; the number deleted."""
    cursor = await connection.execute(
        "DELETE FROM knowledge.document WHERE dataset_id = %s AND id = ANY(%s)", (dataset_id, list(ids))
    )
    return cursor.rowcount


async def insert_chunk(
    connection: Connection,
    chunk_id: str,
    document_id: str,
    dataset_id: str,
    content: str,
    keywords: Sequence[str],
    terms: Collection[str],
) -> bool:
    """Store a chunk and its postings; the same chunk again changes nothing (its id is its content).

    The commit does not wait for the disk: publishing reads everything back and then renames the dataset, which does.

    Returns:
        False when the dataset does not hold the document.
    """
    await connection.execute("SET LOCAL synchronous_commit TO off")
    cursor = await connection.execute(
        """WITH owner AS (SELECT id, dataset_id FROM knowledge.document WHERE id = %(document)s AND dataset_id = %(dataset)s),
           made AS (
               INSERT INTO knowledge.chunk (id, document_id, dataset_id, content, keywords)
               SELECT %(id)s, id, dataset_id, %(content)s, %(keywords)s FROM owner
               ON CONFLICT (document_id, id) DO NOTHING RETURNING number),
           indexed AS (
               INSERT INTO knowledge.posting (dataset_id, term, chunk)
               SELECT %(dataset)s, term, number FROM made, unnest(%(terms)s::text[]) AS term)
           SELECT count(*) AS owners FROM owner""",
        {
            "id": chunk_id,
            "document": document_id,
            "dataset": dataset_id,
            "content": content,
            "keywords": list(keywords),
            "terms": sorted(terms),
        },
    )
    row = await cursor.fetchone()
    return bool(row and row["owners"])


async def chunks(connection: Connection, document_id: str) -> list[Row]:
    """Chunks of a document in the order in which they were added."""
    cursor = await connection.execute(
        "SELECT id, content, keywords FROM knowledge.chunk WHERE document_id = %s ORDER BY number", (document_id,)
    )
    return await cursor.fetchall()


async def any_chunk(connection: Connection) -> bool:
    """Whether anything was ever put into any dataset."""
    row = await (await connection.execute("SELECT EXISTS (SELECT 1 FROM knowledge.chunk) AS found")).fetchone()
    return bool(row and row["found"])


@dataclass(frozen=True)
class Ground:
    """What a retrieval must know of its datasets before it looks for passages."""

    known: frozenset[str]
    """Which of the datasets exist."""
    total: int
    """Chunks in them."""
    frequency: dict[str, int]
    """How many of the chunks hold each term of the question."""
    metadata: dict[str, dict[str, Any]]
    """Metadata of every document that has any; empty unless asked for."""


async def ground(connection: Connection, dataset_ids: Sequence[str], terms: Sequence[str], *, with_metadata: bool) -> Ground:
    """One round trip for all of it."""
    cursor = await connection.execute(
        """SELECT (SELECT array_agg(id) FROM knowledge.dataset WHERE id = ANY(%(datasets)s)) AS known,
                  (SELECT count(*) FROM knowledge.chunk WHERE dataset_id = ANY(%(datasets)s)) AS total,
                  (SELECT jsonb_object_agg(term, n) FROM (
                      SELECT term, count(*) AS n FROM knowledge.posting
                      WHERE dataset_id = ANY(%(datasets)s) AND term = ANY(%(terms)s) GROUP BY term) AS counted) AS frequency,
                  (SELECT jsonb_object_agg(id, meta_fields) FROM knowledge.document
                   WHERE %(with_metadata)s AND dataset_id = ANY(%(datasets)s) AND meta_fields IS NOT NULL) AS metadata""",
        {"datasets": list(dataset_ids), "terms": list(terms), "with_metadata": with_metadata},
    )
    row = await cursor.fetchone() or {}
    return Ground(frozenset(row.get("known") or ()), row.get("total") or 0, row.get("frequency") or {}, row.get("metadata") or {})


async def candidates(
    connection: Connection,
    dataset_ids: Sequence[str],
    weights: Mapping[str, float],
    *,
    documents: Collection[str] | None,
    limit: int,
) -> list[Candidate]:
    """The chunks whose terms weigh most, of enabled documents, best first.

    Args:
        documents: only these documents; None is no filter.
    """
    cursor = await connection.execute(
        """WITH best AS (
               SELECT p.chunk, sum(q.weight) AS matched
               FROM unnest(%(terms)s::text[], %(weights)s::float8[]) AS q (term, weight)
               JOIN knowledge.posting p ON p.term = q.term AND p.dataset_id = ANY(%(datasets)s)
               JOIN knowledge.chunk c ON c.number = p.chunk
               JOIN knowledge.document d ON d.id = c.document_id
               WHERE d.enabled AND (%(documents)s::text[] IS NULL OR d.id = ANY(%(documents)s))
               GROUP BY p.chunk ORDER BY matched DESC, p.chunk LIMIT %(limit)s)
           SELECT c.id, c.document_id, c.dataset_id, d.name, d.meta_fields, c.content, c.keywords, best.matched
           FROM best JOIN knowledge.chunk c ON c.number = best.chunk JOIN knowledge.document d ON d.id = c.document_id
           ORDER BY best.matched DESC, c.number""",
        {
            "terms": list(weights),
            "weights": list(weights.values()),
            "datasets": list(dataset_ids),
            "documents": list(documents) if documents is not None else None,
            "limit": limit,
        },
    )
    return [
        Candidate(
            chunk_id=row["id"],
            document_id=row["document_id"],
            dataset_id=row["dataset_id"],
            document_name=row["name"],
            meta_fields=row["meta_fields"],
            content=row["content"],
            keywords=tuple(row["keywords"]),
            matched=row["matched"],
        )
        for row in await cursor.fetchall()
    ]
