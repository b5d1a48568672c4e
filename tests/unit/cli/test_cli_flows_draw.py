"""`tightrope flows draw`: files, and the page that shows them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tightrope.cli.flows import flows_app
from tightrope.cli.gallery import write_gallery
from tightrope.engine.loader import load_project
from tightrope.infra.settings import REPOSITORY


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(flows_app, ["draw", *arguments])
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    root = tmp_path / "hostile"
    (root / "data").mkdir(parents=True)
    (root / "domain.yml").write_text("responses:\n  utter_x:\n  - text: '<img src=x onerror=alert(1)>'\n")
    (root / "data" / "flows.yml").write_text(
        "flows:\n"
        "  '../../up': {description: '<script>alert(1)</script>', name: '</title>', steps: [{action: utter_x}, {link: '<b>'}]}\n"
        "  '<b>': {description: d, steps: [{action: utter_x}]}\n"
        "  '/b?': {description: e, steps: [{call: '<b>'}]}\n"
        "  'B': {description: f, steps: [{action: utter_x}]}\n"
    )
    return root


def test_all_flows_of_a_project_are_drawn_and_the_page_names_them(tmp_path: Path) -> None:
    code, told = run("--project", str(REPOSITORY), "--out", str(tmp_path))
    assert code == 0, told
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    project = load_project(REPOSITORY)
    for flow in project.flows.values():
        if not flow.builtin:
            ET.parse(tmp_path / f"{flow.id}.svg")
            assert f'src="{flow.id}.svg"' in page
    assert "查账户余额" in page
    assert page.index('id="greet"') < page.index('id="pattern_search"')
    assert f"{len(list(tmp_path.glob('*.svg')))} pictures" in told


def test_chosen_flows_and_default_patterns_are_drawn_in_the_language_asked_for(tmp_path: Path) -> None:
    code, _ = run("greet", "pattern_restart", "greet", "--project", str(REPOSITORY), "--out", str(tmp_path), "--language", "en")
    assert code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["greet.svg", "index.html", "pattern_restart.svg"]
    assert "greeting" in (tmp_path / "greet.svg").read_text(encoding="utf-8")


def test_the_page_leads_from_flow_to_flow(tmp_path: Path) -> None:
    run("--project", str(REPOSITORY), "--out", str(tmp_path), "--language", "en")
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'Goes on with: <a href="#talk_to_agent">talk to a person</a>' in page
    assert 'Reached from: <a href="#check_balance">' in page


def test_hostile_names_stay_text_and_files_stay_in_the_folder(hostile: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    project = load_project(hostile)
    written = write_gallery(project, [flow for flow in project.flows.values() if not flow.builtin], out, "en")
    assert sorted(path.name for path in written) == ["B-3.svg", "b-2.svg", "b.svg", "index.html", "up.svg"]
    assert {path.parent for path in written} == {out}
    page = written[-1].read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<b>" not in page
    assert "onerror" not in page
    for path in written[:-1]:
        ET.parse(path)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nothing"], "There is no flow 'nothing'; there are calculate_compound_growth"),
        (["--language", "fr"], "zh and en, not in fr"),
        (["greet", "--out", str(REPOSITORY / "config.yml")], "cannot be written"),
    ],
)
def test_what_cannot_be_drawn_says_why(arguments: list[str], why: str) -> None:
    code, told = run(*arguments, "--project", str(REPOSITORY))
    assert code == 2
    assert why in told
    assert "Traceback" not in told


def test_no_project_is_told(tmp_path: Path) -> None:
    code, told = run("--project", str(tmp_path))
    assert code == 2
    assert "no CALM project" in told


def test_what_cannot_be_read_is_named_and_the_rest_is_drawn(hostile: Path, tmp_path: Path) -> None:
    (hostile / "data" / "broken.yml").write_text("flows:\n  broken:\n    description: d\n    steps: []\n")
    code, told = run("--project", str(hostile), "--out", str(tmp_path / "out"))
    assert code == 1
    assert "not drawn" in told
    assert "broken.yml" in told
    assert "4 pictures" in told
