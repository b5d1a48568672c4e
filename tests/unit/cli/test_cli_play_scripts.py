"""Scripts of `tightrope play`: read whole before the first is played, each mistake named by line."""

import json
from pathlib import Path
from typing import Any

import pytest

from tightrope.cli.play import ScriptInvalid, read_scripts


def write(tmp_path: Path, *lines: Any) -> Path:
    path = tmp_path / "scripts.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_every_documented_step_is_taken(tmp_path: Path) -> None:
    turns = ["你好", {"press": "转人工"}, {"login": "C1001"}, {"login": True}, {"logout": True}, {"wait": 60}, {"agent": "reply"},
             {"agent": {"reply": "您好"}}, {"agent": "resolve"}, {"agent": "return"}, {"fault": {"fault": "slow"}}]  # fmt: skip
    (script,) = read_scripts(write(tmp_path, {"id": "a", "turns": turns}, ""))
    assert (script["session"], script["turns"]) == ("guest", turns)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not JSON"),
        ([], "needs `id` and `turns`"),
        ({"id": "a"}, "needs `id` and `turns`"),
        ({"id": "a", "session": 7, "turns": []}, "`session`"),
        ({"id": "a", "turns": [5]}, "turn 1"),
        ({"id": "a", "turns": ["x", {"dance": 1}]}, "turn 2"),
        ({"id": "a", "turns": [{"wait": -1}]}, "`wait` takes seconds"),
        ({"id": "a", "turns": [{"wait": True, "press": "x"}]}, "turn 1"),
        ({"id": "a", "turns": [{"agent": "dance"}]}, "`agent` takes"),
        ({"id": "a", "turns": [{"fault": "slow"}]}, "`fault` takes"),
    ],
)
def test_mistake_is_named_with_its_line(tmp_path: Path, line: Any, why: str) -> None:
    with pytest.raises(ScriptInvalid, match=why) as caught:
        read_scripts(write(tmp_path, {"id": "fine", "turns": []}, line))
    assert ":2:" in str(caught.value)
