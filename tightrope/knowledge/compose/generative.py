"""Answers by a language model, in two modes. Either way the gate decides what is sent (docs/models.md).

`generative`: the model chooses sentences by number and may set an approved connective before each. It cannot write: its output is held to a
schema whose only values are numbers and connectives, and what is sent is the source's wording. `paraphrase`: it writes sentences, each for one
numbered sentence; a mode of its own, off by default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tightrope.generation import ledger, prompts
from tightrope.generation.client import ModelClient
from tightrope.generation.errors import ModelError, PromptRefused
from tightrope.generation.masking import mask
from tightrope.infra.logging import get_logger
from tightrope.knowledge.compose.units import units
from tightrope.knowledge.gate import required_clauses
from tightrope.knowledge.models import Chunk, Citation, Draft, GateRules, Language, NoAnswer, Passage, Sentence
from tightrope.knowledge.passages import split_sentences

PASSAGES: Final = 4
"""Passages that the model is shown, the best ones."""
QUOTES: Final = 4
"""Choices that it may make; each may stand for a list."""
SENTENCES: Final = 4
"""Sentences that it may write in a paraphrase."""
LONGEST: Final = 400
"""Characters of one of these."""
Mode = Literal["generative", "paraphrase"]
PROMPTS: Final[Mapping[Mode, str]] = {"generative": "answer.v1", "paraphrase": "paraphrase.v1"}
_TOKENS: Final = {"generative": 60 + 40 * QUOTES, "paraphrase": 60 + (LONGEST + 40) * SENTENCES}
"""Enough for the longest output of the schema: a Chinese character may cost more than one token."""

log = get_logger()


@dataclass(frozen=True)
class Shown:
    """A passage as the prompt shows it."""

    passage: Passage
    sentences: tuple[str, ...]

    @property
    def title(self) -> str:
        return self.passage.title

    @property
    def section(self) -> str:
        return self.passage.section

    @property
    def text(self) -> str:
        return self.passage.text

    @property
    def sha256(self) -> str:
        return self.passage.sha256


class GenerativeComposer:
    """Asks a model to choose or to paraphrase; a `Composer`.

    It asks only where a ledger is open: elsewhere nobody would record the call, or a private journey is under way.

    Args:
        client: of the model server.
        folder: of the prompts.
        rules: connectives and clauses of the gate.
        mode: whether the model chooses sentences or writes them.
    """

    def __init__(self, client: ModelClient, folder: Path, rules: GateRules, mode: Mode = "generative") -> None:
        self._client = client
        self._template = prompts.load(folder, PROMPTS[mode])
        self._rules = rules
        self._mode = mode

    async def compose(self, question: str, language: Language, chunks: Sequence[Chunk]) -> Draft | NoAnswer:
        """See `Composer`. `NoAnswer("declined")`: the model says that the passages do not answer; `NoAnswer("no_draft")`: there is none, whatever the cause."""
        masked = mask(question)
        if not ledger.is_open() or not chunks or not masked.text:
            return NoAnswer("no_draft")
        shown = [Shown(chunk.passage, tuple(split_sentences(chunk.passage.text))) for chunk in chunks[:PASSAGES]]
        try:
            prompt = prompts.build(self._template, question=masked, passages=shown)
            completion = await self._client.complete(prompt, self._schema(shown, language), max_tokens=_TOKENS[self._mode])
        except (ModelError, PromptRefused) as error:
            log.warning("no draft of the model", action="model_draft", kind=type(error).__name__, reason=str(error))
            return NoAnswer("no_draft")
        sentences = (quoted if self._mode == "generative" else paraphrased)(completion.data, shown)
        if completion.data["decision"] == "refuse" or not sentences:
            return NoAnswer("declined")
        used = sorted({sentence.n for sentence in sentences})
        return Draft(
            sentences,
            tuple(Citation(n, shown[n - 1].passage) for n in used),
            language,
            required_clauses(self._rules, {shown[n - 1].passage.topic for n in used}, language),
            "verbatim" if self._mode == "generative" else "paraphrase",
        )

    def _schema(self, shown: Sequence[Shown], language: Language) -> dict[str, Any]:
        leads = ["", *sorted(self._rules.connectives[language])]
        return quote_schema(shown, leads) if self._mode == "generative" else paraphrase_schema(shown)

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


def quote_schema(shown: Sequence[Shown], leads: Sequence[str]) -> dict[str, Any]:
    """The model may name sentences that it was shown and connectives that are approved; there is no place for words of its own."""
    return _schema("quotes", {"lead": {"enum": list(leads)}, "id": {"enum": _ids(shown)}}, QUOTES)


def paraphrase_schema(shown: Sequence[Shown]) -> dict[str, Any]:
    """Sentences of bounded length, each with the number of the one that it restates."""
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST}
    return _schema("sentences", {"id": {"enum": _ids(shown)}, "text": text}, SENTENCES)


def _schema(name: str, item: dict[str, Any], most: int) -> dict[str, Any]:
    items = {"type": "object", "additionalProperties": False, "required": list(item), "properties": item}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["decision", name],
        "properties": {
            "decision": {"type": "string", "enum": ["answer", "refuse"]},
            name: {"type": "array", "maxItems": most, "items": items},
        },
    }


def _ids(shown: Sequence[Shown]) -> list[str]:
    return [f"{n}.{at}" for n, one in enumerate(shown, start=1) for at, _ in enumerate(one.sentences, start=1)]


def _place(identifier: str) -> tuple[int, int]:
    n, at = identifier.split(".")
    return int(n), int(at) - 1


def quoted(data: dict[str, Any], shown: Sequence[Shown]) -> tuple[Sentence, ...]:
    """The chosen sentences, each widened to what is quoted with it, once, in the order of the choice; the first one begins without connective."""
    said: set[tuple[int, int]] = set()
    sentences: list[Sentence] = []
    for quote in data["quotes"]:
        n, at = _place(quote["id"])
        lead = quote["lead"] if sentences else ""
        for place in sorted(units(shown[n - 1].text)[at]):
            if (n, place) not in said:
                said.add((n, place))
                sentences.append(Sentence(shown[n - 1].sentences[place], n, lead))
                lead = ""
    return tuple(sentences)


def paraphrased(data: dict[str, Any], shown: Sequence[Shown]) -> tuple[Sentence, ...]:
    """The sentences that were written, each with the whole unit that it must rest on as its quote."""
    sentences = []
    for written in data["sentences"]:
        n, at = _place(written["id"])
        sentences.append(Sentence(written["text"].strip(), n, quote=shown[n - 1].sentences[at]))
    return tuple(sentences)
