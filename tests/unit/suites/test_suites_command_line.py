"""`tightrope test e2e` and `tightrope test du` as a user meets them: console, files, exit codes."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
import yaml
from suites_world import write_bot
from typer.testing import CliRunner

from tightrope.cli.main import app
from tightrope.engine.clients import ActionClient
from tightrope.infra.settings import Settings, get_settings

E2E = """
stub_custom_actions:
  action_stock: {events: [{event: slot, name: stock, value: true}]}
test_cases:
  - test_case: orders
    steps:
      - user: I want the big one
        assertions:
          - slot_was_set: [{name: size, value: large}]
      - user: three
        assertions:
          - bot_uttered: {utter_name: utter_ordered}
          - generative_response_is_relevant: {threshold: 0.8}
  - test_case: asks
    steps:
      - user: when?
      - utter: utter_hours
"""
COMMANDS = """
- file: tests/e2e/a.yml
  test_case: orders
  turns:
    - {index: 0, commands: [start flow order, set slot size large]}
    - {index: 1, commands: [set slot count 3]}
- file: tests/e2e/a.yml
  test_case: asks
  turns: [{index: 0, commands: [start flow hours]}]
"""


class Cli:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_bot(folder)
        self.write("tests/e2e/a.yml", E2E)
        self.write("commands.yml", COMMANDS)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, *arguments: str, kind: str = "e2e", commands: bool = True) -> tuple[int, str, str]:
        """Exit code, output, errors."""
        given = ["--commands", str(self.folder / "commands.yml")] if commands and kind == "e2e" else []
        result = CliRunner().invoke(
            app, ["test", kind, *arguments, "--project", str(self.folder), *given], env={"COLUMNS": "100"}
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def cli(tmp_path, monkeypatch) -> Cli:
    get_settings.cache_clear()
    monkeypatch.setattr("tightrope.infra.settings.get_settings", lambda: Settings(state_dir=tmp_path / "state"))
    return Cli(tmp_path / "bot")


def test_all_passed_is_exit_0_with_a_count_of_what_was_not_run(cli):
    code, out, _ = cli.run()
    assert code == 0
    assert "2 cases in 1 file: 2 passed" in out
    assert "1 expectation was not run within these cases" in out
    rows = [line.split() for line in out.splitlines()]
    assert ["bot_uttered", "1", "100.0%"] in rows
    assert ["generative_response_is_relevant", "0", "1", "–"] in rows


def test_a_failure_is_exit_1_and_shows_expected_and_actual_side_by_side_with_the_line(cli):
    cli.write("commands.yml", COMMANDS.replace("size large", "size small"))
    code, out, _ = cli.run()
    assert code == 1
    assert "tests/e2e/a.yml:5" in out
    assert "    9 ✗ slot_was_set" in out
    (row,) = [line for line in out.splitlines() if 'size = "large"' in line]
    assert [side.strip() for side in row.split("│")] == ['size = "large"', 'size = "small"']
    assert "2 cases in 1 file: 1 passed, 1 failed" in out


def test_a_case_that_is_excluded_is_listed_with_its_reason_and_is_no_failure(cli):
    cli.write(
        "commands.yml", COMMANDS.replace("  turns: [{index: 0, commands: [start flow hours]}]", "  excluded: closed on sundays")
    )
    code, out, _ = cli.run()
    assert code == 0
    assert "closed on sundays (commands.yml:7)" in out
    assert "1 passed, 1 not run" in out


def test_what_the_commands_file_names_wrongly_is_noted(cli):
    cli.write("commands.yml", COMMANDS + "- {file: a.yml, test_case: ask}\n")
    code, out, _ = cli.run()
    assert code == 0
    assert "note" in out
    assert "commands.yml:10: tests/e2e/a.yml has no test case 'ask'; did you mean 'asks'?" in out


def test_a_malformed_file_is_told_in_full_and_the_others_are_played(cli):
    cli.write("tests/e2e/bad.yml", "test_cases: [{test_case: c, steps: [{usr: x}]}, {}]")
    code, out, _ = cli.run()
    assert code == 1
    assert "tests/e2e/bad.yml:1: there is no step 'usr': did you mean 'user'?" in " ".join(out.split())
    assert "a test case needs a name" in out
    assert "3 cases in 2 files: 2 passed, 1 failed" in out


def test_without_commands_and_without_understanding_nothing_is_played(cli):
    code, out, err = cli.run(commands=False)
    assert (code, out) == (1, "")
    assert "Not played: endpoints.yml names no understanding server" in err
    assert "--commands FILE" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.yml"], "nowhere.yml: there is no such file or folder"),
        (["tests/e2e/a.yml::aks"], "has no test case 'aks'; did you mean 'asks'?"),
        (["--actions-module", "not_there"], "there is no module 'not_there'"),
    ],
)
def test_what_cannot_be_played_says_why_and_is_exit_1(cli, arguments, told):
    code, out, err = cli.run(*arguments)
    assert (code, out) == (1, "")
    assert told in err


def test_a_project_that_cannot_be_loaded_tells_all_that_is_wrong(cli):
    cli.write("data/more.yml", "flows:\n  a: {steps: []}\n  b: {description: d, steps: [{nop: true}]}\n")
    code, _, err = cli.run()
    assert code == 1
    assert "data/more.yml:2" in err
    assert "data/more.yml:3" in err


def test_another_configuration_file_stands_for_that_of_the_project(cli):
    cli.write(
        "config/short.yml", "language: en\npipeline: [{name: CompactLLMCommandGenerator, user_input: {max_characters: 3}}]\n"
    )
    assert cli.run("tests/e2e/a.yml::asks")[0] == 0
    code, out, _ = cli.run("tests/e2e/a.yml::asks", "--config", "config/short.yml")
    assert code == 1
    assert "utter_user_input_too_long_error_rasa" in out
    code, out, err = cli.run("--config", "config/nowhere.yml")
    assert (code, out) == (1, "")
    assert "config/nowhere.yml" in err


def test_one_case_alone(cli):
    code, out, _ = cli.run("tests/e2e/a.yml::asks")
    assert code == 0
    assert "1 case in 1 file: 1 passed" in out


def test_fail_fast(cli):
    cli.write("commands.yml", COMMANDS.replace("size large", "size small"))
    _, out, _ = cli.run("--fail-fast")
    assert "1 failed, 1 not run" in out


def test_every_report_is_written(cli, tmp_path):
    cli.write("commands.yml", COMMANDS.replace("start flow hours", "start flow order"))
    out = tmp_path / "out"
    code, told, _ = cli.run(
        "--junit", str(out / "j.xml"), "--html", str(out / "r.html"), "--coverage", str(out / "cov"), "-o", str(out / "results")
    )
    assert code == 1
    assert ElementTree.parse(out / "j.xml").getroot().get("failures") == "1"
    assert "<html" in (out / "r.html").read_text(encoding="utf-8")
    assert (out / "cov" / "coverage_report_for_passed_tests.csv").is_file()
    passed = yaml.safe_load((out / "results" / "e2e_results_passed.yml").read_text(encoding="utf-8"))["test_results"]
    failed = yaml.safe_load((out / "results" / "e2e_results_failed.yml").read_text(encoding="utf-8"))["test_results"]
    assert [(found["name"], found["pass_status"], found["difference"]) for found in passed] == [("orders", True, [])]
    assert failed == [
        {
            "name": "asks",
            "pass_status": False,
            "expected_steps": [{"user": "when?"}, {"utter": "utter_hours"}],
            "difference": ["  user: when?", "+ utter: utter_hours", "- utter_ask_size"],
            "file": "tests/e2e/a.yml:14",
        }
    ]
    for name in ("j.xml", "r.html", "cov", "results"):
        assert f"written: {out / name}" in told


def test_a_report_that_cannot_be_written_is_exit_1(cli):
    code, _, err = cli.run("--junit", str(cli.folder / "domain.yml" / "j.xml"))
    assert code == 1
    assert "Not written" in err


def test_actions_of_the_project_run_in_this_process_from_its_folder(cli, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    cli.write("tests/e2e/a.yml", E2E[E2E.index("test_cases") :])
    cli.write("stock.txt", "yes")
    cli.write("shop_actions/__init__.py", "")
    cli.write(
        "shop_actions/stock.py",
        "from pathlib import Path\nfrom rasa_sdk import Action\nfrom rasa_sdk.events import SlotSet\n\n\nclass Stock(Action):\n"
        "    def name(self):\n        return 'action_stock'\n\n"
        "    def run(self, dispatcher, tracker, domain):\n        return [SlotSet('stock', Path('stock.txt').read_text() == 'yes')]\n",
    )
    before = Path.cwd()
    code, out, _ = cli.run("--actions-module", "shop_actions")
    assert code == 0, out
    assert Path.cwd() == before
    code, out, _ = cli.run()
    assert code == 1
    assert "cases that call a custom action and do not stub it cannot be played" in " ".join(out.split())
    assert "nothing runs action_stock: endpoints.yml names no action server (action_endpoint); stub it under" in " ".join(
        out.split()
    )


class TestDialogueUnderstanding:
    def test_it_needs_someone_who_understands(self, cli):
        cli.write("dialogue_understanding_tests/a.yml", "test_cases: [{test_case: c, steps: [{user: hi, commands: []}]}]")
        code, out, err = cli.run(kind="du")
        assert (code, out) == (1, "")
        assert "endpoints.yml names no understanding server" in err

    def test_scores_stand_below_the_failing_cases(self, cli, monkeypatch, tmp_path):
        from suites_world import Commanded

        async def understands(*_):
            return Commanded(), ""

        monkeypatch.setattr("tightrope.suites.sources.understanding", understands)
        cli.write(
            "dialogue_understanding_tests/a.yml",
            "test_cases:\n- test_case: c\n  steps:\n  - {user: start flow hours, commands: [StartFlow(hours)]}\n"
            "  - {user: start flow hours, commands: [StartFlow(write)]}\n",
        )
        code, out, _ = cli.run("--scores", str(tmp_path / "scores.csv"), kind="du")
        assert code == 1
        assert "1 of 2 messages understood completely" in out
        assert ["StartFlow", "2", "1", "1", "1", "0.50", "0.50", "0.50"] in [line.split() for line in out.splitlines()]
        assert (tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines()[1] == "StartFlow,2,1,1,1,0.50,0.50,0.50"


def test_connections_to_a_neighbour_are_closed_at_the_end(cli, monkeypatch):
    closed = []

    class Wired(httpx.MockTransport):
        async def aclose(self):
            closed.append(True)

    async def found(settings, project, _module):
        wired = Wired(lambda _request: httpx.Response(200, json={}))
        return ActionClient(settings, "http://127.0.0.1:5055/webhook", project, transport=wired), ""

    monkeypatch.setattr("tightrope.suites.sources.actions", found)
    assert cli.run()[0] == 0
    assert closed
