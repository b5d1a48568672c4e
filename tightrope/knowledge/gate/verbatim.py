"""Verbatim answers: whole sentences of the cited passage, word for word. Pure."""

from __future__ import annotations

from tightrope.knowledge.gate.verdict import Reason
from tightrope.knowledge.models import Passage, Sentence
from tightrope.knowledge.passages import split_sentences


def verbatim_fault(sentence: Sentence, source: Passage) -> tuple[Reason, str] | None:
    """Why the sentence is not one of its source; None if it is. Figures need no test of their own: no character may differ."""
    # whole sentences only: a part of one can say the opposite ("可以" of "不可以")
    if sentence.text not in split_sentences(source.text):
        return "not verbatim", ""
    return None
