"""Ask every labelled question and print how it was answered, by half, language and composer, with Wilson's 95 % bounds.

    python benchmarks/knowledge/answers.py [REPORT.md]

Retrieval is the embedded server's, in memory; the composer is the extractive one. The generative composer needs a model server and is not run here:
its figures with a bad model are `make llm-verify`'s. Right: the answer quotes a passage that is labelled as answering the question.
"""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.calibration import Asked, ask, count, load_questions
from tightrope.knowledge.compose.judging import Judge
from tightrope.knowledge.models import LANGUAGES
from tightrope.knowledge.passages import load_release
from tightrope.knowledge.server.local import LocalIndex
from tightrope.knowledge.server.search import Search
from tightrope.knowledge.service import load_thresholds

COMPOSER = "extractive"


def share(hits: int, of: int) -> str:
    """Count and share with Wilson's 95 % interval."""
    if of == 0:
        return "-"
    z, p = 1.96, hits / of
    middle, half = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)
    return f"{hits} of {of}: {100 * p:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def rows(asked: Sequence[Asked]) -> Iterable[tuple[str, str]]:
    """The figures of one set of questions."""
    found = count(asked)
    advice = [one for one in asked if one.question.kind == "advice"]
    dated = [one for one in asked if one.question.kind == "out_of_date"]
    answered = [one for one in asked if one.cited]
    yield "answerable questions answered right", share(found.right, found.answerable)
    yield "answerable: asked back, the passage among the choices", share(found.asked_well, found.answerable)
    yield "answerable: asked back without it", share(found.asked_badly, found.answerable)
    yield "false refusals", share(found.false_refusal, found.answerable)
    yield "wrong or beside the point, of all asked", share(found.wrong + found.false_answer, found.asked)
    yield "wrong or beside the point, of all answers", share(found.wrong + found.false_answer, len(answered))
    unanswerable = found.asked - found.answerable
    yield "unanswerable: answered", share(found.false_answer, unanswerable)
    yield "unanswerable: asked back", share(found.idle_asking, unanswerable)
    yield "advice or forecast answered", share(sum(bool(one.cited) for one in advice), len(advice))
    yield "out of date answered", share(sum(bool(one.cited) for one in dated), len(dated))


def consistency(asked: Sequence[Asked]) -> tuple[str, str]:
    """Pairs within a group: the same passages quoted, or none in both; within a language and across."""
    same = {True: [0, 0], False: [0, 0]}
    ordered = sorted((one for one in asked if one.question.group), key=lambda one: one.question.group)
    for _, members in groupby(ordered, key=lambda one: one.question.group):
        group = list(members)
        for at, one in enumerate(group):
            for other in group[at + 1 :]:
                kind = same[one.question.language == other.question.language]
                kind[0] += one.cited == other.cited
                kind[1] += 1
    return share(*same[True]), share(*same[False])


def report() -> Iterable[str]:
    """The lines of the report."""
    release = load_release(REPOSITORY / "knowledge_base")
    thresholds = load_thresholds(REPOSITORY / "knowledge_base" / "thresholds.json")
    index, judge = LocalIndex(release, Search.here(REPOSITORY)), Judge.here(REPOSITORY, release.passages)
    yield "# Answers from the knowledge base\n"
    yield (
        f"`python benchmarks/knowledge/answers.py`, release {release.release_id}, {len(release.passages)} passages; "
        f"{platform.machine()}, {os.cpu_count()} cores, no GPU. Composer: {COMPOSER}.\n"
    )
    done = [ask(index, judge, question, thresholds) for question in load_questions(REPOSITORY / "tests" / "golden" / "knowledge")]
    for half, title in (("test", "Test half (chooses nothing)"), ("calibration", "Calibration half (in sample: it flatters)")):
        yield f"## {title}\n"
        own = {
            language: [one for one in done if (one.question.split, one.question.language) == (half, language)]
            for language in LANGUAGES
        }
        yield "| figure | zh | en |\n|---|---|---|"
        for (name, zh), (_, en) in zip(rows(own["zh"]), rows(own["en"]), strict=True):
            yield f"| {name} | {zh} | {en} |"
        within, across = consistency([*own["zh"], *own["en"]])
        yield f"\nParaphrases treated alike, pairs in one language: {within}; across languages: {across}.\n"


def main(arguments: list[str]) -> None:
    """Print the report, and write it where asked."""
    text = "\n".join(report())
    print(text)
    if arguments:
        Path(arguments[0]).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
