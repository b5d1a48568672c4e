"""Scope: no advice, no forecast, nobody's data, no risk word without approved wording, no instruction to a machine. Pure; the forms are data."""

from __future__ import annotations

from tightrope.knowledge.gate.verdict import Reason
from tightrope.knowledge.models import GateRules, Language, Sentence


def scope_fault(sentence: Sentence, language: Language, rules: GateRules) -> tuple[Reason, str] | None:
    """The first form of words that the sentence may not use; None if there is none.

    A verbatim sentence was approved by two people and may use risk words; a paraphrase may only if its quote does.
    """
    paraphrased = bool(sentence.quote)
    for form in rules.scope:
        if form.language != language or not form.pattern.search(sentence.text):
            continue
        if form.unless is not None and form.unless.search(sentence.text):
            continue
        if form.approved and not (paraphrased and not form.pattern.search(sentence.quote)):
            continue
        return "out of scope", form.id
    return None
