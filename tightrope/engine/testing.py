"""For tests: talk to a project through the pure core, with fake actions and no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tightrope.engine import responses
from tightrope.engine.commands import parse_text
from tightrope.engine.core import PREDICTION_CAP, guard_text, payload_commands, step
from tightrope.engine.models import (
    ActionFailure,
    ActionResult,
    CannotHandle,
    Command,
    Input,
    Project,
    RunAction,
    StartSession,
    UserMessage,
)
from tightrope.engine.state import Event, State, replay

Fake = Callable[[dict[str, Any]], Any]
"""Gets the tracker as the action server would; gives `{"events": […], "responses": […]}`, a list of events, or None."""


class Conversation:
    """One customer. `say(text, "start flow f")` gives the replies of the turn in the REST channel's shape.

    Args:
        actions: what each custom action does; one that is missing does nothing, one that raises has failed.
        understand: text -> v3 command lines, used when `say` is given none.
    """

    def __init__(
        self,
        project: Project,
        actions: Mapping[str, Fake] | None = None,
        *,
        understand: Callable[[str], str] | None = None,
        strict: bool = True,
        cap: int = PREDICTION_CAP,
    ) -> None:
        self.project = project
        self.actions = dict(actions or {})
        self.understand = understand or (lambda _text: "")
        self.strict = strict
        self.cap = cap
        self.at = 1_800_000_000.0
        self.state = State("test")
        self.events: list[Event] = []
        self.ran: list[str] = []
        self.problems: list[str] = []

    def say(self, text: str, commands: str | None = None, metadata: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """One turn; `commands` are v3 lines. A text that a button offered is a press."""
        since = len(self.events)
        if not self.state.sessions:
            self._go(StartSession(self.at, metadata or {}))
        given: tuple[Command, ...] | None = payload_commands(self.state, text, strict=self.strict) if commands is None else None
        pressed = given is not None
        if given is None:
            wrong = guard_text(self.project, text)
            parsed = parse_text(self.understand(text) if commands is None else commands)[0] or (CannotHandle(),)
            given = (wrong,) if wrong else parsed
        self._go(UserMessage(text, given, self.at, metadata or {}, payload=pressed))
        return responses.replies("test", self.events[since:])

    def texts(self, text: str, commands: str | None = None, metadata: Mapping[str, Any] | None = None) -> list[str]:
        """As `say`, only the texts."""
        return [reply["text"] for reply in self.say(text, commands, metadata) if "text" in reply]

    def press(self, title: str) -> list[dict[str, Any]]:
        """Press the button with this title among the newest messages.

        Raises:
            LookupError: there is no such button.
        """
        for message in reversed(self.state.said):
            for button in message["data"].get("buttons") or ():
                if button["title"] == title:
                    return self.say(button["payload"])
        raise LookupError(f"no button {title!r} on offer")

    def slot(self, name: str) -> Any:
        """A slot's value."""
        return self.state.slots.get(name, self.project.initials.get(name))

    def flow(self) -> str | None:
        """Id of the journey under way."""
        return next((f["flow_id"] for f in reversed(self.state.stack) if f["type"] == "flow"), None)

    def _go(self, inputs: Input) -> None:
        self.at += 1.0
        result = step(self.project, self.state, inputs, cap=self.cap)
        self._take(result.state, result.events, result.problems)
        effect = result.effect
        while isinstance(effect, RunAction):
            result = step(self.project, self.state, self._answer(effect.name), cap=self.cap)
            self._take(result.state, result.events, result.problems)
            effect = result.effect
        assert self.state.to_json() == replay("test", self.events, self.project.initials).to_json(), "replay differs"  # noqa: S101

    def _take(self, state: State, events: list[Event], problems: tuple[str, ...]) -> None:
        self.state = state
        self.events.extend(events)
        self.problems.extend(problems)

    def _answer(self, name: str) -> Input:
        self.ran.append(name)
        fake = self.actions.get(name)
        if fake is None:
            return ActionResult(name, self.at)
        tracker = {
            "sender_id": "test",
            "slots": {**self.project.initials, **self.state.slots},
            "latest_message": self.state.latest_message,
            "events": self.events,
            "stack": self.state.stack,
        }
        try:
            found = fake(tracker)
        except Exception as error:
            return ActionFailure(name, self.at, repr(error))
        if isinstance(found, dict):
            return ActionResult(name, self.at, tuple(found.get("events") or ()), tuple(found.get("responses") or ()))
        return ActionResult(name, self.at, tuple(found or ()))
