"""Acceptance cases played for real: in this process, and by the command with its workers. A case that expects the wrong thing has to fail."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tightrope.cli.main import app
from tightrope.cli.uat.known import securities
from tightrope.cli.uat.talk import UatStage
from tightrope.cli.uat.world import World, belongings, open_world
from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.uat.models import CaseResult
from tightrope.uat.player import play
from tightrope.uat.reader import read_cases
from tightrope.uat.standing import read_standing

CASES = """
cases:
  - id: told
    title: figures for the customer
    kind: happy
    journey: check_balance
    customer: C1001
    turns:
      - {say: 查账户余额, expect: {replies: [utter_balance], contains: ["128,650\\\\.42"]}}
    outcome: completed
  - id: expects-a-person
    title: expects what does not come
    kind: happy
    journey: check_balance
    customer: C1001
    turns:
      - {say: 查账户余额, expect: {handoff: {reason: complaint}}}
    outcome: person
  - id: login-fault-switch
    title: login in the middle, a fault, the switch, silence, given back
    kind: system_failure
    journey: check_balance
    customer: anonymous
    turns:
      - {say: 查账户余额, expect: {login: true}}
      - {login: C1002, expect: {replies: [utter_balance]}}
      - faults: [{operation: get_balance, fault: error_500, customer: C1002}]
      - {say: 查账户余额, expect: {replies: [utter_balance_unavailable]}}
      - {say: 查账户余额, expect: {replies: [utter_balance]}}
      - {switch_off: all}
      - {say: 查账户余额, expect: {silent: true, handoff: {reason: switch}}}
      - {switch_on: all}
      - {say: 查账户余额, expect: {silent: true}}
      - {give_back: true}
      - {say: 查账户余额, expect: {replies: [utter_balance]}}
      - {logout: true}
      - {say: 查账户余额, expect: {login: true, not_replies: [utter_balance]}}
    outcome: login_asked
  - id: no-such-button
    title: presses what was never offered
    kind: happy
    journey: check_balance
    customer: anonymous
    turns:
      - {say: 查账户余额, expect: {buttons: [我已登录]}}
      - {press: 买入}
    outcome: told
  - id: nothing-is-left-behind
    title: the case before left no fault, no switch and no login
    kind: happy
    journey: check_balance
    customer: anonymous
    turns:
      - {say: 查账户余额, expect: {login: true}}
    outcome: login_asked
"""


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    settings = Settings(state_dir=tmp_path_factory.mktemp("uat"))
    (path := settings.state_dir / "cases.yml").write_text(CASES, encoding="utf-8")
    cases, problems = read_cases([path], settings.state_dir)
    assert not problems
    async with open_world(settings, FixedClock(cases[0].at)) as world:
        yield world


@pytest.fixture(scope="module")
async def played(world: World) -> dict[str, CaseResult]:
    folder = world.settings.state_dir
    (path := folder / "cases.yml").write_text(CASES, encoding="utf-8")
    cases, _ = read_cases([path], folder)
    standing = read_standing(REPOSITORY / "tests" / "uat" / "standing.yml", belongings(), securities(world.settings))
    stage = UatStage(world)
    return {case.id: await play(case, stage, standing) for case in cases}


def test_a_case_that_is_served_passes(played: dict[str, CaseResult]) -> None:
    assert played["told"].passed, played["told"]


def test_a_case_that_expects_the_wrong_thing_fails_by_name(played: dict[str, CaseResult]) -> None:
    failed = played["expects-a-person"]
    assert [finding.what for step in failed.played for finding in step.findings] == ["handoff"]
    assert [finding.wanted for finding in failed.findings] == ["person"]


def test_logins_faults_the_switch_and_people_act_as_in_the_gateway(played: dict[str, CaseResult]) -> None:
    assert played["login-fault-switch"].passed, played["login-fault-switch"]


def test_what_was_never_offered_cannot_be_pressed(played: dict[str, CaseResult]) -> None:
    assert "there is no button '买入'" in played["no-such-button"].broke


def test_a_case_leaves_nothing_behind(played: dict[str, CaseResult]) -> None:
    assert played["nothing-is-left-behind"].passed, played["nothing-is-left-behind"]


@pytest.mark.long
def test_the_command_writes_run_and_report_and_exits_by_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "cases.yml").write_text(CASES, encoding="utf-8")
    done = CliRunner().invoke(app, ["uat", "run", str(tmp_path / "cases.yml"), "--out", str(tmp_path / "out"), "--workers", "1"])
    assert done.exit_code == 2, done.output  # told and expects-a-person say the same
    text = CASES.replace("查账户余额, expect: {handoff", "查一下我的账户余额, expect: {handoff")
    (tmp_path / "cases.yml").write_text(
        text.replace("  - id: nothing", "  - id: nobody").split("  - id: nobody")[0], encoding="utf-8"
    )
    done = CliRunner().invoke(app, ["uat", "run", str(tmp_path / "cases.yml"), "--out", str(tmp_path / "out"), "--workers", "1"])
    assert done.exit_code == 1, done.output
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert [case["passed"] for case in run["cases"]] == [True, False, True, False]
    assert "expects-a-person" in (tmp_path / "out" / "report.html").read_text()
