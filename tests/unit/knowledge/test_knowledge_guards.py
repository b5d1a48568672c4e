"""What the guards say goes on record: of what was found, and of every draft, with the whole of one that was refused."""

from __future__ import annotations

import json
from datetime import date
from types import SimpleNamespace
from typing import Any

import jsonschema

from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.compose.decide import Answerable
from tightrope.knowledge.gate import load_rules
from tightrope.knowledge.models import Answer, Chunk, Citation, Draft, NoAnswer, Passage, Sentence
from tightrope.knowledge.service import KnowledgeService

ENVELOPE = json.loads((REPOSITORY / "contracts/turn/envelope.schema.json").read_text(encoding="utf-8"))
RULES = load_rules(REPOSITORY / "data/knowledge")
PASSAGE = Passage(
    "x.v1.zh.1", "x", "v1", "zh", "标题", "段", 1, date(2026, 9, 1), date.max, "标题 > 段", "佣金按成交金额收取。", "0" * 64
)
CHUNK = Chunk(PASSAGE, 0.9, 0.9, 0.9)
RETRIEVED = SimpleNamespace(
    quotable=SimpleNamespace(release=SimpleNamespace(release_id="kb-0"), withdrawn=frozenset()),
    chunks=[CHUNK],
    server="test",
    dropped=[],
)


def drafted(text: str) -> Draft:
    return Draft((Sentence(text, 1),), (Citation(1, PASSAGE),), "zh")


class Says:
    """A composer that proposes one thing."""

    def __init__(self, result: Draft | NoAnswer) -> None:
        self.result = result

    async def compose(self, *_: Any) -> Draft | NoAnswer:
        return self.result


async def answered(clock: FixedClock, decision: Any, *drafts: Draft | NoAnswer) -> Answer | NoAnswer:
    async def retrieve(*_: Any) -> Any:
        return RETRIEVED

    judge = SimpleNamespace(decide=lambda *_, **__: decision)
    service = KnowledgeService(
        SimpleNamespace(retrieve=retrieve), None, lambda _: judge, RULES, clock, [Says(draft) for draft in drafts]
    )  # type: ignore[arg-type]
    return await service.answer("佣金怎么收", "zh")


def items(result: Answer | NoAnswer) -> list[dict[str, Any]]:
    """The verdicts as the envelope carries them, held against its contract."""
    found = [guard.item() for guard in result.guards]
    jsonschema.validate({"v": 1, "kind": "evidence", "action": "a", "outcome": "b", "guards": found}, ENVELOPE)
    return found


async def test_a_refused_draft_is_kept_whole_with_what_was_wrong_and_the_next_one_is_named(clock: FixedClock) -> None:
    invented = "佣金最低为零元。"
    result = await answered(clock, Answerable((CHUNK,)), drafted(invented), drafted(PASSAGE.text))
    assert isinstance(result, Answer)
    found, refused, passed = items(result)
    assert found == {"guard": "relevance", "verdict": "passed"}
    assert refused["verdict"] == "refused"
    assert refused["reason"] == "not verbatim"
    assert refused["draft"] == [{"n": 1, "lead": "", "text": invented, "quote": ""}]
    assert refused["refused"][0]["text"] == invented
    assert passed == {"guard": "gate", "verdict": "passed", "mode": "verbatim"}


async def test_when_every_draft_is_refused_all_of_them_are_kept(clock: FixedClock) -> None:
    result = await answered(clock, Answerable((CHUNK,)), drafted("一。"), drafted("二。"))
    assert isinstance(result, NoAnswer)
    assert result.reason == "gate"
    assert [one["draft"][0]["text"] for one in items(result)[1:]] == ["一。", "二。"]


async def test_passages_that_do_not_answer_are_a_verdict_too(clock: FixedClock) -> None:
    result = await answered(clock, NoAnswer("below_threshold"))
    assert items(result) == [{"guard": "relevance", "verdict": "refused", "reason": "below_threshold"}]


async def test_a_model_that_declines_leaves_the_verdicts_before_it(clock: FixedClock) -> None:
    result = await answered(clock, Answerable((CHUNK,)), NoAnswer("declined"), drafted(PASSAGE.text))
    assert isinstance(result, NoAnswer)
    assert result.reason == "declined"
    assert items(result) == [{"guard": "relevance", "verdict": "passed"}]
