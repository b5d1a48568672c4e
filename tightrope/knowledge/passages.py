"""From documents to passages, releases and sentences. Pure but for `read_documents` and `load_release`, which read files.

A passage is a whole section: the smallest piece that stands alone and can be cited (docs/knowledge.md, Cutting).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from tightrope.knowledge.cutting import pieces
from tightrope.knowledge.errors import DocumentInvalid
from tightrope.knowledge.models import Document, Language, Passage, Release
from tightrope.knowledge.publishing.approvals import read_approvals, signed
from tightrope.knowledge.publishing.signers import FILE, load_signers
from tightrope.knowledge.reading import inspect


def parse_document(raw: bytes, name: str) -> Document:
    """Read one knowledge file; it has no approvals yet.

    Raises:
        DocumentInvalid: something is wrong with it (reading.inspect says what all).
    """
    document, problems = inspect(raw, name)
    if document is None:
        worst = next(problem for problem in problems if problem.grade == "error")
        raise DocumentInvalid(f"{name}: {worst.what} (line {worst.line}). {worst.remedy}")
    return document


def cut(document: Document) -> list[Passage]:
    """The passages of one document, in its order: a section each, or the pieces of a long one (cutting.pieces)."""
    since = (
        f"{document.effective_from.isoformat()} 起生效"
        if document.language == "zh"
        else f"in force from {document.effective_from.isoformat()}"
    )
    made = []
    for section in document.sections:
        parts = pieces(section.body)
        for at, text in enumerate(parts, start=1):
            number = f"{section.number}-{at}" if len(parts) > 1 else f"{section.number}"
            made.append(
                Passage(
                    passage_id=f"{document.document_id}.{document.version}.{document.language}.{number}",
                    document_id=document.document_id,
                    version=document.version,
                    language=document.language,
                    title=document.title,
                    section=section.heading,
                    number=section.number,
                    effective_from=document.effective_from,
                    effective_to=document.effective_to,
                    context=f"{document.title} > {section.heading} ({document.version}, {since})",
                    text=text,
                    sha256=hashlib.sha256(text.encode()).hexdigest(),
                    keywords=section.keywords,
                    asked=section.asked,
                    topic=document.topic,
                )
            )
    return made


def build_release(documents: Iterable[Document]) -> Release:
    """The release over the public, approved ones among `documents`.

    Raises:
        DocumentInvalid: the same document twice, two versions in force on one day, or a pair whose languages differ in shape.
    """
    chosen = sorted(
        (d for d in documents if d.audience == "public" and d.approved),
        key=lambda d: (d.document_id, d.effective_from, d.version, d.language),
    )
    _check_shapes(chosen)
    passages = tuple(passage for document in chosen for passage in cut(document))
    digest = hashlib.sha256()
    for document in chosen:
        # the file's hash covers its dates, topic, audience and source; they are named so that nobody has to know that
        fields = (document.document_id, document.version, document.language, document.topic, document.audience)
        dates = (document.effective_from.isoformat(), document.effective_to.isoformat())
        digest.update(" ".join((*fields, *dates, document.sha256)).encode() + b"\n")
    for passage in passages:
        digest.update(f"{passage.passage_id}\n{passage.content}\n{','.join(passage.keywords)}\n".encode())
    return Release(f"kb-{digest.hexdigest()[:16]}", tuple(chosen), passages)


def _check_shapes(chosen: Iterable[Document]) -> None:
    pairs: dict[tuple[str, str], Document] = {}
    seen: set[tuple[str, str, Language]] = set()
    last: dict[tuple[str, Language], Document] = {}
    for document in chosen:
        key = (document.document_id, document.version, document.language)
        if key in seen:
            raise DocumentInvalid(f"{document.file_name}: the document is there twice")
        seen.add(key)
        other = pairs.setdefault(key[:2], document)
        shapes = [(d.effective_from, d.effective_to, d.topic, len(d.sections)) for d in (document, other)]
        if shapes[0] != shapes[1]:
            raise DocumentInvalid(
                f"{document.file_name}: dates, topic and number of sections must be those of the other language ({other.file_name})"
            )
        before = last.get((document.document_id, document.language))
        if before is not None and before.effective_to >= document.effective_from:
            raise DocumentInvalid(f"{document.file_name}: {before.file_name} is in force on the same days; end it the day before")
        last[(document.document_id, document.language)] = document
    for document_id, version, language in seen:
        for twin in {other for name, _, other in seen if name == document_id} - {language}:
            if (document_id, version, twin) not in seen:
                raise DocumentInvalid(f"{document_id}: version {version} is there in {language} and not in the other language")


def read_documents(folder: Path, *, production: bool = False) -> list[Document]:
    """Every `*.md` of the folder (not the README), with the approvals that count.

    Raises:
        DocumentInvalid: a file breaks the rules.
    """
    names = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    documents = [parse_document(path.read_bytes(), path.name) for path in names]
    return signed(documents, read_approvals(folder), load_signers(folder / FILE, production=production))[0]


@lru_cache(maxsize=4)
def load_release(folder: Path, *, production: bool = False) -> Release:
    """The release that the files of the folder make: what is public and signed by two people. Read once per process.

    What may be quoted is the active release (publishing/store.py), not this one.

    Args:
        production: signatures of demo keys do not count.

    Raises:
        DocumentInvalid: a file breaks the rules.
    """
    return build_release(read_documents(folder, production=production))


_END_ZH = "。！？；"
_CLOSERS = "”’」』）)\"'"
_ABBREVIATIONS = re.compile(r"(?:\b(?:No|Art|Nos|Mr|Ms|Dr|Co|Ltd|Inc|vs|approx|etc|[A-Z])|\b(?:e\.g|i\.e|a\.m|p\.m|U\.S))\.$")
_LIST_MARKER = re.compile(r"^(?:[-*•]|\d{1,2}[.)、])\s+")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, each a verbatim part of it.

    A line is a boundary; list markers are left out. Full stops inside decimals, `T+1`, `No. 3` and abbreviations do not end a
    sentence; a comma never does.
    """
    sentences: list[str] = []
    for line in text.split("\n"):
        rest = _LIST_MARKER.sub("", line.strip())
        start = 0
        for at, character in enumerate(rest):
            if at + 1 < len(rest) and not _ends(rest, start, at, character):
                continue
            end = at + 1
            while end < len(rest) and rest[end] in _CLOSERS:
                end += 1
            if end <= start:
                continue
            sentence = rest[start:end].strip()
            if sentence:
                sentences.append(sentence)
            start = end
    return sentences


def _ends(text: str, start: int, at: int, character: str) -> bool:
    if character in _END_ZH:
        return True
    if character not in ".!?;":
        return False
    after = text[at + 1 :].lstrip(_CLOSERS)
    if after and not after[0].isspace():
        return False
    return not (character == "." and _ABBREVIATIONS.search(text[start : at + 1]))
