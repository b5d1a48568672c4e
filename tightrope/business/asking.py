"""What was asked of the firm, for the record: which request, without the ids that it names and without its token.

    with opened() as asked:
        await api.orders(token, customer_id)

Each id in a path is replaced by the beginning of its SHA-256: who knows the id can confirm it, nobody can read it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_WORDS = frozenset(
    {
        "accounts",
        "balance",
        "closure-facts",
        "closure-requests",
        "complaints",
        "contact-change-requests",
        "contact-details",
        "customers",
        "ipo-allotments",
        "margin-account",
        "margin-eligibility-facts",
        "options-eligibility-facts",
        "orders",
        "positions",
        "risk-profile",
        "statement-requests",
        "trading-calendar",
        "transfers",
        "v1",
    }
)
"""The fixed parts of the contract's paths (contracts/business.openapi.yaml); whatever else a path holds is an id."""
_OPEN_VALUE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,3}")
"""Dates and page sizes are told as they are."""
_open: ContextVar[list[dict[str, Any]] | None] = ContextVar("business_asked", default=None)


@contextmanager
def opened() -> Iterator[list[dict[str, Any]]]:
    """Keep the requests made inside, by this task; the list grows as they are made."""
    asked: list[dict[str, Any]] = []
    token = _open.set(asked)
    try:
        yield asked
    finally:
        _open.reset(token)


def note(method: str, path: str, params: Mapping[str, str], body: bytes) -> None:
    """Note a request where somebody keeps them; repetitions of it are the same request."""
    asked = _open.get()
    if asked is None:
        return
    item: dict[str, Any] = {"method": method, "path": "/".join(_hidden(part) for part in path.split("/"))}
    if params:
        item["params"] = {name: value if _OPEN_VALUE.fullmatch(value) else _digest(value) for name, value in params.items()}
    if body:
        item["body_sha256"] = hashlib.sha256(body).hexdigest()
    asked.append(item)


def _hidden(part: str) -> str:
    return part if not part or part in _WORDS else _digest(part)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:16]
