"""What becomes of a draft at the gate. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tightrope.knowledge.compose.decide import evidence
from tightrope.knowledge.gate import check
from tightrope.knowledge.models import Answer, Chunk, Draft, GateRules, NoAnswer


def checked(draft: Draft, chunks: Sequence[Chunk], rules: GateRules, *, day: date) -> Answer | NoAnswer:
    """The answer that the gate lets through, or `NoAnswer("gate")`: half a draft may have lost a condition or a step.

    Args:
        chunks: what the composer was given; citation n must be the n-th of them.
        day: Shanghai calendar day of the answer.
    """
    sources = {n: chunk.passage for n, chunk in enumerate(chunks, start=1)}
    verdict = check(draft, sources, rules, day=day)
    if not verdict.passed:
        return NoAnswer("gate", evidence(chunks))
    spoken = {sentence.n for sentence in verdict.kept}
    citations = tuple(citation for citation in draft.citations if citation.n in spoken)
    used = [citation.passage for citation in citations]
    return Answer(verdict.kept, citations, evidence(chunks, used), draft.language, draft.clauses)
