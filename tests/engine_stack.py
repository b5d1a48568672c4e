"""What a dialogue stack must look like whenever the engine listens; the conformance cases and the property tests ask it after each turn."""

from __future__ import annotations

from collections.abc import Iterable

from tightrope.engine.builtins import REDO
from tightrope.engine.models import START, ActionResult, Input, Project, Step
from tightrope.engine.run import COLLECT
from tightrope.engine.state import Frame, State


def stack_flaws(project: Project, state: State, inputs: Iterable[Input] = ()) -> list[str]:
    """What is not well formed in the stack of a conversation that waits for its customer; empty when all is well.

    Every frame runs a flow and stands at a step that exist, ids are unique, a called flow lies on its caller, a question belongs to
    a collect step below it, and the uppermost frame listens, unless an action among the turn's `inputs` said to listen at once.
    """
    stack = state.stack
    wrong: list[str] = []
    ids = [frame["frame_id"] for frame in stack]
    if len(ids) != len(set(ids)):
        wrong.append(f"frame ids stand twice: {ids}")
    for at, frame in enumerate(stack):
        name = f"frame {frame['frame_id']} ({frame['flow_id']})"
        flow = project.flows.get(frame["flow_id"])
        at_step = str(frame["step_id"]).removeprefix(REDO)
        if flow is None or (at_step != START and at_step not in flow.steps):
            wrong.append(f"{name} stands at {at_step}, which does not exist")
        caller = _step(project, stack[at - 1]) if at else None
        if frame["frame_type"] == "call" and (caller is None or caller.kind != "call" or caller.target != frame["flow_id"]):
            wrong.append(f"{name} was called, but what lies below it does not stand at that call")
        if frame["type"] == COLLECT and not _asked(project, stack[:at], frame):
            wrong.append(f"{name} asks on behalf of a step that is not on the stack")
    top = _step(project, stack[-1]) if stack else None
    if (
        stack
        and not (state.paused or state.ended or any(map(_says_listen, inputs)))
        and (top is None or top.target != "action_listen")
    ):
        wrong.append(f"the engine listens, but the uppermost frame {stack[-1]['flow_id']} stands at {stack[-1]['step_id']}")
    return wrong


def _says_listen(inputs: Input) -> bool:
    events = inputs.events if isinstance(inputs, ActionResult) else ()
    return any(event.get("event") == "followup" and event.get("name") == "action_listen" for event in events)


def _step(project: Project, frame: Frame) -> Step | None:
    flow = project.flows.get(frame["flow_id"])
    return flow.steps.get(str(frame["step_id"])) if flow else None


def _asked(project: Project, below: list[Frame], frame: Frame) -> bool:
    """Whether a question's collect step exists and its flow waits below."""
    flow_id, step_id = frame["of"]
    flow = project.flows.get(flow_id)
    step = flow.steps.get(step_id) if flow else None
    return step is not None and step.target == frame["collect"] and any(other["flow_id"] == flow_id for other in below)
