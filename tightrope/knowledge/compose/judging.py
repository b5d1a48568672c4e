"""Relevance and decision as one step, with its data: what stands between retrieval and the composers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from tightrope.infra import encoder
from tightrope.knowledge.compose.asking import QuestionForm, load_forms
from tightrope.knowledge.compose.decide import Answerable, Limits, decide
from tightrope.knowledge.compose.relevance import Relevance, Scale
from tightrope.knowledge.compose.vectors import KeptVectors
from tightrope.knowledge.models import LANGUAGES, Chunk, Language, NoAnswer, Passage


@dataclass(frozen=True)
class Judge:
    """Decides on what was found."""

    relevance: Relevance
    limits: Mapping[Language, Limits]
    forms: tuple[QuestionForm, ...]

    def decide(self, question: str, language: Language, chunks: Sequence[Chunk], *, day: date) -> Answerable | NoAnswer:
        """See `decide.decide`; takes the encoder's time for the question."""
        own = [chunk for chunk in chunks if chunk.passage.language == language]
        return decide(question, language, self.relevance.judge(question, own), self.limits[language], self.forms, day=day)

    @classmethod
    def here(cls, project: Path, passages: Sequence[Passage]) -> Judge:
        """With this process's encoder, and the vectors, levels and forms that the project keeps.

        Raises:
            ValueError: the data is missing or breaks its form.
        """
        found = encoder.obtain()
        scales, near = load_scales(project / "knowledge_base" / "thresholds.json")
        scale = scales["words" if found is None else "vectors"]
        relevance = Relevance(passages, scale, None if found is None else KeptVectors.load(project, found))
        return cls(relevance, limits(scale, near), load_forms(project / "data" / "knowledge"))


def limits(scale: Scale, near: int) -> dict[Language, Limits]:
    """The levels by language."""
    return {language: Limits(scale.answer[language], scale.ask[language], near) for language in LANGUAGES}


@lru_cache(maxsize=4)
def load_scales(path: Path) -> tuple[dict[str, Scale], int]:
    """The models `vectors` and `words` of `knowledge_base/thresholds.json`, and when two passages are equally near.

    Raises:
        ValueError: a level or weight is missing or no whole number.
    """
    raw = orjson.loads(path.read_bytes())
    try:
        return {name: _scale(raw["relevance"][name]) for name in ("vectors", "words")}, int(raw["near"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name}: {error} is missing; benchmarks/knowledge/calibrate.py makes the file") from None


def _scale(raw: dict[str, Any]) -> Scale:
    if not all(isinstance(value, int) for part in ("weights", "answer", "ask") for value in raw[part].values()):
        raise ValueError("thresholds.json: every weight and level of `relevance` must be a whole number of 1e-4")
    return Scale(raw["weights"], {one: raw["answer"][one] for one in LANGUAGES}, {one: raw["ask"][one] for one in LANGUAGES})
