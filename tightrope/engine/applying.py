"""Applies the commands of a turn: slots first, then frames in the order in which they have to run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tightrope.engine.builtins import bring_up, push_validation
from tightrope.engine.models import (
    CancelFlow,
    CannotHandle,
    ChitChat,
    Clarify,
    Command,
    Fail,
    KnowledgeAnswer,
    RepeatBotMessages,
    SetSlot,
    SkipQuestion,
    Slot,
    StartFlow,
    TriggerPattern,
)
from tightrope.engine.run import ASKING, Run, is_pattern

Change = dict[str, Any]
"""What a correction makes of a slot: its new `value`, and `filled_by` if an intent gave it."""
REFUSED = object()
"""Stands for a value that a slot's type does not take."""

_TRUE = {"true", "yes", "y", "1", "是", "是的", "对"}
_FALSE = {"false", "no", "n", "0", "否", "不", "不是"}


def coerce(slot: Slot, value: Any) -> Any:
    """The value as the slot's type holds it, or REFUSED (the first of the four validation layers)."""
    if value is None or slot.type == "any":
        return value
    if slot.type == "text":
        return value if isinstance(value, str) else str(value)
    word = str(value).strip()
    if slot.type == "bool":
        return True if word.casefold() in _TRUE else False if word.casefold() in _FALSE else REFUSED
    if slot.type == "float":
        return _number(slot, word)
    if slot.type == "categorical":
        return next((allowed for allowed in slot.values if allowed.casefold() == word.casefold()), REFUSED)
    return REFUSED


def _number(slot: Slot, word: str) -> Any:
    try:
        number = float(word)
    except ValueError:
        return REFUSED
    if number != number or number in {float("inf"), float("-inf")}:  # noqa: PLR0124 - not a number is unequal to itself
        return REFUSED
    low, high = slot.minimum, slot.maximum
    return REFUSED if (low is not None and number < low) or (high is not None and number > high) else number


def apply_commands(run: Run, commands: list[Command]) -> None:
    """Change slots and stack by what is left of the commands.

    From bottom to top: started flows (the first named uppermost), correction, domain validation, answers and repairs (the first named
    uppermost), cancellation, errors. So a cancelled flow goes before a new one begins, and a question is answered before a flow goes on.
    """
    starts = [c.flow for c in commands if isinstance(c, StartFlow)]
    cancels = any(isinstance(c, CancelFlow) for c in commands)
    doomed = _doomed(run) if cancels else None
    _take_up_interrupted(run, commands)
    # What belongs to a flow that starts after a cancellation waits for it: it would be forgotten with the cancelled flow.
    later = frozenset().union(*(run.project.owned[flow] for flow in starts)) if cancels else frozenset()
    filled = _Filled()
    for command in commands:
        if isinstance(command, SetSlot):
            _fill(run, command, filled, later)
    correction = _correction(run, filled.corrections) if filled.corrections and not cancels else None
    if starts:
        _start(run, starts, quiet=cancels)
    if correction is not None:
        run.push("pattern_correction", **correction)
    for name, context in filled.checks:
        if not cancels or name in later:
            push_validation(run, name, **context)
    for command in reversed(commands):
        _repair(run, command)
    if doomed is not None:
        flow_id, frames = doomed
        name = run.name_of(flow_id) if flow_id else ""
        run.push("pattern_cancel_flow", canceled_name=name, canceled_flow_id=flow_id, canceled_frames=frames, given=filled.later)
    for command in commands:
        if isinstance(command, Fail):
            run.push("pattern_internal_error", error_type=command.error_type, info=dict(command.info))


@dataclass(slots=True)
class _Filled:
    """What a turn's values for slots lead to: changes of earlier answers, slots to check and why, values to be set after a cancellation."""

    corrections: dict[str, Change] = field(default_factory=dict)
    checks: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    later: dict[str, Change] = field(default_factory=dict)


def _take_up_interrupted(run: Run, commands: list[Command]) -> None:
    """Whoever answers the question of an interrupted journey, instead of saying whether to go on with it, goes on with it."""
    at = next(run.roots(), None)
    if at is None:
        return
    end = run.segment(at)
    if end == len(run.stack) or run.stack[end]["flow_id"] != "pattern_continue_interrupted":
        return
    waiting = run.stack[end - 1]
    asked = waiting.get("collect") or waiting.get("validate")
    if waiting["type"] in ASKING and any(isinstance(c, SetSlot) and c.name == asked for c in commands):
        _drop_repairs(run)
        run.emit("flow_resumed", flow_id=run.stack[at]["flow_id"], step_id=run.stack[at]["step_id"])


def _doomed(run: Run) -> tuple[str | None, list[str]]:
    """The flow that a cancellation ends, and its frames: the active journey with every frame above it."""
    at = next(run.roots(), 0)
    frames = [frame["frame_id"] for frame in run.stack[at:]]
    if not run.stack or is_pattern(run.stack[at]):
        return None, frames
    return run.stack[at]["flow_id"], frames


def _fill(run: Run, command: SetSlot, filled: _Filled, later: frozenset[str]) -> None:
    slot = run.project.slots[command.name]
    asking = run.asking()
    asked = asking is not None and asking[1] == slot.name
    value = coerce(slot, command.value)
    if value is REFUSED:
        if asked and asking is not None and slot.name not in later:
            asking[0]["refused"] = command.value
        else:
            filled.checks.append((slot.name, {"refused": command.value}))
        return
    change: Change = {"value": value, **({"filled_by": "NLU"} if command.extractor == "NLU" else {})}
    if slot.name in later:
        filled.later[slot.name] = change
    elif _changes(run, slot.name, value) and not asked and _asked_before(run, slot.name) is not None:
        filled.corrections[slot.name] = change
        return
    else:
        run.set_slot(slot.name, value, by_intent=command.extractor == "NLU")
    if slot.rejections and value is not None:
        filled.checks.append((slot.name, {}))


def _changes(run: Run, name: str, value: Any) -> bool:
    held = run.slots.get(name)
    return held is not None and held != value


def _asked_before(run: Run, name: str) -> tuple[int, int, str] | None:
    """Where the active journey asked for a slot: place of the frame, place in its trail, step id; the earliest if more than one.

    A called flow that has ended left its call step in the caller's trail: going back there runs it again.
    """
    for depth, at in enumerate(run.chain()):
        frame = run.stack[at]
        flow = run.flow(frame)
        if flow is None:
            continue
        for number, step_id in enumerate(frame.get("trail") or []):
            step = flow.steps.get(step_id)
            if step is None or (depth and step_id == frame["step_id"]):
                continue
            if step.target == name if step.kind == "collect" else name in run.project.owned.get(step.target, frozenset()):
                return at, number, step_id
    return None


def _asked_fresh(run: Run, name: str, flow_id: str, step_id: str) -> bool:
    """Whether the question for a slot empties it on arrival, so that a correction only leads back to it."""
    flow = run.project.flows.get(flow_id)
    step = flow.steps.get(step_id) if flow else None
    if step is None:
        return False
    if step.kind == "collect":
        return step.ask_before_filling
    called = run.project.flows.get(step.target)
    asks = [s for s in called.steps.values() if s.kind == "collect" and s.target == name] if called else []
    return bool(asks) and all(s.ask_before_filling for s in asks)


def _pending_corrections(run: Run) -> dict[str, Change]:
    """Changes that a correction still asks about; its frame goes, since the new correction asks about all of them."""
    at = next((i for i, f in enumerate(run.stack) if f["flow_id"] == "pattern_correction" and "applied" not in f), None)
    if at is None:
        return {}
    pending: dict[str, Change] = run.stack[at]["corrected_slots"]
    end = at + 1
    while end < len(run.stack) and run.stack[end]["type"] in ASKING:
        end += 1
    run.dismiss(run.stack[at:end])
    return pending


def _correction(run: Run, corrections: dict[str, Change]) -> dict[str, Any]:
    """The context of pattern_correction, found before flows that start in the same turn hide the corrected one."""
    corrections = {**_pending_corrections(run), **corrections}
    places = {name: place for name in corrections if (place := _asked_before(run, name)) is not None}
    at, _, step_id = min(places.values())
    fresh = all(_asked_fresh(run, name, run.stack[where]["flow_id"], step) for name, (where, _, step) in places.items())
    return {
        "corrected_slots": corrections,
        "new_slot_values": [change["value"] for change in corrections.values()],
        "is_reset_only": fresh,
        "reset_flow_id": run.stack[at]["flow_id"],
        "reset_step_id": step_id,
        "reset_frame_id": run.stack[at]["frame_id"],
    }


def _start(run: Run, flows: list[str], *, quiet: bool) -> None:
    _drop_repairs(run)
    newest = next(run.roots(), None)
    active = run.stack[newest]["flow_id"] if newest is not None else None
    if active is not None and not quiet and any(flow != active for flow in flows):
        assert newest is not None  # noqa: S101 - for the type checker
        run.emit("flow_interrupted", flow_id=active, step_id=run.stack[newest]["step_id"])
    for flow_id in reversed(flows):
        waiting = next((at for at in run.roots() if run.stack[at]["flow_id"] == flow_id), None)
        if waiting is None or (quiet and flow_id == active):
            run.push(flow_id, "interrupt" if active is not None else "regular")
            run.emit("flow_started", flow_id=flow_id)
        elif run.segment(waiting) != len(run.stack):
            run.emit("flow_resumed", flow_id=flow_id, step_id=run.stack[waiting]["step_id"])
            bring_up(run, waiting)


def _drop_repairs(run: Run) -> None:
    """A new task makes waiting repair questions (go on? anything else? really change?) pointless."""
    newest = next(run.roots(), None)
    keep = 0 if newest is None else run.segment(newest)
    run.dismiss(run.stack[keep:])


def _repair(run: Run, command: Command) -> None:
    match command:
        case KnowledgeAnswer():
            run.push("pattern_search")
        case ChitChat():
            run.push("pattern_chitchat")
        case SkipQuestion():
            run.push("pattern_skip_question")
        case RepeatBotMessages():
            run.push("pattern_repeat_bot_messages")
        case TriggerPattern(pattern):
            run.push(pattern)
        case CannotHandle(reason):
            run.push("pattern_cannot_handle", reason=reason)
        case Clarify(options):
            names = [run.name_of(flow) for flow in options]
            joined = ("、" if run.language.startswith("zh") else ", ").join(names)
            run.push("pattern_clarification", names=names, options=list(options), clarification_options=joined)
