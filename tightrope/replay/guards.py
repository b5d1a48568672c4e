"""Answers from knowledge, made again: the recorded passages and scores, through the release's composer and gate, have to give the same words.

What was found, and how sure the search was, is taken from the record (the search server is not run again); so is a model's answer, which goes through
the same composer and gate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from tightrope.engine.turn import settle
from tightrope.generation import ledger
from tightrope.knowledge.compose import Composer
from tightrope.knowledge.compose.checked import checked
from tightrope.knowledge.compose.extractive import ExtractiveComposer
from tightrope.knowledge.compose.generative import PROMPTS, GenerativeComposer, Mode
from tightrope.knowledge.gate import load_rules
from tightrope.knowledge.models import MICRO, SHANGHAI, Answer, Chunk, GateRules, Language, NoAnswer, Passage, Thresholds
from tightrope.knowledge.passages import cut, parse_document
from tightrope.knowledge.service import load_thresholds
from tightrope.replay.models import Check, Json, Mark, Part, compared, counted
from tightrope.replay.recorded_model import RecordedModel

KINDS = frozenset({"knowledge", "thresholds", "gate", "prompts"})


class Guards:
    """The composer and the gate of a release.

    Args:
        root: its project folder.
        missing: kinds of files that the record does not hold.
    """

    def __init__(self, root: Path, missing: Mapping[str, str]) -> None:
        self._root = root
        self._missing = missing

    @cached_property
    def _passages(self) -> dict[tuple[str, str], Passage]:
        files = sorted(path for path in (self._root / "knowledge_base").glob("*.md") if path.name != "README.md")
        return {(p.passage_id, p.sha256): p for path in files for p in cut(parse_document(path.read_bytes(), path.name))}

    @cached_property
    def _held_to(self) -> tuple[Thresholds, GateRules]:
        return load_thresholds(self._root / "knowledge_base" / "thresholds.json"), load_rules(self._root / "data" / "knowledge")

    def check(self, payload: Json) -> list[Check]:
        """Compare each answer from knowledge in a turn with what is made now; nothing where there is none."""
        return [check for envelope, said in _answers(payload) for check in self._answer(payload, envelope, said)]

    def _answer(self, payload: Json, envelope: Json, said: Json) -> Iterator[Check]:
        found = envelope["passages"]
        if envelope.get("outcome") != "answered":
            yield Check(
                Part.GUARDS, Mark.FROM_RECORD, f"{counted(len(found), 'passage')} found, none quoted ({envelope.get('outcome')})"
            )
            return
        if lacking := KINDS & self._missing.keys():
            yield Check(Part.GUARDS, Mark.MISSING, "; ".join(self._missing[kind] for kind in sorted(lacking)))
            return
        unknown = [item["passage_id"] for item in found if (item["passage_id"], item["sha256"]) not in self._passages]
        if unknown:
            yield Check(Part.GUARDS, Mark.MISSING, f"the release's files hold no such passage: {', '.join(unknown)}")
            return
        chunks = [Chunk(self._passages[item["passage_id"], item["sha256"]], item["score"] / MICRO, 0.0, 0.0) for item in found]
        model = RecordedModel(envelope.get("models") or [])
        made = self._made(payload, chunks, datetime.fromtimestamp(said["at"], UTC).astimezone(SHANGHAI).date(), envelope, model)
        if envelope.get("models"):
            yield from model.checks(Part.GUARDS)
        detail = f"{counted(len(found), 'passage')} through composer and gate: {sum(bool(item['used']) for item in found)} quoted"
        yield compared(Part.GUARDS, _recorded(said, found), made, detail, str(envelope.get("action")))

    def _made(self, payload: Json, chunks: list[Chunk], day: date, envelope: Json, model: RecordedModel) -> Json:
        thresholds, rules = self._held_to
        composers: list[Composer] = [ExtractiveComposer(thresholds, rules)]
        if calls := envelope.get("models"):
            mode: Mode = next((mode for mode, prompt in PROMPTS.items() if prompt == calls[0]["prompt_id"]), "generative")
            client: Any = model
            composers.insert(0, GenerativeComposer(client, self._root / "prompts", rules, mode))
        result: Answer | NoAnswer = NoAnswer("gate")
        with ledger.opened():
            for composer in composers:
                draft = settle(composer.compose(str(payload.get("said")), _language(payload), chunks))
                result = draft if isinstance(draft, NoAnswer) else checked(draft, chunks, rules, day=day)
                if isinstance(result, Answer) or result.reason == "declined":
                    break
        if not isinstance(result, Answer):
            return {"refused": result.reason}
        citations = [citation.item() for citation in result.citations]
        return {"text": result.text, "citations": citations, "passages": [item.item() for item in result.evidence]}


def _answers(payload: Json) -> Iterator[tuple[Json, Json]]:
    """Evidence with passages, beside the input that the action gave."""
    record = (payload.get("engine") or {}).get("record") or {}
    for given in record.get("inputs") or []:
        for response in given.get("responses") or []:
            envelope = ((response.get("custom") or {}).get("envelope")) or {}
            if envelope.get("kind") == "evidence" and envelope.get("passages"):
                yield envelope, given


def _recorded(said: Json, passages: list[Json]) -> Json:
    responses = said.get("responses") or []
    envelopes = [(response.get("custom") or {}).get("envelope") or {} for response in responses]
    text = next((response["text"] for response in responses if response.get("text")), None)
    citations: list[Json] = next((envelope["items"] for envelope in envelopes if envelope.get("kind") == "citations"), [])
    return {"text": text, "citations": citations, "passages": passages}


def _language(payload: Json) -> Language:
    user: Json = next((event for event in payload.get("events") or [] if event.get("event") == "user"), {})
    return "en" if (user.get("metadata") or {}).get("language") == "en" else "zh"
