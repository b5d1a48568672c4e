"""Extractive answers: sentences of approved passages, verbatim, in the source's order, each with its marker."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tightrope.knowledge.gate import required_clauses
from tightrope.knowledge.models import Chunk, Citation, Draft, GateRules, Language, NoAnswer, Passage, Sentence, Thresholds
from tightrope.knowledge.passages import split_sentences
from tightrope.knowledge.server.tokens import light_terms

_NUMBER_ASKED = re.compile(
    r"多少|几|多久|多长|多大|多高|how (?:much|many|long|high|big|often)|what (?:rate|percent|price|fee)|when", re.IGNORECASE
)
_FIGURE = re.compile(r"\d")


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
    """The draft of the best passage, and of a neighbour in the same document that is nearly as good."""
    if not chunks:
        return NoAnswer("nothing_found")
    sentences: list[Sentence] = []
    citations: list[Citation] = []
    for n in quoted(chunks):
        passage = chunks[n - 1].passage
        said = [Sentence(text, n) for text in choose(question, passage, thresholds)]
        if citations and sum(len(sentence.text) for sentence in (*sentences, *said)) > thresholds.max_characters:
            continue
        sentences += said
        citations.append(Citation(n, passage))
    topics = {citation.passage.topic for citation in citations}
    return Draft(tuple(sentences), tuple(citations), language, required_clauses(rules, topics, language))


def quoted(chunks: Sequence[Chunk]) -> list[int]:
    """Numbers of the best chunk and of the next best, if that is of the same document and has at least half its confidence."""
    best, *others = chunks
    if others and others[0].passage.document_id == best.passage.document_id and 2 * others[0].score >= best.score:
        return [1, 2]
    return [1]


def choose(question: str, passage: Passage, thresholds: Thresholds) -> list[str]:
    """The sentences of a passage that answer a question, in the passage's order.

    A short passage is quoted whole: leaving out one of three conditions or one of four steps would be true and misleading. Of a longer
    one, the sentences that share most with the question are quoted; asked for a number, those with a figure come first.
    """
    sentences = split_sentences(passage.text)
    if len(sentences) <= thresholds.whole_passage:
        return sentences
    asked, number = set(light_terms(question)), bool(_NUMBER_ASKED.search(question))
    support = [
        len(asked & set(light_terms(sentence))) / (len(asked) or 1) + (number and bool(_FIGURE.search(sentence)))
        for sentence in sentences
    ]
    ranked = sorted(range(len(sentences)), key=lambda at: (-support[at], at))[: thresholds.max_sentences]
    return [sentences[at] for at in sorted(ranked)]
