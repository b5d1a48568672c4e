"""What a class of lines is worth: measured by classifiers that have not seen the line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from understanding_data import DATA

from tightrope.infra import encoder
from tightrope.understanding.errors import TrainingDataError
from tightrope.understanding.evaluate import PART, part
from tightrope.understanding.quality import measure
from tightrope.understanding.training import Example

LINES_EACH = 26
"""Lines of each class of this release: training takes time with their square."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Some lines of each class of this release, to add to."""
    root = Path(shutil.copytree(DATA, tmp_path / "understanding"))
    for path, most in ((root, LINES_EACH), (root / "development", 6), (root / "heldout", 6)):
        spread(path, most)
    return root


def spread(folder: Path, most: int) -> None:
    """Keep at most so many lines of each file."""
    for path in folder.glob("*.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[:: 1 + len(lines) // most] if most else []), encoding="utf-8")


@pytest.fixture(autouse=True)
def words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measure is the same with an encoder, and takes longer."""
    monkeypatch.setattr(encoder, "obtain", lambda: None)


def add(folder: Path, label: str, *texts: str, lang: str = "en") -> None:
    folder.mkdir(exist_ok=True)
    with (folder / f"{label}.jsonl").open("a", encoding="utf-8") as out:
        out.writelines(json.dumps({"text": text, "lang": lang}) + "\n" for text in texts)


HOURS = [
    f"{ask} {when}"
    for ask in ("when does the branch open", "branch office opening times")
    for when in ("today", "on sunday", "tomorrow", "now")
]


def test_lines_alike_are_recognised_and_one_unlike_all_others_is_a_stray(folder: Path) -> None:
    add(folder, "check_branch_hours", *HOURS, "purple elephants sing quietly")
    found = measure(folder, "check_branch_hours")
    assert found.lines == {"en": 9}
    assert found.outcomes["right"] >= 7
    assert found.recall == found.outcomes["right"] / 9
    assert "purple elephants sing quietly" in {stray.text for stray in found.strays}


def test_a_trained_line_is_judged_by_the_others_alone(folder: Path) -> None:
    add(folder, "check_branch_hours", *HOURS, "xylophone")
    stray = next(s for s in measure(folder, "check_branch_hours").strays if s.text == "xylophone")
    assert "check_branch_hours" not in stray.commands


def test_texts_that_are_asked_about_are_routed_with_all_lines(folder: Path) -> None:
    add(folder, "check_branch_hours", *HOURS)
    names = measure(folder, "check_branch_hours", ["opening times of the branch today", "我要转人工"]).names
    assert names == {
        "opening times of the branch today": "start flow check_branch_hours",
        "我要转人工": "start flow talk_to_agent; set slot handoff_reason request",
    }


def test_a_name_leads_to_its_journey_as_in_service_unless_a_rule_stands_before_it(folder: Path) -> None:
    add(folder, "check_branch_hours", *HOURS)
    (folder.parent / "flows").mkdir()
    (folder.parent / "flows" / "check_branch_hours.yml").write_text(
        "flows: {check_branch_hours: {name: 我的可用余额, translation: {en: {name: switch to English}}}}", encoding="utf-8"
    )
    assert measure(folder, "check_branch_hours", ["我的可用余额", "switch to English"]).names == {
        "我的可用余额": "start flow check_branch_hours",
        "switch to English": "repeat message",
    }


def test_lines_that_a_new_class_takes_are_named_with_where_they_belong(folder: Path) -> None:
    add(folder, "view_holdings", "查持仓", "我的持仓", "看持仓", "持仓查询", "查我的持仓", "现在持仓", lang="zh")
    add(folder, "out_of_scope", "持仓股票", "股票持仓", "持仓情况", lang="zh")
    taken = measure(folder, "view_holdings").taken
    assert ("out_of_scope", "股票持仓") in {(line.label, line.text) for line in taken}
    assert all("view_holdings" in line.commands for line in taken)


def test_held_out_lines_are_counted_and_never_shown(folder: Path) -> None:
    add(folder, "view_holdings", "查持仓", "我的持仓", "看持仓", "持仓查询", lang="zh")
    shutil.copytree(folder / "development", folder / "heldout", dirs_exist_ok=True)
    add(folder / "heldout", "out_of_scope", "帮我看持仓吧", lang="zh")
    found = measure(folder, "view_holdings")
    assert "帮我看持仓吧" not in {line.text for line in (*found.taken, *found.strays)}
    assert found.heldout is not None
    assert 0.5 < found.heldout.without < 1
    assert 0.5 < found.heldout.with_it < 1


def test_of_many_held_out_lines_every_nth_is_routed_and_both_counts_are_told(folder: Path) -> None:
    spread(folder / "heldout", 0)
    add(folder / "heldout", "search", *(f"what is the fee of fund {number}" for number in range(PART + 1)))
    add(folder / "heldout", "view_holdings", "my holdings, of the class itself")
    found = measure(folder, "view_holdings").heldout
    assert found is not None
    assert (found.total, found.routed) == (PART + 1, PART // 2 + 1)


def test_without_held_out_lines_there_is_no_share_of_them(folder: Path) -> None:
    spread(folder / "heldout", 0)
    assert measure(folder, "view_holdings").heldout is None


@pytest.mark.parametrize("count", [0, 1, 299, 300, 301, 600, 3269])
def test_a_part_is_spread_over_all_and_never_larger_than_asked(count: int) -> None:
    examples = [Example(str(number), "en", "search") for number in range(count)]
    found = part(examples, 300)
    assert len(found) == count if count <= 300 else 150 < len(found) <= 300
    assert not count or int(found[-1].text) >= count - -(-count // 300)


def test_a_class_with_a_reason_is_measured_as_such(folder: Path) -> None:
    lines = (DATA / "talk_to_agent.distress.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "talk_to_agent.distress.jsonl").write_text("".join(lines[:120]), encoding="utf-8")
    found = measure(folder, "talk_to_agent.distress")
    assert found.outcomes["right"] > found.outcomes["wrong"]
    assert sum(found.outcomes.values()) == sum(found.lines.values())


def test_every_class_of_this_project_has_what_it_needs_to_start() -> None:
    for path in sorted(DATA.glob("*.jsonl")):
        langs = [json.loads(line)["lang"] for line in path.read_text(encoding="utf-8").splitlines()]
        assert min(langs.count("zh"), langs.count("en")) >= 10, path.name


def test_a_class_that_is_not_there_and_a_spoiled_line_are_named(folder: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"nothing\.jsonl has no lines"):
        measure(folder, "nothing")
    (folder / "check_x.jsonl").write_text("no json\n")
    with pytest.raises(TrainingDataError, match=r"check_x\.jsonl:1"):
        measure(folder, "check_x")
