"""When passages answer, when the customer is asked back, and when nothing is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.compose.asking import load_forms, out_of_reach
from tightrope.knowledge.compose.decide import MAX_SUGGESTIONS, Answerable, Limits, chosen_by, decide
from tightrope.knowledge.models import Chunk, NoAnswer, Passage

DAY = date(2026, 11, 20)
LIMITS = Limits(answer=5000, ask=5000, near=500)


def chunk(document: str, score: float, *, version: str = "v1", since: date = date(2026, 9, 1), until: date = date.max) -> Chunk:
    passage = Passage(
        passage_id=f"{document}.{version}.zh.1",
        document_id=document,
        version=version,
        language="zh",
        title=document,
        section="段",
        number=1,
        effective_from=since,
        effective_to=until,
        context=f"{document} > 段",
        text=f"{document}的说明。",
        sha256="0" * 64,
    )
    return Chunk(passage, score, score, score)


def reason(*chunks: Chunk, limits: Limits = LIMITS) -> str:
    found = decide("问题", "zh", chunks, limits, day=DAY)
    return found.reason if isinstance(found, NoAnswer) else "answer"


def test_a_passage_that_stands_alone_is_answered_from():
    assert reason(chunk("a", 0.9), chunk("b", 0.6)) == "answer"


@pytest.mark.parametrize(("second", "expected"), [(0.85, "answer"), (0.8501, "ask_back"), (0.9, "ask_back")])
def test_two_documents_nearer_than_the_limit_are_asked_about(second: float, expected: str):
    assert reason(chunk("a", 0.9), chunk("b", second)) == expected


def test_the_customer_chooses_among_at_most_three_documents():
    found = decide("问题", "zh", [chunk(name, 0.9) for name in "abcde"], LIMITS, day=DAY)
    assert isinstance(found, NoAnswer)
    assert [passage.document_id for passage in found.suggestions] == ["a", "b", "c"]


def test_two_sections_of_one_document_are_no_two_topics():
    assert reason(chunk("a", 0.9), chunk("a", 0.9)) == "answer"


def test_what_is_too_far_away_is_not_offered_as_a_choice():
    assert reason(chunk("a", 0.51), chunk("b", 0.49)) == "answer"


@pytest.mark.parametrize(
    ("since", "until"), [(date(2027, 1, 1), date.max), (date(2025, 1, 1), date(2026, 11, 19))], ids=["not yet", "no more"]
)
def test_nothing_is_said_from_a_passage_out_of_force(since: date, until: date):
    assert reason(chunk("a", 0.9, since=since, until=until)) == "expired"


def test_a_passage_out_of_force_does_not_stand_in_the_way_of_one_in_force():
    found = decide("问题", "zh", [chunk("a", 0.95, until=date(2026, 1, 1)), chunk("b", 0.7)], LIMITS, day=DAY)
    assert isinstance(found, Answerable)
    assert [item.passage.document_id for item in found.chunks] == ["b"]


def test_two_versions_in_force_at_once_contradict_each_other():
    assert reason(chunk("a", 0.9), chunk("a", 0.7, version="v2")) == "conflict"


def test_a_second_version_that_nobody_asked_about_is_no_conflict():
    assert reason(chunk("a", 0.9), chunk("a", 0.4, version="v2")) == "answer"


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 1)), max_size=8), st.integers(0, 2000))
def test_an_answer_always_rests_on_a_passage_at_or_above_the_threshold(found: list[tuple[str, float]], near: int):
    chunks = sorted((chunk(name, score) for name, score in found), key=lambda c: -c.similarity)
    decision = decide("问题", "zh", chunks, replace(LIMITS, near=near), day=DAY)
    if isinstance(decision, Answerable):
        assert decision.chunks[0].score >= 5000
    else:
        assert len(decision.suggestions) <= MAX_SUGGESTIONS
        assert (decision.reason == "ask_back") == (len(decision.suggestions) >= 2)


def test_between_the_levels_the_customer_is_asked_which_is_meant():
    found = decide("问题", "zh", [chunk("a", 0.6), chunk("b", 0.1)], Limits(answer=8000, ask=3000, near=0), day=DAY)
    assert isinstance(found, NoAnswer)
    assert (found.reason, [passage.document_id for passage in found.suggestions]) == ("ask_back", ["a", "b"])


def test_the_choice_that_was_offered_is_answered_whatever_its_confidence():
    wanted = chunk("b", 0.1)
    found = decide(chosen_by(wanted.passage), "zh", [chunk("a", 0.9), wanted], LIMITS, day=DAY)
    assert isinstance(found, Answerable)
    assert found.chunks == (wanted,)


def test_the_choice_is_known_in_half_width_too():
    wanted = chunk("b", 0.1)
    found = decide("查看资料:b: 段", "zh", [chunk("a", 0.9), wanted], LIMITS, day=DAY)
    assert isinstance(found, Answerable)
    assert found.chunks == (wanted,)


@pytest.mark.parametrize(("year", "expected"), [("2008", "expired"), ("2026", "answer")])
def test_a_year_of_which_the_passage_says_nothing_is_not_answered(year: str, expected: str):
    found = decide(f"{year}年的标准", "zh", [chunk("a", 0.9)], LIMITS, day=DAY)
    assert (found.reason if isinstance(found, NoAnswer) else "answer") == expected


FORMS = load_forms(REPOSITORY / "data" / "knowledge")


@pytest.mark.parametrize(
    ("question", "language", "expected"),
    [
        ("推荐一只基金吧", "zh", "advice"),
        ("Which fund is best for me?", "en", "advice"),
        ("大盘明天会涨吗", "zh", "advice"),
        ("印花税以前的标准是多少", "zh", "expired"),
        ("What was the commission years ago?", "en", "expired"),
        ("What does Futu charge?", "en", "below_threshold"),
        ("美股怎么开户", "zh", "below_threshold"),
        ("卖股票的印花税是多少", "zh", None),
        ("How do I open an account?", "en", None),
    ],
)
def test_forms_of_questions_out_of_reach(question: str, language: str, expected: str | None):
    assert out_of_reach(question, language, FORMS) == expected  # type: ignore[arg-type]


def test_a_form_out_of_reach_is_refused_before_anything_is_quoted():
    found = decide("推荐一只基金吧", "zh", [chunk("a", 0.99)], LIMITS, FORMS, day=DAY)
    assert isinstance(found, NoAnswer)
    assert found.reason == "advice"
