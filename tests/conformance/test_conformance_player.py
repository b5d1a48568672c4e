"""The player itself: every kind of expectation can fail, and a file with a mistake in it is not read."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from case_files import Case, block, cases_of, merged
from player import Differs, play, stack_flaws

from tightrope.engine.loader import load_project
from tightrope.engine.state import State
from tightrope.engine.yamlfile import parse

FILE: Mapping[str, Any] = {
    "section": "1.3",
    "title": "t",
    "project": {
        "domain": {
            "slots": {"a": {"type": "text"}, "b": {"type": "bool", "initial_value": True, "mappings": [{"type": "controlled"}]}},
            "responses": {
                "utter_ask_a": [{"text": "A?", "buttons": [{"title": "X", "payload": "/SetSlots(a=x)"}]}],
                "utter_a": [{"text": "is {a}"}],
            },
        },
        "flows": {
            "f": {
                "description": "d",
                "run_pattern_completed": False,
                "steps": [{"collect": "a"}, {"action": "action_do"}, {"action": "utter_a"}],
            }
        },
    },
    "actions": {"action_do": {"responses": [{"text": "did"}]}},
    "cases": [{"id": "c", "source": {"section": "1.3", "line": 133, "says": "s"}, "turns": [{"commands": "start flow f"}]}],
}


def case(**changes: Any) -> Case:
    """The case of FILE with some of its keys replaced."""
    found = copy.deepcopy(dict(FILE))
    found["cases"][0].update(changes)
    return cases_of("1.3-x.yml", found)[0]


def asked(**expect: Any) -> Case:
    return case(turns=[{"commands": "start flow f", "expect": expect}])


def filled(**expect: Any) -> Case:
    return case(turns=[{"commands": ["start flow f", "set slot a y"], "expect": expect}])


@pytest.mark.parametrize(
    "right",
    [
        asked(replies=["A?"], buttons=["X"], stack=["f", "pattern_collect_information"], not_slots=["a"], ran=[], problems=[]),
        asked(replies=[{"utter": "utter_ask_a", "buttons": [{"title": "X"}]}], includes=["utter_ask_a"], kept=["start flow f"]),
        filled(replies=["did", "is y"], ran=["action_do"], slots={"a": None, "b": True}, stack=[], flow_completed=["f"]),
        filled(events=[{"event": "slot", "value": "y"}, {"event": "bot", "text": "did"}], no_events=[{"event": "restart"}]),
        filled(sees={"action_do": {"slots": {"a": "y"}}}, prompt={"current_flow": None}),
    ],
)
def test_what_is_right_passes(right: Case, tmp_path: Path):
    play(right, tmp_path)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (asked(replies=[]), "replies: expected"),
        (asked(replies=["A?", "A?"]), "replies: expected"),
        (asked(replies=["a?"]), "replies: expected"),
        (asked(replies=["utter_a"]), "replies: expected"),
        (asked(includes=["is y"]), "no reply 'is y'"),
        (filled(includes=["is y", "did"]), "no reply 'did' in this order"),
        (asked(buttons=[]), "buttons: expected"),
        (asked(buttons=[{"title": "X", "payload": "x"}]), "buttons: expected"),
        (asked(slots={"b": 1}), "slots: expected {'b': 1}, is {'b': True}"),
        (asked(not_slots=["b"]), "slot b is True"),
        (asked(stack=["f"]), "stack: expected"),
        (filled(events=[{"event": "bot", "text": "did"}, {"event": "slot", "value": "y"}]), "no event"),
        (filled(no_events=[{"event": "slot", "name": "a"}]), "there is"),
        (filled(ran=[]), "actions: expected"),
        (filled(kept=["start flow f"]), "commands: expected"),
        (filled(sees={"action_do": {"slots": {"a": "z"}}}), "sees: expected"),
        (filled(prompt={"current_flow": "f"}), "prompt: expected"),
        (asked(problems=["oh"]), "problems: expected"),
        (asked(flow_started=[]), "flow_started: expected"),
        (asked(flow_completed=["f"]), "flow_completed: expected"),
        (asked(flow_cancelled=["f"]), "flow_cancelled: expected"),
        (asked(flow_resumed=["f"]), "flow_resumed: expected"),
        (asked(flow_interrupted=["f"]), "flow_interrupted: expected"),
        (case(turns=[{"press": "Y"}]), "no button 'Y'"),
        (case(turns=[{"commands": "start flow f"}, {"commands": "start flow g", "expect": {"replies": ["A?"]}}]), "turn 2"),
    ],
)
def test_what_is_wrong_is_told(wrong: Case, says: str, tmp_path: Path):
    with pytest.raises(Differs) as told:
        play(wrong, tmp_path)
    assert says in str(told.value)
    assert "c" in str(told.value)


def test_a_problem_that_nobody_expects_is_told(tmp_path: Path):
    flow = {"f": {"description": "d", "steps": [{"action": "utter_gone"}]}}
    with pytest.raises(Differs, match="problems: expected"):
        play(case(project={"flows": flow}, actions={}), tmp_path)


def test_an_action_without_an_answer_is_told(tmp_path: Path):
    found = copy.deepcopy(dict(FILE))
    found["actions"] = {}
    found["project"]["domain"]["actions"] = ["action_do"]
    found["cases"][0]["turns"] = [{"commands": ["start flow f", "set slot a y"]}]
    with pytest.raises(Differs, match="action_do"):
        play(cases_of("1.3-x.yml", found)[0], tmp_path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"turn": []}, "unknown keys"),
        ({"turns": [{"commands": "x", "expect": {"reply": []}}]}, "unknown keys"),
        ({"turns": [{"say": "x", "commnads": "y"}]}, "unknown keys"),
        ({"turns": [{"expect": {}}]}, "needs one of"),
        ({"source": {"section": "1.3", "line": 1}}, "says"),
        ({"project": {"flow": {}}}, "unknown keys"),
        ({"actions": {"a": {"event": []}}}, "unknown keys"),
        ({"refused": {"line": 1}}, "needs line and words"),
        ({"turns": None}, "nothing is expected"),
    ],
)
def test_a_case_with_a_mistake_is_not_read(changes: dict[str, Any], says: str):
    with pytest.raises((ValueError, KeyError), match=says):
        case(**changes)


def test_a_file_of_another_section_is_not_read():
    with pytest.raises(ValueError, match="begins with its section"):
        cases_of("2.1-x.yml", FILE)


def test_maps_are_written_as_the_yaml_that_reads_as_them():
    for found in [
        {"a": [1, [2, {"b": None}], {}, []], "true": "true", "-x": "- y", "c d": {"e": "#"}, "f": ["", "Yes", "1.0", 1.0, True]},
        {"text": 'two\nlines "quoted" {{ x }} Привет 中', "list": [{"a": 1, "b": [1]}, [[]]]},
    ]:
        assert parse("\n".join(block(found)), "x.yml") == found


def test_what_a_case_lays_over_its_file():
    base = {"domain": {"slots": {"a": 1, "b": 2}, "actions": ["x"], "session_config": {"p": 1}}, "flows": {"f": {"steps": [1]}}}
    over = {"domain": {"slots": {"a": 3, "b": None}, "actions": ["y"], "session_config": {"q": 2}}, "flows": {"f": {"if": True}}}
    assert merged(base, over) == {
        "domain": {"slots": {"a": 3}, "actions": ["x", "y"], "session_config": {"p": 1, "q": 2}},
        "flows": {"f": {"if": True}},
    }


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        ({"step_id": "nowhere"}, "does not exist"),
        ({"flow_id": "gone"}, "does not exist"),
        ({"frame_type": "call"}, "was called, but"),
        ({"type": "pattern_collect_information", "of": ["f", "0_collect_a"], "collect": "b"}, "not on the stack"),
        ({"step_id": "2_action_utter_a"}, "the engine listens"),
    ],
)
def test_a_stack_that_is_not_well_formed_is_told(frame: dict[str, Any], says: str, tmp_path: Path):
    for path, text in case().files().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    project = load_project(tmp_path)
    whole = {"frame_id": "f1", "flow_id": "f", "step_id": "0_collect_a", "type": "flow", "frame_type": "regular", **frame}
    assert any(says in flaw for flaw in stack_flaws(project, State("s", stack=[whole])))
    assert any("twice" in flaw for flaw in stack_flaws(project, State("s", stack=[whole, dict(whole)])))
