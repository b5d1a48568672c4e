"""Buttons whose payload cannot apply when they are pressed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tightrope.engine.applying import REFUSED, coerce
from tightrope.engine.check.domain import raw_variations
from tightrope.engine.check.graph import after
from tightrope.engine.check.view import Saying, View, meant
from tightrope.engine.commands import parse_payload
from tightrope.engine.errors import CommandSyntaxError
from tightrope.engine.intents import NOT_RUN, SESSION_INTENTS, TRIGGERABLE
from tightrope.engine.loader import default_names
from tightrope.engine.models import Button, Intent, Place, Response, SetSlot, Slot, StartFlow
from tightrope.engine.yamlfile import Map

_VERBS = re.compile(r"/(set_?slots?|start_?flow)\(", re.IGNORECASE)


def check_payloads(view: View) -> None:
    """Every button of every response of the project."""
    for response in view.responses:
        for variation, raw in zip(response.variations, raw_variations(view, response), strict=True):
            shown = raw.get("buttons") or raw.get("quick_replies")
            maps = [item for item in shown if isinstance(item, Map)] if isinstance(shown, list) else []
            for number, button in enumerate(variation.buttons):
                here = maps[number] if len(maps) == len(variation.buttons) else raw
                place = Place(response.place.file, here.at("payload") if "payload" in here else here.line)
                for payload in dict.fromkeys(_payloads(button)):
                    if payload.startswith("/"):
                        _Press(view, response, payload, place).check()


def _payloads(button: Button) -> Iterator[str]:
    yield button.payload.source
    yield from (payload.source for _, payload in button.translated.values())


class _Press:
    """One payload of one response."""

    def __init__(self, view: View, response: Response, payload: str, place: Place) -> None:
        self.view = view
        self.payload = payload
        self.response = response
        self.place = place
        self.sayings: tuple[Saying, ...] = view.said_by.get(response.name, ())

    def wrong(self, why: str, mend: str) -> None:
        message = f"the payload {self.payload!r} of {self.response.name} {why}"
        self.view.told.error(self.place, message, mend, "payload")

    def doubtful(self, why: str, mend: str) -> None:
        message = f"the payload {self.payload!r} of {self.response.name} {why}"
        self.view.told.warn(self.place, message, mend, "payload")

    def check(self) -> None:
        verb = _VERBS.match(self.payload)
        if verb is not None and not self.payload.startswith(("/SetSlots(", "/StartFlow(")):
            self.wrong("cannot be read", "the verb is /SetSlots, with these capitals")
        elif verb is not None:
            self._commands()
        else:
            self._intent()

    def _commands(self) -> None:
        try:
            commands = parse_payload(self.payload)
        except CommandSyntaxError as error:
            self.wrong(f"cannot be read: {error}", "write /SetSlots(name=value, name=value)")
            return
        for command in commands:
            if isinstance(command, StartFlow):
                self._start(command.flow)
            elif isinstance(command, SetSlot):
                slot = self.view.project.slots.get(command.name)
                if slot is not None:
                    self._fill(slot, command.value)
                elif not self.view.has_slot(command.name):
                    mend = meant(command.name, self.view.project.slots, "add it to the domain")
                    self.wrong(f"names the slot {command.name!r}, which does not exist", mend)

    def _start(self, flow_id: str) -> None:
        flow = self.view.project.flows.get(flow_id)
        if flow is None:
            if not self.view.has_flow(flow_id):
                mend = meant(flow_id, self.view.project.flows, "add it, or name another")
                self.wrong(f"starts the flow {flow_id!r}, which does not exist", mend)
        elif flow.is_pattern or flow.guard is False:
            why = "a pattern" if flow.is_pattern else "never on offer, its `if` is false"
            self.wrong(f"cannot start {flow_id!r}: it is {why}", "name a flow that customers may start")

    def _fill(self, slot: Slot, value: object) -> None:
        if slot.type == "list":
            self.wrong(f"cannot apply: {slot.name!r} is a list", "let an action fill it")
            return
        if not slot.by_payload:
            self.wrong(f"cannot apply: {slot.name!r} is filled by actions only", "give it the mapping from_llm or controlled")
            return
        taken = value if value is None or "{" in str(value) else coerce(slot, value)
        if taken is REFUSED:
            mend = (
                f"it takes {', '.join(slot.allowed_values)}"
                if slot.allowed_values
                else f"give it a value of its type {slot.type}"
            )
            self.wrong(f"cannot apply: {slot.name!r} does not take {value!r}", mend)
            return
        if taken is not None and "{" not in str(value):
            self._refused(slot, taken)
        if self.view.flows_whole:
            self._owned(slot)

    def _refused(self, slot: Slot, value: object) -> None:
        """A value that the slot's own rules refuse at once."""
        for rejection in slot.rejections:
            exact = self.view.worlds.slots_of(rejection.condition) == {slot.name}
            if exact and rejection.condition.holds({slot.name: value}, {}):
                self.doubtful(
                    f"is always refused: {rejection.condition.text!r} holds for {value!r}", "offer a value that the slot takes"
                )
                return

    def _owned(self, slot: Slot) -> None:
        """A press counts only while a flow that collects or sets the slot is active, or asks for it."""
        view = self.view
        owners = view.owners.get(slot.name, frozenset())
        if not owners and not self.sayings and self.response.name in default_names():
            # The wording of a question that the project's patterns do not ask.
            return
        if not owners:
            tell = self.wrong if self.sayings else self.doubtful
            tell(f"cannot apply: no flow collects or sets {slot.name!r}", "collect it in the flow that shows the button")
            return
        if not self.sayings or view.sources.mentions(self.response.name) or any(s.flow.is_pattern for s in self.sayings):
            return
        if any(saying.manner == "rejection" for saying in self.sayings):
            return
        around = frozenset().union(*(self._alive(saying) for saying in self.sayings))
        told = ", ".join(sorted({saying.flow.id for saying in self.sayings}))
        if not around & owners:
            mend = f"show the button in {', '.join(sorted(owners))}, or collect the slot in {told}"
            self.wrong(f"cannot apply: {slot.name!r} belongs to no flow that shows it ({told})", mend)
        elif not any(self._waits(saying) for saying in self.sayings):
            mend = "collect the slot after the step, or take the button out"
            self.wrong(f"cannot apply: {told} ends before anybody can press it", mend)

    def _alive(self, saying: Saying) -> set[str]:
        """Flows that may be active when the button is pressed: the one that shows it, its callers, and those that follow by a link."""
        view, found = self.view, set()
        todo = list(view.around(saying.flow.id))
        while todo:
            at = todo.pop()
            if at not in found and at in view.project.flows:
                found.add(at)
                for step in view.project.flows[at].steps.values():
                    if step.kind in {"link", "call"}:
                        todo.append(step.target)
        return found

    def _waits(self, saying: Saying) -> bool:
        """Whether the journey listens at the step that shows the button or after it."""
        view = self.view
        if saying.manner != "step":
            return True
        seen: set[tuple[str, str]] = set()
        todo = [(saying.flow.id, step) for step in after(saying.flow, saying.step.id)]
        todo += [
            (flow.id, s)
            for other in view.around(saying.flow.id)
            for flow, step in view.callers.get(other, ())
            for s in after(flow, step.id)
        ]
        while todo:
            at = todo.pop()
            if at in seen:
                continue
            seen.add(at)
            step = view.project.flows[at[0]].steps[at[1]]
            if step.kind == "collect" or step.target == "action_listen":
                return True
            target = view.project.flows.get(step.target) if step.kind in {"call", "link"} else None
            if target is not None:
                todo += [(target.id, name) for name in target.steps]
        return False

    def _intent(self) -> None:
        """`/intent{"entity": "value"}`: something has to come of it."""
        single = "{{" not in self.payload
        plain = self.payload if single else self.payload.replace("{{", "{").replace("}}", "}")
        try:
            intent = next(command for command in parse_payload(plain) if isinstance(command, Intent))
        except (CommandSyntaxError, StopIteration) as error:
            self.wrong(f"cannot be read: {error}", 'write /SetSlots(name=value), or /intent{{"entity": "value"}}')
            return
        if single and "{" in self.payload:
            self.doubtful("has single braces, which mean a placeholder in a response", "double the outer braces")
        if intent.name in NOT_RUN:
            self.doubtful(f"does nothing here: {NOT_RUN[intent.name]}", "take the button out")
        elif self.view.flows_whole and self.view.domain_whole and not self._taken(intent):
            why = f"leads nowhere: no flow is triggered by the intent {intent.name!r} and no slot takes anything of it"
            mend = "give a flow this nlu_trigger, or use /SetSlots"
            (self.wrong if self.sayings else self.doubtful)(why, mend)

    def _taken(self, intent: Intent) -> bool:
        """Whether a flow, a pattern or a slot takes the intent."""
        project = self.view.project
        if intent.name in SESSION_INTENTS:
            return True
        if any(
            t.intent == intent.name for f in project.flows.values() for t in f.triggers if not f.is_pattern or f.id in TRIGGERABLE
        ):
            return True
        entities = {entity.name for entity in intent.entities}
        for mapping in (mapping for slot in project.slots.values() for mapping in slot.mappings):
            lets = (not mapping.intents or intent.name in mapping.intents) and intent.name not in mapping.not_intents
            if lets and (mapping.type == "from_intent" or (mapping.type == "from_entity" and mapping.entity in entities)):
                return True
        return False
