"""Questions that no passage in force can answer, however much one resembles them. Pure but for `load_forms`, which reads the data.

A passage about today's stamp duty resembles a question about that of 2008 to the last word but one, and would be beside the point.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import get_args

import orjson

from tightrope.knowledge.models import LANGUAGES, Language, NoAnswerReason, Passage

_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


@dataclass(frozen=True)
class QuestionForm:
    """A form of words in questions, and why such a question is not answered."""

    id: str
    reason: NoAnswerReason
    language: Language
    pattern: re.Pattern[str]


@lru_cache(maxsize=4)
def load_forms(folder: Path) -> tuple[QuestionForm, ...]:
    """Read `questions.json` of `data/knowledge/`.

    Raises:
        ValueError: the file is missing, is no JSON or breaks its form; the message names the entry.
    """
    path = folder / "questions.json"
    try:
        return tuple(_form(item) for item in orjson.loads(path.read_bytes())["forms"])
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: cannot be read ({error!r}); it needs forms with id, reason, language and pattern") from None


def _form(item: dict[str, str]) -> QuestionForm:
    name, reason, language = item["id"], item["reason"], item["language"]
    if language not in LANGUAGES or reason not in get_args(NoAnswerReason):
        raise ValueError(f"questions.json: {name}: language must be zh or en, and reason one of {get_args(NoAnswerReason)}")
    try:
        return QuestionForm(name, reason, language, re.compile(item["pattern"], re.IGNORECASE))  # type: ignore[arg-type]
    except re.error as error:
        raise ValueError(f"questions.json: {name}: the pattern is no regular expression ({error})") from None


def out_of_reach(question: str, language: Language, forms: Iterable[QuestionForm]) -> NoAnswerReason | None:
    """Why no passage can answer a question of this form; None if one may."""
    return next((form.reason for form in forms if form.language == language and form.pattern.search(question)), None)


def years_missing(question: str, passage: Passage, day: date) -> bool:
    """Whether the question names a year, other than this one, of which the passage says nothing."""
    return not set(_YEAR.findall(question)) <= {*_YEAR.findall(passage.text), str(day.year)}
