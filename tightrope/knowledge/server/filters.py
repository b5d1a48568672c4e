"""Which documents a `metadata_condition` lets through, remembered until a document's metadata changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import orjson

from tightrope.infra.database import Connection
from tightrope.knowledge.server import index
from tightrope.knowledge.server.conditions import allowed_documents

_REMEMBERED = 64


class Filters:
    """Reads the metadata of a dataset once a revision, and evaluates a condition once a revision."""

    def __init__(self) -> None:
        self._metadata: OrderedDict[tuple[str, int], dict[str, dict[str, Any]]] = OrderedDict()
        self._allowed: OrderedDict[bytes, set[str] | None] = OrderedDict()

    async def allowed(
        self, connection: Connection, condition: Mapping[str, Any], revisions: Mapping[str, int]
    ) -> set[str] | None:
        """The documents of these datasets that satisfy the condition, or None where RAGFlow applies no filter.

        Args:
            revisions: dataset -> revision of its metadata.

        Raises:
            KeyError: a condition has no `value`, as in RAGFlow.
        """
        key = orjson.dumps([condition, sorted(revisions.items())])
        if key not in self._allowed:
            known: dict[str, dict[str, Any]] = {}
            for dataset, revision in revisions.items():
                known |= await self._of(connection, dataset, revision)
            self._allowed[key] = allowed_documents(condition, known)
            _trim(self._allowed)
        return self._allowed[key]

    async def _of(self, connection: Connection, dataset: str, revision: int) -> dict[str, dict[str, Any]]:
        if (dataset, revision) not in self._metadata:
            self._metadata[dataset, revision] = await index.metadata(connection, dataset)
            _trim(self._metadata)
        return self._metadata[dataset, revision]


def _trim(remembered: OrderedDict[Any, Any]) -> None:
    while len(remembered) > _REMEMBERED:
        remembered.popitem(last=False)
