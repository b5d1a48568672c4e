"""Choosing and filling a response: condition, channel, variation, language, placeholders (reference/primitives/responses)."""

from __future__ import annotations

import zlib
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import jinja2

from tightrope.engine.commands import parse_payload
from tightrope.engine.errors import CommandSyntaxError
from tightrope.engine.models import Intent, Project, Response, Variation
from tightrope.engine.templates import Template

FALLBACK = "utter_internal_error_rasa"


@dataclass(frozen=True, slots=True)
class Message:
    """A finished message in the shape of Rasa's bot event."""

    text: str | None
    data: dict[str, Any]
    metadata: dict[str, Any]
    problems: tuple[str, ...] = ()


class _IncompleteError(Exception):
    """A response would print None where its author meant a value."""


def _choose(
    response: Response, slots: Mapping[str, Any], context: Mapping[str, Any], channel: str, seed: str
) -> Variation | None:
    """Conditional and for this channel, then for this channel, then conditional, then plain; by seed among equals."""
    if len(response.variations) == 1:
        only = response.variations[0]
        fits = only.channel in {None, channel} and (only.condition is None or only.condition.holds(slots, context))
        return only if fits else None
    ranks: list[list[Variation]] = [[], [], [], []]
    for variation in response.variations:
        if variation.channel not in {None, channel}:
            continue
        conditional = variation.condition is not None
        if variation.condition is not None and not variation.condition.holds(slots, context):
            continue
        ranks[(0 if variation.channel else 2) + (0 if conditional else 1)].append(variation)
    for rank in ranks:
        if rank:
            return rank[zlib.crc32(f"{seed}:{response.name}".encode()) % len(rank)]
    return None


def render(
    project: Project,
    name: str,
    *,
    slots: Mapping[str, Any],
    context: Mapping[str, Any],
    variables: Mapping[str, Any],
    language: str,
    channel: str,
    seed: str,
) -> Message:
    """The message of response `name`; the internal-error response when it does not exist, none of its variations fits, its Jinja
    fails, or (with `complete_responses`) a placeholder has no value.
    """
    response = project.responses.get(name)
    variation = _choose(response, slots, context, channel, seed) if response else None
    if response is None or variation is None:
        why = f"there is no response {name}" if response is None else f"no variation of {name} fits"
    else:
        try:
            return _message(project, name, variation, slots, context, variables, language)
        except jinja2.TemplateError as error:
            why = f"the Jinja text of {name} fails: {error}"
        except _IncompleteError as error:
            why = f"{name} was not said, nothing fills {error}"
    if name == FALLBACK:
        return Message(None, _data(), {"utter_action": name}, (why,))
    instead = render(
        project, FALLBACK, slots=slots, context=context, variables=variables, language=language, channel=channel, seed=seed
    )
    return Message(instead.text, instead.data, instead.metadata, (why, *instead.problems))


def _message(
    project: Project,
    name: str,
    variation: Variation,
    slots: Mapping[str, Any],
    context: Mapping[str, Any],
    variables: Mapping[str, Any],
    language: str,
) -> Message:
    problems: list[str] = []
    values: Mapping[str, Any] = ChainMap(dict(variables), cast("dict[str, Any]", slots)) if variables else slots

    def fill(template: Template) -> str:
        if project.options.complete_responses and any(values.get(hole) is None for hole in template.holes):
            raise _IncompleteError(", ".join(f"{{{hole}}}" for hole in sorted(template.holes) if values.get(hole) is None))
        problems.extend(f"{name}: nothing fills {{{hole}}}" for hole in template.holes if hole not in values)
        return template.fill(values, slots, context)

    text = variation.text
    if text is not None and language != project.language:
        text = variation.translated.get(language, text)
    buttons: list[dict[str, str]] = []
    for button in variation.buttons:
        title, payload = (button.title, button.payload) if language == project.language else button.in_language(language)
        made = {"title": fill(title), "payload": fill(payload)}
        if _keeps_its_form(payload, made["payload"]):
            buttons.append(made)
        else:
            problems.append(f"{name}: a value would change what the button {payload.source!r} does; it is left out")
    buttons.extend(_offers(project, variation.metadata, context, language))
    data = _data(
        buttons=buttons,
        custom=_fill_all(variation.custom, fill) if variation.custom else None,
        image=fill(variation.image) if variation.image else None,
        attachment=_fill_all(variation.attachment, fill) if variation.attachment is not None else None,
        elements=_fill_all(variation.elements, fill) if variation.elements is not None else None,
    )
    metadata = {"utter_action": name}
    if variation.metadata:
        metadata.update(
            {
                key: value
                for key, value in variation.metadata.items()
                if key not in {"template", "offer_flows", "offer_interrupted"}
            }
        )
    if variation.ident:
        metadata["id"] = variation.ident
    return Message(fill(text) if text is not None else None, data, metadata, tuple(problems))


def _data(
    buttons: list[dict[str, str]] | None = None,
    custom: Any = None,
    image: str | None = None,
    attachment: Any = None,
    elements: Any = None,
) -> dict[str, Any]:
    return {
        "elements": elements or None,
        "quick_replies": None,
        "buttons": buttons or None,
        "attachment": attachment or None,
        "image": image or None,
        "custom": custom or None,
    }


def _keeps_its_form(payload: Template, filled: str) -> bool:
    """Whether a filled payload does what its author wrote: a customer's words in it must not name another slot, entity or command."""
    if not payload.holes or not filled.startswith("/"):
        return True
    return _form(filled) == _form(payload.fill(dict.fromkeys(payload.holes, "x"), {}, {}))


def _form(payload: str) -> list[tuple[str, ...]] | None:
    """What a payload does, without values; None if it is no payload."""
    try:
        commands = parse_payload(payload)
    except CommandSyntaxError:
        return None
    return [
        ("intent", c.name, *(entity.name for entity in c.entities)) if isinstance(c, Intent) else (str(getattr(c, "name", c)),)
        for c in commands
    ]


def _offers(project: Project, metadata: Mapping[str, Any], context: Mapping[str, Any], language: str) -> list[dict[str, str]]:
    """Buttons that only the engine can know: the flows to choose from in a clarification or a resumption."""
    if metadata.get("offer_flows"):
        return [
            {"title": project.flow_name(flow, language), "payload": f"/StartFlow({flow})"}
            for flow in context.get("options") or ()
        ]
    if metadata.get("offer_interrupted"):
        flows = context.get("interrupted_flow_ids") or ()
        return [
            {"title": project.flow_name(flow, language), "payload": f"/SetSlots(interrupted_flow_to_continue={flow})"}
            for flow in flows
        ]
    return []


def _fill_all(value: Any, fill: Any) -> Any:
    if isinstance(value, Template):
        return fill(value)
    if isinstance(value, dict):
        return {key: _fill_all(item, fill) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill_all(item, fill) for item in value]
    return value


def from_action(
    project: Project,
    item: Mapping[str, Any],
    *,
    slots: Mapping[str, Any],
    context: Mapping[str, Any],
    language: str,
    channel: str,
    seed: str,
) -> Message:
    """The message of one item of an action's `responses`: a named response with variables, or a finished one."""
    fixed = {"text", "buttons", "elements", "custom", "template", "response", "image", "attachment"}
    variables = {key: value for key, value in item.items() if key not in fixed}
    name = item.get("response") or item.get("template")
    if not name:
        data = _data(*(item.get(key) for key in ("buttons", "custom", "image", "attachment", "elements")))
        return Message(item.get("text"), data, {})
    message = render(
        project, str(name), slots=slots, context=context, variables=variables, language=language, channel=channel, seed=seed
    )
    data = dict(message.data)
    if item.get("buttons"):
        data["buttons"] = [*(data["buttons"] or []), *item["buttons"]]
    for key in ("custom", "image", "attachment", "elements"):
        if item.get(key):
            data[key] = item[key]
    return Message(item.get("text") or message.text, data, message.metadata, message.problems)


def replies(sender_id: str, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the REST channel answers for the bot events among `events`, in Rasa's shape and order."""
    out: list[dict[str, Any]] = []
    for event in events:
        if event.get("event") != "bot":
            continue
        data = event.get("data") or {}
        text, buttons = event.get("text"), data.get("buttons")
        if text and buttons:
            out.append({"recipient_id": sender_id, "text": text, "buttons": buttons})
        elif text:
            out.append({"recipient_id": sender_id, "text": text})
        elif buttons:
            out.append({"recipient_id": sender_id, "buttons": buttons})
        out.extend({"recipient_id": sender_id, key: data[key]} for key in ("custom", "image", "attachment") if data.get(key))
    return out
