"""The trained classifier: weighs words and meaning, gives calibrated probabilities. Made by training.py."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.infra.encoder import Encoder
from tightrope.infra.vectors import Vectors, packed, unpacked
from tightrope.understanding.features import features

GAMMA = 1.0
"""Width of the kernel over meanings: exp(-GAMMA (1 - cosine))."""
WEIGHT = 10.0
"""How much meaning counts beside words; chosen by cross-validation on the training lines, as GAMMA."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the vectors of the training lines say: `rows` are centred by `mean` and of length one, `duals` is rows x classes.

    `keys` name the lines (vectors.key); rows themselves are not kept with the classifier.
    """

    encoder: Encoder
    keys: NDArray[np.uint64]
    mean: NDArray[np.float32]
    rows: NDArray[np.float32]
    duals: NDArray[np.float32]

    def scores(self, text: str) -> NDArray[np.float64]:
        """What the meaning of a folded text adds to each class."""
        vector = centred(self.encoder.encode([text], "query"), self.mean)
        found: NDArray[np.float64] = (kernel(vector, self.rows)[0] @ self.duals).astype(np.float64)
        return found


def centred(rows: NDArray[np.float32], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows without what all lines have in common, of length one again."""
    moved = rows - mean
    made: NDArray[np.float32] = (moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return made


def kernel(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """How alike the meanings of two lists of lines are."""
    made: NDArray[np.float32] = (WEIGHT * np.exp(-GAMMA * (1 - left @ right.T))).astype(np.float32)
    return made


@dataclass(frozen=True, slots=True)
class Classifier:
    """Scores of a linear model over TF-IDF weights, and of a kernel over meanings where there is an encoder; softmax of them is calibrated.

    A class is a flow id, `flow.value` (a flow with the value of its reason slot), `search`, `chitchat` or `out_of_scope`.
    """

    fingerprint: str
    classes: tuple[str, ...]
    vocabulary: dict[str, int]
    idf: NDArray[np.float32]
    weights: NDArray[np.float32]
    """Features x classes."""
    intercept: NDArray[np.float32]
    meaning: Meaning | None = None

    def probabilities(self, text: str) -> dict[str, float]:
        """Calibrated probability of each class for a folded text; they add up to one."""
        return dict(zip(self.classes, softmax(self.scores(text)).tolist(), strict=True))

    def scores(self, text: str) -> NDArray[np.float64]:
        """Logarithms of the probabilities, but for a constant."""
        scores = self.intercept.astype(np.float64)
        counted = Counter(features(text))
        known = [(index, count) for piece, count in counted.items() if (index := self.vocabulary.get(piece)) is not None]
        if known:
            indexes = np.fromiter((i for i, _ in known), dtype=np.int64, count=len(known))
            counts = np.fromiter((c for _, c in known), dtype=np.float64, count=len(known))
            tfidf = (1.0 + np.log(counts)) * self.idf[indexes]
            scores = scores + (tfidf / np.linalg.norm(tfidf)) @ self.weights[indexes].astype(np.float64)
        return scores if self.meaning is None else scores + self.meaning.scores(text)

    def save(self, path: Path) -> None:
        """Write it as plain arrays (no pickle), whole or not at all. Weights are kept in a byte each, with a scale a class."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.stem}.{id(self):x}.part.npz")
        weights, scales = packed(self.weights.T.copy(), 127)
        arrays: dict[str, NDArray[Any]] = {
            "fingerprint": np.array(self.fingerprint),
            "classes": np.array(self.classes),
            "vocabulary": np.array("\n".join(self.vocabulary)),
            "idf": self.idf.astype(np.float16),
            "weights": weights,
            "scales": scales,
            "intercept": self.intercept,
        }
        if self.meaning is not None:
            arrays |= {
                "encoder": np.array(self.meaning.encoder.name),
                "keys": self.meaning.keys,
                "mean": self.meaning.mean,
                "duals": self.meaning.duals.astype(np.float16),
            }
        np.savez_compressed(part, allow_pickle=False, **arrays)
        part.replace(path)


def load(path: Path, fingerprint: str, encoder: Encoder | None = None, kept: Vectors | None = None) -> Classifier | None:
    """The classifier saved at `path`, if it is there, readable, of this fingerprint, and `kept` has the vectors of all its lines."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            if str(saved["fingerprint"]) != fingerprint:
                return None
            pieces = str(saved["vocabulary"]).split("\n")
            meaning = None
            if encoder is not None and kept is not None:
                rows = kept.take(saved["keys"])
                if rows is None or str(saved["encoder"]) != encoder.name:
                    return None
                mean = saved["mean"].astype(np.float32)
                meaning = Meaning(encoder, saved["keys"], mean, centred(rows, mean), saved["duals"].astype(np.float32))
            found = Classifier(
                fingerprint=fingerprint,
                classes=tuple(map(str, saved["classes"])),
                vocabulary={piece: index for index, piece in enumerate(pieces)},
                idf=saved["idf"].astype(np.float32),
                weights=np.ascontiguousarray(unpacked(saved["weights"], saved["scales"]).T),
                intercept=saved["intercept"],
                meaning=meaning,
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return found if _fits(found, len(pieces)) else None


def _fits(found: Classifier, pieces: int) -> bool:
    """Whether the arrays belong together."""
    meant = found.meaning
    return (
        found.weights.shape == (pieces, len(found.classes))
        and found.idf.shape == (pieces,)
        and found.intercept.shape == (len(found.classes),)
        and (meant is None or meant.duals.shape == (len(meant.rows), len(found.classes)))
    )


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities along the last axis."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = shifted / shifted.sum(axis=-1, keepdims=True)
    return result
