"""Fit the confidence that a passage answers, and its levels, on labelled questions. Offline: benchmarks/knowledge/calibrate.py.

The levels are chosen on confidences out of fold (five folds, paraphrases of one question in the same), so that a model does not grade itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tightrope.knowledge.calibration import Question
from tightrope.knowledge.compose.relevance import BIAS, Features, Scale, confidence
from tightrope.knowledge.models import LANGUAGES, MICRO, Language, Passage

FOLDS = 5
PENALTY = 0.03
"""Inverse strength of the L2 penalty on standardised features (scikit-learn's C)."""
MAX_WRONG = 0.03
"""Of the questions asked, at most this share may get an answer that is wrong or should not have been given."""
MAX_IDLE = 0.25
"""Of the questions that nothing answers, at most this share may be met with a choice of passages."""
STEP = 50
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """A labelled question with the passages found for it."""

    question: Question
    found: Sequence[Passage]
    features: Sequence[Features]
    open: bool
    """No form of words keeps it from being answered."""

    @property
    def labels(self) -> list[bool]:
        """Which of the passages answer."""
        return [f"{passage.document_id}.{passage.number}" in self.question.answers for passage in self.found]

    @property
    def fold(self) -> int:
        """Questions of one group share it."""
        return zlib.crc32((self.question.group or self.question.id).encode()) % FOLDS


def fit(examples: Sequence[Example]) -> Scale:
    """Weights on all examples; levels by language on confidences out of fold."""
    told = [example for example in examples if example.features]
    judged: list[tuple[Example, list[float]]] = []
    for fold in range(FOLDS):
        learned = weigh([example for example in told if example.fold != fold])
        judged += [(example, _confidences(example, learned)) for example in told if example.fold == fold]
    answer: dict[Language, int] = {}
    ask: dict[Language, int] = {}
    for language in LANGUAGES:
        own = [(example, scores) for example, scores in judged if example.question.language == language]
        answer[language] = _lowest(lambda level, own=own: _wrong(own, level) <= MAX_WRONG * len(own))  # type: ignore[misc]
        asked = answer[language]
        ask[language] = min(asked, _lowest(lambda level, own=own, asked=asked: _idle_is_rare(own, level, asked)))  # type: ignore[misc]
    return Scale(weigh(told), answer, ask)


def weigh(examples: Sequence[Example]) -> dict[str, int]:
    """Weights of a logistic model over all passages found, integers of 1e-4."""
    names = list(examples[0].features[0])
    rows: Matrix = np.array([[features[name] for name in names] for example in examples for features in example.features])
    labels = np.array([label for example in examples for label in example.labels])
    mean, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
    model = LogisticRegression(C=PENALTY, max_iter=1000).fit((rows - mean) / spread, labels)
    slopes = model.coef_[0] / spread
    weights = {name: round(float(slope) * MICRO) for name, slope in zip(names, slopes, strict=True)}
    return weights | {BIAS: round(float(model.intercept_[0] - slopes @ mean) * MICRO)}


def _confidences(example: Example, weights: dict[str, int]) -> list[float]:
    return [confidence(features, weights) for features in example.features]


def _wrong(judged: Sequence[tuple[Example, list[float]]], level: int) -> int:
    """Answers at this level whose best passage does not answer."""
    return sum(
        example.open and max(scores) * MICRO >= level and not example.labels[int(np.argmax(scores))] for example, scores in judged
    )


def _idle_is_rare(judged: Sequence[tuple[Example, list[float]]], level: int, answer: int) -> bool:
    idle = sum(e.open and level <= max(s) * MICRO < answer for e, s in judged if not e.question.answers)
    return idle <= MAX_IDLE * sum(not e.question.answers for e, _ in judged)


def _lowest(good: Callable[[int], bool]) -> int:
    """The lowest level that is good; above every confidence if none is."""
    return next((level for level in range(0, MICRO, STEP) if good(level)), MICRO + 1)
