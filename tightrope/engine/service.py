"""A turn with the database around it: take the conversation, play (turn.py), keep; and the project replaced while conversations go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

from psycopg import Error as DatabaseError

from tightrope.engine import repository
from tightrope.engine.errors import ProjectError
from tightrope.engine.intents import known_intents, triggered
from tightrope.engine.outside import checked, probe
from tightrope.engine.record import Appended, Record, Recorded, Replayed, append, replay_turns, seed_of, state_digest
from tightrope.engine.responses import replies
from tightrope.engine.serving import Serving, Source, load
from tightrope.engine.state import Event, State
from tightrope.engine.turn import History, Incoming, Turn, TurnRunner, Understood
from tightrope.engine.views import Include, tracker_view
from tightrope.infra.clock import Clock
from tightrope.infra.database import Connection, Pool
from tightrope.infra.logging import get_logger

log = get_logger()

LOOK_SECONDS = 5.0
"""While servers of one database run different projects, each looks at its files at most this often."""


def _before(sender: str, taken: repository.Taken) -> State:
    return taken.state or State(sender, seed_of(sender))


class _Neighbours:
    """The clients, which get the events before this turn as well; these are read when somebody wants them."""

    def __init__(self, serving: Serving, earlier: Callable[[], Awaitable[list[Event]]]) -> None:
        self._serving = serving
        self._earlier = earlier

    async def understand(self, state: State, text: str, history: History) -> Understood:
        if not self._serving.needs_history:
            return await self._serving.understanding.understand(state, text, history)
        earlier = await self._earlier()
        return await self._serving.understanding.understand(state, text, lambda: [*earlier, *history()])

    async def run(self, name: str, state: State, events: list[Event]) -> tuple[list[Any], list[Any]]:
        if any(event["event"] == "session_started" for event in events):
            return await self._serving.actions.run(name, state, events)
        return await self._serving.actions.run(name, state, [*await self._earlier(), *events])


class Assistant:
    """Answers messages of one project."""

    def __init__(
        self,
        source: Source,
        serving: Serving,
        pool: Pool,
        clock: Clock,
        *,
        strict_payloads: bool = True,
        prediction_cap: int = 30,
    ) -> None:
        self.serving = serving
        self._source = source
        self._pool = pool
        self._clock = clock
        self._strict = strict_payloads
        self._cap = prediction_cap
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._loading = asyncio.Lock()
        self._look_again = 0.0
        self._background: set[asyncio.Task[None]] = set()

    # turns

    async def answer(self, message: Incoming, given: Understood | None = None) -> list[dict[str, Any]]:
        """The replies to a message; those of a turn id that was answered before are given again and nothing runs.

        Raises:
            ConversationBusy: another server holds this conversation.
            psycopg.Error: the database is down; nothing is kept and the turn may be repeated.
        """
        key = repository.turn_key(message.turn_id) if message.turn_id else None
        async with self._held(message.sender, key) as (serving, connection, taken):
            if taken.known is not None:
                log.info("a known turn was asked again", action="turn_repeated")
                return replies(message.sender, taken.known)
            turn, runner = self._turn(serving, connection, message.sender, taken)
            await runner.run(turn, message, given)
            await self._keep(serving, connection, taken, turn, tuple(turn.inputs), key=key)
        return replies(message.sender, turn.events)

    async def trigger(self, sender: str, intent: str, entities: Any) -> list[dict[str, Any]]:
        """As `answer`, for an intent that nobody typed.

        Raises:
            LookupError: the project knows no such intent.
            MappingError: the entities have another shape.
        """
        if intent not in known_intents(self.serving.project):
            raise LookupError(intent)
        text, metadata, command = triggered(intent, entities)
        return await self.answer(Incoming(sender, text, metadata), Understood((command,)))

    async def append(self, sender: str, events: list[Any], *, replacing: bool = False) -> None:
        """Add events from outside to a conversation, or let its tracker begin anew with them.

        Raises:
            ValueError: an event cannot be applied, or the conversation is closed for good.
        """
        async with self._held(sender, None) as (serving, connection, taken):
            now = self._clock.now().timestamp()
            added = Appended(now, tuple(checked(serving.project, event, now) for event in events), replacing)
            turn, runner = self._turn(serving, connection, sender, taken)
            if turn.state.ended and not replacing:
                raise ValueError("the conversation is closed for good; nothing can be appended")
            if not turn.state.sessions and not replacing:
                await runner.open_session(turn, {})
            turn.state = append(serving.project, turn.state, added)
            if any(event["event"] == "stack" for event in added.events):
                probe(serving.project, turn.state)
            turn.events.extend(dict(event) for event in added.events)
            if replacing:
                taken.begins = taken.turns + 1
            await self._keep(serving, connection, taken, turn, (*turn.inputs, added))

    @asynccontextmanager
    async def _held(self, sender: str, key: str | None) -> AsyncIterator[tuple[Serving, Connection, repository.Taken]]:
        """The conversation, held by a transaction. Waiters of this process queue first, so that they hold no connection while they wait."""
        async with (
            self._locks.setdefault(sender, asyncio.Lock()),
            self.serving.used() as serving,
            self._pool.connection() as connection,
        ):
            taken = await repository.take(connection, sender, key)
            self._follow(serving, taken.stamp)
            yield serving, connection, taken

    def _turn(self, serving: Serving, connection: Connection, sender: str, taken: repository.Taken) -> tuple[Turn, TurnRunner]:
        read: list[list[Event]] = []

        async def earlier() -> list[Event]:
            if not read:
                read.append(await repository.recent(connection, sender, taken.begins) if taken.turns else [])
            return read[0]

        neighbours = _Neighbours(serving, earlier)
        runner = TurnRunner(
            serving.project,
            neighbours,
            neighbours,
            lambda: self._clock.now().timestamp(),
            strict_payloads=self._strict,
            prediction_cap=self._cap,
            on_problem=_log_problem,
        )
        return Turn(_before(sender, taken)), runner

    async def _keep(
        self,
        serving: Serving,
        connection: Connection,
        taken: repository.Taken,
        turn: Turn,
        inputs: tuple[Recorded, ...],
        *,
        key: str | None = None,
    ) -> None:
        project = serving.project
        # Turns copy the state before they change it, so this is still the one that the turn began with.
        before = state_digest(_before(turn.state.sender_id, taken))
        await repository.keep(
            connection,
            turn.state.sender_id,
            turn.state,
            turn.events,
            Record(project.model_id, self._cap, inputs, project.options, before, self._strict).to_json()
            | {"visited": turn.visited},
            number=taken.turns + 1,
            key=key,
            at=self._clock.now(),
            begins=taken.begins,
        )

    # looking

    async def tracker(self, sender: str, include: Include = "AFTER_RESTART", until: float | None = None) -> dict[str, Any]:
        """The conversation in the shape of Rasa's tracker."""
        async with self._pool.connection() as connection:
            state, events = await repository.read(connection, sender)
        return tracker_view(self.serving.project, state or State(sender, seed_of(sender)), events, include, until)

    async def turn_tracker(self, sender: str, turn_id: str) -> dict[str, Any]:
        """As `tracker`, only with that turn's events, from its user event on, and `steps`: every flow step that ran, as [flow, step].

        `turn` (ours; there if the turn was made) holds what replaying it takes: its number in this conversation, the events before the user
        event (of a session that began with it), and its record (record.py).
        """
        async with self._pool.connection() as connection:
            found = await repository.read_turn(connection, sender, repository.turn_key(turn_id))
        if found is None:
            return tracker_view(self.serving.project, State(sender), [], "ALL") | {"steps": None}
        first = next((at for at, event in enumerate(found.events) if event["event"] == "user"), len(found.events))
        view = tracker_view(self.serving.project, found.state, found.events[first:], "ALL")
        view["steps"] = (found.inputs or {}).get("visited")
        if found.number is not None:
            view["turn"] = {"number": found.number, "opening": found.events[:first], "record": found.inputs}
        return view

    async def replay(self, sender: str) -> Replayed:
        """Play all turns of a conversation again and compare."""
        async with self._pool.connection() as connection:
            state, turns = await repository.kept_turns(connection, sender)
        project = self.serving.project
        stored = ((turn.number, turn.events, turn.inputs) for turn in turns)
        return await asyncio.to_thread(replay_turns, project, sender, seed_of(sender), stored, state)

    async def healthy(self) -> str | None:
        """None when the database answers."""
        async with self._pool.connection() as connection:
            await repository.alive(connection)
        return None

    # the project

    async def announce(self) -> None:
        """Let the other servers know what is loaded here."""
        async with self._pool.connection() as connection:
            await repository.announce(connection, self.serving.stamp)

    async def reload(self) -> Serving:
        """Read the project anew and let every turn from now on run on it; turns under way finish on the one they began with.

        Raises:
            ProjectError: it cannot be used; the one that runs goes on.
        """
        async with self._loading:
            before = self.serving
            self.serving = await asyncio.to_thread(load, self._source, before)
            await before.retire()
        await self.announce()
        log.info("project loaded anew", action="reloaded", stamp=self.serving.stamp, before=before.stamp)
        return self.serving

    def _follow(self, serving: Serving, stamp: str | None) -> None:
        """Another server loaded something else: look, in the background, whether this one's files have changed as well."""
        if stamp is None or stamp == serving.stamp or time.monotonic() < self._look_again:
            return
        self._look_again = time.monotonic() + LOOK_SECONDS
        task = asyncio.create_task(self._look())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _look(self) -> None:
        try:
            if await asyncio.to_thread(self._source.stamp, self.serving) != self.serving.stamp:
                await self.reload()
        except (ProjectError, DatabaseError, OSError) as error:
            log.error("the project could not be loaded anew; the one before goes on", action="reload_failed", reason=str(error))

    async def aclose(self) -> None:
        """End what runs in the background and close the clients."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.serving.retire()


def _log_problem(problem: str) -> None:
    log.error("a flow, an action or understanding has a problem", action="flow_problem", problem=problem)
