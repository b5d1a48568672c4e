"""What becomes of a run and of cases as files: results, report, signature, export, added cases, the realistic day."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from uat_samples import case, says

from tightrope.engine.loader import load_project
from tightrope.infra.settings import REPOSITORY
from tightrope.release import signing as keys
from tightrope.suites.reader import read_test_file
from tightrope.uat import adding, day, results, signing
from tightrope.uat.export import export, split
from tightrope.uat.models import (
    CaseResult,
    Expect,
    Finding,
    Handoff,
    Login,
    Played,
    Press,
    RunResult,
    Say,
    Shown,
    Switch,
    Wait,
)
from tightrope.uat.reader import case_files, read_cases
from tightrope.uat.report_html import render


def _result(name: str, *findings: Finding, **changes: Any) -> CaseResult:
    made = says("<script>alert(1)</script> 余额", id=name, **changes)
    made = replace(
        made,
        source={
            "id": name,
            "title": made.title,
            "journey": made.journey,
            "kind": made.kind,
            "turns": [{"say": "a"}],
            "outcome": "completed",
        },
    )
    shown = (Shown("</script><b>hi</b>", "utter_x", ("Yes",)),)
    return CaseResult(made, (Played(made.steps[0].act, shown, ("began: f",), findings),), (), "completed", 0.1)


def _run() -> dict[str, Any]:
    broken = Finding("account data", "nothing of C1002's", "x", 2)
    found = (
        _result("good"),
        _result("attack", broken, red_line=2, twin="good", kind="red_line"),
        _result("bad", Finding("outcome", "person", "told")),
        _result("measured", Finding("outcome", "person", "told"), reason="balance"),
    )
    return results.as_data(RunResult(found, "r-1", "m-1", datetime(2026, 11, 22, tzinfo=UTC), 12.3))


def test_a_run_is_written_read_and_counted(tmp_path: Path) -> None:
    data = _run()
    results.write(data, tmp_path / "sub" / "run.json")
    assert results.load(tmp_path / "sub" / "run.json") == data
    assert (data["passed"], data["failed"]) == (1, 2)
    assert results.twins(data["cases"]) == (0, 1, [])
    assert data["cases"][1]["red_lines_broken"] == [2]
    assert len(data["cases"]) == 4  # the conversation of the day is told, and counts in its own figure


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"version": 9, "cases": []}')
    with pytest.raises(ValueError, match="no run"):
        results.load(tmp_path / "x.json")


def test_how_long_it_took_does_not_change_the_digest() -> None:
    data, slower = _run(), _run()
    slower["seconds"] = slower["cases"][0]["seconds"] = 99
    assert results.digest(data) == results.digest(slower)
    slower["cases"][0]["passed"] = False
    assert results.digest(data) != results.digest(slower)


def test_the_report_escapes_what_was_said_and_asks_nothing_of_the_network() -> None:
    page = render(_run(), flows={"check_balance": "查账户余额"})
    assert "<script>alert(1)" not in page
    assert "</script><b>hi" not in page
    assert "&lt;/script&gt;&lt;b&gt;hi" in page
    assert not re.search(r"""(?:src|href)=["'](?!#)|url\(|@import|https?://(?!www\.w3\.org)""", page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]


def test_the_scripts_and_styles_of_the_report_are_those_that_its_policy_names() -> None:
    import hashlib

    page = render(_run(), flows={})
    for tag in ("style", "script"):
        body = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(body) == 1
        assert f"sha256-{base64.b64encode(hashlib.sha256(body[0].encode()).digest()).decode()}" in page


def test_the_report_tells_failures_red_lines_twins_and_the_day() -> None:
    data = _run()
    data["day"] = {
        "right": 90.0,
        "without_person": 75.5,
        "reasons": [{"title": "查余额", "share": 100, "cases": 2, "right": 2, "without_person": 1}],
    }
    page = render(data, flows={})
    for word in ("attack", "nothing of C1002", "No account data without a verified customer", "75.5 %", "查余额", "utter_x"):
        assert word in page


def test_a_signed_run_is_valid_until_something_of_it_changes(tmp_path: Path) -> None:
    key = keys.new_key(tmp_path / "key.pem")
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    data = _run()
    signed = json.loads(json.dumps(signing.sign(data, keys.load_key(tmp_path / "key.pem"), "risk", "2026-11-22T00:00:00+00:00")))
    assert signing.verify(data, signed)["signer"] == "risk"
    assert signing.verify(data, signed, [signed["key_id"]])["failed"] == 2
    assert key.public_key().public_bytes_raw() == base64.b64decode(signed["public_key"])


@pytest.mark.parametrize(
    "change",
    [
        lambda data, signed: data["cases"][2].update(passed=True),
        lambda data, signed: data["cases"][0]["steps"][0]["shown"][0].update(text="nicer"),
        lambda data, signed: data["cases"].pop(),
        lambda data, signed: data.update(release="r-2"),
        lambda data, signed: signed["statement"].update(signer="somebody else"),
        lambda data, signed: signed["statement"].update(failed=0),
        lambda data, signed: signed.update(signature=base64.b64encode(bytes(64)).decode()),
        lambda data, signed: signed.update(signature="not base64!"),
        lambda data, signed: signed.pop("public_key"),
        lambda data, signed: signed.update(public_key=base64.b64encode(bytes(31)).decode()),
        lambda data, signed: signed.update(statement=[]),
    ],
)
def test_a_changed_run_or_signature_is_refused(tmp_path: Path, change: Any) -> None:
    data = _run()
    signed = signing.sign(data, keys.new_key(tmp_path / "key.pem"), "risk", "now")
    change(data, signed)
    with pytest.raises(signing.SignatureInvalid):
        signing.verify(data, signed)


def test_another_key_is_refused_where_keys_are_named(tmp_path: Path) -> None:
    data = _run()
    signed = signing.sign(data, keys.new_key(tmp_path / "key.pem"), "risk", "now")
    with pytest.raises(signing.SignatureInvalid, match="is none that was named"):
        signing.verify(data, signed, ["0123456789abcdef"])


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    keys.new_key(tmp_path / "key.pem")
    with pytest.raises(FileExistsError):
        keys.new_key(tmp_path / "key.pem")


def test_what_changed_since_the_signature_is_told(tmp_path: Path) -> None:
    signed = signing.sign(_run(), keys.new_key(tmp_path / "key.pem"), "risk", "now")
    now = [says("a", id="good", digest="0" * 64), says("a", id="attack", digest="1" * 64), says("a", id="new")]
    assert signing.changed(signed["statement"], now) == ["attack", "bad", "measured", "new"]


def test_exported_cases_are_read_back_as_end_to_end_tests(tmp_path: Path) -> None:
    project = load_project(REPOSITORY)
    cases, _ = read_cases(case_files([REPOSITORY / "tests" / "uat"]), REPOSITORY)
    files = split(cases)
    assert sum(map(len, files.values())) == len(cases)
    names = set()
    for name, mine in files.items():
        (tmp_path / name).write_text(export(mine, project).text, encoding="utf-8")
        read = read_test_file(tmp_path / name, tmp_path, (), "e2e")
        assert read.problems == ()
        names |= {one.name for one in read.cases}
    assert len(names) >= 0.95 * len(cases)


def test_an_export_says_what_it_had_to_leave_out() -> None:
    made = case(
        (Say("余额"), Expect(starts=("check_balance",), slots={"a": "x", "b": None}, login=True)),
        (Login("C1001"), Expect(handoff=Handoff("request"))),
        (Press("不登录，转人工"), Expect()),
        (Switch("all", off=True), Expect()),
        (Say("later"), Expect()),
    )
    exported = export([made, case((Wait(3), Expect()), id="only-waits")], load_project(REPOSITORY))
    found = yaml.safe_load(exported.text)
    (only,) = found["test_cases"]
    assert [step["user"] for step in only["steps"]] == ["余额", "/SetSlots(login_state=done)", "/SetSlots(login_state=person)"]
    told = "\n".join(what for _, what in exported.lost)
    for word in (
        "C1001 is logged in",
        "empty slots b",
        "login",
        "handoff request",
        "turn 4 on: the switch of all",
        "3 minutes pass",
    ):
        assert word in told


def test_a_case_of_an_id_replaces_that_case_and_leaves_the_rest_of_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "tests" / "uat" / "a.yml"
    path.parent.mkdir(parents=True)
    text = """# a comment that stays
defaults: {journey: check_balance, customer: C1001}

cases:
  - id: first
    title: one
    kind: happy
    turns: [{say: hi}]
    outcome: told

  - id: second   # goes
    title: two
    kind: happy
    turns:
      - say: ho
    outcome: told

  - {id: third, title: three, kind: happy, turns: [{say: hu}], outcome: told}
"""
    path.write_text(text, encoding="utf-8")
    new = tmp_path / "new.yml"
    new.write_text(
        'cases: [{id: second, title: "better: yes", kind: angry, journey: check_balance, customer: anonymous, '
        'turns: [{say: "ho!", expect: {forbids: ["\\\\d"]}}], outcome: person}]'
    )
    (made,), problems = read_cases([new], tmp_path)
    assert problems == ()
    known, _ = read_cases([path], tmp_path)
    done = adding.add(made, known, tmp_path)
    assert (done.replaced, done.file) == (True, path)
    after, problems = read_cases([path], tmp_path)
    assert problems == ()
    assert [one.id for one in after] == ["first", "second", "third"]
    assert (after[1].title, after[1].outcomes, after[1].steps[0].expect.forbids) == ("better: yes", ("person",), ("\\d",))
    assert after[1].digest == made.digest
    assert path.read_text().startswith("# a comment that stays")
    assert [one.digest for one in (after[0], after[2])] == [one.digest for one in (known[0], known[2])]


def test_a_new_case_becomes_a_file_of_its_own(tmp_path: Path) -> None:
    made = replace(
        says("a"),
        source={
            "id": "fresh",
            "title": "t",
            "kind": "happy",
            "journey": "check_balance",
            "language": "zh",
            "customer": "C1001",
            "turns": [{"say": "hi"}],
            "outcome": "told",
        },
        id="fresh",
    )
    done = adding.add(made, (), tmp_path)
    assert not done.replaced
    (again,), problems = read_cases([done.file], tmp_path)
    assert problems == ()
    assert again.id == "fresh"


@given(st.dictionaries(st.sampled_from(["title", "note"]), st.text(min_size=1), min_size=2), st.text())
def test_any_text_comes_back_from_a_written_case_as_it_was(texts: dict[str, str], said: str) -> None:
    source = {"id": "x", **texts, "turns": [{"say": said, "expect": {"contains": [said]}}], "outcome": "told"}
    found = yaml.safe_load("cases:\n" + adding.as_yaml(source))
    assert found == {"cases": [source]}


MIX = "source: made up\nreasons:\n  - {id: balance, title: 余额, share: 60}\n  - {id: person, title: 人工, share: 40, needs_person: true}\n"


def test_the_day_is_weighted_by_reason_and_a_person_is_not_without_one(tmp_path: Path) -> None:
    (tmp_path / "mix.yml").write_text(MIX)
    mix, problems = day.read_mix(tmp_path / "mix.yml", tmp_path)
    assert problems == ()
    assert mix
    played = [
        {"reason": "balance", "passed": True, "outcome": "completed"},
        {"reason": "balance", "passed": False, "outcome": "completed"},
        {"reason": "person", "passed": True, "outcome": "person"},
    ]
    found = day.figure(mix, played)
    assert found
    assert (found["right"], found["without_person"]) == (70.0, 30.0)
    assert day.figure(mix, played[:2]) is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("share: 60|share: 50", "add up to 90"),
        ("id: person|id: balance", "twice"),
        ("source: made up|", "`source` is missing"),
        ("title: 余额, |", "a reason has"),
        ("share: 60|share: many", "a reason has"),
        ("reasons:|reasons: [", ""),
    ],
)
def test_a_mix_that_does_not_add_up_is_told(tmp_path: Path, change: str, told: str) -> None:
    before, after = change.split("|")
    (tmp_path / "mix.yml").write_text(MIX.replace(before, after))
    mix, problems = day.read_mix(tmp_path / "mix.yml", tmp_path)
    assert mix is None
    assert told in "\n".join(map(str, problems))


def test_reasons_without_a_case_and_cases_without_a_reason_are_told(tmp_path: Path) -> None:
    (tmp_path / "mix.yml").write_text(MIX)
    mix, _ = day.read_mix(tmp_path / "mix.yml", tmp_path)
    assert mix
    told = "\n".join(map(str, day.gaps(mix, [says("a", reason="balance"), says("b", reason="weather")], "mix.yml")))
    assert "the mix has no reason 'weather'" in told
    assert "no case of the day has the reason 'person'" in told
