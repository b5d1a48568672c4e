"""Training lines and the classifier made from them.

`data/understanding/<class>.jsonl` holds `{"text", "lang"}` lines; `data/understanding/heldout/` is for evaluation and never read here. The
classifier is named by a fingerprint over lines, code and encoder. The one of this release lies beside its lines (`model.npz`, `make understanding`
makes it); of changed lines one is made in about half a minute and kept under its name in the state folder.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tightrope.infra import encoder as encoders
from tightrope.infra import vectors as kept_vectors
from tightrope.infra.encoder import Encoder
from tightrope.infra.logging import get_logger
from tightrope.infra.vectors import Vectors, none
from tightrope.understanding import classifier, features, fitting, normalise, vectors
from tightrope.understanding.classifier import Classifier
from tightrope.understanding.errors import TrainingDataError

SEARCH = "search"
OUT_OF_SCOPE = "out_of_scope"
CHITCHAT = "chitchat"
MODEL = "model.npz"

log = get_logger()


@dataclass(frozen=True, slots=True)
class Example:
    """A line of text with the class it belongs to."""

    text: str
    lang: str
    label: str
    kind: str = ""
    """What makes it hard (typos, a story, two languages), where its author says so."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`data/understanding/thresholds.json`; probabilities in 1e-4. They are part of the release."""

    accept: int
    """A class is taken at this probability or more."""
    clarify: int
    """A flow with at least this probability is offered when nothing reaches `accept`."""
    second: int
    """Of two things said in one message, each has to reach this."""
    red_lines: dict[str, int] = field(default_factory=dict)
    """Classes that are taken from a lower probability on, since missing them costs more; in the order in which they stand over each other."""
    cued: int = 10_000
    """A declined class is taken from here on where a pattern points to it as well."""


def lines(folder: Path, least: int = 2) -> list[Example]:
    """The examples of every `*.jsonl` in `folder`, in order of class and line.

    Raises:
        TrainingDataError: a line is not `{"text", "lang"}`, or there are fewer than `least` classes.
    """
    found: list[Example] = []
    for path in sorted(folder.glob("*.jsonl")):
        for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                entry = json.loads(raw)
                example = Example(entry["text"].strip(), entry["lang"], path.stem, str(entry.get("kind") or ""))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise TrainingDataError(f'{path.name}:{number}: expected {{"text": "…", "lang": "zh" or "en"}}') from error
            if not example.text or example.lang not in {"zh", "en"}:
                raise TrainingDataError(f"{path.name}:{number}: empty text, or a language that is neither zh nor en")
            found.append(example)
    if len({example.label for example in found}) < least:
        raise TrainingDataError(f"{folder}: at least two classes with example lines are needed")
    return found


def thresholds(folder: Path) -> Thresholds:
    """The thresholds of `folder`.

    Raises:
        TrainingDataError: the file is missing, or something in it is not a whole number from 0 to 10000.
    """
    path = folder / "thresholds.json"
    try:
        made = Thresholds(**json.loads(path.read_text(encoding="utf-8")))
        numbers = {name: getattr(made, name) for name in ("accept", "clarify", "second", "cued")} | dict(made.red_lines)
    except (OSError, ValueError, TypeError) as error:
        raise TrainingDataError(f"{path}: cannot be read as thresholds ({error})") from error
    for name, value in numbers.items():
        if not isinstance(value, int) or not 0 <= value <= 10_000:
            raise TrainingDataError(f"thresholds.json: {name} has to be a whole number from 0 to 10000")
    return made


def fingerprint(folder: Path, encoder: Encoder | None) -> str:
    """SHA-256 in hex over the training lines, the code that turns them into a classifier and the encoder's name."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.jsonl")):
        digest.update(f"{path.name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for module in (normalise, features, classifier, fitting, vectors, kept_vectors):
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update((encoder.name if encoder else "words alone").encode())
    return digest.hexdigest()


def train(examples: list[Example], name: str, encoder: Encoder | None = None, kept: Vectors | None = None) -> Classifier:
    """The classifier of these lines, called `name`. Deterministic."""
    return fit(examples, name, encoder, kept)[0]


def fit(
    examples: list[Example], name: str, encoder: Encoder | None = None, kept: Vectors | None = None
) -> tuple[Classifier, NDArray[np.float64]]:
    """The classifier, and for each line the scores (lines x classes) of one that was trained on all the others.

    `kept` holds vectors of lines that need not be made anew.
    """
    texts = [example.text for example in examples]
    rows = None
    if encoder is not None:
        rows, missing = vectors.gather(texts, encoder, kept or none(encoder.name))
        if missing:
            log.warning(
                "Training lines without a kept vector were encoded; `make understanding` keeps them",
                action="vectors_missing",
                lines=missing,
            )
    return fitting.fit(texts, [e.label for e in examples], [e.lang for e in examples], name, encoder, rows)


def obtain(folder: Path, cache: Path, encoder: Encoder | None = None) -> Classifier:
    """The classifier of the lines in `folder`: the one beside them or in `cache` if it is theirs, else made now and kept in `cache`."""
    name = fingerprint(folder, encoder)
    kept = vectors.load(folder, encoder.name) if encoder else None
    path = cache / f"understanding-{name}.npz"
    for place in (folder / MODEL, path):
        found = classifier.load(place, name, encoder, kept)
        if found is not None:
            return found
    examples = lines(folder)
    log.warning(
        "No classifier is kept for these lines: it is made now, which takes up to a minute; `make understanding` keeps one beside them",
        action="classifier_training",
        lines=len(examples),
    )
    made = train(examples, name, encoder, kept)
    try:
        made.save(path)
    except OSError as error:
        log.warning(
            "The classifier could not be kept; the next start trains again", action="classifier_not_cached", error=str(error)
        )
    return made


@lru_cache(maxsize=4)
def obtained(folder: Path, cache: Path) -> Classifier:
    """`obtain` with this machine's encoder, once per process."""
    return obtain(folder, cache, encoders.obtain())
