"""What changes from one release to another, sentence by sentence, as compliance reads it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from tightrope.knowledge.models import Document, Release, Section
from tightrope.knowledge.passages import split_sentences

_FIELDS = ("version", "title", "topic", "audience", "effective_from", "effective_to", "source")


@dataclass(frozen=True)
class Change:
    """One sentence, heading or field that is new, gone or different."""

    document_id: str
    language: str
    section: int
    """0 for the document itself: its dates, title, source."""
    heading: str
    before: str
    """Empty: it is new."""
    after: str
    """Empty: it is gone."""

    @property
    def kind(self) -> Literal["added", "removed", "changed"]:
        return "added" if not self.before else "removed" if not self.after else "changed"


def diff(old: Release | None, new: Release) -> list[Change]:
    """All changes, by document, language and section."""
    before = _latest(old.documents if old else ())
    after = _latest(new.documents)
    changes: list[Change] = []
    for key in sorted(before.keys() | after.keys()):
        changes += _document(before.get(key), after.get(key))
    return changes


def _latest(documents: Iterable[Document]) -> dict[tuple[str, str, str], Document]:
    """Documents by id, language and, where several versions follow each other, version."""
    found: dict[tuple[str, str], list[Document]] = {}
    for document in documents:
        found.setdefault((document.document_id, document.language), []).append(document)
    keyed = {}
    for (name, language), versions in found.items():
        versions.sort(key=lambda document: document.effective_from)
        for place, document in enumerate(versions):  # the one in force first is compared with the one in force first
            keyed[(name, language, str(place))] = document
    return keyed


def _document(old: Document | None, new: Document | None) -> Iterator[Change]:
    one = new or old
    if one is None or (old and new and old.sha256 == new.sha256):
        return
    if old and new:
        for field in _FIELDS:
            a, b = str(getattr(old, field)), str(getattr(new, field))
            if a != b:
                yield Change(one.document_id, one.language, 0, field, a, b)
    else:
        told = f"{one.title} ({one.version}, {one.effective_from} – {one.effective_to})"
        yield Change(one.document_id, one.language, 0, "document", told if old else "", told if new else "")
    before, after = (old.sections if old else ()), (new.sections if new else ())
    for a_section, b_section in _aligned(before, after):
        yield from _section(one, a_section, b_section)


def _aligned(before: Sequence[Section], after: Sequence[Section]) -> Iterator[tuple[Section | None, Section | None]]:
    """Sections with their counterparts: by heading, then in order."""
    matcher = SequenceMatcher(a=[s.heading for s in before], b=[s.heading for s in after], autojunk=False)
    for kind, a0, a1, b0, b1 in matcher.get_opcodes():
        if kind == "equal" or a1 - a0 == b1 - b0:
            yield from zip(before[a0:a1], after[b0:b1], strict=True)
        else:
            yield from ((section, None) for section in before[a0:a1])
            yield from ((None, section) for section in after[b0:b1])


def _section(document: Document, old: Section | None, new: Section | None) -> Iterator[Change]:
    one = new or old
    if one is None:
        return

    def change(before: str, after: str) -> Change:
        return Change(document.document_id, document.language, one.number, one.heading, before, after)

    if old and new and old.heading != new.heading:
        yield change(f"## {old.heading}", f"## {new.heading}")
    if old and new and old.keywords != new.keywords:
        yield change(f"keywords: {', '.join(old.keywords)}", f"keywords: {', '.join(new.keywords)}")
    before, after = (old.asked if old else ()), (new.asked if new else ())
    yield from (change(f"asked: {line}", "") for line in before if line not in after)
    yield from (change("", f"asked: {line}") for line in after if line not in before)
    a, b = (split_sentences(old.body) if old else []), (split_sentences(new.body) if new else [])
    for kind, a0, a1, b0, b1 in SequenceMatcher(a=a, b=b, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        pairs = min(a1 - a0, b1 - b0)
        for at in range(pairs):
            yield change(a[a0 + at], b[b0 + at])
        yield from (change(sentence, "") for sentence in a[a0 + pairs : a1])
        yield from (change("", sentence) for sentence in b[b0 + pairs : b1])
    if old and new and a == b and old.body != new.body:
        yield change("layout of the section", "layout of the section, changed without a word")


def words_that_differ(before: str, after: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Both sentences in runs, each with whether the other one lacks it."""
    matcher = SequenceMatcher(a=before, b=after, autojunk=False)
    left: list[tuple[str, bool]] = []
    right: list[tuple[str, bool]] = []
    for kind, a0, a1, b0, b1 in matcher.get_opcodes():
        if a1 > a0:
            left.append((before[a0:a1], kind != "equal"))
        if b1 > b0:
            right.append((after[b0:b1], kind != "equal"))
    return left, right
