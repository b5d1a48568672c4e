"""Reads the rule data that actions need from tightrope/rules/data/, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

import tightrope.rules
from tightrope.rules.margin import MarginRules
from tightrope.rules.margin_text import MarginWording

FOLDER: Final = Path(tightrope.rules.__file__).parent / "data"


@dataclass(frozen=True)
class SupportLine:
    """Whom people in distress can call, in one language."""

    hotline_name: str
    hotline_number: str
    hotline_hours: str
    emergency_number: str


@dataclass(frozen=True)
class RuleData:
    """Rules with their thresholds and wording."""

    margin: MarginRules
    margin_wording: MarginWording
    support: Mapping[str, SupportLine]
    """By language."""


def _read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def load_rule_data() -> RuleData:
    """Read and check all rule data.

    Raises:
        RuleDataError: a file is not what its rule needs.
    """
    distress = _read("support_lines.yml")["distress"]
    return RuleData(
        margin=MarginRules(_read("margin.yml")),
        margin_wording=MarginWording(_read("margin_wording.yml")),
        support={
            language: SupportLine(
                hotline_name=distress["hotline_name"][language],
                hotline_number=distress["hotline_number"],
                hotline_hours=distress["hotline_hours"][language],
                emergency_number=distress["emergency_number"],
            )
            for language in ("zh", "en")
        },
    )
