"""Vectors of the pieces of passages for `relevance`: kept in `data/knowledge/pieces.npz`, made offline (`make knowledge`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tightrope.infra import vectors
from tightrope.infra.encoder import PASSAGE_TOKENS, Encoder
from tightrope.knowledge.compose.relevance import Rows, pieces
from tightrope.knowledge.models import Passage
from tightrope.knowledge.server import vectors as server

FILE = Path("data/knowledge/pieces.npz")
"""Inside the project."""


class KeptVectors:
    """Kept vectors, and the encoder for questions and for what is not kept (a fifth of a second a piece)."""

    def __init__(self, encoder: Encoder, kept: vectors.Vectors) -> None:
        self._encoder = encoder
        self._kept = kept

    @classmethod
    def load(cls, project: Path, encoder: Encoder) -> KeptVectors:
        """With the files of this project; a missing one, or another encoder's, is as an empty one."""
        return cls(encoder, _kept(project, encoder))

    def question(self, text: str) -> Rows:
        """See `relevance.Vectors`."""
        row: Rows = self._encoder.encode([text], "query")[0]
        return row

    def pieces(self, texts: Sequence[str]) -> Rows:
        """See `relevance.Vectors`."""
        rows = self._kept.take(_keys(texts))
        return rows if rows is not None else self._encoder.encode(texts, "passage", cap=PASSAGE_TOKENS)


def build(project: Path, encoder: Encoder, passages: Sequence[Passage], told: Callable[[int, int], None]) -> int:
    """Write the vectors of these passages' pieces that the server's file does not hold; how many were made anew. `told` hears of progress."""
    served = vectors.load(project / server.FILE, encoder.name)
    texts = _texts(passages)
    texts = [text for text, there in zip(texts, served.find(_keys(texts))[1].tolist(), strict=True) if not there]
    kept, keys = vectors.load(project / FILE, encoder.name), _keys(texts)
    places, there = kept.find(keys)
    rows = np.empty((len(texts), encoder.dimensions), dtype=np.float32)
    if there.any():
        rows[there] = kept.rows[places[there]]
    new = np.flatnonzero(~there).tolist()
    for number, place in enumerate(new, 1):
        rows[place] = encoder.encode([texts[place]], "passage", cap=PASSAGE_TOKENS)[0]
        told(number, len(new))
    if new or len(kept.keys) != len(np.unique(keys)):
        vectors.save(project / FILE, encoder.name, keys, rows)
    return len(new)


def missing(project: Path, encoder: Encoder, passages: Sequence[Passage]) -> int:
    """How many pieces of these passages have no kept vector."""
    return int((~_kept(project, encoder).find(_keys(_texts(passages)))[1]).sum())


def _kept(project: Path, encoder: Encoder) -> vectors.Vectors:
    """What the server keeps of whole passages, and the pieces."""
    files = [vectors.load(project / file, encoder.name) for file in (server.FILE, FILE)]
    held = [file for file in files if len(file.keys)]
    if not held:
        return vectors.none(encoder.name)
    keys, places = np.unique(np.concatenate([file.keys for file in held]), return_index=True)
    return vectors.Vectors(encoder.name, keys, np.concatenate([file.rows for file in held])[places])


def _texts(passages: Sequence[Passage]) -> list[str]:
    return list(dict.fromkeys(text for passage in passages for text in pieces(passage).texts))


def _keys(texts: Sequence[str]) -> vectors.Keys:
    return np.array([vectors.key(text) for text in texts], dtype=np.uint64)
