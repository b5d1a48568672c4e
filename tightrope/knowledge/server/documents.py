"""RAGFlow's documents (A7 of the RAGFlow notes): upload, list, change, download, delete."""

from __future__ import annotations

import uuid
from pathlib import PurePath
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from tightrope.knowledge.server import repository
from tightrope.knowledge.server.conditions import allowed_documents
from tightrope.knowledge.server.envelope import MAX_BODY, RagflowRoute, ok, read_body
from tightrope.knowledge.server.errors import ARGUMENT, DATA, ApiError
from tightrope.knowledge.server.requests import (
    id_list,
    now_of,
    ordered,
    owned_document,
    paged,
    param,
    pool_of,
    require,
    unknown_field,
)

router = APIRouter(prefix="/api/v1/datasets/{dataset_id}/documents", route_class=RagflowRoute)
_PROGRESS = {"DONE": 1.0, "FAIL": -1.0}
_CHANGED_HERE = {"name", "meta_fields", "enabled", "chunk_method", "parser_config"}


def shown(row: repository.Row) -> dict[str, Any]:
    """A document as RAGFlow lists it."""
    return {
        "id": row["id"],
        "dataset_id": row["dataset_id"],
        "name": row["name"],
        "location": row["name"],
        "size": row["size"],
        "type": "doc",
        "suffix": row["name"].rpartition(".")[2],
        "chunk_count": row["chunk_count"],
        "token_count": 0,
        "chunk_method": "naive",
        "parser_config": {"chunk_token_num": 512, "delimiter": "\n"},
        "meta_fields": row["meta_fields"] or {},
        "run": row["run"],
        "progress": _PROGRESS.get(row["run"], 0.0),
        "progress_msg": "",
        "status": "1" if row["enabled"] else "0",
        "create_time": int(row["created_at"].timestamp() * 1000),
        "update_time": int(row["updated_at"].timestamp() * 1000),
    }


@router.post("")
async def upload(request: Request, dataset_id: str) -> Response:
    """Upload files (multipart `file`, repeatable)."""
    if request.query_params.get("type", "local") != "local":
        raise ApiError(ARGUMENT, "the embedded knowledge server takes files only (type=local)")
    await require(request, dataset_id)
    if int(request.headers.get("content-length") or MAX_BODY + 1) > MAX_BODY:
        raise ApiError(ARGUMENT, f"the body is larger than {MAX_BODY} bytes, or its length is not given")
    async with request.form() as form:
        files = [(item.filename or "", await item.read()) for item in form.getlist("file") if isinstance(item, UploadFile)]
    if not files or not all(name for name, _ in files):
        raise ApiError(ARGUMENT, "No file part!")
    made = [(uuid.uuid4().hex, name, content) for name, content in files]
    async with pool_of(request).connection() as connection:
        await repository.insert_documents(connection, dataset_id, made, now_of(request))
        rows = {row["id"]: row for row in await repository.documents(connection, dataset_id, ids=[one for one, _, _ in made])}
    return ok([shown(rows[document]) for document, _, _ in made])


@router.get("")
async def listed(request: Request, dataset_id: str) -> Response:
    """List documents, by `id`, `ids`, `name`, `keywords` in the name, `suffix`, `run` or `metadata_condition`."""
    await require(request, dataset_id)
    one, several = param(request, "id"), request.query_params.getlist("ids")
    if len(several) > 100:
        raise ApiError(ARGUMENT, "at most 100 `ids`")
    async with pool_of(request).connection() as connection:
        rows = await repository.documents(
            connection, dataset_id, ids=[one] if one else several or None, name=param(request, "name")
        )
    if one and not rows:
        raise ApiError(DATA, f"You don't own the document {one}.")
    if (words := param(request, "keywords")) is not None:
        rows = [row for row in rows if words.lower() in row["name"].lower()]
    if suffixes := request.query_params.getlist("suffix"):
        rows = [row for row in rows if row["name"].rpartition(".")[2] in suffixes]
    if runs := request.query_params.getlist("run"):
        rows = [row for row in rows if row["run"] in runs]
    if (condition := param(request, "metadata_condition")) is not None:
        allowed = allowed_documents(_condition(condition), {row["id"]: row["meta_fields"] or {} for row in rows})
        rows = [row for row in rows if allowed is None or row["id"] in allowed]
    return ok({"total": len(rows), "docs": [shown(row) for row in paged(request, ordered(request, rows))]})


def _condition(text: str) -> dict[str, Any]:
    try:
        condition = orjson.loads(text)
    except orjson.JSONDecodeError:
        condition = None
    if not isinstance(condition, dict):
        raise ApiError(DATA, "metadata_condition must be valid JSON.")
    return condition


@router.api_route("/{document_id}", methods=["PATCH", "PUT"])
async def change(request: Request, dataset_id: str, document_id: str) -> Response:
    """Replace `meta_fields` (flat), switch `enabled` (0 or 1), or rename with the same extension.

    PATCH since 0.25; PUT is what older clients send.
    """
    body = await read_body(request)
    async with pool_of(request).connection() as connection:
        before = await owned_document(connection, dataset_id, document_id)
    unknown_field(body, _CHANGED_HERE)
    if body.get("chunk_method") not in (None, "naive"):
        raise ApiError(ARGUMENT, "the embedded knowledge server cuts 'naive' only")
    meta, enabled, name = body.get("meta_fields"), body.get("enabled"), body.get("name")
    if meta is not None and (not isinstance(meta, dict) or not all(_flat(value) for value in meta.values())):
        raise ApiError(ARGUMENT, "meta_fields must be a flat object of strings, numbers and lists of these")
    async with pool_of(request).connection() as connection:
        if name is not None and (not isinstance(name, str) or PurePath(name).suffix != PurePath(before["name"]).suffix):
            raise ApiError(ARGUMENT, "The extension of file can't be changed")
        await repository.update_document(
            connection, document_id, meta, bool(int(enabled)) if enabled is not None else None, name, now_of(request)
        )
        return ok(shown((await repository.documents(connection, dataset_id, ids=[document_id]))[0]))


def _flat(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str | int | float) for item in value)
    return isinstance(value, str | int | float)


@router.get("/{document_id}")
async def download(request: Request, dataset_id: str, document_id: str) -> Response:
    """The file's bytes; errors come as JSON."""
    async with pool_of(request).connection() as connection:
        row = await repository.document_bytes(connection, dataset_id, document_id)
    if row is None:
        raise ApiError(DATA, f"The dataset not own the document {document_id}.")
    return Response(bytes(row["content"]), media_type="application/octet-stream", headers={"x-content-type-options": "nosniff"})


@router.delete("")
async def delete(request: Request, dataset_id: str) -> Response:
    """Delete documents by `ids`, or all with `delete_all`; null or no ids delete nothing."""
    await require(request, dataset_id)
    body = await read_body(request)
    unknown_field(body, {"ids", "delete_all"})
    async with pool_of(request).connection() as connection:
        ids = None if body.get("delete_all") is True else id_list(body)
        await repository.delete_documents(connection, dataset_id, ids)
    return ok()
