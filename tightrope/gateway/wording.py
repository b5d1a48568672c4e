"""The gateway's own approved sentences, by key and language."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml

from tightrope.gateway.models import Language


@lru_cache(maxsize=1)
def _texts() -> dict[str, dict[str, str]]:
    loaded: dict[str, dict[str, str]] = yaml.safe_load(Path(__file__).with_name("wording.yml").read_text(encoding="utf-8"))
    return loaded


def say(key: str, language: Language, **values: str) -> str:
    """The approved text `key` in `language`, with its placeholders filled."""
    text = _texts()[key][language]
    return text.format(**values) if values else text
