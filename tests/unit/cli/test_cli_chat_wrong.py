"""`/wrong`: a conversation that went wrong becomes an acceptance case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tightrope.cli.chat_wrong import NotWritten, wrong
from tightrope.cli.recorder import Spoken
from tightrope.engine.loader import load_project
from tightrope.engine.models import Project
from tightrope.infra.settings import REPOSITORY
from tightrope.uat.reader import read_cases


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Our own project, with its case files in a folder of the test's."""
    from dataclasses import replace

    (tmp_path / "tests" / "uat").mkdir(parents=True)
    return replace(load_project(REPOSITORY), root=str(tmp_path))


def _spoken() -> list[Spoken]:
    user = {"event": "user", "text": "余额", "parse_data": {}}
    asks = {
        "event": "bot",
        "text": "登录",
        "data": {"buttons": [{"title": "我已登录", "payload": "/SetSlots(login_state=done)"}]},
    }
    pressed = {"event": "user", "text": "x", "parse_data": {"payload": True}}
    begun = {"event": "flow_started", "flow_id": "check_balance"}
    return [Spoken("余额", None, (user, begun, asks)), Spoken("/SetSlots(login_state=done)", None, (pressed,))]


def _answers(*lines: str) -> Iterator[str]:
    yield from lines


def test_the_answers_become_a_case_that_can_be_read(project: Project) -> None:
    given = _answers("应当先说明原因。", "check_balance", "", "128,650.42", "no", "login_asked", "")
    path = wrong(project, _spoken(), "zh", lambda _: next(given))
    (made,), problems = read_cases([path], Path(project.root))
    assert problems == ()
    assert made.source["turns"] == [
        {"say": "余额"},
        {
            "press": "我已登录",
            "expect": {"starts": ["check_balance"], "forbids": ["128,650\\.42"], "handoff": "none"},
        },
    ]
    assert (made.title, made.outcomes, made.customer, made.kind) == ("应当先说明原因。", ("login_asked",), None, "anonymous")


def test_a_person_who_should_have_come_is_expected(project: Project) -> None:
    given = _answers("he was desperate", "", "", "", "yes", "distress", "person", "C1001")
    path = wrong(project, _spoken(), "en", lambda _: next(given))
    (made,), _ = read_cases([path], Path(project.root))
    assert made.source["turns"][-1]["expect"] == {"handoff": {"reason": "distress"}}


def test_an_answer_outside_a_closed_list_is_asked_for_again(project: Project) -> None:
    given = _answers("why", "make_coffee", "check_balance", "", "", "perhaps", "", "sleeping", "told", "")
    assert wrong(project, _spoken(), "zh", lambda _: next(given)).is_file()


def test_nothing_is_written_without_a_word(project: Project) -> None:
    with pytest.raises(NotWritten, match="Say something first"):
        wrong(project, [], "zh", lambda _: "")
    with pytest.raises(NotWritten, match="Nothing was written"):
        wrong(project, _spoken(), "zh", lambda _: "")
    given = _answers("why", "", "", "", "", "told", "Mr Chan")
    with pytest.raises(NotWritten, match="is not a customer of the sandbox"):
        wrong(project, _spoken(), "zh", lambda _: next(given))
    assert not list(Path(project.root).rglob("*.yml"))
