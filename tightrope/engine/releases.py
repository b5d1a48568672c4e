"""A conversation that was under way when the project changed (docs/decisions/0010-engine.md, 8): put right before its next message counts.

Slots that the domain no longer has, or whose type no longer takes their value, are emptied. A journey goes on only if nothing that it
stands on changed: its flow, the flows it called, the patterns that ask for it, the slots it filled, the questions that wait. Else it begins
again. Repair questions that waited (go on? anything else?) end; a journey whose flow is gone is cancelled.
"""

from __future__ import annotations

from typing import Literal

from tightrope.engine.applying import REFUSED, coerce
from tightrope.engine.models import START, Slot
from tightrope.engine.run import ASKING, Run
from tightrope.engine.state import Frame

Outcome = Literal["same", "told", "silent"]
"""Nothing began again; something did and the customer is to be told; something did of which the customer was told before."""
MAX_MODELS = 4


def put_right(run: Run) -> Outcome:
    """Bring the state in line with the project.

    Two servers may run different projects for a while. A journey that is carried from one to the other and back began again and was told so the
    first time; after that it only begins again.
    """
    other = run.state.model != run.project.model_id
    lost = _settle_slots(run) if other and run.state.model else set()
    if not run.stack or not (other or any(_stale(run, frame) for frame in run.stack)):
        return "same"
    journeys = [run.stack[at : run.segment(at)] for at in run.roots()]
    kept = {frame["frame_id"] for frames in journeys for frame in frames}
    ends = [frame for frame in run.stack if frame["frame_id"] not in kept and _stale(run, frame)]
    changed = [frames for frames in journeys if _changed(run, frames, lost)]
    if not changed:
        if ends:
            run.dismiss([frame for frame in run.stack if frame["frame_id"] not in kept])
        return "same"
    run.dismiss([frame for frame in run.stack if frame["frame_id"] not in kept])
    return "told" if _begin_again(run, changed) else "silent"


def _settle_slots(run: Run) -> set[str]:
    """Slots that lost their value."""
    lost: set[str] = set()
    for name, value in list(run.state.slots.items()):
        slot = run.project.slots.get(name)
        if slot is None:
            run.set_slot(name, None)
        elif not _fits(slot, value):
            now = coerce(slot, value)
            if now is REFUSED:
                lost.add(name)
                now = slot.initial
            run.set_slot(name, now)
    return lost


def _fits(slot: Slot, value: object) -> bool:
    if value is None or slot.type == "any":
        return True
    if slot.type == "list":
        return isinstance(value, list)
    kinds = {"text": str, "bool": bool, "float": int | float, "categorical": str}
    if not isinstance(value, kinds[slot.type]) or isinstance(value, bool) != (slot.type == "bool"):
        return False
    return slot.type not in {"categorical", "float"} or coerce(slot, value) == value


def _stale(run: Run, frame: Frame) -> bool:
    flow = run.flow(frame)
    return flow is None or flow.hash != frame.get("flow_hash")


def _changed(run: Run, frames: list[Frame], lost: set[str]) -> bool:
    if any(_stale(run, frame) for frame in frames):
        return True
    if lost & run.project.owned.get(frames[0]["flow_id"], frozenset()):
        return True
    return any(not _can_ask(run, frame) for frame in frames if frame["type"] in ASKING)


def _can_ask(run: Run, frame: Frame) -> bool:
    """Whether the question that waits can still be asked: its wording or its action may be gone though no step changed."""
    response, action = (
        frame.get(key) for key in (("utter", "collect_action") if "collect" in frame else ("refill_utter", "refill_action"))
    )
    if action is not None:
        return action in run.project.actions
    return response is None or response in run.project.responses or response in run.project.actions


def _begin_again(run: Run, changed: list[list[Frame]]) -> bool:
    """Begin these journeys again, or cancel them; true if the customer was not told of it before."""
    told = False
    for frames in changed:
        root = frames[0]
        at = run.stack.index(root)
        for frame in frames:
            run.release_slots(frame)
        del run.stack[at : at + len(frames)]
        flow_id, models = root["flow_id"], root.get("models", [])
        told = told or run.project.model_id not in models
        if flow_id not in run.project.flows:
            run.emit("flow_cancelled", flow_id=flow_id, step_id=root["step_id"])
            continue
        run.push(flow_id, root["frame_type"], at, models=[*models, run.state.model][-MAX_MODELS:])
        if root["step_id"] != START:
            run.emit("flow_started", flow_id=flow_id)
    return told
