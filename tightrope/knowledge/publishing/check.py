"""Everything that is wrong with the knowledge base, at once: each with file, line and remedy. What is pure lies in the check_* modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

from tightrope.knowledge.errors import DocumentInvalid
from tightrope.knowledge.models import LANGUAGES, Document, Problem
from tightrope.knowledge.publishing.approvals import FOLDER, Void, key_of, read_approvals, signed
from tightrope.knowledge.publishing.check_figures import contradictions, figures_that_differ, figures_without_unit
from tightrope.knowledge.publishing.check_prompts import prompts
from tightrope.knowledge.publishing.check_wording import asked_twice, wording
from tightrope.knowledge.publishing.signers import FILE, load_signers
from tightrope.knowledge.reading import inspect

INTERNAL = "internal-"
"""How files of internal documents are called, so that nobody takes one out of sight by a slip."""


@dataclass(frozen=True)
class Checked:
    """What a folder of documents holds and what is wrong with it."""

    documents: tuple[Document, ...]
    """Those that can be read, with the approvals that count."""
    void: tuple[Void, ...]
    problems: tuple[Problem, ...]
    """By file and line."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What keeps documents from being approved and published."""
        return tuple(problem for problem in self.problems if problem.grade == "error")


def check(folder: Path, *, production: bool, day: date) -> Checked:
    """Read and check every document of a folder, and the prompts of its project.

    Args:
        production: signatures of demo keys do not count.
        day: today in Shanghai.
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.md")):
        if path.name != "README.md":
            document, found = inspect(path.read_bytes(), path.name)
            problems += found
            documents += [document] if document else []
    void: list[Void] = []
    try:
        signers = load_signers(folder / FILE, production=production)
        documents, void = signed(documents, read_approvals(folder), signers)
    except DocumentInvalid as error:
        problems.append(Problem(FILE, 1, str(error), "Nothing counts as signed until that is mended"))
    for item in void:
        problems.append(Problem(f"{FOLDER}/{item.key}.json", 1, item.reason, "Sign again or delete it", "warning"))
    problems += problems_of(documents, day)
    problems += prompts(folder.parent)
    return Checked(tuple(documents), tuple(void), tuple(sorted(problems, key=lambda p: (p.file, p.line, p.what))))


def problems_of(documents: Sequence[Document], day: date) -> Iterator[Problem]:
    """All rules over documents that can be read. Pure."""
    yield from _pairs(documents)
    yield from _dates(documents, day)
    for document in documents:
        yield from wording(document)
        yield from figures_without_unit(document)
    yield from asked_twice(documents)
    yield from figures_that_differ(documents)
    yield from contradictions([document for document in documents if document.audience == "public"])


def _pairs(documents: Iterable[Document]) -> Iterator[Problem]:
    pairs: dict[str, dict[str, Document]] = {}
    for document in documents:
        pair = pairs.setdefault(key_of(document), {})
        if document.language in pair:
            other = pair[document.language].file_name
            yield Problem(document.file_name, 2, f"the same document, version and language as {other}", "Delete one of them")
        pair[document.language] = document
    for pair in pairs.values():
        first = next(iter(pair.values()))
        for language in LANGUAGES:
            if language not in pair:
                remedy = f"Write it, with the same id and version, or bring both to one version (here {first.version})"
                yield Problem(first.file_name, 2, f"has no twin in {language}", remedy)
        if len(pair) == len(LANGUAGES):
            yield from _shape(pair["zh"], pair["en"])


def _shape(zh: Document, en: Document) -> Iterator[Problem]:
    for field in ("topic", "audience", "effective_from", "effective_to"):
        mine, other = getattr(en, field), getattr(zh, field)
        if mine != other:
            yield Problem(en.file_name, 2, f"{field} is {mine}, in {zh.file_name} {other}", "Both languages are one document")
    if len(zh.sections) != len(en.sections):
        what = f"{len(en.sections)} sections, {zh.file_name} has {len(zh.sections)}"
        yield Problem(en.file_name, 1, what, "Give both languages the same sections in the same order")


def _dates(documents: Sequence[Document], day: date) -> Iterator[Problem]:
    by_name: dict[tuple[str, str], list[Document]] = {}
    for document in documents:
        by_name.setdefault((document.document_id, document.language), []).append(document)
        if document.effective_to < day:
            what = f"ended on {document.effective_to}"
            yield Problem(document.file_name, 2, what, "Delete it or bring a new version", "warning")
        if document.audience == "internal" and not document.file_name.startswith(INTERNAL):
            what = "internal: in no release and on no page"
            yield Problem(
                document.file_name, 2, what, f"If that is meant, let the file's name begin with {INTERNAL!r}", "warning"
            )
    for versions in by_name.values():
        versions.sort(key=lambda document: (document.effective_from, document.version))
        for earlier, later in pairwise(versions):
            if earlier.effective_to >= later.effective_from and earlier.version != later.version:
                what = f"in force on the same days as {earlier.file_name}"
                yield Problem(later.file_name, 2, what, f"End {earlier.version} the day before {later.effective_from}")
