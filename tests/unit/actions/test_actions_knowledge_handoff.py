"""Answers with their sources, and handing over with the right words and priority."""

from __future__ import annotations

from datetime import date

import pytest
from actions_fakes import FakeContext, run, tracker

from actions.handoff import HandOver
from actions.knowledge import AnswerQuestion
from tightrope.knowledge.models import Answer, Citation, Evidence, NoAnswer, Passage, Sentence

PASSAGE = Passage(
    passage_id="fees#1",
    document_id="fees",
    version="1.0",
    language="zh",
    title="费用",
    section="佣金",
    number=1,
    effective_from=date(2026, 1, 1),
    effective_to=date(2027, 1, 1),
    context="费用 > 佣金",
    text="佣金按成交金额收取。",
    sha256="b" * 64,
)
ANSWER = Answer((Sentence("佣金按成交金额收取。", 1),), (Citation(1, PASSAGE),), (Evidence(PASSAGE, 8123, used=True),), "zh")


async def test_an_answer_is_said_with_its_citations_directly_after_it(fake: FakeContext) -> None:
    fake.knowledge.result = ANSWER
    done = await run(AnswerQuestion(), tracker(None, text="佣金怎么收？", slots={"failures": "once"}))
    assert done.messages[0]["text"] == "佣金按成交金额收取。[1]"
    assert done.messages[1]["custom"]["envelope"]["kind"] == "citations"
    assert done.messages[1]["custom"]["envelope"]["items"][0]["passage_id"] == "fees#1"
    assert done.evidence["passages"] == [ANSWER.evidence[0].item()]
    assert done.slots == {"knowledge_outcome": "answered", "failures": None}


async def test_the_customers_words_and_language_are_asked(fake: FakeContext) -> None:
    await run(AnswerQuestion(), tracker(None, text="How are fees charged?", language="en"))
    assert fake.knowledge.questions == [("How are fees charged?", "en")]


async def test_nothing_found_says_nothing_itself_and_keeps_the_failures(fake: FakeContext) -> None:
    fake.knowledge.result = NoAnswer("below_threshold", (Evidence(PASSAGE, 100, used=False),))
    done = await run(AnswerQuestion(), tracker(None, text="?"))
    assert done.slots == {"knowledge_outcome": "nothing_found"}
    assert done.evidence["outcome"] == "nothing_found"
    assert done.evidence["passages"][0]["used"] is False
    assert len(done.messages) == 1


async def test_a_knowledge_part_that_fails_is_unavailable(fake: FakeContext) -> None:
    fake.knowledge.result = ConnectionError("down")
    done = await run(AnswerQuestion(), tracker(None, text="?"))
    assert done.slots == {"knowledge_outcome": "unavailable"}


@pytest.mark.parametrize(
    ("reason", "said", "told", "priority"),
    [
        (None, "utter_handoff_request", "request", "normal"),
        ("request", "utter_handoff_request", "request", "normal"),
        ("complaint", "utter_handoff_complaint", "complaint", "high"),
        ("distress", "utter_handoff_distress", "distress", "urgent"),
    ],
)
async def test_the_reason_chooses_words_and_priority(
    fake: FakeContext, reason: str | None, said: str, told: str, priority: str
) -> None:
    done = await run(HandOver(), tracker("talk_to_agent", slots={"handoff_reason": reason}))
    assert done.said == [said]
    assert done.envelope("handoff") == {"v": 1, "kind": "handoff", "reason": told, "priority": priority}
    assert done.slots == {"handoff_reason": None, "failures": None}


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_distress_names_the_hotline(fake: FakeContext, language: str) -> None:
    done = await run(HandOver(), tracker("talk_to_agent", language=language, slots={"handoff_reason": "distress"}))
    message = done.message("utter_handoff_distress")
    assert message["hotline_number"] == "12356"
    assert message["hotline_name"]
    assert message["emergency_number"] == "120 / 110"
