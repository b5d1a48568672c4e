"""The embedded knowledge server: the part of RAGFlow 0.27's HTTP API that answering and publishing use, over Postgres.

Errors are RAGFlow's: HTTP 200 with `code != 0`; 401 is real. What is left out (parsing, web pages, models) is refused.
Contract: docs/knowledge.md.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.database import Pool, Role, open_pool
from tightrope.infra.health import health_body
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.knowledge.server import repository
from tightrope.knowledge.server.envelope import MAX_BODY, RagflowRoute, json_response, ok, read_body
from tightrope.knowledge.server.retrieval import ARGUMENT, DATA, EXCEPTION, ApiError, read_query, retrieve
from tightrope.knowledge.server.scoring import index_terms
from tightrope.knowledge.server.tokens import warm_up
from tightrope.knowledge.xxh64 import xxh64
from tightrope.release.manifest import release_id

log = get_logger()
VERSION = "v0.27.3-tightrope"
"""The RAGFlow version whose rules hold here; the suffix says that it is not RAGFlow."""


router = APIRouter(route_class=RagflowRoute)


def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


def _now(request: Request) -> datetime:
    now: datetime = request.app.state.clock.now()
    return now


def _dataset(row: repository.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "permission": "me",
        "chunk_method": "naive",
        "document_count": row["document_count"],
        "chunk_count": row["chunk_count"],
        "create_time": int(row["created_at"].timestamp() * 1000),
        "update_time": int(row["updated_at"].timestamp() * 1000),
    }


def _document(row: repository.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "dataset_id": row["dataset_id"],
        "name": row["name"],
        "location": row["name"],
        "size": row["size"],
        "type": "doc",
        "suffix": row["name"].rpartition(".")[2],
        "chunk_count": row["chunk_count"],
        "chunk_method": "naive",
        "meta_fields": row["meta_fields"] or {},
        "run": "UNSTART",
        "progress": 0.0,
        "status": "1" if row["enabled"] else "0",
        "create_time": int(row["created_at"].timestamp() * 1000),
        "update_time": int(row["updated_at"].timestamp() * 1000),
    }


@router.post("/api/v1/retrieval")
async def retrieval(request: Request) -> Response:
    """Search passages (A4 of the RAGFlow notes)."""
    query = read_query(await read_body(request))
    async with _pool(request).connection() as connection:
        return ok(await retrieve(connection, query))


@router.get("/api/v1/datasets")
async def list_datasets(request: Request) -> Response:
    """List datasets; an unknown `id` or `name` is refused, as in RAGFlow, not an empty list."""
    name, dataset = request.query_params.get("name"), request.query_params.get("id")
    async with _pool(request).connection() as connection:
        rows = await repository.datasets(connection, name=name, dataset_id=dataset)
    if not rows and (name or dataset):
        raise ApiError(DATA, f"User 'tightrope' lacks permission for dataset '{name or dataset}'")
    page, size = _paging(request)
    return ok([_dataset(row) for row in rows[(page - 1) * size : page * size]], total_datasets=len(rows))


def _paging(request: Request) -> tuple[int, int]:
    try:
        page, size = int(request.query_params.get("page", 1)), int(request.query_params.get("page_size", 30))
    except ValueError:
        page, size = 1, 30
    if size > 100:
        raise ApiError(EXCEPTION, "ValueError('page_size must be less than or equal to 100')")
    return max(page, 1), size if size >= 1 else 30


@router.post("/api/v1/datasets")
async def create_dataset(request: Request) -> Response:
    """Create a dataset. Of RAGFlow's fields only `name` and `description` mean something here; unknown ones are refused."""
    body = await read_body(request)
    unknown = sorted(set(body) - {"name", "description", "permission", "chunk_method", "avatar"})
    if unknown:
        raise ApiError(
            ARGUMENT, f"Field: <{unknown[0]}> - Message: <Extra inputs are not permitted> - Value: <{body[unknown[0]]}>"
        )
    name = body.get("name")
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 128:
        raise ApiError(ARGUMENT, f"Field: <name> - Message: <String should have 1 to 128 characters> - Value: <{name}>")
    made = uuid.uuid4().hex
    async with _pool(request).connection() as connection:
        if not await repository.insert_dataset(connection, made, name.strip(), str(body.get("description") or ""), _now(request)):
            raise ApiError(DATA, f"Dataset name '{name.strip()}' already exists")
        return ok(_dataset((await repository.datasets(connection, dataset_id=made))[0]))


@router.put("/api/v1/datasets/{dataset_id}")
async def rename_dataset(request: Request, dataset_id: str) -> Response:
    """Rename a dataset."""
    name = (await read_body(request)).get("name")
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 128:
        raise ApiError(ARGUMENT, f"Field: <name> - Message: <String should have 1 to 128 characters> - Value: <{name}>")
    async with _pool(request).connection() as connection:
        if not await repository.rename_dataset(connection, dataset_id, name.strip(), _now(request)):
            raise ApiError(DATA, f"Dataset '{dataset_id}' is not there, or the name '{name.strip()}' already exists")
        return ok(_dataset((await repository.datasets(connection, dataset_id=dataset_id))[0]))


@router.delete("/api/v1/datasets")
async def delete_datasets(request: Request) -> Response:
    """Delete datasets by id; no ids delete nothing."""
    ids = (await read_body(request)).get("ids") or []
    async with _pool(request).connection() as connection:
        await repository.delete_datasets(connection, [str(item) for item in ids])
    return ok()


async def _owned(request: Request, dataset_id: str, document_id: str | None = None) -> None:
    async with _pool(request).connection() as connection:
        if not await repository.known_datasets(connection, [dataset_id]):
            raise ApiError(DATA, f"You don't own the dataset {dataset_id}.")
        if document_id is not None and not await repository.documents(connection, dataset_id, ids=[document_id]):
            raise ApiError(DATA, f"You don't own the document {document_id}.")


@router.post("/api/v1/datasets/{dataset_id}/documents")
async def upload(request: Request, dataset_id: str) -> Response:
    """Upload files (multipart `file`, repeatable)."""
    if request.query_params.get("type", "local") != "local":
        raise ApiError(ARGUMENT, "the embedded knowledge server takes files only (type=local)")
    await _owned(request, dataset_id)
    if int(request.headers.get("content-length") or MAX_BODY + 1) > MAX_BODY:
        raise ApiError(ARGUMENT, f"the body is larger than {MAX_BODY} bytes, or its length is not given")
    async with request.form() as form:
        files = [(item.filename or "", await item.read()) for item in form.getlist("file") if isinstance(item, UploadFile)]
    if not files or not all(name for name, _ in files):
        raise ApiError(ARGUMENT, "No file part!")
    made = []
    async with _pool(request).connection() as connection:
        for name, content in files:
            document = uuid.uuid4().hex
            await repository.insert_document(connection, document, dataset_id, name, content, _now(request))
            made.append(document)
        return ok([_document(row) for row in await repository.documents(connection, dataset_id, ids=made)])


@router.get("/api/v1/datasets/{dataset_id}/documents")
async def list_documents(request: Request, dataset_id: str) -> Response:
    """List documents, by `id`, `ids` or `name`."""
    await _owned(request, dataset_id)
    wanted = request.query_params.getlist("ids") or ([request.query_params["id"]] if "id" in request.query_params else None)
    async with _pool(request).connection() as connection:
        rows = await repository.documents(connection, dataset_id, ids=wanted, name=request.query_params.get("name"))
    page, size = _paging(request)
    return ok({"total": len(rows), "docs": [_document(row) for row in rows[(page - 1) * size : page * size]]})


@router.patch("/api/v1/datasets/{dataset_id}/documents/{document_id}")
async def update_document(request: Request, dataset_id: str, document_id: str) -> Response:
    """Replace `meta_fields` (flat), or switch `enabled` (0 or 1); other fields are refused."""
    await _owned(request, dataset_id, document_id)
    body = await read_body(request)
    if set(body) - {"meta_fields", "enabled"}:
        raise ApiError(ARGUMENT, "the embedded knowledge server changes meta_fields and enabled only")
    meta, enabled = body.get("meta_fields"), body.get("enabled")
    if meta is not None and (not isinstance(meta, dict) or any(isinstance(value, dict) for value in meta.values())):
        raise ApiError(ARGUMENT, "meta_fields must be a flat object")
    async with _pool(request).connection() as connection:
        await repository.update_document(
            connection, document_id, meta, bool(int(enabled)) if enabled is not None else None, _now(request)
        )
        return ok(_document((await repository.documents(connection, dataset_id, ids=[document_id]))[0]))


@router.get("/api/v1/datasets/{dataset_id}/documents/{document_id}")
async def download(request: Request, dataset_id: str, document_id: str) -> Response:
    """The file's bytes."""
    async with _pool(request).connection() as connection:
        row = await repository.document_bytes(connection, dataset_id, document_id)
    if row is None:
        raise ApiError(DATA, f"The dataset not own the document {document_id}.")
    return Response(bytes(row["content"]), media_type="application/octet-stream", headers={"x-content-type-options": "nosniff"})


@router.delete("/api/v1/datasets/{dataset_id}/documents")
async def delete_documents(request: Request, dataset_id: str) -> Response:
    """Delete documents by id."""
    await _owned(request, dataset_id)
    ids = (await read_body(request)).get("ids") or []
    async with _pool(request).connection() as connection:
        await repository.delete_documents(connection, dataset_id, [str(item) for item in ids])
    return ok()


@router.api_route("/api/v1/datasets/{dataset_id}/chunks", methods=["POST", "DELETE"])
async def parse(dataset_id: str) -> Response:
    """RAGFlow's parsing: not here, passages are cut by our publisher."""
    raise ApiError(DATA, f"the embedded knowledge server does not parse; add chunks to the documents of {dataset_id}")


@router.post("/api/v1/datasets/{dataset_id}/documents/{document_id}/chunks")
async def add_chunk(request: Request, dataset_id: str, document_id: str) -> Response:
    """Add one passage; its id is xxh64 of content and document id, as in RAGFlow."""
    body = await read_body(request)
    content, keywords = body.get("content"), body.get("important_keywords") or []
    if not isinstance(content, str) or not content.strip():
        raise ApiError(DATA, "`content` is required")
    if not isinstance(keywords, list):
        raise ApiError(DATA, "`important_keywords` is required to be a list")
    words = [str(word) for word in keywords]
    made = xxh64((content + document_id).encode())
    async with _pool(request).connection() as connection:
        await repository.insert_chunk(
            connection, made, document_id, dataset_id, content, words, index_terms(content, tuple(words))
        )
    chunk = {"id": made, "content": content, "document_id": document_id, "dataset_id": dataset_id, "important_keywords": words}
    return ok({"chunk": chunk})


@router.get("/api/v1/datasets/{dataset_id}/documents/{document_id}/chunks")
async def list_chunks(request: Request, dataset_id: str, document_id: str) -> Response:
    """The chunks of a document."""
    await _owned(request, dataset_id, document_id)
    async with _pool(request).connection() as connection:
        rows = await repository.chunks(connection, document_id)
        document = (await repository.documents(connection, dataset_id, ids=[document_id]))[0]
    page, size = _paging(request)
    listed = [
        {
            "id": row["id"],
            "content": row["content"],
            "document_id": document_id,
            "docnm_kwd": document["name"],
            "important_keywords": row["keywords"],
            "available": document["enabled"],
            "positions": [],
        }
        for row in rows[(page - 1) * size : page * size]
    ]
    return ok({"total": len(rows), "chunks": listed, "doc": _document(document)})


@router.get("/api/v1/system/ping")
async def ping() -> Response:
    """Liveness."""
    return Response("pong", media_type="text/plain")


@router.get("/api/v1/system/version")
async def version() -> Response:
    """The RAGFlow version whose rules hold."""
    return ok(VERSION)


async def _failing(request: Request) -> str | None:
    async with _pool(request).connection(timeout=2) as connection:
        await connection.execute("SELECT 1 FROM knowledge.dataset LIMIT 1")
    return None


@router.get("/api/v1/system/healthz")
async def healthz(request: Request) -> Response:
    """RAGFlow's health form; the stores we do not have stand on Postgres."""
    try:
        await _failing(request)
    except Exception as error:
        log.warning("the database is not there", action="knowledge_unhealthy", error=type(error).__name__)
        return json_response({"db": "nok", "redis": "ok", "doc_engine": "nok", "storage": "nok", "status": "nok"}, 500)
    return json_response({"db": "ok", "redis": "ok", "doc_engine": "ok", "storage": "ok", "status": "ok"})


@router.get("/health")
async def health(request: Request) -> Response:
    """Our own form of health (docs/wire-contracts.md)."""

    async def check() -> str | None:
        return await _failing(request)

    status, body = await health_body("knowledge", release_id(request.app.state.settings), check)
    return json_response(body, status)


def create_app(
    settings: Settings, *, clock: Clock | None = None, on_start: Callable[[FastAPI], Awaitable[None]] | None = None
) -> FastAPI:
    """The knowledge server.

    Args:
        on_start: called when the pool is open, before the first request; `publish.publish_direct` and tests use it.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_pool(settings, Role.KNOWLEDGE, max_size=4) as pool:
            app.state.pool = pool
            warm_up()
            if on_start is not None:
                await on_start(app)
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.settings = settings
    app.state.clock = clock or clock_from(settings)
    app.state.key = settings.secret("knowledge_api_key").get_secret_value()
    app.include_router(router)

    async def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return json_response(
            {"code": status, "data": None, "error": "Not Found", "message": f"Not Found: {request.url.path}"}, status
        )

    app.add_exception_handler(HTTPException, missing)
    return app
