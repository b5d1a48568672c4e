"""What the neighbours answered, checked before anything of it counts: an answer that lies in one place is not used at all.

An event kind that rasa-sdk does not have or an item of another shape refuses the whole answer. What a newer action server may honestly say
is let through and told to operators by the core: a slot that this domain does not have, an event kind that flows do not use.
"""

from __future__ import annotations

from typing import Any

import orjson

from tightrope.engine.errors import ActionFailed

MAX_DEPTH = 100
"""Nested objects and lists in what comes from outside. orjson reads 1,024 and writes 254, so that what is deeper could not be kept."""

EVENT_KINDS = frozenset(
    {
        "slot", "reset_slots", "followup", "session_started", "session_ended", "action", "user", "bot", "pause", "resume", "restart",
        "reminder", "cancel_reminder", "rewind", "undo", "export", "agent", "active_loop", "loop_interrupted",
        "action_execution_rejected", "entities",
    }
)  # fmt: skip
"""Event kinds of rasa-sdk (rasa_sdk.events)."""


class TooDeep(ValueError):
    """JSON that is nested deeper than MAX_DEPTH."""


def read_json(content: bytes) -> Any:
    """JSON from outside.

    Raises:
        ValueError: it is none, or nested too deep (`TooDeep`).
    """
    found = orjson.loads(content)
    # Nesting cannot be deeper than there are brackets; most bodies are done here.
    if content.count(b"[") + content.count(b"{") > MAX_DEPTH and _deeper(found, MAX_DEPTH):
        raise TooDeep(f"nested deeper than {MAX_DEPTH}")
    return found


def _deeper(found: Any, depth: int) -> bool:
    level = [found]
    for _ in range(depth):
        level = [
            item
            for one in level
            for item in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def read_action(name: str, content: bytes) -> tuple[list[Any], list[Any]]:
    """Events and responses of an action's answer with status 200.

    Raises:
        ActionFailed: it is no answer of an action server; the reason holds nothing of its content, which may be customers' data.
    """
    try:
        found = read_json(content)
    except TooDeep as error:
        raise ActionFailed(name, f"an answer {error}") from None
    except ValueError:
        raise ActionFailed(name, "an answer that is no JSON") from None
    if not isinstance(found, dict):
        raise ActionFailed(name, "an answer without events and responses")
    events, responses = found.get("events") or [], found.get("responses") or []
    if not isinstance(events, list) or not isinstance(responses, list):
        raise ActionFailed(name, "events or responses of another shape")
    for event in events:
        if why := wrong_event(event):
            raise ActionFailed(name, why)
    for response in responses:
        if why := _wrong_message(response):
            raise ActionFailed(name, why)
    return events, responses


def wrong_event(event: Any) -> str | None:
    """What is wrong with an event, if anything."""
    if not isinstance(event, dict):
        return "an event that is no object"
    kind = event.get("event")
    if not isinstance(kind, str) or kind not in EVENT_KINDS:
        return "an event of a kind that does not exist"
    if kind in {"slot", "followup"} and not (isinstance(event.get("name"), str) and event["name"]):
        return f"the event {kind} without a name"
    if kind == "bot":
        if not all(isinstance(event.get(key), dict | None) for key in ("data", "metadata")):
            return "a bot event whose data or metadata have another shape"
        return _wrong_message({**(event.get("data") or {}), "text": event.get("text")})
    return None


def _wrong_message(message: Any) -> str | None:
    if not isinstance(message, dict):
        return "a response that is no object"
    for key in ("text", "response", "template", "image"):
        if not isinstance(message.get(key), str | None):
            return f"a response whose {key} is no text"
    if not isinstance(message.get("custom"), dict | None) or not isinstance(message.get("elements"), list | None):
        return "a response whose custom or elements have another shape"
    if not isinstance(message.get("attachment"), dict | str | None):
        return "a response whose attachment has another shape"
    buttons = message.get("buttons")
    if not isinstance(buttons, list | None):
        return "a response whose buttons are no list"
    for button in buttons or ():
        if not isinstance(button, dict) or not all(isinstance(button.get(key), str | None) for key in ("title", "payload")):
            return "a button without title and payload"
    return None
