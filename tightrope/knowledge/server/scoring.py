"""How similar a question and a passage are: RAGFlow's three figures. Pure; the embedded server and the calibration share it.

`term_similarity`: share of the question's idf weight that the passage holds, heading and keywords counted more. `vector_similarity`: cosine of the
encoder's vectors; where there is no encoder, of character n-grams, which know spelling and not meaning. `similarity` is their weighted sum, as in
RAGFlow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from tightrope.knowledge.passages import split_sentences
from tightrope.knowledge.server.lexicon import TOPICS
from tightrope.knowledge.server.tokens import Vector, grams, idf, stem, terms

WINDOW = 64
"""Candidates that are scored; from each side, words and vectors, at most so many."""
TOPIC = 2.0
"""Factor of a topic of the trade."""
UNKNOWN = 0.4
"""Factor of a word that no passage knows and that is no topic."""
HEAD = 0.2
"""Share of the term similarity that heading and keywords alone decide."""
_TOPICS = frozenset(stem(topic) for topic in TOPICS)


@dataclass(frozen=True)
class Terms:
    """The terms under which a chunk is found."""

    everywhere: frozenset[str]
    head: frozenset[str]
    """Those of title, section heading and keywords: what the chunk is about."""


@lru_cache(maxsize=16384)
def index_terms(content: str, keywords: tuple[str, ...]) -> Terms:
    """The terms of a chunk."""
    context = content.partition("\n")[0].rpartition(" (")[0]
    named = "\n".join(keywords)
    return Terms(frozenset(terms(f"{content}\n{named}")), frozenset(terms(f"{context}\n{named}")))


def weigh(query: Iterable[str], frequency: Mapping[str, int], total: int) -> dict[str, float]:
    """Weight of every term of a question: its idf, doubled for topics of the trade, lowered for other words that no passage knows.

    A topic that no passage covers weighs most of all: it sinks the similarity of every passage about something else.
    """
    weights = {}
    for term in query:
        known = frequency.get(term, 0)
        factor = TOPIC if term in _TOPICS else 1.0 if known else UNKNOWN
        weights[term] = factor * idf(total, known)
    return weights


@lru_cache(maxsize=16384)
def units(content: str, keywords: tuple[str, ...]) -> dict[str, tuple[tuple[int, float], ...]]:
    """The parts of a chunk that a question may resemble, as an index: n-gram -> (part, its weight in the part's unit vector).

    Parts are title and heading, the same with each keyword, and each sentence.
    """
    context, _, text = content.partition("\n")
    head = context.rpartition(" (")[0] or context
    parts = (head, *(f"{head} {keyword}" for keyword in keywords), *split_sentences(text))
    index: dict[str, list[tuple[int, float]]] = {}
    for part, wording in enumerate(parts):
        for gram, weight in grams(wording).items():
            index.setdefault(gram, []).append((part, weight))
    return {gram: tuple(entries) for gram, entries in index.items()}


def resemblance(question: Vector, content: str, keywords: tuple[str, ...]) -> float:
    """The best cosine of the question with a part of the chunk, by n-grams."""
    index = units(content, keywords)
    cosines: dict[int, float] = {}
    for gram in question.keys() & index.keys():
        for part, weight in index[gram]:
            cosines[part] = cosines.get(part, 0.0) + question[gram] * weight
    return max(cosines.values(), default=0.0)


def matched(weights: Mapping[str, float], found: Terms) -> float:
    """What a chunk holds of a question's weight: HEAD of it by its heading and keywords alone."""
    in_all = sum(weight for term, weight in weights.items() if term in found.everywhere)
    in_head = sum(weight for term, weight in weights.items() if term in found.head)
    return (1 - HEAD) * in_all + HEAD * in_head


@dataclass(frozen=True)
class Score:
    """RAGFlow's score triple."""

    similarity: float
    term_similarity: float
    vector_similarity: float


def fuse(held: float, weights: Mapping[str, float], vector: float, vector_weight: float) -> Score:
    """The score triple of one candidate.

    Args:
        held: `matched` of the candidate.
        weights: `weigh` of the question's terms.
        vector: cosine of question and candidate.
    """
    term = held / (sum(weights.values()) or 1.0)
    return Score(vector_weight * vector + (1 - vector_weight) * term, term, vector)
