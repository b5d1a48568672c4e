"""Answers from knowledge made again from recorded passages, with and without a model's recorded answer."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tightrope.engine.turn import settle
from tightrope.generation import ledger
from tightrope.generation.ledger import ModelCall
from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.compose.checked import checked
from tightrope.knowledge.compose.extractive import extract
from tightrope.knowledge.compose.generative import GenerativeComposer
from tightrope.knowledge.gate import load_rules
from tightrope.knowledge.models import Answer, Chunk
from tightrope.knowledge.passages import cut, parse_document
from tightrope.knowledge.service import load_thresholds
from tightrope.replay.guards import Guards
from tightrope.replay.models import Check, Mark
from tightrope.replay.recorded_model import RecordedModel

AT = datetime(2026, 11, 20, 2, 31, tzinfo=UTC)
QUESTION = "融资融券有哪些条件"
RULES = load_rules(REPOSITORY / "data" / "knowledge")
THRESHOLDS = load_thresholds(REPOSITORY / "knowledge_base" / "thresholds.json")


@pytest.fixture(scope="module")
def chunks() -> list[Chunk]:
    path = next(path for path in sorted((REPOSITORY / "knowledge_base").glob("margin-conditions*zh*.md")))
    return [Chunk(passage, 0.9, 0.0, 0.0) for passage in cut(parse_document(path.read_bytes(), path.name))[:3]]


def payload(answer: Answer, models: list[dict[str, Any]]) -> dict[str, Any]:
    evidence: dict[str, Any] = {"v": 1, "kind": "evidence", "action": "action_answer_question", "outcome": "answered"}
    evidence["passages"] = [item.item() for item in answer.evidence]
    if models:
        evidence["models"] = models
    cited = {"v": 1, "kind": "citations", "items": [citation.item() for citation in answer.citations]}
    responses = [{"text": answer.text}, {"custom": {"envelope": cited}}, {"custom": {"envelope": evidence}}]
    given = {"is": "ActionResult", "name": "action_answer_question", "at": AT.timestamp(), "responses": responses}
    return {"said": QUESTION, "events": [], "engine": {"record": {"inputs": [given]}}}


@pytest.fixture
def extracted(chunks: list[Chunk]) -> dict[str, Any]:
    answer = checked(extract(QUESTION, "zh", chunks, THRESHOLDS, RULES), chunks, RULES, day=AT.date())  # type: ignore[arg-type]
    assert isinstance(answer, Answer)
    return payload(answer, [])


@pytest.fixture
def chosen(chunks: list[Chunk]) -> dict[str, Any]:
    """A model chose the first sentence of the second passage."""
    output = json.dumps({"decision": "answer", "quotes": [{"lead": "", "id": "2.1"}]})
    call = ModelCall("done", "answer.v1", "a" * 64, "b" * 64, (), {}, "qwen@1", "f", "c" * 32, output, "stop", {}, 5).item()
    asked: Any = RecordedModel([call])
    composer = GenerativeComposer(asked, REPOSITORY / "prompts", RULES)
    with ledger.opened():
        draft = settle(composer.compose(QUESTION, "zh", chunks))
    answer = checked(draft, chunks, RULES, day=AT.date())  # type: ignore[arg-type]
    assert isinstance(answer, Answer)
    return payload(answer, [{**call, "messages": asked._asked[0]}])


def checks(found: dict[str, Any], missing: dict[str, str] | None = None) -> list[Check]:
    return Guards(REPOSITORY, missing or {}).check(found)


def evidence_of(found: dict[str, Any]) -> dict[str, Any]:
    envelope: dict[str, Any] = found["engine"]["record"]["inputs"][0]["responses"][2]["custom"]["envelope"]
    return envelope


def test_an_extracted_answer_comes_out_again(extracted: dict[str, Any]):
    [check] = checks(extracted)
    assert check.mark is Mark.SAME, check


@pytest.mark.parametrize("where", ["text", "citation", "score", "order"])
def test_an_altered_answer_differs(extracted: dict[str, Any], where: str):
    found = copy.deepcopy(extracted)
    responses = found["engine"]["record"]["inputs"][0]["responses"]
    if where == "text":
        responses[0]["text"] = responses[0]["text"].replace("。", "！", 1)
    elif where == "citation":
        responses[1]["custom"]["envelope"]["items"][0]["n"] = 2
    elif where == "order":
        evidence_of(found)["passages"].reverse()
    else:
        evidence_of(found)["passages"][1]["score"] = 1
    [check] = checks(found)
    assert check.mark is Mark.DIFFERS, check


def test_an_answer_with_a_chosen_sentence_comes_out_again(chosen: dict[str, Any]):
    prompt, model, answer = checks(chosen)
    assert (prompt.mark, model.mark, answer.mark) == (Mark.SAME, Mark.FROM_RECORD, Mark.SAME), (prompt, answer)
    assert "qwen@1" in model.detail


def test_another_output_of_the_model_gives_another_answer(chosen: dict[str, Any]):
    evidence_of(chosen)["models"][0]["output"] = json.dumps({"decision": "answer", "quotes": [{"lead": "", "id": "1.1"}]})
    assert checks(chosen)[-1].mark is Mark.DIFFERS


def test_another_prompt_than_the_one_recorded_is_found(chosen: dict[str, Any]):
    evidence_of(chosen)["models"][0]["messages"][-1]["content"] += " 客户余额 128,650.42"
    assert checks(chosen)[0].mark is Mark.DIFFERS


def test_a_model_that_failed_fails_again_and_extraction_answers(extracted: dict[str, Any], chosen: dict[str, Any]):
    evidence = evidence_of(extracted)
    evidence["models"] = [{**evidence_of(chosen)["models"][0], "outcome": "unavailable", "output": ""}]
    assert [check.mark for check in checks(extracted)] == [Mark.SAME, Mark.FROM_RECORD, Mark.SAME]


def test_a_passage_that_the_release_does_not_hold_is_named(extracted: dict[str, Any]):
    evidence_of(extracted)["passages"][0]["sha256"] = "0" * 64
    [check] = checks(extracted)
    assert (check.mark, "margin-conditions" in check.detail) == (Mark.MISSING, True)


def test_files_that_are_missing_are_named(extracted: dict[str, Any]):
    [check] = checks(extracted, {"gate": "the log does not hold data/knowledge/scope.json"})
    assert (check.mark, check.detail) == (Mark.MISSING, "the log does not hold data/knowledge/scope.json")


def test_a_question_without_an_answer_is_taken_from_the_record(extracted: dict[str, Any]):
    evidence_of(extracted)["outcome"] = "nothing_found"
    [check] = checks(extracted)
    assert check.mark is Mark.FROM_RECORD
