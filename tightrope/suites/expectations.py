"""Reads what a turn has to show: the assertions of the e2e schema and the plain steps `bot`, `utter`, `slot_was_set`, `slot_was_not_set`."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from tightrope.engine.models import Place
from tightrope.engine.problems import Problems
from tightrope.engine.yamlfile import Map, Seq
from tightrope.suites.cases import (
    ActionRan,
    ButtonWanted,
    Expected,
    FlowEnded,
    FlowsStarted,
    NotJudged,
    Offered,
    Said,
    SlotsWanted,
    SlotWanted,
    Wanted,
)

_JUDGE = "a language model has to judge it; none is asked here"
_MANTLE = "it belongs to Mantle, the other engine of Rasa Pro"
_UNJUDGED = {
    **dict.fromkeys(("generative_response_is_relevant", "generative_response_is_grounded"), _JUDGE),
    **dict.fromkeys(
        (
            *(f"skill_{what}" for what in ("activated", "completed", "cancelled", "interrupted", "resumed")),
            *(f"memory_was_{what}" for what in ("set", "not_set", "cleared")),
            *(f"ordered_block_{what}" for what in ("entered", "completed", "cancelled", "interrupted", "resumed")),
            "tool_executed",
            "tools_within_one_turn",
        ),
        _MANTLE,
    ),
}
PLAIN = ("bot", "utter", "slot_was_set", "slot_was_not_set")


class ExpectationReader:
    """Reads expectations of one file; what cannot be read goes to `told` with its line."""

    def __init__(self, file: str, told: Problems) -> None:
        self._file = file
        self._told = told

    def wrong(self, line: int, message: str, mend: str = "") -> None:
        """Note a problem."""
        self._told.error(Place(self._file, line), message, mend)

    def close(self, found: str, known: list[str]) -> str:
        """A hint at the nearest known word, or at all of them."""
        near = get_close_matches(found, known, n=1)
        return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"

    # assertions

    def assertions(self, found: Any, line: int) -> tuple[Expected, ...]:
        """The list under `assertions`."""
        if not isinstance(found, Seq):
            self.wrong(line, "`assertions` must be a list", "begin each assertion with '- '")
            return ()
        out: list[Expected] = []
        for number, item in enumerate(found):
            at = found.item_lines[number]
            if not isinstance(item, Map) or len(item) != 1:
                self.wrong(at, "an assertion is a mapping with one key", "write each as '- name: …', one per item")
                continue
            kind, value = next(iter(item.items()))
            wanted = self._assertion(kind, value, item.at(kind))
            if wanted is not None:
                out.append(Expected(kind, wanted, item.at(kind)))
        return tuple(out)

    def _assertion(self, kind: str, value: Any, line: int) -> Wanted | None:
        if kind in _UNJUDGED:
            return NotJudged(_flat(value), _UNJUDGED[kind])
        readers: dict[str, Callable[[], Wanted | None]] = {
            "flow_started": lambda: self._started(value, line),
            "flow_completed": lambda: self._ended("flow_completed", value, line),
            "flow_cancelled": lambda: self._ended("flow_cancelled", value, line),
            "pattern_clarification_contains": lambda: self._offered(value, line),
            "slot_was_set": lambda: self._slots(value, line, wanted=True),
            "slot_was_not_set": lambda: self._slots(value, line, wanted=False),
            "action_executed": lambda: self._action(value, line),
            "bot_uttered": lambda: self._said(value, line, wanted=True),
            "bot_did_not_utter": lambda: self._said(value, line, wanted=False),
        }
        if kind not in readers:
            self.wrong(line, f"there is no assertion {kind!r}", self.close(kind, [*readers, *_UNJUDGED]))
            return None
        return readers[kind]()

    def _texts(self, found: Any, line: int, what: str) -> tuple[str, ...] | None:
        items = found if isinstance(found, Seq) else [found]
        if not items or not all(isinstance(item, str) and item for item in items):
            self.wrong(line, f"{what} must be a list of names")
            return None
        return tuple(items)

    def _started(self, found: Any, line: int) -> Wanted | None:
        if not isinstance(found, Map):
            flows = self._texts(found, line, "`flow_started`")
            return FlowsStarted(flows) if flows else None
        self._keys(found, ("operator", "flow_ids"), "flow_started")
        operator = found.get("operator", "all")
        if not isinstance(operator, str) or operator not in {"all", "any"}:
            self.wrong(found.at("operator"), f"the operator {operator!r} is not known", "write all or any")
            return None
        flows = self._texts(found.get("flow_ids"), found.at("flow_ids"), "`flow_ids`")
        return FlowsStarted(flows, operator == "all") if flows else None

    def _ended(self, event: Any, found: Any, line: int) -> Wanted | None:
        if not isinstance(found, Map) or not isinstance(found.get("flow_id"), str):
            self.wrong(line, f"`{event}` needs a flow_id", f"write {event}: {{flow_id: …}}")
            return None
        self._keys(found, ("flow_id", "flow_step_id"), event)
        step = found.get("flow_step_id")
        return FlowEnded(event, found["flow_id"], None if step is None else str(step))

    def _offered(self, found: Any, line: int) -> Wanted | None:
        what = "`pattern_clarification_contains`"
        if isinstance(found, Map):
            self._keys(found, ("flow_names", "flow_ids"), "pattern_clarification_contains")
            both = [name for key in ("flow_names", "flow_ids") for name in found.get(key) or ()]
            found = Seq(both, line)
        flows = self._texts(found, line, what)
        return Offered(flows) if flows else None

    def _action(self, found: Any, line: int) -> Wanted | None:
        if not isinstance(found, str) or not found:
            self.wrong(line, "`action_executed` must name one action")
            return None
        return ActionRan(found)

    def _slots(self, found: Any, line: int, *, wanted: bool) -> Wanted | None:
        out: list[SlotWanted] = []
        if not isinstance(found, Seq) or not found:
            self.wrong(line, "slots are given as a list", "write '- name: the_slot' and below it 'value: …'")
            return None
        for number, item in enumerate(found):
            if not isinstance(item, Map) or not isinstance(item.get("name"), str):
                self.wrong(found.item_lines[number], "each slot of an assertion needs `name`, and `value` if it matters")
                return None
            self._keys(item, ("name", "value"), "a slot")
            out.append(SlotWanted(item["name"], "value" in item, item.get("value")))
        return SlotsWanted(tuple(out), wanted)

    def _said(self, found: Any, line: int, *, wanted: bool) -> Wanted | None:
        if not isinstance(found, Map) or not found:
            self.wrong(line, "what the bot said is given by utter_name, text_matches or buttons")
            return None
        self._keys(found, ("utter_name", "text_matches", "buttons"), "a message")
        for key in ("utter_name", "text_matches"):
            if found.get(key) is not None and not isinstance(found[key], str):
                self.wrong(found.at(key), f"`{key}` must be text", "put it into quotes")
                return None
        buttons = self._buttons(found.get("buttons"), found.at("buttons")) if "buttons" in found else None
        return Said(found.get("utter_name"), None, found.get("text_matches"), buttons, wanted)

    def _buttons(self, found: Any, line: int) -> tuple[ButtonWanted, ...]:
        out: list[ButtonWanted] = []
        items = found if isinstance(found, Seq) else Seq([None], line)
        for number, item in enumerate(items):
            if not isinstance(item, Map) or not item:
                self.wrong(items.item_lines[number], "`buttons` is a list of {title, payload}")
                continue
            self._keys(item, ("title", "payload"), "a button")
            parts = {key: None if item.get(key) is None else str(item[key]) for key in ("title", "payload")}
            out.append(ButtonWanted(**parts))
        return tuple(out)

    def _keys(self, found: Map, known: tuple[str, ...], what: str) -> None:
        for key in found:
            if key not in known:
                self.wrong(found.at(key), f"{what} has no key {key!r}", self.close(key, list(known)))

    # plain steps

    def plain(self, kind: str, value: Any, line: int) -> Expected | None:
        """A step of its own: `bot`, `utter`, `slot_was_set` or `slot_was_not_set`."""
        wanted: Wanted | None
        if kind in {"bot", "utter"}:
            if not isinstance(value, str):
                self.wrong(line, f"`{kind}` must be text", "put it into quotes")
                return None
            wanted = Said(utter=value) if kind == "utter" else Said(text=value)
        else:
            wanted = self._plain_slots(value, line, wanted=kind == "slot_was_set")
        return None if wanted is None else Expected(kind, wanted, line, plain=True)

    def _plain_slots(self, found: Any, line: int, *, wanted: bool) -> Wanted | None:
        items = found if isinstance(found, Seq) else Seq([found], line)
        out: list[SlotWanted] = []
        for number, item in enumerate(items):
            if isinstance(item, str):
                out.append(SlotWanted(item))
            elif isinstance(item, Map) and item:
                out.extend(SlotWanted(name, given=True, value=value) for name, value in item.items())
            else:
                self.wrong(items.item_lines[number], "a slot is given by its name, or as name: value")
                return None
        if not out:
            self.wrong(line, "no slot is named")
            return None
        return SlotsWanted(tuple(out), wanted)


def _flat(value: Any) -> str:
    """A value of the file in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_flat(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(_flat(item) for item in value) + "]"
    return str(value)
