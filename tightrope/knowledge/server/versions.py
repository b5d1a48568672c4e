"""Which of RAGFlow's versions the server keeps the rules of, where they differ (A14 of the RAGFlow notes). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_FORM = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, order=True)
class Version:
    """A version of RAGFlow, as `GET /api/v1/system/version` names it."""

    major: int
    minor: int
    patch: int

    @classmethod
    def read(cls, text: str) -> Self:
        """From a text such as `v0.27.3-slim`.

        Raises:
            ValueError: it names no version.
        """
        found = _FORM.match(text)
        if found is None:
            raise ValueError(f"{text[:40]!r} is no version of RAGFlow such as v0.27.3")
        return cls(int(found[1]), int(found[2]), int(found[3]))

    @property
    def bounds_paging(self) -> bool:
        """Whether `page * page_size` may not exceed `rerank_candidates_count` (0.27.1, pull request 18300); before, the field is ignored."""
        return self >= Version(0, 27, 1)

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"
