"""`tightrope flows new`: a scaffold is never red, and never in anybody's way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tightrope.cli import scaffold
from tightrope.cli.flows import flows_app
from tightrope.cli.scaffold import ScaffoldRefused, Wanted, plan, write
from tightrope.engine.check import check
from tightrope.engine.loader import load_project
from tightrope.engine.testing import Conversation
from tightrope.engine.yamlfile import parse
from tightrope.infra.settings import REPOSITORY

SHOP = REPOSITORY / "tests" / "golden" / "engine" / "shop"
HOURS = Wanted("check_branch_hours", "查营业部营业时间", "check branch opening hours")
ALLOWED = {"action_begin_journey": lambda _tracker: [{"event": "slot", "name": "journey_access", "value": "allowed"}]}


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A copy of this project's Rasa files."""
    root = tmp_path / "ours"
    for name in ("data", "domain", "prompts"):
        shutil.copytree(REPOSITORY / name, root / name)
    for name in ("config.yml", "endpoints.yml"):
        shutil.copy(REPOSITORY / name, root)
    (root / "tests" / "e2e").mkdir(parents=True)
    return root


@pytest.fixture
def few_lines(ours: Path) -> Path:
    """The same with some lines of each class, so that its quality is measured in seconds."""
    for folder, most in (("", 24), ("development", 2), ("heldout", 2)):
        for path in (ours / "data" / "understanding" / folder).glob("*.jsonl"):
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text("".join(lines[:: 1 + len(lines) // most]), encoding="utf-8")
    return ours


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A CALM project that is not ours: English alone, its domain in one file."""
    root = tmp_path / "foreign"
    (root / "data").mkdir(parents=True)
    (root / "config.yml").write_text("language: en\n")
    (root / "data" / "flows.yml").write_text(
        "flows:\n  greet:\n    description: greets\n    steps:\n      - action: utter_hello\n"
    )
    (root / "domain.yml").write_text("# kept\nresponses:\n    # also kept\n    utter_hello:\n    - text: Hello  # a comment\n")
    return root


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def scaffolded(root: Path, wanted: Wanted) -> list[str]:
    planned = plan(root, load_project(root), wanted)
    write(root, planned)
    return [*planned.files, *planned.changed]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(flows_app, list(arguments))
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize(
    ("kind", "scope", "said"),
    [("information", None, "answer"), ("question", None, "question"), ("private", "accounts:read", "answer")],
)
def test_a_scaffold_passes_the_check_and_runs_in_both_languages(
    ours: Path, kind: scaffold.Kind, scope: str | None, said: str
) -> None:
    scaffolded(ours, Wanted(HOURS.id, HOURS.name, HOURS.english, kind, scope))
    assert [str(problem) for problem in check(ours)] == []
    talk = Conversation(load_project(ours), dict(ALLOWED))
    (text,) = talk.texts("x", "start flow check_branch_hours")
    assert text.startswith("【待填写】查营业部营业时间")
    assert ("问题" in text) == (said == "question")
    english = Conversation(
        load_project(ours), {**ALLOWED, "action_set_language": lambda _t: [{"event": "slot", "name": "language", "value": "en"}]}
    )
    assert english.texts("x", "start flow check_branch_hours")[0].startswith("[To be written] check branch opening hours")


def test_a_question_branches_on_what_is_pressed(ours: Path) -> None:
    scaffolded(ours, Wanted(HOURS.id, HOURS.name, HOURS.english, "question"))
    talk = Conversation(load_project(ours), dict(ALLOWED))
    talk.say("x", "start flow check_branch_hours")
    (reply,) = talk.press("第二项")
    assert "第二项后的答复" in reply["text"]


def test_a_private_journey_asks_for_a_login_before_it_answers(ours: Path) -> None:
    scaffolded(ours, Wanted(HOURS.id, HOURS.name, HOURS.english, "private", "accounts:read"))
    denied = {"action_begin_journey": lambda _t: [{"event": "slot", "name": "journey_access", "value": "login_required"}]}
    talk = Conversation(load_project(ours), denied)
    assert talk.texts("x", "start flow check_branch_hours") == []
    assert "action_ask_login_state" in talk.ran


def test_this_project_gets_ten_lines_a_language_and_a_test_a_language(ours: Path) -> None:
    written = scaffolded(ours, HOURS)
    assert written == [
        "data/flows/check_branch_hours.yml",
        "domain/check_branch_hours.yml",
        "data/understanding/check_branch_hours.jsonl",
        "tests/e2e/check_branch_hours.yml",
    ]
    lines = [json.loads(line) for line in (ours / written[2]).read_text(encoding="utf-8").splitlines()]
    assert [sum(line["lang"] == code for line in lines) for code in ("zh", "en")] == [10, 10]
    assert len({line["text"] for line in lines}) == 20
    cases = parse((ours / written[3]).read_text(encoding="utf-8"), "x")
    assert [case["test_case"] for case in cases["test_cases"]] == ["check_branch_hours_in_zh", "check_branch_hours_in_en"]
    assert cases["stub_custom_actions"].keys() == {
        "action_set_language", "action_begin_journey", "check_branch_hours_in_en::action_set_language",
    }  # fmt: skip


def test_a_foreign_project_gets_rasas_own_files_and_its_domain_keeps_every_line(foreign: Path) -> None:
    before = (foreign / "domain.yml").read_text()
    written = scaffolded(foreign, Wanted("check_hours", "check opening hours", kind="question"))
    assert written == ["data/check_hours.yml", "e2e_tests/check_hours.yml", "domain.yml"]
    assert [problem for problem in check(foreign) if problem.severity == "error"] == []
    assert set(before.splitlines()) <= set((foreign / "domain.yml").read_text().splitlines())
    talk = Conversation(load_project(foreign))
    assert talk.texts("x", "start flow greet")[0] == "Hello"
    assert talk.texts("x", "start flow check_hours")[0].startswith("[To be written] check opening hours")


def test_a_foreign_project_with_a_domain_folder_gets_a_file_of_its_own(tmp_path: Path) -> None:
    root = Path(shutil.copytree(SHOP, tmp_path / "shop"))
    (root / "e2e_tests").mkdir()
    before = files(root)
    written = scaffolded(root, Wanted("ask_parking", "问停车", "ask about parking"))
    assert written == ["data/ask_parking.yml", "domain/ask_parking.yml", "e2e_tests/ask_parking.yml"]
    assert {name: files(root)[name] for name in before} == before
    assert "action_begin_journey" not in (root / "data" / "ask_parking.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Wanted("check_balance", "查一查", "look it up"), "is there already (data/flows/check_balance.yml"),
        (Wanted("pattern_search", "查一查", "look it up"), "reserved name"),
        (Wanted("out_of_scope", "查一查", "look it up"), "reserved name"),
        (Wanted("Check", "查一查", "look it up"), "is no id"),
        (Wanted("../x", "查一查", "look it up"), "is no id"),
        (Wanted("x y", "查一查", "look it up"), "is no id"),
        (Wanted("a", "查一查", "look it up"), "is no id"),
        (Wanted("check_x", "look it up", "look it up"), "--name is the name in Chinese"),
        (Wanted("check_x", "查一查", "查一查"), "is not English"),
        (Wanted("check_x", "查一查"), "--english is needed"),
        (Wanted("check_x", "查账户余额", "look it up"), "is the name of the flow 'check_balance'"),
        (Wanted("check_x", "查一查", "check my account balance"), "is the name of the flow 'check_balance'"),
        (Wanted("check_x", '查"\n x: y', "look it up"), "plain punctuation"),
        (Wanted("check_x", "查{slot}", "look it up"), "plain punctuation"),
        (Wanted("check_x", "查一查", "look it up", "private"), "needs --scope, one of accounts:read"),
        (Wanted("check_x", "查一查", "look it up", "private", "accounts:write"), "needs --scope"),
        (Wanted("check_x", "查一查", "look it up", "information", "accounts:read"), "belongs to --kind private"),
    ],
)
def test_what_cannot_be_a_journey_is_refused(ours: Path, wanted: Wanted, reason: str) -> None:
    with pytest.raises(ScaffoldRefused) as refused:
        plan(ours, load_project(ours), wanted)
    assert reason in str(refused.value)


def test_all_reasons_are_told_at_once(ours: Path) -> None:
    with pytest.raises(ScaffoldRefused) as refused:
        plan(ours, load_project(ours), Wanted("check_balance", "x", None, "private"))
    assert len(refused.value.reasons) == 5


def test_a_response_or_slot_of_that_name_is_refused(ours: Path) -> None:
    (ours / "domain" / "x.yml").write_text(
        "slots: {check_x_choice: {type: text}}\nresponses: {utter_check_x_first: [{text: 一, translation: {en: one}}]}\n",
        encoding="utf-8",
    )
    with pytest.raises(ScaffoldRefused) as refused:
        plan(ours, load_project(ours), Wanted("check_x", "查一查", "look it up", "question"))
    assert len(refused.value.reasons) == 2


@pytest.mark.parametrize(
    "wanted", [Wanted("check_x", "look", "look"), Wanted("check_x", "look", kind="private", scope="accounts:read")]
)
def test_a_foreign_project_is_not_given_what_it_cannot_use(foreign: Path, wanted: Wanted) -> None:
    with pytest.raises(ScaffoldRefused, match=r"this project speaks en|which this project does not have"):
        plan(foreign, load_project(foreign), wanted)


@pytest.mark.parametrize("there", ["data/flows", "domain", "data/understanding", "tests/e2e"])
def test_a_file_in_the_way_stops_everything(ours: Path, there: str) -> None:
    name = f"check_branch_hours.{'jsonl' if there.endswith('understanding') else 'yml'}"
    (ours / there / name).write_text("" if there != "data/flows" else "flows: {}\n")
    before = files(ours)
    with pytest.raises(ScaffoldRefused, match="is there already: nothing was written"):
        scaffolded(ours, HOURS)
    assert files(ours) == before


def test_a_write_that_fails_takes_away_what_was_written(ours: Path) -> None:
    planned = plan(ours, load_project(ours), HOURS)
    (ours / "tests" / "e2e").rmdir()
    (ours / "tests" / "e2e").write_text("a file where a folder should be")
    before = files(ours)
    with pytest.raises((FileExistsError, NotADirectoryError)):
        write(ours, planned)
    assert files(ours) == before


@pytest.mark.parametrize(
    "domain",
    [
        "responses: {utter_hello: [{text: Hello}]}\n",
        "{responses: {utter_hello: [{text: Hello}]}}\n",
        "responses:\n- no mapping\n",
    ],
)
def test_a_domain_in_one_file_that_cannot_be_added_to_safely_is_left_alone(foreign: Path, domain: str) -> None:
    project = load_project(foreign)
    (foreign / "domain.yml").write_text(domain)
    with pytest.raises(ScaffoldRefused, match="put the domain into a folder"):
        plan(foreign, project, Wanted("check_hours", "check opening hours"))


@pytest.mark.parametrize(
    "domain",
    ["", "version: '3.1'\n", "responses:\n\nslots:\n  a: {type: text}\n", "responses:\n\n\n      utter_x:\n      - text: x"],
)
def test_sections_that_are_missing_or_empty_or_deeply_indented_are_added_to(foreign: Path, domain: str) -> None:
    project = load_project(foreign)
    (foreign / "domain.yml").write_text(domain)
    planned = plan(foreign, project, Wanted("check_hours", "check opening hours", kind="question"))
    after = parse(planned.changed["domain.yml"][0], "domain.yml")
    assert {"utter_check_hours_first", "utter_check_hours_second", "utter_ask_check_hours_choice"} <= after["responses"].keys()
    assert "check_hours_choice" in after["slots"]


def test_the_command_tells_what_it_wrote_how_it_is_understood_and_what_comes_next(few_lines: Path) -> None:
    code, told = run("new", HOURS.id, "--name", HOURS.name, "--english", str(HOURS.english), "--project", str(few_lines))
    assert code == 0, told
    for part in (
        "data/flows/check_branch_hours.yml", "20 of 20 own lines right", "It takes", "Held-out lines right",
        "Fewer than 60 lines in en and zh", "the scaffold's own", "1. Write the approved wording in place of 【待填写】 and [To be written]",
        "tightrope test e2e tests/e2e/check_branch_hours.yml",
    ):  # fmt: skip
        assert part in told


def test_the_command_refuses_with_every_reason_and_writes_nothing(ours: Path) -> None:
    before = files(ours)
    code, told = run("new", "check_balance", "--name", "x", "--project", str(ours))
    assert code == 2
    assert "Nothing was written" in told
    assert "is there already" in told
    assert "Traceback" not in told
    assert files(ours) == before


def test_the_command_wants_a_known_kind_and_a_project_that_can_be_read(ours: Path, tmp_path: Path) -> None:
    assert run("new", "check_x", "--name", "查", "--kind", "magic", "--project", str(ours))[0] == 2
    assert run("new", "check_x", "--name", "查一查", "--project", str(tmp_path / "nowhere"))[0] == 2
    (ours / "data" / "flows" / "greet.yml").write_text("flows: [")
    code, told = run("new", "check_x", "--name", "查一查", "--english", "look", "--project", str(ours))
    assert code == 2
    assert "greet.yml" in told


def test_a_name_starts_its_journey_even_where_a_rule_points_elsewhere(few_lines: Path) -> None:
    _, told = run("new", "fetch_person", "--name", "找人工客服", "--english", "fetch a human agent", "--project", str(few_lines))
    assert "20 of 20 own lines right" in told
    assert "leads to" not in told


def test_the_quality_of_a_class_that_is_not_there_is_an_error(ours: Path) -> None:
    code, told = run("quality", "nothing", "--project", str(ours))
    assert code == 2
    assert "nothing.jsonl has no lines" in told
