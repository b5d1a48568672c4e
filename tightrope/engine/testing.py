"""For tests: talk to a project through the pure core, with fake actions and no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tightrope.engine import responses
from tightrope.engine.commands import parse_text
from tightrope.engine.core import PREDICTION_CAP
from tightrope.engine.errors import ActionFailed
from tightrope.engine.models import Project
from tightrope.engine.state import Event, State, replay
from tightrope.engine.turn import History, Incoming, Turn, TurnRunner, Understood, settle

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
        self._understand = understand or (lambda _text: "")
        self.strict = strict
        self.cap = cap
        self.at = 1_800_000_000.0
        self.state = State("test")
        self.events: list[Event] = []
        self.ran: list[str] = []
        self.problems: list[str] = []

    def say(self, text: str, commands: str | None = None, metadata: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """One turn; `commands` are v3 lines. A text that a button offered is a press."""
        self.at += 1.0
        given = None if commands is None else Understood(parse_text(commands)[0])
        turn = self._turn()
        settle(self._runner().run(turn, Incoming("test", text, metadata or {}, message_id=""), given))
        return self._keep(turn)

    def open_session(self, idle: float) -> list[dict[str, Any]]:
        """What a session says that is due after so many idle seconds, before the customer's message."""
        self.at += idle
        turn = self._turn()
        settle(self._runner().open_session(turn, {}))
        return self._keep(turn)

    def _turn(self) -> Turn:
        return Turn(self.state, lambda: self.events)

    def _runner(self) -> TurnRunner:
        return TurnRunner(self.project, self, self, lambda: self.at, strict_payloads=self.strict, prediction_cap=self.cap)

    def _keep(self, turn: Turn) -> list[dict[str, Any]]:
        self.state = turn.state
        self.events.extend(turn.events)
        self.problems.extend(turn.problems)
        assert self.state.to_json() == replay("test", self.events, self.project.initials).to_json(), "replay differs"  # noqa: S101
        return responses.replies("test", turn.events)

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

    async def understand(self, _state: State, text: str, _history: History) -> Understood:
        """What the given function understands."""
        return Understood(parse_text(self._understand(text))[0])

    async def run(self, name: str, state: State, events: list[Event]) -> tuple[list[Any], list[Any]]:
        """What the fake of an action does."""
        self.ran.append(name)
        fake = self.actions.get(name)
        if fake is None:
            return [], []
        tracker = {
            "sender_id": "test",
            "slots": {**self.project.initials, **state.slots},
            "latest_message": state.latest_message,
            "events": events,
            "stack": state.stack,
        }
        try:
            found = fake(tracker)
        except Exception as error:
            raise ActionFailed(name, repr(error)) from None
        if isinstance(found, dict):
            return list(found.get("events") or ()), list(found.get("responses") or ())
        return list(found or ()), []
