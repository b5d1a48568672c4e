"""The last check before a sentence may be sent: it stands in its source, word for word, and so does every figure in it. Pure.

The composer is not trusted: the gate knows nothing of how a sentence was chosen. A sentence that fails is dropped, never repaired.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tightrope.knowledge.models import Passage, Sentence
from tightrope.knowledge.passages import split_sentences

_FIGURE = re.compile(
    r"T\+\d+"
    r"|(?:\d+:\d{2})"
    r"|(?:CNY|RMB|HKD|USD|人民币)?\s*\d[\d,]*(?:\.\d+)?\s*"
    r"(?:%|‰|万元|亿元|万股|元|股|万|亿|个?交易日|个?工作日|个?自然日|个?月|岁|年|日|天|小时|分钟|次|位|户|只|周岁|周年"
    r"|million|billion|shares?|trading days?|working days?|calendar days?|days?|months?|years?|hours?|minutes?|times?|digits?|accounts?)?"
    r"|百分之[零〇一二两三四五六七八九十百千点]+"
    r"|[零〇一二两三四五六七八九十百千万亿]+(?:个?交易日|个?工作日|个?月|周年|年|天|元|股|次|倍|成)",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True)
class Refused:
    """A sentence that may not be sent, and why."""

    sentence: Sentence
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What the gate let through, in order, and what it refused."""

    kept: tuple[Sentence, ...]
    refused: tuple[Refused, ...]


def figures(text: str) -> list[str]:
    """Every figure of a text with its unit, in one spelling: half width, no spaces, no grouping commas, lower case."""
    plain = unicodedata.normalize("NFKC", text)
    return [re.sub(r"[\s,]", "", match[0]).lower() for match in _FIGURE.finditer(plain)]


def check(sentences: Sequence[Sentence], sources: Mapping[int, Passage], *, max_characters: int) -> Verdict:
    """Let through the sentences that their cited passage holds.

    Args:
        sources: the cited passage of each number.
        max_characters: bound on all sentences together; what goes past it is refused.
    """
    kept: list[Sentence] = []
    refused: list[Refused] = []
    length = 0
    for sentence in sentences:
        reason = _fault(sentence, sources.get(sentence.n))
        if reason is None and sentence in kept:
            reason = "said twice"
        if reason is None and length + len(sentence.text) > max_characters:
            reason = "too long"
        if reason is None:
            kept.append(sentence)
            length += len(sentence.text)
        else:
            refused.append(Refused(sentence, reason))
    return Verdict(tuple(kept), tuple(refused))


def _fault(sentence: Sentence, source: Passage | None) -> str | None:
    if source is None:
        return "cites nothing"
    if not sentence.text.strip():
        return "empty"
    if _CONTROL.search(sentence.text):
        return "control characters"
    if not set(figures(sentence.text)) <= set(figures(source.text)):
        return "a figure is not in the source"
    # whole sentences only: a part of one can say the opposite ("可以" of "不可以")
    if sentence.text not in split_sentences(source.text):
        return "not verbatim"
    return None
