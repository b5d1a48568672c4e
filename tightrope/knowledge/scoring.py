"""How similar a question and a passage are: RAGFlow's three figures, by lexical means. Pure.

`term_similarity`: share of the question's idf weight that the passage holds. `vector_similarity`: best cosine of character
n-grams over heading, keywords and sentences; no encoder is behind it yet. `similarity` is their weighted sum, as in RAGFlow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tightrope.knowledge.passages import split_sentences
from tightrope.knowledge.tokens import Vector, cosine, grams, idf, terms


def index_terms(content: str, keywords: Sequence[str]) -> tuple[str, ...]:
    """The terms under which a chunk is found."""
    return terms(content + "\n" + "\n".join(keywords))


def weigh(query: Iterable[str], frequency: Mapping[str, int], total: int) -> dict[str, float]:
    """idf of every term of a question; a term that no passage knows weighs most, so that it can sink the similarity."""
    return {term: idf(total, frequency.get(term, 0)) for term in query}


@lru_cache(maxsize=4096)
def units(content: str, keywords: tuple[str, ...]) -> tuple[Vector, ...]:
    """Vectors of the parts of a chunk that a question may resemble: context with the keywords, and each sentence."""
    context, _, text = content.partition("\n")
    head = context.rpartition(" (")[0] or context
    return (
        grams(head),
        *(grams(f"{head} {keyword}") for keyword in keywords),
        *(grams(sentence) for sentence in split_sentences(text)),
    )


@dataclass(frozen=True)
class Score:
    """RAGFlow's score triple."""

    similarity: float
    term_similarity: float
    vector_similarity: float


def score(
    question: Vector, matched: float, weight_of_all: float, content: str, keywords: tuple[str, ...], vector_weight: float
) -> Score:
    """The score triple of one candidate.

    Args:
        question: `grams` of the question.
        matched: summed idf of the question's terms in the chunk.
        weight_of_all: summed idf of all the question's terms.
    """
    term = matched / weight_of_all if weight_of_all else 0.0
    vector = max((cosine(question, unit) for unit in units(content, keywords)), default=0.0)
    return Score(vector_weight * vector + (1 - vector_weight) * term, term, vector)
