"""A conversation's state: plain data, changed only by events, so that replaying the events gives it again.

Event shapes are Rasa's (docs: reference/api/events); `apply` is the one reducer, used live and in replay. The stack travels as
`stack` events whose `update` is a JSON patch that replaces it. What lies in `Within` belongs to a turn under way and is empty between turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

Frame = dict[str, Any]
Event = dict[str, Any]

MAX_OFFERS = 60
MAX_SAID = 20


@dataclass(slots=True)
class Within:
    """What the engine remembers between an effect and its answer."""

    pending: str | None = None
    pending_free: bool = False
    queue: list[str] = field(default_factory=list)
    bonus: int = 0


@dataclass(slots=True)
class State:
    """Everything that the next turn depends on.

    `slots` holds only what differs from the initial values, `by_intent` the slots that an intent filled last; `messages` are those of
    the customer in this session; `model` is the project that the latest message met.
    """

    sender_id: str
    seed: int = 0
    slots: dict[str, Any] = field(default_factory=dict)
    by_intent: list[str] = field(default_factory=list)
    stack: list[Frame] = field(default_factory=list)
    latest_message: dict[str, Any] = field(default_factory=dict)
    latest_action: str = ""
    channel: str = "rest"
    model: str = ""
    said: list[dict[str, Any]] = field(default_factory=list)
    said_before: list[dict[str, Any]] = field(default_factory=list)
    offers: list[str] = field(default_factory=list)
    bots: int = 0
    sessions: int = 0
    messages: int = 0
    predictions: int = 0
    paused: bool = False
    ended: bool = False
    last_user_at: float | None = None
    last_at: float | None = None
    within: Within = field(default_factory=Within)

    def copy(self) -> State:
        """An independent copy; containers inside slots and messages are shared and never changed in place."""
        within = self.within
        return State(
            self.sender_id,
            self.seed,
            dict(self.slots),
            list(self.by_intent),
            [dict(frame) for frame in self.stack],
            self.latest_message,
            self.latest_action,
            self.channel,
            self.model,
            list(self.said),
            self.said_before,
            list(self.offers),
            self.bots,
            self.sessions,
            self.messages,
            self.predictions,
            self.paused,
            self.ended,
            self.last_user_at,
            self.last_at,
            Within(within.pending, within.pending_free, list(within.queue), within.bonus),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data of a state between turns."""
        return {name: getattr(self, name) for name in _KEPT}

    @staticmethod
    def from_json(found: Mapping[str, Any]) -> State:
        """The state that `to_json` wrote; keys of other versions are ignored."""
        return State(**{name: found[name] for name in _KEPT if name in found})


class Slots(Mapping[str, Any]):
    """All slots of a state: what differs from the initial values, over them. A view: nothing is copied, however many slots there are."""

    __slots__ = ("_initials", "_state")

    def __init__(self, state: State, initials: Mapping[str, Any]) -> None:
        self._state = state
        self._initials = initials

    def __getitem__(self, name: str) -> Any:
        own = self._state.slots
        return own[name] if name in own else self._initials[name]

    def get(self, name: str, default: Any = None) -> Any:
        """A slot's value, or `default` if there is no such slot."""
        own = self._state.slots
        return own[name] if name in own else self._initials.get(name, default)

    def __iter__(self) -> Iterator[str]:
        yield from self._initials
        yield from (name for name in self._state.slots if name not in self._initials)

    def __len__(self) -> int:
        return len(self._initials.keys() | self._state.slots.keys())


_KEPT = tuple(name for name in State.__slots__ if name != "within")


def stack_update(stack: list[Frame]) -> str:
    """The JSON patch that makes any stack this one."""
    return orjson.dumps([{"op": "replace", "path": "", "value": stack}]).decode()


def _slot(state: State, event: Mapping[str, Any], initials: Mapping[str, Any]) -> None:
    name, value = event["name"], event.get("value")
    if value == initials.get(name) and isinstance(value, bool) == isinstance(initials.get(name), bool):
        state.slots.pop(name, None)
    else:
        state.slots[name] = value
    if name in state.by_intent:
        state.by_intent.remove(name)
    if event.get("filled_by") == "NLU":
        state.by_intent.append(name)


def _user(state: State, event: Mapping[str, Any]) -> None:
    parse = event.get("parse_data") or {}
    state.latest_message = {
        **parse,
        "text": event.get("text"),
        "metadata": event.get("metadata") or {},
        "message_id": event.get("message_id"),
    }
    state.channel = event.get("input_channel") or "rest"
    state.model = parse.get("model_id") or state.model
    state.messages += 1
    state.last_user_at = event.get("timestamp")
    state.said_before = state.said or state.said_before
    state.said = []
    state.predictions = 0
    if parse.get("payload") and event.get("text") in state.offers:
        state.offers.remove(event["text"])


def _bot(state: State, event: Mapping[str, Any]) -> None:
    state.bots += 1
    state.said = [
        *state.said,
        {"text": event.get("text"), "data": event.get("data") or {}, "metadata": event.get("metadata") or {}},
    ][-MAX_SAID:]
    for button in (event.get("data") or {}).get("buttons") or ():
        payload = button.get("payload")
        if isinstance(payload, str) and payload.startswith("/"):
            if payload in state.offers:
                state.offers.remove(payload)
            state.offers.append(payload)
    del state.offers[:-MAX_OFFERS]


def _anew(state: State) -> None:
    state.slots = {}
    state.by_intent = []
    state.stack = []
    state.offers = []
    state.said = []
    state.said_before = []
    state.messages = 0


def apply(state: State, event: Mapping[str, Any], initials: Mapping[str, Any]) -> None:
    """Change `state` by one event; kinds that carry no state are history only."""
    kind = event["event"]
    state.last_at = event.get("timestamp") or state.last_at
    if kind == "slot":
        _slot(state, event, initials)
    elif kind == "user":
        _user(state, event)
    elif kind == "bot":
        _bot(state, event)
    elif kind == "action":
        state.latest_action = event["name"]
        if event["name"] not in UNCOUNTED:
            state.predictions += 1
    elif kind == "stack":
        state.stack = orjson.loads(event["update"])[0]["value"]
    elif kind in {"session_started", "restart"}:
        _anew(state)
        state.sessions = state.sessions + 1 if kind == "session_started" else 0
        state.paused = state.paused and kind == "session_started"
    elif kind == "reset_slots":
        state.slots = {}
        state.by_intent = []
    elif kind in {"pause", "resume"}:
        state.paused = kind == "pause"
    elif kind == "session_ended":
        state.stack = []
        state.ended = True


UNCOUNTED = frozenset({"action_listen", "action_run_slot_rejections"})
"""Actions that the prediction cap does not count: the engine's own bookkeeping around a question."""


def replay(sender_id: str, events: Iterable[Mapping[str, Any]], initials: Mapping[str, Any], seed: int = 0) -> State:
    """The state after `events`, from nothing."""
    state = State(sender_id, seed)
    for event in events:
        apply(state, event, initials)
    return state
