"""Slots and responses by themselves: values, rules, wording, languages."""

from __future__ import annotations

from typing import Any

from tightrope.engine.applying import REFUSED, coerce
from tightrope.engine.check.conditions import look_at
from tightrope.engine.check.flows import foreign_value
from tightrope.engine.check.view import View
from tightrope.engine.check.worlds import constant
from tightrope.engine.models import Place, Response, Slot
from tightrope.engine.templates import Condition
from tightrope.engine.yamlfile import Map

_OURS = {"en", "zh"}
LISTED = 4
"""How many things of one kind are told one by one; more are told in one line."""


def check_domain(view: View) -> None:
    """Each slot and response of the project by itself."""
    for slot in view.project.slots.values():
        if not slot.place.file.startswith("defaults/"):
            _slot(view, slot)
    for response in view.responses:
        _response(view, response)
    _translations(view)


def _slot(view: View, slot: Slot) -> None:
    told, place = view.told, slot.place
    raw = _raw_slot(view, slot)
    folded: dict[str, str] = {}
    for value in slot.values if slot.type == "categorical" else ():
        other = folded.setdefault(value.strip().casefold(), value)
        if other != value or slot.values.count(value) > 1:
            message = (
                f"the values {other!r} and {value!r} of the slot {slot.name!r} cannot be told apart: case and blanks do not count"
            )
            told.warn(Place(place.file, raw.at("values")), message, "keep one of them", "same-values")
    if slot.initial is not None and slot.type != "list" and coerce(slot, slot.initial) is REFUSED:
        mend = f"it takes {', '.join(slot.allowed_values)}" if slot.allowed_values else "give it a value of its type, or none"
        message = f"the initial value {slot.initial!r} of the slot {slot.name!r} is not of its type {slot.type}"
        told.error(Place(place.file, raw.at("initial_value")), message, mend, "slot-value")
    if slot.minimum is not None and slot.maximum is not None and slot.minimum > slot.maximum:
        message = f"the slot {slot.name!r} takes nothing: min_value {slot.minimum} is above max_value {slot.maximum}"
        told.error(Place(place.file, raw.at("min_value")), message, "exchange them", "slot-value")
    for key, kinds in (("values", {"categorical"}), ("min_value", {"float"}), ("max_value", {"float"})):
        if key in raw and slot.type not in kinds:
            message = f"`{key}` means nothing for the slot {slot.name!r} of type {slot.type}"
            told.warn(Place(place.file, raw.at(key)), message, f"make it {min(kinds)}, or take `{key}` out", "slot-key")
    for rejection in slot.rejections:
        look_at(view, rejection.condition, Place(place.file, raw.at("validation")), in_pattern=False)
        others = view.worlds.slots_of(rejection.condition) - {slot.name}
        if others:
            message = (
                f"a rule of the slot {slot.name!r} looks at {', '.join(sorted(others))}: Rasa lets it look at its own slot only"
            )
            mend = "put the rule into `rejections` of the collect step"
            told.warn(Place(place.file, raw.at("validation")), message, mend, "slot-rule")
        if not view.has_response(rejection.utter):
            view.no_response(Place(place.file, raw.at("validation")), "", rejection.utter)
    if slot.refill_utter and not view.has_response(slot.refill_utter):
        view.no_response(Place(place.file, raw.at("validation")), "", slot.refill_utter)
    for action in slot.every_turn:
        if action not in view.project.actions and view.domain_whole:
            message = f"the slot {slot.name!r} runs {action!r} every turn, which the domain does not have"
            told.error(
                Place(place.file, _line_of(raw.get("mappings"), action)), message, "list it under `actions`", "unknown-action"
            )


def _line_of(mappings: Any, action: str) -> int:
    """Where one of a slot's mappings names an action."""
    for mapping in mappings if isinstance(mappings, list) else ():
        if isinstance(mapping, Map):
            for key in ("run_action_every_turn", "action"):
                if mapping.get(key) == action:
                    return mapping.at(key)
    return 1


def _raw_slot(view: View, slot: Slot) -> Map:
    slots = view.reading.domain_files.get(slot.place.file, Map()).get("slots")
    found = slots.get(slot.name) if isinstance(slots, Map) else None
    return found if isinstance(found, Map) else Map(slot.place.line)


def raw_variations(view: View, response: Response) -> list[Map]:
    """The variations of a response as its file has them, in the same order as the compiled ones."""
    responses = view.reading.domain_files.get(response.place.file, Map()).get("responses")
    found = responses.get(response.name) if isinstance(responses, Map) else None
    maps = [item for item in found if isinstance(item, Map)] if isinstance(found, list) else []
    return maps if len(maps) == len(response.variations) else [Map(response.place.line) for _ in response.variations]


def _response(view: View, response: Response) -> None:
    told, file = view.told, response.place.file
    for variation, raw in zip(response.variations, raw_variations(view, response), strict=True):
        if variation.condition is not None:
            place = Place(file, raw.at("condition"))
            look_at(view, variation.condition, place, in_pattern=True)
            if constant(variation.condition) is False or not view.worlds.possible([(variation.condition, True)]):
                message = f"a wording of {response.name} is never said: {variation.condition.text!r} never holds"
                told.warn(place, message, foreign_value(view, variation.condition), "never-taken")
        said = (variation.text, variation.custom, variation.image, variation.attachment)
        if all(part is None for part in said):
            message = f"a wording of {response.name} says nothing"
            told.error(Place(file, raw.line), message, "give it text, custom, image or attachment", "silent-response")
    if not view.said_by.get(response.name):
        lacking = unsaid(response)
        if lacking is not None and view.worlds.possible(lacking):
            tell_unsaid(view, response, response.place)


def unsaid(response: Response) -> list[tuple[Condition, bool]] | None:
    """How conditions come out when a response has nothing to say; None when it always has something."""
    plain = [v for v in response.variations if v.channel is None]
    if not response.variations or any(v.condition is None for v in plain):
        return None
    return [(v.condition, False) for v in plain if v.condition is not None]


def tell_unsaid(view: View, response: Response, place: Place) -> None:
    """Tell of a response that has nothing to say."""
    why = "none of its conditions holds" if unsaid(response) else "the channel is another one"
    message = f"when {why}, {response.name} has nothing to say and the internal error is said instead"
    view.told.warn(place, message, "add a wording without a condition", "no-default")


def _translations(view: View) -> None:
    """Texts, buttons and flow names that lack one of the project's languages."""
    for code in view.project.languages[1:]:
        texts: list[tuple[Place, str]] = []
        names: list[tuple[Place, str]] = []
        for response in view.responses:
            lacks = any(v.text is not None and v.text.source.strip() and code not in v.translated for v in response.variations)
            if lacks:
                texts.append((response.place, response.name))
            elif any(code not in button.translated for v in response.variations for button in v.buttons):
                texts.append((response.place, f"a button of {response.name}"))
        for flow in view.flows:
            # Names are shown to customers when they are asked which task they mean.
            if (
                "name" in view.raw_flow(flow)
                and not flow.is_pattern
                and flow.guard is not False
                and code not in flow.translated_names
            ):
                names.append((view.at(flow, "name"), f"the name of {flow.id}"))
        for found in (texts, names):
            tell_all(view, found, f"not translated to {code!r}", "add it under `translation`", "translation")
    _builtin_words(view)


def _builtin_words(view: View) -> None:
    language = view.project.language
    if language.partition("-")[0] in _OURS or not isinstance(view.reading.config.get("language"), str):
        return
    used = sorted(
        name
        for name, response in view.project.responses.items()
        if response.place.file.startswith("defaults/") and response.variations
    )
    place = Place(view.reading.config_file, view.reading.config.at("language"))
    message = (
        f"{len(used)} built-in responses exist in English and Chinese only and would be said in English, not in {language!r}"
    )
    view.told.warn(place, message, f"word them in the domain: {', '.join(used[:LISTED])}, …", "translation")


def tell_all(view: View, found: list[tuple[Place, str]], what: str, mend: str, code: str) -> None:
    """Warn of many things of one kind: each by itself if they are few, else in one line at the first."""
    if len(found) <= LISTED:
        for place, name in found:
            view.told.warn(place, f"{name} is {what}", mend, code)
        return
    names = ", ".join(name if len(name) < 60 else f"{name[:56]} …" for _, name in found[:LISTED])
    view.told.warn(found[0][0], f"{len(found)} are {what}: {names} and {len(found) - LISTED} more", mend, code)
