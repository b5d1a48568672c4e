"""How well and how fast passages are found.

    python -m benchmarks.knowledge.retrieval quality          Recall@5 and MRR by language, beside BM25 and vectors alone
    python -m benchmarks.knowledge.retrieval speed [sizes]    p95 of the server's search at 1000, 10000 and 100000 passages

Quality: labelled questions over the knowledge base at hand. `unseen.jsonl` was written without sight of the documents. The calibration halves
chose the weights of fusion, the test halves nothing. Speed: synthetic passages of real words with vectors near real ones in a real Postgres; the
encoder's own time, some 25 ms a question, is not in it.
"""

from __future__ import annotations

import json
import math
import re
import statistics
import sys
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.knowledge import speed
from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.calibration import DAY
from tightrope.knowledge.compose.judging import Judge
from tightrope.knowledge.models import LANGUAGES, MICRO, Language, Passage, Release
from tightrope.knowledge.passages import load_release
from tightrope.knowledge.server.local import LocalIndex
from tightrope.knowledge.server.scoring import index_terms, matched, weigh
from tightrope.knowledge.server.search import Search
from tightrope.knowledge.server.tokens import normalise
from tightrope.knowledge.service import load_thresholds

Scores = NDArray[np.float64]
GOLDEN = REPOSITORY / "tests" / "golden" / "knowledge"
K1, B = 1.2, 0.75


def words(text: str) -> list[str]:
    """Plain words: jieba's for Chinese, letters and digits else; no stop words, synonyms or stems."""
    import jieba

    return [word for word in jieba.cut_for_search(normalise(text)) if re.search(r"\w", word)]


class Bm25:
    """Okapi BM25 (Robertson and Zaragoza 2009) over whole chunks, with their keywords."""

    def __init__(self, passages: list[Passage]) -> None:
        self._counts = [Counter(words(f"{p.content}\n{' '.join(p.keywords)}")) for p in passages]
        self._lengths = [counts.total() for counts in self._counts]
        self._holding = Counter(word for counts in self._counts for word in counts)

    def scores(self, question: str) -> Scores:
        """One number a passage."""
        n, mean = len(self._counts), sum(self._lengths) / len(self._lengths)
        made = np.zeros(n)
        for word in set(words(question)):
            held = self._holding[word]
            weight = math.log(1 + (n - held + 0.5) / (held + 0.5))
            for at, counts in enumerate(self._counts):
                if count := counts[word]:
                    made[at] += weight * count * (K1 + 1) / (count + K1 * (1 - B + B * self._lengths[at] / mean))
        return made


def methods(release: Release, search: Search, language: Language) -> tuple[list[Passage], dict[str, Callable[[str], Scores]]]:
    """The passages of a language, and each way of scoring them for a question."""
    limits = load_thresholds(REPOSITORY / "knowledge_base" / "thresholds.json")
    weight = limits.vector_weight[language] / MICRO
    server, judge = LocalIndex(release, search), Judge.here(REPOSITORY, release.passages)
    known = [index_terms(p.content, p.keywords) for p in release.passages]
    frequency = Counter(term for found in known for term in found.everywhere)
    own = [at for at, p in enumerate(release.passages) if p.language == language]
    passages = [release.passages[at] for at in own]
    place = {p.passage_id: at for at, p in enumerate(passages)}
    entries = [search.entry(p.content, p.keywords) for p in passages]
    rows = np.stack([entry.rows for entry in entries if entry.rows is not None])

    def term(question: str) -> Scores:
        weights = weigh(search.ask(question).terms, frequency, len(known))
        return np.array([matched(weights, known[at]) for at in own]) / (sum(weights.values()) or 1.0)

    def vector(question: str) -> Scores:
        asked = search.ask(question).row
        assert asked is not None, "the encoder gives every question a vector"
        nearest: Scores = (rows @ asked).max(axis=1).astype(np.float64)
        return nearest

    def ranks(question: str) -> Scores:
        return sum(
            (1 / (60 + np.argsort(np.argsort(-score(question), kind="stable"))) for score in (term, vector)), np.zeros(len(own))
        )

    def judged(question: str) -> Scores:
        made = np.full(len(own), -np.inf)
        for rank, chunk in enumerate(judge.judged(question, language, server.retrieve(question, language, limits), day=DAY)):
            made[place[chunk.passage.passage_id]] = -rank
        return made

    return passages, {
        "BM25": Bm25(passages).scores,
        "our terms alone": term,
        "vectors alone": vector,
        "reciprocal ranks": ranks,
        f"weighted, {weight:.2f} (the server)": lambda question: weight * vector(question) + (1 - weight) * term(question),
        f"its first {limits.page_size}, then judged (answers)": judged,
    }


def interval(hits: int, of: int) -> str:
    """Share with Wilson's 95 % interval."""
    z, p = 1.96, hits / of
    middle, half = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return f"{p:.3f} ({(middle - half) / (1 + z * z / of):.3f} to {(middle + half) / (1 + z * z / of):.3f})"


def mean(values: list[float]) -> str:
    """Mean with its 95 % interval."""
    half = 1.96 * statistics.stdev(values) / math.sqrt(len(values))
    return f"{statistics.mean(values):.3f} (± {half:.3f})"


def quality() -> None:
    """One table for each set of questions and language."""
    release, search = load_release(REPOSITORY / "knowledge_base"), Search.here(REPOSITORY)
    ways = {language: methods(release, search, language) for language in LANGUAGES}
    print(f"{release.release_id}: {len(release.documents)} files, {len(release.passages)} passages; encoder {search.name}\n")
    print(
        "| questions | half | language | method | Recall@5 (95 %) | MRR (95 %) | Recall@20 |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    for name in ("unseen", "questions"):
        asked = [json.loads(line) for line in (GOLDEN / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        for language in LANGUAGES:
            passages, scored = ways[language]
            places = [f"{p.document_id}.{p.number}" for p in passages]
            for half in ("calibration", "test"):
                mine = [q for q in asked if q["answers"] and q["language"] == language and q["split"] == half]
                for way, score in scored.items():
                    first = [_first(score(q["question"]), places, set(q["answers"])) for q in mine]
                    found = interval(sum(rank <= 5 for rank in first), len(mine))
                    deep = sum(rank <= 20 for rank in first) / len(first)
                    row = (name, f"{half}, {len(mine)}", language, way, found, mean([1 / rank for rank in first]), f"{deep:.3f}")
                    print(f"| {' | '.join(row)} |", flush=True)


def _first(scores: Scores, places: list[str], right: set[str]) -> float:
    """Rank of the first passage that answers; infinite where none of them is in the base."""
    for rank, at in enumerate(np.argsort(-scores, kind="stable"), 1):
        if scores[at] == -math.inf:
            break
        if places[at] in right:
            return rank
    return math.inf


if __name__ == "__main__":
    if sys.argv[1:2] == ["speed"]:
        speed.main([int(size) for size in sys.argv[2:]] or [1_000, 10_000, 100_000])
    else:
        quality()
