"""What the engine reads in a project's files but does not run, and what it does instead; and what it refuses to load.

A foreign project must load and its flows must run: what lies beside CALM (classifiers, stories, policies, a rephraser) is told as a
warning. What would make a flow do something else than its author wrote (sub agents, tools, Mantle) is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tightrope.engine.builtins import OF_NLU_ASSISTANTS
from tightrope.engine.domain import DomainParts
from tightrope.engine.intents import TRIGGERABLE
from tightrope.engine.models import Flow, Place, Slot, Version
from tightrope.engine.problems import Problems
from tightrope.engine.yamlfile import Map, Seq

ROUTERS = ("LLMBasedRouter", "IntentBasedRouter")
CODE = "not-run"

_ADAPTER = "NLUCommandAdapter"
_GENERATORS = frozenset(
    {
        "CompactLLMCommandGenerator", "SearchReadyLLMCommandGenerator", "SingleStepLLMCommandGenerator",
        "MultiStepLLMCommandGenerator", "LLMCommandGenerator",
    }
)  # fmt: skip
_POLICIES = {
    "EnterpriseSearchPolicy": "action_trigger_search finds nothing (pattern_cannot_handle with the reason "
    "cannot_handle_no_relevant_answer); let pattern_search run an action of your own that answers",
    "IntentlessPolicy": "action_trigger_chitchat leads to pattern_cannot_handle with the reason cannot_handle_chitchat",
}
_ENDPOINTS = {
    "nlg": "responses are said as they are written",
    "privacy": "its rules for anonymising and deleting are not applied here",
    "event_broker": "events lie in Postgres and in the tracker API",
    "tracker_store": "conversations are kept in Postgres",
}
_NLU_DATA = {"rules": "rules", "stories": "stories", "nlu": "NLU examples", "e2e_actions": "e2e actions", "forms": "forms"}
_NEVER = {
    "pattern_user_silence": "it belongs to voice",
    "pattern_external_agent_processing": "it belongs to sub agents",
}


def component_name(item: Any) -> str:
    """Class name of a pipeline component or policy, without the module of one's own."""
    return str(item.get("name", "")).rpartition(".")[2] if isinstance(item, Mapping) else ""


def command_syntax(generator: Map) -> Version:
    """The text form that a command generator's prompt asks for: a class of one's own is known by the class it is named after."""
    name = component_name(generator)
    if "Compact" in name:
        return "v2"
    return "v1" if any(old in name for old in ("SingleStep", "MultiStep")) or name == "LLMCommandGenerator" else "v3"


def routed(config: Map) -> bool:
    """Whether a coexistence router leads the pipeline."""
    return any(component_name(item) in ROUTERS for item, _ in _items(config.get("pipeline"), ""))


def check_config(config: Map, file: str, told: Problems) -> None:
    """What of config.yml is not run."""
    for key in ("pipeline", "policies"):
        found = config.get(key)
        for item, line in zip(found, found.item_lines, strict=True) if isinstance(found, Seq) else ():
            if not isinstance(item, Map) or not isinstance(item.get("name"), str):
                told.error(Place(file, line), f"an item of `{key}` has no name", "write it as '- name: Class'", "config")
    passive: list[str] = []
    for item, place in _items(config.get("pipeline"), file):
        name, full = component_name(item), str(item.get("name", ""))
        if not name:
            continue
        if name in ROUTERS:
            told.warn(place, f"{name} is not run", "every message goes to the flows, none to an NLU-based assistant", CODE)
        elif name in _GENERATORS or name == _ADAPTER:
            continue
        elif name.endswith("CommandGenerator"):
            told.warn(
                place, f"{full} is not run", "the understanding server gets the rendered prompt and gives command lines", CODE
            )
        else:
            passive.append(name)
    if passive:
        told.warn(
            Place(file, config.at("pipeline")),
            f"{', '.join(dict.fromkeys(passive))}: not run, so a typed message has no intent and no entities",
            "intents come from payloads (/intent{…}) and from trigger_intent",
            CODE,
        )
    for item, place in _items(config.get("policies"), file):
        name = component_name(item)
        if name and name != "FlowPolicy":
            told.warn(place, f"{name} is not run", _POLICIES.get(name, "only flows are"), CODE)


def check_endpoints(endpoints: Map, told: Problems) -> None:
    """What of endpoints.yml has no effect."""
    for key, instead in _ENDPOINTS.items():
        if endpoints.get(key):
            told.warn(Place("endpoints.yml", endpoints.at(key)), f"`{key}` has no effect", instead, CODE)


def check_data(found: Map, file: str, told: Problems) -> None:
    """NLU-based training data in a data or domain file."""
    keys = [key for key in _NLU_DATA if found.get(key)]
    if keys:
        kinds = ", ".join(_NLU_DATA[key] for key in keys)
        told.warn(Place(file, found.at(keys[0])), f"{kinds}: part of an NLU-based assistant", "not run; flows are", CODE)


def check_flows(root: Path, flows: Mapping[str, Flow], parts: DomainParts, told: Problems) -> None:
    """Sub agents and actions that are not there, questions that typed words cannot answer, patterns and triggers that never begin."""
    taken: dict[str, str] = {}
    for flow in flows.values():
        for step in flow.steps.values():
            if step.kind == "action" and step.target in OF_NLU_ASSISTANTS - parts.actions:
                told.error(step.place, f"flow {flow.id}: {step.target} belongs to NLU-based assistants", "take it out", CODE)
                told.unread.add(step.target)
            if step.kind == "call" and step.target not in flows and (root / "sub_agents" / step.target).is_dir():
                message = f"flow {flow.id}: `call: {step.target}` calls the sub agent sub_agents/{step.target}"
                told.error(step.place, message, "this engine runs no sub agents", CODE)
                told.unread.add(step.target)
            slot = parts.slots.get(step.target) if step.kind == "collect" else None
            if slot is not None and not _typed(slot):
                told.warn(
                    step.place,
                    f"flow {flow.id}: only intents and entities fill the slot {slot.name!r}, so no typed answer does",
                    "add a from_llm mapping, or offer buttons",
                    CODE,
                )
        if flow.id in _NEVER:
            told.warn(flow.place, f"flow {flow.id} is never begun", _NEVER[flow.id], CODE)
        for trigger in flow.triggers:
            if flow.is_pattern and flow.id not in TRIGGERABLE:
                told.warn(flow.place, f"flow {flow.id}: no intent can begin this pattern", "its nlu_trigger has no effect", CODE)
            elif taken.setdefault(trigger.intent, flow.id) != flow.id:
                message = f"flow {flow.id}: the intent {trigger.intent!r} already starts {taken[trigger.intent]}"
                told.warn(flow.place, message, "name it in one of them", CODE)


def _typed(slot: Slot) -> bool:
    """Whether a typed answer can fill the slot; one that no mapping of an NLU pipeline fills is not looked at."""
    own_words = any(mapping.type == "from_text" and not mapping.intents for mapping in slot.mappings)
    return slot.by_model or own_words or not slot.by_intent


def mantle(root: Path, told: Problems) -> bool:
    """Whether the folder has Mantle's layout: another engine with other files."""
    skills = sorted(root.glob("skills/*/skill.md")) if (root / "integrations.yml").is_file() else []
    if skills:
        message = f"a Mantle project (integrations.yml and {skills[0].relative_to(root)})"
        told.error(
            Place("integrations.yml", 1), message, "this engine runs CALM projects: domain, flows, config.yml", "no-project"
        )
    return bool(skills)


def _items(found: Any, file: str) -> Iterator[tuple[Map, Place]]:
    for item in found if isinstance(found, Seq) else ():
        if isinstance(item, Map):
            yield item, Place(file, item.line)
