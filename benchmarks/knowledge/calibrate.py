"""Calibrate retrieval's weights and the levels of an answer on the calibration half of the labelled questions.

    python benchmarks/knowledge/calibrate.py           say how the published levels do on the calibration half
    python benchmarks/knowledge/calibrate.py --write   choose them anew, write knowledge_base/thresholds.json, then say it

benchmarks/knowledge/answers.py prints the figures of both halves; the test half is never used to choose anything.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tightrope.infra import encoder
from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.calibration import DAY, Question, ask, choose_weights, count, load_questions
from tightrope.knowledge.compose.asking import load_forms, out_of_reach, years_missing
from tightrope.knowledge.compose.judging import Judge
from tightrope.knowledge.compose.relevance import Relevance, Scale
from tightrope.knowledge.compose.vectors import KeptVectors
from tightrope.knowledge.fitting import Example, fit
from tightrope.knowledge.models import LANGUAGES, Passage, Thresholds
from tightrope.knowledge.passages import load_release
from tightrope.knowledge.server.local import LocalIndex
from tightrope.knowledge.server.search import Search
from tightrope.knowledge.service import load_thresholds

FOLDER = REPOSITORY / "knowledge_base"
UNFITTED = Scale({}, dict.fromkeys(LANGUAGES, 0), dict.fromkeys(LANGUAGES, 0))


def in_force(passage: Passage) -> bool:
    """On the day of the labels."""
    return passage.effective_from <= DAY <= passage.effective_to


def examples(index: LocalIndex, relevance: Relevance, questions: list[Question], thresholds: Thresholds) -> list[Example]:
    """What is learned from."""
    forms = load_forms(REPOSITORY / "data" / "knowledge")
    made = []
    for question in questions:
        query = relevance.query(question.question, question.language)
        found = [chunk.passage for chunk in index.retrieve(question.question, question.language, thresholds)]
        found += [passage for passage in relevance.near(query, in_force) if passage not in found]
        within = out_of_reach(question.question, question.language, forms) is None
        open_ = [within and not years_missing(question.question, passage, DAY) for passage in found]
        made.append(Example(question, found, relevance.features(query, found, in_force), open_))
    return made


def scales(
    passages: tuple[Passage, ...], half: list[Question], thresholds: Thresholds, indices: dict[str, LocalIndex]
) -> dict[str, Scale]:
    """A model with vectors, and one for machines without the encoder."""
    found = encoder.obtain()
    if found is None:
        raise SystemExit("There is no encoder on this machine: the model with vectors cannot be fitted here")
    kept = {"vectors": KeptVectors.load(REPOSITORY, found), "words": None}
    return {
        name: fit(examples(indices[name], Relevance(passages, UNFITTED, vectors), half, thresholds))
        for name, vectors in kept.items()
    }


def main(arguments: list[str]) -> None:
    """Calibrate when asked to, judge the calibration half."""
    release = load_release(FOLDER)
    path: Path = FOLDER / "thresholds.json"
    half = [q for q in load_questions(REPOSITORY / "tests" / "golden" / "knowledge") if q.split == "calibration"]
    thresholds = load_thresholds(path)
    indices = {"vectors": LocalIndex(release, Search.here(REPOSITORY)), "words": LocalIndex(release, Search(None))}
    if "--write" in arguments:
        thresholds = choose_weights(indices["vectors"], half, thresholds)
        made = scales(release.passages, half, thresholds, indices)
        kept = json.loads(path.read_text(encoding="utf-8")) | {
            "vector_weight": thresholds.vector_weight,
            "relevance": {
                name: {"answer": scale.answer, "ask": scale.ask, "weights": scale.weights} for name, scale in made.items()
            },
        }
        path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    judge = Judge.here(REPOSITORY, release.passages)
    print(f"{release.release_id}: {len(release.passages)} passages; {len(half)} questions of the calibration half")
    for language in LANGUAGES:
        print(
            language,
            judge.limits[language],
            count(ask(indices["vectors"], judge, q, thresholds) for q in half if q.language == language),
        )


if __name__ == "__main__":
    main(sys.argv[1:])
