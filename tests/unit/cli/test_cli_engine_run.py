"""`tightrope engine run`: what it decides before anything starts, and its start-up lines."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from tightrope.cli import engine_board
from tightrope.cli.engine_board import Neighbour, Wanted, actions, board, first_words, understanding
from tightrope.cli.engine_run import settings_of, state_folder
from tightrope.engine.check import examine
from tightrope.engine.inprocess import MissingActions
from tightrope.engine.loader import load_project
from tightrope.engine.serving import Source, load
from tightrope.infra.settings import REPOSITORY, Settings

CLINIC = REPOSITORY / "tests" / "golden" / "engine" / "clinic"
PLAIN = Wanted(CLINIC, None, 5005, "127.0.0.1", None, None, None, None)


@pytest.fixture
def made(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state")


@pytest.mark.parametrize(
    ("asked", "own", "strict"), [(None, True, True), (None, False, False), (True, False, True), (False, True, False)]
)
def test_typed_payloads_count_for_projects_of_others_unless_said_otherwise(made, asked, own, strict):
    assert settings_of(made, replace(PLAIN, strict_payloads=asked), own=own).strict_payloads is strict


def test_a_host_named_on_the_command_line_may_be_connected_to_and_no_other(made):
    wanted = replace(PLAIN, understanding_url="https://models.example:8000/v1", actions_url="http://localhost:5055/webhook")
    assert settings_of(made, wanted, own=False).allow_list == made.allow_list | {"models.example"}
    assert settings_of(made, PLAIN, own=False).allow_list == made.allow_list


def test_conversations_of_two_projects_lie_apart_and_below_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    one, other = state_folder(tmp_path / "a" / "bot"), state_folder(tmp_path / "b" / "bot")
    assert one != other
    assert one.parent == tmp_path / "cache" / "tightrope" / "engine"
    assert state_folder(tmp_path / "a" / ".." / "a" / "bot") == one
    assert state_folder(tmp_path / "我的 bot!").name.startswith("我的-bot--")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert state_folder(tmp_path / "a" / "bot").is_relative_to("/var/cache")


def test_the_command_line_goes_before_the_project_and_the_project_before_the_settings(made):
    project = load_project(CLINIC)
    assert understanding(made, PLAIN, project, own=False).url == "http://127.0.0.1:8010/v1"
    assert understanding(made, PLAIN, replace(project, understanding_base=None), own=False).url is None
    assert understanding(made, PLAIN, project, own=True).source == "settings"
    wanted = replace(PLAIN, understanding_url="http://a/v1", actions_url="http://b/webhook")
    assert understanding(made, wanted, project, own=True) == Neighbour(
        "http://a/v1", "--understanding-url", engine_board._NO_UNDERSTANDING
    )
    assert actions(made, wanted, project, own=True).url == "http://b/webhook"
    assert actions(made, PLAIN, project, own=True).url == made.actions_url
    assert actions(made, PLAIN, replace(project, actions_url="http://c/webhook"), own=False).url == "http://c/webhook"


def test_the_example_begins_a_journey():
    project = load_project(CLINIC)
    assert first_words(project) == "/book"
    plain = replace(project, flows={name: replace(flow, triggers=()) for name, flow in project.flows.items()})
    first = next(flow for flow in plain.flows.values() if not flow.is_pattern)
    assert first_words(plain) == f"/StartFlow({first.id})"
    assert first_words(replace(project, flows={})) == "hello"


@pytest.mark.parametrize("width", [100, 60])
def test_the_start_up_lines_say_what_is_served_and_what_does_not_work(made, monkeypatch, width):
    async def nobody(_settings, _url, _purpose):
        return "no route"

    monkeypatch.setattr(engine_board, "answers", nobody)
    serving = load(Source(made, CLINIC, own=False, understanding=httpx.MockTransport(lambda _r: httpx.Response(500))))
    assert isinstance(serving.actions, MissingActions)
    said = io.StringIO()
    console = Console(file=said, width=width)
    console.print(board(made, replace(PLAIN, host="0.0.0.0"), examine(CLINIC), serving, own=False))
    text = " ".join(said.getvalue().split())
    for piece in ("Tightrope", str(CLINIC)[-20:], "en, zh", "No problems; looked at", "does not answer (no route); typed messages",
                  "holds no action", "Install what they import", "everybody who reaches 0.0.0.0"):  # fmt: skip
        assert piece in text, (piece, text)
    assert all(len(line) <= width for line in said.getvalue().splitlines())
