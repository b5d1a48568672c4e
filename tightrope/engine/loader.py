"""Reads a CALM project from its folder: config.yml, endpoints.yml, domain.yml or domain/, data/**/*.yml, over our default patterns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from tightrope.engine.domain import DomainParts, read_domain
from tightrope.engine.errors import ProjectError
from tightrope.engine.flowreader import read_flows
from tightrope.engine.models import Flow, Project, Response, Variation
from tightrope.engine.yamlfile import Map, parse, read

_DEFAULTS = Path(__file__).parent / "defaults"


@lru_cache(maxsize=1)
def _default_domain() -> DomainParts:
    parts = DomainParts()
    wrong: list[ProjectError] = []
    read_domain(read(_DEFAULTS / "domain.yml", _DEFAULTS), "defaults/domain.yml", parts, wrong)
    if wrong:
        raise wrong[0]
    return parts


@lru_cache(maxsize=1)
def _default_flows() -> Mapping[str, Flow]:
    wrong: list[ProjectError] = []
    flows = read_flows(read(_DEFAULTS / "patterns.yml", _DEFAULTS), "defaults/patterns.yml", builtin=True, wrong=wrong)
    if wrong:
        raise wrong[0]
    return flows


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


def gather(root: Path) -> tuple[Project | None, list[ProjectError]]:
    """The project in the folder `root`, and everything that keeps its files from being read; the project lacks what could not be read.

    None when the folder holds no project at all.
    """
    if not root.is_dir():
        return None, [ProjectError("there is no such folder", file=str(root), line=1)]
    wrong: list[ProjectError] = []
    domain_files, flow_files = list(_domain_files(root)), list(_flow_files(root))
    if not domain_files and not flow_files:
        return None, [
            ProjectError("no domain.yml or domain/ and no flows below data/: this is no CALM project", file=str(root), line=1)
        ]
    defaults = _default_domain()
    parts = DomainParts(slots=dict(defaults.slots), responses=dict(defaults.responses))
    parts.builtin_slots, parts.builtin_responses = set(defaults.slots), set(defaults.responses)
    for path in domain_files:
        try:
            read_domain(read(path, root), str(path.relative_to(root)), parts, wrong)
        except ProjectError as error:
            wrong.append(error)
    flows: dict[str, Flow] = dict(_default_flows())
    seen: dict[str, Flow] = {}
    for path in flow_files:
        try:
            found = read_flows(read(path, root), str(path.relative_to(root)), builtin=False, wrong=wrong)
        except ProjectError as error:
            wrong.append(error)
            continue
        for flow in found.values():
            if flow.id in seen:
                before = seen[flow.id].place
                message = f"the flow {flow.id!r} is also defined in {before.file}:{before.line}; delete one of them"
                wrong.append(ProjectError(message, file=flow.place.file, line=flow.place.line))
            seen[flow.id] = flow
            flows[flow.id] = flow
    try:
        config, endpoints = _optional(root, "config.yml"), _optional(root, "endpoints.yml")
    except ProjectError as error:
        wrong.append(error)
        config = endpoints = parse("", "config.yml")
    return _assemble(root, config, endpoints, parts, flows), wrong


def load_project(root: Path) -> Project:
    """The project in the folder `root`.

    Raises:
        ProjectError: a file cannot be used; the message names file and line. For all problems at once see check.py.
    """
    project, wrong = gather(root)
    if wrong:
        raise wrong[0]
    assert project is not None  # noqa: S101 - gather gives one or says why not
    return project


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


def _assemble(root: Path, config: Map, endpoints: Map, parts: DomainParts, flows: dict[str, Flow]) -> Project:
    component = _component(config)
    model = _model(component, endpoints)
    language = str(config.get("language") or "en")
    languages = (language, *(str(code) for code in config.get("additional_languages") or [] if str(code) != language))
    responses = parts.responses
    if not language.startswith("zh"):
        responses = {name: _in_english(found) if name in parts.builtin_responses else found for name, found in responses.items()}
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
        responses=responses,
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
