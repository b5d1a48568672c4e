"""The e2e files that Rasa Pro runs with a licence, played here on the embedded engine with the real understanding."""

from __future__ import annotations

import pytest
from rasa_e2e_player import Case, cases, play
from rasa_played import project

from tightrope.infra.settings import REPOSITORY
from tightrope.understanding import training
from tightrope.understanding.service import Understanding

CASES = list(cases(REPOSITORY / "tests" / "e2e"))


@pytest.fixture(scope="module")
def understanding(tmp_path_factory: pytest.TempPathFactory) -> Understanding:
    folder = REPOSITORY / "data" / "understanding"
    return Understanding(training.obtained(folder, tmp_path_factory.mktemp("cache")), training.thresholds(folder))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}:{case.name}")
def test_case_goes_as_asserted(case: Case, understanding: Understanding) -> None:
    assert play(case, project(), understanding) == []


def test_every_journey_has_a_case_in_both_languages() -> None:
    flows = {flow.id for flow in project().flows.values() if not flow.is_pattern}
    by_language: dict[str, set[str]] = {}
    for case in CASES:
        started = by_language.setdefault(case.metadata["language"], set())
        for step in case.steps:
            for assertion in step["assertions"]:
                started.update(assertion.get("flow_started", {}).get("flow_ids", ()))
                if assertion.get("bot_uttered", {}).get("utter_name") == "utter_greeting":
                    started.add("greet")
    assert by_language == {"zh": flows, "en": flows}


def test_a_wrong_expectation_is_noticed(understanding: Understanding) -> None:
    case = next(case for case in CASES if case.name == "balance_told")
    steps = [{"user": "我的余额是多少？", "assertions": [{"bot_uttered": {"utter_name": "utter_greeting"}}, {"invented": 1}]}]
    assert len(play(Case(case.file, "x", steps, case.metadata, case.stubs), project(), understanding)) == 2
