"""The names of journeys as buttons say them: pressing one types the name, and that has to begin the journey whatever a classifier thinks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tightrope.understanding.errors import TrainingDataError
from tightrope.understanding.normalise import folded


def load(folder: Path) -> dict[str, str]:
    """Folded name, in any language -> flow id, of the flow files in `folder`; empty where there are none.

    Raises:
        TrainingDataError: a file is no YAML.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.yml")):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise TrainingDataError(f"{path}: cannot be read as YAML ({error})") from error
        flows = content.get("flows") if isinstance(content, dict) else None
        for flow_id, flow in (flows or {}).items():
            if not str(flow_id).startswith("pattern_"):
                found |= {folded(name): str(flow_id) for name in _names(flow)}
    return found


def _names(flow: Any) -> Iterator[str]:
    if isinstance(flow, dict):
        translated = [entry.get("name") for entry in (flow.get("translation") or {}).values() if isinstance(entry, dict)]
        yield from (name for name in (flow.get("name"), *translated) if isinstance(name, str) and folded(name))
