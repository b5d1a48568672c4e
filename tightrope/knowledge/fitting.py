"""Fit the confidence that a passage answers, and its levels, on labelled questions. Offline: benchmarks/knowledge/calibrate.py.

The levels are chosen on confidences out of fold (five folds, paraphrases of one question in the same), so that a model does not grade itself.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tightrope.knowledge.calibration import Question, label
from tightrope.knowledge.compose.extractive import quoted
from tightrope.knowledge.compose.relevance import BIAS, Features, Scale, confidence
from tightrope.knowledge.models import LANGUAGES, MICRO, Chunk, Language, Passage

FOLDS = 5
PENALTY = 0.03
"""Inverse strength of the L2 penalty on standardised features (scikit-learn's C)."""
MAX_WRONG = 0.005
"""Of the questions asked, at most this share may get an answer that is wrong or should not have been given: counted, and expected. The promise is 1 %;
levels that are the best of many on a few hundred questions flatter themselves, so they keep a factor of two."""
MAX_IDLE = 0.35
"""Of the questions that nothing answers, at most this share may be met with a choice of passages."""
STEP = 50
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """A labelled question with the passages found for it."""

    question: Question
    found: Sequence[Passage]
    features: Sequence[Features]
    open: Sequence[bool]
    """Of each passage: nothing in the question's words keeps it from being quoted."""

    @property
    def labels(self) -> list[bool]:
        """Which of the passages answer."""
        return [label(passage) in self.question.answers for passage in self.found]

    @property
    def fold(self) -> int:
        """Questions of one group share it."""
        return zlib.crc32((self.question.group or self.question.id).encode()) % FOLDS


@dataclass(frozen=True)
class Judged:
    """What a model says of an example that it was not fitted on."""

    question: Question
    confidence: int
    """Of the best passage, in 1e-4."""
    right: bool
    """Whether what would be quoted answers."""
    open: bool


def fit(examples: Sequence[Example]) -> Scale:
    """Weights on all examples; levels by language on confidences out of fold."""
    told = [example for example in examples if example.features]
    judged: list[Judged] = []
    for fold in range(FOLDS):
        learned = weigh([example for example in told if example.fold != fold])
        judged += [_judge(example, learned) for example in told if example.fold == fold]
    answer: dict[Language, int] = {}
    ask: dict[Language, int] = {}
    for language in LANGUAGES:
        own = [one for one in judged if one.question.language == language]
        answer[language] = _answer_level(own)
        ask[language] = min(answer[language], _ask_level(own, answer[language]))
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


def _judge(example: Example, weights: dict[str, int]) -> Judged:
    scores = [confidence(features, weights) for features in example.features]
    order = sorted(range(len(scores)), key=lambda at: (-scores[at], example.found[at].passage_id))
    ranked = [Chunk(example.found[at], scores[at], scores[at], scores[at]) for at in order]
    cited = {label(ranked[n - 1].passage) for n in quoted(ranked)}
    return Judged(example.question, ranked[0].score, bool(cited & set(example.question.answers)), example.open[order[0]])


def _answer_level(own: Sequence[Judged]) -> int:
    expected = _expected(own)
    return _lowest(lambda level: max(_wrong(own, level), expected(level)) <= MAX_WRONG * len(own))


def _ask_level(own: Sequence[Judged], answer: int) -> int:
    return _lowest(lambda level: _idle_is_rare(own, level, answer))


def _wrong(judged: Sequence[Judged], level: int) -> int:
    """Answers at this level that do not answer."""
    return sum(one.open and one.confidence >= level and not one.right for one in judged)


def _expected(judged: Sequence[Judged]) -> Callable[[int], float]:
    """Wrong answers to be expected at a level, by a smooth curve of how often a confidence is right (Platt 1999): a mere count is chance."""
    own = [one for one in judged if one.open]
    logits: Matrix = np.array([[math.log((one.confidence + 1) / (MICRO + 1 - one.confidence))] for one in own])
    right = np.array([one.right for one in own])
    wrong = 1 - LogisticRegression(C=100.0).fit(logits, right).predict_proba(logits)[:, 1]
    return lambda level: sum(float(share) for one, share in zip(own, wrong, strict=True) if one.confidence >= level)


def _idle_is_rare(judged: Sequence[Judged], level: int, answer: int) -> bool:
    hopeless = [one for one in judged if not one.question.answers]
    return sum(one.open and level <= one.confidence < answer for one in hopeless) <= MAX_IDLE * len(hopeless)


def _lowest(good: Callable[[int], bool]) -> int:
    """The lowest level that is good; above every confidence if none is."""
    return next((level for level in range(0, MICRO, STEP) if good(level)), MICRO + 1)
