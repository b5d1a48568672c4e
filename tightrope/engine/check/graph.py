"""The steps of a flow as a graph: which ways can be taken at all, what is reached, where it goes in circles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tightrope.engine.check.worlds import Worlds
from tightrope.engine.models import END, Branch, Flow, Step
from tightrope.engine.templates import Condition


@dataclass(frozen=True, slots=True)
class Way:
    """A branch of a step with all that must hold for it to be taken."""

    branch: Branch
    needs: tuple[tuple[Condition, bool], ...]
    open: bool


def ways(worlds: Worlds, step: Step) -> tuple[Way, ...]:
    """The branches of a step in order; the last may be the end that comes when none of its conditions holds."""
    if step.kind == "link":
        return ()
    out: list[Way] = []
    before: tuple[tuple[Condition, bool], ...] = ()
    for branch in step.branches:
        needs = before if branch.condition is None else (*before, (branch.condition, True))
        out.append(Way(branch, needs, worlds.possible(needs)))
        if branch.condition is None:
            return tuple(out)
        before = (*before, (branch.condition, False))
    if step.branches:
        out.append(Way(Branch(None, END, step.branches[-1].line), before, worlds.possible(before)))
    return tuple(out)


def reached(flow: Flow, targets: Callable[[Step], Iterable[str]]) -> set[str]:
    """Steps that are reached from the first one."""
    found = {flow.first}
    todo = [flow.first]
    while todo:
        for target in targets(flow.steps[todo.pop()]):
            if target in flow.steps and target not in found:
                found.add(target)
                todo.append(target)
    return found


def successors(step: Step) -> list[str]:
    """Steps that a step names or falls through to, whether or not their conditions can hold."""
    return [] if step.kind == "link" else [branch.target for branch in step.branches]


def after(flow: Flow, start: str) -> set[str]:
    """Steps that come after a step on some way, itself only if a way leads back to it."""
    found: set[str] = set()
    todo = [start]
    while todo:
        for target in successors(flow.steps[todo.pop()]):
            if target in flow.steps and target not in found:
                found.add(target)
                todo.append(target)
    return found


def circles(graph: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """The parts of a graph in which one can go round, each sorted: its strongly connected components (Tarjan, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    within: set[str] = set()

    def enter(name: str) -> tuple[str, Iterator[str]]:
        number[name] = low[name] = len(number)
        stack.append(name)
        within.add(name)
        return name, iter([target for target in graph[name] if target in graph])

    for root in graph:
        if root in number:
            continue
        work = [enter(root)]
        while work:
            at, targets = work[-1]
            fresh = next((target for target in targets if target not in number or _lower(low, at, target, within)), None)
            if fresh is not None:
                work.append(enter(fresh))
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[at])
            if low[at] == number[at]:
                part = _cut(stack, at)
                within.difference_update(part)
                if len(part) > 1 or at in set(graph[at]):
                    yield sorted(part)


def _lower(low: dict[str, int], at: str, target: str, within: set[str]) -> bool:
    """A way to a step that is being visited ties this one to it; it is never to be entered again."""
    if target in within:
        low[at] = min(low[at], low[target])
    return False


def _cut(stack: list[str], at: str) -> list[str]:
    """Take everything down to `at` from the stack."""
    place = stack.index(at)
    part = stack[place:]
    del stack[place:]
    return part
