"""Plays one test case through the engine and tells what each turn showed."""

from __future__ import annotations

import time
import traceback
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from tightrope.engine.commands import dict_line
from tightrope.engine.errors import EngineError
from tightrope.engine.models import Project
from tightrope.engine.responses import replies
from tightrope.engine.state import Event, State, apply
from tightrope.engine.turn import Incoming, RunsActions, Turn, TurnRunner, Understands, Understood
from tightrope.infra.clock import Clock
from tightrope.suites.cases import Case, Expected, UserTurn
from tightrope.suites.checking import Evidence, judge
from tightrope.suites.errors import CannotPlay
from tightrope.suites.models import CaseReport, Expectation, Status, TurnReport
from tightrope.suites.reader import MOCKED
from tightrope.suites.sources import CaseActions


class Given(Protocol):
    """Says what a turn means, in place of understanding."""

    def turn(self, index: int, text: str) -> Understood | None:
        """None when nothing is given for this turn.

        Raises:
            CannotPlay: what is given cannot be used.
        """
        ...


class CaseClock:
    """The time of the case that is played: a real clock, moved to the case's mocked_datetime."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The time now."""
        return self._clock.now() + self._ahead

    def turn_to(self, moment: datetime | None) -> None:
        """It is this time now; or, with None, what the real clock says."""
        self._ahead = moment - self._clock.now() if moment is not None else timedelta()


class Conversation:
    """The customer of one test case: state and history over its turns, with the case's fixtures, stubs and clock.

    Args:
        sender: no other case may have had it.
    """

    def __init__(
        self,
        project: Project,
        case: Case,
        understanding: Understands,
        actions: RunsActions,
        clock: CaseClock,
        sender: str,
        *,
        strict_payloads: bool,
        prediction_cap: int,
    ) -> None:
        self.project = project
        self.case = case
        self.sender = sender
        self.state = State(sender, zlib.crc32(f"{case.file}::{case.name}::{case.occurrence}".encode()))
        self.history: list[Event] = []
        clock.turn_to(case.clock)
        self._clock = clock
        self.runner = TurnRunner(
            project,
            understanding,
            CaseActions(case, actions),
            self.now,
            strict_payloads=strict_payloads,
            prediction_cap=prediction_cap,
        )

    def now(self) -> float:
        """The time in Unix seconds."""
        return self._clock.now().timestamp()

    def turn(self) -> Turn:
        """A new turn at the end of the conversation."""
        return Turn(self.state, lambda: self.history)

    def keep(self, turn: Turn) -> None:
        """Add a turn to the conversation."""
        self.state = turn.state
        self.history.extend(turn.events)

    async def open(self, turn: Turn, metadata: Mapping[str, Any]) -> None:
        """Begin the session in `turn` and set the slots of the fixtures after it.

        Raises:
            CannotPlay: a fixture sets a slot that the domain does not have.
        """
        await self.runner.open_session(turn, metadata)
        for name, value in self.case.slots.items():
            if name not in self.project.slots and name != MOCKED:
                raise CannotPlay(f"a fixture sets the slot {name!r}, which the domain does not have")
            event = {"event": "slot", "timestamp": self.now(), "name": name, "value": value}
            apply(turn.state, event, self.project.initials)
            turn.events.append(event)

    async def say(self, turn: Turn, user: UserTurn, given: Understood | None) -> None:
        """Play one message of the customer.

        Raises:
            CannotPlay: something that the case needs is not there.
        """
        await self.runner.run(turn, Incoming(self.sender, user.text, user.metadata), given)


async def play(talk: Conversation, given: Given | None) -> CaseReport:
    """Play a case to its end, or to where it cannot go on; what was played until then is told as well."""
    case = talk.case
    started = time.perf_counter()
    turns: list[TurnReport] = []
    turn = talk.turn()
    user = UserTurn("", case.before[0].line if case.before else case.line)
    reason = ""
    try:
        await talk.open(turn, case.turns[0].metadata if case.turns else {})
        if case.before or _shows_something(talk, turn):
            turns.append(replace(report(talk, turn, user, judged(talk, turn, case.before)), opening=True))
        talk.keep(turn)
        for index, user in enumerate(case.turns):
            turn = talk.turn()
            await talk.say(turn, user, given.turn(index, user.text) if given is not None else None)
            turns.append(report(talk, turn, user, judged(talk, turn, user.expected, ordered=user.ordered)))
            talk.keep(turn)
    except CannotPlay as error:
        reason = str(error)
    except Exception as error:
        # A fault of the engine fails the case that found it, not the suite.
        reason = f"the engine failed: {error if isinstance(error, EngineError) else trace_of(error)}"
    if reason:
        turns.append(report(talk, turn, user, ()))
    return CaseReport(
        file=case.file,
        name=case.name,
        line=case.line,
        occurrence=case.occurrence,
        status="failed" if reason else _status(turns),
        turns=tuple(turns),
        seconds=time.perf_counter() - started,
        reason=reason or _unjudged(turns),
    )


def trace_of(error: Exception) -> str:
    """An unexpected error with its place."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno})"


def _shows_something(talk: Conversation, turn: Turn) -> bool:
    """Whether the start of the session said anything or ran a flow of the project's own."""
    flows = talk.project.flows
    return bool(replies(talk.sender, turn.events)) or any(not flows[flow].builtin for flow, _ in turn.visited if flow in flows)


def judged(talk: Conversation, turn: Turn, expected: tuple[Expected, ...], *, ordered: bool = False) -> tuple[Expectation, ...]:
    """What was expected of a turn, compared with its events from the customer's message on."""
    said = next((at for at, event in enumerate(turn.events) if event["event"] == "user"), 0)
    slots = {**talk.project.initials, **turn.state.slots}
    return judge(expected, Evidence(talk.project, turn.events[said:], slots), ordered=ordered)


def report(talk: Conversation, turn: Turn, user: UserTurn, expectations: tuple[Expectation, ...]) -> TurnReport:
    """A turn as reports tell it."""
    said: Mapping[str, Any] = next((event for event in turn.events if event["event"] == "user"), {})
    parsed = said.get("parse_data") or {}
    return TurnReport(
        user=user.text,
        line=user.line,
        pressed=bool(parsed.get("payload")),
        commands=tuple(dict_line(command) for command in parsed.get("commands") or ()),
        replies=tuple(replies(talk.sender, turn.events)),
        events=tuple(turn.events),
        visited=tuple(turn.visited),
        expectations=expectations,
        problems=tuple(turn.problems),
    )


def _status(turns: list[TurnReport]) -> Status:
    """Failed if anything failed; not run if there was something to judge and nothing of it could be judged."""
    found = [expectation.status for turn in turns for expectation in turn.expectations]
    if "failed" in found:
        return "failed"
    return "not_run" if found and "passed" not in found else "passed"


def _unjudged(turns: list[TurnReport]) -> str:
    """Why a case without a verdict has none."""
    if _status(turns) != "not_run":
        return ""
    return "; ".join(dict.fromkeys(f"{found.kind}: {found.reason}" for turn in turns for found in turn.expectations))
