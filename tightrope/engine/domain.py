"""Domain files: slots, responses, actions, session configuration (reference/config/domain)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import jinja2

from tightrope.engine.errors import PredicateError, ProjectError
from tightrope.engine.models import Button, Place, Rejection, Response, Slot, SlotType, Variation
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
    session: dict[str, Any] = field(default_factory=dict)
    raw_slots: dict[str, Any] = field(default_factory=dict)
    raw_responses: dict[str, Any] = field(default_factory=dict)
    builtin_slots: set[str] = field(default_factory=set)
    builtin_responses: set[str] = field(default_factory=set)


def compile_condition(value: Any, place: Place) -> Condition:
    """A condition of a file, errors with their place; also the deprecated list form of response conditions.

    Raises:
        ProjectError: it cannot be read.
    """
    if isinstance(value, list):
        try:
            value = " and ".join(f"slots.{item['name']} = {_literal(item['value'])}" for item in value)
        except (KeyError, TypeError):
            raise ProjectError(
                "a list condition needs items {type: slot, name, value}", file=place.file, line=place.line
            ) from None
    if not isinstance(value, str | bool):
        raise ProjectError(f"a condition must be text, not {value!r}", file=place.file, line=place.line)
    try:
        return condition(value)
    except PredicateError as error:
        raise ProjectError(str(error), file=place.file, line=place.line) from None


def _literal(value: Any) -> str:
    """As a condition writes it; texts have no escapes there."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return f'"{value}"' if "'" in str(value) else f"'{value}'"


def read_rejections(found: Any, place: Place) -> tuple[Rejection, ...]:
    """`rejections` of a collect step or of a slot's validation.

    Raises:
        ProjectError: an item lacks `if` or `utter`.
    """
    out: list[Rejection] = []
    for item in found or []:
        if not isinstance(item, Map) or "if" not in item or "utter" not in item:
            raise ProjectError("each rejection needs `if` and `utter`", file=place.file, line=place.line)
        here = Place(place.file, item.line)
        out.append(Rejection(compile_condition(item["if"], here), str(item["utter"])))
    return tuple(out)


def _slot(name: str, raw: Any, place: Place) -> Slot:
    if not isinstance(raw, Map):
        raise ProjectError(f"the slot {name!r} needs at least a type", file=place.file, line=place.line)
    if any(mark in name for mark in "()=,"):
        raise ProjectError(
            f"the slot name {name!r} holds one of ( ) = , which break button payloads", file=place.file, line=place.line
        )
    kind = raw.get("type")
    if kind not in _TYPES:
        raise ProjectError(
            f"the slot {name!r} has the type {kind!r}; known are {', '.join(sorted(_TYPES))}",
            file=place.file,
            line=raw.at("type"),
        )
    unknown = set(raw) - _SLOT_KEYS
    if unknown:
        key = sorted(unknown)[0]
        raise ProjectError(f"the slot {name!r} has the unknown key {key!r}", file=place.file, line=raw.at(key))
    values = tuple(str(value) for value in raw.get("values") or ())
    if kind == "categorical" and not values:
        raise ProjectError(f"the categorical slot {name!r} lists no values", file=place.file, line=place.line)
    mappings = raw.get("mappings")
    validation = raw.get("validation") or {}
    return Slot(
        name=name,
        type=cast("SlotType", kind),
        place=place,
        values=values,
        initial=raw.get("initial_value"),
        mappings=frozenset(str(m.get("type")) for m in mappings) if mappings else frozenset({"from_llm"}),
        every_turn=tuple(str(m["run_action_every_turn"]) for m in mappings or () if m.get("run_action_every_turn")),
        rejections=read_rejections(validation.get("rejections"), Place(place.file, raw.at("validation"))),
        refill_utter=validation.get("refill_utter"),
        minimum=raw.get("min_value"),
        maximum=raw.get("max_value"),
    )


def _template(text: Any, place: Place, *, jinja: bool) -> Template:
    if not jinja:
        return plain_template(str(text))
    try:
        return jinja_template(str(text))
    except jinja2.TemplateSyntaxError as error:
        raise ProjectError(f"the Jinja text cannot be compiled: {error}", file=place.file, line=place.line) from None


def _button(raw: Any, place: Place, *, jinja: bool) -> Button:
    if not isinstance(raw, Map) or "title" not in raw:
        raise ProjectError("a button needs a title and a payload", file=place.file, line=place.line)
    here = Place(place.file, raw.line)
    title, payload = raw["title"], raw.get("payload", raw["title"])
    return Button(
        title=_template(title, here, jinja=jinja),
        payload=_payload(payload),
        translated={
            str(code): (_template(words.get("title", title), here, jinja=jinja), _payload(words.get("payload", payload)))
            for code, words in (raw.get("translation") or {}).items()
        },
    )


def _payload(text: Any) -> Template:
    return plain_template(str(text))


def _variation(raw: Any, place: Place) -> Variation:
    if not isinstance(raw, Map):
        raise ProjectError("a response is a list of variations, each with text or custom", file=place.file, line=place.line)
    unknown = set(raw) - _VARIATION_KEYS
    if unknown:
        key = sorted(unknown)[0]
        raise ProjectError(f"a response has the unknown key {key!r}", file=place.file, line=raw.at(key))
    metadata = raw.get("metadata") or {}
    jinja = metadata.get("template") == "jinja"
    here = Place(place.file, raw.line)
    return Variation(
        text=None if raw.get("text") is None else _template(raw["text"], here, jinja=jinja),
        translated={str(code): _template(text, here, jinja=jinja) for code, text in (raw.get("translation") or {}).items()},
        buttons=tuple(_button(item, here, jinja=jinja) for item in raw.get("buttons") or raw.get("quick_replies") or ()),
        custom=_compiled(raw["custom"]) if raw.get("custom") else None,
        image=plain_template(str(raw["image"])) if raw.get("image") else None,
        attachment=_compiled(raw["attachment"]) if raw.get("attachment") else None,
        channel=raw.get("channel"),
        condition=None
        if raw.get("condition") is None
        else compile_condition(raw["condition"], Place(place.file, raw.at("condition"))),
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


def _twice(what: str, name: str, before: Place, here: Place) -> ProjectError:
    return ProjectError(
        f"the {what} {name!r} is also defined in {before.file}:{before.line}; delete one of them", file=here.file, line=here.line
    )


def read_domain(found: Map, file: str, parts: DomainParts, wrong: list[ProjectError]) -> None:
    """Add one domain file to `parts`; what in it cannot be used, or defines again what another file defines, goes to `wrong`."""
    slots: Any = found.get("slots") or {}
    for name, raw in slots.items():
        place = Place(file, slots.at(name))
        try:
            if name in parts.slots and name not in parts.builtin_slots:
                raise _twice("slot", name, parts.slots[name].place, place)
            parts.builtin_slots.discard(name)
            parts.slots[name] = _slot(name, raw, place)
            parts.raw_slots[name] = raw
        except ProjectError as error:
            wrong.append(error)
    responses: Any = found.get("responses") or {}
    for name, raw in responses.items():
        place = Place(file, responses.at(name))
        try:
            if name in parts.responses and name not in parts.builtin_responses:
                raise _twice("response", name, parts.responses[name].place, place)
            parts.builtin_responses.discard(name)
            parts.responses[name] = _response(name, raw, place)
            parts.raw_responses[name] = raw
        except ProjectError as error:
            wrong.append(error)
    for action in found.get("actions") or ():
        parts.actions.update(action if isinstance(action, Mapping) else (str(action),))
    parts.session.update(found.get("session_config") or {})


def _response(name: str, raw: Any, place: Place) -> Response:
    if not name.startswith("utter_"):
        raise ProjectError(f"the response {name!r} must begin with utter_", file=place.file, line=place.line)
    if not isinstance(raw, Seq) or not raw:
        raise ProjectError(f"the response {name!r} needs a list of variations", file=place.file, line=place.line)
    return Response(name, tuple(_variation(item, place) for item in raw), place)
