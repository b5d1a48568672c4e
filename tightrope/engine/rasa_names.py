"""Names of Rasa's open-source package (Apache-2.0) that actions of other projects import, for use where that package is not installed.

Only what published projects are seen to import from their actions: two JSON helpers, the message type, and the Duckling extractor, which
has no Duckling to ask here and says so. Written from the documented behaviour; where `rasa` is installed, it is used and this is not.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def read_json_file(filename: str | Path) -> Any:
    """The JSON value in a file."""
    return json.loads(Path(filename).read_text(encoding="utf-8"))


def write_json_to_file(filename: str | Path, obj: Any, **kwargs: Any) -> None:
    """Write a value as JSON."""
    Path(filename).write_text(json.dumps(obj, **{"indent": 2, "ensure_ascii": False, **kwargs}) + "\n", encoding="utf-8")


class Message:
    """A message with whatever extractors find in it."""

    def __init__(self, data: dict[str, Any] | None = None) -> None:
        self.data = data or {}

    @classmethod
    def build(cls, text: str) -> Message:
        """A message of this text."""
        return cls({"text": text})

    def get(self, prop: str, default: Any = None) -> Any:
        """One part of the message."""
        return self.data.get(prop, default)


class DucklingEntityExtractor:
    """Stands where the client of a Duckling server stands; it has none."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.component_config = config

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """What a project adds its own keys to."""
        return {"dimensions": None, "url": None, "locale": None, "timezone": None, "timeout": 3}

    def process(self, _messages: list[Message], **_: Any) -> list[Message]:
        """Refuses.

        Raises:
            RuntimeError: always; stub the action, or install rasa and run a Duckling server.
        """
        raise RuntimeError("Duckling is not available here: stub this action, or run it on an action server that has Duckling")


_NAMES: dict[str, dict[str, Any]] = {
    "rasa.shared.utils.io": {"read_json_file": read_json_file},
    "rasa.nlu.utils": {"write_json_to_file": write_json_to_file},
    "rasa.shared.nlu.training_data.message": {"Message": Message},
    "rasa.nlu.extractors.duckling_entity_extractor": {"DucklingEntityExtractor": DucklingEntityExtractor},
}


def offer() -> None:
    """Make the names importable, unless a package `rasa` is there."""
    if "rasa" in sys.modules or importlib.util.find_spec("rasa") is not None:
        return
    for name, contents in _NAMES.items():
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            full = ".".join(parts[:depth])
            if full not in sys.modules:
                module = ModuleType(full, "A name of the package rasa that is offered by tightrope.engine.rasa_names.")
                module.__path__ = []
                sys.modules[full] = module
                if depth > 1:
                    setattr(sys.modules[".".join(parts[: depth - 1])], parts[depth - 1], module)
        vars(sys.modules[name]).update(contents)
