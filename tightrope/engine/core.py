"""The pure core: `step(project, state, input) -> StepResult`. No I/O, no clock, no randomness but the state's seed.

One turn is: `StartSession` if one is due, then `UserMessage`, and for every RunAction effect an `ActionResult` or `ActionFailure`,
until the effect is Listen. `payload_commands` and `guard_text` decide before understanding is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tightrope.engine import responses
from tightrope.engine.advance import advance, fail, listen
from tightrope.engine.applying import apply_commands, restart_changed
from tightrope.engine.commands import as_dict, parse_payload
from tightrope.engine.errors import CommandSyntaxError, EngineError
from tightrope.engine.models import (
    ActionFailure,
    ActionResult,
    Command,
    Effect,
    Fail,
    Input,
    Listen,
    Project,
    StartSession,
    UserMessage,
)
from tightrope.engine.processing import Sifted, sift
from tightrope.engine.run import Run
from tightrope.engine.state import Event, State

PREDICTION_CAP = 30
"""Actions within one turn; Rasa's own is 10, too small for real journeys (TIGHTROPE_PREDICTION_CAP)."""

TOO_LONG = "rasa_internal_error_user_input_too_long"
EMPTY = "rasa_internal_error_user_input_empty"


@dataclass(frozen=True, slots=True)
class StepResult:
    """The new state, what happened, what has to be done next, what an operator should know, and the steps run, (flow id, step id) in order."""

    state: State
    events: list[Event]
    effects: tuple[Effect, ...]
    problems: tuple[str, ...] = ()
    visited: tuple[tuple[str, str], ...] = ()

    @property
    def effect(self) -> Effect:
        """The one effect."""
        return self.effects[0]


def payload_commands(state: State, text: str, *, strict: bool) -> tuple[Command, ...] | None:
    """Commands of a pressed button, or None if the text has to be understood.

    With `strict` a text is a payload only if a button of this session offered exactly it and it was not used since.
    """
    if not text.startswith("/") or (strict and text not in state.offers):
        return None
    try:
        return parse_payload(text)
    except CommandSyntaxError:
        return None


def guard_text(project: Project, text: str) -> Fail | None:
    """What is wrong with a text before anything reads it."""
    if not text.strip():
        return Fail(EMPTY)
    if len(text) > project.max_characters:
        return Fail(TOO_LONG, {"max_characters": project.max_characters})
    return None


def step(project: Project, state: State, inputs: Input, *, cap: int = PREDICTION_CAP) -> StepResult:
    """Take one input as far as the next effect; the given state is not changed.

    Raises:
        EngineError: an action's answer came that nobody asked for.
    """
    run = Run(project, state, inputs.at, cap)
    match inputs:
        case StartSession():
            effect = _start_session(run, inputs)
        case UserMessage():
            effect = _user_message(run, inputs)
        case ActionResult() | ActionFailure():
            if inputs.name != state.within.pending:
                raise EngineError(f"{inputs.name} was not asked for; pending is {state.within.pending}")
            free = run.state.within.pending_free
            run.state.within.pending = None
            run.state.within.pending_free = False
            if isinstance(inputs, ActionResult):
                _action_result(run, inputs)
            else:
                run.problems.append(f"action {inputs.name} failed: {inputs.reason}")
                run.emit("action_execution_rejected", name=inputs.name, policy="FlowPolicy", confidence=1.0)
                fail(run, "rasa_internal_error_action_failed", free=free)
            effect = advance(run)
    if isinstance(effect, Listen):
        run.state.within.queue.clear()
    return StepResult(run.state, run.events, (effect,), tuple(run.problems), tuple(run.visited))


def _start_session(run: Run, inputs: StartSession) -> Effect:
    for at in list(run.roots()):
        run.drop_journey(at)
    run.stack.clear()
    run.sync_stack()
    run.emit("session_started")
    if run.state.sessions > 1 and not run.project.carry_over_slots:
        run.reset_slots()
    if inputs.metadata:
        run.set_slot("session_started_metadata", {k: v for k, v in inputs.metadata.items() if k != "turn_id"} or None)
    if "pattern_session_start" in run.project.flows:
        run.push("pattern_session_start")
    return advance(run)


def _user_message(run: Run, inputs: UserMessage) -> Effect:
    silent = run.state.paused or run.state.ended
    # What a release changed is put right before the message counts, so that its commands meet the flows as they are now.
    restarted = not silent and restart_changed(run)
    sifted = Sifted(list(inputs.commands)) if silent else sift(run, inputs.commands)
    parsed: dict[str, Any] = {
        "text": inputs.text,
        "intent": {"name": None, "confidence": 0.0},
        "entities": [],
        "commands": [as_dict(command) for command in sifted.kept],
    }
    if sifted.dropped:
        parsed["dropped"] = [{**as_dict(command), "why": why} for command, why in sifted.dropped]
    if inputs.payload:
        parsed["payload"] = True
    if inputs.understanding is not None:
        parsed["understanding"] = dict(inputs.understanding)
    run.emit(
        "user",
        text=inputs.text,
        parse_data=parsed,
        input_channel=inputs.channel,
        message_id=inputs.message_id,
        metadata=dict(inputs.metadata),
    )
    if silent:
        return listen(run)
    stale = [frame["frame_id"] for frame in run.stack] if restarted else []
    apply_commands(run, sifted.kept)
    if restarted:
        run.problems.append("a journey was changed by a release while it was under way; it was restarted")
        run.push("pattern_code_change", stale_frames=stale)
    run.state.within.queue.extend(name for name in run.project.every_turn if name in run.project.actions)
    return advance(run)


def _action_result(run: Run, inputs: ActionResult) -> None:
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
        run.say(message.text, message.data, message.metadata)
    for event in inputs.events:
        _action_event(run, inputs.name, event)


def _action_event(run: Run, action: str, event: Mapping[str, Any]) -> None:
    kind = event.get("event")
    if kind == "slot":
        name = event.get("name")
        if name not in run.project.slots:
            run.problems.append(f"{action} set the slot {name!r}, which the domain does not have; ignored")
            return
        run.set_slot(str(name), event.get("value"))
    elif kind == "reset_slots":
        run.reset_slots()
    elif kind == "followup" and event.get("name"):
        run.state.within.queue.append(str(event["name"]))
    elif kind in {"pause", "resume", "session_ended"}:
        run.emit(str(kind))
    elif kind == "restart":
        run.emit("restart")
    elif kind == "bot":
        run.say(event.get("text"), event.get("data") or {}, event.get("metadata") or {})
    elif kind not in {"action", "session_started"}:
        run.problems.append(f"{action} returned the event {kind!r}, which flows do not use; ignored")
