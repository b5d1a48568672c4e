"""The stack machine: runs the newest frame's steps until an action has to be asked for or the customer has to speak."""

from __future__ import annotations

import jinja2

from tightrope.engine.builtins import BUILTINS, REDO, as_context
from tightrope.engine.errors import PredicateError
from tightrope.engine.models import END, START, Effect, Flow, Listen, RunAction, Step
from tightrope.engine.run import ASKING, COLLECT, Run, is_pattern
from tightrope.engine.session import ACTION as SESSION_START
from tightrope.engine.state import UNCOUNTED, Frame

LISTEN = "action_listen"
MAX_STEPS = 2000
"""Steps within one advance; more means that steps lead in a circle without an action."""
MAX_FRAMES = 200
"""Frames on the stack; more means that flows call each other without an end."""
BONUS = 10
"""Predictions that the internal-error pattern may still use after the cap."""


def advance(run: Run) -> Effect:
    """Run until an effect.

    The cap on predictions and the one on steps end in pattern_internal_error, and in silence if that runs over as well.
    """
    for _ in range(2):
        effect = _run_steps(run)
        if effect is not None:
            return effect
        _over(run, f"more than {MAX_STEPS} steps in one turn: steps lead in a circle")
    run.dismiss(run.stack)
    return listen(run)


def _run_steps(run: Run) -> Effect | None:
    """The next effect, or None if it takes more than MAX_STEPS."""
    within = run.state.within
    for _ in range(MAX_STEPS):
        if run.state.ended:
            return Listen()
        if within.queue and run.state.predictions > run.cap + within.bonus:
            within.queue.clear()
            _over(run, f"more than {run.cap} actions in one turn, actions that ask for actions")
            continue
        if within.queue:
            effect = _perform(run, within.queue.pop(0), free=True)
            if effect is not None:
                return effect
            continue
        frame = run.top
        if frame is None:
            return listen(run)
        if len(run.stack) > MAX_FRAMES:
            _over(run, f"more than {MAX_FRAMES} flows upon each other: flows call each other in a circle")
            continue
        flow = run.flow(frame)
        if flow is None:
            run.problems.append(f"a frame named the flow {frame['flow_id']}, which does not exist; it was dropped")
            run.dismiss([frame])
            continue
        try:
            effect = _run_step(run, frame, flow)
        except PredicateError as error:
            run.problems.append(f"{error}, at the step {frame['step_id']} of {flow.id}")
            fail(run, "rasa_internal_error_default", free=False)
            continue
        if effect is not None:
            return effect
    return None


def _run_step(run: Run, frame: Frame, flow: Flow) -> Effect | None:
    """The step that comes next in the newest frame, or the frame's end.

    Raises:
        PredicateError: a condition cannot be read now.
    """
    step = _next(run, frame, flow)
    if step is None:
        end_flow(run, frame, flow)
        return None
    if run.state.predictions > run.cap + run.state.within.bonus:
        _over(run, f"more than {run.cap} actions in one turn, the last one before step {step.id} of {flow.id}")
        return None
    frame["step_id"] = step.id
    run.visited.append((flow.id, step.id))
    return _execute(run, frame, step)


def _over(run: Run, why: str) -> None:
    run.problems.append(f"prediction cap: {why}")
    if run.state.within.bonus:
        run.dismiss(run.stack)
        return
    run.state.within.bonus = BONUS
    fail(run, "rasa_internal_error_default", free=False)


def listen(run: Run) -> Listen:
    """The turn ends."""
    top = run.top
    if top is not None and "asked_at" in top:
        top["question"] = run.state.bots - top.pop("asked_at")
    run.sync_stack()
    run.acted(LISTEN)
    return Listen()


def request(run: Run, name: str, *, free: bool = False) -> RunAction:
    """Ask for an action; `free` when no frame waits for it."""
    run.sync_stack()
    run.state.within.pending = name
    run.state.within.pending_free = free
    return RunAction(name)


def _next(run: Run, frame: Frame, flow: Flow) -> Step | None:
    at = frame["step_id"]
    if at == START:
        return flow.steps[flow.first]
    if at.startswith(REDO):
        return flow.steps.get(at[len(REDO) :])
    step = flow.steps.get(at)
    if step is None:
        run.problems.append(f"a frame of {flow.id} stood at the step {at}, which does not exist; the frame ended")
        return None
    for branch in step.branches:
        if branch.condition is None or branch.condition.decide(run.slots, run.context()):
            return None if branch.target == END else flow.steps[branch.target]
    return None


def _execute(run: Run, frame: Frame, step: Step) -> Effect | None:
    kind = step.kind
    if kind == "action":
        return _act(run, frame, step)
    if kind == "collect":
        _collect(run, frame, step)
    elif kind == "set_slots":
        for name, value in step.assignments:
            run.set_slot(name, value)
    elif kind == "call":
        if step.target in run.project.flows:
            _leave_trail(frame, step)
            child = run.push(step.target, "call")
            run.emit("flow_started", flow_id=child["flow_id"])
        else:
            run.problems.append(f"{frame['flow_id']} calls {step.target}, which does not exist")
    elif kind == "link":
        _link(run, frame, step)
    return None


def _act(run: Run, frame: Frame, step: Step) -> Effect | None:
    name = step.target
    if step.template is not None:
        try:
            name = step.template.fill({}, run.slots, run.context()).strip()
        except jinja2.TemplateError as error:
            run.problems.append(f"the action name {step.target} could not be filled: {error}")
            name = ""
    if not name or name == "None":
        run.problems.append(f"step {step.id} names no action")
        return None
    if frame["type"] in ASKING and name != LISTEN and name not in BUILTINS and not name.startswith("validate_"):
        # Where the question begins among the messages, so that "say that again" does not say it twice.
        frame["asked_at"] = run.state.bots
    return _perform(run, name, free=False)


def _perform(run: Run, name: str, *, free: bool) -> Effect | None:
    """What an action's name stands for: listening, an action of the project or of ours, a response. `free` when no frame waits for it."""
    if name == LISTEN:
        return listen(run)
    if name in run.project.actions:
        if name.startswith("validate_") and run.slots.get(name.removeprefix("validate_")) is None:
            return None
        if name == SESSION_START and run.state.messages <= 1:
            return None  # It ran when this session began, a moment ago.
        return request(run, name, free=free)
    if name in BUILTINS:
        if name not in UNCOUNTED:
            run.acted(name)
        BUILTINS[name](run)
        return None
    if name.startswith("utter_"):
        run.acted(name)
        run.utter(name)
        return None
    if name.startswith("validate_"):
        return None
    return request(run, name, free=free)


def _leave_trail(frame: Frame, step: Step) -> None:
    """Remember the way through questions and called flows, for corrections; going back shortens it."""
    trail: list[str] = frame.get("trail") or []
    if step.id in trail:
        trail = trail[: trail.index(step.id)]
    frame["trail"] = [*trail, step.id]


def _collect(run: Run, frame: Frame, step: Step) -> None:
    name = step.target
    if step.ask_before_filling:
        run.set_slot(name, None)
    _leave_trail(frame, step)
    pattern = run.project.flows.get(COLLECT)
    filled = run.slots.get(name) is not None
    if filled and not step.rejections and f"validate_{name}" not in run.project.actions and (pattern is None or pattern.builtin):
        return
    ask = step.utter or f"utter_ask_{name}"
    by_action = step.utter is None and ask not in run.project.responses and f"action_ask_{name}" in run.project.actions
    run.push(
        COLLECT,
        collect=name,
        utter=ask,
        collect_action=f"action_ask_{name}" if by_action else None,
        rejections=as_context(step.rejections),
        of=[frame["flow_id"], step.id],
    )


def _link(run: Run, frame: Frame, step: Step) -> None:
    run.stack.pop()
    run.emit("flow_completed", flow_id=frame["flow_id"], step_id=frame["step_id"])
    run.release_slots(frame)
    if step.target not in run.project.flows:
        run.problems.append(f"{frame['flow_id']} links to {step.target}, which does not exist")
        return
    new = run.push(step.target, "link")
    if not is_pattern(new):
        run.emit("flow_started", flow_id=step.target)


def end_flow(run: Run, frame: Frame, flow: Flow) -> None:
    """A frame has no step left: reset its slots, tell, and see what comes after it."""
    run.stack.pop()
    if frame["type"] not in ASKING:
        run.emit("flow_completed", flow_id=flow.id, step_id=frame["step_id"])
    if frame["frame_type"] == "call":
        return
    run.release_slots(frame)
    if not is_pattern(frame):
        _after_journey(run, flow.id)
    elif flow.id == "pattern_cancel_flow" and not any(one["frame_id"] in frame["canceled_frames"] for one in run.stack):
        _after_journey(run, frame["canceled_flow_id"])


def _after_journey(run: Run, flow_id: str | None) -> None:
    """A journey ended or was cancelled: go on with what it interrupted, or ask whether there is anything else."""
    flow = run.project.flows.get(flow_id or "")
    if _offer_interrupted(run, run.name_of(flow.id) if flow else ""):
        return
    if not run.stack and flow is not None and flow.run_pattern_completed and "pattern_completed" in run.project.flows:
        run.push("pattern_completed", previous_flow_name=run.name_of(flow.id))


def _offer_interrupted(run: Run, previous: str) -> bool:
    """Ask whether to go on with what waits below, if anything has begun and waits."""
    newest = next(run.roots(), None)
    if newest is None or run.stack[newest]["step_id"] == START:
        return False
    if run.segment(newest) != len(run.stack) or "pattern_continue_interrupted" not in run.project.flows:
        return False
    waiting = [run.stack[at]["flow_id"] for at in run.roots() if run.stack[at]["step_id"] != START]
    names = [run.name_of(flow_id) for flow_id in waiting]
    run.push(
        "pattern_continue_interrupted",
        previous_flow_name=previous,
        interrupted_flow_ids=waiting,
        interrupted_flow_names=names,
        interrupted_flow_options=("、" if run.language.startswith("zh") else ", ").join(names),
        multiple_flows_interrupted=len(waiting) > 1,
    )
    return True


def fail(run: Run, error_type: str, *, free: bool, info: dict[str, object] | None = None) -> None:
    """What was running failed: cancel it and push pattern_internal_error.

    What failed is the journey that was running, or only the pattern if a pattern failed while a journey waits below it. When
    pattern_internal_error itself fails, its plain response is said and nothing is pushed, so that failures never chase each other.
    """
    if not free:
        at = len(run.stack) - 1
        while at >= 0 and run.stack[at]["type"] in ASKING:
            at -= 1
        if at >= 0 and is_pattern(run.stack[at]):
            failed = run.stack[at]["flow_id"]
            run.dismiss(run.stack[at:])
            if failed == "pattern_internal_error":
                run.utter("utter_internal_error_rasa")
                return
        elif at >= 0:
            while at > 0 and run.stack[at]["frame_type"] == "call":
                at -= 1
            run.drop_journey(at)
    run.push("pattern_internal_error", error_type=error_type, info=info or {})
