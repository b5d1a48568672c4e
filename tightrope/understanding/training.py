"""Training lines and the classifier made from them.

`data/understanding/<class>.jsonl` holds `{"text", "lang"}` lines; `data/understanding/heldout/` is for evaluation and never read here. The
classifier is named by a fingerprint over lines, code and libraries; it is made in a second, and kept under that name in the state folder.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tightrope.infra.logging import get_logger
from tightrope.understanding import classifier, features, normalise
from tightrope.understanding.classifier import Classifier, softmax
from tightrope.understanding.errors import TrainingDataError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SEARCH = "search"
OUT_OF_SCOPE = "out_of_scope"

_RIDGE = 0.6
"""How much the weights are held back; chosen by leave-one-out on the training lines."""
_BIAS = 0.1
"""Weight of the constant feature."""
_TEMPERATURES = np.geomspace(0.05, 2.0, 60)

log = get_logger()


@dataclass(frozen=True, slots=True)
class Example:
    """A line of text with the class it belongs to."""

    text: str
    lang: str
    label: str


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`data/understanding/thresholds.json`; probabilities in 1e-4. They are part of the release."""

    accept: int
    """A class is taken at this probability or more."""
    advice: int
    """Investment advice is declined from here on: missing it costs more than declining once too often."""
    distress: int
    """Distress goes to a person from here on, whatever else is likelier."""
    clarify: int
    """A flow with at least this probability is offered when nothing reaches `accept`."""


def lines(folder: Path) -> list[Example]:
    """The examples of every `*.jsonl` in `folder`, in order of class and line.

    Raises:
        TrainingDataError: a line is not `{"text", "lang"}`.
    """
    found: list[Example] = []
    for path in sorted(folder.glob("*.jsonl")):
        for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                entry = json.loads(raw)
                example = Example(text=entry["text"].strip(), lang=entry["lang"], label=path.stem)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise TrainingDataError(f'{path.name}:{number}: expected {{"text": "…", "lang": "zh" or "en"}}') from error
            if not example.text or example.lang not in {"zh", "en"}:
                raise TrainingDataError(f"{path.name}:{number}: empty text, or a language that is neither zh nor en")
            found.append(example)
    if len({example.label for example in found}) < 2:
        raise TrainingDataError(f"{folder}: at least two classes with example lines are needed")
    return found


def thresholds(folder: Path) -> Thresholds:
    """The thresholds of `folder`.

    Raises:
        TrainingDataError: the file is missing or is not four whole numbers from 0 to 10000.
    """
    try:
        made = Thresholds(**json.loads((folder / "thresholds.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise TrainingDataError(f"{folder / 'thresholds.json'}: cannot be read as thresholds ({error})") from error
    for name in Thresholds.__slots__:
        value = getattr(made, name)
        if not isinstance(value, int) or not 0 <= value <= 10_000:
            raise TrainingDataError(f"thresholds.json: {name} has to be a whole number from 0 to 10000")
    return made


def fingerprint(folder: Path) -> str:
    """SHA-256 in hex over the training lines, the code that turns them into a classifier and the versions of its libraries."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.jsonl")):
        digest.update(f"{path.name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for module in (normalise, features, classifier):
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(Path(__file__).read_bytes())
    digest.update(f"numpy {version('numpy')} scipy {version('scipy')}".encode())
    return digest.hexdigest()


def train(examples: list[Example], name: str) -> Classifier:
    """The classifier of these lines, called `name`. Deterministic."""
    return fit(examples, name)[0]


def fit(examples: list[Example], name: str) -> tuple[Classifier, NDArray[np.float64]]:
    """The classifier, and for each line the scores (lines x classes) of one that was trained on all the others.

    Kernel ridge regression on the classes (+1 for a line's own, -1 for the others): it is solved in one step, and its exact leave-one-out
    scores come out of the same matrix, so that every line helps to calibrate and none is scored by a model that has seen it.
    """
    # Imported here: a start that finds its classifier kept does without SciPy.
    from scipy.linalg.lapack import spotrf, spotri, spotrs

    pieces, matrix, idf = _tfidf([example.text for example in examples])
    classes, wanted = np.unique([example.label for example in examples], return_inverse=True)
    targets = np.where(np.eye(len(classes), dtype=bool)[wanted], 1.0, -1.0).astype(np.float32)
    rarity = np.sqrt(len(wanted) / len(classes) / np.bincount(wanted))[wanted].astype(np.float32)
    kernel = np.asarray((matrix @ matrix.T).todense(), dtype=np.float32) + _BIAS
    kernel[np.diag_indices_from(kernel)] += _RIDGE / rarity
    factor, _ = spotrf(kernel, lower=1)
    dual, _ = spotrs(factor, targets, lower=1)
    inverse, _ = spotri(factor, lower=1)
    left_out = (targets - dual / np.diag(inverse)[:, None]).astype(np.float64)
    made = Classifier(
        fingerprint=name,
        classes=tuple(map(str, classes)),
        vocabulary={piece: index for index, piece in enumerate(pieces)},
        idf=idf,
        weights=np.asarray(matrix.T @ dual, dtype=np.float32),
        intercept=(_BIAS * dual.sum(axis=0)).astype(np.float32),
        temperature=calibrate(left_out, wanted),
    )
    return made, left_out


def _tfidf(texts: list[str]) -> tuple[list[str], csr_matrix, NDArray[np.float32]]:
    """Pieces seen in two lines or more, each line's TF-IDF vector of length one over them, and their weights."""
    from scipy.sparse import csr_matrix

    counted = [Counter(features.features(text)) for text in texts]
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


def calibrate(scores: NDArray[np.float64], wanted: NDArray[np.int64]) -> float:
    """The temperature under which the held-out scores are the likeliest (Guo et al. 2017, On Calibration of Modern Neural Networks)."""
    rows = np.arange(len(wanted))
    losses = [-np.log(np.clip(softmax(scores / t)[rows, wanted], 1e-12, 1)).mean() for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def obtain(folder: Path, cache: Path) -> Classifier:
    """The classifier of the lines in `folder`: from `cache` if one of the same fingerprint lies there, else trained and kept there."""
    name = fingerprint(folder)
    path = cache / f"understanding-{name}.npz"
    found = classifier.load(path, name)
    if found is not None:
        return found
    made = train(lines(folder), name)
    try:
        made.save(path)
    except OSError as error:
        log.warning(
            "The classifier could not be kept; the next start trains again", action="classifier_not_cached", error=str(error)
        )
    return made


@lru_cache(maxsize=4)
def obtained(folder: Path, cache: Path) -> Classifier:
    """`obtain`, once per process."""
    return obtain(folder, cache)
