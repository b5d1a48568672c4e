"""From Markdown files to passages: front matter, sections by heading, sentences. Pure but for `load_release`, which reads files.

A passage is a whole section: the smallest piece that stands alone and can be cited (docs/knowledge.md, Cutting).
"""

from __future__ import annotations

import hashlib
import re
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import yaml

from tightrope.knowledge.errors import DocumentInvalid
from tightrope.knowledge.models import LANGUAGES, TOPICS, Approval, Document, Language, Passage, Release, Section

_FRONT_MATTER = re.compile(r"\A---\n(?P<head>.*?)\n---\n(?P<body>.*)\Z", re.DOTALL)
_HEADING = re.compile(r"^##[ \t]+(?P<heading>\S.*?)[ \t]*$", re.MULTILINE)
_KEYWORDS = re.compile(r"^<!--\s*keywords:\s*(?P<words>.*?)\s*-->[ \t]*\n?", re.MULTILINE)
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_VERSION = re.compile(r"v[1-9]\d{0,5}")
_FIELDS = {"id", "version", "language", "title", "topic", "audience", "effective_from", "effective_to", "source", "approvals"}


def parse_document(raw: bytes, name: str) -> Document:
    """Read one knowledge file.

    Args:
        raw: the file's bytes, UTF-8.
        name: its file name, `<document id>.<language>.md`; must agree with the front matter.

    Raises:
        DocumentInvalid: front matter missing or wrong, no section, or an empty one.
    """
    try:
        text = raw.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DocumentInvalid(f"{name}: not UTF-8 ({error.reason} at byte {error.start})") from None
    match = _FRONT_MATTER.match(text)
    if match is None:
        raise DocumentInvalid(f"{name}: starts with no front matter between two lines of ---")
    head = _front_matter(match["head"], name)
    document = Document(
        document_id=head["id"],
        version=head["version"],
        language=head["language"],
        title=head["title"],
        topic=head["topic"],
        audience=head["audience"],
        effective_from=head["effective_from"],
        effective_to=head["effective_to"],
        source=head["source"],
        approvals=head["approvals"],
        sections=tuple(_sections(match["body"], name)),
        sha256=hashlib.sha256(raw).hexdigest(),
        raw=raw,
    )
    if document.file_name != name:
        raise DocumentInvalid(f"{name}: id and language in the front matter ask for the file name {document.file_name}")
    return document


def _front_matter(head: str, name: str) -> dict[str, Any]:
    try:
        fields = yaml.safe_load(head)
    except yaml.YAMLError as error:
        raise DocumentInvalid(f"{name}: front matter is not YAML: {error}") from None
    if not isinstance(fields, dict) or set(fields) != _FIELDS:
        found = set(fields) if isinstance(fields, dict) else set()
        missing, extra = sorted(_FIELDS - found), sorted(str(key) for key in found - _FIELDS)
        raise DocumentInvalid(f"{name}: front matter must have exactly {sorted(_FIELDS)}; missing {missing}, unknown {extra}")
    checks: tuple[tuple[str, bool, str], ...] = (
        ("id", isinstance(fields["id"], str) and bool(_ID.fullmatch(fields["id"])), "lower-case words joined by hyphens"),
        ("version", isinstance(fields["version"], str) and bool(_VERSION.fullmatch(fields["version"])), "v and a number"),
        ("language", fields["language"] in LANGUAGES, "zh or en"),
        ("title", isinstance(fields["title"], str) and bool(fields["title"].strip()), "a text"),
        ("topic", fields["topic"] in TOPICS, f"one of {', '.join(TOPICS)}"),
        ("audience", fields["audience"] in {"public", "internal"}, "public or internal"),
        ("effective_from", isinstance(fields["effective_from"], date), "a date YYYY-MM-DD"),
        ("effective_to", isinstance(fields["effective_to"], date), "a date YYYY-MM-DD"),
        ("source", isinstance(fields["source"], str) and bool(fields["source"].strip()), "a text that names the sources"),
        ("approvals", isinstance(fields["approvals"], list), "a list of {role, date}"),
    )
    for key, good, form in checks:
        if not good:
            raise DocumentInvalid(f"{name}: {key} must be {form}, found {fields[key]!r}")
    if fields["effective_from"] > fields["effective_to"]:
        raise DocumentInvalid(f"{name}: effective_from lies after effective_to")
    fields["approvals"] = tuple(_approval(item, name) for item in fields["approvals"])
    return cast("dict[str, Any]", fields)


def _approval(item: object, name: str) -> Approval:
    if (
        isinstance(item, dict)
        and set(item) == {"role", "date"}
        and isinstance(item["role"], str)
        and isinstance(item["date"], date)
    ):
        return Approval(item["role"], item["date"])
    raise DocumentInvalid(f"{name}: an approval must be {{role: text, date: YYYY-MM-DD}}, found {item!r}")


def _sections(body: str, name: str) -> list[Section]:
    parts = _HEADING.split(body)
    if parts[0].strip():
        raise DocumentInvalid(f"{name}: text stands before the first heading (##); it could not be cited")
    sections = []
    for number, (heading, rest) in enumerate(zip(parts[1::2], parts[2::2], strict=True), start=1):
        found = _KEYWORDS.search(rest)
        words = tuple(word.strip() for word in re.split(r"[,，、]", found["words"]) if word.strip()) if found else ()
        wording = _KEYWORDS.sub("", rest).strip()
        if not wording:
            raise DocumentInvalid(f"{name}: the section {heading!r} is empty")
        sections.append(Section(number, heading, wording, words))
    if not sections:
        raise DocumentInvalid(f"{name}: no section; start each with ## and a heading")
    return sections


def cut(document: Document) -> list[Passage]:
    """The passages of one document, in its order."""
    since = (
        f"{document.effective_from.isoformat()} 起生效"
        if document.language == "zh"
        else f"in force from {document.effective_from.isoformat()}"
    )
    return [
        Passage(
            passage_id=f"{document.document_id}.{document.version}.{document.language}.{section.number}",
            document_id=document.document_id,
            version=document.version,
            language=document.language,
            title=document.title,
            section=section.heading,
            number=section.number,
            effective_from=document.effective_from,
            effective_to=document.effective_to,
            context=f"{document.title} > {section.heading} ({document.version}, {since})",
            text=section.body,
            sha256=hashlib.sha256(section.body.encode()).hexdigest(),
            keywords=section.keywords,
            topic=document.topic,
        )
        for section in document.sections
    ]


def build_release(documents: list[Document]) -> Release:
    """The release over the public, approved ones among `documents`.

    Raises:
        DocumentInvalid: the same document twice, or a pair whose languages differ in version or number of sections.
    """
    chosen = sorted((d for d in documents if d.audience == "public" and d.approved), key=lambda d: (d.document_id, d.language))
    shapes: dict[str, tuple[str, int]] = {}
    seen: set[tuple[str, Language]] = set()
    for document in chosen:
        key = (document.document_id, document.language)
        if key in seen:
            raise DocumentInvalid(f"{document.file_name}: the document is there twice")
        seen.add(key)
        shape = (document.version, len(document.sections))
        if shapes.setdefault(document.document_id, shape) != shape:
            raise DocumentInvalid(f"{document.file_name}: version and number of sections must be those of the other language")
    passages = tuple(passage for document in chosen for passage in cut(document))
    digest = hashlib.sha256()
    for document in chosen:
        digest.update(
            f"{document.document_id} {document.version} {document.language} {document.effective_to} {document.source}\n".encode()
        )
    for passage in passages:
        digest.update(f"{passage.passage_id}\n{passage.content}\n{','.join(passage.keywords)}\n".encode())
    return Release(f"kb-{digest.hexdigest()[:16]}", tuple(chosen), passages)


@lru_cache(maxsize=4)
def load_release(folder: Path) -> Release:
    """Read every `*.md` of the folder (not the README) into a release; read once per process.

    Raises:
        DocumentInvalid: a file breaks the rules.
    """
    return build_release(
        [parse_document(path.read_bytes(), path.name) for path in sorted(folder.glob("*.md")) if path.name != "README.md"]
    )


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
