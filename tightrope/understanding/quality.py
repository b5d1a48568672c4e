"""What a class of lines is worth, for who writes them: how its own lines are routed, and which lines of others it takes.

Each training line is routed by a classifier that was trained on all the others (leave-one-out), with rules and thresholds as in
service, so that the figures say something of wordings that nobody has written down. Of other classes a part of the lines is taken, and of the
held-out lines too (`evaluate.part`). Those are counted and never shown: who learns from them spoils them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tightrope.infra import encoder as encoders
from tightrope.understanding import slots, vectors
from tightrope.understanding.classifier import Classifier, softmax
from tightrope.understanding.errors import TrainingDataError
from tightrope.understanding.evaluate import full_offer, outcome, part
from tightrope.understanding.models import Request, line
from tightrope.understanding.normalise import folded
from tightrope.understanding.service import Understanding
from tightrope.understanding.training import Example, Thresholds, fit, lines, thresholds

ENOUGH = 60
"""Lines a language that the classes of this project have; with fewer, new wordings are missed more often."""
START = 10
"""Lines a language with which a class may start."""
SAMPLED = 75
"""Lines a language that other classes are measured with: training on all would take minutes, and an author waits."""


@dataclass(frozen=True, slots=True)
class Routed:
    """A line that went elsewhere than it should: the class it belongs to and the commands that it led to."""

    text: str
    label: str
    commands: str


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out lines of other classes: how many there are, how many of them were routed, and the shares right without this class and with it."""

    total: int
    routed: int
    without: float
    with_it: float


@dataclass(frozen=True, slots=True)
class Quality:
    """One class.

    Attributes:
        lines: of the class, by language.
        outcomes: of its own lines: `right`, `asked` (it is among what is offered), `nothing`, `wrong`.
        strays: its own lines that are not routed right.
        taken: lines of other classes (training and development) that are routed right without this class, and with it to it.
        moved: how many more of them change from right to wrong with it, and from wrong to right: near ties that fall the other way.
        heldout: what the class does to held-out lines; None where there are none.
        names: for each text that was asked about, the commands that it leads to.
    """

    label: str
    lines: Counter[str]
    outcomes: Counter[str]
    strays: tuple[Routed, ...]
    taken: tuple[Routed, ...]
    moved: tuple[int, int]
    heldout: HeldOut | None
    names: dict[str, str]

    @property
    def recall(self) -> float:
        """Share of its own lines that are routed right."""
        return self.outcomes["right"] / max(1, sum(self.outcomes.values()))


@dataclass(frozen=True, slots=True)
class _LeftOut(Classifier):
    """Knows for each training line the probabilities that the others alone would give it."""

    rows: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def probabilities(self, text: str) -> dict[str, float]:
        row = self.rows.get(text)
        scores = self.scores(text) if row is None else row
        return dict(zip(self.classes, softmax(scores).tolist(), strict=True))


def _fitted(examples: list[Example], limits: Thresholds, folder: Path) -> Understanding:
    encoder = encoders.obtain()
    made, left_out = fit(examples, "quality", encoder, vectors.load(folder, encoder.name) if encoder else None)
    rows = {folded(example.text): row for example, row in zip(examples, left_out, strict=True)}
    known = {name: getattr(made, name) for name in Classifier.__slots__}
    return Understanding(_LeftOut(**known, rows=rows), limits, slots.load(folder))


def measure(folder: Path, label: str, names: Sequence[str] = ()) -> Quality:
    """The quality of the class `label` in a folder of lines such as data/understanding; `names` are texts to route beside it.

    Raises:
        TrainingDataError: a line is not of the documented form, or there is no such class.
    """
    examples = _sampled(lines(folder), label)
    if label not in {example.label for example in examples}:
        raise TrainingDataError(f"{folder / label}.jsonl has no lines")
    limits = thresholds(folder)
    others = [example for example in examples if example.label != label]
    with_it, without = _fitted(examples, limits, folder), _fitted(others, limits, folder)
    own = [(example, *_route(with_it, example)) for example in examples if example.label == label]
    seen = [*others, *_held(folder / "development", label)]
    taken: list[Routed] = []
    worse = better = 0
    for example in seen:
        (now, commands), before = _route(with_it, example), _route(without, example)[0]
        if before == "right" != now and label.partition(".")[0] in commands.replace(";", " ").split():
            taken.append(Routed(example.text, example.label, commands))
        elif now != before and "right" in {now, before}:
            worse, better = worse + (before == "right"), better + (now == "right")
    return Quality(
        label,
        Counter(example.lang for example, _, _ in own),
        Counter(found for _, found, _ in own),
        tuple(Routed(example.text, label, commands) for example, found, commands in own if found != "right"),
        tuple(taken),
        (worse, better),
        _heldout(_held(folder / "heldout", label), without, with_it),
        {name: _route(_seen(with_it), Example(name, "", label))[1] for name in names},
    )


def _sampled(examples: list[Example], label: str) -> list[Example]:
    """All lines of the class, and of the others at most SAMPLED a language, spread over their files."""
    groups: dict[tuple[str, str], list[Example]] = {}
    for example in examples:
        groups.setdefault((example.label, example.lang), []).append(example)
    return [
        example
        for (name, _), found in groups.items()
        for example in (found if name == label else found[:: 1 + (len(found) - 1) // SAMPLED])
    ]


def _seen(understanding: Understanding) -> Understanding:
    """The same as it is served: trained on every line, those that are asked about too."""
    found = understanding.classifier
    return replace(understanding, classifier=replace(found, rows={})) if isinstance(found, _LeftOut) else understanding


def _held(folder: Path, label: str) -> list[Example]:
    return [example for example in lines(folder, least=0) if example.label != label]


def _heldout(examples: list[Example], without: Understanding, with_it: Understanding) -> HeldOut | None:
    routed = part(examples)
    return HeldOut(len(examples), len(routed), _share(without, routed), _share(with_it, routed)) if routed else None


def _route(understanding: Understanding, example: Example) -> tuple[str, str]:
    offer: Request = full_offer(set(understanding.classifier.classes)).model_copy(update={"message": example.text})
    commands = understanding.understand(offer).commands
    return outcome(commands, example.label), "; ".join(line(command) for command in commands)


def _share(understanding: Understanding, examples: list[Example]) -> float:
    return sum(_route(understanding, example)[0] == "right" for example in examples) / len(examples)
