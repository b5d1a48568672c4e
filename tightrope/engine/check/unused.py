"""What the domain has and nothing names. A name counts as used wherever it stands: flows, stories, rules, prompts, actions' sources."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tightrope.engine.builtins import BUILTINS
from tightrope.engine.check.domain import tell_all
from tightrope.engine.check.view import View, is_builtin
from tightrope.engine.loader import default_names
from tightrope.engine.models import ROUTING_SLOT, Place
from tightrope.engine.yamlfile import Map, Seq

_SAID_BY_RASA = frozenset({"utter_default", "utter_ask_affirmation", "utter_restart"})
"""Responses of Rasa's own NLU-era actions."""
_WORD = re.compile(r"[A-Za-z_][\w.\-]*")


def check_unused(view: View) -> None:
    """Slots, responses and actions that nothing uses; nothing is told while a file cannot be read, or actions lie elsewhere."""
    if not view.whole or not view.knows_actions:
        return
    words = _words(view)
    _slots(view, words)
    _responses(view, words)
    _actions(view, words)


def _words(view: View) -> Counter[str]:
    """How often each word stands in the flows, stories, rules and prompts, and in the values of the domain."""
    found: Counter[str] = Counter()
    for text in view.reading.flow_files.values():
        found.update(_texts(text))
    for text in (view.reading.config, view.reading.endpoints):
        found.update(_texts(text))
    for domain in view.reading.domain_files.values():
        for section in ("slots", "responses"):
            defined = domain.get(section)
            for value in defined.values() if isinstance(defined, Map) else ():
                found.update(_texts(value))
        for section in ("forms", "entities", "e2e_actions"):
            found.update(_texts(domain.get(section)))
    root = Path(view.project.root)
    for path in sorted(root.glob("prompt*/**/*.jinja2")) + sorted(root.glob("*.jinja2")):
        found.update(_WORD.findall(path.read_text(encoding="utf-8", errors="replace")))
    return found


def _texts(value: Any) -> Iterator[str]:
    """Words of keys and values; `slots.x` counts as x too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        for word in _WORD.findall(value):
            yield word
            yield from (part for part in word.split(".") if part != word)


def _slots(view: View, words: Counter[str]) -> None:
    unused: dict[str, list[tuple[Place, str]]] = defaultdict(list)
    for slot in view.project.slots.values():
        if (
            is_builtin(slot.place)
            or slot.name in words
            or view.sources.mentions(slot.name)
            or slot.name in default_names() | {ROUTING_SLOT}
        ):
            continue
        if slot.every_turn:
            continue
        unused[slot.place.file].append((slot.place, f"the slot {slot.name!r}"))
    for found in unused.values():
        tell_all(view, found, "used by nothing", "delete it, or use it", "unused")
    for slot in view.project.slots.values():
        if is_builtin(slot.place) or slot.name not in words or slot.every_turn or slot.initial is not None:
            continue
        if slot.name not in view.owners and not slot.by_intent and not view.sources.may_write(slot.name):
            message = f"nothing fills the slot {slot.name!r}: no step collects or sets it and no action names it"
            view.told.warn(slot.place, message, "collect it, let an action set it, or delete it", "never-filled")


def _responses(view: View, words: Counter[str]) -> None:
    collected = {step.target for flow in view.project.flows.values() for step in flow.collects()}
    forms = {f"{name}_{slot}" for name, slots in _forms(view).items() for slot in slots}
    asks = {f"utter_ask_{name}" for name in collected | forms}
    builtin = default_names() | _SAID_BY_RASA
    # Names that patterns make: `utter_about_{{context.reason}}`.
    templates = (s.target.partition("{{")[0] for flow in view.flows for s in flow.steps.values() if s.template is not None)
    made = tuple(start for start in templates if start.startswith("utter_"))
    unused: dict[str, list[tuple[Place, str]]] = defaultdict(list)
    for response in view.responses:
        name = response.name
        if name in words or name in asks or name in builtin or view.sources.mentions(name) or name.startswith(made):
            continue
        unused[response.place.file].append((response.place, f"the response {name}"))
    for found in unused.values():
        tell_all(view, found, "said by nothing", "delete it, or say it", "unused")


def _forms(view: View) -> dict[str, list[str]]:
    """Forms of an NLU-based assistant with the slots that they ask for; a domain may also list their names alone."""
    out: dict[str, list[str]] = {}
    for domain in view.reading.domain_files.values():
        found = domain.get("forms")
        for name in found if isinstance(found, Map | Seq) else ():
            form = found[name] if isinstance(found, Map) else None
            slots = form.get("required_slots") if isinstance(form, Map) else None
            out[str(name)] = [str(slot) for slot in slots] if isinstance(slots, Map | Seq) else []
    return out


def _actions(view: View, words: Counter[str]) -> None:
    asked = {f"action_ask_{name}" for flow in view.project.flows.values() for name in (s.target for s in flow.collects())}
    forms = _forms(view)
    unused: dict[str, list[tuple[Place, str]]] = defaultdict(list)
    for name, place in view.reading.action_places.items():
        rest = name.removeprefix("validate_")
        if name in words or name in asked or name in BUILTINS or (rest != name and (rest in view.project.slots or rest in forms)):
            continue
        if any(name.startswith(f"action_ask_{form}_") for form in forms) or view.sources.named[name] > 1:
            continue
        unused[place.file].append((place, f"the action {name}"))
    for found in unused.values():
        tell_all(view, found, "used by nothing", "delete it, or use it", "unused")
    if view.sources.there and any(name in view.sources.named for name in view.reading.action_places):
        for name, place in view.reading.action_places.items():
            if not view.sources.mentions(name) and name not in BUILTINS and (name in words or name in asked):
                message = f"no action of this name is in the sources: {name!r}"
                view.told.warn(place, message, "write it, or take it out of the domain", "no-such-action")
