"""One conversation of the terminal chat: what a typed line means, and its turns."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tightrope.cli.chat_actions import Remembering
from tightrope.cli.chat_view import buttons
from tightrope.cli.recorder import Spoken
from tightrope.engine.commands import parse_text
from tightrope.engine.core import PREDICTION_CAP, payload_commands
from tightrope.engine.models import Project, SetSlot
from tightrope.engine.prompt import under_way
from tightrope.engine.state import Event, State, apply
from tightrope.engine.turn import History, Incoming, RunsActions, Turn, TurnRunner, Understands, Understood
from tightrope.suites.sources import close

COMMANDS = "start flow F; set slot S VALUE; cancel flow; disambiguate flows F G; search and reply; offtopic reply; repeat message; skip question"


class NotUnderstood(Exception):
    """A typed line means nothing that could be sent; says what to type instead."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A turn as it is shown: the state before it, the turn, and what the author entered in place of understanding."""

    before: State
    turn: Turn
    commands: tuple[str, ...] | None


class _Nobody:
    async def understand(self, _state: State, _text: str, _history: History) -> Understood:
        """Nothing."""
        return Understood(())


class Talk:
    """A conversation.

    Args:
        understanding: None when nobody understands; then typed text answers the open question as it stands.
        language: of the customer, the project's by default: goes into the slot `language`, if the domain has one, and into the metadata.
        channel: by which the customer writes; variations of responses may be for one channel.
    """

    def __init__(
        self,
        project: Project,
        understanding: Understands | None,
        actions: RunsActions,
        *,
        strict: bool = False,
        cap: int = PREDICTION_CAP,
        language: str | None = None,
        channel: str = "rest",
    ) -> None:
        self.project = project
        self.understands = understanding is not None
        self.memory = Remembering(actions)
        self._understanding = understanding
        if "language" in project.slots:
            language = language or project.language
        starts = {"language": language} if language and "language" in project.slots else {}
        self.fixtures: dict[str, Any] = {name: value for name, value in starts.items() if value != project.initials.get(name)}
        self.metadata: Mapping[str, Any] = {"language": language} if language else {}
        self.spoken: list[Spoken] = []
        self._strict = strict
        self._channel = channel
        self._runner = TurnRunner(
            project, understanding or _Nobody(), self.memory, time.time, strict_payloads=strict, prediction_cap=cap
        )
        self.restart()

    def restart(self) -> None:
        """A new customer; what was recorded stays."""
        self.state = State("chat", zlib.crc32(b"chat"))
        self._history: list[Event] = []
        self._offered: list[Mapping[str, str]] = []
        self.spoken.clear()
        self.memory.given.clear()

    async def aclose(self) -> None:
        """Close the connections to those who understand and act."""
        await close(self._understanding, self.memory.inner)

    @property
    def newest(self) -> tuple[Event, ...]:
        """Events of the newest turn."""
        return self.spoken[-1].events if self.spoken else ()

    async def say(self, line: str) -> Heard:
        """Play a typed line.

        Raises:
            NotUnderstood: it cannot be sent.
            EngineError: the engine failed; the conversation stands where it stood.
        """
        text, given = self._meaning(line.strip())
        turn = Turn(self.state, lambda: self._history)
        before, known = self.state, len(self.memory.given)
        try:
            if not self.state.sessions:
                await self._open(turn)
            understood = None if given is None else Understood(parse_text("\n".join(given))[0], {"source": "given"})
            await self._runner.run(turn, Incoming("chat", text, self.metadata, self._channel), understood)
        except BaseException:
            del self.memory.given[known:]
            raise
        self.state = turn.state
        self._history.extend(turn.events)
        self._offered = buttons(turn.events) or self._offered
        self.spoken.append(Spoken(text, given, tuple(turn.events)))
        return Heard(before, turn, given)

    async def _open(self, turn: Turn) -> None:
        """The session, and the slots of the customer's language after it, as a test's fixtures are set."""
        await self._runner.open_session(turn, self.metadata)
        for name, value in self.fixtures.items():
            event = {"event": "slot", "timestamp": time.time(), "name": name, "value": value}
            apply(turn.state, event, self.project.initials)
            turn.events.append(event)

    def _meaning(self, line: str) -> tuple[str, tuple[str, ...] | None]:
        """The text to send, and commands in place of understanding."""
        if line.startswith(":") or line.split(" ", 1)[0] == "/cmd":
            return self._commands(line[1:] if line.startswith(":") else line[4:])
        if line.isascii() and line.isdigit() and 0 < int(line[:6]) <= len(self._offered):
            line = self._offered[int(line[:6]) - 1].get("payload", "")
        elif line.startswith("\\"):
            line = line[1:]
        if self.understands or payload_commands(self.state, line, strict=self._strict) is not None:
            return line, None
        asked = under_way(self.state)[1]
        if asked is None:
            raise NotUnderstood(
                "Nobody understands texts here. Press a button by its number, or enter commands, as :start flow F"
            )
        return line, (f"set slot {asked} {line}",)

    def _commands(self, text: str) -> tuple[str, tuple[str, ...]]:
        lines = tuple(part.strip() for part in text.split(";") if part.strip())
        commands, refused = parse_text("\n".join(lines))
        if refused or not commands:
            raise NotUnderstood(f"No command: {refused[0] if refused else '(empty)'}. There are: {COMMANDS}")
        for command in commands:
            if isinstance(command, SetSlot) and command.name not in self.project.slots:
                raise NotUnderstood(f"There is no slot {command.name!r} in the domain.")
            flow = getattr(command, "flow", None)
            if flow is not None and flow not in self.project.flows:
                own = sorted(f.id for f in self.project.flows.values() if not f.is_pattern)
                raise NotUnderstood(f"There is no flow {flow!r}; there are {', '.join(own)}.")
        return "; ".join(lines), lines
