"""Events that come from outside by the tracker API: checked so far that no event can break a later turn."""

from __future__ import annotations

import re
from typing import Any

import orjson

from tightrope.engine.answers import EVENT_KINDS, wrong_event
from tightrope.engine.core import step
from tightrope.engine.models import (
    CancelFlow,
    CannotHandle,
    Command,
    KnowledgeAnswer,
    Project,
    RepeatBotMessages,
    SetSlot,
    UserMessage,
)
from tightrope.engine.state import Event, State

_OWN_KINDS = frozenset({"stack", "flow_started", "flow_completed", "flow_cancelled", "flow_interrupted", "flow_resumed"})
KINDS = EVENT_KINDS | _OWN_KINDS
"""rasa-sdk's, and what this engine writes, so that a tracker that was read can be put back."""
_FRAME_KEYS = ("frame_id", "flow_id", "step_id", "type", "frame_type")
_FRAME_ID = re.compile(r"f[0-9]{1,9}\Z")


def checked(project: Project, found: Any, now: float) -> Event:
    """An event with its time.

    Raises:
        ValueError: it is none, or cannot be applied; says why.
    """
    if not isinstance(found, dict) or found.get("event") not in KINDS:
        raise ValueError(f"an event needs `event`, one of {', '.join(sorted(KINDS))}")
    kind = found["event"]
    at = found.get("timestamp")
    if at is not None and (isinstance(at, bool) or not isinstance(at, int | float)):
        raise ValueError("an event's timestamp is a Unix time in seconds")
    event = {**found, "timestamp": now if at is None else float(at)}
    why = None
    if kind not in _OWN_KINDS:
        why = wrong_event(event)
    if kind == "slot" and why is None and event["name"] not in project.slots:
        why = f"there is no slot {event['name']!r}"
    elif kind == "action" and not isinstance(event.get("name"), str):
        why = "the event action needs a name"
    elif kind == "user":
        why = _wrong_user(event)
    elif kind == "stack":
        why = _wrong_stack(event.get("update"))
    if why is not None:
        raise ValueError(why)
    return event


_PROBES: tuple[Command, ...] = (CannotHandle(), CancelFlow(), RepeatBotMessages(), KnowledgeAnswer())


def probe(project: Project, state: State) -> None:
    """Whether turns go on from a state that came from outside: the core is pure, so they are tried.

    Raises:
        ValueError: they do not; the stack holds frames that this engine did not make.
    """
    asked = [SetSlot(str(frame.get("collect") or frame.get("validate")), "x") for frame in state.stack]
    for command in (*_PROBES, *asked):
        try:
            step(project, state, UserMessage("x", (command,), state.last_at or 0.0))
        except Exception as error:
            raise ValueError(f"no turn could go on from this stack: {type(error).__name__}") from None


def _wrong_user(event: Event) -> str | None:
    for key, kinds in (("text", str), ("input_channel", str), ("message_id", str), ("parse_data", dict), ("metadata", dict)):
        if not isinstance(event.get(key), kinds | None):
            return f"a user event whose {key} has another shape"
    return None


def _wrong_stack(update: Any) -> str | None:
    try:
        [patch] = orjson.loads(update) if isinstance(update, str) else []
        frames = patch["value"] if (patch["op"], patch["path"]) == ("replace", "") else None
    except (ValueError, TypeError, KeyError):
        frames = None
    if not isinstance(frames, list) or not all(_is_frame(frame) for frame in frames):
        return "a stack event needs `update`: a JSON patch that replaces the whole stack by a list of frames"
    return None


def _is_frame(frame: Any) -> bool:
    return (
        isinstance(frame, dict)
        and all(isinstance(frame.get(key), str) for key in _FRAME_KEYS)
        and _FRAME_ID.match(frame["frame_id"]) is not None
    )
