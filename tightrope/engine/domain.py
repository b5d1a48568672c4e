"""Domain files: slots, responses, actions, session configuration (reference/config/domain)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import jinja2

from tightrope.engine.errors import PredicateError
from tightrope.engine.mappings import FROM_LLM, Mapping, MappingError, read_mapping
from tightrope.engine.models import Button, Place, Rejection, Response, Slot, SlotType, Variation
from tightrope.engine.problems import Problems
from tightrope.engine.templates import Condition, Template, condition, jinja_template, plain_template
from tightrope.engine.yamlfile import Map, Seq

_TYPES = {"text", "bool", "categorical", "float", "any", "list"}
_SLOT_KEYS = {
    "type", "values", "initial_value", "mappings", "validation", "min_value", "max_value",
    "shared_for_coexistence", "influence_conversation", "allow_llm_set", "description",
}  # fmt: skip
_VARIATION_KEYS = {
    "id", "text", "translation", "image", "custom", "buttons", "button_type", "quick_replies", "attachment", "elements",
    "channel", "allow_interruptions", "metadata", "condition",
}  # fmt: skip


@dataclass(slots=True)
class DomainParts:
    """What the domain files read so far hold together."""

    slots: dict[str, Slot] = field(default_factory=dict)
    responses: dict[str, Response] = field(default_factory=dict)
    actions: set[str] = field(default_factory=set)
    intents: set[str] = field(default_factory=set)
    entities: set[str] = field(default_factory=set)
    session: dict[str, Any] = field(default_factory=dict)
    raw_slots: dict[str, Any] = field(default_factory=dict)
    raw_responses: dict[str, Any] = field(default_factory=dict)
    builtin_slots: set[str] = field(default_factory=set)
    builtin_responses: set[str] = field(default_factory=set)
    action_places: dict[str, Place] = field(default_factory=dict)
    wants_domain: set[str] = field(default_factory=set)


def _unreadable(text: Any) -> Condition:
    """Stands where a condition could not be read, so that the rest of the file can."""
    return Condition(str(text), None, None, lambda _slots, _context: False)


def compile_condition(value: Any, place: Place, told: Problems) -> Condition:
    """A condition of a file, also in the deprecated list form of response conditions; what is wrong with it goes to `told`."""
    if isinstance(value, list):
        try:
            value = " and ".join(f"slots.{item['name']} = {_literal(item['value'])}" for item in value)
        except (KeyError, TypeError):
            told.error(place, "a list condition needs items {type: slot, name, value}", code="condition")
            return _unreadable(value)
    if not isinstance(value, str | bool):
        told.error(place, f"a condition must be text, not {value!r}", code="condition")
        return _unreadable(value)
    try:
        return condition(value)
    except PredicateError as error:
        told.error(place, str(error), code="condition")
        return _unreadable(value)


def _literal(value: Any) -> str:
    """As a condition writes it; texts have no escapes there."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return f'"{value}"' if "'" in str(value) else f"'{value}'"


def read_rejections(found: Any, place: Place, told: Problems) -> tuple[Rejection, ...]:
    """`rejections` of a collect step or of a slot's validation; an item without `if` and `utter` goes to `told`."""
    out: list[Rejection] = []
    for item in found if isinstance(found, Seq) else ([] if found is None else [found]):
        if not isinstance(item, Map) or "if" not in item or "utter" not in item:
            told.error(place, "each rejection needs `if` and `utter`", code="rejection")
            continue
        here = Place(place.file, item.at("if"))
        out.append(Rejection(compile_condition(item["if"], here, told), str(item["utter"])))
    return tuple(out)


def _slot(name: str, raw: Any, place: Place, told: Problems) -> Slot | None:
    if not isinstance(raw, Map):
        told.error(place, f"the slot {name!r} needs at least a type", code="slot")
        return None
    if any(mark in name for mark in "()=,"):
        told.error(place, f"the slot name {name!r} holds one of ( ) = , which break button payloads", code="slot")
    for key in raw:
        if key not in _SLOT_KEYS:
            told.error(Place(place.file, raw.at(key)), f"the slot {name!r} has the unknown key {key!r}", code="slot")
    if "allow_llm_set" in raw:
        told.warn(
            Place(place.file, raw.at("allow_llm_set")),
            f"the slot {name!r}: allow_llm_set is not documented",
            "it has no effect",
            "not-run",
        )
    kind = raw.get("type")
    if isinstance(kind, str) and "." in kind:
        message = f"the slot {name!r} has the class {kind}, which this engine does not run"
        told.error(Place(place.file, raw.at("type")), message, f"write one of {', '.join(sorted(_TYPES))}", "slot")
        return None
    if not isinstance(kind, str) or kind not in _TYPES:
        message = f"the slot {name!r} has the type {kind!r}; known are {', '.join(sorted(_TYPES))}"
        told.error(Place(place.file, raw.at("type")), message, code="slot")
        return None
    listed = raw.get("values")
    values = tuple(str(value) for value in listed) if isinstance(listed, Seq) else ()
    if kind == "categorical" and not values:
        told.error(place, f"the categorical slot {name!r} lists no values", code="slot")
    validation = raw.get("validation") or Map()
    if not isinstance(validation, Map):
        told.error(Place(place.file, raw.at("validation")), f"`validation` of the slot {name!r} holds rejections", code="slot")
        validation = Map()
    if validation and not validation.get("rejections"):
        message = f"`validation` of the slot {name!r} has no rejections"
        told.error(Place(place.file, raw.at("validation")), message, "list {if, utter} below `rejections`", "slot")
    return Slot(
        name=name,
        type=cast("SlotType", kind),
        place=place,
        values=values,
        initial=raw.get("initial_value"),
        mappings=_mappings(name, raw, place, told),
        rejections=read_rejections(validation.get("rejections"), Place(place.file, raw.at("validation")), told),
        refill_utter=str(validation["refill_utter"]) if validation.get("refill_utter") else None,
        minimum=_bound(name, raw, "min_value", place, told),
        maximum=_bound(name, raw, "max_value", place, told),
        shared=raw.get("shared_for_coexistence") is True,
    )


def _mappings(name: str, raw: Map, place: Place, told: Problems) -> tuple[Mapping, ...]:
    """What may fill the slot: understanding, if the file does not say."""
    found = raw.get("mappings") or Seq()
    if not isinstance(found, Seq):
        told.error(Place(place.file, raw.at("mappings")), f"`mappings` of the slot {name!r} is a list of mappings", code="slot")
        return (FROM_LLM,)
    out: list[Mapping] = []
    for number, item in enumerate(found):
        try:
            out.append(read_mapping(item))
        except MappingError as error:
            told.error(Place(place.file, found.item_lines[number]), f"the slot {name!r}: {error}", code="slot")
    return tuple(out) or (FROM_LLM,)


def _bound(name: str, raw: Map, key: str, place: Place, told: Problems) -> float | None:
    found = raw.get(key)
    if found is None or (isinstance(found, int | float) and not isinstance(found, bool)):
        return found
    told.error(Place(place.file, raw.at(key)), f"`{key}` of the slot {name!r} must be a number, not {found!r}", code="slot")
    return None


def _template(text: Any, place: Place, told: Problems, *, jinja: bool) -> Template:
    if not jinja:
        return plain_template(str(text))
    try:
        return jinja_template(str(text))
    except jinja2.TemplateSyntaxError as error:
        told.error(place, f"the Jinja text cannot be compiled: {error}", code="response")
        return plain_template("")


def _languages(found: Any, place: Place, told: Problems) -> Map:
    """`translation`: a mapping of language codes."""
    if found is None or isinstance(found, Map):
        return found or Map()
    told.error(place, "`translation` is a mapping of languages", code="response")
    return Map()


def _button(raw: Any, place: Place, told: Problems, *, jinja: bool) -> Button | None:
    if not isinstance(raw, Map) or "title" not in raw:
        told.error(place, "a button needs a title and a payload", code="response")
        return None
    here = Place(place.file, raw.line)
    title, payload = raw["title"], raw.get("payload", raw["title"])
    translated: dict[str, tuple[Template, Template]] = {}
    for code, words in _languages(raw.get("translation"), here, told).items():
        if isinstance(words, Map):
            translated[str(code)] = (
                _template(words.get("title", title), here, told, jinja=jinja),
                _payload(words.get("payload", payload)),
            )
        else:
            told.error(here, "the translation of a button has a title and a payload", code="response")
    return Button(_template(title, here, told, jinja=jinja), _payload(payload), translated)


def _payload(text: Any) -> Template:
    return plain_template(str(text))


def _variation(raw: Any, place: Place, told: Problems) -> Variation | None:
    if not isinstance(raw, Map):
        told.error(place, "a response is a list of variations, each with text or custom", code="response")
        return None
    for key in raw:
        if key not in _VARIATION_KEYS:
            told.error(Place(place.file, raw.at(key)), f"a response has the unknown key {key!r}", code="response")
    here = Place(place.file, raw.line)
    metadata = raw.get("metadata") or {}
    if not isinstance(metadata, Map):
        if metadata:
            told.error(Place(place.file, raw.at("metadata")), "`metadata` of a response is a mapping", code="response")
        metadata = Map()
    jinja = metadata.get("template") == "jinja"
    channel = raw.get("channel")
    if not isinstance(channel, str | None):
        told.error(Place(place.file, raw.at("channel")), "`channel` of a response is the name of one channel", code="response")
        channel = None
    shown = raw.get("buttons") or raw.get("quick_replies") or ()
    if not isinstance(shown, Seq | tuple):
        told.error(here, "`buttons` is a list of title and payload", code="response")
        shown = ()
    buttons = (_button(item, here, told, jinja=jinja) for item in shown)
    translation = _languages(raw.get("translation"), here, told)
    return Variation(
        text=None if raw.get("text") is None else _template(raw["text"], here, told, jinja=jinja),
        translated={str(code): _template(text, here, told, jinja=jinja) for code, text in translation.items()},
        buttons=tuple(button for button in buttons if button is not None),
        custom=_compiled(raw["custom"]) if raw.get("custom") else None,
        image=plain_template(str(raw["image"])) if raw.get("image") else None,
        attachment=_compiled(raw["attachment"]) if raw.get("attachment") else None,
        elements=_compiled(raw["elements"]) if raw.get("elements") else None,
        channel=channel,
        condition=None
        if raw.get("condition") is None
        else compile_condition(raw["condition"], Place(place.file, raw.at("condition")), told),
        metadata=dict(metadata),
        ident=raw.get("id"),
    )


def _compiled(value: Any) -> Any:
    """Custom payloads with every text in them compiled."""
    if isinstance(value, str):
        return plain_template(value)
    if isinstance(value, dict):
        return {key: _compiled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_compiled(item) for item in value]
    return value


def _section(found: Map, key: str, file: str, told: Problems) -> Map:
    """A mapping of names below a top-level key; empty when there is none."""
    section = found.get(key) or Map()
    if isinstance(section, Map):
        return section
    told.error(Place(file, found.at(key)), f"`{key}` must be a mapping of names", code="domain")
    return Map()


def _again(what: str, name: str, before: Place, here: Place, told: Problems) -> None:
    message = f"the {what} {name!r} is also defined in {before.file}:{before.line}"
    told.error(here, message, "delete one of them", "duplicate")


def read_domain(found: Map, file: str, parts: DomainParts, told: Problems) -> None:
    """Add one domain file to `parts`; what in it cannot be used, or defines again what another file defines, goes to `told`."""
    slots = _section(found, "slots", file, told)
    for name, raw in slots.items():
        place = Place(file, slots.at(name))
        if name in parts.slots and name not in parts.builtin_slots:
            _again("slot", name, parts.slots[name].place, place, told)
            continue
        slot = _slot(name, raw, place, told)
        if slot is None:
            told.unread.add(name)
            continue
        parts.builtin_slots.discard(name)
        parts.slots[name] = slot
        parts.raw_slots[name] = raw
    responses = _section(found, "responses", file, told)
    for name, raw in responses.items():
        place = Place(file, responses.at(name))
        if name in parts.responses and name not in parts.builtin_responses:
            _again("response", name, parts.responses[name].place, place, told)
            continue
        response = _response(name, raw, place, told)
        if response is None:
            told.unread.add(name)
            continue
        parts.builtin_responses.discard(name)
        parts.responses[name] = response
        parts.raw_responses[name] = raw
    _read_actions(found, file, parts, told)
    parts.intents.update(_names(found, "intents"))
    parts.entities.update(_names(found, "entities"))
    parts.session.update(_section(found, "session_config", file, told))


def _names(found: Map, key: str) -> Iterator[str]:
    """A list of names, some perhaps with settings below them; anything else belongs to what is not run."""
    for item in found[key] if isinstance(found.get(key), Seq) else ():
        yield from item if isinstance(item, Map) else (str(item),)


def _read_actions(found: Map, file: str, parts: DomainParts, told: Problems) -> None:
    listed = found.get("actions") or Seq()
    if not isinstance(listed, Seq):
        told.error(Place(file, found.at("actions")), "`actions` must be a list of names", code="domain")
        return
    for number, action in enumerate(listed):
        if not isinstance(action, str | Map):
            told.error(Place(file, listed.item_lines[number]), f"an action is named by text, not by {action!r}", code="domain")
            continue
        for name in action if isinstance(action, Map) else (action,):
            parts.actions.add(name)
            if isinstance(action, Map) and isinstance(action[name], Map) and action[name].get("send_domain") is True:
                parts.wants_domain.add(name)
            parts.action_places.setdefault(name, Place(file, listed.item_lines[number]))


def _response(name: str, raw: Any, place: Place, told: Problems) -> Response | None:
    if not name.startswith("utter_"):
        told.error(place, f"the response {name!r} must begin with utter_", code="response")
        return None
    if not isinstance(raw, Seq) or not raw:
        told.error(place, f"the response {name!r} needs a list of variations", code="response")
        return None
    variations = (_variation(item, place, told) for item in raw)
    return Response(name, tuple(variation for variation in variations if variation is not None), place)
