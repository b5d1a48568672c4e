"""Which journeys are public: while any other one asks or answers, no model is called (red line 3).

A flow says under `metadata` what its grant must hold (`scope`), that it is a part of private journeys (`helper`), or that it explains their
verdicts (`explains`); it is private then, and so is every flow that it calls, since that one runs on top of it. All that is not known to be
public counts as private: a flow that no file holds, a pattern (which may stand over anything), and every flow of a project in which no flow
declares a scope, since that project has not said which of its journeys are private.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tightrope.understanding.errors import TrainingDataError
from tightrope.understanding.models import ActiveFlow

_PATTERN = "pattern_"


def model_may_look(flow: ActiveFlow | None, public: frozenset[str]) -> bool:
    """Whether a model may see the next message: nothing is under way, or a public journey is."""
    return flow is None or flow.id in public


def public_journeys(folder: Path) -> frozenset[str]:
    """Ids of the public flows in the files of `folder`; empty where none declares a scope.

    Raises:
        TrainingDataError: a file is no YAML.
    """
    flows = dict(_flows(folder))
    scoped = {name for name, flow in flows.items() if _metadata(flow).get("scope") is not None}
    if not scoped:
        return frozenset()
    private = scoped | {name for name, flow in flows.items() if name.startswith(_PATTERN) or _declared(flow)}
    reached = list(private)
    while reached:
        called = set(_called(flows.get(reached.pop()))) - private
        private |= called
        reached += called
    return frozenset(flows.keys() - private)


def _flows(folder: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted([*folder.rglob("*.yml"), *folder.rglob("*.yaml")]):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise TrainingDataError(f"{path}: cannot be read as YAML ({error})") from error
        flows = content.get("flows") if isinstance(content, dict) else None
        if isinstance(flows, dict):
            yield from ((str(name), flow) for name, flow in flows.items())


def _metadata(flow: Any) -> Mapping[str, Any]:
    found = flow.get("metadata") if isinstance(flow, dict) else None
    return found if isinstance(found, dict) else {}


def _declared(flow: Any) -> bool:
    """Whether a flow without a scope is private by its own word, or says it in a form that cannot be read."""
    if not isinstance(flow, dict) or not isinstance(flow.get("metadata") or {}, dict):
        return True
    return any(_metadata(flow).get(flag, False) is not False for flag in ("helper", "explains"))


def _called(part: Any) -> Iterator[str]:
    """Flows that are called anywhere in a flow's steps, branches of branches included."""
    if isinstance(part, dict):
        if isinstance(part.get("call"), str):
            yield part["call"]
        for inner in part.values():
            yield from _called(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _called(inner)
