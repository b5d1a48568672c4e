"""The two halves of the search together: what is stored of a chunk, and what is asked of the index for a question."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tightrope.infra import encoder
from tightrope.knowledge.server import vectors
from tightrope.knowledge.server.scoring import Terms, index_terms
from tightrope.knowledge.server.tokens import Vector, grams, terms
from tightrope.knowledge.server.vectors import PassageVectors, Rows


@dataclass(frozen=True)
class Entry:
    """What the index keeps of a chunk."""

    terms: Terms
    rows: Rows | None
    """Vectors of its parts; None without an encoder."""


@dataclass(frozen=True)
class Asked:
    """A question as the index is asked it."""

    text: str
    terms: tuple[str, ...]
    grams: Vector
    row: Rows | None
    """Its vector; None without an encoder."""


class Search:
    """Terms always, vectors where there is an encoder.

    Args:
        passages: the encoder and what is kept for it; None goes by words alone.
    """

    def __init__(self, passages: PassageVectors | None) -> None:
        self._passages = passages

    @classmethod
    def here(cls, project: Path) -> Search:
        """With this process's encoder and the vectors that the project keeps."""
        return cls(vectors.load(project, encoder.obtain()))

    @property
    def name(self) -> str:
        """The encoder's; empty without one."""
        return self._passages.name if self._passages else ""

    def keeps(self, content: str, keywords: Iterable[str]) -> bool:
        """Whether `entry` is a matter of a millisecond: the encoder is not needed."""
        return self._passages is None or self._passages.keeps(content, keywords)

    def entry(self, content: str, keywords: Iterable[str]) -> Entry:
        """What is kept of a chunk. Takes a fifth of a second where its vectors are not kept."""
        words = tuple(keywords)
        return Entry(index_terms(content, words), self._passages.of(content, words) if self._passages else None)

    def ask(self, question: str) -> Asked:
        """Prepare a question; the encoder takes some 25 ms for a short line."""
        row = self._passages.question(question) if self._passages and question else None
        return Asked(question, terms(question), grams(question), row)
