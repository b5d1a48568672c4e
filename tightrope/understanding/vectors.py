"""Vectors of the training lines: those of `infra.vectors` under the key of the folded text, in `data/understanding/vectors.npz`.

`make understanding` rebuilds them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tightrope.infra import vectors
from tightrope.infra.encoder import Encoder
from tightrope.infra.vectors import Keys, Vectors
from tightrope.understanding.normalise import folded

FILE = "vectors.npz"


def keys_of(texts: Sequence[str]) -> Keys:
    """The key of each text."""
    return np.array([vectors.key(folded(text)) for text in texts], dtype=np.uint64)


def load(folder: Path, encoder: str) -> Vectors:
    """The vectors kept in `folder` for this encoder; none where the file is missing, spoiled or another encoder's."""
    return vectors.load(folder / FILE, encoder)


def save(folder: Path, encoder: str, texts: Sequence[str], rows: NDArray[np.float32]) -> None:
    """Write the rows of these texts, whole or not at all."""
    vectors.save(folder / FILE, encoder, keys_of(texts), rows)


def gather(
    texts: Sequence[str], encoder: Encoder, kept: Vectors, told: Callable[[int, int], None] | None = None
) -> tuple[NDArray[np.float32], int]:
    """A row a text, from those that are kept and else from the encoder; how many had to be made. `told` hears of progress."""

    def make(place: int) -> NDArray[np.float32]:
        # As it comes back from the file, so that it does not matter which of the two a row was.
        row: NDArray[np.float32] = vectors.unpacked(*vectors.packed(encoder.encode([folded(texts[place])], "query")))[0]
        return row

    return vectors.gather(keys_of(texts), kept, encoder.dimensions, make, told)
