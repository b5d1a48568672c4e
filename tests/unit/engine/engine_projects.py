"""Small projects made up by hypothesis: every kind of step and key, overridden patterns, and what a conversation with them may hold.

The words are few and fixed, so that what is said often fits what is asked: see VALUES and SAID.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tightrope.engine.builtins import BUILTINS
from tightrope.engine.loader import load_project
from tightrope.engine.models import Project

FLOWS = ["f0", "f1", "f2", "f3"]
VALUES: dict[str, list[Any]] = {
    "t0": ["x", "bad"],
    "t1": ["x", "y"],
    "v0": ["x", "bad"],
    "n0": [3, 700],
    "b0": [True, False],
    "c0": ["red", "blue"],
    "a0": ["x", True],
    "k0": ["x", "y"],
}
"""Slots that steps may ask for or set, with values of their types. Not among them: `secret`, which only a button fills, `items`, a list
that only actions fill, and `language`, for which an action runs every turn."""
COLLECTED = [*VALUES, "secret"]
SLOTS = [
    *COLLECTED,
    "items",
    "language",
    "continue_conversation",
    "interrupted_flow_to_continue",
    "confirm_correction",
    "nothing",
]
SAID = ["x", "y", "bad", "true", "no", "3", "-4", "700", "RED", "green", "none", "f0", "", "/SetSlots(k0=x)", None]
CUSTOM = ["action_x", "action_y", "validate_t1", "action_ask_c0", "action_every"]
CONDITIONS = [
    "slots.b0",
    "not slots.b0",
    "slots.t0 = 'x'",
    "slots.n0 > 5",
    "slots.c0 is not null",
    "slots.secret = 'yes' or slots.k0 matches '^x'",
    "slots.items contains 'x'",
    "context.collect = 't0'",
    "slots.{{context.collect}} is null",
    "slots.t0 {{slots.t1}}",
    "true",
]
RESPONSES: dict[str, Any] = {
    "utter_say": [{"text": "said {t0} {{n0}} {gone}"}, {"text": "Said", "channel": "voice"}],
    "utter_jinja": [
        {"text": "{% if slots.b0 %}{{ slots.t0 }}{% endif %}{{ context.reason }}", "metadata": {"template": "jinja"}}
    ],
    "utter_bad_jinja": [{"text": "{{ 1 / slots.n0 }}", "metadata": {"template": "jinja"}}],
    "utter_custom": [{"custom": {"t0": "{t0}", "list": ["{b0}"]}, "image": "{t0}.png"}],
    "utter_offer": [
        {
            "text": "offer",
            "buttons": [
                {"title": "a", "payload": "/SetSlots(b0=true, secret=yes)"},
                {"title": "b", "payload": "/SetSlots(k0=x)"},
                {"title": "c", "payload": "/SetSlots(n0={n0})"},
                {"title": "d", "payload": "plain"},
            ],
        }
    ],
    "utter_only_if": [{"text": "only", "condition": "slots.b0"}],
    "utter_refill": [{"text": "refill"}],
    "utter_ask_secret": [
        {"text": "secret?", "buttons": [{"title": word, "payload": f"/SetSlots(secret={word})"} for word in ("yes", "no")]}
    ],
    **{f"utter_ask_{name}": [{"text": f"{name}?"}] for name in ("t0", "t1", "v0", "n0", "b0", "k0", "confirm_correction")},
}
SPOKEN = [*RESPONSES, "utter_missing", "{{context.utter}}"]
ACTIONS = [*CUSTOM[:2], *SPOKEN, *BUILTINS, "action_listen", "action_undeclared"]


@cache
def _rejections(slot: str) -> st.SearchStrategy[list[dict[str, str]]]:
    tests = [f"slots.{slot} = 'bad'", f"slots.{slot} > 500", "slots.b0", f"slots.{slot} is null"]
    return st.lists(
        st.fixed_dictionaries({"if": st.sampled_from(tests), "utter": st.sampled_from(["utter_say", "utter_missing"])}),
        max_size=2,
    )


@cache
def _collects(slot: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"collect": st.just(slot)},
        optional={
            "ask_before_filling": st.booleans(),
            "force_slot_filling": st.sampled_from([False, False, False, True]),
            "utter": st.sampled_from(["utter_offer", "utter_jinja", "utter_missing"]),
            "rejections": _rejections(slot),
        },
    )


_assignments = st.sampled_from([{name: value} for name, values in VALUES.items() for value in (*values, None)])
_target = st.integers(0, 9)
"""A step by number, counted round; 9 is END."""
_going_on = st.one_of(st.none(), _target)


@cache
def _steps(*, pattern: bool, depth: int) -> st.SearchStrategy[list[Any]]:
    kinds: list[st.SearchStrategy[dict[str, Any]]] = [
        st.one_of(*map(_collects, COLLECTED)),
        st.one_of(*map(_collects, COLLECTED)),
        st.sampled_from(ACTIONS).map(lambda name: {"action": name}),
        st.sampled_from(ACTIONS).map(lambda name: {"action": name}),
        st.lists(_assignments, min_size=1, max_size=2).map(lambda found: {"set_slots": found}),
        st.just({"noop": True}),
    ]
    if not pattern:
        kinds.append(st.sampled_from([*FLOWS, "f_gone"]).map(lambda name: {"call": name}))
    goal: st.SearchStrategy[Any] = _target if depth == 0 else st.one_of(_target, _steps(pattern=pattern, depth=depth - 1))
    branches = st.tuples(
        st.lists(st.tuples(st.sampled_from(CONDITIONS), goal), min_size=1, max_size=2), st.one_of(st.none(), goal)
    )
    step = st.tuples(st.one_of(*kinds), st.one_of(_going_on, _going_on, branches))
    links = ["pattern_human_handoff", *FLOWS, *(["pattern_chitchat"] if pattern else [])]
    end = st.one_of(st.just([]), st.just([]), st.sampled_from(links).map(lambda name: [({"link": name}, None)]))
    return st.builds(lambda some, last: [*some, *last], st.lists(step, min_size=1, max_size=4), end)


class _Writer:
    """Gives every step an id and turns numbers of steps into ids."""

    def __init__(self, found: list[Any]) -> None:
        self.count = 0
        listed = self._numbered(found)
        self.steps = [self._written(step) for step in listed]

    def _numbered(self, found: list[Any]) -> list[Any]:
        out = []
        for raw, way in found:
            ident, self.count = f"s{self.count}", self.count + 1
            if isinstance(way, tuple):
                ways, other = way
                way = ([(test, self._goal(goal)) for test, goal in ways], None if other is None else self._goal(other))  # noqa: PLW2901
            out.append(({"id": ident, **raw}, way))
        return out

    def _goal(self, goal: Any) -> Any:
        return self._numbered(goal) if isinstance(goal, list) else goal

    def _written(self, step: Any) -> dict[str, Any]:
        raw, way = step
        if isinstance(way, tuple):
            ways, other = way
            items = [{"if": test, "then": self._there(goal)} for test, goal in ways]
            return {**raw, "next": items if other is None else [*items, {"else": self._there(other)}]}
        if way is None and "noop" not in raw:
            return raw
        return {**raw, "next": self._there(9 if way is None else way)}

    def _there(self, goal: Any) -> Any:
        if isinstance(goal, list):
            return [self._written(step) for step in goal]
        return "END" if goal == 9 else f"s{goal % self.count}"


def _filled(steps: list[Any]) -> set[str]:
    """Slots that these steps collect or set."""
    out: set[str] = set()
    for step in steps:
        out |= {step["collect"]} if "collect" in step else {name for item in step.get("set_slots", ()) for name in item}
        for way in step["next"] if isinstance(step.get("next"), list) else ():
            out |= set().union(*(_filled(goal) for goal in way.values() if isinstance(goal, list)))
    return out


@st.composite
def _flow(draw: st.DrawFn) -> dict[str, Any]:
    steps = _Writer(draw(_steps(pattern=False, depth=1))).steps
    own = sorted(_filled(steps) - {"secret"})
    flow: dict[str, Any] = {"description": "d", "steps": steps}
    if draw(st.integers(0, 3)) == 0:
        flow["if"] = draw(st.sampled_from([True, False, "slots.b0", "slots.secret is null"]))
    if own and draw(st.booleans()):
        flow["persisted_slots"] = draw(st.lists(st.sampled_from(own), unique=True, max_size=2))
    if draw(st.booleans()):
        flow["run_pattern_completed"] = draw(st.booleans())
    return flow


_OWN_PATTERNS: dict[str, list[dict[str, Any]]] = {
    "pattern_collect_information": [
        {"id": "q", "action": "action_run_slot_rejections", "next": [{"if": "slots.{{context.collect}} is not null", "then": "END"}, {"else": "ask"}]},
        {"id": "ask", "action": "{{context.utter}}"},
        {"action": "action_listen", "next": "q"},
    ],
    "pattern_correction": [
        {"collect": "confirm_correction", "ask_before_filling": True, "next": [{"if": "slots.confirm_correction", "then": "do"}, {"else": "END"}]},
        {"id": "do", "action": "action_correct_flow_slot"},
    ],
    "pattern_continue_interrupted": [{"action": "action_continue_interrupted_flow"}],
    "pattern_completed": [{"noop": True, "next": "END"}],
    "pattern_code_change": [{"action": "action_clean_stack"}],
    "pattern_internal_error": [{"action": "action_x"}],
    "pattern_session_start": [{"action": "action_x"}, {"action": "action_session_start"}],
    "pattern_search": [{"action": "action_trigger_search"}],
    "pattern_cancel_flow": [
        {"collect": "b0", "ask_before_filling": True, "next": [{"if": "slots.b0", "then": "do"}, {"else": "END"}]},
        {"id": "do", "action": "action_cancel_flow"},
    ],
}  # fmt: skip
_ANY_PATTERN = [
    "pattern_cannot_handle", "pattern_chitchat", "pattern_clarification", "pattern_skip_question", "pattern_completed", "pattern_search",
    "pattern_cancel_flow", "pattern_correction", "pattern_continue_interrupted", "pattern_validate_slot", "pattern_human_handoff",
    "pattern_internal_error", "pattern_collect_information", "pattern_session_start", "pattern_code_change", "pattern_repeat_bot_messages",
]  # fmt: skip


@st.composite
def _patterns(draw: st.DrawFn) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if draw(st.booleans()):
        return out
    for name in draw(st.lists(st.sampled_from(list(_OWN_PATTERNS)), unique=True, max_size=3)):
        out[name] = {"steps": _OWN_PATTERNS[name]}
    for name in draw(st.lists(st.sampled_from(_ANY_PATTERN), unique=True, max_size=1)):
        out[name] = {"steps": _Writer(draw(_steps(pattern=True, depth=1))).steps}
    return out


@cache
def _validation(slot: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"rejections": st.just([{"if": f"slots.{slot} = 'bad' or slots.{slot} > 500", "utter": "utter_say"}])},
        optional={"refill_utter": st.sampled_from(["utter_refill", "utter_missing"])},
    )


BASE: dict[str, Any] = {
    "t0": {"type": "text"},
    "t1": {"type": "text"},
    "v0": {"type": "text"},
    "n0": {"type": "float", "min_value": -10, "max_value": 900},
    "b0": {"type": "bool"},
    "c0": {"type": "categorical", "values": ["red", "blue"]},
    "a0": {"type": "any"},
    "k0": {"type": "text", "mappings": [{"type": "controlled"}]},
    "secret": {"type": "text", "mappings": [{"type": "controlled"}]},
    "items": {"type": "list"},
}


@dataclass(frozen=True)
class Made:
    """What differs from project to project."""

    flows: dict[str, Any]
    actions: list[str]
    validation: dict[str, Any]
    initial: dict[str, Any]
    carry: bool

    def load(self, folder: Path) -> Project:
        """The project, written into `folder` and read from there."""
        slots = {name: {**raw} for name, raw in BASE.items()}
        for name, found in self.validation.items():
            slots[name]["validation"] = found
        for name, value in self.initial.items():
            slots[name]["initial_value"] = value
        if "action_every" in self.actions:
            slots["language"] = {"type": "text", "mappings": [{"type": "controlled", "run_action_every_turn": "action_every"}]}
        domain = {
            "slots": slots,
            "responses": RESPONSES,
            "actions": self.actions,
            "session_config": {"carry_over_slots_to_new_session": self.carry},
        }
        (folder / "data").mkdir(parents=True, exist_ok=True)
        (folder / "config.yml").write_text(json.dumps({"language": "zh", "additional_languages": ["en"]}))
        (folder / "domain.yml").write_text(json.dumps(domain))
        (folder / "data" / "flows.yml").write_text(json.dumps({"flows": self.flows}, indent=1))
        return load_project(folder)


@st.composite
def projects(draw: st.DrawFn) -> Made:
    """A small valid project."""
    names = draw(st.lists(st.sampled_from(FLOWS), unique=True, min_size=1, max_size=4))
    return Made(
        flows={name: draw(_flow()) for name in names} | draw(_patterns()),
        actions=draw(st.lists(st.sampled_from(CUSTOM), unique=True)),
        validation={name: draw(_validation(name)) for name in draw(st.lists(st.sampled_from(["v0", "n0", "k0"]), unique=True))},
        initial={name: VALUES[name][0] for name in draw(st.lists(st.sampled_from(["b0", "t0", "n0"]), unique=True, max_size=2))},
        carry=draw(st.booleans()),
    )
