"""Vectors of the pieces of passages, and of customers' questions, for `relevance`: kept in `data/knowledge/`, made offline (`make knowledge`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tightrope.infra import vectors
from tightrope.infra.encoder import PASSAGE_TOKENS, ROUTING_TOKENS, Encoder, Kind
from tightrope.knowledge.compose.customers import Rows
from tightrope.knowledge.compose.relevance import pieces
from tightrope.knowledge.models import Passage
from tightrope.knowledge.server import vectors as server

FILE = Path("data/knowledge/pieces.npz")
"""Inside the project."""
ASKED = Path("data/knowledge/asked.npz")
"""Customers' questions, encoded as questions."""


class KeptVectors:
    """Kept vectors, and the encoder for questions and for pieces that are not kept (a fifth of a second each)."""

    def __init__(self, encoder: Encoder, kept: vectors.Vectors, asked: vectors.Vectors) -> None:
        self._encoder = encoder
        self._kept = kept
        self._asked = asked

    @classmethod
    def load(cls, project: Path, encoder: Encoder) -> KeptVectors:
        """With the files of this project; a missing one, or another encoder's, is as an empty one."""
        return cls(encoder, _kept(project, encoder), vectors.load(project / ASKED, encoder.name))

    def question(self, text: str) -> Rows:
        """See `relevance.Vectors`."""
        row: Rows = self._encoder.encode([text], "query")[0]
        return row

    def pieces(self, texts: Sequence[str]) -> Rows:
        """See `relevance.Vectors`."""
        rows = self._kept.take(_keys(texts))
        return rows if rows is not None else self._encoder.encode(texts, "passage", cap=PASSAGE_TOKENS)

    def asked(self, texts: Sequence[str]) -> Rows:
        """See `relevance.Vectors`: what is not kept leads nowhere, rather than that a customer waits for its encoding."""
        made = np.zeros((len(texts), self._encoder.dimensions), dtype=np.float32)
        places, there = self._asked.find(_keys(texts))
        if there.any():
            made[there] = self._asked.rows[places[there]]
        return made


def build(project: Path, encoder: Encoder, passages: Sequence[Passage], told: Callable[[int, int], None]) -> int:
    """Write the vectors of these passages' pieces that the server's file does not hold, and of customers' questions.

    Returns:
        How many were made anew; `told` hears of progress.
    """
    served = vectors.load(project / server.FILE, encoder.name)
    texts = _texts(passages)
    texts = [text for text, there in zip(texts, served.find(_keys(texts))[1].tolist(), strict=True) if not there]
    lines = _lines(passages)
    made = _build(project / FILE, encoder, texts, "passage", told)
    return made + _build(project / ASKED, encoder, lines, "query", told, keep=True)


def _build(
    path: Path, encoder: Encoder, texts: Sequence[str], kind: Kind, told: Callable[[int, int], None], *, keep: bool = False
) -> int:
    """`keep`: also the vectors of texts that are no more, which the release that is quoted now, or one rolled back to, still has."""
    kept, keys = vectors.load(path, encoder.name), _keys(texts)

    def make(place: int) -> Rows:
        cap = PASSAGE_TOKENS if kind == "passage" else ROUTING_TOKENS
        row: Rows = encoder.encode([texts[place]], kind, cap=cap)[0]
        return row

    rows, new = vectors.gather(keys, kept, encoder.dimensions, make, told)
    if keep and len(kept.keys):
        keys, rows = np.concatenate([keys, kept.keys]), np.concatenate([rows, kept.rows])
    if new or len(kept.keys) != len(np.unique(keys)):
        vectors.save(path, encoder.name, keys, rows)
    return new


def missing(project: Path, encoder: Encoder, passages: Sequence[Passage]) -> int:
    """How many pieces of these passages, and customers' questions, have no kept vector."""
    pieces_there = _kept(project, encoder).find(_keys(_texts(passages)))[1]
    lines_there = vectors.load(project / ASKED, encoder.name).find(_keys(_lines(passages)))[1]
    return int((~pieces_there).sum() + (~lines_there).sum())


def _lines(passages: Sequence[Passage]) -> list[str]:
    return list(dict.fromkeys(line for passage in passages for line in passage.asked))


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
