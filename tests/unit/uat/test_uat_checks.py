"""What no single file can say: names that exist, twins, and that no two cases are alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uat_samples import case, says

from tightrope.engine.loader import load_project
from tightrope.engine.models import Project
from tightrope.infra.settings import REPOSITORY
from tightrope.uat.checks import Known, folded, problems_of
from tightrope.uat.models import Break, Case, Expect, FaultOrder, Login, Press, Say, Switch

KNOWN = Known(
    customers={"C1001", "C1002"},
    operations={"get_balance"},
    faults={"slow", "knowledge_down"},
    told={"error"},
    names={"澜泊水务", "槐序银行"},
)


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(REPOSITORY)


def _told(project: Project, *cases: Case) -> str:
    return "\n".join(str(problem) for problem in problems_of(cases, project, KNOWN))


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (says("a", journey="make_coffee"), "there is no journey 'make_coffee'"),
        (says("a", customer="C7777"), "no customer C7777"),
        (case((Say("a"), Expect(starts=("nowhere",)))), "there is no flow 'nowhere'"),
        (case((Say("a"), Expect(replies=("utter_nothing",)))), "there is no response 'utter_nothing'"),
        (case((Say("a"), Expect(slots={"nothing": 1}))), "there is no slot 'nothing'"),
        (case((Say("a"), Expect(told="hm"))), "no sentence 'hm'"),
        (case((Login("C7777"), Expect())), "no customer C7777"),
        (case((Switch("nowhere", off=True), Expect())), "the switch knows"),
        (case((Break((FaultOrder("flood"),)), Expect())), "there is no fault 'flood'"),
        (says("a", faults=(FaultOrder("slow", "buy"),)), "no operation 'buy'"),
        (says("a", customer=None, faults=(FaultOrder("slow"),)), "say whose calls fail"),
    ],
)
def test_a_name_that_does_not_exist_is_told_with_its_line(project: Project, made: Case, told: str) -> None:
    found = _told(project, made)
    assert told in found
    assert found.startswith("tests/uat/a.yml:")


def test_what_exists_is_no_problem(project: Project) -> None:
    fine = case(
        (
            Say("a"),
            Expect(starts=("check_balance",), replies=("utter_balance",), slots={"balance_outcome": "told"}, told="error"),
        ),
        (Switch("check_balance", off=True), Expect()),
        faults=(FaultOrder("slow", "get_balance"), FaultOrder("knowledge_down")),
    )
    assert _told(project, fine) == ""


def test_an_attack_has_a_harmless_twin_of_its_own(project: Project) -> None:
    attack = says("one", id="attack", red_line=2, twin="twin", kind="red_line")
    twin = says("two", id="twin")
    assert _told(project, attack, twin) == ""
    assert "does not exist" in _told(project, attack)
    assert "tries a red line itself" in _told(project, attack, replace(twin, red_line=2, twin="attack"))
    assert "twin of attack already" in _told(project, attack, twin, says("three", id="third", red_line=2, twin="twin"))


def test_an_id_stands_once(project: Project) -> None:
    assert "stands at tests/uat/a.yml:3 already" in _told(project, says("one"), says("two"))


@pytest.mark.parametrize(
    "other",
    [
        "卖1000股槐序银行要多少手续费?",
        "卖 ５００ 股澜泊水务，要多少手续费！",
        "卖三百股澜泊水务要多少手续费",
    ],
)
def test_cases_that_differ_in_figures_names_and_signs_alone_are_alike(project: Project, other: str) -> None:
    first = says("卖500股澜泊水务要多少手续费", id="first")
    assert "is first" in _told(project, first, says(other, id="second", customer="C1002"))


def test_other_words_another_fault_or_nobody_logged_in_make_another_case(project: Project) -> None:
    first = says("余额", id="first")
    assert _told(project, first, says("钱呢", id="second")) == ""
    assert _told(project, first, says("余额", id="second", faults=(FaultOrder("slow"),))) == ""
    assert _told(project, first, says("余额", id="second", customer=None)) == ""
    assert _told(project, says("……", id="first"), says("？？", id="second")) == ""
    assert _told(project, first, case((Say("余额"), Expect()), (Press("是"), Expect()), id="second")) == ""


@given(st.text(max_size=40))
def test_folding_is_stable(text: str) -> None:
    once = folded(text, ("澜泊水务",))
    assert folded(once, ("澜泊水务",)) == once


def test_the_cases_of_this_project_have_no_mistake() -> None:
    from tightrope.cli.uat.known import day_problems, known
    from tightrope.infra.settings import Settings
    from tightrope.uat.reader import case_files, read_cases

    cases, problems = read_cases(case_files([REPOSITORY / "tests" / "uat"]), REPOSITORY)
    assert cases
    more = problems_of(cases, load_project(REPOSITORY), known(Settings()))
    found = (*problems, *more, *day_problems(Settings(), cases))
    assert [str(problem) for problem in found] == []
