"""Rasa Pro's format schemas, read as data out of its wheel. The wheel is never installed, imported or committed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import warnings
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tightrope.infra.settings import REPOSITORY

VERSION: Final = "3.21.0"
WHEEL: Final = REPOSITORY / ".tightrope" / "cache" / f"rasa_pro-{VERSION}-py3-none-any.whl"
FLOWS: Final = "rasa/shared/core/flows/flows_yaml_schema.json"
DOMAIN: Final = "rasa/shared/utils/schemas/domain.yml"
RESPONSES: Final = "rasa/shared/nlu/training_data/schemas/responses.yml"
CONFIG: Final = "rasa/shared/utils/schemas/model_config.yml"
E2E: Final = "rasa/e2e_test/schema/e2e_test_schema.yml"
ASSERTIONS: Final = "rasa/e2e_test/schema/assertions_schema.yml"
DU: Final = "rasa/dialogue_understanding_test/du_test_schema.yml"
PATTERNS: Final = "rasa/dialogue_understanding/patterns/default_flows_for_patterns.yml"
_DATA: Final = frozenset({FLOWS, DOMAIN, RESPONSES, CONFIG, E2E, ASSERTIONS, DU, PATTERNS})


def fetch() -> bool:
    """Have the wheel in the cache, downloading it (22 MB) if need be; False when it cannot be had."""
    if not WHEEL.exists():
        WHEEL.parent.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--quiet",
            f"rasa-pro=={VERSION}",
            "-d",
            str(WHEEL.parent),
        ]
        subprocess.run(command, check=False, capture_output=True, timeout=180)
    return WHEEL.exists()


def require() -> None:
    """Skip the test loudly without the wheel; under CI fail."""
    if fetch():
        return
    message = f"SKIPPED: the Rasa files were NOT checked against Rasa's schemas, since rasa-pro {VERSION} could not be downloaded"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    warnings.warn(message, stacklevel=2)  # shown in pytest's summary
    pytest.skip(message)


@lru_cache(maxsize=len(_DATA))
def _text(name: str) -> str:
    if name not in _DATA:
        raise ValueError(f"{name} is no data file that this project reads")
    with zipfile.ZipFile(WHEEL) as wheel:
        return wheel.read(name).decode("utf-8")


def flow_schema() -> dict[str, Any]:
    """JSON Schema of flow files."""
    schema: dict[str, Any] = json.loads(_text(FLOWS))
    return schema


def default_patterns() -> dict[str, Any]:
    """Slots, responses and flows that Rasa ships."""
    data: dict[str, Any] = yaml.safe_load(_text(PATTERNS))
    return data


def check(data: Any, *names: str) -> list[str]:
    """Errors of `data` against the kwalify schema `names[0]`, with the partial schemas of the others.

    Rasa's own Python extensions (`func`) are left out: they only repeat that a response needs a text or a payload.
    """
    from pykwalify.core import Core
    from pykwalify.errors import SchemaError

    schema: dict[str, Any] = {}
    for name in names:
        schema |= yaml.safe_load(_text(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        core = Core(source_data=data, schema_data=_plain(schema))
        try:
            core.validate(raise_exception=True)
        except SchemaError:
            return [str(error) for error in core.validation_errors]
    return []


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items() if key not in {"func", "extensions"}}
    return [_plain(item) for item in node] if isinstance(node, list) else node


def load(*paths: Path) -> dict[str, Any]:
    """One YAML file, or several merged as Rasa merges a domain folder."""
    merged: dict[str, Any] = {}
    for path in paths:
        for key, value in yaml.safe_load(io.StringIO(path.read_text(encoding="utf-8"))).items():
            if isinstance(value, dict):
                target = merged.setdefault(key, {})
                if twice := target.keys() & value.keys():
                    raise ValueError(f"{path.name} defines {sorted(twice)} again")
                target.update(value)
            elif isinstance(value, list):
                merged.setdefault(key, []).extend(value)
            else:
                merged[key] = value
    return merged
