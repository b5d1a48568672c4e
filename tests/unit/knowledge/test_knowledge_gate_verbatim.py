"""The gate over verbatim drafts: whole sentences of the cited passage, in force, in the right language, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.gate import Verdict, check, load_rules
from tightrope.knowledge.models import ApprovedClause, Citation, Clause, Draft, GateRules, Passage, Sentence
from tightrope.knowledge.passages import load_release, split_sentences

RELEASE = load_release(REPOSITORY / "knowledge_base")
RULES = replace(load_rules(REPOSITORY / "data/knowledge"), clauses=())
DAY = date(2026, 11, 20)
SOURCE = Passage(
    "x.v1.zh.1",
    "x",
    "v1",
    "zh",
    "标题",
    "段",
    1,
    date(2026, 9, 1),
    date(2026, 12, 31),
    "标题 > 段",
    "佣金不得超过成交金额的0.3%。每笔最低5元，次日即T+1日9:15起收取。最长不超过6个月。不可以提前支取。",
    "0" * 64,
    topic="fees",
)
FIRST, SECOND = Sentence("最长不超过6个月。", 1), Sentence("不可以提前支取。", 1)


def gate(*sentences: Sentence, source: Passage = SOURCE, rules: GateRules = RULES, day: date = DAY, **draft: object) -> Verdict:
    made = Draft(sentences, (Citation(1, source),), source.language)
    return check(replace(made, **draft), {1: source}, rules, day=day)  # type: ignore[arg-type]


def reasons(verdict: Verdict) -> list[str]:
    return [refused.reason for refused in verdict.refused]


@pytest.mark.parametrize("text", split_sentences(SOURCE.text))
def test_the_gate_lets_the_sources_own_sentences_through(text: str):
    verdict = gate(Sentence(text, 1))
    assert verdict.kept == (Sentence(text, 1),)
    assert verdict.passed


@pytest.mark.parametrize(
    ("text", "n", "reason"),
    [
        ("佣金不得超过成交金额的0.5%。", 1, "not verbatim"),
        ("佣金不得超过成交金额的0.3‰。", 1, "not verbatim"),
        ("每笔最低5元，次日即T+2日9:15起收取。", 1, "not verbatim"),
        ("佣金可以超过成交金额的0.3%。", 1, "not verbatim"),
        ("可以提前支取。", 1, "not verbatim"),
        ("最长不超过6个月", 1, "not verbatim"),
        ("最长不超过６个月。", 1, "not verbatim"),
        ("最长不超过6个月。不可以提前支取。", 1, "not verbatim"),
        ("最长不超过6个月。", 2, "cites nothing"),
        (" ", 1, "empty"),
        ("最长不超过\u202e6个月。", 1, "control characters"),
    ],
)
def test_the_gate_refuses_what_the_source_does_not_say(text: str, n: int, reason: str):
    verdict = gate(Sentence(text, n))
    assert verdict.kept == ()
    assert reasons(verdict) == [reason]
    assert not verdict.passed


def test_repetitions_and_what_goes_past_the_bounds_are_dropped_and_the_rest_is_kept():
    verdict = gate(FIRST, FIRST, SECOND, rules=replace(RULES, max_characters=10))
    assert verdict.kept == (FIRST,)
    assert reasons(verdict) == ["said twice", "too long"]
    assert reasons(gate(FIRST, SECOND, rules=replace(RULES, max_sentences=1))) == ["too long"]
    assert gate(FIRST, FIRST).passed


def test_a_lead_must_be_approved_to_the_letter_and_counts():
    lead = sorted(RULES.connectives["zh"])[0]
    assert gate(replace(FIRST, lead=lead)).passed
    assert reasons(gate(replace(FIRST, lead="但是不包括您，"))) == ["connective not approved"]
    assert reasons(gate(replace(FIRST, lead=sorted(RULES.connectives["en"])[0]))) == ["connective not approved"]
    assert reasons(gate(replace(FIRST, lead=lead), rules=replace(RULES, max_characters=len(FIRST.text)))) == ["too long"]


@pytest.mark.parametrize("day", [date(2026, 8, 31), date(2027, 1, 1)])
def test_a_passage_that_is_not_in_force_on_the_day_says_nothing(day: date):
    assert reasons(gate(FIRST, day=day)) == ["not in force"]


@pytest.mark.parametrize("day", [date(2026, 9, 1), date(2026, 12, 31)])
def test_the_first_and_the_last_day_count(day: date):
    assert gate(FIRST, day=day).passed


def test_a_passage_in_another_language_says_nothing():
    assert reasons(gate(FIRST, language="en")) == ["other language"]


@pytest.mark.parametrize("changes", [{"version": "v2"}, {"text": "最长不超过9个月。"}, {"passage_id": "y.v1.zh.1"}])
def test_the_citation_shown_must_be_the_passage_that_was_retrieved(changes: dict[str, str]):
    assert reasons(gate(FIRST, citations=(Citation(1, replace(SOURCE, **changes)),))) == ["citation is not its source"]


def test_a_number_without_a_shown_citation_is_refused():
    assert reasons(gate(FIRST, citations=())) == ["cites nothing"]


def test_the_sentence_of_another_cited_passage_is_not_this_ones():
    other = replace(SOURCE, passage_id="x.v1.zh.2", text="可以提前支取。")
    draft = Draft((Sentence("可以提前支取。", 1),), (Citation(1, SOURCE), Citation(2, other)), "zh")
    assert reasons(check(draft, {1: SOURCE, 2: other}, RULES, day=DAY)) == ["not verbatim"]


CLAUSE = ApprovedClause(
    "fees-may-change", {"zh": "费用以公告为准。", "en": "Fees are as announced."}, frozenset({"fees"}), frozenset()
)


def test_a_required_clause_must_stand_there_word_for_word():
    rules = replace(RULES, clauses=(CLAUSE,))
    assert gate(FIRST, rules=rules).missing_clauses == ("fees-may-change",)
    assert not gate(FIRST, rules=rules).passed
    assert gate(FIRST, rules=rules, clauses=(CLAUSE.clause("zh"),)).passed
    changed = gate(FIRST, rules=rules, clauses=(Clause("fees-may-change", "费用不变。"),))
    assert (reasons(changed), changed.missing_clauses) == (["clause not approved"], ("fees-may-change",))
    assert gate(FIRST, rules=rules, clauses=(CLAUSE.clause("en"),)).missing_clauses == ("fees-may-change",)


def test_the_question_may_ask_for_clauses_of_its_own():
    rules = replace(RULES, clauses=(replace(CLAUSE, topics=frozenset({"tax"})),))
    draft = Draft((FIRST,), (Citation(1, SOURCE),), "zh")
    assert check(draft, {1: SOURCE}, rules, day=DAY).missing_clauses == ()
    assert check(draft, {1: SOURCE}, rules, day=DAY, question_topics=["tax"]).missing_clauses == ("fees-may-change",)


@given(st.data())
def test_no_changed_character_ever_passes(data: st.DataObject):
    source = data.draw(st.sampled_from(RELEASE.passages))
    text = data.draw(st.sampled_from(split_sentences(source.text)))
    at = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.characters(exclude_categories=["Cs"]).filter(lambda c: c != text[at]))
    day = max(source.effective_from, DAY)
    assert gate(Sentence(text[:at] + put + text[at + 1 :], 1), source=source, day=day).kept == ()


@given(st.data())
def test_no_part_of_a_sentence_passes_and_no_two_together(data: st.DataObject):
    source = data.draw(st.sampled_from(RELEASE.passages))
    whole = split_sentences(source.text)
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(source.text)), st.integers(0, len(source.text)))))
    part = source.text[start:end]
    day = max(source.effective_from, DAY)
    assert bool(gate(Sentence(part, 1), source=source, day=day).kept) == (part in whole)


def test_every_sentence_of_the_knowledge_base_passes_with_its_clauses():
    rules = load_rules(REPOSITORY / "data/knowledge")
    for source in RELEASE.passages:
        assert not re.search(r"\[\d+\]", source.text), "reads like a citation marker"
        for text in split_sentences(source.text):
            assert gate(Sentence(text, 1), source=source, rules=rules, day=max(source.effective_from, DAY)).kept
