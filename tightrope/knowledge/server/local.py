"""The embedded server's retrieval over a release in memory: for calibration and benchmarks. Pure but for the encoder."""

from __future__ import annotations

from collections import Counter

import numpy as np

from tightrope.knowledge.models import MICRO, Chunk, Language, Release, Thresholds
from tightrope.knowledge.server.scoring import WINDOW, fuse, matched, resemblance, weigh
from tightrope.knowledge.server.search import Search


class LocalIndex:
    """Finds what the server finds, with the same scores.

    Args:
        search: `Search.here(project)` as the server; `Search(None)` goes by words alone.
    """

    def __init__(self, release: Release, search: Search) -> None:
        self._search = search
        self._passages = release.passages
        entries = [search.entry(passage.content, passage.keywords) for passage in release.passages]
        self._terms = [entry.terms for entry in entries]
        self._frequency = Counter(term for found in self._terms for term in found.everywhere)
        rows = [entry.rows for entry in entries if entry.rows is not None]
        self._rows = np.stack(rows) if rows else None

    def retrieve(self, question: str, language: Language, thresholds: Thresholds) -> list[Chunk]:
        """Passages of the language, best first: at most `page_size`, none below the floor."""
        asked = self._search.ask(question)
        weights = weigh(asked.terms, self._frequency, len(self._passages))
        own = [at for at, passage in enumerate(self._passages) if passage.language == language]
        held = {at: matched(weights, self._terms[at]) for at in own if not self._terms[at].everywhere.isdisjoint(weights)}
        chosen = set(sorted(held, key=lambda at: (-held[at], at))[:WINDOW])
        cosines: dict[int, float] = {}
        if self._rows is not None and asked.row is not None and own:
            near = (self._rows[own] @ asked.row).max(axis=1)
            cosines = dict(zip(own, near.tolist(), strict=True))
            chosen |= set(sorted(cosines, key=lambda at: (-cosines[at], at))[:WINDOW])
        chunks = []
        for at in chosen:
            passage = self._passages[at]
            vector = cosines[at] if cosines else resemblance(asked.grams, passage.content, passage.keywords)
            scores = fuse(held.get(at, 0.0), weights, vector, thresholds.vector_weight[language] / MICRO)
            if scores.similarity * MICRO >= thresholds.floor:
                chunks.append(Chunk(passage, scores.similarity, scores.term_similarity, scores.vector_similarity))
        return sorted(chunks, key=lambda chunk: (-chunk.similarity, chunk.passage.content))[: thresholds.page_size]
