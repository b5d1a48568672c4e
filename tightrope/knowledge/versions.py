"""RAGFlow's versions: which of them may answer, and where their rules differ (A14 of the RAGFlow notes). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from tightrope.knowledge.errors import KnowledgeRejected

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

    def require_known(self) -> None:
        """Refuse versions whose filter is known to be broken, and those that are another program.

        Raises:
            KnowledgeRejected: saying what to do.
        """
        if self < OLDEST:
            raise KnowledgeRejected(
                f"RAGFlow {self} joins filters wrongly (fixed in {OLDEST}; issue 15360); upgrade it, publish anew, run `make ragflow-verify`"
            )
        if self >= REWRITTEN:
            raise KnowledgeRejected(
                f"RAGFlow {self} is a rewrite that Tightrope has not been tested with; use 0.27.3, or run `make ragflow-verify` against it first"
            )

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"


OLDEST = Version(0, 26, 0)
"""Before it, an empty intersection of conditions let everything through (up to 0.25.6), and no match returned all (up to 0.22.1)."""
REWRITTEN = Version(1, 0, 0)
"""From it on RAGFlow is another program, in Go, over other stores."""
CALIBRATED = (0, 27)
"""Major and minor that the profile was read from: in others scores shift (0.26.3 stems anew, 0.27.0 cuts anew), so thresholds do not carry over."""
