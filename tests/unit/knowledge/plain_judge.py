"""A judge that takes retrieval's own score for the confidence."""

from __future__ import annotations

from collections.abc import Sequence

from tightrope.knowledge.compose.decide import Limits
from tightrope.knowledge.compose.judging import Judge
from tightrope.knowledge.models import Chunk, Language, Passage, Release


class ByScore:
    """In the place of the fitted model."""

    def query(self, question: str, language: Language) -> str:
        return question

    def near(self, query: str, allowed: object) -> tuple[Passage, ...]:
        return ()

    def judge(self, query: str, chunks: Sequence[Chunk], allowed: object) -> tuple[Chunk, ...]:
        return tuple(chunks)


def plain_judges(_: Release) -> Judge:
    """The same for every release."""
    return plain_judge()


def plain_judge(level: int = 4000) -> Judge:
    limits = Limits(answer=level, ask=level, near=0)
    return Judge(ByScore(), {"zh": limits, "en": limits}, ())  # type: ignore[arg-type]
