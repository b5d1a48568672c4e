"""Whether the passages found answer the question: answer, ask back, or refuse. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tightrope.knowledge.models import Chunk, Evidence, Language, NoAnswer, NoAnswerReason, Passage, Thresholds

MAX_SUGGESTIONS = 3


@dataclass(frozen=True)
class Answerable:
    """The passages that a composer may use, best first."""

    chunks: tuple[Chunk, ...]


def decide(
    question: str, language: Language, chunks: Sequence[Chunk], thresholds: Thresholds, *, day: date
) -> Answerable | NoAnswer:
    """Answer, ask back or refuse.

    Args:
        chunks: what retrieval found, best first.
        day: Shanghai calendar day of the answer.
    """
    if not question.strip():
        return NoAnswer("empty_question")
    usable = [chunk for chunk in chunks if chunk.passage.language == language]
    if not usable:
        return NoAnswer("nothing_found")
    current = [chunk for chunk in usable if chunk.passage.effective_from <= day <= chunk.passage.effective_to]
    if not current:
        return _refuse("expired", usable)
    best = current[0]
    if best.score < thresholds.similarity[language]:
        return _refuse("below_threshold", usable)
    if _versions_differ(current, thresholds.similarity[language]):
        return _refuse("conflict", usable)
    if near := _equally_near(current, thresholds.similarity[language], thresholds.near):
        return NoAnswer("ask_back", evidence(usable), near)
    return Answerable(tuple(current))


def _versions_differ(chunks: Sequence[Chunk], enough: int) -> bool:
    """Two versions of one document in force at once, both near enough to be quoted: neither may be believed."""
    versions: dict[str, str] = {}
    return any(
        versions.setdefault(chunk.passage.document_id, chunk.passage.version) != chunk.passage.version
        for chunk in chunks
        if chunk.score >= enough
    )


def _equally_near(chunks: Sequence[Chunk], enough: int, near: int) -> tuple[Passage, ...]:
    """Passages of different documents that are as good as the best; none if the best stands alone."""
    best = chunks[0]
    level: dict[str, Passage] = {}
    for chunk in chunks:
        if chunk.score >= enough and best.score - chunk.score < near:
            level.setdefault(chunk.passage.document_id, chunk.passage)
    return tuple(level.values())[:MAX_SUGGESTIONS] if len(level) > 1 else ()


def evidence(chunks: Sequence[Chunk], used: Sequence[Passage] = ()) -> tuple[Evidence, ...]:
    """What was found, for the record."""
    return tuple(Evidence(chunk.passage, chunk.score, chunk.passage in used) for chunk in chunks)


def _refuse(reason: NoAnswerReason, chunks: Sequence[Chunk]) -> NoAnswer:
    return NoAnswer(reason, evidence(chunks))
