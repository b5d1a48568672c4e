"""Whether the passages found answer the question: answer, ask back, or refuse. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from tightrope.knowledge.compose.asking import QuestionForm, out_of_reach, years_missing
from tightrope.knowledge.models import Chunk, Evidence, Language, NoAnswer, NoAnswerReason, Passage

MAX_SUGGESTIONS = 3
MAX_EVIDENCE = 8
"""Of what was found, so much goes to the record beside what was quoted."""


LOOK_UP: Mapping[Language, str] = {"zh": "查看资料：", "en": "Look up: "}
"""How the words begin that a button sends (understanding/patterns.py knows them)."""


@dataclass(frozen=True)
class Limits:
    """Calibrated levels of confidence in one language, integers of 1e-4 (knowledge_base/thresholds.json)."""

    answer: int
    """At this confidence the best passage is quoted."""
    ask: int
    """At this confidence the customer is asked whether it is meant."""
    near: int
    """Passages of different documents whose confidence differs by less are equally near."""


@dataclass(frozen=True)
class Answerable:
    """The passages that a composer may use, best first."""

    chunks: tuple[Chunk, ...]


def decide(
    question: str,
    language: Language,
    chunks: Sequence[Chunk],
    limits: Limits,
    forms: Sequence[QuestionForm] = (),
    *,
    day: date,
) -> Answerable | NoAnswer:
    """Answer, ask back or refuse.

    Args:
        chunks: what was found, with the confidence that it answers as similarity, best first.
        forms: questions that no passage in force can answer.
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
    if chosen := [chunk for chunk in current if _plain(chosen_by(chunk.passage)) == _plain(question)]:
        return Answerable(tuple(chosen))
    if (reason := out_of_reach(question, language, forms)) is not None:
        return _refuse(reason, usable)
    best = current[0]
    if best.score < limits.ask:
        return _refuse("below_threshold", usable)
    if years_missing(question, best.passage, day):
        return _refuse("expired", usable)
    if _versions_differ(current, limits.ask):
        return _refuse("conflict", usable)
    if best.score < limits.answer:
        return NoAnswer("ask_back", evidence(usable), tuple(chunk.passage for chunk in current[:MAX_SUGGESTIONS]))
    if near := _equally_near(current, limits.answer, limits.near):
        return NoAnswer("ask_back", evidence(usable), near)
    return Answerable(tuple(current))


def choice(passage: Passage) -> str:
    """What a button says that offers this passage."""
    return named(passage.title, passage.section, passage.language)


def named(title: str, section: str, language: str) -> str:
    """A section by its title, as buttons and acceptance cases name it."""
    return f"{title}{'：' if language == 'zh' else ': '}{section}"


def chosen_by(passage: Passage) -> str:
    """What that button sends; understanding takes it to the search whatever the title says, and `decide` answers it from no other passage."""
    return f"{LOOK_UP[passage.language]}{choice(passage)}"


def _plain(text: str) -> str:
    """As it may come back from a channel: full width or half width, with other spaces."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


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
    return tuple(
        Evidence(chunk.passage, chunk.score, chunk.passage in used)
        for at, chunk in enumerate(chunks)
        if at < MAX_EVIDENCE or chunk.passage in used
    )


def _refuse(reason: NoAnswerReason, chunks: Sequence[Chunk]) -> NoAnswer:
    return NoAnswer(reason, evidence(chunks))
