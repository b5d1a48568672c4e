"""Rasa's default actions that run inside the engine (reference/primitives/default-actions). A project's action of the same name replaces one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tightrope.engine.models import START, Rejection
from tightrope.engine.run import VALIDATE, Run, is_pattern
from tightrope.engine.session import end_journeys, open_session, without_turn
from tightrope.engine.state import Frame

REDO = "NEXT:"
"""Prefix of a frame's step id: this step is to be run (again) next."""

_REFUSALS = {
    "bool": "utter_boolean_slot_rejection",
    "float": "utter_float_slot_rejection",
    "categorical": "utter_categorical_slot_rejection",
}


def _run_slot_rejections(run: Run) -> None:
    frame = run.top
    if frame is None:
        return
    name = frame.get("collect") or frame.get("validate")
    slot = run.project.slots.get(name or "")
    if slot is None:
        return
    if "refused" in frame:
        value = frame.pop("refused")
        if run.slots.get(slot.name) is None:
            run.emit("slot", name=slot.name, value=None)
        run.utter(_REFUSALS.get(slot.type, "utter_categorical_slot_rejection"), {"value": value})
        return
    if run.slots.get(slot.name) is None:
        return
    if frame["type"] == VALIDATE:
        rejections = slot.rejections
    else:
        step = run.collect_step(frame)
        rejections = step.rejections if step else ()
    for rejection in rejections:
        if rejection.condition.decide(run.slots, run.context()):
            value = run.slots.get(slot.name)
            run.utter(rejection.utter, {"value": value})
            run.set_slot(slot.name, None)
            return


def _pattern(run: Run, flow_id: str) -> Frame | None:
    """The newest frame of a pattern."""
    return next((frame for frame in reversed(run.stack) if frame["flow_id"] == flow_id), None)


def _correct_flow_slot(run: Run) -> None:
    frame = _pattern(run, "pattern_correction")
    if frame is None:
        return
    changes: dict[str, Any] = frame["corrected_slots"]
    frame["applied"] = True
    for name, change in changes.items():
        run.set_slot(name, change["value"], by_intent=change.get("filled_by") == "NLU")
    at = next((i for i, other in enumerate(run.stack) if other["frame_id"] == frame["reset_frame_id"]), None)
    if at is not None and frame["reset_step_id"]:
        end = run.segment(at)
        back = run.stack[at]
        back["step_id"] = REDO + frame["reset_step_id"]
        trail = back.get("trail") or []
        if frame["reset_step_id"] in trail:
            back["trail"] = trail[: trail.index(frame["reset_step_id"])]
        del run.stack[at + 1 : end]
    place = run.stack.index(frame)
    for name in changes:
        if run.project.slots[name].rejections:
            push_validation(run, name, at=place)


def as_context(rejections: tuple[Rejection, ...]) -> list[dict[str, str]]:
    """Rejections as a pattern's context shows them."""
    return [{"if": rejection.condition.text, "utter": rejection.utter} for rejection in rejections]


def push_validation(run: Run, name: str, at: int | None = None, **context: Any) -> None:
    """Check a slot against its domain's rules as soon as the frames above are done."""
    slot = run.project.slots[name]
    ask = slot.refill_utter or f"utter_ask_{name}"
    action = f"action_ask_{name}" if ask not in run.project.responses and f"action_ask_{name}" in run.project.actions else None
    run.push(
        VALIDATE,
        at=at,
        validate=name,
        refill_utter=ask if ask in run.project.responses else None,
        refill_action=action,
        rejections=as_context(slot.rejections),
        **context,
    )


def _cancel_flow(run: Run) -> None:
    frame = _pattern(run, "pattern_cancel_flow")
    doomed = set(frame["canceled_frames"]) if frame else set()
    run.dismiss([one for one in run.stack if one["frame_id"] in doomed])
    for name, change in (frame.get("given", {}) if frame else {}).items():
        run.set_slot(name, change["value"], by_intent=change.get("filled_by") == "NLU")


def _wanted_flow(run: Run, frame: Frame) -> str | None:
    flows: list[str] = frame["interrupted_flow_ids"]
    if not frame["multiple_flows_interrupted"]:
        return flows[0] if flows else None
    said = str(run.slots.get("interrupted_flow_to_continue") or "").strip().casefold()
    for flow_id in flows:
        flow = run.project.flows.get(flow_id)
        names = {flow_id, flow.name, *flow.translated_names.values()} if flow else {flow_id}
        if said in {name.casefold() for name in names}:
            return flow_id
    return flows[0] if flows else None


def _continue_interrupted(run: Run) -> None:
    frame = _pattern(run, "pattern_continue_interrupted")
    if frame is None:
        return
    wanted = _wanted_flow(run, frame)
    at = next((i for i in run.roots() if run.stack[i]["flow_id"] == wanted), None)
    if at is None:
        return
    bring_up(run, at, below=run.stack.index(frame))
    run.emit("flow_resumed", flow_id=wanted, step_id=run.stack[at]["step_id"] if at < len(run.stack) else START)


def bring_up(run: Run, at: int, below: int | None = None) -> None:
    """Move a journey and all that belongs to it to the top of the stack, or beneath the frame at `below`."""
    end = run.segment(at)
    moved = run.stack[at:end]
    target = len(run.stack) if below is None else below
    if end <= target:
        run.stack[target:target] = moved
        del run.stack[at:end]


def _cancel_interrupted(run: Run) -> None:
    frame = _pattern(run, "pattern_continue_interrupted")
    for flow_id in frame["interrupted_flow_ids"] if frame else ():
        at = next((i for i in run.roots() if run.stack[i]["flow_id"] == flow_id), None)
        if at is not None:
            run.drop_journey(at)


def _repeat(run: Run) -> None:
    """Say the last turn's messages again, but not the open question, which is asked again anyway, and nothing that a customer does not see:
    a custom payload tells the channel to do something, and it has been done.
    """
    said = run.state.said_before
    asking = run.asking()
    if asking is not None and run.slots.get(asking[1]) is None:
        said = said[: len(said) - asking[0].get("question", 0)]
    for message in said:
        data = {**message["data"], "custom": None}
        if message["text"] or any(data.values()):
            run.say(message["text"], data, message["metadata"])


def _clean_stack(run: Run) -> None:
    """Everything ends but the pattern that says so, and what was started in the same turn as a restart after a release."""
    top = run.top
    keep = top if top is not None and is_pattern(top) else None
    doomed = {
        frame["frame_id"]
        for frame in run.stack
        if keep is None or frame["frame_id"] in keep.get("stale_frames", (frame["frame_id"],))
    }
    run.dismiss([frame for frame in run.stack if frame is not keep and frame["frame_id"] in doomed])


def _trigger_search(run: Run) -> None:
    run.push("pattern_cannot_handle", reason="cannot_handle_no_relevant_answer")


def _trigger_chitchat(run: Run) -> None:
    run.push("pattern_cannot_handle", reason="cannot_handle_chitchat")


def _hang_up(run: Run) -> None:
    run.emit("session_ended")


def _session_start(run: Run) -> None:
    """As the customer or the channel asks for it; a session that began with this very message is not begun twice."""
    if run.state.messages > 1:
        end_journeys(run)
        open_session(run, without_turn(run.state.latest_message.get("metadata") or {}))


def _restart(run: Run) -> None:
    run.wipe("restart")
    _say_if_there(run, "utter_restart")


def _default_fallback(run: Run) -> None:
    _say_if_there(run, "utter_default")


def _say_if_there(run: Run, response: str) -> None:
    if response in run.project.responses:
        run.utter(response)


def _reset_routing(run: Run) -> None:
    """A softer restart: every slot that is not shared with the other assistant back to its initial value."""
    for name in list(run.state.slots):
        slot = run.project.slots.get(name)
        if slot is not None and not slot.shared:
            run.set_slot(name, slot.initial)
    run.emit("routing_session_ended")


def _nothing(run: Run) -> None:
    """The name is Rasa's: a mark in the record and nothing else."""


BUILTINS: dict[str, Callable[[Run], None]] = {
    "action_run_slot_rejections": _run_slot_rejections,
    "action_correct_flow_slot": _correct_flow_slot,
    "action_cancel_flow": _cancel_flow,
    "action_continue_interrupted_flow": _continue_interrupted,
    "action_cancel_interrupted_flows": _cancel_interrupted,
    "action_repeat_bot_messages": _repeat,
    "action_clean_stack": _clean_stack,
    "action_trigger_search": _trigger_search,
    "action_trigger_chitchat": _trigger_chitchat,
    "action_clarify_flows": _nothing,
    "action_session_start": _session_start,
    "action_handoff_metric": _nothing,
    "action_reset_routing": _reset_routing,
    "action_default_fallback": _default_fallback,
    "action_hangup": _hang_up,
    "action_restart": _restart,
}
"""Names that need no action server."""

OF_NLU_ASSISTANTS = frozenset(
    {
        "action_back", "action_deactivate_loop", "action_default_ask_affirmation", "action_default_ask_rephrase",
        "action_extract_slots", "action_revert_fallback_events", "action_two_stage_fallback", "action_unlikely_intent",
        "action_validate_slot_mappings",
    }
)  # fmt: skip
"""Rasa's default actions for forms, rules and stories: flows do not use them, and this engine does not have them."""
