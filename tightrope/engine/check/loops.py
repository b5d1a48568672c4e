"""Circles: steps that lead round for ever without asking anybody, flows that call or link to each other."""

from __future__ import annotations

from collections.abc import Iterator

from tightrope.engine.builtins import BUILTINS
from tightrope.engine.check.graph import Way, circles, ways
from tightrope.engine.check.view import View
from tightrope.engine.models import END, Flow, Step

_MAX_TRIED = 3000
_LONGEST = 40


def check_loops(view: View) -> None:
    """Circles within each flow, and among flows."""
    for flow in view.flows:
        if flow.id not in view.told.partial:
            _within(view, flow)
    _among(view, "call")
    _among(view, "link")


def _within(view: View, flow: Flow) -> None:
    """A circle that can be gone round with everything on it answered, and on which nothing can change, never ends."""
    taken = {step.id: [way for way in ways(view.worlds, step) if way.open] for step in flow.steps.values()}
    graph = {
        step.id: [way.branch.target for way in taken[step.id] if way.branch.target in flow.steps]
        for step in flow.steps.values()
        if not _pauses(view, step)
    }
    for part in circles(graph):
        # What empties the slot on the way round makes its question be asked again.
        cleared = {name for at in part for name, value in flow.steps[at].assignments if value is None}
        asking = {at for at in part if flow.steps[at].kind == "collect" and flow.steps[at].target in cleared}
        inner = {
            at: [target for target in graph[at] if target in part and target not in asking] for at in part if at not in asking
        }
        for circle in circles(inner):
            _endless(view, flow, circle, inner, taken)


def _pauses(view: View, step: Step) -> bool:
    """Whether a step waits for the customer each time."""
    if step.kind == "collect":
        return step.ask_before_filling or f"validate_{step.target}" in view.project.actions
    if step.kind == "call":
        called = view.project.flows.get(step.target)
        return called is None or any(s.kind in {"collect", "call"} for s in called.steps.values())
    return step.target == "action_listen"


def _changes(view: View, step: Step) -> bool:
    """Whether a step may change what the conditions look at in a way that one cannot see."""
    if step.kind == "call":
        called = view.project.flows.get(step.target)
        return called is None or any(s.assignments or _changes(view, s) for s in called.steps.values())
    return step.kind == "action" and (view.is_custom(step.target) or step.target in BUILTINS or "{{" in step.target)


def _endless(view: View, flow: Flow, circle: list[str], graph: dict[str, list[str]], taken: dict[str, list[Way]]) -> None:
    steps = [flow.steps[at] for at in circle]
    first = min(steps, key=lambda step: step.order)
    names = ", ".join(step.id for step in sorted(steps, key=lambda step: step.order))
    leaves = any(way.branch.target not in circle for step in steps for way in taken[step.id])
    acting = any(_changes(view, step) for step in steps)
    if not leaves:
        message = f"flow {flow.id}: the steps {names} lead round in a circle that no way leaves and in which nothing is asked"
        view.told.error(first.place, message, "lead a way out of it, or ask something in it", "endless-loop")
        return
    if acting:
        return
    for round_trip in _rounds(circle, graph, first.id):
        if _holds(view, flow, round_trip, taken):
            message = f"flow {flow.id}: once gone round, the steps {' → '.join([*round_trip, first.id])} are gone round for ever: nothing in them asks again"
            mend = "ask with ask_before_filling, or empty the slot on the way round (set_slots: null)"
            view.told.error(first.place, message, mend, "endless-loop")
            return


def _rounds(circle: list[str], graph: dict[str, list[str]], start: str) -> Iterator[tuple[str, ...]]:
    """Ways once round from `start`, at most a few thousand."""
    todo: list[tuple[str, ...]] = [(start,)]
    for _ in range(_MAX_TRIED):
        if not todo:
            return
        way = todo.pop()
        for target in graph[way[-1]]:
            if target == start:
                yield way
            elif target in circle and target not in way and len(way) < _LONGEST:
                todo.append((*way, target))


def _holds(view: View, flow: Flow, round_trip: tuple[str, ...], taken: dict[str, list[Way]]) -> bool:
    """Whether all conditions of the way round can hold in the second round, when its questions are answered."""
    steps = [flow.steps[at] for at in round_trip]
    answered = frozenset(step.target for step in steps if step.kind == "collect")
    changed = {name for step in steps for name, _ in step.assignments}
    rules = [view.project.slots[name].rejections for name in sorted(answered) if name in view.project.slots]
    wanted = [(r.condition, False) for found in (*rules, *(step.rejections for step in steps)) for r in found]
    for step, target in zip(steps, [*round_trip[1:], round_trip[0]], strict=True):
        way = next(way for way in taken[step.id] if way.branch.target == target)
        for condition, _ in way.needs:
            if not view.worlds.exact(condition) or view.worlds.slots_of(condition) & changed:
                return False
        wanted.extend(way.needs)
    return view.worlds.possible(wanted, frozenset(), answered)


def _among(view: View, kind: str) -> None:
    """Flows that call or link to each other in a circle."""
    steps = {
        (flow.id, step.target): step for flow in view.project.flows.values() for step in flow.steps.values() if step.kind == kind
    }
    graph = {flow: [target for (source, target) in steps if source == flow] for flow in view.project.flows}
    for circle in circles(graph):
        flows = [view.project.flows[name] for name in circle]
        inside = [(source, target) for source, target in steps if source in circle and target in circle]
        source, target = min(inside)
        place = steps[source, target].place
        along = ", ".join(circle)
        silent = all(_silent(view, flow, {target for origin, target in inside if origin == flow.id}, kind) for flow in flows)
        verb = "call" if kind == "call" else "link to"
        if silent:
            message = f"the flows {along} {verb} each other for ever and ask nothing on the way"
            view.told.error(place, message, "end one of them without it, or ask something", "endless-loop")
        elif kind == "call":
            message = f"the flows {along} call each other in a circle: each round waits on top of the one before"
            view.told.warn(place, message, "link back, or go round within one flow", "call-circle")


def _silent(view: View, flow: Flow, targets: set[str], kind: str) -> bool:
    """Whether some way leads from the flow's beginning to such a step without asking or acting."""
    todo, seen = [flow.first], {flow.first}
    while todo:
        step = flow.steps[todo.pop()]
        if step.kind == kind and step.target in targets:
            return True
        if _pauses(view, step) or step.kind == "collect" or _changes(view, step):
            continue
        for way in ways(view.worlds, step):
            target = way.branch.target
            if way.open and target != END and target in flow.steps and target not in seen:
                seen.add(target)
                todo.append(target)
    return False
