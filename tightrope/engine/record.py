"""The record of a turn: its inputs as plain data, and what becomes of the state when they are played again.

The core has no clock, no network and no chance of its own (times, message ids and action results come in as inputs, the seed lies in
the state), so the same project, state and inputs give the same events, byte for byte. Pure: what is stored where is the repository's.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any, get_args

import orjson

from tightrope.engine.core import step
from tightrope.engine.errors import EngineError
from tightrope.engine.mappings import Entity
from tightrope.engine.models import Command, Input, Options, Project
from tightrope.engine.state import Event, State, apply

VERSION = 1


@dataclass(frozen=True, slots=True)
class Appended:
    """Events that came from outside, by the tracker API; `replacing` all there were before."""

    at: float
    events: tuple[Mapping[str, Any], ...]
    replacing: bool = False


Recorded = Input | Appended

_COMMANDS: Mapping[str, type] = {cls.__name__: cls for cls in get_args(Command)}
_INPUTS: Mapping[str, type] = {cls.__name__: cls for cls in (*get_args(Input), Appended)}
_KIND = "is"


def _plain(value: Any) -> dict[str, Any]:
    """A dataclass under its name; what has its default value is left out."""
    out: dict[str, Any] = {_KIND: type(value).__name__}
    for part in fields(value):
        found = getattr(value, part.name)
        default = part.default_factory() if part.default_factory is not MISSING else part.default
        if found != default or isinstance(found, bool) != isinstance(default, bool):
            out[part.name] = found
    return out


def to_plain(inputs: Recorded) -> dict[str, Any]:
    """An input as JSON can hold it."""
    out = _plain(inputs)
    if "commands" in out:
        out["commands"] = [_plain_command(command) for command in out["commands"]]
    return out


def _plain_command(command: Command) -> dict[str, Any]:
    out = _plain(command)
    if "entities" in out:
        out["entities"] = [{key: found for key, found in _plain(entity).items() if key != _KIND} for entity in out["entities"]]
    return out


def from_plain(found: Mapping[str, Any]) -> Recorded:
    """The input that `to_plain` wrote.

    Raises:
        EngineError: it is none of this version.
    """
    values = {key: tuple(value) if key in {"events", "responses"} else value for key, value in found.items() if key != _KIND}
    if "commands" in values:
        values["commands"] = tuple(_command(command) for command in values["commands"])
    made: Recorded = _made(_INPUTS, found, values)
    return made


def _command(found: Mapping[str, Any]) -> Command:
    values = {key: tuple(value) if key == "options" else value for key, value in found.items() if key != _KIND}
    if "entities" in values:
        values["entities"] = tuple(Entity(**entity) for entity in values["entities"])
    made: Command = _made(_COMMANDS, found, values)
    return made


def _made(known: Mapping[str, type], found: Mapping[str, Any], values: dict[str, Any]) -> Any:
    try:
        return known[found[_KIND]](**values)
    except (KeyError, TypeError):
        raise EngineError(f"a record names {found.get(_KIND)!r} in a form that this version does not know") from None


@dataclass(frozen=True, slots=True)
class Record:
    """What a turn was made of, beside the state before it.

    Attributes:
        model_id: of the project that made it; another project need not give the same events.
        cap: the prediction cap that held.
        inputs: in order.
        options: the operator's choices that held.
        strict: whether a button's payload counted only while it was on offer.
        before: `state_digest` of the state that the turn began with; empty in records made before it was kept.
    """

    model_id: str
    cap: int
    inputs: tuple[Recorded, ...]
    options: Options = field(default_factory=Options)
    before: str = ""
    strict: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "v": VERSION,
            "model": self.model_id,
            "cap": self.cap,
            "options": asdict(self.options),
            "inputs": [to_plain(one) for one in self.inputs],
            "strict": self.strict,
            "before": self.before,
        }

    @staticmethod
    def from_json(found: Mapping[str, Any]) -> Record:
        """The record that `to_json` wrote.

        Raises:
            EngineError: it was written by another version.
        """
        if found.get("v") != VERSION:
            raise EngineError(f"the record has version {found.get('v')!r}, this engine reads {VERSION}")
        try:
            options = Options(**found["options"])
            inputs = tuple(from_plain(one) for one in found["inputs"])
            return Record(found["model"], found["cap"], inputs, options, found.get("before", ""), found.get("strict", True))
        except (KeyError, TypeError):
            raise EngineError("the record has a form that this version does not know") from None


def seed_of(sender: str) -> int:
    """Chooses among equal wordings; the same for a conversation on every server."""
    return zlib.crc32(sender.encode())


def state_digest(state: State) -> str:
    """SHA-256 (hex) of a state between turns, as it is kept: two turns that begin with the same one have the same digest."""
    return hashlib.sha256(orjson.dumps(state.to_json())).hexdigest()


def play(project: Project, before: State, record: Record) -> tuple[State, list[Event]]:
    """Play a turn again: the state after it, and its events.

    Raises:
        EngineError: the inputs do not fit the project or the state (an action's answer that nobody asked for).
    """
    if project.options != record.options:
        project = replace(project, options=record.options)
    state = before
    events: list[Event] = []
    for one in record.inputs:
        if isinstance(one, Appended):
            state = append(project, state, one)
            events.extend(dict(event) for event in one.events)
        else:
            result = step(project, state, one, cap=record.cap)
            state = result.state
            events.extend(result.events)
    return state, events


def append(project: Project, state: State, appended: Appended) -> State:
    """The state after events from outside; the given one is not changed.

    Raises:
        ValueError: an event lacks what its kind needs.
    """
    state = State(state.sender_id, state.seed) if appended.replacing else state.copy()
    try:
        for event in appended.events:
            apply(state, event, project.initials)
    except (KeyError, TypeError, AttributeError, IndexError, orjson.JSONDecodeError) as error:
        raise ValueError(f"an event lacks something: {error!r}") from None
    return state


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a turn that was played again differs: event number `at` (from 0), as stored and as replayed; None where there is none."""

    turn: int
    at: int
    stored: Event | None
    replayed: Event | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What replaying a conversation gave.

    Attributes:
        turns: stored.
        same: played again with the same events, byte for byte.
        other_model: made by another project than the one at hand; not played, their events are taken as they are.
        unrecorded: without inputs; the same holds.
        state_same: whether the state at the end is the stored one, byte for byte.
    """

    turns: int
    same: int
    other_model: int
    unrecorded: int
    differences: tuple[Difference, ...]
    state_same: bool

    @property
    def whole(self) -> bool:
        """Everything was played again and nothing differed."""
        return self.same == self.turns and self.state_same


def replay_turns(
    project: Project, sender_id: str, seed: int, turns: Iterable[tuple[int, bytes, bytes | None]], stored_state: bytes | None
) -> Replayed:
    """Play all turns of a conversation again, from nothing.

    Args:
        turns: number, events and inputs (or None) as stored, oldest first.
        stored_state: as stored.
    """
    state = State(sender_id, seed)
    counts = {"turns": 0, "same": 0, "other": 0, "unrecorded": 0}
    differences: list[Difference] = []
    for number, events, inputs in turns:
        counts["turns"] += 1
        stored: list[Event] = orjson.loads(events)
        record = Record.from_json(orjson.loads(inputs)) if inputs is not None else None
        if record is None or record.model_id != project.model_id:
            counts["unrecorded" if record is None else "other"] += 1
            state = _applied(project, state, stored, record)
            continue
        try:
            after, made = play(project, state, record)
        except (EngineError, ValueError) as error:
            differences.append(Difference(number, 0, stored[0] if stored else None, None, str(error)))
            state = _applied(project, state, stored, record)
            continue
        if orjson.dumps(made) == events:
            counts["same"] += 1
        else:
            differences.append(_difference(number, stored, made))
        # What the next turn begins with went through JSON.
        state = State.from_json(orjson.loads(orjson.dumps(after.to_json())))
    same_state = stored_state is not None and orjson.dumps(state.to_json()) == stored_state
    return Replayed(
        counts["turns"],
        counts["same"],
        counts["other"],
        counts["unrecorded"],
        tuple(differences),
        same_state or not counts["turns"],
    )


def _applied(project: Project, state: State, events: list[Event], record: Record | None) -> State:
    anew = record is not None and any(isinstance(one, Appended) and one.replacing for one in record.inputs)
    state = State(state.sender_id, state.seed) if anew else state.copy()
    for event in events:
        apply(state, event, project.initials)
    return state


def _difference(number: int, stored: list[Event], made: list[Event]) -> Difference:
    for at in range(max(len(stored), len(made))):
        one, other = (events[at] if at < len(events) else None for events in (stored, made))
        if orjson.dumps(one) != orjson.dumps(other):
            return Difference(number, at, one, other)
    return Difference(number, 0, None, None, "the events are written differently")
