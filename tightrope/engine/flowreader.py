"""Flow files: steps with their ways on, compiled to a flat table of steps (reference/primitives/flows, flow-steps)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jinja2

from tightrope.engine.domain import compile_condition, read_rejections
from tightrope.engine.errors import ProjectError
from tightrope.engine.models import END, START, Branch, Flow, Place, Step, StepKind
from tightrope.engine.templates import jinja_template
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
    def __init__(self, flow_id: str, raw: Map, file: str) -> None:
        self.flow_id = flow_id
        self.raw = raw
        self.file = file
        self.steps: dict[str, Step] = {}
        self.unset: set[str] = set()
        self.count = 0

    def wrong(self, message: str, line: int) -> ProjectError:
        return ProjectError(f"flow {self.flow_id}: {message}", file=self.file, line=line)

    def kind(self, raw: Map) -> StepKind:
        kinds = [kind for kind in KINDS if kind in raw]
        if len(kinds) != 1:
            raise self.wrong(f"a step needs exactly one of {', '.join(KINDS)}; this one has {kinds or 'none'}", raw.line)
        kind = kinds[0]
        for key in raw:
            if key in _COMMON or key in _KEYS[kind]:
                continue
            if key in _UNSUPPORTED:
                raise self.wrong(f"{key!r} belongs to {_UNSUPPORTED[key]}, which this engine does not run", raw.at(key))
            raise self.wrong(f"a {kind} step has no key {key!r}", raw.at(key))
        return kind

    def listing(self, items: Any, line: int, *, inline: bool) -> str:
        """Compile a list of steps; the id of its first step."""
        if not isinstance(items, Seq) or not items:
            raise self.wrong("`steps` must be a list with at least one step", line)
        plan: list[tuple[str, StepKind, Map]] = []
        for item in items:
            if not isinstance(item, Map):
                raise self.wrong("a step must be a mapping", items.line)
            kind = self.kind(item)
            given = item.get("id")
            name = item[kind] if isinstance(item[kind], str) else ""
            ident = str(given) if given is not None else f"{self.count}_{kind}" + (f"_{name}" if name else "")
            if ident in self.unset or ident in {END, START}:
                raise self.wrong(
                    f"the step id {ident!r} stands here twice" if ident in self.unset else f"{ident} is no step id", item.line
                )
            self.unset.add(ident)
            plan.append((ident, kind, item))
            self.count += 1
        for number, (ident, kind, item) in enumerate(plan):
            following = plan[number + 1][0] if number + 1 < len(plan) else END
            self.step(ident, kind, item, following, last=inline and following is END)
        return plan[0][0]

    def step(self, ident: str, kind: StepKind, raw: Map, following: str, *, last: bool) -> None:
        place = Place(self.file, raw.line)
        target = raw[kind]
        if kind in {"action", "collect", "link", "call"} and not isinstance(target, str):
            raise self.wrong(f"`{kind}` must name something", raw.at(kind))
        if kind == "noop" and "next" not in raw:
            raise self.wrong("a noop step needs `next`", raw.line)
        if kind == "link" and "next" in raw:
            raise self.wrong("a link ends the flow: it cannot have `next`", raw.at("next"))
        template = None
        if kind == "action" and "{{" in target:
            try:
                template = jinja_template(target)
            except jinja2.TemplateSyntaxError as error:
                raise self.wrong(f"the action name cannot be compiled: {error}", raw.line) from None
        branches = self.ways(raw, following)
        self.steps[ident] = Step(
            id=ident,
            kind=kind,
            target=target if isinstance(target, str) else "",
            branches=branches,
            order=raw.line,
            place=place,
            description=str(raw.get("description") or ""),
            ask_before_filling=raw.get("ask_before_filling") is True,
            force_slot_filling=raw.get("force_slot_filling") is True,
            utter=raw.get("utter"),
            rejections=read_rejections(raw.get("rejections"), Place(self.file, raw.at("rejections"))),
            assignments=self.assignments(target, raw.at(kind)) if kind == "set_slots" else (),
            template=template,
            dangling=last and "next" not in raw and kind != "link",
            end=raw.end,
        )

    def assignments(self, found: Any, line: int) -> tuple[tuple[str, Any], ...]:
        items = found if isinstance(found, Seq) else [found]
        out: list[tuple[str, Any]] = []
        for item in items:
            if not isinstance(item, Map) or not item:
                raise self.wrong("`set_slots` is a list of slot: value", line)
            out.extend(item.items())
        return tuple(out)

    def ways(self, raw: Map, following: str) -> tuple[Branch, ...]:
        if "next" not in raw:
            return (Branch(None, following),)
        found, line = raw["next"], raw.at("next")
        if isinstance(found, str):
            return (Branch(None, found),)
        if not isinstance(found, Seq) or not found:
            raise self.wrong("`next` is a step id, END, or a list of if/then and else", line)
        out: list[Branch] = []
        for number, item in enumerate(found):
            if not isinstance(item, Map) or not (({"if", "then"} == set(item)) or ({"else"} == set(item))):
                raise self.wrong("each item of `next` is {if, then} or {else}", found.item_lines[number])
            if "else" in item:
                if number + 1 != len(found):
                    raise self.wrong("`else` must be the last item of `next`", item.line)
                out.append(Branch(None, self.goal(item["else"], item.line)))
            else:
                test = compile_condition(item["if"], Place(self.file, item.line))
                out.append(Branch(test, self.goal(item["then"], item.line)))
        return tuple(out)

    def goal(self, found: Any, line: int) -> str:
        if isinstance(found, str):
            return found
        return self.listing(found, line, inline=True)

    def flow(self, *, builtin: bool) -> Flow:
        raw, place = self.raw, Place(self.file, self.raw.line)
        for key in raw:
            if key not in _FLOW_KEYS:
                raise self.wrong(f"a flow has no key {key!r}", raw.at(key))
        if not raw.get("description") and not self.flow_id.startswith("pattern_"):
            raise self.wrong("a flow needs a description: it is what understanding reads", raw.line)
        first = self.listing(raw.get("steps"), raw.at("steps"), inline=False)
        for step in self.steps.values():
            for branch in step.branches:
                if branch.target != END and branch.target not in self.steps:
                    raise self.wrong(f"`next` names the step {branch.target!r}, which is not in this flow", step.place.line)
        guard = raw.get("if")
        never_reset = self._kept_by_step(raw.get("steps"))
        translation = raw.get("translation") or {}
        return Flow(
            id=self.flow_id,
            name=str(raw.get("name") or self.flow_id.replace("_", " ")),
            description=str(raw.get("description") or ""),
            first=first,
            steps=dict(sorted(self.steps.items(), key=lambda pair: pair[1].order)),
            place=place,
            hash=_definition_hash(raw),
            guard=guard if guard is None or isinstance(guard, bool) else compile_condition(guard, Place(self.file, raw.at("if"))),
            persisted=frozenset(raw.get("persisted_slots") or ()) | never_reset,
            run_pattern_completed=raw.get("run_pattern_completed") is not False,
            always_include=raw.get("always_include_in_prompt") is True,
            translated_names={
                code: str(words["name"]) for code, words in translation.items() if isinstance(words, Map) and "name" in words
            },
            builtin=builtin,
        )

    def _kept_by_step(self, items: Any) -> set[str]:
        """Slots of collect steps with the deprecated `reset_after_flow_ends: false`."""
        kept: set[str] = set()
        for item in items or ():
            if isinstance(item, Map):
                if "collect" in item and item.get("reset_after_flow_ends") is False:
                    kept.add(item["collect"])
                for way in item["next"] if isinstance(item.get("next"), Seq) else ():
                    for inner in way.values():
                        if isinstance(inner, Seq):
                            kept |= self._kept_by_step(inner)
        return kept


def read_flows(found: Map, file: str, *, builtin: bool, wrong: list[ProjectError]) -> Mapping[str, Flow]:
    """The flows of one file (a file of another kind, such as NLU data, has none); what keeps one from being read goes to `wrong`."""
    flows: Any = found.get("flows") or {}
    out: dict[str, Flow] = {}
    if not isinstance(flows, Map) and flows:
        wrong.append(ProjectError("`flows` must be a mapping of flow ids", file=file, line=found.at("flows")))
        return out
    for flow_id, raw in flows.items():
        if not isinstance(raw, Map):
            wrong.append(ProjectError(f"the flow {flow_id!r} must be a mapping", file=file, line=flows.at(flow_id)))
            continue
        try:
            out[flow_id] = _FlowReader(flow_id, raw, file).flow(builtin=builtin)
        except ProjectError as error:
            wrong.append(error)
    return out
