"""Rules for the wording of one document: passages that are short enough, sentences that stand alone, keywords, questions asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
    """Passages over MAX_TOKENS, sentences that lean on another one, sections without keywords or questions."""
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
        if not section.asked and document.audience == "public":
            what = f"the section {section.heading!r} has no questions in customers' words"
            remedy = (
                "Add <!-- asked: with four or more below, one a line (README.md): without them it is found by its own words alone"
            )
            yield Problem(document.file_name, section.line, what, remedy, "warning")
        for sentence in split_sentences(section.body):
            found = _LEANS[document.language].match(sentence)
            if found:
                what = f"a sentence starts with {found[0]!r} and does not stand alone: {shown(sentence)}"
                yield Problem(document.file_name, line_of(lines, section, sentence), what, "Name what it is about")


def asked_twice(documents: Sequence[Document]) -> Iterator[Problem]:
    """The same question, but for spaces and marks, below two sections of one language: it says of neither that it is meant."""
    seen: dict[tuple[Language, str], list[tuple[Document, Section]]] = {}
    for document in documents:
        for section in document.sections if document.audience == "public" else ():
            for question in section.asked:
                holders = seen.setdefault((document.language, _bare(question)), [])
                claimed = [(other, there) for other, there in holders if _overlap(other, document)]
                holders.append((document, section))
                if not claimed:
                    continue
                before, there = claimed[0]
                lines = document.raw.decode().replace("\r\n", "\n").split("\n")
                what = f"the question {shown(question)} stands below {there.heading!r} of {before.file_name} too"
                remedy = "Leave it where it is answered best"
                yield Problem(document.file_name, line_of(lines, section, question), what, remedy, "warning")


def _bare(question: str) -> str:
    return "".join(character for character in question.casefold() if character.isalnum())


def _overlap(one: Document, other: Document) -> bool:
    """Versions that follow each other may ask alike."""
    return one.effective_from <= other.effective_to and other.effective_from <= one.effective_to


def line_of(lines: list[str], section: Section, sentence: str) -> int:
    """The line on which a sentence of a section stands, from 1."""
    for number in range(section.line, len(lines)):
        if sentence in lines[number]:
            return number + 1
    return section.line


def shown(sentence: str, width: int = 60) -> str:
    """A sentence short enough for a message."""
    return sentence if len(sentence) <= width else sentence[: width - 1] + "…"
