"""Vectors of the training lines, built offline: `data/understanding/vectors.npz`, so that no start waits for the encoder.

Each is kept in one byte a number under the hash of its folded text, for one encoder by name. `make understanding` rebuilds them.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tightrope.infra.encoder import Encoder
from tightrope.infra.logging import get_logger
from tightrope.understanding.normalise import folded

FILE = "vectors.npz"
_STEPS = 31
"""Steps from nought to a row's largest number: the encoder's own weights have four bits, and fewer steps pack smaller."""

log = get_logger()


def key(text: str) -> int:
    """The first eight bytes of SHA-256 over the folded text."""
    return int.from_bytes(hashlib.sha256(folded(text).encode("utf-8", "replace")).digest()[:8], "big")


@dataclass(frozen=True, slots=True)
class Vectors:
    """Rows of one encoder, of length one but for rounding, in order of their keys."""

    encoder: str
    keys: NDArray[np.uint64]
    rows: NDArray[np.float32]

    def take(self, keys: NDArray[np.uint64]) -> NDArray[np.float32] | None:
        """The rows of these keys; None if one of them is not kept."""
        places, there = self.find(keys)
        return self.rows[places] if there.all() else None

    def find(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where the keys stand, and which of them do."""
        if not len(self.keys):
            return np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys), dtype=bool)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return places, self.keys[places] == keys


def none(encoder: str) -> Vectors:
    """No vectors."""
    return Vectors(encoder, np.zeros(0, dtype=np.uint64), np.zeros((0, 0), dtype=np.float32))


def load(folder: Path, encoder: str) -> Vectors:
    """The vectors kept in `folder` for this encoder; none where the file is missing, spoiled or another encoder's."""
    try:
        with (folder / FILE).open("rb") as file, np.load(file, allow_pickle=False) as kept:
            if str(kept["encoder"]) != encoder:
                return none(encoder)
            keys, rows = kept["keys"], unpacked(kept["rows"], kept["scales"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return none(encoder)
    return Vectors(encoder, keys, rows) if rows.ndim == 2 and len(keys) == len(rows) else none(encoder)


def save(folder: Path, encoder: str, texts: Sequence[str], rows: NDArray[np.float32]) -> None:
    """Write the rows of these texts, in order of their keys, whole or not at all."""
    keys, places = np.unique(keys_of(texts), return_index=True)
    small, scales = packed(rows[places])
    part = folder / f".{FILE}.part.npz"
    np.savez_compressed(part, encoder=np.array(encoder), keys=keys, rows=small, scales=scales)
    part.replace(folder / FILE)


def keys_of(texts: Sequence[str]) -> NDArray[np.uint64]:
    """The key of each text."""
    return np.array([key(text) for text in texts], dtype=np.uint64)


def packed(rows: NDArray[np.float32], steps: int = _STEPS) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """One byte a number, with a scale a row."""
    scales = (np.maximum(np.abs(rows).max(axis=1), 1e-6) / steps).astype(np.float16)
    return np.clip(np.round(rows / scales.astype(np.float32)[:, None]), -127, 127).astype(np.int8), scales


def unpacked(rows: NDArray[np.int8], scales: NDArray[np.floating]) -> NDArray[np.float32]:
    """What `packed` kept."""
    made: NDArray[np.float32] = rows.astype(np.float32) * scales.astype(np.float32)[:, None]
    return made


def gather(
    texts: Sequence[str], encoder: Encoder, kept: Vectors, told: Callable[[int, int], None] | None = None
) -> tuple[NDArray[np.float32], int]:
    """A row a text, from those that are kept and else from the encoder; how many had to be made. `told` hears of progress."""
    places, there = kept.find(keys_of(texts))
    rows = np.empty((len(texts), encoder.dimensions), dtype=np.float32)
    if there.any():
        rows[there] = kept.rows[places[there]]
    missing = np.flatnonzero(~there)
    for number, place in enumerate(missing.tolist(), 1):
        # As it comes back from the file, so that it does not matter which of the two a row was.
        small, scales = packed(encoder.encode([folded(texts[place])], "query"))
        rows[place] = unpacked(small, scales)[0]
        if told is not None:
            told(number, len(missing))
    return rows, len(missing)
