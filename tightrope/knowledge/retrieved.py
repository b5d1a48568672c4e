"""What may be quoted now, and what one retrieval of it brought."""

from __future__ import annotations

from dataclasses import dataclass

from tightrope.knowledge.models import Chunk, Release


@dataclass(frozen=True)
class Quotable:
    """What an answer may quote now: the active release without what was withdrawn."""

    release: Release
    withdrawn: frozenset[tuple[str, str]] = frozenset()
    """Document ids with versions."""

    def allows(self, document_id: str, version: str) -> bool:
        """Whether this version may be quoted (its dates are another matter)."""
        return (document_id, version) not in self.withdrawn


@dataclass(frozen=True)
class Dropped:
    """A chunk that the client refused, and why."""

    chunk_id: str
    reason: str


@dataclass(frozen=True)
class Retrieved:
    """What the client accepted and refused of one retrieval."""

    quotable: Quotable
    """What could be quoted when it was asked."""
    dataset_id: str
    chunks: tuple[Chunk, ...]
    dropped: tuple[Dropped, ...] = ()
    server: str = ""
    """RAGFlow's version, as the server names it."""
