"""SQL of the embedded knowledge server: datasets, documents and chunks. The index is in index.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from tightrope.infra.database import Connection
from tightrope.knowledge.server.search import Entry
from tightrope.knowledge.server.vectors import written

Row = dict[str, Any]


async def datasets(connection: Connection, *, name: str | None = None, ids: Sequence[str] | None = None) -> list[Row]:
    """Datasets with their counts, newest first."""
    cursor = await connection.execute(
        """SELECT d.*, (SELECT count(*) FROM knowledge.document x WHERE x.dataset_id = d.id) AS document_count,
                  (SELECT count(*) FROM knowledge.chunk x WHERE x.dataset_id = d.id) AS chunk_count
           FROM knowledge.dataset d
           WHERE (%(name)s::text IS NULL OR d.name = %(name)s) AND (%(ids)s::text[] IS NULL OR d.id = ANY(%(ids)s))
           ORDER BY d.created_at DESC, d.id""",
        {"name": name, "ids": list(ids) if ids is not None else None},
    )
    return await cursor.fetchall()


async def insert_dataset(
    connection: Connection, dataset_id: str, name: str, description: str, embedding_model: str, at: datetime
) -> bool:
    """False when the name is taken."""
    cursor = await connection.execute(
        """INSERT INTO knowledge.dataset (id, name, description, embedding_model, created_at, updated_at)
           VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (name) DO NOTHING""",
        (dataset_id, name, description, embedding_model, at, at),
    )
    return cursor.rowcount == 1


async def change_dataset(connection: Connection, dataset_id: str, name: str | None, pagerank: int | None, at: datetime) -> bool:
    """Rename a dataset or set its pagerank, None leaves as it is; False when it is not there or the name is taken."""
    cursor = await connection.execute(
        """UPDATE knowledge.dataset
           SET name = coalesce(%(name)s, name), pagerank = coalesce(%(pagerank)s, pagerank), updated_at = %(at)s
           WHERE id = %(id)s AND NOT EXISTS (SELECT 1 FROM knowledge.dataset WHERE name = %(name)s AND id <> %(id)s)""",
        {"name": name, "pagerank": pagerank, "at": at, "id": dataset_id},
    )
    return cursor.rowcount == 1


async def delete_datasets(connection: Connection, ids: Sequence[str] | None) -> int:
    """Delete datasets with everything in them, None all of them; the number deleted."""
    some = list(ids) if ids is not None else None
    cursor = await connection.execute("DELETE FROM knowledge.dataset WHERE %s::text[] IS NULL OR id = ANY(%s)", (some, some))
    return cursor.rowcount


async def datasets_of_another_encoder(connection: Connection, name: str) -> list[str]:
    """Names of datasets whose vectors cannot be compared with those of the encoder `name`."""
    cursor = await connection.execute("SELECT name FROM knowledge.dataset WHERE embedding_model <> %s ORDER BY name", (name,))
    return [row["name"] for row in await cursor.fetchall()]


async def known_datasets(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Which of the ids exist."""
    cursor = await connection.execute("SELECT id FROM knowledge.dataset WHERE id = ANY(%s)", (list(ids),))
    return {row["id"] for row in await cursor.fetchall()}


_DOCUMENT = """id, dataset_id, name, octet_length(content) AS size, meta_fields, enabled, run, created_at, updated_at,
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


async def insert_documents(
    connection: Connection, dataset_id: str, files: Sequence[tuple[str, str, bytes]], at: datetime
) -> None:
    """Store files: id, name and bytes of each."""
    await connection.execute(
        """INSERT INTO knowledge.document (id, dataset_id, name, content, created_at, updated_at)
           SELECT id, %(dataset)s, name, content, %(at)s, %(at)s
           FROM unnest(%(ids)s::text[], %(names)s::text[], %(contents)s::bytea[]) AS f (id, name, content)""",
        {
            "dataset": dataset_id,
            "at": at,
            "ids": [document_id for document_id, _, _ in files],
            "names": [name for _, name, _ in files],
            "contents": [content for _, _, content in files],
        },
    )


async def update_document(
    connection: Connection,
    document_id: str,
    meta_fields: Mapping[str, Any] | None,
    enabled: bool | None,
    name: str | None,
    at: datetime,
) -> None:
    """Replace the metadata, switch or rename the document; None leaves as it is."""
    await connection.execute(
        """WITH changed AS (
               UPDATE knowledge.document SET meta_fields = coalesce(%s, meta_fields), enabled = coalesce(%s, enabled),
                   name = coalesce(%s, name), updated_at = %s
               WHERE id = %s RETURNING dataset_id)
           UPDATE knowledge.dataset SET revision = revision + 1 WHERE id IN (SELECT dataset_id FROM changed)""",
        (Jsonb(dict(meta_fields)) if meta_fields is not None else None, enabled, name, at, document_id),
    )


async def set_run(connection: Connection, document_id: str, run: str, at: datetime) -> None:
    """How far the cutting of a document is."""
    await connection.execute("UPDATE knowledge.document SET run = %s, updated_at = %s WHERE id = %s", (run, at, document_id))


async def document_bytes(connection: Connection, dataset_id: str, document_id: str) -> Row | None:
    """Name and bytes of a file."""
    cursor = await connection.execute(
        "SELECT name, content FROM knowledge.document WHERE dataset_id = %s AND id = %s", (dataset_id, document_id)
    )
    return await cursor.fetchone()


async def delete_documents(connection: Connection, dataset_id: str, ids: Sequence[str] | None) -> int:
    """Delete documents with their chunks, None all of the dataset; the number deleted."""
    some = list(ids) if ids is not None else None
    cursor = await connection.execute(
        "DELETE FROM knowledge.document WHERE dataset_id = %s AND (%s::text[] IS NULL OR id = ANY(%s))", (dataset_id, some, some)
    )
    return cursor.rowcount


@dataclass(frozen=True)
class NewChunk:
    """A chunk to be stored."""

    chunk_id: str
    document_id: str
    dataset_id: str
    content: str
    keywords: tuple[str, ...]
    entry: Entry


_INSERT_CHUNKS = """
    WITH given AS (
             SELECT * FROM unnest(%(ids)s::text[], %(documents)s::text[], %(datasets)s::text[], %(contents)s::text[], %(keywords)s::jsonb[])
                 WITH ORDINALITY AS g (id, document_id, dataset_id, content, keywords, at)),
         owned AS (SELECT given.* FROM given JOIN knowledge.document d ON d.id = given.document_id AND d.dataset_id = given.dataset_id
                   FOR KEY SHARE OF d),
         made AS (
             INSERT INTO knowledge.chunk (id, document_id, dataset_id, content, keywords)
             SELECT id, document_id, dataset_id, content, ARRAY(SELECT jsonb_array_elements_text(keywords)) FROM owned ORDER BY at
             ON CONFLICT (document_id, id) DO NOTHING RETURNING number, id, document_id, dataset_id),
         placed AS (SELECT owned.at, made.number, made.dataset_id FROM made JOIN owned USING (id, document_id)),
         indexed AS (
             INSERT INTO knowledge.posting (dataset_id, term, chunk, head)
             SELECT dataset_id, term, number, head
             FROM unnest(%(of_terms)s::bigint[], %(terms)s::text[], %(heads)s::boolean[]) AS t (at, term, head) JOIN placed USING (at)),
         drawn AS (
             INSERT INTO knowledge.embedding (chunk, part, dataset_id, vector)
             SELECT number, part, dataset_id, vector::public.vector
             FROM unnest(%(of_vectors)s::bigint[], %(parts)s::smallint[], %(vectors)s::text[]) AS v (at, part, vector)
                  JOIN placed USING (at))
    SELECT at FROM owned"""


async def insert_chunks(connection: Connection, chunks: Sequence[NewChunk]) -> list[bool]:
    """Store chunks, their postings and their vectors; the same chunk again changes nothing (its id is its content).

    The commit does not wait for the disk: publishing reads everything back and then renames the dataset, which does. The documents are
    locked against being deleted in the meantime.

    Returns:
        For each, whether its dataset holds its document; if not, it is not stored.
    """
    await connection.execute("SET LOCAL synchronous_commit TO off")
    once = {(chunk.document_id, chunk.dataset_id, chunk.chunk_id): chunk for chunk in chunks}
    given = list(once.values())
    terms = [
        (at, term, term in chunk.entry.terms.head)
        for at, chunk in enumerate(given, 1)
        for term in sorted(chunk.entry.terms.everywhere)
    ]
    vectors = [
        (at, part, written(row))
        for at, chunk in enumerate(given, 1)
        if chunk.entry.rows is not None
        for part, row in enumerate(chunk.entry.rows, 1)
    ]
    cursor = await connection.execute(
        _INSERT_CHUNKS,
        {
            "ids": [chunk.chunk_id for chunk in given],
            "documents": [chunk.document_id for chunk in given],
            "datasets": [chunk.dataset_id for chunk in given],
            "contents": [chunk.content for chunk in given],
            "keywords": [Jsonb(list(chunk.keywords)) for chunk in given],
            "of_terms": [at for at, _, _ in terms],
            "terms": [term for _, term, _ in terms],
            "heads": [head for _, _, head in terms],
            "of_vectors": [at for at, _, _ in vectors],
            "parts": [part for _, part, _ in vectors],
            "vectors": [vector for _, _, vector in vectors],
        },
    )
    places = {row["at"] for row in await cursor.fetchall()}
    owned = {key: at in places for at, key in enumerate(once, 1)}
    return [owned[chunk.document_id, chunk.dataset_id, chunk.chunk_id] for chunk in chunks]


async def delete_chunks(connection: Connection, document_id: str) -> None:
    """Delete the chunks of a document."""
    await connection.execute("DELETE FROM knowledge.chunk WHERE document_id = %s", (document_id,))


async def chunks(connection: Connection, document_id: str) -> list[Row]:
    """Chunks of a document in the order in which they were added."""
    cursor = await connection.execute(
        "SELECT id, content, keywords FROM knowledge.chunk WHERE document_id = %s ORDER BY number", (document_id,)
    )
    return await cursor.fetchall()
