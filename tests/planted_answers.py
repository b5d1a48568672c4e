"""Drafts with one planted error each, and faithful ones, over real passages; the same seed makes the same drafts.

An error is one by construction, never by what the gate says of it (planted_errors.py). Left out beforehand is what would still be true: figures swapped
within a list, a graft that stands in the cited passage, a name that is there already.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import planted_errors
from planted_errors import Base

from tightrope.knowledge.models import Citation, Draft, Language, Mode, Passage, Release, Sentence
from tightrope.knowledge.passages import split_sentences

KINDS = ("number", "unit", "negation", "condition", "version", "blend", "name")
MODES: tuple[Mode, ...] = ("verbatim", "paraphrase")
DAY = date(2026, 11, 20)


@dataclass(frozen=True)
class Case:
    """A draft, what stands behind its numbers, and what is wrong with it (nothing: faithful)."""

    kind: str
    draft: Draft
    sources: dict[int, Passage]

    @property
    def language(self) -> Language:
        return self.draft.language

    @property
    def mode(self) -> Mode:
        return self.draft.mode


def draft(passage: Passage, text: str, quote: str, mode: Mode, *, cited: Passage | None = None) -> Draft:
    """A draft of one sentence."""
    sentence = Sentence(text, 1, quote=quote if mode == "paraphrase" else "")
    return Draft((sentence,), (Citation(1, cited or passage),), passage.language, mode=mode)


def bases(release: Release, faithful: Path) -> tuple[list[Base], list[Base]]:
    """Every sentence of the release in force, and the paraphrases written by hand."""
    by_id = {passage.passage_id: passage for passage in release.passages if passage.effective_from <= DAY <= passage.effective_to}
    own = [Base(passage, text, text) for passage in by_id.values() for text in split_sentences(passage.text)]
    lines = (json.loads(line) for line in faithful.read_text(encoding="utf-8").splitlines())
    written = [Base(by_id[line["passage"]], line["quote"], line["text"]) for line in lines]
    for base in written:
        if base.quote not in split_sentences(base.passage.text):
            raise ValueError(
                f"{base.passage.passage_id} no longer says {base.quote!r}: mend or remove the line in {faithful.name}"
            )
    return own, written


_CHANGES: dict[str, Callable[[Base, random.Random], str | None]] = {
    "number": planted_errors.number,
    "unit": planted_errors.unit,
    "negation": planted_errors.negation,
    "condition": planted_errors.condition,
    "name": planted_errors.name,
}


class Planter:
    """Makes drafts over the sentences of a release.

    Args:
        own: every sentence of the release, as itself.
        written: the same in words written by hand.
    """

    def __init__(self, own: Sequence[Base], written: Sequence[Base], seed: int) -> None:
        self._own, self._written, self._rng = own, written, random.Random(seed)

    def planted(self, kind: str, mode: Mode) -> Case:
        """A draft with an error of this kind."""
        while True:
            by_hand = mode == "paraphrase" and self._rng.random() < 0.4
            base = self._rng.choice(self._written if by_hand else self._own)
            case = self._version(base, mode) if kind == "version" else self._case(kind, base, mode)
            if case is not None:
                return case

    def _case(self, kind: str, base: Base, mode: Mode) -> Case | None:
        changed = self._blend(base) if kind == "blend" else _CHANGES[kind](base, self._rng)
        if changed is None or changed in (base.text, base.quote) or changed in split_sentences(base.passage.text):
            return None
        return Case(kind, draft(base.passage, changed, base.quote, mode), {1: base.passage})

    def _blend(self, base: Base) -> str | None:
        """The first half of one sentence and the second half of another document's; or that other sentence as a whole."""
        other = self._rng.choice(self._own)
        if other.passage.document_id == base.passage.document_id or other.passage.language != base.passage.language:
            return None
        if self._rng.random() < 0.2:
            return None if other.text in base.passage.text else other.text
        halves = [re.split(r"(?<=[，；,;])", side.text) for side in (base, other)]
        if min(map(len, halves)) > 1:
            head, tail = halves[0][0], "".join(halves[1][1:])
        else:
            head, tail = base.text[: len(base.text) // 2], other.text[len(other.text) // 2 :]
            if base.passage.language == "en":
                head, tail = base.text[: base.text.rfind(" ", 0, len(head) + 1) + 1], tail[tail.find(" ") + 1 :]
        return None if len(tail) < 8 or tail.strip(" 。.") in base.passage.text else head + tail

    def _version(self, base: Base, mode: Mode) -> Case | None:
        """An older version's sentence under the new version's name, the old version itself, or a passage out of force."""
        passage = base.passage
        way = self._rng.randrange(4)
        if way == 0:  # out of force
            old = replace(passage, effective_to=DAY - timedelta(days=1))
            return Case("version", draft(old, base.text, base.quote, mode), {1: old})
        if way == 1:  # not yet
            new = replace(passage, effective_from=DAY + timedelta(days=1))
            return Case("version", draft(new, base.text, base.quote, mode), {1: new})
        changed = planted_errors.number(Base(passage, base.quote, base.quote), self._rng)
        if changed is None or base.quote not in passage.text:
            return None
        number = int(passage.version.removeprefix("v")) + 1
        newer = replace(
            passage,
            version=f"v{number}",
            passage_id=passage.passage_id.replace(passage.version, f"v{number}", 1),
            text=passage.text.replace(base.quote, changed),
        )
        if base.quote in split_sentences(newer.text):
            return None
        cited = passage if way == 2 else newer  # the citation shown is the old one; or the new one, which no longer says it
        return Case("version", draft(newer, base.text, base.quote, mode, cited=cited), {1: newer})

    def planted_all(self, per_cell: int) -> Iterator[Case]:
        """So many of every kind in every mode."""
        for mode in MODES:
            for kind in KINDS:
                for _ in range(per_cell):
                    yield self.planted(kind, mode)

    def faithful(self, verbatim: int) -> Iterator[Case]:
        """Every paraphrase written by hand, and so many passages quoted as they are."""
        for base in self._written:
            yield Case("faithful", draft(base.passage, base.text, base.quote, "paraphrase"), {1: base.passage})
        for _ in range(verbatim):
            passage = self._rng.choice(self._own).passage
            whole = tuple(Sentence(text, 1) for text in split_sentences(passage.text))
            yield Case("faithful", Draft(whole, (Citation(1, passage),), passage.language), {1: passage})
