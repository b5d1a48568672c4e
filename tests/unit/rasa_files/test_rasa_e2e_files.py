"""The e2e files that Rasa Pro runs with a licence, played here by `tightrope test e2e`'s runner with the real understanding."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rasa_played import project

from actions.journeys import journeys
from tightrope.cli.neighbours import LocalUnderstanding
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.suites.cases import Case, Expected, FlowsStarted, Said
from tightrope.suites.discovery import choose
from tightrope.suites.player import play as played
from tightrope.suites.service import Stage, run_suite
from tightrope.suites.sources import NoActions

CASES = choose(["tests/e2e"], REPOSITORY, "e2e").cases


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    settings = Settings(state_dir=tmp_path_factory.mktemp("state"))
    nobody = NoActions("Rasa demands a stub for every custom action")
    return Stage(project(), LocalUnderstanding(settings, project()), nobody, strict_payloads=True)


async def play(case: Case, stage: Stage) -> list[str]:
    """What went otherwise than asserted."""
    report = await played(stage.conversation(case), None)
    wrong = [
        f"{report.file}:{found.line} {found.kind}: expected {found.expected}, got {found.actual} {found.reason}"
        for turn in report.turns
        for found in turn.expectations
        if found.status != "passed"
    ]
    problems = [problem for turn in report.turns for problem in turn.problems]
    return wrong + problems + ([report.reason] if report.reason else [])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path.name}:{case.name}")
async def test_case_goes_as_asserted(case: Case, stage: Stage) -> None:
    assert await play(case, stage) == []


def test_every_journey_has_a_case_in_both_languages() -> None:
    flows = {flow for flow, journey in journeys().items() if not journey.helper}
    by_language: dict[str, set[str]] = {}
    for case in CASES:
        for turn in case.turns:
            started = by_language.setdefault(turn.metadata["language"], set())
            for expected in turn.expected:
                if isinstance(expected.wanted, FlowsStarted):
                    started.update(expected.wanted.flows)
                elif isinstance(expected.wanted, Said) and expected.wanted.utter == "utter_greeting":
                    started.add("greet")
    assert by_language == {"zh": flows, "en": flows}


async def test_what_customers_write_is_understood_as_annotated(stage: Stage) -> None:
    report = await run_suite("du", choose(["tests/dialogue_understanding_tests"], REPOSITORY, "du"), stage)
    wrong = [
        (turn.user, found.expected, found.actual)
        for case in report.cases
        for turn in case.turns
        for found in turn.expectations
        if found.status == "failed"
    ]
    assert wrong == []
    assert [problem for case in report.cases for turn in case.turns for problem in turn.problems] == []
    assert report.count("passed") == len(report.cases) == 10


async def test_a_wrong_expectation_is_noticed(stage: Stage) -> None:
    case = next(case for case in CASES if case.name == "balance_told")
    wrong = tuple(Expected("bot_uttered", Said(utter=name), 1) for name in ("utter_greeting", "utter_invented"))
    assert len(await play(replace(case, turns=(replace(case.turns[0], expected=wrong),)), stage)) == 2
