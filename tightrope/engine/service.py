"""One turn, from the message to the saved state: lock, session, understanding, steps and actions, save."""

from __future__ import annotations

import asyncio
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from tightrope.engine import repository
from tightrope.engine.clients import ActionClient, UnderstandingClient, tracker
from tightrope.engine.core import StepResult, guard_text, payload_commands, step
from tightrope.engine.errors import ActionFailed, UnderstandingFailed
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
from tightrope.engine.prompt import Prompt
from tightrope.engine.responses import replies
from tightrope.engine.state import Event, State, apply
from tightrope.infra.clock import Clock
from tightrope.infra.database import Pool
from tightrope.infra.logging import get_logger

log = get_logger()

UNDERSTANDING_DOWN = "rasa_internal_error_understanding_failed"
MAX_ACTIONS = 200
"""Requests to the action server in one turn, whatever the cap says."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as the REST channel hands it over."""

    sender: str
    text: str
    metadata: Mapping[str, Any]
    channel: str = "rest"

    @property
    def turn_id(self) -> str | None:
        """The gateway's id of this turn, if it gave one."""
        found = self.metadata.get("turn_id")
        return found if isinstance(found, str) and found else None


@dataclass(slots=True)
class _Turn:
    """A turn under way."""

    state: State
    earlier: repository.Loaded
    events: list[Event] = field(default_factory=list)

    def take(self, result: StepResult) -> None:
        self.state = result.state
        self.events.extend(result.events)


class Assistant:
    """Answers messages of one project."""

    def __init__(
        self,
        project: Project,
        prompt: Prompt,
        pool: Pool,
        understanding: UnderstandingClient,
        actions: ActionClient,
        clock: Clock,
        *,
        strict_payloads: bool = True,
        prediction_cap: int = 30,
    ) -> None:
        self.project = project
        self._prompt = prompt
        self._pool = pool
        self._understanding = understanding
        self._actions = actions
        self._clock = clock
        self._strict = strict_payloads
        self._cap = prediction_cap
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def answer(self, message: Incoming) -> list[dict[str, Any]]:
        """The replies to a message; those of a turn id that was answered before are given again and nothing runs.

        Raises:
            ConversationBusy: another server holds this conversation.
            psycopg.Error: the database is down; nothing is saved and the turn may be repeated.
        """
        key = repository.turn_key(message.turn_id) if message.turn_id else None
        # Waiters of this process queue here, so that they hold no connection while they wait.
        async with self._locks.setdefault(message.sender, asyncio.Lock()), self._pool.connection() as connection:
            loaded = await repository.lock_and_load(connection, message.sender, key)
            if loaded.known is not None:
                log.info("a known turn was asked again", action="turn_repeated")
                return replies(message.sender, loaded.known)
            seed = zlib.crc32(message.sender.encode())
            turn = _Turn(loaded.state or State(message.sender, seed), loaded)
            await self._play(turn, message)
            await repository.save_turn(
                connection,
                message.sender,
                turn.state,
                turn.events,
                number=loaded.turns + 1,
                key=key,
                at=self._clock.now(),
            )
        return replies(message.sender, turn.events)

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _session_due(self, state: State, now: float) -> bool:
        if not state.sessions:
            return True
        minutes = self.project.session_minutes
        if not minutes or state.last_user_at is None or not self.project.start_after_expiry:
            return False
        return now - state.last_user_at > minutes * 60

    async def _play(self, turn: _Turn, message: Incoming) -> None:
        now = self._now()
        if self._session_due(turn.state, now):
            await self._run(turn, StartSession(now, message.metadata))
        commands: tuple[Command, ...] | None = payload_commands(turn.state, message.text, strict=self._strict)
        pressed = commands is not None
        record: Mapping[str, Any] | None = None
        if commands is None:
            commands, record = await self._understand(turn, message.text)
        await self._run(
            turn,
            UserMessage(
                message.text,
                commands,
                self._now(),
                message.metadata,
                uuid.uuid4().hex,
                message.channel,
                pressed,
                record,
            ),
        )

    async def _understand(self, turn: _Turn, text: str) -> tuple[tuple[Command, ...], Mapping[str, Any] | None]:
        wrong = guard_text(self.project, text)
        if wrong is not None:
            return (wrong,), None
        if turn.state.paused or turn.state.ended:
            return (), None
        prompt = self._prompt.render(turn.state, text, lambda: [*turn.earlier.recent(), *turn.events])
        try:
            understood = await self._understanding.understand(prompt)
        except UnderstandingFailed as error:
            log.error("understanding failed", action="understanding_failed", reason=str(error))
            return (Fail(UNDERSTANDING_DOWN),), {"source": "none", "error": str(error)}
        return understood.commands or (CannotHandle(),), understood.record

    async def _run(self, turn: _Turn, inputs: Input) -> None:
        result = self._step(turn, inputs)
        for _ in range(MAX_ACTIONS):
            effect = result.effect
            if not isinstance(effect, RunAction):
                return
            result = self._step(turn, await self._act(turn, effect.name))
        raise RuntimeError(f"more than {MAX_ACTIONS} action requests in one turn")

    def _step(self, turn: _Turn, inputs: Input) -> StepResult:
        result = step(self.project, turn.state, inputs, cap=self._cap)
        turn.take(result)
        for problem in result.problems:
            log.error("a flow or action has a problem", action="flow_problem", problem=problem)
        return result

    async def _act(self, turn: _Turn, name: str) -> Input:
        try:
            events, responses = await self._actions.run(name, turn.state, [*turn.earlier.recent(), *turn.events])
        except ActionFailed as error:
            log.error("an action failed", action="action_failed", name=name, reason=error.reason)
            return ActionFailure(name, self._now(), error.reason)
        return ActionResult(name, self._now(), tuple(events), tuple(responses))

    async def tracker(self, sender: str, turn_id: str | None) -> dict[str, Any]:
        """The conversation in the shape of Rasa's tracker; with `turn_id` only that turn's events, from its user event on."""
        async with self._pool.connection() as connection:
            loaded = await repository.read(connection, sender, repository.turn_key(turn_id) if turn_id else None)
            events = await repository.all_events(connection, sender) if turn_id is None else from_user_event(loaded.known or [])
        return {**tracker(self.project, loaded.state or State(sender)), "events": events}

    async def append(self, sender: str, events: list[Event]) -> dict[str, Any]:
        """Append events from outside to a conversation, as Rasa's tracker API does.

        Raises:
            ValueError: an event has no kind, or sets a slot that the domain does not have.
        """
        now = self._clock.now()
        checked = [_checked(self.project, event, now.timestamp()) for event in events]
        async with self._locks.setdefault(sender, asyncio.Lock()), self._pool.connection() as connection:
            loaded = await repository.lock_and_load(connection, sender, None)
            state = loaded.state or State(sender, zlib.crc32(sender.encode()))
            try:
                for event in checked:
                    apply(state, event, self.project.initials)
            except (KeyError, TypeError, AttributeError, IndexError) as error:
                raise ValueError(f"an event lacks something: {error!r}") from None
            await repository.save_turn(connection, sender, state, checked, number=loaded.turns + 1, key=None, at=now)
        return await self.tracker(sender, None)

    async def healthy(self) -> str | None:
        """None when the database answers."""
        async with self._pool.connection() as connection:
            await connection.execute("SELECT 1 FROM engine.conversation LIMIT 1")
        return None


def from_user_event(events: list[Event]) -> list[Event]:
    """The events of a turn from the customer's message on; what began a session before it is left out."""
    for at, event in enumerate(events):
        if event["event"] == "user":
            return events[at:]
    return []


_FOREIGN = frozenset(
    {"slot", "reset_slots", "restart", "pause", "resume", "session_started", "session_ended", "user", "bot", "action", "stack"}
)


def _checked(project: Project, event: Any, now: float) -> Event:
    if not isinstance(event, dict) or event.get("event") not in _FOREIGN:
        raise ValueError(f"an event needs `event`, one of {', '.join(sorted(_FOREIGN))}")
    if event["event"] == "slot" and event.get("name") not in project.slots:
        raise ValueError(f"there is no slot {event.get('name')!r}")
    return {"timestamp": now, **event}
