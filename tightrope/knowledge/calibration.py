"""Find and judge the threshold of an answer on labelled questions. Pure: the server's scoring over a release in memory.

A threshold is chosen on one half of the questions and reported on both; the other half is never tuned on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from tightrope.knowledge.compose.decide import Answerable, decide
from tightrope.knowledge.compose.extractive import extract
from tightrope.knowledge.models import LANGUAGES, MICRO, Chunk, Draft, GateRules, Language, Thresholds
from tightrope.knowledge.server.local import LocalIndex

MAX_WRONG_SHARE = 0.05
"""Of the questions asked on the calibration half, at most this share may get an answer that is wrong or should not have been given."""
WEIGHTS = (9000, 9500)
STEP = 100
NO_RULES = GateRules(connectives={}, clauses=(), scope=(), max_sentences=100, max_characters=100_000)
"""Calibration asks which passage answers, not what may be said around it."""


@dataclass(frozen=True)
class Question:
    """A labelled question; `answers` are `<document id>.<section number>`, none when nothing answers it."""

    id: str
    language: Language
    question: str
    kind: Literal["answerable", "near_domain", "out_of_domain"]
    answers: tuple[str, ...]
    split: Literal["calibration", "test"]

    @classmethod
    def read(cls, raw: dict[str, Any]) -> Question:
        """From a line of questions.jsonl."""
        return cls(**{**raw, "answers": tuple(raw["answers"])})


@dataclass(frozen=True)
class Outcome:
    """What happened to a set of questions, in counts."""

    right: int
    wrong: int
    false_refusals: int
    false_answers: int
    correct_refusals: int

    @property
    def asked(self) -> int:
        return self.right + self.wrong + self.false_refusals + self.false_answers + self.correct_refusals


def judge(index: LocalIndex, questions: Iterable[Question], thresholds: Thresholds) -> Outcome:
    """Ask every question and count. Right: an answer that cites a passage labelled as answering the question."""
    return _count([(asked, index.retrieve(asked.question, asked.language, thresholds)) for asked in questions], thresholds)


def _count(found: Iterable[tuple[Question, list[Chunk]]], thresholds: Thresholds) -> Outcome:
    counts: Counter[str] = Counter()
    for asked, chunks in found:
        # Whether a passage is in force is the client's and the gate's business: here every one counts on its first day.
        day = chunks[0].passage.effective_from if chunks else date.min
        decision = decide(asked.question, asked.language, chunks, thresholds, day=day)
        found_in = decision.chunks if isinstance(decision, Answerable) else ()
        result = extract(asked.question, asked.language, found_in, thresholds, NO_RULES)
        if not isinstance(result, Draft):
            counts["false_refusals" if asked.answers else "correct_refusals"] += 1
        elif not asked.answers:
            counts["false_answers"] += 1
        else:
            cited = {f"{citation.passage.document_id}.{citation.passage.number}" for citation in result.citations}
            counts["right" if cited <= set(asked.answers) else "wrong"] += 1
    return Outcome(*(counts[name] for name in ("right", "wrong", "false_refusals", "false_answers", "correct_refusals")))


def calibrate(index: LocalIndex, questions: Sequence[Question], start: Thresholds) -> Thresholds:
    """Weight and threshold of each language, from the calibration half alone.

    For every weight, the lowest threshold that keeps wrong and undue answers within `MAX_WRONG_SHARE`; of these the one with most right
    answers, and of equals the fewest wrong.
    """
    similarity: dict[Language, int] = {}
    weights: dict[Language, int] = {}
    for language in LANGUAGES:
        half = [q for q in questions if q.language == language and q.split == "calibration"]
        best: tuple[int, int] | None = None
        for weight in WEIGHTS:
            trial = replace(start, vector_weight={**start.vector_weight, language: weight})
            limit, outcome = _lowest(index, half, trial, language)
            merit = (outcome.right, -outcome.wrong - outcome.false_answers)
            if best is None or merit > best:
                best, similarity[language], weights[language] = merit, limit, weight
    return replace(start, similarity=similarity, vector_weight=weights)


def _lowest(index: LocalIndex, half: Sequence[Question], trial: Thresholds, language: Language) -> tuple[int, Outcome]:
    found = [(asked, index.retrieve(asked.question, asked.language, trial)) for asked in half]
    for limit in range(0, MICRO, STEP):
        outcome = _count(found, replace(trial, similarity={**trial.similarity, language: limit}))
        if outcome.wrong + outcome.false_answers <= MAX_WRONG_SHARE * outcome.asked:
            return limit, outcome
    return MICRO, _count(found, replace(trial, similarity={**trial.similarity, language: MICRO}))
