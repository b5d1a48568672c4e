"""What the states and rejection codes of the firm's systems mean for a customer: dated data, approved words. Pure, no I/O.

A code book (`data/order_codes.yml`, `transfer_codes.yml`, `ipo_rules.yml`) holds editions; the one in force on a day applies. It never guesses: a word of the
firm's system that the edition does not have is answered with None, and the caller says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from tightrope.rules.models import RuleDataError, Source
from tightrope.rules.text import Language

_HOLES: Final = re.compile(r"[{}]")
_PARTS: Final = ("title", "meaning", "remedy")


@dataclass(frozen=True, slots=True)
class Words:
    """A text in both languages."""

    zh: str
    en: str

    def text(self, language: Language) -> str:
        """The text in one of them."""
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Explanation:
    """One word of the firm's system, put plainly."""

    title: Words
    meaning: Words
    remedy: Words
    """What the customer can do, or that there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Edition:
    """The explanations in force from `effective_from` on."""

    version: str
    effective_from: date
    source: Source
    statuses: Mapping[str, Explanation]
    codes: Mapping[str, Explanation]


class CodeBook:
    """All editions of one system's code book, read and checked."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Args:
            data: the content of the file.

        Raises:
            RuleDataError: an edition lacks a part or a language, or two begin on one day.
        """
        try:
            self.name = str(data["book"])
            source = Source(**{part: _words(text, f"source.{part}") for part, text in data["source"].items()})
            editions = [_edition(entry, source) for entry in data["editions"]]
        except (KeyError, TypeError, AttributeError) as error:
            raise RuleDataError(f"code book: {error!r}") from error
        self._editions = sorted(editions, key=lambda edition: edition.effective_from)
        if not editions or len({edition.effective_from for edition in editions}) != len(editions):
            raise RuleDataError(f"code book {self.name}: no edition, or two that begin on one day")

    @property
    def editions(self) -> tuple[Edition, ...]:
        """All, the oldest first."""
        return tuple(self._editions)

    def on(self, day: date) -> Edition:
        """The edition in force on `day` (Asia/Shanghai).

        Raises:
            RuleDataError: the book begins later.
        """
        valid = [edition for edition in self._editions if edition.effective_from <= day]
        if not valid:
            raise RuleDataError(f"code book {self.name} has no edition for {day}")
        return valid[-1]


def _edition(entry: Mapping[str, Any], source: Source) -> Edition:
    begins = entry["effective_from"]
    if not isinstance(begins, date):
        raise RuleDataError(f"code book: {begins!r} is no date")
    return Edition(
        version=str(entry["version"]),
        effective_from=begins,
        source=source,
        statuses=dict(_explanations(entry["statuses"].items(), "statuses")),
        codes=dict(_explanations(entry["codes"].items(), "codes")),
    )


def _explanations(items: Iterable[tuple[Any, Any]], where: str) -> Iterable[tuple[str, Explanation]]:
    for word, entry in items:
        here = f"{where}.{word}"
        if not isinstance(word, str):
            raise RuleDataError(f"code book: {here} needs quotes around the code")
        # A comma without quotes ends a text in YAML and leaves a key behind: half a sentence must not pass.
        if set(entry) != set(_PARTS) or any(set(entry[part]) != {"zh", "en"} for part in _PARTS):
            raise RuleDataError(
                f"code book: {here} has other parts than {', '.join(_PARTS)} in zh and en, or a comma outside quotes"
            )
        yield (
            word,
            Explanation(
                **{part: Words(*(_words(entry[part][lang], f"{here}.{part}.{lang}") for lang in ("zh", "en"))) for part in _PARTS}
            ),
        )


def _words(text: Any, here: str) -> str:
    """Approved words stand as they are: a hole in them would never be filled."""
    if not isinstance(text, str) or not text.strip() or _HOLES.search(text):
        raise RuleDataError(f"code book: {here} is no text, is empty or has a variable")
    return text
