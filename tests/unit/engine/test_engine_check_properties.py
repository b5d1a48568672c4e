"""Over made-up projects and conversations: the check never fails, and a step that it says nobody comes to is never run."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from engine_projects import FLOWS, VALUES, projects
from hypothesis import given
from hypothesis import strategies as st

from tightrope.engine.check import examine
from tightrope.engine.check.graph import reached, ways
from tightrope.engine.check.worlds import Worlds
from tightrope.engine.core import step
from tightrope.engine.models import ActionFailure, ActionResult, Input, RunAction, SetSlot, StartFlow, StartSession, UserMessage
from tightrope.engine.state import State

typed = [{"event": "slot", "name": name, "value": value} for name, values in VALUES.items() for value in (*values, None)]
commands = st.one_of(
    st.sampled_from(FLOWS).map(StartFlow),
    st.sampled_from([(name, value) for name, values in VALUES.items() for value in values]).map(lambda pair: SetSlot(*pair)),
)
acts = st.one_of(st.just(()), st.lists(st.sampled_from(typed), max_size=2).map(tuple), st.none())
"""What actions do: set slots to values of their types, or fail."""


@pytest.fixture(scope="module")
def folder():
    made = Path(tempfile.mkdtemp(prefix="tightrope-check-"))
    yield made
    shutil.rmtree(made)


def played(project: Any, talk: list[list[Any]], acted: list[Any]) -> set[tuple[str, str]]:
    """The steps that a conversation runs."""
    state, seen, answers = State("anyone", 7), set(), list(acted)
    inputs: list[Input] = [StartSession(1.0)]
    inputs += [UserMessage("x", tuple(said), 2.0 + number) for number, said in enumerate(talk)]
    for given_input in inputs:
        waiting: Input | None = given_input
        while waiting is not None:
            result = step(project, state, waiting, cap=8)
            state, waiting = result.state, None
            seen.update(result.visited)
            if isinstance(result.effect, RunAction):
                outcome = answers.pop() if answers else ()
                name = result.effect.name
                waiting = ActionFailure(name, 9.0, "down") if outcome is None else ActionResult(name, 9.0, outcome)
    return seen


@given(made=projects(), talk=st.lists(st.lists(commands, min_size=1, max_size=3), max_size=8), acted=st.lists(acts, max_size=6))
def test_what_the_check_says_nobody_comes_to_nobody_comes_to(folder, made, talk, acted):
    project = made.load(folder)
    found = examine(folder)
    worlds = Worlds(project)
    visited = played(project, talk, acted)
    for flow in project.flows.values():
        come_to = reached(flow, lambda at: [way.branch.target for way in ways(worlds, at) if way.open])
        strange = {name for flow_id, name in visited if flow_id == flow.id} - come_to
        assert not strange, (flow.id, strange, [str(problem) for problem in found.problems])
    lines = {problem.line for problem in found.problems if problem.code == "unreachable-step"}
    run = {project.flows[flow_id].steps[name].place.line for flow_id, name in visited if not project.flows[flow_id].builtin}
    assert not lines & run
