"""The pure core: `step(project, state, input) -> StepResult`. No I/O, no clock, no randomness but the state's seed.

One turn is: `StartSession` if one is due, then `UserMessage`, and for every RunAction effect an `ActionResult` or `ActionFailure`,
until the effect is Listen. `payload_commands` and `guard_text` decide before understanding is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tightrope.engine.advance import advance, listen, request
from tightrope.engine.applying import apply_commands
from tightrope.engine.commands import as_dict, entity_dict, parse_payload
from tightrope.engine.errors import CommandSyntaxError, EngineError
from tightrope.engine.intents import expand
from tightrope.engine.models import (
    ROUTING_SLOT,
    ActionFailure,
    ActionResult,
    Command,
    Effect,
    Fail,
    Input,
    Intent,
    Listen,
    Project,
    StartSession,
    UserMessage,
)
from tightrope.engine.processing import Sifted, sift
from tightrope.engine.releases import put_right
from tightrope.engine.results import take_failure, take_result
from tightrope.engine.run import Run
from tightrope.engine.session import ACTION as SESSION_START
from tightrope.engine.session import begin_session
from tightrope.engine.state import Event, State, Within

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
    if state.ended:
        return StepResult(state, [], (Listen(),), ("the conversation is closed for good; nothing was done",))
    run = Run(project, state, inputs.at, cap)
    match inputs:
        case StartSession():
            own = begin_session(run, inputs)
            effect = request(run, SESSION_START, free=True) if own else advance(run)
        case UserMessage():
            effect = _user_message(run, inputs)
        case ActionResult() | ActionFailure():
            if inputs.name != state.within.pending:
                raise EngineError(f"{inputs.name} was not asked for; pending is {state.within.pending}")
            free = run.state.within.pending_free
            run.state.within.pending = None
            run.state.within.pending_free = False
            if isinstance(inputs, ActionResult):
                take_result(run, inputs)
            else:
                take_failure(run, inputs, free=free)
            effect = advance(run)
    if isinstance(effect, Listen):
        run.state.within = Within()
    return StepResult(run.state, run.events, (effect,), tuple(run.problems), tuple(run.visited))


def _user_message(run: Run, inputs: UserMessage) -> Effect:
    silent = run.state.paused
    # What a release changed is put right before the message counts, so that its commands meet the flows as they are now.
    outcome = "same" if silent else put_right(run)
    intent = next((c for c in inputs.commands if isinstance(c, Intent)), None)
    commands = inputs.commands if silent else expand(run, inputs.commands, inputs.text, pressed=inputs.payload)
    sifted = Sifted(list(commands)) if silent else sift(run, commands)
    parsed: dict[str, Any] = {
        "text": inputs.text,
        "intent": {"name": intent.name, "confidence": intent.confidence} if intent else {"name": None, "confidence": 0.0},
        "entities": [entity_dict(entity) for entity in intent.entities] if intent else [],
        "commands": [as_dict(command) for command in sifted.kept],
    }
    if sifted.dropped:
        parsed["dropped"] = [{**as_dict(command), "why": why} for command, why in sifted.dropped]
    if inputs.payload:
        parsed["payload"] = True
    if not silent and run.state.model != run.project.model_id:
        parsed["model_id"] = run.project.model_id
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
    if run.project.routed and run.slots.get(ROUTING_SLOT) is None:
        run.set_slot(ROUTING_SLOT, True)
    stale = [frame["frame_id"] for frame in run.stack]
    apply_commands(run, sifted.kept)
    if outcome != "same":
        run.problems.append("a journey was changed by a release while it was under way; it was restarted")
    if outcome == "told":
        run.push("pattern_code_change", stale_frames=stale)
    run.state.within.queue.extend(name for name in run.project.every_turn if name in run.project.actions)
    return advance(run)
