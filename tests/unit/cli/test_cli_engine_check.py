"""`tightrope engine check`: what it prints in each format, and its exit status."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text
from typer.testing import CliRunner

from tightrope.cli.engine import engine_app
from tightrope.cli.engine_problems import summary, write_text
from tightrope.engine.check import Checked, Problem, examine
from tightrope.infra.settings import REPOSITORY

CLINIC = REPOSITORY / "tests" / "golden" / "engine" / "clinic"


def run(*arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(engine_app, ["check", *arguments])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.output


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The clinic with two errors and a warning."""
    root = shutil.copytree(CLINIC, tmp_path / "clinic")
    visits, domain = root / "data" / "flows" / "visits.yml", root / "domain" / "clinic.yml"
    visits.write_text(
        visits.read_text().replace("collect: day", "collect: dya").replace("action: utter_cancelled", "action: utter_gone")
    )
    domain.write_text(domain.read_text().replace("translation: {zh: 这不是电话号码。}", "metadata: {}"))
    return root


@pytest.fixture
def warned(tmp_path: Path) -> Path:
    """The clinic with a warning only."""
    root = shutil.copytree(CLINIC, tmp_path / "clinic")
    domain = root / "domain" / "clinic.yml"
    domain.write_text(domain.read_text().replace("translation: {zh: 这不是电话号码。}", "metadata: {}"))
    return root


def test_a_project_without_problems_says_so_and_what_was_looked_at():
    code, output = run("--project", str(CLINIC))
    assert code == 0
    assert output == f"No problems; looked at 7 flows, 19 responses, 12 slots ({CLINIC})\n"


def test_without_a_project_our_own_is_checked():
    code, output = run()
    assert (code, output.startswith("No problems; ")) == (0, True), output


def test_elsewhere_than_in_a_terminal_each_problem_is_one_line_with_file_and_line(broken):
    code, output = run("--project", str(broken))
    lines = output.splitlines()
    assert code == 1
    assert lines[0].startswith(
        "data/flows/visits.yml:30: error: flow book_visit step day: there is no slot 'dya': did you mean 'day'?"
    )
    assert lines[0].endswith("[unknown-slot]")
    assert all(line.count(": error: ") + line.count(": warning: ") == 1 for line in lines[:-1])
    assert lines[-1].startswith("2 errors, ")
    assert "\x1b" not in output


def test_warnings_alone_fail_only_when_asked(warned):
    assert run("--project", str(warned))[0] == 0
    code, output = run("--project", str(warned), "--fail-on-warnings")
    assert code == 1
    assert "0 errors, 1 warning in 1 file;" in output


def test_json_holds_every_problem_and_the_counts(broken):
    code, output = run("--project", str(broken), "--format", "json")
    found = json.loads(output)
    assert code == 1
    assert (found["errors"], found["project"]) == (2, str(broken))
    assert len(found["problems"]) == found["errors"] + found["warnings"]
    assert {"file": "data/flows/visits.yml", "line": 30, "severity": "error", "code": "unknown-slot"}.items() <= found[
        "problems"
    ][0].items()
    assert all(set(one) == {"file", "line", "severity", "message", "mend", "code"} for one in found["problems"])


def test_github_gets_annotations_on_paths_from_the_working_folder(broken, monkeypatch):
    monkeypatch.chdir(broken.parent)
    code, output = run("--project", "clinic", "--format", "github")
    first = output.splitlines()[0]
    assert code == 1
    assert first.startswith("::error file=clinic/data/flows/visits.yml,line=30,title=unknown-slot::flow book_visit step day: ")
    assert "%0Adid you mean 'day'?" in first


def test_an_unknown_format_and_a_missing_folder_are_refused(tmp_path):
    assert run("--project", str(CLINIC), "--format", "xml")[0] == 2
    code, output = run("--project", str(tmp_path / "none"))
    assert code == 1
    assert "there is no such folder" in output
    code, output = run("--project", str(CLINIC), "--config", str(tmp_path / "none.yml"))
    assert (code, "there is no such file" in output) == (1, True)


def terminal(width: int) -> tuple[Console, io.StringIO]:
    said = io.StringIO()
    return Console(file=said, force_terminal=True, width=width, highlight=False, color_system="standard"), said


@pytest.mark.parametrize("width", [100, 80, 40])
def test_in_a_terminal_it_is_coloured_and_fits_the_width(broken, width):
    console, said = terminal(width)
    write_text(console, broken, examine(broken))
    assert "\x1b[1;31merror" in said.getvalue()
    assert all(len(Text.from_ansi(line).plain) <= width for line in said.getvalue().splitlines())


def test_square_brackets_of_a_project_are_printed_as_they_are(tmp_path):
    console, said = terminal(100)
    write_text(console, tmp_path, Checked((Problem("a.yml", 1, "error", "the payload '[red]x[/]'", "use [/bold]"),), None))
    assert "[red]x[/]" in said.getvalue()
    assert "[/bold]" in said.getvalue()


def test_a_summary_counts_in_words():
    one = Problem("a.yml", 1, "error", "x")
    assert summary(Checked((one,), None)) == "1 error, 0 warnings in 1 file"
    assert summary(Checked((), None)) == "No problems"


def test_the_command_is_there_and_help_stays_quick():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tightrope.cli.main", "engine", "check", "--help"],
        capture_output=True, text=True, check=True, cwd=REPOSITORY,
    )  # fmt: skip
    assert "--fail-on-warnings" in done.stdout
    assert "tightrope.engine.check" not in done.stderr
    assert "uvicorn" not in done.stderr
