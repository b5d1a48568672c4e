"""One turn without the database: a session if one is due, what the message means, then steps and actions until the engine listens.

The server (service.py), the test player (suites) and the terminal chat take the same way; what differs stands behind the protocols:
who understands, who runs actions, what time it is. `settle` runs it where nothing has to be waited for.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from tightrope.engine.core import PREDICTION_CAP, StepResult, guard_text, payload_commands, step
from tightrope.engine.errors import ActionFailed, EngineError, UnderstandingFailed
from tightrope.engine.models import (
    ActionFailure,
    ActionResult,
    CannotHandle,
    Command,
    Fail,
    Input,
    Project,
    RunAction,
    StartSession,
    UserMessage,
)
from tightrope.engine.state import Event, State

UNDERSTANDING_DOWN = "rasa_internal_error_understanding_failed"
MAX_ACTIONS = 200
"""Requests for actions in one turn, whatever the cap says."""

History = Callable[[], list[Event]]
"""Gives the events of the conversation so far, oldest first; called only by who needs them."""
T = TypeVar("T")


def _no_history() -> list[Event]:
    return []


@dataclass(frozen=True, slots=True)
class Understood:
    """What a message means, and what understanding said of itself. `pressed`: as a pressed button, which may fill `controlled` slots."""

    commands: tuple[Command, ...]
    record: Mapping[str, Any] | None = None
    pressed: bool = False


class Understands(Protocol):
    """Turns a text into commands."""

    async def understand(self, state: State, text: str, history: History) -> Understood:
        """Commands for a text; none when nothing was understood.

        Raises:
            UnderstandingFailed: no usable answer; the turn goes on in pattern_internal_error.
        """
        ...


class RunsActions(Protocol):
    """Runs custom actions."""

    async def run(self, name: str, state: State, events: list[Event]) -> tuple[list[Any], list[Any]]:
        """Events and responses of an action.

        Raises:
            ActionFailed: the turn goes on in pattern_internal_error.
        """
        ...


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as a channel hands it over."""

    sender: str
    text: str
    metadata: Mapping[str, Any]
    channel: str = "rest"
    message_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def turn_id(self) -> str | None:
        """The caller's id of this turn, if it gave one."""
        found = self.metadata.get("turn_id")
        return found if isinstance(found, str) and found else None


@dataclass(slots=True)
class Turn:
    """A turn under way: the state as it is now and all that happened since the turn began, also when it broke off.

    Attributes:
        earlier: the events before this turn.
        events: tracker events of this turn.
        inputs: what went into the core, in order: replaying them gives the same events.
        commands: what the message means, before the rules of post-processing.
        visited: (flow id, step id) in the order run.
        problems: what operators should know.
    """

    state: State
    earlier: History = _no_history
    events: list[Event] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    commands: tuple[Command, ...] = ()
    visited: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def history(self) -> list[Event]:
        """All events up to now."""
        return [*self.earlier(), *self.events]

    def take(self, inputs: Input, result: StepResult) -> None:
        """Add one step of the core."""
        self.inputs.append(inputs)
        self.state = result.state
        self.events.extend(result.events)
        self.visited.extend(result.visited)
        self.problems.extend(result.problems)


class TurnRunner:
    """Plays turns of one project; holds nothing of a conversation.

    Args:
        now: the time in Unix seconds.
        on_problem: told of each problem at once, for the log; they also stand in the turn.
    """

    def __init__(
        self,
        project: Project,
        understanding: Understands,
        actions: RunsActions,
        now: Callable[[], float],
        *,
        strict_payloads: bool = True,
        prediction_cap: int = PREDICTION_CAP,
        on_problem: Callable[[str], None] | None = None,
    ) -> None:
        self.project = project
        self._understanding = understanding
        self._actions = actions
        self._now = now
        self._strict = strict_payloads
        self._cap = prediction_cap
        self._on_problem = on_problem

    async def run(self, turn: Turn, message: Incoming, given: Understood | None = None) -> None:
        """Play a message to its end; with `given` nobody is asked what it means.

        Raises:
            EngineError: actions asked for actions without an end.
        """
        await self.open_session(turn, message.metadata)
        understood = await self.meaning(turn, message.text, given)
        turn.commands = understood.commands
        said = UserMessage(
            message.text,
            understood.commands,
            self._now(),
            message.metadata,
            message.message_id,
            message.channel,
            understood.pressed,
            understood.record,
        )
        await self._to_the_end(turn, said)

    async def open_session(self, turn: Turn, metadata: Mapping[str, Any]) -> None:
        """Begin a session if the conversation is new or was idle for too long."""
        now = self._now()
        if self._session_due(turn.state, now):
            await self._to_the_end(turn, StartSession(now, metadata))

    def _session_due(self, state: State, now: float) -> bool:
        if state.ended:
            return False
        if not state.sessions:
            return True
        minutes = self.project.session_minutes
        if not minutes or state.last_user_at is None or not self.project.start_after_expiry:
            return False
        return now - state.last_user_at > minutes * 60

    async def meaning(self, turn: Turn, text: str, given: Understood | None = None) -> Understood:
        """What a text means at this point: a pressed button, a text that nothing may read, or what is understood (or given)."""
        wrong = guard_text(self.project, text)
        if given is None and (wrong is None or text in turn.state.offers):
            # What a button offered may be longer than what a customer may type.
            pressed = payload_commands(turn.state, text, strict=self._strict)
            if pressed is not None:
                return Understood(pressed, pressed=True)
        if wrong is not None:
            return Understood((wrong,))
        if turn.state.paused or turn.state.ended:
            return Understood(())
        try:
            found = given or await self._understanding.understand(turn.state, text, turn.history)
        except UnderstandingFailed as error:
            self._problem(turn, f"understanding failed: {error}")
            return Understood((Fail(UNDERSTANDING_DOWN),), {"source": "none", "error": str(error)})
        return found if found.commands else Understood((CannotHandle(),), found.record, found.pressed)

    async def _to_the_end(self, turn: Turn, inputs: Input) -> None:
        result = self._step(turn, inputs)
        for _ in range(MAX_ACTIONS):
            effect = result.effect
            if not isinstance(effect, RunAction):
                return
            result = self._step(turn, await self._act(turn, effect.name))
        raise EngineError(f"more than {MAX_ACTIONS} action requests in one turn")

    def _step(self, turn: Turn, inputs: Input) -> StepResult:
        result = step(self.project, turn.state, inputs, cap=self._cap)
        turn.take(inputs, result)
        if self._on_problem is not None:
            for problem in result.problems:
                self._on_problem(problem)
        return result

    async def _act(self, turn: Turn, name: str) -> Input:
        try:
            events, responses = await self._actions.run(name, turn.state, turn.history())
        except ActionFailed as error:
            return ActionFailure(name, self._now(), error.reason)
        return ActionResult(name, self._now(), tuple(events), tuple(responses))

    def _problem(self, turn: Turn, problem: str) -> None:
        turn.problems.append(problem)
        if self._on_problem is not None:
            self._on_problem(problem)


def settle(waiting: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never has to wait, without an event loop.

    Raises:
        EngineError: it wanted to wait.
    """
    try:
        waiting.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    waiting.close()
    raise EngineError("something in this turn has to wait; run it in an event loop")
