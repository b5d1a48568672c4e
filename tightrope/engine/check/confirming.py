"""Confirmations that confirm something else than what is done: asked before the last question, or not asked again after a correction."""

from __future__ import annotations

import re

from tightrope.engine.check.graph import after
from tightrope.engine.check.view import View
from tightrope.engine.models import Flow, Step

_CONFIRMS = re.compile(r"confirm|确认|確認", re.IGNORECASE)


def check_confirmations(view: View) -> None:
    """Only what is certain by its name: a yes/no slot called so, with an action of the project after it."""
    for flow in view.flows:
        if flow.is_pattern:
            continue
        asks = {step.id: step for step in flow.collects() if _confirms(view, step)}
        for step in asks.values():
            _one(view, flow, step, set(asks))


def _confirms(view: View, step: Step) -> bool:
    slot = view.project.slots.get(step.target)
    return slot is not None and slot.type == "bool" and bool(_CONFIRMS.search(slot.name))


def _one(view: View, flow: Flow, step: Step, confirmations: set[str]) -> None:
    before = [other for other in flow.collects() if other.id not in confirmations and step.id in after(flow, other.id)]
    acting = [s for name in after(flow, step.id) if (s := flow.steps[name]).kind == "action" and view.is_custom(s.target)]
    if not before or not acting:
        return
    here = f"flow {flow.id} step {step.id}"
    if not step.ask_before_filling:
        message = f"{here}: the confirmation {step.target!r} is not asked again when something it confirms is corrected"
        view.told.warn(step.place, message, "give it ask_before_filling: true", "confirmation")
    earlier = {other.id for other in before}
    for name in sorted(_open(flow, step, confirmations), key=lambda name: flow.steps[name].order):
        late = flow.steps[name]
        if late.kind == "collect" and name not in earlier and any(a.id in _open(flow, late, confirmations) for a in acting):
            message = f"{here}: {late.target!r} is asked after the confirmation {step.target!r}, and then {acting[0].target} runs"
            view.told.warn(late.place, message, "confirm after the last question", "confirmation")
            return


def _open(flow: Flow, step: Step, confirmations: set[str]) -> set[str]:
    """Steps after this one that are reached without another confirmation in between."""
    found: set[str] = set()
    todo = [step.id]
    while todo:
        for branch in flow.steps[todo.pop()].branches:
            target = branch.target
            if target in flow.steps and target not in found and target not in confirmations:
                found.add(target)
                todo.append(target)
    return found
