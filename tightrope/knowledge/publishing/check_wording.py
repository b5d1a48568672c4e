"""Rules for the wording of one document: passages that are short enough, sentences that stand alone, keywords. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tightrope.knowledge.cutting import MAX_TOKENS, count_tokens
from tightrope.knowledge.models import Document, Language, Problem, Section
from tightrope.knowledge.passages import cut, split_sentences

_LEANS: Final[dict[Language, re.Pattern[str]]] = {
    "zh": re.compile(r"这|此(?!外)|上述|前述|如上|以上|该|其(?!他|它|余|中)|它|否则|但是|因此|同时，"),
    "en": re.compile(
        r"(?:This|These|Those|That|It|Its|They|Their|Such|(?:The )?[Aa]bove|The former|The latter|Otherwise|However|Therefore)\b"
    ),
}
"""Words at the start of a sentence that point to one before it; quoted alone, nobody knows what they point to."""


def wording(document: Document) -> Iterator[Problem]:
    """Passages over MAX_TOKENS, sentences that lean on another one, sections without keywords."""
    lines = document.raw.decode().replace("\r\n", "\n").split("\n")
    for passage in cut(document):
        tokens = count_tokens(passage.content)
        if tokens > MAX_TOKENS:
            line = next(section.line for section in document.sections if section.number == passage.number)
            what = f"about {tokens} tokens in one passage ({passage.section}); at most {MAX_TOKENS}"
            yield Problem(document.file_name, line, what, "Give a part of it a heading of its own")
    for section in document.sections:
        if not section.keywords:
            what = f"the section {section.heading!r} has no keywords"
            yield Problem(document.file_name, section.line, what, "Add <!-- keywords: … --> with customers' words", "warning")
        for sentence in split_sentences(section.body):
            found = _LEANS[document.language].match(sentence)
            if found:
                what = f"a sentence starts with {found[0]!r} and does not stand alone: {shown(sentence)}"
                yield Problem(document.file_name, line_of(lines, section, sentence), what, "Name what it is about")


def line_of(lines: list[str], section: Section, sentence: str) -> int:
    """The line on which a sentence of a section stands, from 1."""
    for number in range(section.line, len(lines)):
        if sentence in lines[number]:
            return number + 1
    return section.line


def shown(sentence: str, width: int = 60) -> str:
    """A sentence short enough for a message."""
    return sentence if len(sentence) <= width else sentence[: width - 1] + "…"
