"""One Markdown file of the knowledge base: front matter and sections, or everything that is wrong with them, each with its line. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import yaml

from tightrope.knowledge.models import LANGUAGES, TOPICS, Document, Problem, Section

_FRONT_MATTER = re.compile(r"\A---\n(?P<head>.*?)\n---\n(?P<body>.*)\Z", re.DOTALL)
_HEADING = re.compile(r"^##[ \t]+(?P<heading>\S.*?)[ \t]*$", re.MULTILINE)
_KEYWORDS = re.compile(r"^<!--\s*keywords:\s*(?P<words>.*?)\s*-->[ \t]*\n?", re.MULTILINE)
_ASKED = re.compile(r"^<!--\s*asked:[ \t]*\n(?P<lines>.*?)\n?[ \t]*-->[ \t]*\n?", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--|-->")
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_VERSION = re.compile(r"v[1-9]\d{0,5}")
_FIELDS = {"id", "version", "language", "title", "topic", "audience", "effective_from", "effective_to", "source"}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same rules, ten times as fast where libyaml is there


def inspect(raw: bytes, name: str) -> tuple[Document | None, list[Problem]]:
    """Read one knowledge file.

    Args:
        raw: the file's bytes, UTF-8.
        name: its file name; must agree with the front matter.

    Returns:
        The document without approvals, or None when a problem is an error; and all problems found.
    """
    try:
        text = raw.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        return None, [Problem(name, 1, f"not UTF-8 ({error.reason} at byte {error.start})", "Save it as UTF-8")]
    match = _FRONT_MATTER.match(text)
    if match is None:
        return None, [Problem(name, 1, "starts with no front matter between two lines of ---", "See knowledge_base/README.md")]
    fields, problems = _front_matter(match["head"], name)
    sections, more = _sections(match["body"], name, text[: match.start("body")].count("\n") + 1)
    problems += more
    if fields is None or any(problem.grade == "error" for problem in problems):
        return None, problems
    document = Document(
        **fields, file_name=name, approvals=(), sections=sections, sha256=hashlib.sha256(raw).hexdigest(), raw=raw
    )
    plain = f"{document.document_id}.{document.language}.md"
    versioned = f"{document.document_id}.{document.version}.{document.language}.md"
    if name not in {plain, versioned}:
        wanted = f"id and language in the front matter ask for the file name {plain} (or {versioned})"
        return None, [*problems, Problem(name, 2, wanted, "Rename the file or mend the front matter")]
    return document, problems


def _front_matter(head: str, name: str) -> tuple[dict[str, Any] | None, list[Problem]]:
    def line_of(key: str) -> int:
        found = re.search(rf"^{re.escape(key)}\s*:", head, re.MULTILINE)
        return 2 + head[: found.start()].count("\n") if found else 1

    try:
        fields = yaml.load(head, Loader=_LOADER)  # noqa: S506 - a safe loader, see above
    except ValueError as error:
        return None, [Problem(name, _odd_date(head), f"a date is none: {error}", "Write a day that exists, YYYY-MM-DD")]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = f"front matter is not YAML: {getattr(error, 'problem', None) or error}"
        return None, [Problem(name, 2 + (mark.line if mark else 0), what, "Quote values that hold a colon")]
    problems = []
    if isinstance(fields, dict) and "approvals" in fields:
        what = "approvals in the front matter count for nothing"
        problems.append(Problem(name, line_of("approvals"), what, "Delete them; `tightrope kb approve` signs", "warning"))
        fields.pop("approvals")
    if not isinstance(fields, dict) or set(fields) != _FIELDS:
        found = set(fields) if isinstance(fields, dict) else set()
        missing, extra = sorted(_FIELDS - found), sorted(str(key) for key in found - _FIELDS)
        what = f"front matter must have exactly {sorted(_FIELDS)}; missing {missing}, unknown {extra}"
        return None, [*problems, Problem(name, line_of(extra[0]) if extra else 1, what, "Add or delete those lines")]
    for key, good, form in _field_rules(fields):
        if not good:
            problems.append(Problem(name, line_of(key), f"{key} must be {form}, found {fields[key]!r}", "Mend that line"))
    if not problems and fields["effective_from"] > fields["effective_to"]:
        what = "effective_from lies after effective_to"
        problems.append(Problem(name, line_of("effective_from"), what, "Mend one of the two dates"))
    fields["document_id"] = fields.pop("id")
    return fields, problems


def _odd_date(head: str) -> int:
    """Line of the first date that no calendar has."""
    for number, line in enumerate(head.split("\n"), start=2):
        for year, month, day in re.findall(r"(\d{4})-(\d\d)-(\d\d)", line):
            try:
                date(int(year), int(month), int(day))
            except ValueError:
                return number
    return 1


def _field_rules(fields: dict[str, Any]) -> tuple[tuple[str, bool, str], ...]:
    def text(key: str) -> bool:
        return isinstance(fields[key], str) and bool(fields[key].strip())

    return (
        ("id", text("id") and bool(_ID.fullmatch(fields["id"])), "lower-case words joined by hyphens"),
        ("version", text("version") and bool(_VERSION.fullmatch(fields["version"])), "v and a number"),
        ("language", fields["language"] in LANGUAGES, "zh or en"),
        ("title", text("title"), "a text"),
        ("topic", fields["topic"] in TOPICS, f"one of {', '.join(TOPICS)}"),
        ("audience", fields["audience"] in {"public", "internal"}, "public or internal"),
        ("effective_from", type(fields["effective_from"]) is date, "a date YYYY-MM-DD"),
        ("effective_to", type(fields["effective_to"]) is date, "a date YYYY-MM-DD"),
        ("source", text("source"), "a text that names the sources"),
    )


def _questions(rest: str) -> Iterator[str]:
    """Customers' questions of a section, each once; a list's hyphen is none of theirs."""
    found = (text.strip().removeprefix("- ").strip() for asked in _ASKED.finditer(rest) for text in asked["lines"].split("\n"))
    yield from dict.fromkeys(text for text in found if text)


def _sections(body: str, name: str, first: int) -> tuple[tuple[Section, ...], list[Problem]]:
    """The sections of a body whose first line is the file's line `first`."""
    heads = list(_HEADING.finditer(body))
    before = body[: heads[0].start()] if heads else body
    problems = []
    if before.strip():
        what = "text stands before the first heading (##); it could not be cited"
        problems.append(Problem(name, first, what, "Put a heading above it"))
    elif not heads:
        problems.append(Problem(name, first, "no section", "Start each with ## and a heading"))
    sections = []
    for number, head in enumerate(heads, start=1):
        rest = body[head.end() : heads[number].start() if number < len(heads) else len(body)]
        line = first + body[: head.start()].count("\n")
        found = _KEYWORDS.search(rest)
        words = tuple(word.strip() for word in re.split(r"[,，、]", found["words"]) if word.strip()) if found else ()
        rest = _KEYWORDS.sub("", rest)
        lines = tuple(_questions(rest))
        wording = _ASKED.sub("", rest).strip()
        if _COMMENT.search(wording) or any(_COMMENT.search(text) for text in lines):
            what = f"the section {head['heading']!r} holds a comment that is neither keywords nor asked, or one that does not end"
            problems.append(Problem(name, line, what, "Mend it: what is not read as a comment would be quoted"))
        if not wording:
            problems.append(Problem(name, line, f"the section {head['heading']!r} is empty", "Write it or delete the heading"))
        sections.append(Section(number, head["heading"], wording, words, lines, line))
    return tuple(sections), problems
