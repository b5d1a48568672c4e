"""Flows and their steps: names that must exist, what may stand where, ways that lead nowhere."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from tightrope.engine.applying import REFUSED, coerce
from tightrope.engine.builtins import BUILTINS
from tightrope.engine.check.conditions import look_at
from tightrope.engine.check.files import raw_steps
from tightrope.engine.check.graph import reached, successors, ways
from tightrope.engine.check.view import View, meant
from tightrope.engine.check.worlds import constant
from tightrope.engine.models import Flow, Place, Slot, Step
from tightrope.engine.templates import Condition
from tightrope.engine.yamlfile import Map

HANDOFF = "pattern_human_handoff"
_LINKED_BY_PATTERNS = {HANDOFF, "pattern_chitchat", "pattern_customer_satisfaction"}
PATTERNS = frozenset(
    {
        "pattern_collect_information", "pattern_validate_slot", "pattern_correction", "pattern_cancel_flow",
        "pattern_continue_interrupted", "pattern_clarification", "pattern_completed", "pattern_customer_satisfaction",
        "pattern_chitchat", "pattern_search", "pattern_cannot_handle", "pattern_internal_error", HANDOFF,
        "pattern_skip_question", "pattern_repeat_bot_messages", "pattern_code_change", "pattern_session_start",
        "pattern_session_end", "pattern_restart", "pattern_user_silence", "pattern_external_agent_processing",
    }
)  # fmt: skip
"""Every pattern of Rasa Pro 3.21."""


def check_flows(view: View) -> None:
    """Each flow of the project by itself."""
    for flow in view.flows:
        _flow(view, flow)
        _persisted(view, flow)
        if flow.id not in view.told.partial:
            _reachable(view, flow)
        for step in flow.steps.values():
            _step(view, flow, step)


def _flow(view: View, flow: Flow) -> None:
    told, place = view.told, flow.place
    if flow.is_pattern and flow.id not in PATTERNS:
        mend = meant(flow.id, PATTERNS, "give it a name without pattern_")
        told.error(place, f"there is no pattern {flow.id}: names with pattern_ are reserved for them", mend, "reserved-name")
    if not re.fullmatch(r"[A-Za-z0-9_][\w\-]*", flow.id, re.ASCII):
        told.error(place, f"the flow id {flow.id!r} is none", "use letters, digits, _ and -, not - at its beginning", "flow-id")
    elif not re.fullmatch(r"[A-Za-z_]\w*", flow.id, re.ASCII):
        mend = "use letters, digits and _, no digit at its beginning"
        told.warn(place, f"Rasa's schema does not know flow ids like {flow.id!r} and would not check it", mend, "flow-id")
    if isinstance(flow.guard, Condition):
        look_at(view, flow.guard, view.at(flow, "if"), in_pattern=flow.is_pattern)
    never = flow.guard is False or (isinstance(flow.guard, Condition) and constant(flow.guard) is False)
    started = view.callers.get(flow.id) or view.linkers.get(flow.id) or flow.triggers
    if never and not flow.is_pattern and not started and view.flows_whole:
        mend = "call it from a flow, take the `if` out, or delete the flow"
        told.warn(
            view.at(flow, "if"),
            f"nothing can start the flow {flow.id}: its `if` is false and no flow calls it",
            mend,
            "never-started",
        )
    elif isinstance(flow.guard, Condition) and constant(flow.guard) is None and not view.worlds.possible([(flow.guard, True)]):
        told.warn(view.at(flow, "if"), f"the condition {flow.guard.text!r} of the flow {flow.id} never holds", "", "never-holds")


def _persisted(view: View, flow: Flow) -> None:
    raw = view.raw_flow(flow)
    place = view.at(flow, "persisted_slots")
    names = raw.get("persisted_slots")
    if names and isinstance(names, list):
        own = {s.target for s in flow.collects()} | {name for s in flow.steps.values() for name, _ in s.assignments}
        for name in dict.fromkeys(n for n in names if isinstance(n, str)):
            if not view.has_slot(name):
                view.no_slot(place, f"flow {flow.id} persists a slot that is none: ", name)
            elif name not in view.project.owned.get(flow.id, frozenset()):
                message = f"flow {flow.id} persists the slot {name!r}, which none of its steps fills"
                view.told.error(place, message, "take it out of persisted_slots", "persisted-slot")
            elif name not in own:
                message = f"flow {flow.id} persists the slot {name!r}, which only a flow that it calls fills"
                view.told.warn(place, message, "Rasa counts the flow's own steps only", "persisted-slot")
        for line in (step.at(key) for step in raw_steps(raw.get("steps")) for key in step if key == "reset_after_flow_ends"):
            message = f"flow {flow.id} has persisted_slots and a step with reset_after_flow_ends"
            view.told.error(
                Place(flow.place.file, line), message, "keep persisted_slots and take the other out", "persisted-slot"
            )


def _reachable(view: View, flow: Flow) -> None:
    """A step that nothing names, and a branch that no answer can take."""
    told = view.told
    named = reached(flow, successors)
    lost = [step for step in flow.steps.values() if step.id not in named]
    after_lost = {target for step in lost for target in successors(step)}
    first = [step for step in lost if step.id not in after_lost] or lost[:1]
    behind = set(_behind_links(view.raw_flow(flow).get("steps")))
    for step in first:
        if step.place.line in behind:
            message, mend = (
                f"flow {flow.id}: the step {step.id!r} stands after a link, which ends the flow",
                "a link is the last step",
            )
        else:
            message, mend = f"flow {flow.id}: no way leads to the step {step.id!r}", "name it in a `next` or delete it"
        told.error(step.place, message, mend, "unreachable-step")
    for step in flow.steps.values():
        if step.id not in named:
            continue
        for number, way in enumerate(ways(view.worlds, step)):
            if way.open or number >= len(step.branches):
                continue
            _closed(view, flow, step, number)


def _behind_links(items: object) -> Iterator[int]:
    """Lines of the steps that stand right after a link in a list."""
    steps = [item for item in items if isinstance(item, Map)] if isinstance(items, list) else []
    yield from (later.line for earlier, later in itertools.pairwise(steps) if "link" in earlier)
    for step in steps:
        following = step.get("next")
        for way in following if isinstance(following, list) else []:
            for inner in way.values() if isinstance(way, Map) else ():
                yield from _behind_links(inner)


def _closed(view: View, flow: Flow, step: Step, number: int) -> None:
    """Tell of a branch that is never taken, and why."""
    branch = step.branches[number]
    place, here = Place(step.place.file, branch.line), f"flow {flow.id} step {step.id}"
    if branch.condition is None:
        view.told.warn(
            place, f"{here}: the `else` is never taken: one of the conditions before it always holds",
            "take it out, or mend the conditions", "never-taken",
        )  # fmt: skip
    elif not view.worlds.possible([(branch.condition, True)]):
        view.told.warn(
            place,
            f"{here}: the condition {branch.condition.text!r} never holds",
            foreign_value(view, branch.condition),
            "never-taken",
        )
    else:
        view.told.warn(
            place, f"{here}: {branch.condition.text!r} is never reached: an earlier condition holds whenever it does",
            "put the narrower condition first, or take it out", "never-taken",
        )  # fmt: skip


def foreign_value(view: View, condition: Condition) -> str:
    """The likely reason why a condition never holds: a text that is no value of a categorical slot."""
    texts = [a or b for a, b in re.findall(r"'([^']*)'|\"([^\"]*)\"", condition.text)]
    for name in sorted(view.worlds.slots_of(condition)):
        slot = view.project.slots.get(name)
        strange = [text for text in texts if slot is not None and slot.type == "categorical" and text not in slot.values]
        if slot is not None and strange:
            return f"{strange[0]!r} is no value of {name!r}, which has {', '.join(slot.values)}"
    return "mend it, or take the branch out"


def _step(view: View, flow: Flow, step: Step) -> None:
    told, here = view.told, f"flow {flow.id} step {step.id}"
    for branch in step.branches:
        if branch.condition is not None:
            look_at(view, branch.condition, Place(step.place.file, branch.line), in_pattern=flow.is_pattern)
    taken = ways(view.worlds, step)
    if len(taken) > len(step.branches) and taken[-1].open:
        told.warn(step.place, f"{here}: when no condition holds the flow ends here", "add an else", "no-else")
    if step.dangling:
        told.warn(
            step.place,
            f"{here}: the inline steps end without `next`: the flow ends here",
            "say `next: END` or name a step",
            "dangling",
        )
    if step.kind == "action":
        _action(view, flow, step, here)
    elif step.kind == "collect":
        _collect(view, flow, step, here)
    elif step.kind in {"link", "call"}:
        _leads(view, flow, step, here)
    for name, value in step.assignments:
        slot = view.project.slots.get(name)
        if slot is None:
            if not view.has_slot(name):
                view.no_slot(step.place, f"{here}: ", name)
        elif slot.type == "list":
            told.error(
                step.place, f"{here}: the list slot {name!r} cannot be set by a step", "let an action fill it", "list-slot"
            )
        elif coerce(slot, value) is REFUSED:
            mend = f"it takes {', '.join(slot.allowed_values)}" if slot.allowed_values else "give it a value of its type"
            told.error(step.place, f"{here}: the slot {name!r} of type {slot.type} does not take {value!r}", mend, "slot-value")


def _raw_step(view: View, flow: Flow, step: Step) -> Map:
    return next((raw for raw in raw_steps(view.raw_flow(flow).get("steps")) if raw.line == step.place.line), Map())


def _action(view: View, flow: Flow, step: Step, here: str) -> None:
    name = step.target
    if "{{" in name:
        if not flow.is_pattern:
            message = f"{here}: the action's name is made from `context`, which only patterns have"
            view.told.error(step.place, message, "name the action", "context")
        return
    if view.is_custom(name) or name in BUILTINS or name == "action_listen" or not view.domain_whole:
        return
    if name.startswith("utter_"):
        if not view.has_response(name):
            view.no_response(step.place, f"{here}: ", name)
    elif not name.startswith("validate_"):
        mend = meant(name, {*view.project.actions, *BUILTINS}, "list it under `actions` of the domain")
        view.told.error(step.place, f"{here}: the action {name!r} is not in the domain", mend, "unknown-action")


def _collect(view: View, flow: Flow, step: Step, here: str) -> None:
    told = view.told
    slot = view.project.slots.get(step.target)
    if slot is None:
        if not view.has_slot(step.target):
            view.no_slot(step.place, f"{here}: ", step.target)
        return
    if slot.type == "list":
        told.error(step.place, f"{here}: a list slot cannot be collected", "let an action fill it", "list-slot")
    ask, action = view.asked_by(step), view.asking_action(step)
    name = step.utter or f"utter_ask_{slot.name}"
    if ask and action:
        told.error(step.place, f"{here}: both {ask} and {action} ask for {slot.name!r}", "delete one of them", "asked-twice")
    elif not ask and not action and not view.has_response(name):
        missing = f"there is no response {name}" + ("" if step.utter else f" and no action action_ask_{slot.name}")
        mend = meant(name, view.project.responses, "add it" if step.utter else "add one of them")
        # A slot that is filled before anybody asks works, and Rasa refuses it all the same.
        filled = not step.ask_before_filling and (slot.initial is not None or view.sources.may_write(slot.name))
        tell = told.warn if filled else told.error
        tell(step.place, f"{here}: nothing asks for {slot.name!r}: {missing}", mend, "nothing-asks")
    if ask and not _answerable(view, slot, ask):
        mend = "offer buttons with /SetSlots, or give it the mapping from_llm"
        told.warn(
            step.place, f"{here}: nobody can answer: words do not fill {slot.name!r}, and no button does", mend, "unanswerable"
        )
    for rejection in step.rejections:
        look_at(view, rejection.condition, step.place, in_pattern=flow.is_pattern)
        if not view.has_response(rejection.utter):
            view.no_response(step.place, f"{here}: ", rejection.utter)


def _answerable(view: View, slot: Slot, ask: str) -> bool:
    """Whether a customer can fill the slot when this response asks: by words, an intent, or a button."""
    if slot.by_model or slot.by_intent or slot.every_turn:
        return True
    buttons = (button for variation in view.project.responses[ask].variations for button in variation.buttons)
    offered = [
        text.source for button in buttons for text in (button.payload, *(payload for _, payload in button.translated.values()))
    ]
    return any(payload.startswith("/") and f"{slot.name}=" in payload.replace(" ", "") for payload in offered)


def _leads(view: View, flow: Flow, step: Step, here: str) -> None:
    told, target = view.told, step.target
    if not view.has_flow(target):
        if step.kind == "call" and target in view.agents:
            told.error(step.place, f"{here}: {target!r} is a sub agent", "this engine runs no sub agents", "not-run")
            return
        if flow.id in told.partial and step.kind == "call" and "mcp_server" in _raw_step(view, flow, step):
            return
        flows = [f.id for f in view.project.flows.values() if not f.is_pattern]
        told.error(
            step.place, f"{here}: there is no flow {target!r}", meant(target, flows, "add it, or name another"), "unknown-flow"
        )
        return
    to_pattern = target.startswith("pattern_")
    if step.kind == "call":
        if flow.is_pattern:
            told.error(step.place, f"{here}: a pattern must not call a flow", "link to it", "call-place")
        elif to_pattern:
            told.error(step.place, f"{here}: a pattern cannot be called", f"link to {HANDOFF} if a person is meant", "call-place")
        return
    caller = next(iter(view.callers.get(flow.id, ())), None)
    if caller is not None:
        message = f"{here}: the flow {flow.id} is called by {caller[0].id} and must not link"
        told.error(step.place, message, "end it here and let the caller go on", "link-place")
    if flow.id == "pattern_internal_error":
        told.error(step.place, f"{here}: pattern_internal_error must not link", "say something and end it", "link-place")
    elif to_pattern and not flow.is_pattern and target != HANDOFF:
        told.error(step.place, f"{here}: a flow may link to {HANDOFF} and to no other pattern", "", "link-place")
    elif to_pattern and flow.is_pattern and target not in _LINKED_BY_PATTERNS:
        mend = f"Rasa names {HANDOFF} and pattern_chitchat as what a pattern may link to"
        told.warn(step.place, f"{here}: one pattern links to another, {target}", mend, "link-place")
