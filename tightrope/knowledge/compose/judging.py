"""Relevance and decision as one step, with its data: what stands between retrieval and the composers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from tightrope.infra import encoder
from tightrope.infra.logging import get_logger
from tightrope.knowledge.compose.asking import QuestionForm, load_forms
from tightrope.knowledge.compose.decide import Answerable, Limits, decide
from tightrope.knowledge.compose.relevance import Relevance, Scale
from tightrope.knowledge.compose.vectors import KeptVectors
from tightrope.knowledge.models import LANGUAGES, Chunk, Language, NoAnswer, Passage, Release

log = get_logger()


@dataclass(frozen=True)
class Judge:
    """Decides on what was found."""

    relevance: Relevance
    limits: Mapping[Language, Limits]
    forms: tuple[QuestionForm, ...]

    def decide(
        self,
        question: str,
        language: Language,
        chunks: Sequence[Chunk],
        *,
        day: date,
        withdrawn: Collection[tuple[str, str]] = frozenset(),
    ) -> Answerable | NoAnswer:
        """See `decide.decide`; takes the encoder's time for the question.

        Args:
            chunks: what retrieval found. What customers' questions lead to is judged beside it, if it is in force.
            withdrawn: documents with versions that may not be quoted.
        """
        judged = self.judged(question, language, chunks, day=day, withdrawn=withdrawn)
        return decide(question, language, judged, self.limits[language], self.forms, day=day)

    def judged(
        self,
        question: str,
        language: Language,
        chunks: Sequence[Chunk],
        *,
        day: date,
        withdrawn: Collection[tuple[str, str]] = frozenset(),
    ) -> tuple[Chunk, ...]:
        """What retrieval and customers' questions found in this language, with the confidence that it answers, best first."""

        def allowed(passage: Passage) -> bool:
            in_force = passage.effective_from <= day <= passage.effective_to
            return in_force and (passage.document_id, passage.version) not in withdrawn

        query = self.relevance.query(question, language)
        found = [chunk for chunk in chunks if chunk.passage.language == language]
        seen = {chunk.passage.passage_id for chunk in found}
        near = self.relevance.near(query, allowed)
        found += [Chunk(passage, 0.0, 0.0, 0.0) for passage in near if passage.passage_id not in seen]
        return self.relevance.judge(query, found, allowed)

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


class Judges:
    """The judge of each release, made when it is first asked for (some three seconds) and kept for the last two: a switch is under way at most between these.

    Raises:
        ValueError: the levels or the forms of questions are missing or break their form.
    """

    def __init__(self, project: Path) -> None:
        self._project = project
        self._lock = Lock()
        self._made: dict[str, Judge] = {}
        self._making: dict[str, Lock] = {}
        Judge.here(project, ())

    def __call__(self, release: Release) -> Judge:
        """The judge of this release's passages. While one is made, answers from another release do not wait."""
        with self._lock:
            if (judge := self._kept(release)) is not None:
                return judge
            making = self._making.setdefault(release.release_id, Lock())
        with making:
            with self._lock:
                if (judge := self._kept(release)) is not None:
                    return judge
            judge = Judge.here(self._project, release.passages)
            if judge.relevance.unkept:
                log.error(
                    "questions in customers' words have no vector and lead nowhere: run `make knowledge` for this release's documents",
                    action="knowledge_questions_unkept",
                    release=release.release_id,
                    questions=judge.relevance.unkept,
                )
            with self._lock:
                self._made[release.release_id] = judge
                self._making.pop(release.release_id, None)
                for oldest in list(self._made)[:-2]:
                    del self._made[oldest]
            return judge

    def _kept(self, release: Release) -> Judge | None:
        """If it is, from now on the one asked for last."""
        judge = self._made.pop(release.release_id, None)
        if judge is not None:
            self._made[release.release_id] = judge
        return judge


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
