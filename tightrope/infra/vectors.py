"""Vectors that are built offline and kept in a file, so that no start waits for the encoder.

Each row stands in one byte a number under the key of its text, for one encoder by name.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
STEPS = 31
"""Steps from nought to a row's largest number: the encoder's own weights have four bits, and fewer steps pack smaller."""


def key(text: str) -> int:
    """The first eight bytes of SHA-256 over the text."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8], "big")


@dataclass(frozen=True, slots=True)
class Vectors:
    """Rows of one encoder, of length one but for rounding, in order of their keys."""

    encoder: str
    keys: Keys
    rows: NDArray[np.float32]

    def take(self, keys: Keys) -> NDArray[np.float32] | None:
        """The rows of these keys; None if one of them is not kept."""
        places, there = self.find(keys)
        return self.rows[places] if there.all() else None

    def find(self, keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where the keys stand, and which of them do."""
        if not len(self.keys):
            return np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys), dtype=bool)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return places, self.keys[places] == keys


def none(encoder: str) -> Vectors:
    """No vectors."""
    return Vectors(encoder, np.zeros(0, dtype=np.uint64), np.zeros((0, 0), dtype=np.float32))


def load(path: Path, encoder: str) -> Vectors:
    """The vectors kept in a file for this encoder; none where the file is missing, spoiled or another encoder's."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            if str(kept["encoder"]) != encoder:
                return none(encoder)
            keys, rows = kept["keys"], unpacked(kept["rows"], kept["scales"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return none(encoder)
    return Vectors(encoder, keys, rows) if rows.ndim == 2 and len(keys) == len(rows) else none(encoder)


def save(path: Path, encoder: str, keys: Keys, rows: NDArray[np.float32]) -> None:
    """Write rows in order of their keys, whole or not at all."""
    ordered, places = np.unique(keys, return_index=True)
    small, scales = packed(rows[places])
    part = path.parent / f".{path.name}.part.npz"
    np.savez_compressed(part, encoder=np.array(encoder), keys=ordered, rows=small, scales=scales)
    part.replace(path)


def gather(
    keys: Keys,
    kept: Vectors,
    dimensions: int,
    make: Callable[[int], NDArray[np.float32]],
    told: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.float32], int]:
    """A row a key, from those that are kept and else made for its place; how many were made. `told` hears of progress."""
    places, there = kept.find(keys)
    rows = np.empty((len(keys), dimensions), dtype=np.float32)
    if there.any():
        rows[there] = kept.rows[places[there]]
    missing = np.flatnonzero(~there)
    for number, place in enumerate(missing.tolist(), 1):
        rows[place] = make(place)
        if told is not None:
            told(number, len(missing))
    return rows, len(missing)


def packed(rows: NDArray[np.float32], steps: int = STEPS) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """One byte a number, with a scale a row."""
    scales = (np.maximum(np.abs(rows).max(axis=1), 1e-6) / steps).astype(np.float16)
    return np.clip(np.round(rows / scales.astype(np.float32)[:, None]), -127, 127).astype(np.int8), scales


def unpacked(rows: NDArray[np.int8], scales: NDArray[np.floating]) -> NDArray[np.float32]:
    """What `packed` kept."""
    made: NDArray[np.float32] = rows.astype(np.float32) * scales.astype(np.float32)[:, None]
    return made
