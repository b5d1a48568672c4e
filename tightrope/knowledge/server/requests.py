"""What handlers take from a request: the pool, the time, paging and ordering as RAGFlow reads them, and who owns what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import Request

from tightrope.infra.database import Connection, Pool
from tightrope.knowledge.server import repository
from tightrope.knowledge.server.errors import ARGUMENT, DATA, EXCEPTION, ApiError

ORDERS = ("create_time", "update_time")
TRUE, FALSE = {"true", "1"}, {"false", "0"}
_COLUMN = {"create_time": "created_at", "update_time": "updated_at"}


def pool_of(request: Request) -> Pool:
    """The server's connections."""
    pool: Pool = request.app.state.pool
    return pool


def now_of(request: Request) -> datetime:
    """The server's clock."""
    now: datetime = request.app.state.clock.now()
    return now


def param(request: Request, name: str) -> str | None:
    """A query parameter; an empty one counts as absent, as in RAGFlow."""
    return request.query_params.get(name) or None


def paging(request: Request) -> tuple[int, int]:
    """Page and page size; what is no number above 0 becomes the default, silently.

    Raises:
        ApiError: more than 100 a page.
    """
    try:
        page, size = int(request.query_params.get("page", 1)), int(request.query_params.get("page_size", 30))
    except ValueError:
        page, size = 1, 30
    if size > 100:
        raise ApiError(EXCEPTION, "ValueError('page_size must be less than or equal to 100')")
    return max(page, 1), size if size >= 1 else 30


def paged(request: Request, rows: list[Any]) -> list[Any]:
    """The rows of the page that was asked for."""
    page, size = paging(request)
    return rows[(page - 1) * size : page * size]


def ordered(request: Request, rows: list[repository.Row]) -> list[repository.Row]:
    """Rows by `orderby` (create_time or update_time), newest first unless `desc` is false.

    Raises:
        ApiError: another order.
    """
    order, descending = param(request, "orderby") or "create_time", (param(request, "desc") or "true").lower()
    if order not in ORDERS:
        raise ApiError(
            ARGUMENT, f"Field: <orderby> - Message: <Input should be 'create_time' or 'update_time'> - Value: <{order}>"
        )
    if descending not in TRUE | FALSE:
        raise ApiError(ARGUMENT, f"Field: <desc> - Message: <Input should be a valid boolean> - Value: <{descending}>")
    return sorted(rows, key=lambda row: row[_COLUMN[order]], reverse=descending in TRUE)


def unknown_field(body: Mapping[str, Any], allowed: set[str]) -> None:
    """Refuse fields that RAGFlow does not know.

    Raises:
        ApiError: naming the first of them.
    """
    unknown = sorted(set(body) - allowed)
    if unknown:
        raise ApiError(
            ARGUMENT, f"Field: <{unknown[0]}> - Message: <Extra inputs are not permitted> - Value: <{body[unknown[0]]}>"
        )


def id_list(body: Mapping[str, Any], name: str = "ids") -> list[str]:
    """A list of ids in a body; absent and null are none.

    Raises:
        ApiError: it is no list.
    """
    ids = body.get(name) or []
    if not isinstance(ids, list):
        raise ApiError(ARGUMENT, f"Field: <{name}> - Message: <Input should be a valid list> - Value: <{ids}>")
    return [str(item) for item in ids]


async def require(request: Request, dataset_id: str) -> None:
    """Refuse a dataset that is not there.

    Raises:
        ApiError: with RAGFlow's text.
    """
    async with pool_of(request).connection() as connection:
        await _owned_dataset(connection, dataset_id)


async def owned_document(connection: Connection, dataset_id: str, document_id: str) -> repository.Row:
    """A document of a dataset, without its bytes.

    Raises:
        ApiError: one of them is not there; with RAGFlow's text.
    """
    rows = await repository.documents(connection, dataset_id, ids=[document_id])
    if not rows:
        await _owned_dataset(connection, dataset_id)
        raise ApiError(DATA, f"You don't own the document {document_id}.")
    return rows[0]


async def _owned_dataset(connection: Connection, dataset_id: str) -> None:
    if not await repository.known_datasets(connection, [dataset_id]):
        raise ApiError(DATA, f"You don't own the dataset {dataset_id}.")
