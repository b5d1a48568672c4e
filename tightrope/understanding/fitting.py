"""How lines become a classifier: kernel ridge regression over words and meaning, then a calibration on lines that it has not seen.

Neighbouring lines of a file are often one thought in other words, so that leaving out a line alone would flatter: a whole block is left out at a time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tightrope.infra.encoder import Encoder
from tightrope.understanding import features
from tightrope.understanding.classifier import Classifier, Meaning, centred, kernel, softmax
from tightrope.understanding.normalise import folded
from tightrope.understanding.vectors import keys_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_RIDGE = 0.3
"""How much the weights are held back; chosen by cross-validation on the training lines."""
_BIAS = 0.1
"""Weight of the constant feature."""
_BLOCK = 10
"""Neighbouring lines of one class and language that are left out together."""
_HELD = 1.0
"""How much the calibration is held to a plain temperature."""
_TEMPERATURES = np.geomspace(0.05, 2.0, 60)
_CHUNK = 1024


def fit(
    texts: Sequence[str],
    labels: Sequence[str],
    langs: Sequence[str],
    name: str,
    encoder: Encoder | None,
    rows: NDArray[np.float32] | None,
) -> tuple[Classifier, NDArray[np.float64]]:
    """The classifier, and for each line the scores of one that was trained on all the others. `rows` are the vectors of the texts.

    Kernel ridge regression on the classes (+1 for a line's own, -1 for the others) is solved in one step, and what leaving out any block would
    give comes out of the same matrix, exactly (Rifkin and Lippert 2007, Notes on Regularized Least Squares).
    """
    # Imported here: a start that finds its classifier kept does without SciPy.
    from scipy.linalg.lapack import spotrf, spotri, spotrs

    pieces, matrix, idf = _tfidf(texts)
    classes, wanted = np.unique(labels, return_inverse=True)
    targets = np.where(np.eye(len(classes), dtype=bool)[wanted], 1.0, -1.0).astype(np.float32)
    rarity = np.sqrt(len(wanted) / len(classes) / np.bincount(wanted))[wanted].astype(np.float32)
    gram = _words(matrix) + np.float32(_BIAS)
    mean = rows.mean(axis=0) if rows is not None else np.zeros(0, dtype=np.float32)
    meanings = centred(rows, mean) if rows is not None else None
    if meanings is not None:
        gram += kernel(meanings, meanings)
    gram[np.diag_indices_from(gram)] += _RIDGE / rarity
    factor, _ = spotrf(gram.T, lower=1, overwrite_a=1)
    dual, _ = spotrs(factor, targets, lower=1)
    inverse, _ = spotri(factor, lower=1, overwrite_c=1)
    turn, shift = calibrate(_left_out(inverse, targets, dual, _blocks(labels, langs)), wanted)
    alone = (targets - dual / np.diag(inverse)[:, None]).astype(np.float64)
    made = Classifier(
        fingerprint=name,
        classes=tuple(map(str, classes)),
        vocabulary={piece: index for index, piece in enumerate(pieces)},
        idf=idf,
        weights=(np.asarray(matrix.T @ dual) @ turn).astype(np.float32),
        intercept=(_BIAS * dual.sum(axis=0) @ turn + shift).astype(np.float32),
        meaning=Meaning(encoder, keys_of(texts), mean, meanings, (dual @ turn).astype(np.float32))
        if encoder is not None and meanings is not None
        else None,
    )
    return made, alone @ turn + shift


def _words(matrix: csr_matrix) -> NDArray[np.float32]:
    """How alike the words of the lines are, in dense pieces: a product of two sparse matrices that is nearly full would cost ten times as much."""
    count = matrix.shape[0]
    gram = np.empty((count, count), dtype=np.float32)
    for start in range(0, count, _CHUNK):
        gram[start : start + _CHUNK] = (matrix @ matrix[start : start + _CHUNK].T.tocsc()).toarray().T
    return gram


def _blocks(labels: Sequence[str], langs: Sequence[str]) -> list[NDArray[np.int64]]:
    """Places of lines that are left out together."""
    places: dict[tuple[str, str], list[int]] = {}
    for place, group in enumerate(zip(labels, langs, strict=True)):
        places.setdefault(group, []).append(place)
    blocks: list[NDArray[np.int64]] = []
    for found in places.values():
        # Of a class with few lines most have to stay.
        size = max(1, min(_BLOCK, len(found) // 4))
        blocks += [np.array(found[i : i + size]) for i in range(0, len(found), size)]
    return blocks


def _left_out(
    inverse: NDArray[np.float32], targets: NDArray[np.float32], dual: NDArray[np.float32], blocks: list[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """For each line the scores of the model that was trained without its block; `inverse` has its lower half filled."""
    found = np.empty(targets.shape, dtype=np.float64)
    for block in blocks:
        part = np.tril(inverse[np.ix_(block, block)].astype(np.float64))
        part += np.tril(part, -1).T
        found[block] = targets[block] - np.linalg.solve(part, dual[block].astype(np.float64))
    return found


def _tfidf(texts: Sequence[str]) -> tuple[list[str], csr_matrix, NDArray[np.float32]]:
    """Pieces seen in two lines or more, each line's TF-IDF vector of length one over them, and their weights."""
    from scipy.sparse import csr_matrix

    counted = [Counter(features.features(folded(text))) for text in texts]
    seen = Counter(piece for line in counted for piece in line)
    pieces = sorted(piece for piece, count in seen.items() if count > 1)
    index = {piece: i for i, piece in enumerate(pieces)}
    idf = np.array([math.log((1 + len(texts)) / (1 + seen[piece])) + 1 for piece in pieces], dtype=np.float32)
    values: list[float] = []
    columns: list[int] = []
    ends = [0]
    for line in counted:
        entries = [
            (index[piece], (1 + math.log(count)) * float(idf[index[piece]])) for piece, count in line.items() if piece in index
        ]
        length = math.sqrt(sum(value * value for _, value in entries)) or 1.0
        columns += [column for column, _ in entries]
        values += [value / length for _, value in entries]
        ends.append(len(columns))
    return pieces, csr_matrix((np.array(values, dtype=np.float32), columns, ends), shape=(len(texts), len(pieces))), idf


def calibrate(scores: NDArray[np.float64], wanted: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A matrix and a shift under which the softmax of unseen scores is likeliest, held near a temperature (matrix scaling; Guo et al. 2017)."""
    from scipy.optimize import minimize

    rows, count = np.arange(len(wanted)), scores.shape[1]
    losses = [-np.log(np.clip(softmax(scores / t)[rows, wanted], 1e-12, 1)).mean() for t in _TEMPERATURES]
    start = np.vstack([np.eye(count) / _TEMPERATURES[int(np.argmin(losses))], np.zeros((1, count))])
    inputs = np.hstack([scores, np.ones((len(scores), 1))])
    truth = np.eye(count)[wanted]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        turn = flat.reshape(start.shape)
        found = softmax(inputs @ turn)
        away = turn - start
        value = -np.log(np.clip(found[rows, wanted], 1e-12, 1)).sum() + _HELD * (away**2).sum()
        return float(value), (inputs.T @ (found - truth) + 2 * _HELD * away).ravel()

    turn = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 200}).x.reshape(start.shape)
    return turn[:-1], turn[-1]
