"""The gate's one door. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date

from tightrope.knowledge.gate.clauses import missing_in_answer
from tightrope.knowledge.gate.paraphrase import paraphrase_fault
from tightrope.knowledge.gate.scope import scope_fault
from tightrope.knowledge.gate.verbatim import verbatim_fault
from tightrope.knowledge.gate.verdict import Reason, Refused, Verdict
from tightrope.knowledge.models import Clause, Draft, GateRules, Passage, Sentence

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def check(
    draft: Draft, sources: Mapping[int, Passage], rules: GateRules, *, day: date, question_topics: Iterable[str] = ()
) -> Verdict:
    """Hold a draft against its sources.

    Args:
        sources: the passage that retrieval gave for each number; the draft's own citations must be these.
        day: Shanghai calendar day on which every cited passage must be in force.
        question_topics: topics of the question, whose clauses are required beside those of the cited passages.
    """
    cited = {citation.n: citation.passage for citation in draft.citations}
    kept: list[Sentence] = []
    refused: list[Refused] = []
    length = 0
    for sentence in draft.sentences:
        fault = _fault(sentence, draft, cited, sources, rules, day)
        if fault is None and any((sentence.text, sentence.n) == (other.text, other.n) for other in kept):
            fault = "said twice", ""
        size = len(sentence.lead) + len(sentence.text)
        if fault is None and (length + size > rules.max_characters or len(kept) >= rules.max_sentences):
            fault = "too long", ""
        if fault is None:
            kept.append(sentence)
            length += size
        else:
            refused.append(Refused(sentence, *fault))
    refused.extend(Refused(clause, "clause not approved") for clause in draft.clauses if not _approved(clause, draft, rules))
    topics = {*question_topics, *(sources[sentence.n].topic for sentence in kept)}
    return Verdict(tuple(kept), tuple(refused), missing_in_answer(draft.clauses, rules, topics, draft.language))


def _fault(
    sentence: Sentence,
    draft: Draft,
    cited: Mapping[int, Passage],
    sources: Mapping[int, Passage],
    rules: GateRules,
    day: date,
) -> tuple[Reason, str] | None:
    source = sources.get(sentence.n)
    if source is None or sentence.n not in cited:
        return "cites nothing", str(sentence.n)
    if cited[sentence.n] != source:
        return "citation is not its source", source.passage_id
    if not source.effective_from <= day <= source.effective_to:
        return "not in force", f"{source.passage_id} on {day}"
    if source.language != draft.language:
        return "other language", source.language
    if not sentence.text.strip():
        return "empty", ""
    if _CONTROL.search(sentence.lead + sentence.text):
        return "control characters", ""
    if sentence.lead and sentence.lead not in rules.connectives[draft.language]:
        return "connective not approved", sentence.lead
    if fault := scope_fault(sentence, draft.language, rules):
        return fault
    if draft.mode == "verbatim":
        return verbatim_fault(sentence, source)
    if draft.language not in rules.wording:
        return "not verbatim", "no wording is approved for a paraphrase"
    return paraphrase_fault(sentence, source, rules.wording[draft.language])


def _approved(clause: Clause, draft: Draft, rules: GateRules) -> bool:
    return any(approved.clause(draft.language) == clause for approved in rules.clauses)
