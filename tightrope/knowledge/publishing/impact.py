"""What a change of a document touches: questions whose answer it holds, acceptance cases that cite it. Pure but for `read_questions`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tightrope.knowledge.models import Release


@dataclass(frozen=True)
class Asked:
    """A labelled question of tests/golden/knowledge."""

    question_id: str
    language: str
    text: str
    answers: tuple[str, ...]
    """`<document>.<section number>`, in either language and any version."""
    place: str


@dataclass(frozen=True)
class Impact:
    """What to look at before a change is signed."""

    changed: tuple[int, ...]
    """Section numbers whose passages are new, gone or different; empty when the document is as it was published."""
    questions: tuple[Asked, ...]
    """Of the changed sections; of all, when nothing changed."""
    cases: tuple[tuple[str, str], ...]
    """Acceptance cases that cite the document: id and place."""


def changed_sections(document_id: str, old: Release | None, new: Release) -> set[int]:
    """Numbers of the sections of which a passage, in any language, is new, gone or different."""
    before = _passages(document_id, old)
    after = _passages(document_id, new)
    return {number for key, number in [*before.items(), *after.items()] if (key in before) != (key in after)}


def _passages(document_id: str, release: Release | None) -> Mapping[tuple[str, str, str], int]:
    return {
        (passage.language, passage.content, "\n".join((*passage.keywords, *passage.asked))): passage.number
        for passage in (release.passages if release else ())
        if passage.document_id == document_id
    }


def impact(
    document_id: str,
    old: Release | None,
    new: Release,
    questions: Iterable[Asked],
    cites: Iterable[tuple[str, str, Iterable[str]]],
) -> Impact:
    """What a change of one document touches.

    Args:
        old: what is published; None for nothing.
        cites: id, place and cited documents of each acceptance case.
    """
    changed = changed_sections(document_id, old, new)
    touched = {f"{document_id}.{number}" for number in changed}
    asked = [
        question
        for question in questions
        if any(answer in touched if changed else answer.rpartition(".")[0] == document_id for answer in question.answers)
    ]
    cases = [(name, place) for name, place, documents in cites if document_id in documents]
    return Impact(tuple(sorted(changed)), tuple(asked), tuple(cases))


def read_questions(folder: Path) -> list[Asked]:
    """The labelled questions of every JSONL file of the folder.

    Raises:
        ValueError: a line is not such a question; names it.
    """
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                row = json.loads(line)
                if "question" not in row:  # another kind of file: answers to judge, not questions
                    continue
                answers = tuple(row.get("answers") or ())
                found.append(Asked(row["id"], row["language"], row["question"], answers, f"{path.name}:{number}"))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ValueError(f"{path.name}:{number}: no labelled question ({error})") from None
    return found
