"""Labelled questions: what retrieval's weights and the levels of an answer are chosen and judged on.

Everything is chosen on one half of the questions and reported on both; the other half is never tuned on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from tightrope.knowledge.compose.decide import Answerable
from tightrope.knowledge.compose.extractive import extract
from tightrope.knowledge.compose.judging import Judge
from tightrope.knowledge.models import LANGUAGES, Chunk, Draft, GateRules, Language, NoAnswer, Passage, Thresholds
from tightrope.knowledge.server.local import LocalIndex

QUESTIONS = ("questions.jsonl", "unseen.jsonl")
"""In tests/golden/knowledge: written by the authors of the first documents, and written without sight of any."""
WEIGHTS = (8500, 9000, 9500)
NO_RULES = GateRules(connectives={}, clauses=(), scope=(), max_sentences=100, max_characters=100_000)
"""Calibration asks which passage answers, not what may be said around it."""
DAY = date(2026, 11, 20)
"""The labels hold on this day."""


@dataclass(frozen=True)
class Question:
    """A labelled question; `answers` are `<document id>.<section number>`, none when nothing answers it."""

    id: str
    language: Language
    question: str
    kind: Literal["answerable", "near_domain", "out_of_domain", "out_of_date", "advice"]
    answers: tuple[str, ...]
    split: Literal["calibration", "test"]
    group: str = ""
    """Questions of one group ask the same in other words or in the other language."""

    @classmethod
    def read(cls, raw: dict[str, Any]) -> Question:
        """From a line of the question files."""
        return cls(**{**raw, "answers": tuple(raw["answers"])})


def load_questions(folder: Path, names: Iterable[str] = QUESTIONS) -> list[Question]:
    """All labelled questions of a folder."""
    lines = (line for name in names for line in (folder / name).read_text(encoding="utf-8").splitlines())
    return [Question.read(json.loads(line)) for line in lines]


def label(passage: Passage) -> str:
    """A passage as the labels name it."""
    return f"{passage.document_id}.{passage.number}"


Verdict = Literal[
    "right", "wrong", "asked_well", "asked_badly", "false_refusal", "false_answer", "idle_asking", "correct_refusal"
]


@dataclass(frozen=True)
class Asked:
    """What became of a question."""

    question: Question
    verdict: Verdict
    cited: frozenset[str]
    """Labels of the passages quoted; none without an answer."""
    offered: frozenset[str]
    """Labels of the passages offered when asking back."""


@dataclass(frozen=True)
class Outcome:
    """What happened to a set of questions, in counts."""

    right: int
    """Answered, and a labelled passage is quoted."""
    wrong: int
    """Answered from passages of which none is labelled."""
    asked_well: int
    """Asked back, and a labelled passage was among the choices."""
    asked_badly: int
    false_refusal: int
    false_answer: int
    """Answered though nothing answers it."""
    idle_asking: int
    """Asked back though nothing answers it."""
    correct_refusal: int

    @property
    def asked(self) -> int:
        return self.answerable + self.false_answer + self.idle_asking + self.correct_refusal

    @property
    def answerable(self) -> int:
        return self.right + self.wrong + self.asked_well + self.asked_badly + self.false_refusal


def count(asked: Iterable[Asked]) -> Outcome:
    """The counts of these."""
    counts: Counter[str] = Counter(one.verdict for one in asked)
    return Outcome(**{name: counts[name] for name in Outcome.__dataclass_fields__})


def ask(index: LocalIndex, judge: Judge, question: Question, thresholds: Thresholds) -> Asked:
    """Ask one question of the extractive composer. Right: an answer that quotes a passage labelled as answering it."""
    chunks = index.retrieve(question.question, question.language, thresholds)
    decision = judge.decide(question.question, question.language, chunks, day=DAY)
    if isinstance(decision, Answerable):
        draft = extract(question.question, question.language, decision.chunks, thresholds, NO_RULES)
        cited = frozenset(label(citation.passage) for citation in draft.citations) if isinstance(draft, Draft) else frozenset()
        return Asked(question, _answered(question, cited), cited, frozenset())
    offered = frozenset(label(passage) for passage in decision.suggestions)
    return Asked(question, _unanswered(question, decision, offered), frozenset(), offered)


def _answered(question: Question, cited: frozenset[str]) -> Verdict:
    if not question.answers:
        return "false_answer"
    return "right" if cited & set(question.answers) else "wrong"


def _unanswered(question: Question, decision: NoAnswer, offered: frozenset[str]) -> Verdict:
    if decision.reason != "ask_back":
        return "false_refusal" if question.answers else "correct_refusal"
    if not question.answers:
        return "idle_asking"
    return "asked_well" if offered & set(question.answers) else "asked_badly"


def choose_weights(index: LocalIndex, questions: Sequence[Question], start: Thresholds) -> Thresholds:
    """Retrieval's weight of vectors by language: the one with the best mean reciprocal rank on the calibration half."""
    weights: dict[Language, int] = {}
    for language in LANGUAGES:
        half = [q for q in questions if q.language == language and q.split == "calibration" and q.answers]
        merits = {}
        for weight in WEIGHTS:
            trial = replace(start, vector_weight={**start.vector_weight, language: weight})
            merits[weight] = sum(_reciprocal_rank(q, index.retrieve(q.question, language, trial)) for q in half)
        weights[language] = max(merits, key=lambda weight: merits[weight])
    return replace(start, vector_weight=weights)


def _reciprocal_rank(question: Question, chunks: Sequence[Chunk]) -> float:
    return next((1 / rank for rank, chunk in enumerate(chunks, 1) if label(chunk.passage) in question.answers), 0.0)
