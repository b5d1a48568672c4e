"""`tightrope chat` as a whole: lines typed in, what is shown, and leaving."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner

from tightrope.cli import neighbours
from tightrope.cli.chat import chat
from tightrope.engine.clients import ActionClient
from tightrope.engine.models import Project
from tightrope.engine.turn import Understood
from tightrope.infra.settings import REPOSITORY, Settings
from tightrope.suites import sources

SHOP = REPOSITORY / "tests" / "golden" / "engine" / "shop"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The shop, with nobody to understand and nothing that runs actions."""
    root = Path(shutil.copytree(SHOP, tmp_path / "shop"))
    (root / "endpoints.yml").unlink(missing_ok=True)
    return root


def run(*arguments: str, typed: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(chat)
    result = CliRunner().invoke(app, list(arguments), input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result.exit_code, result.output


def test_a_journey_by_commands_answers_and_numbers(shop: Path) -> None:
    code, told = run("--project", str(shop), typed=":start flow order\nlarge\n3\n/quit\n")
    assert code == 0
    assert "nobody understands" in told
    assert "⇒ start flow order" in told
    assert "⇒ set slot size large" in told
    assert 'size = "large"' in told
    assert "count = 3" in told
    assert told.rstrip().endswith("Bye.")


def test_the_end_of_input_leaves_politely(shop: Path) -> None:
    code, told = run("--project", str(shop), typed="")
    assert code == 0
    assert "Bye." in told


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("hello", "Nobody understands texts here"),
        (":", "No command: (empty)"),
        (":dance", "No command: dance. There are: start flow F"),
        (":start flow nothing", "There is no flow 'nothing'; there are"),
        (":set slot nothing 1", "There is no slot 'nothing' in the domain."),
        ("/cmd start flow hours", "⇒ start flow hours"),
        ("/help", "press the button with this number"),
        ("/new", "A new conversation."),
        ("99999999999999999999", "Nobody understands"),
        ("\\1", "Nobody understands"),
        ("[red]/help[/]", "Nobody understands"),
        ("\x1b[2J", "Nobody understands"),
    ],
)
def test_any_line_is_answered_in_words(shop: Path, typed: str, shown: str) -> None:
    code, told = run("--project", str(shop), typed=f"{typed}\n")
    assert code == 0
    assert shown in " ".join(told.split())


def test_parts_are_switched_on_and_off(shop: Path) -> None:
    _, told = run("--project", str(shop), typed=":start flow order\n/events\n/slots\n/stack\nlarge\n/stack\n")
    before, after = told.split("events shown")
    assert "flow_started order" not in before
    assert "flow_started order" in after
    shown = after.split("stack hidden")[1]
    assert "pattern_collect_information" not in shown.split("stack shown")[0]
    assert "pattern_collect_information" in shown.split("stack shown")[1]


def test_an_action_is_asked_about_and_its_answer_counts(shop: Path) -> None:
    _, told = run("--project", str(shop), typed=":start flow private\nslot verdict login\n\nutter utter_ask_login\n\n")
    assert "The action action_private runs. What does it return?" in told
    assert 'verdict = "login"' in told


def test_stubs_of_a_file_answer_and_the_others_are_asked_about(shop: Path, tmp_path: Path) -> None:
    stubs = tmp_path / "stubs.yml"
    stubs.write_text("stub_custom_actions:\n  action_price:\n    responses: [{response: utter_price, price: '9'}]\n")
    _, told = run("--project", str(shop), "--stubs", str(stubs), typed=":start flow price\n")
    assert "9" in told
    assert "What does it return" not in told


def test_a_recording_is_a_test_that_passes(shop: Path, tmp_path: Path) -> None:
    record = tmp_path / "recorded.yml"
    typed = ":start flow order\nlarge\n3\n:set slot confirmed true\n\n/new\n"
    _, told = run("--project", str(shop), "--record", str(record), typed=typed)
    assert "A recording is one conversation" in told
    from tightrope.cli.suites import test_app

    played = CliRunner().invoke(
        test_app, ["e2e", str(record), "--project", str(shop), "--commands", str(record.with_suffix(".commands"))]
    )
    assert played.exit_code == 0, played.output
    assert "1 passed" in played.output


def test_nothing_that_is_there_is_recorded_over(shop: Path, tmp_path: Path) -> None:
    record = tmp_path / "recorded.yml"
    record.write_text("mine")
    assert run("--project", str(shop), "--record", str(record), typed="")[0] == 2
    assert record.read_text() == "mine"
    (tmp_path / "other.commands").write_text("mine")
    assert run("--project", str(shop), "--record", str(tmp_path / "other.yml"), typed="")[0] == 2
    assert run("--project", str(shop), "--record", str(tmp_path / "no" / "x.yml"), typed="")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--language", "fr"], "speaks zh, en, not fr"),
        (["--stubs", "nowhere.yml"], "nowhere.yml"),
        (["--actions-module", "nothing_here"], "there is no module 'nothing_here'"),
    ],
)
def test_what_keeps_it_from_beginning_is_said(shop: Path, arguments: list[str], why: str) -> None:
    code, told = run("--project", str(shop), *arguments, typed="")
    assert code == 2
    assert why in " ".join(told.split())


def test_a_project_that_cannot_be_loaded_names_every_problem(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.yml").write_text("flows:\n  a: {description: d, steps: [{action: b, next: nowhere}]}\n")
    code, told = run("--project", str(tmp_path), typed="")
    assert code == 2
    assert "x.yml:2" in told


def test_understanding_that_is_there_is_asked_and_shown(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Knows:
        async def understand(self, _state, text, _history):
            from tightrope.engine.commands import parse_text

            return Understood(
                parse_text("start flow hours")[0],
                {"rule": "opening" if "open" in text else None, "candidates": [["hours", 9100]]},
            )

    async def found(_settings, _project):
        return Knows(), "a test"

    monkeypatch.setattr(neighbours, "understanding", found)
    _, told = run("--project", str(shop), typed="are you open?\nanything\n")
    assert "start flow hours (rule opening)" in " ".join(told.split())
    assert "start flow hours (hours 91 %)" in " ".join(told.split())


def test_a_turn_that_breaks_off_leaves_the_conversation_where_it_was(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaks:
        async def understand(self, _state, _text, _history):
            raise RuntimeError("[bold]boom[/bold]")

    async def found(_settings, _project):
        return Breaks(), "a test"

    monkeypatch.setattr(neighbours, "understanding", found)
    code, told = run("--project", str(shop), typed=":start flow order\nboom\n:set slot size large\n")
    assert code == 0
    assert "The turn broke off: RuntimeError: [bold]boom[/bold]" in " ".join(told.split())
    assert 'size = "large"' in told


def test_this_project_is_understood_without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_given):
        return "refused"

    monkeypatch.setattr(sources, "answers", refused)
    _, chinese = run(typed="查余额\n我要转人工\n")
    _, english = run("--language", "en", typed="what is my balance?\n")
    told = " ".join(chinese.split())
    assert "this project's rules and classifier, in this process" in told
    assert "stubs of tests/e2e/zh.yml" in told
    assert "⇒ start flow check_balance" in told
    assert "12,345.67 元" in told
    assert "start flow talk_to_agent; set slot handoff_reason request (rule person)" in told
    assert "CNY 12,345.67" in english


def test_connections_to_a_neighbour_are_closed_on_leaving(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []

    class Wired(httpx.MockTransport):
        async def aclose(self) -> None:
            closed.append(True)

    async def found(settings: Settings, project: Project, _module: str | None) -> tuple[ActionClient, str]:
        wired = Wired(lambda _request: httpx.Response(200, json={}))
        return ActionClient(settings, "http://127.0.0.1:5055/webhook", project, transport=wired), ""

    monkeypatch.setattr(sources, "actions", found)
    run("--project", str(shop), typed=":start flow order\n/quit\n")
    assert closed
