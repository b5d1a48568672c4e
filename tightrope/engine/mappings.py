"""What fills a slot, and which intents start a flow: the types and how a project file writes them (reference/primitives/slots, starting-flows).

The engine has no classifier: an intent comes from a payload (`/intent{…}`) or from outside (trigger_intent). What it then fills and starts is
in intents.py.
"""

from __future__ import annotations

from collections.abc import Mapping as Keys
from dataclasses import dataclass
from typing import Any

NLU_TYPES = frozenset({"from_entity", "from_intent", "from_text", "from_trigger_intent"})
MAPPING_TYPES = NLU_TYPES | {"from_llm", "controlled", "custom"}

_CONDITION_KEYS = {"active_flow", "active_loop", "requested_slot"}
_MAPPING_KEYS = {
    "type", "entity", "role", "group", "intent", "not_intent", "value", "conditions", "allow_nlu_correction",
    "run_action_every_turn", "action", "coexistence_system",
}  # fmt: skip
_NEEDS = {"from_entity": "entity", "from_intent": "value", "from_trigger_intent": "value"}


@dataclass(frozen=True, slots=True)
class Entity:
    """Something that an intent message names."""

    name: str
    value: Any
    role: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class MappingCondition:
    """A mapping counts while all that is given here holds; `loop` names a form, and forms do not run here."""

    flow: str | None = None
    asked: str | None = None
    loop: str | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """One way in which a slot may be filled. With several `conditions` one of them is enough."""

    type: str
    entity: str | None = None
    role: str | None = None
    group: str | None = None
    intents: frozenset[str] = frozenset()
    not_intents: frozenset[str] = frozenset()
    value: Any = None
    conditions: tuple[MappingCondition, ...] = ()
    allow_nlu_correction: bool = False
    every_turn: str | None = None


FROM_LLM = Mapping("from_llm")
"""What a slot without `mappings` has."""


@dataclass(frozen=True, slots=True)
class FlowTrigger:
    """An intent that starts a flow if it is at least this sure."""

    intent: str
    threshold: float = 0.0


class MappingError(ValueError):
    """A mapping or trigger cannot be used; says why. The reader adds the place."""


def read_mapping(raw: Any) -> Mapping:
    """One item of a slot's `mappings`.

    Raises:
        MappingError: it has no known type, an unknown key, or lacks what its type needs.
    """
    if not isinstance(raw, dict):
        raise MappingError("each mapping needs a `type`")
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in MAPPING_TYPES:
        raise MappingError(f"the mapping type {kind!r} is not known; known are {', '.join(sorted(MAPPING_TYPES))}")
    unknown = set(raw) - _MAPPING_KEYS
    if unknown:
        raise MappingError(f"a mapping has no key {min(unknown)!r}")
    needed = _NEEDS.get(kind)
    if needed is not None and needed not in raw:
        raise MappingError(f"a {kind} mapping needs `{needed}`")
    return Mapping(
        type=kind,
        entity=_word(raw.get("entity")),
        role=_word(raw.get("role")),
        group=_word(raw.get("group")),
        intents=_words(raw.get("intent")),
        not_intents=_words(raw.get("not_intent")),
        value=raw.get("value"),
        conditions=tuple(_condition(item) for item in raw.get("conditions") or ()),
        allow_nlu_correction=raw.get("allow_nlu_correction") is True,
        # `custom` is the older way to say what `controlled` says with run_action_every_turn.
        every_turn=_word(raw.get("run_action_every_turn") or (raw.get("action") if kind == "custom" else None)),
    )


def _condition(raw: Any) -> MappingCondition:
    if not isinstance(raw, dict) or not raw or set(raw) - _CONDITION_KEYS:
        raise MappingError(f"a mapping condition needs one of {', '.join(sorted(_CONDITION_KEYS))}")
    return MappingCondition(_word(raw.get("active_flow")), _word(raw.get("requested_slot")), _word(raw.get("active_loop")))


def read_triggers(raw: Any) -> tuple[FlowTrigger, ...]:
    """A flow's `nlu_trigger`: a list of `intent: name` or `intent: {name, confidence_threshold}`.

    Raises:
        MappingError: it has another form.
    """
    if raw is None:
        return ()
    if not isinstance(raw, list):
        raise MappingError("`nlu_trigger` is a list of `intent: name` or `intent: {name, confidence_threshold}`")
    return tuple(_trigger(item) for item in raw)


def _trigger(raw: Any) -> FlowTrigger:
    intent = raw.get("intent") if isinstance(raw, dict) else None
    if isinstance(intent, str) and intent:
        return FlowTrigger(intent)
    if isinstance(intent, dict) and isinstance(intent.get("name"), str):
        threshold = intent.get("confidence_threshold", 0.0)
        if isinstance(threshold, int | float) and not isinstance(threshold, bool) and 0 <= threshold <= 1:
            return FlowTrigger(intent["name"], float(threshold))
        raise MappingError(f"confidence_threshold is a number from 0 to 1, not {threshold!r}")
    raise MappingError("each item of `nlu_trigger` is `intent: name` or `intent: {name, confidence_threshold}`")


def read_entities(raw: Any) -> tuple[Entity, ...]:
    """Entities of an intent message: `{"name": value or [values]}` or `[{"entity", "value", "role"?, "group"?}]`.

    Raises:
        MappingError: they have another form.
    """
    if raw is None:
        return ()
    if isinstance(raw, Keys):
        return tuple(
            Entity(str(name), value) for name, found in raw.items() for value in (found if isinstance(found, list) else [found])
        )
    if not isinstance(raw, list) or not all(isinstance(item, Keys) and isinstance(item.get("entity"), str) for item in raw):
        raise MappingError("entities are an object of names and values, or a list of {entity, value}")
    return tuple(Entity(item["entity"], item.get("value"), _word(item.get("role")), _word(item.get("group"))) for item in raw)


def _word(found: Any) -> str | None:
    return None if found is None else str(found)


def _words(found: Any) -> frozenset[str]:
    if found is None:
        return frozenset()
    return frozenset(str(item) for item in found) if isinstance(found, list) else frozenset({str(found)})
