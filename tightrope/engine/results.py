"""Takes in what an action gave back: its messages, its events (rasa-sdk's events), or its failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tightrope.engine import responses
from tightrope.engine.advance import fail
from tightrope.engine.models import ActionFailure, ActionResult
from tightrope.engine.run import Run
from tightrope.engine.session import ACTION as SESSION_START
from tightrope.engine.session import METADATA, open_session


def take_result(run: Run, inputs: ActionResult) -> None:
    """Say an action's messages, then apply its events."""
    run.acted(inputs.name)
    for item in inputs.responses:
        message = responses.from_action(
            run.project,
            item,
            slots=run.slots,
            context=run.context(),
            language=run.language,
            channel=run.state.channel,
            seed=f"{run.state.seed}:{run.state.bots}",
        )
        run.problems.extend(message.problems)
        run.say(message.text, message.data, {**message.metadata, "utter_source": inputs.name})
    sessions = run.state.sessions
    for event in inputs.events:
        if run.state.ended:
            return
        _take_event(run, inputs.name, event)
    if inputs.name == SESSION_START and run.state.sessions == sessions:
        run.problems.append(f"{SESSION_START} gave no session_started event; one was added")
        open_session(run, run.slots.get(METADATA))


def take_failure(run: Run, inputs: ActionFailure, *, free: bool) -> None:
    """An action failed: what it belonged to is cancelled. A session begins all the same."""
    run.problems.append(f"action {inputs.name} failed: {inputs.reason}")
    run.emit("action_execution_rejected", name=inputs.name, policy="FlowPolicy", confidence=1.0)
    if inputs.name == SESSION_START:
        open_session(run, run.slots.get(METADATA))
    else:
        fail(run, "rasa_internal_error_action_failed", free=free)


def _take_event(run: Run, action: str, event: Mapping[str, Any]) -> None:
    kind = event.get("event")
    if kind == "slot":
        name = event.get("name")
        if name not in run.project.slots:
            run.problems.append(f"{action} set the slot {name!r}, which the domain does not have; ignored")
            return
        # Recorded also when the value is the same: an action that answers is a fact, and tests ask what it set.
        run.emit("slot", name=str(name), value=event.get("value"))
    elif kind == "reset_slots":
        run.reset_slots()
    elif kind == "followup" and event.get("name"):
        run.emit("followup", name=str(event["name"]))
        run.state.within.queue.append(str(event["name"]))
    elif kind in {"pause", "resume"}:
        run.emit(str(kind))
    elif kind == "session_ended":
        run.emit("session_ended", metadata=event.get("metadata") or {})
    elif kind == "restart":
        run.wipe("restart")
    elif kind == "session_started":
        _session_started(run)
    elif kind == "bot":
        run.say(event.get("text"), event.get("data") or {}, {**(event.get("metadata") or {}), "utter_source": action})
    elif kind == "agent":
        run.emit("agent", text=event.get("text"), data=event.get("data") or {})
    elif kind != "action":  # what the engine records itself: the action_listen at the end of action_session_start, say
        run.problems.append(f"{action} returned the event {kind!r}, which flows do not use; ignored")


def _session_started(run: Run) -> None:
    """The project's own action says which slots it carries over; what came with the request it need not repeat."""
    metadata = run.slots.get(METADATA)
    run.wipe("session_started")
    run.set_slot(METADATA, metadata)
