"""Answers with their sources, and handing over with the right words and priority."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
import yaml
from actions_fakes import FakeContext, run, tracker

from actions.handoff import HandOver
from actions.knowledge import AnswerQuestion
from actions.rule_data import FOLDER
from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.guards import GuardVerdict
from tightrope.knowledge.models import Answer, Citation, Evidence, NoAnswer, Passage, Sentence

RESPONSES = yaml.safe_load((REPOSITORY / "domain" / "handoff.yml").read_text(encoding="utf-8"))["responses"]
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


async def test_what_the_guards_said_stands_in_the_evidence_also_of_refused_drafts(fake: FakeContext) -> None:
    refused = GuardVerdict("gate", passed=False, reason="not verbatim", mode="verbatim", draft=({"n": 1, "text": "编的。"},))
    fake.knowledge.result = replace(ANSWER, guards=(refused, GuardVerdict("gate", passed=True, mode="verbatim")))
    done = await run(AnswerQuestion(), tracker(None, text="佣金怎么收？"))
    assert [one["verdict"] for one in done.evidence["guards"]] == ["refused", "passed"]
    assert done.evidence["guards"][0]["draft"] == [{"n": 1, "text": "编的。"}]


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
        ("coercion", "utter_handoff_coercion", "coercion", "urgent"),
        ("vulnerable", "utter_handoff_vulnerable", "vulnerable", "urgent"),
        ("fraud", "utter_handoff_fraud", "fraud", "urgent"),
    ],
)
async def test_the_reason_chooses_words_and_priority(
    fake: FakeContext, reason: str | None, said: str, told: str, priority: str
) -> None:
    done = await run(HandOver(), tracker("talk_to_agent", slots={"handoff_reason": reason}))
    assert done.said == [said]
    assert done.envelope("handoff") == {"v": 1, "kind": "handoff", "reason": told, "priority": priority}
    assert done.slots == {"handoff_reason": None, "failures": None}


LINES = {
    "distress": {"12356", "110", "120"},
    "coercion": {"110", "96110"},
    "vulnerable": {"12356", "96110"},
    "fraud": {"110", "96110"},
}


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("reason", LINES)
async def test_who_is_in_need_hears_the_lines_that_help_and_gets_no_menu(fake: FakeContext, language: str, reason: str) -> None:
    done = await run(HandOver(), tracker("talk_to_agent", language=language, slots={"handoff_reason": reason}))
    message = done.message(f"utter_handoff_{reason}")
    assert {value for name, value in message.items() if name.endswith("_number")} == LINES[reason]
    assert not message.get("buttons")
    for item in RESPONSES[f"utter_handoff_{reason}"]:
        assert "buttons" not in item
        for text in (item["text"], item["translation"]["en"]):
            assert set(re.findall(r"\{(\w+)\}", text)) <= message.keys()
            assert set(re.findall(r"\{(\w+_number)\}", text)) == {n for n in message if n.endswith("_number")}
            assert not re.search(r"\d{3}", text), "numbers come from the data file"


async def test_every_line_of_the_data_names_its_source_and_since_when(fake: FakeContext) -> None:
    lines = yaml.safe_load((FOLDER / "support_lines.yml").read_text(encoding="utf-8"))
    assert lines["checked_on"]
    for name, line in lines["lines"].items():
        assert line["source"], name
        assert line["effective_from"], name
        assert set(line["name"]) == set(line["hours"]) == {"zh", "en"}, name


async def test_topics_equally_near_are_offered_as_buttons_and_are_no_failure(fake: FakeContext) -> None:
    fake.knowledge.result = NoAnswer(
        "ask_back", (Evidence(PASSAGE, 5000, used=False),), (PASSAGE, replace(PASSAGE, section="最低佣金"))
    )
    done = await run(AnswerQuestion(), tracker(None, text="佣金", slots={"failures": "once"}))
    assert done.slots == {"knowledge_outcome": "asked_back", "failures": None}
    assert done.messages[0]["response"] == "utter_which_topic_meant"
    assert [button["payload"] for button in done.messages[0]["buttons"]] == ["查看资料：费用：佣金", "查看资料：费用：最低佣金"]
