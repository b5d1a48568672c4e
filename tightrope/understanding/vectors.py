"""Vectors of the training lines, built offline: `data/understanding/vectors.npz`, so that no start waits for the encoder.

Each is kept in one byte a number under the hash of its folded text, for one encoder by name. `make understanding` rebuilds them.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tightrope.infra.encoder import Encoder
from tightrope.infra.logging import get_logger
from tightrope.understanding.normalise import folded

FILE = "vectors.npz"

log = get_logger()


def key(text: str) -> int:
    """The first eight bytes of SHA-256 over the folded text."""
    return int.from_bytes(hashlib.sha256(folded(text).encode("utf-8", "replace")).digest()[:8], "big")


@dataclass(frozen=True, slots=True)
class Vectors:
    """Rows of one encoder, of length one but for rounding."""

    encoder: str
    rows: dict[int, NDArray[np.float32]]


def load(folder: Path, encoder: str) -> Vectors:
    """The vectors kept in `folder` for this encoder; none where the file is missing, spoiled or another encoder's."""
    try:
        with (folder / FILE).open("rb") as file, np.load(file, allow_pickle=False) as kept:
            if str(kept["encoder"]) != encoder:
                return Vectors(encoder, {})
            rows = unpacked(kept["rows"], kept["scales"])
            return Vectors(encoder, dict(zip(kept["keys"].tolist(), rows, strict=True)))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return Vectors(encoder, {})


def save(folder: Path, vectors: Vectors) -> None:
    """Write them, in order of their keys, whole or not at all."""
    keys = sorted(vectors.rows)
    rows, scales = packed(np.stack([vectors.rows[one] for one in keys]))
    part = folder / f".{FILE}.part.npz"
    np.savez(part, encoder=np.array(vectors.encoder), keys=np.array(keys, dtype=np.uint64), rows=rows, scales=scales)
    part.replace(folder / FILE)


def packed(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """One byte a number, with a scale a row."""
    scales = np.maximum(np.abs(rows).max(axis=1), 1e-9).astype(np.float32) / 127
    return np.round(rows / scales[:, None]).astype(np.int8), scales


def unpacked(rows: NDArray[np.int8], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """What `packed` kept."""
    made: NDArray[np.float32] = rows.astype(np.float32) * scales[:, None]
    return made


def gather(
    texts: Sequence[str], encoder: Encoder, kept: Vectors, told: Callable[[int, int], None] | None = None
) -> tuple[NDArray[np.float32], int]:
    """A row a text, from those that are kept and else from the encoder; how many had to be made. `told` hears of progress."""
    missing = [text for text in dict.fromkeys(texts) if key(text) not in kept.rows]
    made: dict[int, NDArray[np.float32]] = {}
    for number, text in enumerate(missing, 1):
        row = encoder.encode([folded(text)], "query")
        # As it comes back from the file, so that it does not matter which of the two a row was.
        made[key(text)] = unpacked(*packed(row))[0]
        if told is not None:
            told(number, len(missing))
    return np.stack([found if (found := kept.rows.get(key(text))) is not None else made[key(text)] for text in texts]), len(missing)
