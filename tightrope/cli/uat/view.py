"""Looks at a turn of an acceptance case: who was asked what, and what it showed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actions.knowledge import ASKED_BACK
from tightrope.engine.prompt import Prompt
from tightrope.engine.state import Event, State
from tightrope.engine.turn import History, RunsActions, Turn, Understands, Understood
from tightrope.gateway.models import Reply, TurnResult
from tightrope.knowledge.compose.decide import named
from tightrope.uat.models import Shown
from tightrope.uat.observed import Message, Observed, Source

if TYPE_CHECKING:
    from tightrope.cli.uat.world import World
    from tightrope.engine.models import Project

DECLINES = frozenset({"decline_investment_advice", "decline_trade_instruction"})
NOT_UNDERSTOOD = frozenset({"pattern_cannot_handle"})
OFFERED = ("knowledge_outcome", "asked_back")
"""The slot by which a choice of passages is known."""


class Recording:
    """Passes on to understanding and actions, and keeps what went by in one step."""

    def __init__(self, prompt: Prompt, understanding: Understands, actions: RunsActions) -> None:
        self._prompt = prompt
        self._understanding = understanding
        self._actions = actions
        self.texts: list[str] = []
        self.given: list[Mapping[str, Any]] = []

    def forget(self) -> None:
        """Begin a new step."""
        self.texts, self.given = [], []

    async def understand(self, state: State, text: str, history: History) -> Understood:
        """As the inner one.

        Raises:
            UnderstandingFailed: as the inner one.
        """
        self.texts.append(self._prompt.render(state, text, history))
        return await self._understanding.understand(state, text, history)

    async def run(self, name: str, state: State, events: list[Event]) -> tuple[list[Any], list[Any]]:
        """As the inner one.

        Raises:
            ActionFailed: as the inner one.
        """
        found, responses = await self._actions.run(name, state, events)
        self.given += [item for item in responses if isinstance(item, Mapping)]
        return found, responses


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the gateway's side of a step came to."""

    replies: tuple[Reply, ...] = ()
    result: TurnResult | None = None
    turn: Turn | None = None
    bound: str | None = None
    told: str = ""
    silent: str = ""
    handoff: tuple[str, str] | None = None
    off: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()


def observed(world: World, recording: Recording, spoken: Spoken, state: State, *, held: bool) -> Observed:
    """Everything that a step showed."""
    events = _from_user(spoken.turn.events) if spoken.turn else []
    passages = tuple(_passages(world, spoken.result))
    started = _flows(events, "flow_started")
    slots = {**world.project.initials, **state.slots}
    messages = tuple(_messages(world.project, recording, spoken, events, passages))
    return Observed(
        messages=messages,
        bound=spoken.bound,
        started=started,
        completed=_flows(events, "flow_completed"),
        cancelled=_flows(events, "flow_cancelled"),
        set_slots=tuple((event["name"], event.get("value")) for event in events if event["event"] == "slot"),
        slots=slots,
        offered=_offered(events),
        cited=tuple(citation["document_id"] for reply in spoken.replies for citation in reply.citations),
        sections=tuple(named(c["title"], c["section"], c["language"]) for reply in spoken.replies for c in reply.citations),
        which=tuple(title for one in messages if one.shown.response == ASKED_BACK for title in one.shown.buttons),
        handoff=spoken.handoff,
        login=spoken.result is not None and spoken.result.login is not None,
        told=spoken.told,
        silent=spoken.silent,
        standing=_standing(spoken, state, events, held=held),
        prompts=tuple(recording.texts),
        account_figures=tuple(world.wires.figures),
        calls=tuple(world.wires.calls),
        refused=tuple(world.wires.refused),
        switched_off=frozenset(scope.removeprefix("journey:") for scope in spoken.off),
        problems=(*spoken.problems, *(spoken.turn.problems if spoken.turn else ())),
    )


def _from_user(events: list[Event]) -> list[Event]:
    first = next((at for at, event in enumerate(events) if event["event"] == "user"), 0)
    return events[first:]


def _flows(events: list[Event], kind: str) -> tuple[str, ...]:
    return tuple(str(event["flow_id"]) for event in events if event["event"] == kind)


def _offered(events: list[Event]) -> tuple[str, ...]:
    """Flows of a clarification."""
    for event in events:
        for command in (event.get("parse_data") or {}).get("commands") or () if event["event"] == "user" else ():
            if command.get("command") == "clarify":
                return tuple(command.get("options") or ())
    return ()


def _passages(world: World, result: TurnResult | None) -> Iterable[str]:
    """Texts of the passages that actions of this turn found, as the knowledge base holds them."""
    for envelope in result.envelopes if result else ():
        if envelope["kind"] == "evidence":
            for passage in envelope.get("passages") or ():
                yield world.passages.get(str(passage["passage_id"]), "")
        elif envelope["kind"] == "citations":
            for item in envelope["items"]:
                yield world.passages.get(str(item["passage_id"]), "")


def _messages(
    project: Project, recording: Recording, spoken: Spoken, events: list[Event], passages: tuple[str, ...]
) -> Iterable[Message]:
    """The messages as the customer sees them, each with where its figures may come from."""
    bots = [event for event in events if event["event"] == "bot" and str(event.get("text") or "").strip()]
    for index, reply in enumerate(spoken.replies):
        event = bots[index] if index < len(bots) else {}
        name = str((event.get("metadata") or {}).get("utter_action") or "")
        shown = Shown(reply.text, name, tuple(offer.title for offer in reply.offers))
        if not event:
            yield Message(shown, Source((reply.text,)))
        elif name:
            yield Message(shown, Source((*_templates(project, name), *_variables(recording, name), *_held(events))))
        else:
            yield Message(shown, Source((), passages))


def _templates(project: Project, name: str) -> Iterable[str]:
    """A response's texts as the domain holds them."""
    response = project.responses.get(name)
    for variation in response.variations if response else ():
        for template in (variation.text, *variation.translated.values()):
            if template is not None:
                yield template.source


def _variables(recording: Recording, name: str) -> Iterable[str]:
    """What actions of this step filled into a response."""
    for given in recording.given:
        if given.get("response") == name:
            yield from (str(value) for key, value in given.items() if key not in {"response", "custom"})


def _held(events: list[Event]) -> Iterable[str]:
    """Slots that this step's commands filled: the customer's own words, read."""
    return [str(event.get("value")) for event in events if event["event"] == "slot"]


def _standing(spoken: Spoken, state: State, events: list[Event], *, held: bool) -> str:
    """Where the conversation stands (models.OUTCOMES)."""
    if held:
        return "person"
    top = next((frame for frame in reversed(state.stack) if frame["type"] in {"pattern_collect_information", "flow"}), None)
    asked = next((frame.get("collect") for frame in reversed(state.stack) if frame.get("collect")), None)
    if asked == "login_state":
        return "login_asked"
    if asked is not None or top is not None:
        return "question_open"
    if any(event["event"] == "flow_started" and event["flow_id"] == "pattern_clarification" for event in events):
        return "clarifying"
    if spoken.told:
        return "told"
    if spoken.result is not None and any(reply.citations for reply in spoken.replies):
        return "answered"
    done = _flows(events, "flow_completed")
    if DECLINES & set(done):
        return "declined"
    # A journey that had shown its result and only asked for more is left without a word when another one comes to its end.
    if any(not flow.startswith("pattern_") for flow in done):
        return "completed"
    if any(not flow.startswith("pattern_") for flow in _flows(events, "flow_cancelled")):
        return "cancelled"
    if any(event["event"] == "slot" and (event.get("name"), event.get("value")) == OFFERED for event in events):
        return "clarifying"
    search = "pattern_search" in done or NOT_UNDERSTOOD & set(done)
    return "not_understood" if search else "told"
