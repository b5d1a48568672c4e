"""What the guards of an answer said, for the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class GuardVerdict:
    """What one guard said, for the record: of the passages found (`relevance`), or of a composer's draft (`gate`)."""

    guard: Literal["relevance", "gate"]
    passed: bool
    reason: str = ""
    """Of a refusal: the NoAnswerReason, or the gate's reasons, comma-separated."""
    mode: str = ""
    """Of a draft: `verbatim` or `paraphrase`."""
    draft: tuple[Mapping[str, Any], ...] = ()
    """Of a refused draft: its sentences as they were proposed; they were not sent."""
    refused: tuple[Mapping[str, Any], ...] = ()
    """Which of them the gate refused, why, and what exactly differs."""
    missing_clauses: tuple[str, ...] = ()

    def item(self) -> dict[str, Any]:
        """The `evidence` envelope's form."""
        item: dict[str, Any] = {"guard": self.guard, "verdict": "passed" if self.passed else "refused"}
        told = {"reason": self.reason, "mode": self.mode, "draft": [dict(one) for one in self.draft]}
        told |= {"refused": [dict(one) for one in self.refused], "missing_clauses": list(self.missing_clauses)}
        return item | {name: value for name, value in told.items() if value}
