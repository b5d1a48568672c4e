"""From passages to what may be said: decide whether they answer, compose, hold the draft against the gate.

Two composers stand behind one protocol (docs/decisions/0018-answers-and-models.md); whatever one of them proposes, the gate has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tightrope.knowledge.models import Chunk, Draft, Language, NoAnswer


class Composer(Protocol):
    """Makes a draft of passages that were found to answer the question."""

    async def compose(self, question: str, language: Language, chunks: Sequence[Chunk]) -> Draft | NoAnswer:
        """What to say, with citations and the clauses that the topics require, or why nothing can be said.

        Args:
            chunks: what `decide` chose, in force and in the customer's language, best first; never empty. Citation number n is the n-th of them.
        """
        ...
