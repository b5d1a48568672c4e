"""Every problem of a project at once, each with file, line, what is wrong and how to mend it.

`check(root)` reads the project as the loader does and then looks at how its parts fit. An error is something that fails in a
conversation; a warning is something that probably was not meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tightrope.engine.applying import REFUSED, coerce
from tightrope.engine.builtins import BUILTINS
from tightrope.engine.commands import parse_payload
from tightrope.engine.errors import CommandSyntaxError
from tightrope.engine.loader import gather
from tightrope.engine.models import END, Flow, Place, Project, Response, SetSlot, Step
from tightrope.engine.problems import Problem
from tightrope.engine.templates import Condition

_LINKABLE_PATTERN = "pattern_human_handoff"
_NAMESPACES = {"slots", "context"}


def check(root: Path) -> list[Problem]:
    """All problems of the project in `root`, in the order of its files; empty when there is none."""
    reading = gather(root)
    found = list(reading.problems.found)
    if reading.project is not None:
        found.extend(_fits(reading.project))
    return sorted(set(found))


def _error(place: Place, message: str) -> Problem:
    return Problem(place.file, place.line, "error", message)


def _warning(place: Place, message: str) -> Problem:
    return Problem(place.file, place.line, "warning", message)


def _fits(project: Project) -> Iterator[Problem]:
    for flow in project.flows.values():
        if flow.builtin:
            continue
        yield from _flow(project, flow)
        for step in flow.steps.values():
            yield from _step(project, flow, step)
    for response in project.responses.values():
        if not response.place.file.startswith("defaults/"):
            yield from _response(project, response)
    for slot in project.slots.values():
        for rejection in slot.rejections:
            yield from _condition(project, rejection.condition, slot.place)
            yield from _utters(project, rejection.utter, slot.place)
        if slot.refill_utter:
            yield from _utters(project, slot.refill_utter, slot.place)
        for action in slot.every_turn:
            if action not in project.actions:
                yield _error(
                    slot.place, f"the slot {slot.name!r} runs {action!r} every turn: list it under `actions` of the domain"
                )
    yield from _confusable(project)


def _flow(project: Project, flow: Flow) -> Iterator[Problem]:
    if isinstance(flow.guard, Condition):
        yield from _condition(project, flow.guard, flow.place)
    filled = {s.target for s in flow.collects()} | {name for s in flow.steps.values() for name, _ in s.assignments}
    for name in sorted(flow.persisted - filled):
        yield _error(
            flow.place,
            f"flow {flow.id} persists the slot {name!r}, which none of its steps fills: take it out of persisted_slots",
        )
    reached = {flow.first}
    todo = [flow.first]
    while todo:
        for branch in flow.steps[todo.pop()].branches:
            if branch.target != END and branch.target not in reached:
                reached.add(branch.target)
                todo.append(branch.target)
    for step in flow.steps.values():
        if step.id not in reached:
            yield _error(step.place, f"flow {flow.id}: no way leads to the step {step.id!r}: name it in a `next` or delete it")
    called = any(s.kind == "call" and s.target == flow.id for other in project.flows.values() for s in other.steps.values())
    if called and any(s.kind == "link" for s in flow.steps.values()):
        yield _error(flow.place, f"flow {flow.id} is called by another and must not link: end it and let the caller go on")


def _step(project: Project, flow: Flow, step: Step) -> Iterator[Problem]:
    here = f"flow {flow.id} step {step.id}"
    for branch in step.branches:
        if branch.condition is not None:
            yield from _condition(project, branch.condition, step.place)
    if step.branches and all(b.condition is not None for b in step.branches):
        yield _warning(step.place, f"{here}: when no condition holds the flow ends here: add an else")
    if step.dangling:
        yield _warning(
            step.place, f"{here}: the inline steps end without `next`: the flow ends here; say `next: END` or name a step"
        )
    if step.kind == "action" and step.template is None:
        yield from _action(project, step, here)
    elif step.kind == "collect":
        yield from _collect(project, step, here)
    elif step.kind in {"link", "call"}:
        yield from _leads(project, flow, step, here)
    for name, value in step.assignments:
        slot = project.slots.get(name)
        if slot is None:
            yield _error(step.place, f"{here}: there is no slot {name!r}: add it to the domain")
        elif slot.type == "list" or coerce(slot, value) is REFUSED:
            yield _error(step.place, f"{here}: the slot {name!r} of type {slot.type} does not take {value!r}")


def _action(project: Project, step: Step, here: str) -> Iterator[Problem]:
    name = step.target
    if name in project.actions or name in BUILTINS or name == "action_listen":
        return
    if name.startswith("utter_"):
        yield from _utters(project, name, step.place)
        yield from _holes(project, name, step.place, here)
    elif not name.startswith("validate_"):
        yield _error(step.place, f"{here}: the action {name!r} is not in the domain: list it under `actions`")


def _collect(project: Project, step: Step, here: str) -> Iterator[Problem]:
    slot = project.slots.get(step.target)
    if slot is None:
        yield _error(step.place, f"{here}: there is no slot {step.target!r}: add it to the domain")
        return
    if slot.type == "list":
        yield _error(step.place, f"{here}: a list slot cannot be collected: let an action fill it")
    ask, action = step.utter or f"utter_ask_{slot.name}", f"action_ask_{slot.name}"
    if ask in project.responses and action in project.actions and step.utter is None:
        yield _error(step.place, f"{here}: both {ask} and {action} ask for {slot.name!r}: delete one of them")
    elif ask not in project.responses and (action not in project.actions or step.utter is not None):
        yield _error(step.place, f"{here}: nothing asks for {slot.name!r}: add the response {ask} or the action {action}")
    if ask in project.responses:
        yield from _holes(project, ask, step.place, here)
    for rejection in step.rejections:
        yield from _condition(project, rejection.condition, step.place)
        yield from _utters(project, rejection.utter, step.place)


def _leads(project: Project, flow: Flow, step: Step, here: str) -> Iterator[Problem]:
    if step.target not in project.flows:
        yield _error(step.place, f"{here}: there is no flow {step.target!r}")
    elif step.kind == "call" and flow.is_pattern:
        yield _error(step.place, f"{here}: a pattern must not call a flow: link to it")
    elif step.kind == "link" and flow.id == "pattern_internal_error":
        yield _error(step.place, f"{here}: pattern_internal_error must not link")
    elif step.target.startswith("pattern_") and not flow.is_pattern and step.target != _LINKABLE_PATTERN:
        yield _error(step.place, f"{here}: a flow may link to {_LINKABLE_PATTERN} and to no other pattern")


def _condition(project: Project, condition: Condition, place: Place) -> Iterator[Problem]:
    if condition.predicate is None:
        return
    if condition.predicate.mixed:
        yield _warning(
            place,
            f"the condition {condition.text!r} has `and` beside `or`: they bind alike and to the right, so that `a and b or c` is"
            " `a and (b or c)`; write the parentheses",
        )
    for name in sorted(condition.predicate.names):
        space, _, rest = name.partition(".")
        if space not in _NAMESPACES or not rest:
            yield _error(
                place,
                f"the condition {condition.text!r} names {name!r}: write slots.{name} or context.{name}, or quote it as text",
            )
        elif space == "slots" and rest not in project.slots:
            yield _error(place, f"the condition {condition.text!r} names the slot {rest!r}, which the domain does not have")


def _utters(project: Project, name: str, place: Place) -> Iterator[Problem]:
    if name not in project.responses:
        yield _error(place, f"there is no response {name!r}: add it to the domain")


def _holes(project: Project, name: str, place: Place, here: str) -> Iterator[Problem]:
    """A response that a flow says itself gets no variables from an action: only slots can fill its placeholders."""
    response = project.responses.get(name)
    for variation in response.variations if response else ():
        templates = [variation.text, *variation.translated.values()]
        for hole in sorted(frozenset().union(*(t.holes for t in templates if t is not None)) - set(project.slots)):
            yield _error(
                place, f"{here}: nothing fills {{{hole}}} of {name}: it is no slot and no action says this response here"
            )


def _response(project: Project, response: Response) -> Iterator[Problem]:
    for variation in response.variations:
        if variation.condition is not None:
            yield from _condition(project, variation.condition, response.place)
        if variation.text is None and variation.custom is None and variation.image is None and variation.attachment is None:
            yield _error(
                response.place, f"a variation of {response.name} says nothing: give it text, custom, image or attachment"
            )
        for code in project.languages[1:]:
            if variation.text is not None and variation.text.source.strip() and code not in variation.translated:
                yield _warning(response.place, f"{response.name} has no text in {code!r}: add it under `translation`")
        for button in variation.buttons:
            for payload in {button.payload.source, *(words[1].source for words in button.translated.values())}:
                yield from _payload(project, response, payload)


def _payload(project: Project, response: Response, payload: str) -> Iterator[Problem]:
    if not payload.startswith("/SetSlots"):
        return
    try:
        commands = parse_payload(payload)
    except CommandSyntaxError as error:
        yield _error(response.place, f"the payload {payload!r} of {response.name} cannot be read: {error}")
        return
    for command in commands:
        if not isinstance(command, SetSlot):
            continue
        slot = project.slots.get(command.name)
        if slot is None:
            yield _error(
                response.place,
                f"the payload {payload!r} of {response.name} names the slot {command.name!r}, which does not exist",
            )
        elif not slot.by_payload:
            yield _error(
                response.place,
                f"the payload {payload!r} of {response.name} cannot apply: {slot.name!r} is filled by actions only",
            )
        elif "{" not in str(command.value) and coerce(slot, command.value) is REFUSED:
            yield _error(
                response.place,
                f"the payload {payload!r} of {response.name} cannot apply: {slot.name!r} does not take {command.value!r}",
            )


def _confusable(project: Project) -> Iterator[Problem]:
    seen: dict[str, Flow] = {}
    for flow in project.flows.values():
        if flow.is_pattern or flow.guard is False:
            continue
        words = " ".join(flow.description.casefold().split())
        if words in seen:
            other = seen[words]
            yield _error(
                flow.place, f"the flows {other.id} and {flow.id} have the same description: understanding cannot tell them apart"
            )
        seen[words] = flow
