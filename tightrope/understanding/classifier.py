"""The trained classifier: weighs features, gives calibrated probabilities. Made by training.py."""

from __future__ import annotations

import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tightrope.understanding.features import features


@dataclass(frozen=True, slots=True)
class Classifier:
    """A linear classifier over TF-IDF weights, with a temperature found on leave-one-out scores of the training lines.

    A class is a flow id, `flow.value` (a flow with the value of its reason slot), `search` or `out_of_scope`.
    """

    fingerprint: str
    classes: tuple[str, ...]
    vocabulary: dict[str, int]
    idf: NDArray[np.float32]
    weights: NDArray[np.float32]
    """Features x classes."""
    intercept: NDArray[np.float32]
    temperature: float

    def probabilities(self, text: str) -> dict[str, float]:
        """Calibrated probability of each class; they add up to one."""
        return dict(zip(self.classes, softmax(self.scores(text) / self.temperature).tolist(), strict=True))

    def scores(self, text: str) -> NDArray[np.float64]:
        """Decision values before the temperature, one a class."""
        counted = Counter(features(text))
        known = [(index, count) for piece, count in counted.items() if (index := self.vocabulary.get(piece)) is not None]
        if not known:
            return self.intercept.astype(np.float64)
        indexes = np.fromiter((i for i, _ in known), dtype=np.int64, count=len(known))
        counts = np.fromiter((c for _, c in known), dtype=np.float64, count=len(known))
        tfidf = (1.0 + np.log(counts)) * self.idf[indexes]
        tfidf /= np.linalg.norm(tfidf)
        scores: NDArray[np.float64] = tfidf @ self.weights[indexes].astype(np.float64) + self.intercept
        return scores

    def save(self, path: Path) -> None:
        """Write it as plain arrays (no pickle), whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.stem}.{id(self):x}.part.npz")
        np.savez(
            part,
            fingerprint=np.array(self.fingerprint),
            classes=np.array(self.classes),
            vocabulary=np.array("\n".join(self.vocabulary)),
            idf=self.idf,
            weights=self.weights,
            intercept=self.intercept,
            temperature=np.array(self.temperature),
        )
        part.replace(path)


def load(path: Path, fingerprint: str) -> Classifier | None:
    """The classifier saved at `path`, if it is there, readable and of this fingerprint."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            if str(saved["fingerprint"]) != fingerprint:
                return None
            pieces = str(saved["vocabulary"]).split("\n")
            found = Classifier(
                fingerprint=fingerprint,
                classes=tuple(map(str, saved["classes"])),
                vocabulary={piece: index for index, piece in enumerate(pieces)},
                idf=saved["idf"],
                weights=saved["weights"],
                intercept=saved["intercept"],
                temperature=float(saved["temperature"]),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return found if found.weights.shape == (len(pieces), len(found.classes)) and found.idf.shape == (len(pieces),) else None


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities along the last axis."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = shifted / shifted.sum(axis=-1, keepdims=True)
    return result
