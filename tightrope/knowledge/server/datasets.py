"""RAGFlow's datasets (A6 of the RAGFlow notes): create, list, read, change, delete."""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter, Request, Response

from tightrope.knowledge.server import repository
from tightrope.knowledge.server.envelope import RagflowRoute, ok, read_body
from tightrope.knowledge.server.errors import ARGUMENT, DATA, ApiError
from tightrope.knowledge.server.requests import id_list, now_of, ordered, paged, param, pool_of, unknown_field

router = APIRouter(prefix="/api/v1/datasets", route_class=RagflowRoute)
_FIELDS = {
    "name",
    "avatar",
    "description",
    "embedding_model",
    "permission",
    "chunk_method",
    "parser_config",
    "parse_type",
    "pipeline_id",
    "auto_metadata_config",
}


def _shown(row: repository.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "avatar": "",
        "description": row["description"],
        "embedding_model": row["embedding_model"],
        "permission": "me",
        "chunk_method": "naive",
        "parser_config": {"chunk_token_num": 512, "delimiter": "\n"},
        "pagerank": row["pagerank"],
        "document_count": row["document_count"],
        "chunk_count": row["chunk_count"],
        "create_time": int(row["created_at"].timestamp() * 1000),
        "update_time": int(row["updated_at"].timestamp() * 1000),
    }


def _checked(body: dict[str, Any]) -> None:
    """Refuse what RAGFlow refuses, and what this server cannot do."""
    unknown_field(body, _FIELDS)
    name = body.get("name")
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 128:
        raise ApiError(ARGUMENT, f"Field: <name> - Message: <String should have 1 to 128 characters> - Value: <{name}>")
    permission, method = body.get("permission") or "me", body.get("chunk_method") or "naive"
    if permission not in {"me", "team"}:
        raise ApiError(ARGUMENT, f"Field: <permission> - Message: <Input should be 'me' or 'team'> - Value: <{permission}>")
    if method != "naive":
        raise ApiError(
            ARGUMENT, f"Field: <chunk_method> - Message: <the embedded knowledge server cuts 'naive' only> - Value: <{method}>"
        )


@router.get("")
async def listed(request: Request) -> Response:
    """List datasets. An unknown `id` or `name` is refused, not an empty list; unknown `ids` are dropped silently."""
    name, one, several = param(request, "name"), param(request, "id"), request.query_params.getlist("ids")
    if one and several:
        raise ApiError(ARGUMENT, "`id` and `ids` cannot be given together")
    async with pool_of(request).connection() as connection:
        rows = await repository.datasets(connection, name=name, ids=[one] if one else several or None)
    if not rows and (name or one):
        raise ApiError(DATA, f"User 'tightrope' lacks permission for dataset '{name or one}'")
    return ok([_shown(row) for row in paged(request, ordered(request, rows))], total_datasets=len(rows))


@router.get("/{dataset_id}")
async def read(request: Request, dataset_id: str) -> Response:
    """One dataset."""
    async with pool_of(request).connection() as connection:
        rows = await repository.datasets(connection, ids=[dataset_id])
    if not rows:
        raise ApiError(DATA, f"User 'tightrope' lacks permission for dataset '{dataset_id}'")
    return ok(_shown(rows[0]))


@router.post("")
async def create(request: Request) -> Response:
    """Create a dataset; unknown keys and names that are taken are refused. It keeps the name of the encoder that is here now."""
    body = await read_body(request)
    _checked(body)
    made, name, model = uuid.uuid4().hex, body["name"].strip(), request.app.state.search.name
    if body.get("embedding_model") not in (None, "", model):
        raise ApiError(DATA, f"The embedding_model '{body['embedding_model']}' is not here; leave it out for '{model or 'none'}'")
    async with pool_of(request).connection() as connection:
        if not await repository.insert_dataset(
            connection, made, name, str(body.get("description") or ""), model, now_of(request)
        ):
            raise ApiError(DATA, f"Dataset name '{name}' already exists")
        return ok(_shown((await repository.datasets(connection, ids=[made]))[0]))


@router.put("/{dataset_id}")
async def change(request: Request, dataset_id: str) -> Response:
    """Rename a dataset, or set its `pagerank` (0 to 100), or both."""
    body = await read_body(request)
    rank = body.pop("pagerank", None)
    if rank is not None and (type(rank) is not int or not 0 <= rank <= 100):
        raise ApiError(ARGUMENT, f"Field: <pagerank> - Message: <Input should be between 0 and 100> - Value: <{rank}>")
    if body or rank is None:
        _checked(body)
    name = body["name"].strip() if body else None
    async with pool_of(request).connection() as connection:
        if not await repository.change_dataset(connection, dataset_id, name, rank, now_of(request)):
            raise ApiError(DATA, f"Dataset '{dataset_id}' is not there, or the name '{name}' already exists")
        row = (await repository.datasets(connection, ids=[dataset_id]))[0]
    request.app.state.graph.want(row["chunk_count"])  # a dataset gets its name when everything is in it
    return ok(_shown(row))


@router.delete("")
async def delete(request: Request) -> Response:
    """Delete datasets by `ids`, or all with `delete_all`; null or no ids delete nothing."""
    body = await read_body(request)
    unknown_field(body, {"ids", "delete_all"})
    async with pool_of(request).connection() as connection:
        if body.get("delete_all") is True:
            await repository.delete_datasets(connection, None)
        else:
            await repository.delete_datasets(connection, id_list(body))
    return ok()
