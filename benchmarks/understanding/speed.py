"""How long a message takes to be understood, by length and by number of journeys: `python -m benchmarks.understanding.speed`.

Wall-clock milliseconds of the whole service (rules, encoder, classifier, commands) on one core, each message new to the encoder's cache. Texts are
held-out or development lines, cut or joined to their length in tokens. More journeys are made up: classes with weights and vectors of their own.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.report import machine
from tightrope.infra.encoder import obtain
from tightrope.infra.settings import get_settings
from tightrope.understanding import training
from tightrope.understanding.api import build
from tightrope.understanding.classifier import Classifier
from tightrope.understanding.evaluate import full_offer
from tightrope.understanding.service import Understanding

RUNS = 300
LENGTHS = (
    (1, 15, "1 to 15"),
    (16, 30, "16 to 30"),
    (31, 64, "31 to 64"),
    (65, 120, "65 to 120"),
    (121, 400, "at the cap of 128"),
)
JOURNEYS = (22, 50, 100, 200)
LINES_EACH = 300
"""Training lines of a made-up journey, as the present ones have on average."""


def main() -> None:
    """Print both tables."""
    settings = get_settings()
    understanding = build(settings)
    print(f"{machine()}; load {os.getloadavg()[0]:.1f} while it ran\n")
    print("| tokens | messages | p50 ms | p99 ms | processor p50 ms |\n| --- | --- | --- | --- | --- |")
    for name, texts in by_length(settings.project_dir / "data" / "understanding"):
        print(row(name, understanding, texts))
    print("\n| journeys | training lines | p50 ms | p99 ms | classifier alone, ms |\n| --- | --- | --- | --- | --- |")
    short = dict(by_length(settings.project_dir / "data" / "understanding"))["1 to 15"]
    for journeys in JOURNEYS:
        wide = replace(understanding, classifier=widened(understanding.classifier, journeys))
        walls, _ = measured(wide, [f"{text} {journeys}" for text in short])
        assert wide.classifier.meaning is not None
        warm = time.perf_counter()
        for text in short[:50]:
            wide.classifier.probabilities(f"{text} {journeys}")
        alone = (time.perf_counter() - warm) * 1000 / 50
        count = len(wide.classifier.meaning.rows)
        print(f"| {journeys} | {count:,} | {np.percentile(walls, 50):.1f} | {np.percentile(walls, 99):.1f} | {alone:.1f} |")


def by_length(folder: Path) -> list[tuple[str, list[str]]]:
    """Messages of each length in tokens, RUNS of them, none twice."""
    encoder = obtain()
    if encoder is None:
        raise SystemExit("There is no encoder on this machine")
    lines = [example.text for name in ("heldout", "development") for example in training.lines(folder / name, least=0)]
    rng = np.random.default_rng(0)
    found: list[tuple[str, list[str]]] = []
    for low, high, name in LENGTHS:
        texts: list[str] = []
        while len(texts) < RUNS:
            text = str(rng.choice(lines))
            while tokens(encoder, text) < low:
                text += "，" + str(rng.choice(lines))
            if tokens(encoder, text) <= high:
                texts.append(text)
        found.append((name, list(dict.fromkeys(texts))))
    return found


def tokens(encoder: object, text: str) -> int:
    """Length as the encoder counts it."""
    return int(encoder._model.token_count(text, is_query=True))  # type: ignore[attr-defined]


def measured(understanding: Understanding, texts: list[str]) -> tuple[list[float], list[float]]:
    """Milliseconds of wall clock and of processor for each text."""
    offer = full_offer(set(understanding.classifier.classes))
    walls, processors = [], []
    for text in texts:
        request = offer.model_copy(update={"message": text})
        wall, processor = time.perf_counter(), time.process_time()
        understanding.understand(request)
        walls.append((time.perf_counter() - wall) * 1000)
        processors.append((time.process_time() - processor) * 1000)
    return walls, processors


def row(name: str, understanding: Understanding, texts: list[str]) -> str:
    """A line of the table."""
    walls, processors = measured(understanding, texts)
    return f"| {name} | {len(texts)} | {np.percentile(walls, 50):.1f} | {np.percentile(walls, 99):.1f} | {np.percentile(processors, 50):.1f} |"


def widened(classifier: Classifier, journeys: int) -> Classifier:
    """The classifier with made-up classes beside its own, up to that many journeys (a class that is no journey is not counted)."""
    meaning = classifier.meaning
    own = len({name.partition(".")[0] for name in classifier.classes} - {"search", "chitchat", "out_of_scope", "explain_verdict"})
    extra = journeys - own
    if extra <= 0 or meaning is None:
        return classifier
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(extra * LINES_EACH, meaning.rows.shape[1])).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    more = replace(
        meaning,
        rows=np.vstack([meaning.rows, rows]),
        keys=np.concatenate([meaning.keys, np.zeros(len(rows), dtype=np.uint64)]),
        duals=np.pad(meaning.duals, ((0, len(rows)), (0, extra))),
    )
    return replace(
        classifier,
        classes=(*classifier.classes, *(f"made_up_{number}" for number in range(extra))),
        weights=np.pad(classifier.weights, ((0, 0), (0, extra))),
        intercept=np.pad(classifier.intercept, (0, extra), constant_values=-9.0),
        meaning=more,
    )


if __name__ == "__main__":
    main()
