"""Planted errors over the whole knowledge base; benchmarks/knowledge/gate.py makes thousands of the same and prints the shares."""

from __future__ import annotations

import pytest
from planted_answers import DAY, KINDS, MODES, Case, Planter, bases

from tightrope.infra.settings import REPOSITORY
from tightrope.knowledge.gate import check, load_rules
from tightrope.knowledge.passages import load_release

RULES = load_rules(REPOSITORY / "data/knowledge")
OWN, WRITTEN = bases(load_release(REPOSITORY / "knowledge_base"), REPOSITORY / "tests/golden/knowledge/faithful.jsonl")


def kept(case: Case) -> bool:
    return bool(check(case.draft, case.sources, RULES, day=DAY).kept)


@pytest.mark.parametrize("kind", KINDS)
def test_no_planted_error_passes_as_verbatim(kind: str):
    planter = Planter(OWN, WRITTEN, 11)
    cases = [planter.planted(kind, "verbatim") for _ in range(150)]
    assert [case.draft.sentences[0].text for case in cases if kept(case)] == []


@pytest.mark.parametrize("kind", ["number", "unit", "version"])
def test_no_false_figure_unit_or_version_passes_as_paraphrase(kind: str):
    planter = Planter(OWN, WRITTEN, 12)
    cases = [planter.planted(kind, "paraphrase") for _ in range(150)]
    assert [case.draft.sentences[0].text for case in cases if kept(case)] == []


@pytest.mark.parametrize("kind", ["negation", "condition", "blend", "name"])
def test_hardly_any_other_planted_error_passes_as_paraphrase(kind: str):
    planter = Planter(OWN, WRITTEN, 13)
    assert sum(kept(planter.planted(kind, "paraphrase")) for _ in range(150)) <= 5


def test_what_is_true_and_verbatim_always_passes_and_paraphrases_mostly():
    cases = list(Planter(OWN, WRITTEN, 14).faithful(100))
    refused = [case for case in cases if check(case.draft, case.sources, RULES, day=DAY).refused]
    assert all(case.mode == "paraphrase" for case in refused)
    assert len(refused) <= 0.15 * len(WRITTEN)


def test_the_same_seed_plants_the_same_errors_and_none_of_them_is_the_source():
    one, other = (list(Planter(OWN, WRITTEN, 15).planted_all(5)) for _ in range(2))
    assert one == other
    assert {(case.kind, case.mode) for case in one} == {(kind, mode) for kind in KINDS for mode in MODES}
    for case in one:
        if case.kind != "version":
            assert case.draft.sentences[0].text not in case.sources[1].text.split("\n")


def test_enough_paraphrases_were_written_by_hand():
    assert len(WRITTEN) >= 150
    assert all(base.text != base.quote for base in WRITTEN)
