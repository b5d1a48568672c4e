"""Reads a CALM project from its folder: config.yml, endpoints.yml, domain.yml or domain/, data/**/*.yml, over our default patterns."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tightrope.engine.domain import DomainParts, read_domain
from tightrope.engine.errors import ProjectError
from tightrope.engine.flowreader import read_flows
from tightrope.engine.models import ROUTING_SLOT, Flow, Place, Project, Response, Variation
from tightrope.engine.neighbours import read_neighbours
from tightrope.engine.problems import Problems
from tightrope.engine.unsupported import (
    check_config,
    check_data,
    check_endpoints,
    check_flows,
    command_syntax,
    component_name,
    mantle,
    routed,
)
from tightrope.engine.yamlfile import Map, Seq, read

_DEFAULTS = Path(__file__).parent / "defaults"
_CONFIGS = ("config.yml", "config/config.yml")
"""Where a configuration lies if nobody names one: the second is common where there are several."""


@lru_cache(maxsize=1)
def _default_domain() -> DomainParts:
    parts = DomainParts()
    told = Problems()
    read_domain(read(_DEFAULTS / "domain.yml", _DEFAULTS), "defaults/domain.yml", parts, told)
    if told.errors:
        raise told.errors[0].as_error()
    return parts


@lru_cache(maxsize=1)
def _default_flows() -> Mapping[str, Flow]:
    told = Problems()
    flows = read_flows(read(_DEFAULTS / "patterns.yml", _DEFAULTS), "defaults/patterns.yml", told, builtin=True)
    if told.errors:
        raise told.errors[0].as_error()
    return flows


def default_names() -> frozenset[str]:
    """Names of the built-in slots and responses, which a project may define anew."""
    parts = _default_domain()
    return frozenset(parts.slots) | frozenset(parts.responses)


@lru_cache(maxsize=1)
def _defaults_in_english() -> Mapping[str, Response]:
    return {name: _in_english(found) for name, found in _default_domain().responses.items()}


def _domain_files(root: Path) -> Iterator[Path]:
    for name in ("domain.yml", "domain.yaml"):
        if (root / name).is_file():
            yield root / name
    folder = root / "domain"
    if folder.is_dir():
        yield from sorted(p for p in folder.rglob("*") if p.suffix in {".yml", ".yaml"})


def _flow_files(root: Path) -> Iterator[Path]:
    folder = root / "data"
    if folder.is_dir():
        yield from sorted(p for p in folder.rglob("*") if p.suffix in {".yml", ".yaml"})


def _with_called(flows: Mapping[str, Flow]) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """For each flow with the flows it calls: the slots they collect or set, and those of them that its end resets.

    A slot that one of these flows persists outlives the end of all of them.
    """
    own: dict[str, set[str]] = {}
    calls: dict[str, set[str]] = {}
    for flow in flows.values():
        own[flow.id] = {s.target for s in flow.steps.values() if s.kind == "collect"} | {
            name for s in flow.steps.values() if s.kind == "set_slots" for name, _ in s.assignments
        }
        calls[flow.id] = {s.target for s in flow.steps.values() if s.kind == "call"}
    owned: dict[str, frozenset[str]] = {}
    resets: dict[str, frozenset[str]] = {}
    for flow_id in own:
        reached: set[str] = set()
        todo = [flow_id]
        while todo:
            at = todo.pop()
            if at not in reached and at in own:
                reached.add(at)
                todo.extend(calls[at])
        owned[flow_id] = frozenset().union(*(own[at] for at in reached))
        resets[flow_id] = owned[flow_id].difference(*(flows[at].persisted for at in reached))
    return owned, resets


def _maps(found: Any) -> Iterator[Map]:
    """The mappings of a list; of anything else none."""
    return (item for item in found if isinstance(item, Map)) if isinstance(found, Seq) else iter(())


def _map(found: Any) -> Map:
    return found if isinstance(found, Map) else Map()


def _component(config: Map) -> Map:
    for item in _maps(config.get("pipeline")):
        if component_name(item).endswith("CommandGenerator"):
            return item
    return Map()


@dataclass(frozen=True, slots=True)
class Reading:
    """A project as far as its files could be read, what is wrong with them, and the files as they are (with lines)."""

    project: Project | None
    problems: Problems
    domain_files: Mapping[str, Map] = field(default_factory=dict)
    flow_files: Mapping[str, Map] = field(default_factory=dict)
    config: Map = field(default_factory=Map)
    config_file: str = "config.yml"
    endpoints: Map = field(default_factory=Map)
    action_places: Mapping[str, Place] = field(default_factory=dict)


def gather(root: Path, config: Path | None = None) -> Reading:
    """The project in the folder `root`, and everything that is wrong with its files; the project lacks what could not be read.

    There is no project at all when the folder holds none. `config` stands for the folder's config.yml.
    """
    told = Problems()
    nowhere = Place(str(root), 1)
    if not root.is_dir():
        told.error(nowhere, "there is no such folder", code="no-project")
        return Reading(None, told)
    if mantle(root, told):
        return Reading(None, told)
    domain_files, flow_files = list(_domain_files(root)), list(_flow_files(root))
    if not domain_files and not flow_files:
        told.error(nowhere, "no domain.yml or domain/ and no flows below data/: this is no CALM project", code="no-project")
        return Reading(None, told)
    defaults = _default_domain()
    parts = DomainParts(slots=dict(defaults.slots), responses=dict(defaults.responses))
    parts.builtin_slots, parts.builtin_responses = set(defaults.slots), set(defaults.responses)
    domain = {name: found for path in domain_files for name, found in _opened(path, root, told)}
    for name, found in domain.items():
        read_domain(found, name, parts, told)
        check_data(found, name, told)
    texts = {name: found for path in flow_files for name, found in _opened(path, root, told)}
    for name, found in texts.items():
        check_data(found, name, told)
    flows = _flows(texts, told)
    check_flows(root, flows, parts, told)
    config_path = config or next((path for name in _CONFIGS if (path := root / name).is_file()), root / "config.yml")
    settings = dict(_opened(config_path, root, told)) if config_path.is_file() else {}
    if config is not None and not config_path.is_file():
        told.error(Place(str(config), 1), "there is no such file", "name the project's configuration", "config")
    endpoints_path = root / "endpoints.yml"
    neighbours = dict(_opened(endpoints_path, root, told)) if endpoints_path.is_file() else {}
    reading = Reading(
        project=None,
        problems=told,
        domain_files=domain,
        flow_files=texts,
        config=next(iter(settings.values()), Map()),
        config_file=next(iter(settings), "config.yml"),
        endpoints=next(iter(neighbours.values()), Map()),
        action_places=parts.action_places,
    )
    check_config(reading.config, reading.config_file, told)
    check_endpoints(reading.endpoints, told)
    return replace(reading, project=_assemble(root, reading, parts, flows))


def _opened(path: Path, root: Path, told: Problems) -> Iterator[tuple[str, Map]]:
    """The file's name and what it holds, or nothing."""
    try:
        yield (str(path.relative_to(root)) if path.is_relative_to(root) else str(path)), read(path, root, told)
    except ProjectError as error:
        told.add(error)
        told.unread_files.append(error.file)


def _flows(texts: Mapping[str, Map], told: Problems) -> dict[str, Flow]:
    flows: dict[str, Flow] = dict(_default_flows())
    seen: dict[str, Flow] = {}
    for name, found in texts.items():
        for flow in read_flows(found, name, told, builtin=False).values():
            if flow.id in seen:
                before = seen[flow.id].place
                message = f"the flow {flow.id!r} is also defined in {before.file}:{before.line}"
                told.error(flow.place, message, "delete one of them", "duplicate")
                continue
            seen[flow.id] = flows[flow.id] = flow
    return flows


def load_project(root: Path, config: Path | None = None) -> Project:
    """The project in the folder `root`; `config` stands for its config.yml.

    Raises:
        ProjectError: a file cannot be used; the message names file and line. For all problems at once see check.
    """
    reading = gather(root, config)
    if reading.problems.errors:
        raise reading.problems.errors[0].as_error()
    assert reading.project is not None  # noqa: S101 - gather gives one or says why not
    return reading.project


def _in_english(response: Response) -> Response:
    """A built-in response for a project whose language is not Chinese: English is its base, Chinese a translation."""

    def swap(variation: Variation) -> Variation:
        english = variation.translated.get("en")
        if english is None or variation.text is None:
            return variation
        buttons = tuple(
            replace(b, title=b.translated["en"][0], payload=b.translated["en"][1], translated={"zh": (b.title, b.payload)})
            for b in variation.buttons
        )
        return replace(variation, text=english, translated={"zh": variation.text}, buttons=buttons)

    return replace(response, variations=tuple(swap(variation) for variation in response.variations))


def _codes(config: Map, language: str) -> Iterator[str]:
    listed = config.get("additional_languages")
    return (str(code) for code in listed if str(code) != language) if isinstance(listed, Seq) else iter(())


def _number(found: Any, otherwise: float) -> float:
    """A number of a file; the check tells of what is none."""
    return float(found) if isinstance(found, int | float) else otherwise


def _timezone(component: Map, file: str, told: Problems) -> str | None:
    """The zone that prompts tell the time in, UTC unless the command generator says otherwise."""
    if component.get("include_date_time") is False:
        return None
    name = str(component.get("timezone") or "UTC")
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        told.warn(Place(file, component.at("timezone")), f"there is no timezone {name!r}", "UTC is used", "timezone")
        return "UTC"
    return name


def _intents(parts: DomainParts, flows: Mapping[str, Flow]) -> frozenset[str]:
    mapped = (mapping.intents | mapping.not_intents for slot in parts.slots.values() for mapping in slot.mappings)
    return frozenset(parts.intents).union({t.intent for flow in flows.values() for t in flow.triggers}, *mapped)


def _model_id(domain_digest: str, reading: Reading) -> str:
    """An id of everything that decides which events a turn makes: Rasa stamps such an id on events as `model_id`."""
    config = {key: reading.config.get(key) for key in ("language", "additional_languages", "assistant_id")}
    files = [domain_digest, _defaults_digest(), reading.flow_files, config]
    return hashlib.sha256(json.dumps(files, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()[:32]


@lru_cache(maxsize=1)
def _defaults_digest() -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_DEFAULTS.glob("*.yml")))).hexdigest()


def _assemble(root: Path, reading: Reading, parts: DomainParts, flows: dict[str, Flow]) -> Project:
    config = reading.config
    component = _component(config)
    neighbours = read_neighbours(reading.endpoints, component, os.environ, reading.problems)
    language = str(config.get("language") or "en")
    languages = (language, *_codes(config, language))
    responses = parts.responses
    if not language.startswith("zh"):
        english = _defaults_in_english()
        responses = {name: english[name] if name in parts.builtin_responses else found for name, found in responses.items()}
    session = parts.session
    domain: dict[str, Any] = {
        "version": "3.1",
        "slots": parts.raw_slots,
        "responses": parts.raw_responses,
        "actions": sorted(parts.actions),
        "session_config": dict(session),
        "intents": sorted(parts.intents),
        "entities": sorted(parts.entities),
    }
    digest = hashlib.sha256(json.dumps(domain, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()
    owned, resets = _with_called(flows)
    every_turn = tuple(dict.fromkeys(name for slot in parts.slots.values() for name in slot.every_turn))
    template = component.get("prompt_template")
    # A response may be listed as an action, as was once the custom.
    actions = frozenset(parts.actions - parts.responses.keys())
    return Project(
        root=str(root),
        flows=flows,
        slots=parts.slots,
        responses=responses,
        actions=actions,
        initials={slot.name: slot.initial for slot in parts.slots.values()},
        language=language,
        languages=languages,
        session_minutes=_number(session.get("session_expiration_time"), 60.0),
        carry_over_slots=bool(session.get("carry_over_slots_to_new_session", True)),
        start_after_expiry=bool(session.get("start_session_after_expiry", True)),
        max_characters=int(_number(_map(component.get("user_input")).get("max_characters"), 420.0)),
        prompt_template=str(template) if template else None,
        prompt_timezone=_timezone(component, reading.config_file, reading.problems),
        understanding_base=neighbours.understanding_base,
        understanding_model=neighbours.understanding_model,
        actions_url=neighbours.actions_url,
        actions_module=neighbours.actions_module,
        without_domain=actions - parts.wants_domain if neighbours.selective_domain else frozenset(),
        domain=domain,
        domain_digest=digest,
        model_id=_model_id(digest, reading),
        owned=owned,
        resets=resets,
        every_turn=every_turn,
        command_syntax=command_syntax(component),
        config=config,
        assistant_id=str(config["assistant_id"]) if config.get("assistant_id") else None,
        intents=_intents(parts, flows),
        routed=routed(config) and ROUTING_SLOT in parts.slots,
    )
