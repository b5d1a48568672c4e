"""What becomes of a draft at the gate. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tightrope.knowledge.compose.decide import evidence
from tightrope.knowledge.gate import check
from tightrope.knowledge.gate.verdict import Verdict
from tightrope.knowledge.guards import GuardVerdict
from tightrope.knowledge.models import Answer, Chunk, Draft, GateRules, NoAnswer, Sentence


def checked(draft: Draft, chunks: Sequence[Chunk], rules: GateRules, *, day: date) -> Answer | NoAnswer:
    """The answer that the gate lets through, or `NoAnswer("gate")`: half a draft may have lost a condition or a step.

    Args:
        chunks: what the composer was given; citation n must be the n-th of them.
        day: Shanghai calendar day of the answer.
    """
    sources = {n: chunk.passage for n, chunk in enumerate(chunks, start=1)}
    verdict = check(draft, sources, rules, day=day)
    guards = (_told(draft, verdict),)
    if not verdict.passed:
        return NoAnswer("gate", evidence(chunks), guards=guards)
    spoken = {sentence.n for sentence in verdict.kept}
    citations = tuple(citation for citation in draft.citations if citation.n in spoken)
    used = [citation.passage for citation in citations]
    return Answer(verdict.kept, citations, evidence(chunks, used), draft.language, draft.clauses, guards)


def _told(draft: Draft, verdict: Verdict) -> GuardVerdict:
    """The verdict for the record; a draft that may not be sent is kept there whole (reference 1.2: keep the blocked draft)."""
    if verdict.passed:
        return GuardVerdict("gate", passed=True, mode=draft.mode)
    return GuardVerdict(
        "gate",
        passed=False,
        reason=", ".join(
            sorted({item.reason for item in verdict.refused}) or ["clause missing" if verdict.missing_clauses else "empty"]
        ),
        mode=draft.mode,
        draft=tuple({"n": one.n, "lead": one.lead, "text": one.text, "quote": one.quote} for one in draft.sentences),
        refused=tuple(
            {
                "text": item.sentence.text,
                "n": item.sentence.n if isinstance(item.sentence, Sentence) else None,
                "reason": item.reason,
                "detail": item.detail[:500],
            }
            for item in verdict.refused
        ),
        missing_clauses=verdict.missing_clauses,
    )
