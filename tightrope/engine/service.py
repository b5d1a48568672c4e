"""A turn with the database around it: lock, load, play (turn.py), save."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any
from weakref import WeakValueDictionary

from tightrope.engine import repository
from tightrope.engine.clients import tracker
from tightrope.engine.models import Project
from tightrope.engine.responses import replies
from tightrope.engine.state import Event, State, apply
from tightrope.engine.turn import Incoming, RunsActions, Turn, TurnRunner, Understands
from tightrope.infra.clock import Clock
from tightrope.infra.database import Pool
from tightrope.infra.logging import get_logger

log = get_logger()


class Assistant:
    """Answers messages of one project."""

    def __init__(
        self,
        project: Project,
        pool: Pool,
        understanding: Understands,
        actions: RunsActions,
        clock: Clock,
        *,
        strict_payloads: bool = True,
        prediction_cap: int = 30,
    ) -> None:
        self.project = project
        self._pool = pool
        self._clock = clock
        self._turns = TurnRunner(
            project,
            understanding,
            actions,
            lambda: clock.now().timestamp(),
            strict_payloads=strict_payloads,
            prediction_cap=prediction_cap,
            on_problem=_log_problem,
        )
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
            turn = Turn(loaded.state or State(message.sender, seed), loaded.recent)
            await self._turns.run(turn, message)
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

    async def tracker(self, sender: str, turn_id: str | None) -> dict[str, Any]:
        """The conversation in the shape of Rasa's tracker; with `turn_id` only that turn's events, from its user event on."""
        async with self._pool.connection() as connection:
            loaded = await repository.read(connection, sender, repository.turn_key(turn_id) if turn_id else None)
            events = await repository.all_events(connection, sender) if turn_id is None else from_user_event(loaded.known or [])
        return {**tracker(self.project, loaded.state or State(sender)), "events": events}

    async def append(self, sender: str, events: list[Event]) -> dict[str, Any]:
        """Append events from outside to a conversation, as Rasa's tracker API does.

        Raises:
            ValueError: an event has no kind, or sets a slot that the domain does not have, or the conversation is closed for good.
        """
        now = self._clock.now()
        checked = [_checked(self.project, event, now.timestamp()) for event in events]
        async with self._locks.setdefault(sender, asyncio.Lock()), self._pool.connection() as connection:
            loaded = await repository.lock_and_load(connection, sender, None)
            state = loaded.state or State(sender, zlib.crc32(sender.encode()))
            if state.ended:
                raise ValueError("the conversation is closed for good; nothing can be appended")
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


def _log_problem(problem: str) -> None:
    log.error("a flow, an action or understanding has a problem", action="flow_problem", problem=problem)


def from_user_event(events: list[Event]) -> list[Event]:
    """The events of a turn from the customer's message on; what began a session before it is left out."""
    for at, event in enumerate(events):
        if event["event"] == "user":
            return events[at:]
    return []


_FOREIGN = frozenset(
    {"slot", "reset_slots", "restart", "pause", "resume", "session_started", "session_ended", "user", "bot", "action"}
)
"""Not `stack`: what flows remember is theirs, and one frame that lacks something would fail every later turn."""


def _checked(project: Project, event: Any, now: float) -> Event:
    if not isinstance(event, dict) or event.get("event") not in _FOREIGN:
        raise ValueError(f"an event needs `event`, one of {', '.join(sorted(_FOREIGN))}")
    if event["event"] == "slot" and event.get("name") not in project.slots:
        raise ValueError(f"there is no slot {event.get('name')!r}")
    at = event.get("timestamp")
    if at is not None and (not isinstance(at, int | float) or isinstance(at, bool)):
        raise ValueError("`timestamp` is a number, the seconds since 1970")
    return {**event, "timestamp": now if at is None else at}
