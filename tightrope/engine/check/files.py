"""Keys of the files: what nothing reads, what is deprecated, what the configuration names and is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tightrope.engine.check.view import View, meant
from tightrope.engine.models import Place
from tightrope.engine.yamlfile import Map, Seq

_DOMAIN = {
    "version", "slots", "responses", "actions", "session_config", "config", "intents", "entities", "forms", "e2e_actions",
}  # fmt: skip
_DATA = {"version", "flows", "nlu", "rules", "stories", "e2e_tests", "responses", "regex", "synonym", "lookup"}
_SESSION = {"session_expiration_time", "carry_over_slots_to_new_session", "start_session_after_expiry"}
_OLD_GENERATORS = {"LLMCommandGenerator", "SingleStepLLMCommandGenerator", "MultiStepLLMCommandGenerator"}


def check_files(view: View) -> None:
    """Every file of the project."""
    for file, found in view.reading.domain_files.items():
        _unknown(view, file, found, _DOMAIN, "a domain file")
        _session(view, file, found.get("session_config"))
        _old_domain(view, file, found)
    for file, found in view.reading.flow_files.items():
        if not set(found) & _DATA:
            for key in list(found)[:1]:
                message = f"nothing of this file is read: it has {key!r} and no `flows`"
                view.told.warn(
                    Place(file, found.at(key)), message, meant(key, _DATA, "put the flows below `flows:`"), "unknown-key"
                )
        elif "flows" in found:
            _unknown(view, file, found, _DATA, "a file of flows")
        _old_flows(view, file, found.get("flows"))
    _config(view)


def _unknown(view: View, file: str, found: Map, known: set[str], what: str) -> None:
    for key in found:
        if key not in known:
            message = f"{what} has no key {key!r}: nothing below it is read"
            view.told.error(Place(file, found.at(key)), message, meant(key, known, "take it out"), "unknown-key")


def _session(view: View, file: str, found: Any) -> None:
    if not isinstance(found, Map):
        return
    _unknown(view, file, found, _SESSION, "session_config")
    minutes = found.get("session_expiration_time", 60)
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or minutes < 0:
        place = Place(file, found.at("session_expiration_time"))
        view.told.error(place, f"session_expiration_time is {minutes!r}", "give minutes, 0 for never", "session")
    for key in ("carry_over_slots_to_new_session", "start_session_after_expiry"):
        if not isinstance(found.get(key, True), bool):
            view.told.error(Place(file, found.at(key)), f"{key} is {found[key]!r}", "write true or false", "session")


def _old(view: View, place: Place, what: str, mend: str) -> None:
    view.told.warn(place, f"{what} is deprecated", mend, "deprecated")


def _old_domain(view: View, file: str, found: Map) -> None:
    for name, slot in _maps(found.get("slots")):
        mappings = _seq(slot.get("mappings"))
        for mapping, line in zip(mappings, mappings.item_lines, strict=True):
            if isinstance(mapping, Map) and mapping.get("type") == "custom":
                _old(view, Place(file, line), f"the mapping `custom` of the slot {name!r}", "write `controlled` (since 3.12)")
    responses = found.get("responses")
    for name, variations in responses.items() if isinstance(responses, Map) else ():
        for variation in _seq(variations):
            if isinstance(variation, Map) and isinstance(variation.get("condition"), list):
                place = Place(file, variation.at("condition"))
                _old(view, place, f"the list form of the condition of {name}", "write it as text, `slots.name = 'value'`")


def _old_flows(view: View, file: str, flows: Any) -> None:
    for flow_id, flow in _maps(flows):
        for step in raw_steps(flow.get("steps")):
            if "reset_after_flow_ends" in step:
                what = f"flow {flow_id}: reset_after_flow_ends"
                _old(view, Place(file, step.at("reset_after_flow_ends")), what, "list the slot in the flow's persisted_slots")


def _seq(found: Any) -> Seq:
    return found if isinstance(found, Seq) else Seq()


def _maps(found: Any) -> Iterator[tuple[str, Map]]:
    for key, value in found.items() if isinstance(found, Map) else ():
        if isinstance(value, Map):
            yield key, value


def raw_steps(items: Any) -> Iterator[Map]:
    """Steps of a list, inline ones too."""
    for item in _seq(items):
        if isinstance(item, Map):
            yield item
            for way in _seq(item.get("next")):
                if isinstance(way, Map):
                    for inner in way.values():
                        yield from raw_steps(inner)


def _config(view: View) -> None:
    reading, told = view.reading, view.told
    config, file = reading.config, reading.config_file
    if not config and file not in told.unread_files:
        message = "there is no config.yml: the language is taken to be English, and no command generator is known"
        told.warn(Place(file, 1), message, "add it, or name another with --config", "config")
        return
    if "language" in config and not isinstance(config["language"], str):
        told.error(
            Place(file, config.at("language")), f"the language is {config['language']!r}", "write its code, as en", "config"
        )
    for key in ("additional_languages", "pipeline", "policies"):
        if config.get(key) is not None and not isinstance(config[key], Seq):
            told.error(Place(file, config.at(key)), f"`{key}` must be a list", "", "config")
    for code in _seq(config.get("additional_languages")):
        if not isinstance(code, str):
            place = Place(file, config.at("additional_languages"))
            told.error(place, f"`additional_languages` holds {code!r}", "write codes, as en", "config")
    groups = {str(group.get("id")) for group in _seq(reading.endpoints.get("model_groups")) if isinstance(group, Map)}
    pipeline = _seq(config.get("pipeline"))
    for item, line in zip(pipeline, pipeline.item_lines, strict=True):
        if isinstance(item, Map):
            _component(view, item, Place(file, line), groups)


def _component(view: View, item: Map, place: Place, groups: set[str]) -> None:
    name = str(item.get("name", "")).rpartition(".")[2]
    if name in _OLD_GENERATORS:
        _old(view, place, name, "take CompactLLMCommandGenerator or SearchReadyLLMCommandGenerator")
    if not name.endswith("CommandGenerator"):
        return
    llm = item.get("llm")
    group = llm.get("model_group") if isinstance(llm, Map) else None
    if isinstance(llm, Map) and group is not None and str(group) not in groups and "endpoints.yml" not in view.told.unread_files:
        # A deployment may bring other endpoints.
        message = f"{name} asks the model group {group!r}, which endpoints.yml does not have"
        mend = meant(str(group), groups, "add it to `model_groups`")
        view.told.warn(Place(place.file, llm.at("model_group")), message, mend, "config")
    template = item.get("prompt_template")
    if isinstance(template, str) and not (Path(view.project.root) / template).is_file():
        line = item.at("prompt_template")
        message = f"there is no prompt {template}: understanding cannot be asked"
        view.told.warn(Place(place.file, line), message, "name a file of the project", "config")
