"""How sure we are that a passage answers a question, whatever server found it.

Retrieval's scores say what is near, and a server of another make scores otherwise. So the passages found are judged again here, from the question's and
the passage's own words and vectors, by a logistic model with a few dozen weights that was fitted on the calibration half of the labelled questions
(benchmarks/knowledge/calibrate.py). What is decided upon is this confidence.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

import numpy as np

from tightrope.knowledge.compose.customers import Customers, Rows, everything, section
from tightrope.knowledge.models import MICRO, Chunk, Language, Passage
from tightrope.knowledge.passages import split_sentences
from tightrope.knowledge.server.tokens import grams, idf, terms

Features = dict[str, float]

BIAS = "bias"
GAPPED = (
    "asked",
    "asked_gram",
    "asked_term",
    "other_asked",
    "votes",
    "term",
    "head_term",
    "gram",
    "sentence_term",
    "head",
    "named",
    "whole",
    "sentence",
    "other_head",
    "other_named",
    "other_whole",
)
"""Of these, how far the passage lies behind the best of those found is a feature too."""

NEAR = 8
"""Sections whose passages customers' questions add to what retrieval found."""


class Vectors(Protocol):
    """Vectors of questions and of pieces of passages, of length one."""

    def question(self, text: str) -> Rows:
        """One row."""
        ...

    def pieces(self, texts: Sequence[str]) -> Rows:
        """A row a piece."""
        ...

    def asked(self, texts: Sequence[str]) -> Rows:
        """A row for each question in customers' words; of noughts where none is kept."""
        ...


@dataclass(frozen=True)
class Scale:
    """A fitted model and its calibrated levels, integers of 1e-4."""

    weights: Mapping[str, int]
    """Weight of each feature; `bias` is added."""
    answer: Mapping[Language, int]
    """At this confidence the passage is quoted."""
    ask: Mapping[Language, int]
    """At this confidence the customer is asked whether it is meant."""


@dataclass(frozen=True)
class Pieces:
    """What of a passage is held against a question."""

    head: str
    named: str
    whole: str
    sentences: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them, for their vectors."""
        return (self.head, self.named, self.whole, *self.sentences)


@lru_cache(maxsize=8192)
def pieces(passage: Passage) -> Pieces:
    """Title and heading, these with the keywords, these with the wording, and each sentence."""
    head = f"{passage.title} > {passage.section}"
    return Pieces(
        f"{passage.title} {passage.section}",
        f"{head}\n{' '.join(passage.keywords)}",
        f"{head}\n{passage.text}",
        tuple(split_sentences(passage.text)),
    )


@dataclass(frozen=True)
class _Words:
    everywhere: frozenset[str]
    head: frozenset[str]
    title: frozenset[str]
    section: frozenset[str]
    sentences: tuple[frozenset[str], ...]
    parts: tuple[Mapping[str, float], ...]
    asked: tuple[tuple[frozenset[str], Mapping[str, float]], ...]


@lru_cache(maxsize=8192)
def _words(passage: Passage) -> _Words:
    named = "\n".join(passage.keywords)
    head = f"{passage.title} > {passage.section}"
    sentences = pieces(passage).sentences
    return _Words(
        everywhere=frozenset(terms(f"{head}\n{passage.text}\n{named}")),
        head=frozenset(terms(f"{head}\n{named}")),
        title=frozenset(terms(passage.title)),
        section=frozenset(terms(passage.section)),
        sentences=tuple(frozenset(terms(sentence)) for sentence in sentences),
        parts=tuple(grams(part) for part in (head, *(f"{head} {word}" for word in passage.keywords), *sentences)),
        asked=tuple((frozenset(terms(line)), grams(line)) for line in passage.asked),
    )


@dataclass(frozen=True)
class Query:
    """A question, ready to be held against passages."""

    weights: Mapping[str, float]
    """How rare each of its terms is."""
    grams: Mapping[str, float]
    language: Language
    row: Rows | None
    """None without an encoder."""
    customers: Rows
    """Its cosine with each of customers' questions; empty without an encoder."""


@dataclass(frozen=True)
class _Meaning:
    """What there is where there is an encoder."""

    vectors: Vectors
    customers: Customers


class Relevance:
    """Judges passages of one knowledge base.

    Args:
        passages: of all languages; how rare a word is, and what a passage says in the other language, comes from them.
        scale: fitted with vectors if there are any, else without.
        vectors: None where there is no encoder: words alone.
    """

    def __init__(self, passages: Sequence[Passage], scale: Scale, vectors: Vectors | None) -> None:
        self.scale = scale
        self._total = len(passages)
        self._frequency = Counter(term for passage in passages for term in _words(passage).everywhere)
        self._twins = {(p.document_id, p.version, p.number, p.language): p for p in passages}
        self._meaning = None if vectors is None else _Meaning(vectors, Customers(passages, vectors))

    def query(self, question: str, language: Language) -> Query:
        """Takes the encoder's time, once a question."""
        weights = {term: idf(self._total, self._frequency.get(term, 0)) for term in terms(question)}
        if self._meaning is None:
            return Query(weights, grams(question), language, None, np.zeros(0, dtype=np.float32))
        row = self._meaning.vectors.question(question)
        return Query(weights, grams(question), language, row, self._meaning.customers.cosines(row, language))

    @property
    def unkept(self) -> int:
        """Customers' questions that lead nowhere, since no vector of theirs is kept."""
        return 0 if self._meaning is None else self._meaning.customers.unkept

    def near(self, query: Query, allowed: Callable[[Passage], bool] = everything) -> tuple[Passage, ...]:
        """The allowed passages that customers' questions nearest to this one lead to: of NEAR sections, nearest first; none without an encoder."""
        return () if self._meaning is None else self._meaning.customers.near(query.customers, query.language, NEAR, allowed)

    def judge(self, query: Query, chunks: Sequence[Chunk], allowed: Callable[[Passage], bool] = everything) -> tuple[Chunk, ...]:
        """The chunks with this confidence as their similarity, most relevant first."""
        found = self.features(query, [chunk.passage for chunk in chunks], allowed)
        judged = [
            replace(chunk, similarity=confidence(features, self.scale.weights))
            for chunk, features in zip(chunks, found, strict=True)
        ]
        return tuple(sorted(judged, key=lambda chunk: (-chunk.similarity, chunk.passage.passage_id)))

    def features(self, query: Query, found: Sequence[Passage], allowed: Callable[[Passage], bool] = everything) -> list[Features]:
        """Of each passage, in the order given; customers' questions vote for allowed passages alone."""
        if not found:
            return []
        rows = [_of_words(query, passage) for passage in found]
        if self._meaning is not None and query.row is not None:
            votes, vectors = self._meaning.customers.votes(query.customers, allowed), self._meaning.vectors
            rows = [
                row | self._of_vectors(vectors, query.row, passage) | {"votes": votes.get(section(passage), 0.0)}
                for row, passage in zip(rows, found, strict=True)
            ]
        best = {name: max(row[name] for row in rows) for name in GAPPED if name in rows[0]}
        return [row | {f"{name}_gap": row[name] - best[name] for name in best} for row in rows]

    def _of_vectors(self, vectors: Vectors, asked: Rows, passage: Passage) -> Features:
        language: Language = "en" if passage.language == "zh" else "zh"
        twin = self._twins.get((passage.document_id, passage.version, passage.number, language), passage)
        return _cosines(vectors, asked, passage, "") | _cosines(vectors, asked, twin, "other_")


def _cosines(vectors: Vectors, asked: Rows, passage: Passage, prefix: str) -> Features:
    head, named, whole, *sentences = (vectors.pieces(pieces(passage).texts) @ asked).tolist()
    rows = vectors.asked(passage.asked)
    # Without questions, or without their vectors, the heading with its keywords stands for them: nothing asked is no sign against a passage.
    lines = sorted((rows[rows.any(axis=1)] @ asked).tolist(), reverse=True) or [named]
    made = {
        "head": head,
        "named": named,
        "whole": whole,
        "sentence": max(sentences),
        "asked": lines[0],
        "asked_next": lines[:2][-1],
    }
    return {f"{prefix}{name}": value for name, value in made.items()}


def _of_words(query: Query, passage: Passage) -> Features:
    words, weights, asked = _words(passage), query.weights, query.weights.keys()
    whole = sum(weights.values()) or 1.0

    def share(held: frozenset[str]) -> float:
        return sum(weights[term] for term in asked & held) / whole

    def alike(other: Mapping[str, float]) -> float:
        return sum(value * other.get(gram, 0.0) for gram, value in query.grams.items())

    gram, head_term = max(map(alike, words.parts), default=0.0), share(words.head)
    return {
        "term": share(words.everywhere),
        "head_term": head_term,
        "sentence_term": max(map(share, words.sentences), default=0.0),
        "section_asked": len(words.section & asked) / (len(words.section) or 1),
        "title_asked": len(words.title & asked) / (len(words.title) or 1),
        "missing": max((weights[term] for term in asked - words.everywhere), default=0.0) / whole,
        "gram": gram,
        "asked_term": max((_both_ways(share(held), asked, held) for held, _ in words.asked), default=head_term),
        "asked_gram": max((alike(line) for _, line in words.asked), default=gram),
    }


def _both_ways(share: float, asked: Collection[str], held: frozenset[str]) -> float:
    """How much of the question stands in a line, and of the line in the question."""
    return math.sqrt(share * len(held.intersection(asked)) / (len(held) or 1))


def confidence(features: Features, weights: Mapping[str, int]) -> float:
    """The logistic of the weighted sum, 0 to 1; a feature without a weight counts nothing."""
    total = weights.get(BIAS, 0) + sum(weights.get(name, 0) * value for name, value in features.items())
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, total / MICRO))))
