"""Sessions begin (reference/primitives/default-actions: action_session_start): implicitly before a message, or by /session_start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tightrope.engine.models import StartSession
from tightrope.engine.run import Run

ACTION = "action_session_start"
METADATA = "session_started_metadata"


def without_turn(metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """What came with a request, without the caller's secret turn id and without what the engine put there."""
    return {key: value for key, value in metadata.items() if key not in {"turn_id", "assistant_id"}} or None


def begin_session(run: Run, inputs: StartSession) -> bool:
    """What comes before the first message of a session; true if the project has an action_session_start of its own to run."""
    run.dismiss(run.stack)
    run.sync_stack()
    metadata = without_turn(inputs.metadata)
    if ACTION in run.project.actions:
        run.set_slot(METADATA, metadata)
        return True
    run.acted(ACTION)
    open_session(run, metadata)
    return False


def end_journeys(run: Run) -> None:
    """What was left unfinished ends with its session; what it had asked for goes with it."""
    for at in list(run.roots()):
        run.drop_journey(at)


def open_session(run: Run, metadata: Mapping[str, Any] | None) -> None:
    """A new session with the slots that the project carries over; the first session keeps what was set before it."""
    keeps = run.project.carry_over_slots or not run.state.sessions
    carried = {name: value for name, value in run.state.slots.items() if keeps and name != METADATA}
    by_intent = set(run.state.by_intent)
    run.wipe("session_started")
    for name, value in carried.items():
        run.set_slot(name, value, by_intent=name in by_intent)
    run.set_slot(METADATA, metadata)
