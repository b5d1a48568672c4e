"""Terms, n-grams, scores and metadata conditions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.knowledge.server.conditions import IMPOSSIBLE, allowed_documents
from tightrope.knowledge.server.scoring import HEAD, fuse, index_terms, matched, units, weigh
from tightrope.knowledge.server.tokens import cosine, grams, idf, light_terms, normalise, stem, terms, warm_up
from tightrope.knowledge.xxh64 import xxh64


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("５０万元", "500000元"),
        ("CNY 500,000", "cny 500000"),
        ("1.5亿", "150000000"),
        ("5 million", "5000000"),
        ("Ｔ＋１", "t+1"),
        ("Stock Connect", "stockconnect"),
    ],
)
def test_text_is_normalised_for_search(text: str, normal: str):
    assert normalise(text) == normal


def test_the_same_amount_in_both_spellings_is_the_same_term():
    assert set(terms("50万")) == set(terms("500,000")) == {"500000"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fees", "fee"),
        ("trading", "trade"),
        ("stopped", "stop"),
        ("companies", "company"),
        ("broker's", "broker"),
        ("opening", "open"),
        ("accounts", "account"),
    ],
)
def test_english_forms_of_a_word_are_one_term(one: str, other: str):
    assert stem(one) == stem(other)


def test_numbers_and_rules_keep_their_form():
    assert stem("500") == "500"
    assert stem("t+1") == "t+1"
    assert "t+1" in terms("What is T+1?")


def test_chinese_is_segmented_and_stop_words_are_left_out():
    warm_up()
    found = terms("请问科创板的开通条件是什么")
    assert "科创板" in found
    assert "条件" in found
    assert "什么" not in found
    assert "的" not in found


def test_synonyms_meet_on_one_term():
    assert set(terms("打新")) & set(terms("新股申购"))
    assert set(terms("broker")) == {stem("securitiescompany")}


def test_light_terms_need_no_dictionary():
    assert light_terms("印花税的税率") == ("印花", "花税", "税率")
    assert light_terms("税") == ("税",)
    assert light_terms("Which fees?") == ("fee",)


def test_a_rare_term_weighs_more_than_a_common_one_and_never_less_than_nothing():
    assert idf(100, 1) > idf(100, 50) > idf(100, 100) > 0


def test_a_topic_nobody_wrote_about_weighs_most_and_other_unknown_words_little():
    weights = weigh(["期权", "费用", "隔壁"], {"费用": 3}, 100)
    assert weights["期权"] == 2 * idf(100, 0)
    assert weights["隔壁"] < weights["费用"] < weights["期权"]


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_cosine_lies_between_nothing_and_the_same(one: str, other: str):
    value = cosine(grams(one), grams(other))
    assert -1e-9 <= value <= 1 + 1e-9
    assert value == pytest.approx(cosine(grams(other), grams(one)))
    if grams(one):
        assert cosine(grams(one), grams(one)) == pytest.approx(1)


@given(st.text(max_size=200))
def test_no_text_breaks_the_search(text: str):
    terms(text)
    light_terms(text)
    units(text, ())


CONTENT = "交易费用 > 印花税 (v1, 2026-09-01 起生效)\n印花税由卖出方缴纳。税率为0.05%。"


def test_the_score_is_the_weighted_sum_of_its_parts():
    weights = {"印花税": 2.0, "税率": 1.0, "没有": 1.0}
    found = fuse(matched(weights, index_terms(CONTENT, ("税率",))), weights, 0.8, 0.3)
    assert found.term_similarity == pytest.approx(0.75)
    assert found.vector_similarity == 0.8
    assert found.similarity == pytest.approx(0.3 * 0.8 + 0.7 * 0.75)


def test_a_term_in_the_heading_counts_more_than_one_in_the_text():
    found = index_terms(CONTENT, ())
    assert matched({"印花税": 1.0}, found) == pytest.approx(1)
    assert matched({"卖": 1.0}, found) == pytest.approx(1 - HEAD)


def test_a_question_without_terms_has_no_term_similarity():
    assert fuse(matched({}, index_terms(CONTENT, ())), {}, 0.5, 0.5).similarity == 0.25


def test_keywords_are_found():
    assert "打新" not in index_terms(CONTENT, ()).everywhere
    assert set(terms("税负")) <= index_terms(CONTENT, ("税负",)).head


METADATA = {
    "a": {"audience": "public", "from": "2026-09-01", "v": "2026.10", "tags": ["public", "internal"]},
    "b": {"audience": "Internal", "from": "2027-01-01", "v": "x2"},
    "c": {},
    "d": {"thousand": 1000, "odd": "2026-13-01"},
}


def where(name: str, operator: str, value: object, logic: str = "and") -> set[str] | None:
    return allowed_documents(
        {"logic": logic, "conditions": [{"name": name, "comparison_operator": operator, "value": value}]}, METADATA
    )


@pytest.mark.parametrize("condition", [None, {}])
def test_an_empty_condition_is_no_filter_at_all(condition: dict | None):
    assert allowed_documents(condition, METADATA) is None


@pytest.mark.parametrize("condition", [{"conditions": []}, {"logic": "and"}])
def test_a_condition_without_parts_matches_nothing(condition: dict):
    assert allowed_documents(condition, METADATA) == {IMPOSSIBLE}


@pytest.mark.parametrize(
    ("name", "operator", "value", "found"),
    [
        ("audience", "=", "PUBLIC", {"a"}),
        ("audience", "is", "internal", {"b"}),
        ("audience", "≠", "public", {"b"}),
        ("audience", "!=", "public", {"b"}),
        ("nowhere", "≠", "public", {IMPOSSIBLE}),
        ("tags", "≠", "internal", {"a"}),
        ("audience", "contains", "ubl", {"a"}),
        ("audience", "not contains", "ubl", {"b"}),
        ("audience", "start with", "int", {"b"}),
        ("audience", "end with", "lic", {"a"}),
        ("audience", "in", ["public", "other"], {"a"}),
        ("audience", "in", "public,internal", {"a", "b"}),
        ("audience", "not in", ["public"], {"b"}),
        ("audience", "empty", "", {IMPOSSIBLE}),
        ("audience", "not empty", "", {"a", "b"}),
        ("from", "≤", "2026-11-20", {"a"}),
        ("from", ">=", "2026-11-20", {"b"}),
        ("from", "≤", "tomorrow", {IMPOSSIBLE}),
        ("v", "=", "2026.1", {"a"}),
        ("v", ">", "2000", {"a", "b"}),
        ("v", "like", "2000", {IMPOSSIBLE}),
        ("audience", "in", "xpublic,internal", {"a", "b"}),  # a text holds its parts: give a list
        ("thousand", "=", "1e3", {"d"}),
        ("from", "≥", "2026-08-31T00:00:00", {IMPOSSIBLE}),  # times do not work
        ("odd", "≤", "2026-12-31", {IMPOSSIBLE}),  # month 13 counts as a date, and lies after December
        ("odd", "≥", "2026-12-31", {"d"}),
    ],
)
def test_operators_compare_as_ragflow_compares(name: str, operator: str, value: object, found: set[str]):
    assert where(name, operator, value) == found


def test_a_condition_without_value_is_a_key_error_as_in_ragflow():
    with pytest.raises(KeyError):
        allowed_documents({"conditions": [{"name": "audience", "comparison_operator": "empty"}]}, METADATA)


def test_or_unites_and_and_intersects():
    parts = [
        {"name": "audience", "comparison_operator": "=", "value": "public"},
        {"name": "v", "comparison_operator": "=", "value": "x2"},
    ]
    assert allowed_documents({"logic": "or", "conditions": parts}, METADATA) == {"a", "b"}
    assert allowed_documents({"logic": "and", "conditions": parts}, METADATA) == {IMPOSSIBLE}


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "ef46db3751d8e999"),
        (b"a", "d24ec4f1a98c6e5b"),
        (b"abc", "44bc2cf5ad770999"),
        (b"Nobody inspects the spammish repetition", "fbcea83c8a378bf1"),
    ],
)
def test_xxh64_gives_the_published_values(data: bytes, digest: str):
    assert xxh64(data) == digest


def test_idf_is_finite():
    assert math.isfinite(idf(0, 0))
