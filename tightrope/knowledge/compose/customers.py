"""Questions in customers' own words (`asked` of a section), and the passages that they lead to. Pure.

A customer who does not know the term of the trade writes nothing that a passage holds; another customer has asked in such words before. What resembles
their questions is judged beside what retrieval found, and how many of the nearest lead to one section tells how sure that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tightrope.knowledge.models import LANGUAGES, Language, Passage

Rows = NDArray[np.float32]
VOTERS = 20
"""So many of the nearest questions vote."""
SHARPNESS = 0.08
"""A question whose cosine is lower than the nearest's by this much has 1/e of its vote."""


class AskedVectors(Protocol):
    """Vectors of customers' questions, of length one."""

    def asked(self, texts: Sequence[str]) -> Rows:
        """A row a question; of noughts where none is kept."""
        ...


def section(passage: Passage) -> tuple[str, str, int]:
    """What both languages and all pieces of a section have in common."""
    return passage.document_id, passage.version, passage.number


class Customers:
    """The questions of all passages, in both languages.

    Vectors of short questions have much in common, whatever they ask: the mean of each language is taken off before they are compared.
    """

    def __init__(self, passages: Sequence[Passage], vectors: AskedVectors) -> None:
        own = {language: [p for p in passages if p.language == language and p.asked] for language in LANGUAGES}
        self._passages = [passage for language in LANGUAGES for passage in own[language] for _ in passage.asked]
        self._sections = [section(passage) for passage in self._passages]
        found = {language: vectors.asked([line for p in own[language] for line in p.asked]) for language in LANGUAGES}
        self._means = {language: _mean(rows) for language, rows in found.items()}
        rows = [_off(found[language], self._means[language]) for language in LANGUAGES if len(found[language])]
        self._rows: Rows = np.concatenate(rows) if rows else np.zeros((0, 0), dtype=np.float32)

    def cosines(self, row: Rows, language: Language) -> Rows:
        """Of a question in this language, with each of theirs."""
        made: Rows = self._rows @ _off(row[None], self._means[language])[0] if self._passages else np.zeros(0, dtype=np.float32)
        return made

    def near(self, cosines: Rows, language: Language, most: int) -> tuple[Passage, ...]:
        """The passages of this language that the nearest questions of this language lead to, nearest first."""
        found: dict[str, Passage] = {}
        for at in np.argsort(-cosines, kind="stable").tolist():
            passage = self._passages[at]
            if passage.language == language:
                found.setdefault(passage.passage_id, passage)
            if len(found) == most:
                break
        return tuple(found.values())

    def votes(self, cosines: Rows) -> dict[tuple[str, str, int], float]:
        """The share of each section in the votes of the nearest questions, of both languages."""
        if not self._passages:
            return {}
        nearest = np.argsort(-cosines, kind="stable")[:VOTERS]
        weights = np.exp((cosines[nearest] - cosines[nearest[0]]) / SHARPNESS)
        shares: dict[tuple[str, str, int], float] = {}
        for at, weight in zip(nearest.tolist(), (weights / weights.sum()).tolist(), strict=True):
            shares[self._sections[at]] = shares.get(self._sections[at], 0.0) + weight
        return shares


def _mean(rows: Rows) -> Rows:
    """Of those that are kept."""
    there = rows[np.abs(rows).sum(axis=1) > 0] if len(rows) else rows
    mean: Rows = there.mean(axis=0) if len(there) else np.zeros(rows.shape[1] if rows.ndim == 2 else 0, dtype=np.float32)
    return mean


def _off(rows: Rows, mean: Rows) -> Rows:
    """Less the mean, of length one again; what was not kept stays noughts."""
    there = np.abs(rows).sum(axis=1, keepdims=True) > 0
    moved = np.where(there, rows - mean, 0.0)
    made: Rows = (moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return made
