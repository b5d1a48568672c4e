"""What endpoints.yml says of the engine's neighbours: where actions run and which model understands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tightrope.engine.models import Place
from tightrope.engine.problems import Problems
from tightrope.engine.yamlfile import Map, Seq

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_FILE = "endpoints.yml"


@dataclass(frozen=True, slots=True)
class Neighbours:
    """None where the file does not say; the settings of the server hold then."""

    actions_url: str | None = None
    actions_module: str | None = None
    understanding_base: str | None = None
    understanding_model: str | None = None
    selective_domain: bool = False


def read_neighbours(endpoints: Map, generator: Map, environment: Mapping[str, str], told: Problems) -> Neighbours:
    """The neighbours of a project whose command generator is `generator`.

    `${NAME}` stands for a variable of the environment; a value with one that is not set is left out and told.
    """

    def text(holder: Map, key: str) -> str | None:
        found = holder.get(key)
        if not isinstance(found, str):
            return None
        missing = [name for name in _VARIABLE.findall(found) if name not in environment]
        if missing:
            message = f"`{key}` needs the environment variable {missing[0]}, which is not set"
            told.warn(Place(_FILE, holder.at(key)), message, "set it; until then the server's own settings hold", "environment")
            return None
        return _VARIABLE.sub(lambda name: environment[name[1]], found)

    actions = endpoints.get("action_endpoint")
    actions = actions if isinstance(actions, Map) else Map()
    model = _model(endpoints, generator)
    url = text(actions, "url")
    if url is not None and not url.startswith(("http://", "https://")):
        scheme = "gRPC" if url.startswith("grpc") else url.partition(":")[0]
        place = Place(_FILE, actions.at("url"))
        told.warn(
            place, f"action servers are asked over HTTP, not over {scheme}", "name the server's HTTP address", "action-server"
        )
        url = None
    return Neighbours(
        url,
        text(actions, "actions_module"),
        text(model, "api_base"),
        text(model, "model"),
        actions.get("enable_selective_domain") is True,
    )


def _model(endpoints: Map, generator: Map) -> Map:
    """The first model of the group that the command generator names."""
    llm = generator.get("llm")
    wanted = llm.get("model_group") if isinstance(llm, Map) else None
    if not isinstance(llm, Map) or wanted is None:
        return Map()
    for group in _maps(endpoints.get("model_groups")):
        if group.get("id") == wanted:
            return next(_maps(group.get("models")), Map())
    return Map()


def _maps(found: Any) -> Any:
    return (item for item in found if isinstance(item, Map)) if isinstance(found, Seq) else iter(())
