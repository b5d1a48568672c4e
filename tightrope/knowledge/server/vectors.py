"""Vectors of passages: kept in `data/knowledge/vectors.npz` (`make knowledge`), else made when a chunk is added. Never at a start.

A passage has two: one of what it is about (title, heading, keywords) and one of what it says. A question is as near as the nearer of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tightrope.infra import vectors
from tightrope.infra.encoder import PASSAGE_TOKENS, Encoder
from tightrope.infra.logging import get_logger

FILE = Path("data/knowledge/vectors.npz")
"""Inside the project."""
DIMENSIONS = 384
"""Of multilingual-e5-small, and of the database's column; another encoder needs a revision of the schema."""
Rows = NDArray[np.float32]

log = get_logger()


def parts(content: str, keywords: Iterable[str]) -> tuple[str, str]:
    """What is encoded of a chunk. The version and date in the line of context say nothing of its subject and are left out."""
    context, _, text = content.partition("\n")
    head = context.rpartition(" (")[0] or context
    return f"{head}\n{' '.join(keywords)}", f"{head}\n{text}"


@dataclass(frozen=True)
class PassageVectors:
    """Vectors of chunks and of questions by one encoder."""

    encoder: Encoder
    kept: vectors.Vectors

    @property
    def name(self) -> str:
        """The encoder's: vectors of different names are never compared."""
        return self.encoder.name

    def keeps(self, content: str, keywords: Iterable[str]) -> bool:
        """Whether the vectors of this chunk were made before."""
        keys = np.array([vectors.key(text) for text in parts(content, keywords)], dtype=np.uint64)
        return bool(self.kept.find(keys)[1].all())

    def of(self, content: str, keywords: Iterable[str]) -> Rows:
        """Two rows of length one; encoded now if they are not kept, which takes a fifth of a second."""
        texts = parts(content, keywords)
        rows = self.kept.take(np.array([vectors.key(text) for text in texts], dtype=np.uint64))
        return unit(rows) if rows is not None else encoded(self.encoder, texts)

    def question(self, text: str) -> Rows:
        """One row of length one."""
        row: Rows = self.encoder.encode([text], "query")[0]
        return row


def unit(rows: Rows) -> Rows:
    """Rows of length one."""
    made: Rows = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return made


def encoded(encoder: Encoder, texts: Iterable[str]) -> Rows:
    """Rows as they come back from the file, so that it does not matter which of the two a row was."""
    rows = encoder.encode(list(texts), "passage", cap=PASSAGE_TOKENS)
    return unit(vectors.unpacked(*vectors.packed(rows)))


def written(row: Rows) -> str:
    """A row as pgvector reads it."""
    return "[" + ",".join(f"{value:.7g}" for value in row.tolist()) + "]"


def load(project: Path, encoder: Encoder | None) -> PassageVectors | None:
    """The encoder with the vectors kept for it; None, said loudly, where search has to go by words alone.

    Raises:
        ValueError: the encoder's vectors do not fit the database's column.
    """
    if encoder is None:
        log.error(
            "knowledge is searched by words alone: there is no sentence encoder on this machine, and fewer questions are answered",
            action="knowledge_words_alone",
        )
        return None
    if encoder.dimensions != DIMENSIONS:
        raise ValueError(
            f"{encoder.name} has {encoder.dimensions} dimensions; the schema of the knowledge server holds {DIMENSIONS}"
        )
    return PassageVectors(encoder, vectors.load(project / FILE, encoder.name))


def build(project: Path, encoder: Encoder, texts: list[str], told: Callable[[int, int], None]) -> int:
    """Write the vectors of these texts, keeping those that are there; how many were made anew. `told` hears of progress."""
    kept = vectors.load(project / FILE, encoder.name)
    keys = np.array([vectors.key(text) for text in texts], dtype=np.uint64)

    def make(place: int) -> Rows:
        row: Rows = encoder.encode([texts[place]], "passage", cap=PASSAGE_TOKENS)[0]
        return row

    rows, missing = vectors.gather(keys, kept, encoder.dimensions, make, told)
    if missing or len(kept.keys) != len(np.unique(keys)):
        vectors.save(project / FILE, encoder.name, keys, rows)
    return missing
