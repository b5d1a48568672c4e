"""Calibrate the answer threshold and print how both halves of the labelled questions fare.

    python benchmarks/knowledge/calibrate.py           judge the thresholds in knowledge_base/thresholds.json
    python benchmarks/knowledge/calibrate.py --write   choose them anew on the calibration half, write them, then judge

Questions and documents were written by the same hand, so the figures flatter; the test half is never used to choose anything.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.calibration import LocalIndex, Outcome, Question, calibrate, judge
from tightrope.knowledge.models import LANGUAGES
from tightrope.knowledge.passages import load_release
from tightrope.knowledge.server.search import Search
from tightrope.knowledge.service import load_thresholds

FOLDER = REPOSITORY / "knowledge_base"
QUESTIONS = REPOSITORY / "tests" / "golden" / "knowledge" / "questions.jsonl"


def interval(hits: int, of: int) -> str:
    """Share with Wilson's 95 % interval."""
    if of == 0:
        return "-"
    z, p = 1.96, hits / of
    middle, half = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)
    return f"{hits}/{of} = {100 * p:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def show(name: str, outcome: Outcome) -> None:
    """One line of the table."""
    answerable = outcome.right + outcome.wrong + outcome.false_refusals
    unanswerable = outcome.false_answers + outcome.correct_refusals
    print(f"{name:<16} right {interval(outcome.right, answerable)}   beside the point {interval(outcome.wrong, answerable)}")
    print(f"{'':<16} refused though answerable {interval(outcome.false_refusals, answerable)}")
    print(f"{'':<16} answered though unanswerable {interval(outcome.false_answers, unanswerable)}")


def main(arguments: list[str]) -> None:
    """Read the questions, calibrate when asked to, judge."""
    release = load_release(FOLDER)
    index = LocalIndex(release, Search.here(REPOSITORY))
    questions = [Question.read(json.loads(line)) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    path: Path = FOLDER / "thresholds.json"
    thresholds = load_thresholds(path)
    if "--write" in arguments:
        thresholds = calibrate(index, questions, thresholds)
        kept = json.loads(path.read_text(encoding="utf-8")) | {
            "similarity": thresholds.similarity,
            "vector_weight": thresholds.vector_weight,
        }
        path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    print(
        f"{release.release_id}: {len(release.documents)} files, {len(release.passages)} passages; {len(questions)} questions; 1e-4 units"
    )
    print(f"thresholds {thresholds.similarity}, weight of n-grams {thresholds.vector_weight}")
    for split in ("calibration", "test"):
        for language in LANGUAGES:
            show(
                f"{split} {language}",
                judge(index, [q for q in questions if q.split == split and q.language == language], thresholds),
            )


if __name__ == "__main__":
    main(sys.argv[1:])
