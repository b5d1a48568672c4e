"""RAGFlow's chunks (A9 of the RAGFlow notes): add, list, and its parsing in the plainest form. Chunks are never edited."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from tightrope.knowledge.server import cutting, repository
from tightrope.knowledge.server.documents import shown
from tightrope.knowledge.server.envelope import RagflowRoute, json_response, ok, read_body
from tightrope.knowledge.server.errors import DATA, ApiError
from tightrope.knowledge.server.repository import NewChunk
from tightrope.knowledge.server.requests import id_list, now_of, owned_document, paged, param, pool_of, require
from tightrope.knowledge.server.search import Search
from tightrope.knowledge.xxh64 import xxh64

router = APIRouter(prefix="/api/v1/datasets/{dataset_id}", route_class=RagflowRoute)


async def _new(search: Search, dataset_id: str, document_id: str, content: str, keywords: tuple[str, ...]) -> NewChunk:
    if search.keeps(content, keywords):  # a thread would cost more than the work
        entry = search.entry(content, keywords)
    else:
        entry = await asyncio.to_thread(search.entry, content, keywords)
    return NewChunk(xxh64((content + document_id).encode()), document_id, dataset_id, content, keywords, entry)


@router.post("/documents/{document_id}/chunks")
async def add(request: Request, dataset_id: str, document_id: str) -> Response:
    """Add one passage; its id is xxh64 of content and document id, as in RAGFlow."""
    body = await read_body(request)
    content, keywords = body.get("content"), body.get("important_keywords") or []
    if not isinstance(content, str) or not content.strip():
        raise ApiError(DATA, "`content` is required")
    if not isinstance(keywords, list):
        raise ApiError(DATA, "`important_keywords` is required to be a list")
    if body.get("questions"):
        raise ApiError(DATA, "`questions` would be encoded instead of the text; the embedded knowledge server does not take them")
    words = tuple(str(word) for word in keywords)
    made = await _new(request.app.state.search, dataset_id, document_id, content, words)
    if not await request.app.state.intake.add(made):
        async with pool_of(request).connection() as connection:
            await owned_document(connection, dataset_id, document_id)
    chunk = {
        "id": made.chunk_id,
        "content": content,
        "document_id": document_id,
        "dataset_id": dataset_id,
        "important_keywords": list(words),
        "questions": [],
    }
    return ok({"chunk": chunk})


@router.get("/documents/{document_id}/chunks")
async def listed(request: Request, dataset_id: str, document_id: str) -> Response:
    """The chunks of a document, by `id` or by `keywords` in the text."""
    async with pool_of(request).connection() as connection:
        document = await owned_document(connection, dataset_id, document_id)
        rows = await repository.chunks(connection, document_id)
    one, words = param(request, "id"), param(request, "keywords")
    rows = [row for row in rows if (one is None or row["id"] == one) and (words is None or words in row["content"])]
    if one and not rows:
        raise ApiError(DATA, f"Can't find chunk {one}")
    chunks = [
        {
            "id": row["id"],
            "content": row["content"],
            "document_id": document_id,
            "dataset_id": dataset_id,
            "docnm_kwd": document["name"],
            "important_keywords": row["keywords"],
            "questions": [],
            "image_id": "",
            "available": document["enabled"],
            "positions": [],
        }
        for row in paged(request, rows)
    ]
    return ok({"total": len(rows), "chunks": chunks, "doc": shown(document)})


@router.post("/chunks")
async def parse(request: Request, dataset_id: str) -> Response:
    """Cut documents anew. Their chunks are deleted first, those that were added by hand too; unknown ids fail after the others are done."""
    await require(request, dataset_id)
    ids = id_list(await read_body(request), "document_ids")
    if not ids:
        raise ApiError(DATA, "`document_ids` is required")
    missing = []
    for document_id in ids:
        async with pool_of(request).connection() as connection:
            row = await repository.document_bytes(connection, dataset_id, document_id)
            if row is None:
                missing.append(document_id)
                continue
            await repository.delete_chunks(connection, document_id)
            texts = cutting.naive(bytes(row["content"]).decode("utf-8", "replace"))
            await repository.insert_chunks(
                connection, [await _new(request.app.state.search, dataset_id, document_id, text, ()) for text in texts]
            )
            await repository.set_run(connection, document_id, "DONE", now_of(request))
    if missing:
        raise ApiError(DATA, f"Documents not found: {missing}")
    return ok()


@router.delete("/chunks")
async def stop(request: Request, dataset_id: str) -> Response:
    """Stop cutting. Here it is over at once, so that there is never anything to stop."""
    await require(request, dataset_id)
    ids = id_list(await read_body(request), "document_ids")
    if not ids:
        raise ApiError(DATA, "`document_ids` is required")
    return json_response(
        {
            "code": DATA,
            "message": "Can't stop parsing document that has not started or already completed",
            "data": {"error_code": "DOC_STOP_PARSING_INVALID_STATE"},
        }
    )
