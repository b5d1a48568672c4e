"""Reads a CALM project from its folder: config.yml, endpoints.yml, domain.yml or domain/, data/**/*.yml, over our default patterns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tightrope.engine.domain import DomainParts, read_domain
from tightrope.engine.errors import ProjectError
from tightrope.engine.flowreader import read_flows
from tightrope.engine.models import Flow, Project
from tightrope.engine.yamlfile import Map, parse, read

_DEFAULTS = Path(__file__).parent / "defaults"


@lru_cache(maxsize=1)
def _default_domain() -> DomainParts:
    parts = DomainParts()
    read_domain(read(_DEFAULTS / "domain.yml", _DEFAULTS), "defaults/domain.yml", parts)
    return parts


@lru_cache(maxsize=1)
def _default_flows() -> Mapping[str, Flow]:
    return read_flows(read(_DEFAULTS / "patterns.yml", _DEFAULTS), "defaults/patterns.yml", builtin=True)


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


def _owned(flows: Mapping[str, Flow]) -> dict[str, frozenset[str]]:
    own: dict[str, set[str]] = {}
    calls: dict[str, set[str]] = {}
    for flow in flows.values():
        own[flow.id] = {s.target for s in flow.steps.values() if s.kind == "collect"} | {
            name for s in flow.steps.values() if s.kind == "set_slots" for name, _ in s.assignments
        }
        calls[flow.id] = {s.target for s in flow.steps.values() if s.kind == "call"}
    closed: dict[str, frozenset[str]] = {}
    for flow_id in own:
        reached: set[str] = set()
        todo = [flow_id]
        while todo:
            at = todo.pop()
            if at not in reached and at in own:
                reached.add(at)
                todo.extend(calls[at])
        closed[flow_id] = frozenset().union(*(own[at] for at in reached))
    return closed


def _component(config: Map) -> Mapping[str, Any]:
    for item in config.get("pipeline") or []:
        if isinstance(item, dict) and str(item.get("name", "")).rpartition(".")[2].endswith("CommandGenerator"):
            return item
    return {}


def _model(component: Mapping[str, Any], endpoints: Mapping[str, Any]) -> Mapping[str, Any]:
    wanted = (component.get("llm") or {}).get("model_group")
    for group in endpoints.get("model_groups") or []:
        if group.get("id") == wanted and group.get("models"):
            first: Mapping[str, Any] = group["models"][0]
            return first
    return {}


def _optional(root: Path, name: str) -> Map:
    path = root / name
    return read(path, root) if path.is_file() else parse("", name)


def load_project(root: Path) -> Project:
    """The project in the folder `root`.

    Raises:
        ProjectError: a file cannot be used; the message names file and line. For all problems at once see check.py.
    """
    if not root.is_dir():
        raise ProjectError(f"there is no folder {root}", file=str(root), line=0)
    defaults = _default_domain()
    parts = DomainParts(
        slots=dict(defaults.slots), responses=dict(defaults.responses), actions=set(), builtin_responses=set(defaults.responses)
    )
    parts.builtin_slots = set(defaults.slots)
    files = 0
    for path in _domain_files(root):
        read_domain(read(path, root), str(path.relative_to(root)), parts)
        files += 1
    flows: dict[str, Flow] = dict(_default_flows())
    seen: dict[str, Flow] = {}
    for path in _flow_files(root):
        found = read(path, root)
        for flow in read_flows(found, str(path.relative_to(root)), builtin=False).values():
            if flow.id in seen:
                raise ProjectError(
                    f"the flow {flow.id!r} is also defined in {seen[flow.id].place.file}:{seen[flow.id].place.line}; delete one of them",
                    file=flow.place.file,
                    line=flow.place.line,
                )
            seen[flow.id] = flow
            flows[flow.id] = flow
        files += 1
    if not files:
        raise ProjectError("no domain and no flows found: a project has domain.yml or domain/ and data/", file=str(root), line=0)
    config, endpoints = _optional(root, "config.yml"), _optional(root, "endpoints.yml")
    return _assemble(root, config, endpoints, parts, flows)


def _assemble(root: Path, config: Map, endpoints: Map, parts: DomainParts, flows: dict[str, Flow]) -> Project:
    component = _component(config)
    model = _model(component, endpoints)
    language = str(config.get("language") or "en")
    languages = (language, *(str(code) for code in config.get("additional_languages") or [] if str(code) != language))
    session = parts.session
    domain: dict[str, Any] = {
        "version": "3.1",
        "slots": parts.raw_slots,
        "responses": parts.raw_responses,
        "actions": sorted(parts.actions),
        "session_config": dict(session),
    }
    digest = hashlib.sha256(json.dumps(domain, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()
    every_turn = tuple(dict.fromkeys(name for slot in parts.slots.values() for name in slot.every_turn))
    template = component.get("prompt_template")
    return Project(
        root=str(root),
        flows=flows,
        slots=parts.slots,
        responses=parts.responses,
        actions=frozenset(parts.actions),
        initials={slot.name: slot.initial for slot in parts.slots.values()},
        language=language,
        languages=languages,
        session_minutes=float(session.get("session_expiration_time", 60)),
        carry_over_slots=bool(session.get("carry_over_slots_to_new_session", True)),
        start_after_expiry=bool(session.get("start_session_after_expiry", True)),
        max_characters=int((component.get("user_input") or {}).get("max_characters", 420)),
        prompt_template=str(template) if template else None,
        understanding_base=model.get("api_base"),
        understanding_model=model.get("model"),
        actions_url=(endpoints.get("action_endpoint") or {}).get("url"),
        domain=domain,
        domain_digest=digest,
        owned=_owned(flows),
        every_turn=every_turn,
        config=config,
    )
