"""Flow files: steps with their ways on, compiled to a flat table of steps (reference/primitives/flows, flow-steps)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jinja2

from tightrope.engine.domain import compile_condition, read_rejections
from tightrope.engine.mappings import FlowTrigger, MappingError, read_triggers
from tightrope.engine.models import END, START, Branch, Flow, Place, Step, StepKind
from tightrope.engine.problems import Problems
from tightrope.engine.templates import Template, jinja_template
from tightrope.engine.yamlfile import Map, Seq

KINDS: tuple[StepKind, ...] = ("action", "collect", "link", "call", "set_slots", "noop")
_COMMON = {"id", "next", "metadata"}
_KEYS: dict[StepKind, set[str]] = {
    "action": {"action"},
    "collect": {
        "collect", "description", "ask_before_filling", "reset_after_flow_ends", "utter", "force_slot_filling", "rejections",
    },
    "link": {"link"},
    "call": {"call", "description"},
    "set_slots": {"set_slots"},
    "noop": {"noop", "description"},
}  # fmt: skip
_UNSUPPORTED = {
    "silence_timeout": "voice", "dtmf": "voice", "collect-tool-binding": "Mantle tools", "mcp_server": "MCP tools",
    "mapping": "MCP tools", "exit_if": "sub agents",
}  # fmt: skip
_FLOW_KEYS = {
    "name", "description", "steps", "if", "always_include_in_prompt", "nlu_trigger", "persisted_slots", "run_pattern_completed",
    "translation", "file_path", "metadata", "on_activate",
}  # fmt: skip


def _definition_hash(raw: Map) -> str:
    """Of what a conversation under way depends on: steps and what they keep, not names, descriptions or guards."""
    definition = {"steps": raw.get("steps"), "persisted_slots": raw.get("persisted_slots")}
    return hashlib.sha256(json.dumps(definition, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()[:12]


class _FlowReader:
    """Reads one flow as far as it goes: what is wrong in it goes to `told`, and the rest is read all the same."""

    def __init__(self, flow_id: str, raw: Map, place: Place, told: Problems) -> None:
        self.flow_id = flow_id
        self.raw = raw
        self.place = place
        self.told = told
        self.steps: dict[str, Step] = {}
        self.unset: set[str] = set()
        self.count = 0

    def at(self, line: int) -> Place:
        return Place(self.place.file, line)

    def wrong(self, message: str, line: int) -> None:
        self.told.error(self.at(line), f"flow {self.flow_id}: {message}", code="flow-file")
        self.told.partial.add(self.flow_id)

    def kind(self, raw: Map) -> StepKind | None:
        kinds = [kind for kind in KINDS if kind in raw]
        if len(kinds) != 1:
            self.wrong(f"a step needs exactly one of {', '.join(KINDS)}; this one has {kinds or 'none'}", raw.line)
            return None
        kind = kinds[0]
        for key in raw:
            if key in _COMMON or key in _KEYS[kind]:
                continue
            if key in _UNSUPPORTED:
                self.wrong(f"{key!r} belongs to {_UNSUPPORTED[key]}, which this engine does not run", raw.at(key))
            else:
                self.wrong(f"a {kind} step has no key {key!r}", raw.at(key))
        return kind

    def listing(self, items: Any, line: int, *, inline: bool) -> str:
        """Compile a list of steps; the id of its first step, END if none could be read."""
        if not isinstance(items, Seq) or not items:
            self.wrong("`steps` must be a list with at least one step", line)
            return END
        plan: list[tuple[str, StepKind, Map]] = []
        for number, item in enumerate(items):
            if not isinstance(item, Map):
                self.wrong("a step must be a mapping", items.item_lines[number])
                continue
            kind = self.kind(item)
            given = item.get("id")
            ident = str(given) if given is not None else self._unnamed(item, kind)
            if ident in {END, START}:
                self.wrong(f"{ident} is no step id", item.line)
            elif ident in self.unset:
                self.wrong(f"the step id {ident!r} stands here twice", item.line)
            self.unset.add(ident)
            self.count += 1
            if kind is not None:
                plan.append((ident, kind, item))
        for number, (ident, kind, item) in enumerate(plan):
            following = plan[number + 1][0] if number + 1 < len(plan) else END
            self.step(ident, kind, item, following, last=inline and following is END)
        return plan[0][0] if plan else END

    def _unnamed(self, item: Map, kind: StepKind | None) -> str:
        name = item[kind] if kind is not None and isinstance(item[kind], str) else ""
        return f"{self.count}_{kind}" + (f"_{name}" if name else "")

    def step(self, ident: str, kind: StepKind, raw: Map, following: str, *, last: bool) -> None:
        target = raw[kind]
        if kind in {"action", "collect", "link", "call"} and not isinstance(target, str):
            self.wrong(f"`{kind}` must name something", raw.at(kind))
        if kind == "noop" and "next" not in raw:
            self.wrong("a noop step needs `next`", raw.line)
        if kind == "link" and "next" in raw:
            self.wrong("a link ends the flow: it cannot have `next`", raw.at("next"))
        rejections = read_rejections(raw.get("rejections"), self.at(raw.at("rejections")), self.told)
        self.steps[ident] = Step(
            id=ident,
            kind=kind,
            target=target if isinstance(target, str) else "",
            branches=self.ways(raw, END if kind == "link" else following),
            order=raw.line,
            place=self.at(raw.line),
            description=str(raw.get("description") or ""),
            ask_before_filling=raw.get("ask_before_filling") is True,
            force_slot_filling=raw.get("force_slot_filling") is True,
            utter=str(raw["utter"]) if raw.get("utter") else None,
            rejections=rejections,
            assignments=self.assignments(target, raw.at(kind)) if kind == "set_slots" else (),
            template=self.template(target, raw.at(kind)) if kind == "action" and isinstance(target, str) else None,
            dangling=last and "next" not in raw and kind != "link",
            end=raw.end,
        )

    def template(self, name: str, line: int) -> Template | None:
        if "{{" not in name:
            return None
        try:
            return jinja_template(name)
        except jinja2.TemplateError as error:
            self.wrong(f"the action name cannot be compiled: {error}", line)
            return None

    def assignments(self, found: Any, line: int) -> tuple[tuple[str, Any], ...]:
        items = found if isinstance(found, Seq) else [found]
        out: list[tuple[str, Any]] = []
        for item in items:
            if isinstance(item, Map) and item:
                out.extend(item.items())
            else:
                self.wrong("`set_slots` is a list of slot: value", line)
        return tuple(out)

    def ways(self, raw: Map, following: str) -> tuple[Branch, ...]:
        if "next" not in raw:
            return (Branch(None, following, raw.line),)
        found, line = raw["next"], raw.at("next")
        if isinstance(found, str):
            return (Branch(None, found, line),)
        if not isinstance(found, Seq) or not found:
            self.wrong("`next` is a step id, END, or a list of if/then and else", line)
            return (Branch(None, following, line),)
        out: list[Branch] = []
        for number, item in enumerate(found):
            if not isinstance(item, Map) or not ({"if", "then"} <= set(item) or "else" in item):
                self.wrong("each item of `next` is {if, then} or {else}", found.item_lines[number])
                continue
            for key in set(item) - ({"else"} if "else" in item else {"if", "then"}):
                self.wrong(f"an item of `next` is {{if, then}} or {{else}}; it has no key {key!r}", item.at(key))
            if "else" in item:
                if number + 1 != len(found):
                    self.wrong("`else` must be the last item of `next`", item.line)
                out.append(Branch(None, self.goal(item["else"], item.line), item.line))
            else:
                test = compile_condition(item["if"], self.at(item.at("if")), self.told)
                out.append(Branch(test, self.goal(item["then"], item.line), item.at("if")))
        return tuple(out)

    def goal(self, found: Any, line: int) -> str:
        if isinstance(found, str):
            return found
        return self.listing(found, line, inline=True)

    def flow(self, *, builtin: bool) -> Flow | None:
        """The flow, or None when it has no step that could be read."""
        raw = self.raw
        for key in raw:
            if key not in _FLOW_KEYS:
                self.wrong(f"a flow has no key {key!r}", raw.at(key))
        if "on_activate" in raw:
            self.told.warn(
                self.at(raw.at("on_activate")),
                f"flow {self.flow_id}: on_activate is not documented for CALM",
                "it has no effect here",
                "not-run",
            )
        if not raw.get("description") and not self.flow_id.startswith("pattern_"):
            self.wrong("a flow needs a description: it is what understanding reads", raw.line)
        first = self.listing(raw.get("steps"), raw.at("steps"), inline=False)
        for step in self.steps.values():
            for branch in step.branches:
                if branch.target != END and branch.target not in self.unset:
                    self.wrong(f"`next` names the step {branch.target!r}, which is not in this flow", branch.line)
        if first not in self.steps:
            return None
        guard = raw.get("if")
        never_reset = self._kept_by_step(raw.get("steps"))
        return Flow(
            id=self.flow_id,
            name=str(raw.get("name") or self.flow_id.replace("_", " ")),
            description=str(raw.get("description") or ""),
            first=first,
            steps=dict(sorted(self.steps.items(), key=lambda pair: pair[1].order)),
            place=self.place,
            hash=_definition_hash(raw),
            guard=guard
            if guard is None or isinstance(guard, bool)
            else compile_condition(guard, self.at(raw.at("if")), self.told),
            persisted=frozenset(self.names(raw, "persisted_slots")) | never_reset,
            run_pattern_completed=raw.get("run_pattern_completed") is not False,
            always_include=raw.get("always_include_in_prompt") is True,
            triggers=self.triggers(),
            translated_names=self.translated_names(),
            builtin=builtin,
        )

    def names(self, raw: Map, key: str) -> list[str]:
        found = raw.get(key)
        if found is None:
            return []
        if not isinstance(found, Seq) or not all(isinstance(name, str) for name in found):
            self.wrong(f"`{key}` is a list of slot names", raw.at(key))
            return []
        return list(found)

    def translated_names(self) -> dict[str, str]:
        found = self.raw.get("translation")
        if found is not None and not isinstance(found, Map):
            self.wrong("`translation` is a mapping of languages", self.raw.at("translation"))
        if not isinstance(found, Map):
            return {}
        return {code: str(words["name"]) for code, words in found.items() if isinstance(words, Map) and "name" in words}

    def triggers(self) -> tuple[FlowTrigger, ...]:
        try:
            return read_triggers(self.raw.get("nlu_trigger"))
        except MappingError as error:
            self.wrong(str(error), self.raw.at("nlu_trigger"))
            return ()

    def _kept_by_step(self, items: Any) -> set[str]:
        """Slots of collect steps with the deprecated `reset_after_flow_ends: false`."""
        kept: set[str] = set()
        for item in items if isinstance(items, Seq) else ():
            if isinstance(item, Map):
                if isinstance(item.get("collect"), str) and item.get("reset_after_flow_ends") is False:
                    kept.add(item["collect"])
                for way in item["next"] if isinstance(item.get("next"), Seq) else ():
                    for inner in way.values() if isinstance(way, Map) else ():
                        if isinstance(inner, Seq):
                            kept |= self._kept_by_step(inner)
        return kept


def read_flows(found: Map, file: str, told: Problems, *, builtin: bool) -> Mapping[str, Flow]:
    """The flows of one file (a file of another kind, such as NLU data, has none); what is wrong in them goes to `told`."""
    flows: Any = found.get("flows") or {}
    out: dict[str, Flow] = {}
    if not isinstance(flows, Map) and flows:
        told.error(Place(file, found.at("flows")), "`flows` must be a mapping of flow ids", code="flow-file")
        return out
    for flow_id, raw in flows.items():
        place = Place(file, flows.at(flow_id))
        flow = None
        if isinstance(raw, Map):
            flow = _FlowReader(flow_id, raw, place, told).flow(builtin=builtin)
        else:
            told.error(place, f"the flow {flow_id!r} must be a mapping", code="flow-file")
        if flow is None:
            told.unread.add(flow_id)
        else:
            out[flow_id] = flow
    return out
