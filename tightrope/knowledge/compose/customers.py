"""Questions in customers' own words (`asked` of a section), and the passages that they lead to. Pure.

A customer who does not know the term of the trade writes nothing that a passage holds; another customer has asked in such words before. What resembles
their questions is judged beside what retrieval found, and how many of the nearest lead to one section tells how sure that is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


def everything(_: Passage) -> bool:
    """Nothing is kept out."""
    return True


@dataclass(frozen=True)
class _Line:
    """A question, with the passages of its section: several where a long section was cut."""

    language: Language
    passages: tuple[Passage, ...]


class Customers:
    """The questions of all sections, in both languages.

    Vectors of short questions have much in common, whatever they ask: the mean of each language is taken off before they are compared.

    Attributes:
        unkept: questions without a vector; they lead nowhere.
    """

    def __init__(self, passages: Sequence[Passage], vectors: AskedVectors) -> None:
        self._lines: list[_Line] = []
        self._means: dict[Language, Rows] = {}
        self.unkept = 0
        parts = []
        for language in LANGUAGES:
            sections: dict[tuple[str, str, int], list[Passage]] = {}
            for passage in passages:
                if passage.language == language and passage.asked:
                    sections.setdefault(section(passage), []).append(passage)
            lines = [(text, _Line(language, tuple(own))) for own in sections.values() for text in own[0].asked]
            rows = vectors.asked([text for text, _ in lines])
            there: NDArray[np.bool_] = np.abs(rows).max(axis=1, initial=0) > 0
            self.unkept += int((~there).sum())
            self._lines += [line for (_, line), kept in zip(lines, there.tolist(), strict=True) if kept]
            self._means[language] = rows[there].mean(axis=0) if there.any() else np.zeros(rows.shape[1], dtype=np.float32)
            parts.append(_off(rows[there], self._means[language]))
        self._rows: Rows = np.concatenate(parts)

    def cosines(self, row: Rows, language: Language) -> Rows:
        """Of a question in this language, with each of theirs that has a vector."""
        made: Rows = self._rows @ _off(row[None], self._means[language])[0]
        return made

    def near(
        self, cosines: Rows, language: Language, most: int, allowed: Callable[[Passage], bool] = everything
    ) -> tuple[Passage, ...]:
        """The passages of this language that the nearest questions of this language lead to, nearest first, of `most` sections."""
        found: dict[tuple[str, str, int], list[Passage]] = {}
        for at in np.argsort(-cosines, kind="stable").tolist():
            line = self._lines[at]
            own = [passage for passage in line.passages if allowed(passage)]
            if line.language == language and own:
                found.setdefault(section(own[0]), own)
            if len(found) == most:
                break
        return tuple(passage for own in found.values() for passage in own)

    def votes(self, cosines: Rows, allowed: Callable[[Passage], bool] = everything) -> dict[tuple[str, str, int], float]:
        """The share of each section in the votes of the nearest questions, of both languages."""
        voters: list[tuple[float, tuple[str, str, int]]] = []
        for at in np.argsort(-cosines, kind="stable").tolist():
            own = next((passage for passage in self._lines[at].passages if allowed(passage)), None)
            if own is not None:
                voters.append((float(cosines[at]), section(own)))
            if len(voters) == VOTERS:
                break
        weights = [math.exp((cosine - voters[0][0]) / SHARPNESS) for cosine, _ in voters]
        shares: dict[tuple[str, str, int], float] = {}
        for (_, name), weight in zip(voters, weights, strict=True):
            shares[name] = shares.get(name, 0.0) + weight / sum(weights)
        return shares


def _off(rows: Rows, mean: Rows) -> Rows:
    """Less the mean, of length one again."""
    moved = rows - mean
    made: Rows = (moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return made
