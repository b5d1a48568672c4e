"""The journeys that actions know: those of data/flows/, with the names, the scope and the offer that their flows declare.

A flow says under `metadata` what the engine need not know: `scope`, what the grant must hold before the journey may go on (none: open to
everybody), and `offered: false`, when it may not stand on a button of a clarification.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from tightrope.business.client import SCOPES
from tightrope.infra.settings import get_settings

PATTERN_PREFIX: Final = "pattern_"
_KEYS: Final = frozenset({"scope", "offered"})


class UnknownJourney(LookupError):
    """No journey of this project is on the dialogue stack."""


class JourneyInvalid(ValueError):
    """A flow does not say of itself what actions need; names file, flow and what to write."""


@dataclass(frozen=True, slots=True)
class Journey:
    """One startable flow."""

    id: str
    scope: str | None
    """What the grant must hold before the journey may go on; None: open to everybody."""
    zh: str
    en: str
    offered: bool = True
    """Whether it may stand on a button when the customer's wish is ambiguous."""

    def title(self, language: str) -> str:
        """The flow's name; also what its button says to the assistant, in the customer's own words as it were."""
        return self.en if language == "en" else self.zh


def journeys() -> Mapping[str, Journey]:
    """Every journey of this project by its flow id, read once per process.

    Raises:
        JourneyInvalid: a flow lacks a name in either language, or declares something unknown.
    """
    return _read(get_settings().project_dir / "data" / "flows")


@lru_cache(maxsize=4)
def _read(folder: Path) -> Mapping[str, Journey]:
    return {journey.id: journey for path in sorted(folder.rglob("*.yml")) for journey in read_journeys(path)}


def read_journeys(path: Path) -> Iterator[Journey]:
    """The journeys of one flow file; patterns are none.

    Raises:
        JourneyInvalid: see `journeys`.
    """
    found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    for flow_id, flow in (found.get("flows") or {}).items():
        if flow_id.startswith(PATTERN_PREFIX):
            continue
        here = f"{path.name}: flow {flow_id}"
        zh, en = flow.get("name"), ((flow.get("translation") or {}).get("en") or {}).get("name")
        if not (isinstance(zh, str) and isinstance(en, str)):
            raise JourneyInvalid(f"{here} needs `name` in Chinese and `translation: {{en: {{name: …}}}}`")
        declared = flow.get("metadata") or {}
        if unknown := declared.keys() - _KEYS:
            raise JourneyInvalid(f"{here} declares {sorted(unknown)[0]!r} under `metadata`; known are {', '.join(sorted(_KEYS))}")
        scope, offered = declared.get("scope"), declared.get("offered", True)
        if scope is not None and scope not in SCOPES.values():
            raise JourneyInvalid(f"{here} declares the scope {scope!r}; known are {', '.join(sorted(set(SCOPES.values())))}")
        if not isinstance(offered, bool):
            raise JourneyInvalid(f"{here}: `offered` is true or false, not {offered!r}")
        yield Journey(flow_id, scope, zh, en, offered)


def journey_of(stack: Sequence[Mapping[str, Any]] | None) -> Journey:
    """The journey that runs: the topmost frame that is no pattern.

    Args:
        stack: the tracker's dialogue stack as Rasa sends it, the running frame last.

    Raises:
        UnknownJourney: there is none, or this project does not know it.
    """
    for frame in reversed(stack or ()):
        flow_id = str(frame.get("flow_id", ""))
        if flow_id.startswith(PATTERN_PREFIX):
            continue
        if flow_id in journeys():
            return journeys()[flow_id]
        raise UnknownJourney(f"flow {flow_id!r} is not in data/flows/ as this server read it at its start")
    raise UnknownJourney("no journey is on the dialogue stack")


def named(name: str) -> Journey | None:
    """The journey with this flow id or name in either language; None if there is none."""
    if name in journeys():
        return journeys()[name]
    return next((journey for journey in journeys().values() if name in {journey.zh, journey.en}), None)
