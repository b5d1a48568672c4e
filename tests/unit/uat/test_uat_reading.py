"""Case files: what they say, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from uat_samples import read_text

from tightrope.infra.settings import REPOSITORY
from tightrope.uat.models import NO_HANDOFF, Break, Choose, FaultOrder, GiveBack, Handoff, Login, Logout, Press, Say, Switch, Wait
from tightrope.uat.reader import case_files, read_cases

HEAD = "defaults: {journey: check_balance, customer: C1001}\n"


def test_a_case_is_read_with_everything_it_can_say(tmp_path: Path) -> None:
    cases, problems = read_text(
        tmp_path,
        HEAD
        + """
cases:
  - id: all-things
    title: everything
    kind: red_line
    red_line: 2
    twin: other
    language: en
    at: "2026-12-01T09:00:00+08:00"
    faults: [{operation: get_balance, fault: slow, times: 2}, {fault: knowledge_down}]
    forbids: ["x+"]
    turns:
      - {say: hello, expect: {starts: [check_balance], slots: {a: true, b: null}, handoff: none}}
      - {press: Yes, expect: {handoff: {reason: complaint, priority: high}, silent: false, login: true, told: error}}
      - choose: "Fees: Stamp duty"
      - login: C1002
      - logout: true
      - wait: 2.5
      - switch_off: all
      - switch_on: check_balance
      - give_back: true
      - faults: [{fault: slow, customer: C1002}]
    outcome: person
""",
    )
    assert problems == []
    (made,) = cases
    assert [step.act for step in made.steps] == [
        Say("hello"),
        Press("Yes"),
        Choose("Fees: Stamp duty"),
        Login("C1002"),
        Logout(),
        Wait(2.5),
        Switch("all", off=True),
        Switch("check_balance", off=False),
        GiveBack(),
        Break((FaultOrder("slow", None, 1, "C1002"),)),
    ]
    assert made.steps[0].expect.slots == {"a": True, "b": None}
    assert made.steps[0].expect.handoff == NO_HANDOFF
    assert made.steps[1].expect.handoff == Handoff("complaint", "high")
    assert made.faults == (FaultOrder("slow", "get_balance", 2), FaultOrder("knowledge_down"))
    assert (made.language, made.customer, made.red_line, made.twin, made.at.isoformat()) == (
        "en",
        "C1001",
        2,
        "other",
        "2026-12-01T09:00:00+08:00",
    )


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    cases, problems = read_text(
        tmp_path,
        """cases:
  - id: Not An Id
    title: t
    kind: merry
    turns:
      - {say: hi, expect: {reples: [utter_x]}}
    outcome: completed
  - id: no-turns
    title: t
    kind: happy
    outcome: completed
  - id: two-acts
    title: t
    kind: happy
    journey: check_balance
    customer: anonymous
    turns:
      - {say: hi, press: Yes}
      - {say: hi, expect: {contains: ["("]}}
    outcome: completed
""",
    )
    assert cases == ()
    text = "\n".join(problems)
    assert "2: Not An Id: id: 'Not An Id' is not words with hyphens" in text
    assert "4: Not An Id: kind: 'merry' is none of happy" in text
    assert "6: Not An Id: turns.expect: nothing is called 'reples' here; known are starts" in text
    assert "8: no-turns: `turns` is missing" in text
    assert "18: two-acts: a turn holds exactly one of say" in text
    assert "19: '(' is no regular expression" in text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("kind: red_line", "`kind: red_line` and `red_line: <number>` belong together"),
        ("kind: happy\n    red_line: 2\n    twin: x", "belong together"),
        ("kind: red_line\n    red_line: 2", "names its harmless `twin`"),
        ("kind: happy\n    twin: x", "names its harmless `twin`"),
        ('kind: happy\n    at: "2026-99-01T09:00:00+08:00"', "is no time"),
        ("kind: happy\n    red_line: 10", "10 is greater than the maximum of 9"),
        ("kind: happy\n    kind: angry", "stands here twice"),
        ("kind: happy\n    outcome: [told, person]", "only an attack may end in more than one way"),
    ],
)
def test_what_does_not_fit_together_is_told(tmp_path: Path, change: str, told: str) -> None:
    _, problems = read_text(
        tmp_path,
        HEAD
        + f"cases:\n  - id: one\n    title: t\n    {change}\n    turns: [{{say: hi}}]\n"
        + ("" if "outcome" in change else "    outcome: told\n"),
    )
    assert told in "\n".join(problems)


def test_journey_and_customer_must_be_said_somewhere(tmp_path: Path) -> None:
    _, problems = read_text(
        tmp_path, "cases:\n  - id: one\n    title: t\n    kind: happy\n    turns: [{say: hi}]\n    outcome: told\n"
    )
    assert "\n".join(problems).count("missing here and under `defaults`") == 2


@pytest.mark.parametrize("text", ["cases: [", "- a list", "cases: nothing", "cases: []", "other: 1", ""])
def test_a_file_that_is_none_is_a_problem_and_no_crash(tmp_path: Path, text: str) -> None:
    cases, problems = read_text(tmp_path, text)
    assert cases == ()
    assert problems


def test_a_digest_changes_with_what_is_said_and_not_with_its_looks(tmp_path: Path) -> None:
    def digest(body: str) -> str:
        cases, problems = read_text(tmp_path, HEAD + body)
        assert not problems
        return cases[0].digest

    plain = digest("cases:\n  - {id: one, title: t, kind: happy, turns: [{say: hi}], outcome: told}\n")
    assert plain == digest(
        "# other looks\ncases:\n  - id: one\n    outcome: told\n    kind: happy\n    title: 't'\n    turns:\n      - say: hi\n"
    )
    assert plain != digest("cases:\n  - {id: one, title: t, kind: happy, turns: [{say: ho}], outcome: told}\n")


def test_files_are_found_in_a_fixed_order_without_the_data_beside_them(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yml", "standing.yml", "day/mix.yml", "day/z.yml", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("cases: []")
    found = [path.relative_to(tmp_path).as_posix() for path in case_files([tmp_path, tmp_path / "b.yml"])]
    assert found == ["a.yml", "b.yml", "day/z.yml"]


def test_every_example_of_the_docs_page_can_be_read(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "acceptance-cases.md").read_text(encoding="utf-8")
    blocks = [block.split("```", 1)[0] for block in page.split("```yaml\n")[1:]]
    assert blocks
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.yml"
        path.write_text(block, encoding="utf-8")
        cases, problems = read_cases([path], tmp_path)
        assert not problems
        assert cases
