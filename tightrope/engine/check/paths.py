"""Placeholders that no way through the flows has filled.

A slot that actions, an initial value or another flow's persisted slots may fill is taken as filled. What is left is filled by the customer
alone, within the journey: for those every way through a journey is walked, called flows included, as a customer goes who answers what is
asked and nothing else. A walk carries which answers were given and how the conditions on the way came out, so that a
condition on the same answer comes out the same again. A project too large for that is walked without the conditions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import jinja2
from jinja2 import meta, nodes

from tightrope.engine.check.domain import tell_unsaid, unsaid
from tightrope.engine.check.graph import Way, ways
from tightrope.engine.check.view import Saying, View, is_builtin, meant
from tightrope.engine.models import END, Flow, Response, Step, Variation
from tightrope.engine.templates import ENVIRONMENT, Condition, Template

MAX_STATES = 6000
_DEEPEST = 8
_REFUSED = {"value"}
"""What the engine gives to a response that refuses an answer."""
_ALWAYS = {"session_started_metadata", "language"}


def check_placeholders(view: View) -> None:
    """Every placeholder of every response that a flow says itself; what an action says may get its variables from the action."""
    if not view.domain_whole:
        return
    elsewhere = frozenset(name for name in view.project.slots if _elsewhere(view, name))
    for response in view.responses:
        _unknown(view, response)
    if view.whole:
        _walked(view, elsewhere)


def _walked(view: View, elsewhere: frozenset[str]) -> None:
    """What the ways through the journeys say."""
    walks: dict[Saying, list[_Heard]] = defaultdict(list)
    shared = _shared(view)
    for flow in view.flows:
        if _begins(view, flow):
            for heard in _Walk(view, elsewhere, shared).go(flow):
                walks[heard.saying].append(heard)
    bare: set[str] = set()
    for saying, found in walks.items():
        response = view.project.responses.get(saying.response)
        if response is None or is_builtin(response.place):
            continue
        _judge(view, saying, response, found, elsewhere)
        if response.name not in bare and any(_bare(view, response, heard, elsewhere) for heard in found):
            bare.add(response.name)
            tell_unsaid(view, response, response.place)


# what a response needs


def holes(template: Template) -> frozenset[str]:
    """Slots and variables that a text needs."""
    if template.jinja is None:
        return template.holes
    try:
        tree = ENVIRONMENT.parse(template.source)
    except jinja2.TemplateError:
        return frozenset()
    found = set(meta.find_undeclared_variables(tree)) - {"slots", "context"}
    tested = {n.node.name for n in tree.find_all(nodes.Test) if isinstance(n.node, nodes.Name)}
    tests: list[nodes.Node] = [node.test for node in tree.find_all(nodes.If)]
    tests += [node.test for node in tree.find_all(nodes.CondExpr)]
    for test in tests:
        tested |= {n.name for n in (test, *test.find_all(nodes.Name)) if isinstance(n, nodes.Name)}
    filtered = {n.node.name for n in tree.find_all(nodes.Filter) if n.name in {"default", "d"} and isinstance(n.node, nodes.Name)}
    for node in tree.find_all(nodes.Getattr):
        if isinstance(node.node, nodes.Name) and node.node.name == "slots":
            found.add(node.attr)
    return frozenset(found - tested - filtered)


def needs(variation: Variation) -> Iterator[Template]:
    """Every text of a variation that is filled."""
    yield from (t for t in (variation.text, variation.image, *variation.translated.values()) if t is not None)
    for button in variation.buttons:
        yield button.title
        yield button.payload
        for title, payload in button.translated.values():
            yield title
            yield payload
    yield from _inside(variation.custom)
    yield from _inside(variation.attachment)


def _inside(value: object) -> Iterator[Template]:
    if isinstance(value, Template):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _inside(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _inside(inner)


def _needed(view: View, variation: Variation) -> frozenset[str]:
    """What a variation needs, less what its own condition says is there."""
    all_holes: frozenset[str] = frozenset().union(*(holes(t) for t in needs(variation)))
    return all_holes - (view.worlds.fills(variation.condition, True) if variation.condition is not None else frozenset())


def _unknown(view: View, response: Response) -> None:
    """A placeholder that is no slot where a flow itself says the response: nothing can fill it."""
    for saying in view.said_by.get(response.name, ()):
        if is_builtin(saying.flow.place):
            continue
        given = _REFUSED if saying.manner == "rejection" else frozenset()
        texts = [template for variation in response.variations for template in needs(variation)]
        plain = frozenset().union(*(t.holes for t in texts))
        names = frozenset().union(*(holes(t) for t in texts)) - given
        for hole in sorted(names - set(view.project.slots) - view.told.unread):
            message = (
                f"{saying.here}: nothing fills {{{hole}}} of {response.name}: it is no slot and no action says this response here"
            )
            mend = meant(hole, view.project.slots, "let an action say it with this variable")
            # Jinja says nothing for what it does not know; a plain text shows its braces to the customer.
            (view.told.error if hole in plain else view.told.warn)(saying.step.place, message, mend, "placeholder")


# who fills what


def _elsewhere(view: View, name: str) -> bool:
    """Whether something other than the customer's answers in this journey may have filled the slot."""
    slot = view.project.slots[name]
    if slot.initial is not None or name in _ALWAYS or is_builtin(slot.place) or slot.by_intent or slot.every_turn:
        return True
    if name in view.persisted or not view.knows_actions:
        return True
    return view.sources.may_write(name)


def _begins(view: View, flow: Flow) -> bool:
    """Whether a journey may begin with this flow; one that is only called is walked with its callers."""
    if flow.is_pattern or flow.id in view.told.partial:
        return False
    return flow.guard is not False or flow.id in view.linkers or bool(flow.triggers) or flow.id not in view.callers


def _shared(view: View) -> frozenset[str]:
    """Slots on which more than one step or wording depends: only for these it matters how a condition came out before."""
    count: Counter[str] = Counter()
    for flow in view.flows:
        for step in flow.steps.values():
            named = (view.worlds.slots_of(b.condition) for b in step.branches if b.condition is not None)
            count.update(frozenset().union(*named))
    for response in view.responses:
        for variation in response.variations:
            if variation.condition is not None:
                count.update(dict.fromkeys(view.worlds.slots_of(variation.condition), 2))
    return frozenset(name for name, times in count.items() if times > 1)


Facts = frozenset[tuple[Condition, bool]]
"""How conditions came out on a way."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """A response as one way comes to say it: what was answered, what is known, and the steps gone."""

    saying: Saying
    answered: frozenset[str]
    facts: Facts
    way: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _At:
    """A place on a walk: the flows under way, the newest last, each with its step."""

    frames: tuple[tuple[str, str], ...]
    answered: frozenset[str]
    facts: Facts


class _Unknown(Exception):
    """A step calls what is not there or could not be read."""


@dataclass(slots=True)
class _Walk:
    """All ways through one journey."""

    view: View
    elsewhere: frozenset[str]
    shared: frozenset[str]
    with_facts: bool = True
    heard: list[_Heard] = field(default_factory=list)

    def go(self, flow: Flow) -> list[_Heard]:
        """What is said on the ways through `flow`; nothing when one cannot tell where they lead."""
        try:
            if self._explore(flow):
                return self.heard
            self.with_facts, self.heard = False, []
            return self.heard if self._explore(flow) else []
        except _Unknown:
            return []

    def _explore(self, flow: Flow) -> bool:
        start = _At(((flow.id, flow.first),), frozenset(), frozenset())
        seen = {start}
        todo: list[tuple[_At, tuple[str, ...]]] = [(start, ())]
        while todo:
            at, way = todo.pop()
            for following in self._step(at, way):
                if following not in seen:
                    seen.add(following)
                    if len(seen) > MAX_STATES:
                        return False
                    todo.append((following, (*way, at.frames[-1][1])[-12:]))
        return True

    def _step(self, at: _At, way: tuple[str, ...]) -> Iterator[_At]:
        flow_id, step_id = at.frames[-1]
        flow = self.view.project.flows[flow_id]
        step = flow.steps[step_id]
        self._hear(flow, step, at, way)
        answered, facts = at.answered, at.facts
        if step.kind == "collect":
            if step.target not in answered or step.ask_before_filling:
                facts = self._forget(facts, {step.target})
            answered = answered | {step.target}
        elif step.kind == "set_slots":
            facts = self._forget(facts, {name for name, _ in step.assignments})
            for name, value in step.assignments:
                answered = answered | {name} if value is not None else answered - {name}
        elif step.kind == "action" and self.view.is_custom(step.target):
            facts = frozenset(fact for fact in facts if not self.view.worlds.slots_of(fact[0]) & self.elsewhere)
        elif step.kind == "call" and len(at.frames) < _DEEPEST:
            called = self.view.project.flows.get(step.target)
            if called is None or called.id in self.view.told.partial:
                raise _Unknown
            if not called.is_pattern and all(called.id != frame for frame, _ in at.frames):
                yield _At((*at.frames, (called.id, called.first)), answered, facts)
                return
        yield from self._on(at.frames, step, answered, facts)

    def _on(self, frames: tuple[tuple[str, str], ...], step: Step, answered: frozenset[str], facts: Facts) -> Iterator[_At]:
        """Along each way that is open now; at the end of a called flow back to its caller."""
        for way in ways(self.view.worlds, step):
            taken = self._take(way, answered, facts)
            if taken is None:
                continue
            new_answered, new_facts = taken
            if way.branch.target != END:
                if way.branch.target in self.view.project.flows[frames[-1][0]].steps:
                    yield _At((*frames[:-1], (frames[-1][0], way.branch.target)), new_answered, new_facts)
            elif len(frames) > 1:
                caller_id, call_id = frames[-2]
                yield from self._on(frames[:-1], self.view.project.flows[caller_id].steps[call_id], new_answered, new_facts)

    def _take(self, way: Way, answered: frozenset[str], facts: Facts) -> tuple[frozenset[str], Facts] | None:
        """What is known once a way is taken; None when what is known already closes it."""
        if not way.open:
            return None
        if not self.with_facts:
            named = frozenset().union(*(self.view.worlds.fills(c, o) for c, o in way.needs))
            return answered | (named - self.elsewhere), facts
        worlds = self.view.worlds
        known = frozenset((c, o) for c, o in way.needs if worlds.exact(c) and worlds.slots_of(c))
        together = facts | known
        slots = frozenset().union(*(worlds.slots_of(c) for c, _ in together)) if together else frozenset()
        customers = slots - self.elsewhere
        if not worlds.possible(sorted(together, key=lambda fact: fact[0].text), customers - answered, customers & answered):
            return None
        for condition, outcome in way.needs:
            # Not answered, and yet the way asks for an answer: nobody comes here.
            if (
                not worlds.exact(condition)
                and worlds.fills(condition, outcome) & (set(self.view.project.slots) - self.elsewhere) - answered
            ):
                return None
        return answered, frozenset(fact for fact in together if worlds.slots_of(fact[0]) & self.shared)

    def _forget(self, facts: Facts, names: set[str]) -> Facts:
        return frozenset(fact for fact in facts if not self.view.worlds.slots_of(fact[0]) & names)

    def _hear(self, flow: Flow, step: Step, at: _At, way: tuple[str, ...]) -> None:
        for saying in self.view.sayings_of(flow, step):
            answered = at.answered
            if saying.manner == "ask" and step.target in answered and not step.ask_before_filling:
                continue
            if saying.manner == "ask":
                answered = answered - {step.target}
            elif saying.manner == "rejection":
                answered = answered | {step.target}
            self.heard.append(_Heard(saying, answered, at.facts, (*way, step.id)))


# the verdict


def _bare(view: View, response: Response, heard: _Heard, elsewhere: frozenset[str]) -> bool:
    """Whether a response may have nothing to say here."""
    lacking = unsaid(response)
    if lacking is None:
        return False
    answers = heard.answered - elsewhere
    open_slots = frozenset(view.project.slots) - elsewhere - answers
    return view.worlds.possible(sorted({*heard.facts, *lacking}, key=lambda fact: fact[0].text), open_slots, answers)


def _judge(view: View, saying: Saying, response: Response, found: list[_Heard], elsewhere: frozenset[str]) -> None:
    wanted: dict[str, list[Variation]] = defaultdict(list)
    for variation in response.variations:
        if variation.condition is not None and not view.worlds.slots_of(variation.condition) <= set(view.project.slots):
            continue
        for hole in _needed(view, variation) & set(view.project.slots) - elsewhere:
            wanted[hole].append(variation)
    for hole in sorted(wanted):
        lacking = [h for h in found if hole not in h.answered and any(_said(view, response, v, hole, h) for v in wanted[hole])]
        if not lacking:
            continue
        place = saying.step.place
        owned = any(hole in view.project.owned.get(flow, frozenset()) for flow in view.around(saying.flow.id))
        if len(lacking) == len(found) and not owned:
            message = f"{saying.here}: no way that leads here fills {{{hole}}} of {saying.response}: the customer reads None"
            view.told.warn(place, message, f"collect {hole!r} before, or take it out of the text", "placeholder")
        elif len(lacking) == len(found):
            message = f"{saying.here}: {{{hole}}} of {saying.response} is asked for only later: the customer reads None unless they said it"
            view.told.warn(place, message, f"collect {hole!r} before", "placeholder")
        else:
            along = " → ".join(min(lacking, key=lambda heard: len(heard.way)).way[-6:])
            message = f"{saying.here}: {{{hole}}} of {saying.response} is not asked for on the way {along}: the customer reads None there"
            view.told.warn(place, message, f"collect {hole!r} on that way too, or word it without", "placeholder")


def _said(view: View, response: Response, variation: Variation, hole: str, heard: _Heard) -> bool:
    """Whether this wording may be the one that is said while the slot is empty."""
    if variation.condition is not None:
        wanted: Facts = frozenset({(variation.condition, True)})
    else:
        others = (v.condition for v in response.variations if v.condition is not None and v.channel == variation.channel)
        wanted = frozenset((condition, False) for condition in others)
    facts = sorted(heard.facts | wanted, key=lambda fact: fact[0].text)
    return view.worlds.possible(facts, frozenset({hole}))
