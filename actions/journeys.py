"""The journeys that actions know: those of data/flows/, with the names, the scope and the offer that their flows declare.

A flow says under `metadata` what the engine need not know: `scope`, what the grant must hold before the journey may go on (none: open to
everybody); `offered: false`, when it may not stand on a button of a clarification; `urgent: true`, when a customer whom it cannot serve
(it is switched off) comes first in the queue of people; `helper: true`, when it is only called by journeys and is none itself; and
`explains: true`, when it needs the scope of the verdict that it explains (verdicts.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from tightrope.business.operations import SCOPES
from tightrope.infra.settings import get_settings

PATTERN_PREFIX: Final = "pattern_"
_KEYS: Final = frozenset({"scope", "offered", "urgent", "helper", "explains"})
_FLAGS: Final[Mapping[str, bool]] = {"offered": True, "urgent": False, "helper": False, "explains": False}


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
    urgent: bool = False
    """Whether a customer of this journey comes first in the queue of people when it is switched off."""
    helper: bool = False
    """Whether it is a part that journeys call: what it does is done for the journey below it on the stack."""
    explains: bool = False
    """Whether its scope is that of the last verdict."""

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
        scope = declared.get("scope")
        if scope is not None and scope not in SCOPES.values():
            raise JourneyInvalid(f"{here} declares the scope {scope!r}; known are {', '.join(sorted(set(SCOPES.values())))}")
        flags = {name: declared.get(name, usual) for name, usual in _FLAGS.items()}
        for flag, value in flags.items():
            if not isinstance(value, bool):
                raise JourneyInvalid(f"{here}: `{flag}` is true or false, not {value!r}")
        if flags["helper"] and (scope is not None or flags["offered"]):
            raise JourneyInvalid(f"{here} is a helper: it has no scope of its own and says `offered: false`")
        yield Journey(flow_id, scope, zh, en, **flags)


def journey_of(stack: Sequence[Mapping[str, Any]] | None) -> Journey:
    """The journey that runs: the topmost frame that is neither a pattern nor a helper.

    Args:
        stack: the tracker's dialogue stack as Rasa sends it, the running frame last.

    Raises:
        UnknownJourney: there is none, or this project does not know it.
    """
    for frame in reversed(stack or ()):
        flow_id = str(frame.get("flow_id", ""))
        if flow_id.startswith(PATTERN_PREFIX):
            continue
        found = journeys().get(flow_id)
        if found is not None and found.helper:
            continue
        if found is not None:
            return found
        raise UnknownJourney(f"flow {flow_id!r} is not in data/flows/ as this server read it at its start")
    raise UnknownJourney("no journey is on the dialogue stack")


def named(name: str) -> Journey | None:
    """The journey with this flow id or name in either language; None if there is none."""
    known = journeys()
    found = known.get(name) or next((journey for journey in known.values() if name in {journey.zh, journey.en}), None)
    return None if found is None or found.helper else found


def any_private(stack: Sequence[Mapping[str, Any]] | None) -> bool:
    """Whether a journey that shows or asks for a customer's own is under way, on top or waiting below; one that is not known counts as private."""
    for frame in stack or ():
        flow_id = str(frame.get("flow_id", ""))
        if flow_id.startswith(PATTERN_PREFIX):
            continue
        found = journeys().get(flow_id)
        if found is None or found.scope is not None or found.helper or found.explains:
            return True
    return False
