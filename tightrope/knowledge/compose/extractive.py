"""Extractive answers: sentences of approved passages, verbatim, in the source's order, each with its marker."""

from __future__ import annotations

from collections.abc import Sequence

from tightrope.knowledge.gate import required_clauses
from tightrope.knowledge.models import Chunk, Citation, Draft, GateRules, Language, NoAnswer, Passage, Sentence, Thresholds
from tightrope.knowledge.passages import split_sentences
from tightrope.knowledge.server.tokens import light_terms


class ExtractiveComposer:
    """The default composer and the fallback of every other: no model takes part."""

    def __init__(self, thresholds: Thresholds, rules: GateRules) -> None:
        self._thresholds = thresholds
        self._rules = rules

    async def compose(self, question: str, language: Language, chunks: Sequence[Chunk]) -> Draft | NoAnswer:
        """See `Composer`."""
        return extract(question, language, chunks, self._thresholds, self._rules)


def extract(
    question: str, language: Language, chunks: Sequence[Chunk], thresholds: Thresholds, rules: GateRules
) -> Draft | NoAnswer:
    """The draft of the best passage."""
    if not chunks:
        return NoAnswer("nothing_found")
    passage = chunks[0].passage
    sentences = tuple(Sentence(text, 1) for text in choose(question, passage, thresholds))
    return Draft(sentences, (Citation(1, passage),), language, required_clauses(rules, {passage.topic}, language))


def choose(question: str, passage: Passage, thresholds: Thresholds) -> list[str]:
    """The sentences of a passage that answer a question, in the passage's order.

    A short passage is quoted whole: leaving out one of three conditions or one of four steps would be true and misleading. Of a longer
    one, the sentences that share most with the question are quoted.
    """
    sentences = split_sentences(passage.text)
    if len(sentences) <= thresholds.whole_passage:
        return sentences
    asked = set(light_terms(question))
    support = [len(asked & set(light_terms(sentence))) / (len(asked) or 1) for sentence in sentences]
    ranked = sorted(range(len(sentences)), key=lambda at: (-support[at], at))[: thresholds.max_sentences]
    return [sentences[at] for at in sorted(ranked)]
