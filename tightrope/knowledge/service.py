"""From a customer's question to a cited answer: retrieve, decide, compose, check."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import lru_cache
from pathlib import Path

import httpx
import orjson

from tightrope.generation.client import ModelClient
from tightrope.infra.clock import Clock
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.knowledge.client import RagflowClient
from tightrope.knowledge.compose import Composer
from tightrope.knowledge.compose.checked import checked
from tightrope.knowledge.compose.decide import Answerable, evidence
from tightrope.knowledge.compose.extractive import ExtractiveComposer
from tightrope.knowledge.compose.generative import GenerativeComposer
from tightrope.knowledge.compose.judging import Judge, Judges
from tightrope.knowledge.errors import KnowledgeError
from tightrope.knowledge.gate import load_rules
from tightrope.knowledge.guards import GuardVerdict
from tightrope.knowledge.models import (
    LANGUAGES,
    SHANGHAI,
    Answer,
    GateRules,
    Language,
    NoAnswer,
    Release,
    Thresholds,
)
from tightrope.knowledge.publishing.store import Active, Store
from tightrope.knowledge.retrieved import Retrieved

log = get_logger()


@lru_cache(maxsize=4)
def load_thresholds(path: Path) -> Thresholds:
    """Read `knowledge_base/thresholds.json`.

    Raises:
        ValueError: a limit is missing or no whole number.
    """
    raw = orjson.loads(path.read_bytes())
    try:
        weight: dict[Language, int] = {language: raw["vector_weight"][language] for language in LANGUAGES}
        names = ("floor", "page_size", "whole_passage", "max_sentences", "max_characters")
        limits = {name: raw[name] for name in names}
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name}: {error} is missing; benchmarks/knowledge/calibrate.py makes the file") from None
    if not all(isinstance(value, int) for value in (*weight.values(), *limits.values())):
        raise ValueError(f"{path.name}: every limit must be a whole number")
    return Thresholds(vector_weight=weight, **limits)


class KnowledgeService:
    """Answers free-form questions from the published knowledge base.

    Args:
        client: retrieves from the active release.
        thresholds: limits of retrieval.
        judges: makes, of a release, what decides whether passages of it answer.
        rules: what the gate holds an answer to beside its sources.
        composers: tried in this order until the gate lets a draft through; the last is the extractive one.
    """

    def __init__(
        self,
        client: RagflowClient,
        thresholds: Thresholds,
        judges: Callable[[Release], Judge],
        rules: GateRules,
        clock: Clock,
        composers: Sequence[Composer],
    ) -> None:
        self._client = client
        self._thresholds = thresholds
        self._judges = judges
        self._rules = rules
        self._clock = clock
        self._composers = composers

    @classmethod
    def from_settings(
        cls, settings: Settings, clock: Clock, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> KnowledgeService:
        """The service on the published knowledge and the server that the settings name; make one per process."""
        folder = settings.project_dir / "knowledge_base"
        store = Store.from_settings(settings)
        client = RagflowClient(settings, Active(store), clock, transport=transport)
        rules = load_rules(settings.project_dir / "data" / "knowledge")
        thresholds = load_thresholds(folder / "thresholds.json")
        composers: list[Composer] = [ExtractiveComposer(thresholds, rules)]
        if settings.answer_composer != "extractive":
            model = ModelClient(settings, transport=transport)
            composers.insert(0, GenerativeComposer(model, settings.project_dir / "prompts", rules, settings.answer_composer))
        judges = Judges(settings.project_dir)
        with suppress(KnowledgeError):  # nothing published, or nothing that can be read: answers say it
            if (state := store.state()) is not None:
                judges(store.load(state.active))  # now, and not while the first customer waits
        return cls(client, thresholds, judges, rules, clock, composers)

    async def answer(self, question: str, language: Language) -> Answer | NoAnswer:
        """A cited answer in the customer's language, or the reason for none.

        Raises:
            KnowledgeError: the knowledge server failed or refused; the caller hands over, never treats it as "nothing found".
        """
        if not question.strip():
            return NoAnswer("empty_question")
        retrieved = await self._client.retrieve(question, language, self._thresholds)
        result = await self._answer(question, language, retrieved)
        log.info(
            "question answered" if isinstance(result, Answer) else "question not answered",
            action="knowledge_answer",
            outcome="answered" if isinstance(result, Answer) else result.reason,
            release=retrieved.quotable.release.release_id,
            server=retrieved.server,
            passages=[item.passage.passage_id for item in result.evidence[:3]],
            dropped=len(retrieved.dropped),
        )
        return result

    async def _answer(self, question: str, language: Language, retrieved: Retrieved) -> Answer | NoAnswer:
        day = self._clock.now().astimezone(SHANGHAI).date()
        decision = await asyncio.to_thread(self._decide, question, language, retrieved, day)
        if isinstance(decision, NoAnswer):
            return replace(decision, guards=(GuardVerdict("relevance", passed=False, reason=decision.reason),))
        guards: tuple[GuardVerdict, ...] = (GuardVerdict("relevance", passed=True),)
        result: Answer | NoAnswer = NoAnswer("gate")
        for composer in self._composers:
            draft = await composer.compose(question, language, decision.chunks)
            result = draft if isinstance(draft, NoAnswer) else checked(draft, decision.chunks, self._rules, day=day)
            guards += result.guards
            if isinstance(result, Answer):
                break
            if result.reason == "declined":
                # It found no answer in these passages; quoting them all the same would be beside the point.
                result = NoAnswer("declined", evidence(decision.chunks))
                break
        return replace(result, guards=guards)

    def _decide(self, question: str, language: Language, retrieved: Retrieved, day: date) -> Answerable | NoAnswer:
        judge = self._judges(retrieved.quotable.release)
        return judge.decide(question, language, retrieved.chunks, day=day, withdrawn=retrieved.quotable.withdrawn)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        for composer in self._composers:
            if isinstance(composer, GenerativeComposer):
                await composer.aclose()
