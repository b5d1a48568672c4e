"""`tightrope understand`: a line in, a line out; a spoiled line is named."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tightrope.cli.main import app

run = CliRunner()
ROUTES = {
    "查一下我的余额": "check_balance",
    "margin trading是什么意思": "search",
    "我不想活了": "talk_to_agent",
    "哈哈哈": "chitchat",
    "should I buy now?": "decline_investment_advice",
}


def written(path, entries):
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return str(path)


def test_each_line_is_answered_with_its_route_and_commands(tmp_path):
    asked = [{"id": number, "text": text} for number, text in enumerate(ROUTES)]
    done = run.invoke(app, ["understand", written(tmp_path / "lines.jsonl", asked)])
    assert done.exit_code == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [set(one) for one in found] == [{"id", "route", "options", "probability", "slots", "commands"}] * len(ROUTES)
    assert [one["id"] for one in found] == list(range(len(ROUTES)))
    assert [one["route"] for one in found] == list(ROUTES.values())
    assert found[0]["commands"][0] == "start flow check_balance"
    assert found[2]["slots"] == {"handoff_reason": "distress"}
    assert all(0 <= one["probability"] <= 1 for one in found)


def test_answers_go_to_a_file_and_lines_come_from_standard_input(tmp_path):
    done = run.invoke(app, ["understand", "-", "--out", str(tmp_path / "out.jsonl")], input='{"id": "a", "text": "查余额"}\n\n')
    assert (done.exit_code, done.stdout) == (0, "")
    assert json.loads((tmp_path / "out.jsonl").read_text())["route"] == "check_balance"


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        ("no json", "line 2: not JSON"),
        ("[]", "line 2: expected"),
        ('{"id": 1}', "line 2: expected"),
        ('{"text": "x"}', "line 2: expected"),
        ('{"id": 1, "text": 5}', "line 2: expected"),
        (json.dumps({"id": 1, "text": "x" * 8001}), "line 2: the text has 8001 characters"),
    ],
)
def test_a_spoiled_line_is_named_with_its_number(tmp_path, spoiled, said):
    (tmp_path / "lines.jsonl").write_text('{"id": 1, "text": "查余额"}\n' + spoiled + "\n")
    done = run.invoke(app, ["understand", str(tmp_path / "lines.jsonl")])
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_file_that_is_not_there_is_named(tmp_path):
    done = run.invoke(app, ["understand", str(tmp_path / "nothing.jsonl")])
    assert done.exit_code == 2
    assert "nothing.jsonl" in done.stderr
