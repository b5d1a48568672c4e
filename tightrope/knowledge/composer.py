"""Extractive answers: sentences of one approved passage, verbatim, in the source's order, each with its marker. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from tightrope.knowledge.gate import check, required_clauses
from tightrope.knowledge.models import (
    Answer,
    Chunk,
    Citation,
    Draft,
    Evidence,
    GateRules,
    Language,
    NoAnswer,
    Passage,
    Sentence,
    Thresholds,
)
from tightrope.knowledge.passages import split_sentences
from tightrope.knowledge.server.tokens import light_terms


def answer(
    question: str, language: Language, chunks: Sequence[Chunk], thresholds: Thresholds, rules: GateRules, *, day: date
) -> Answer | NoAnswer:
    """Answer a question from the passages that were found, or say why not.

    Args:
        chunks: checked passages in the customer's language, best first.
        day: Shanghai calendar day of the answer.
    """
    usable = [chunk for chunk in chunks if chunk.passage.language == language]
    if not question.strip():
        return NoAnswer("empty_question")
    if not usable:
        return NoAnswer("nothing_found")
    best = usable[0]
    if best.score < thresholds.similarity[language]:
        return NoAnswer("below_threshold", _evidence(usable, None))
    sentences = tuple(Sentence(text, 1) for text in choose(question, best.passage, thresholds))
    clauses = required_clauses(rules, {best.passage.topic}, language)
    draft = Draft(sentences, (Citation(1, best.passage),), language, clauses)
    bounded = replace(rules, max_characters=min(rules.max_characters, thresholds.max_characters))
    verdict = check(draft, {1: best.passage}, bounded, day=day)
    if not verdict.kept or verdict.missing_clauses:
        return NoAnswer("gate", _evidence(usable, None))
    return Answer(verdict.kept, draft.citations, _evidence(usable, best.passage), language, clauses)


def choose(question: str, passage: Passage, thresholds: Thresholds) -> list[str]:
    """The sentences of a passage that answer a question, in the passage's order.

    A short passage is quoted whole: leaving out one of three conditions or one of four steps would be true and misleading. Of a longer
    one, the sentences that share most with the question are quoted.
    """
    sentences = split_sentences(passage.text)
    if len(sentences) <= thresholds.whole_passage:
        return sentences
    asked = set(light_terms(question))
    support = [len(asked & set(light_terms(sentence))) / (len(asked) or 1) for sentence in sentences]
    ranked = sorted(range(len(sentences)), key=lambda at: (-support[at], at))[: thresholds.max_sentences]
    return [sentences[at] for at in sorted(ranked)]


def _evidence(chunks: Sequence[Chunk], used: Passage | None) -> tuple[Evidence, ...]:
    return tuple(Evidence(chunk.passage, chunk.score, chunk.passage is used) for chunk in chunks)
