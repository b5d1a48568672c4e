"""Plays a conformance case through the pure core and compares each turn with what the case expects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from case_files import FAILS, Case, merged
from engine_stack import stack_flaws

from tightrope.engine.clients import tracker
from tightrope.engine.commands import parse_text
from tightrope.engine.core import PREDICTION_CAP
from tightrope.engine.errors import ActionFailed
from tightrope.engine.loader import load_project
from tightrope.engine.models import Options, Project
from tightrope.engine.prompt import Prompt
from tightrope.engine.state import Event, State, replay
from tightrope.engine.turn import History, Incoming, Turn, TurnRunner, Understood, settle

FLOW_EVENTS = ("flow_started", "flow_completed", "flow_cancelled", "flow_resumed", "flow_interrupted")


class Differs(AssertionError):
    """A case is not as the reference says: the message has source, transcript, expected and actual."""


def write(case: Case, folder: Path) -> Path:
    """The case's project as files below `folder`."""
    for path, text in case.files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def _loaded(case: Case, folder: Path) -> Project:
    return replace(load_project(write(case, folder)), options=Options(**case.options))


def play(case: Case, folder: Path) -> None:
    """Write the project, play every turn, compare; then play all again, which must give the same events.

    Raises:
        Differs: a turn is not as expected, state and events disagree, or the stack is not well formed.
    """
    project = _loaded(case, folder)
    first, again = Customer(case, project), Customer(case, project)
    for number, raw in enumerate(case.turns):
        if "release" in raw:
            project = _loaded(replace(case, project=merged(case.project, raw["release"])), folder)
            first.serve(project)
            again.serve(project)
        turn = first.take(raw)
        wrong = [*_differences(raw.get("expect") or {}, turn, first), *stack_flaws(project, first.state, turn.inputs)]
        if replay("customer", first.events, project.initials).to_json() != first.state.to_json():
            wrong.append("the state that the events give is not the state")
        if wrong:
            raise Differs(first.story(number, wrong))
        again.take(raw)
    if json.dumps(first.events) != json.dumps(again.events):
        raise Differs(first.story(len(case.turns) - 1, ["the same inputs gave other events the second time"]))


class Customer:
    """One conversation of a case; answers the engine in place of understanding and of the action server."""

    def __init__(self, case: Case, project: Project) -> None:
        self.case = case
        self.at = 1_800_000_000.0
        self.state = State("customer")
        self.events: list[Event] = []
        self.ran: list[str] = []
        self.requests: dict[str, Mapping[str, Any]] = {}
        self.transcript: list[str] = []
        self.serve(project)

    def serve(self, project: Project) -> None:
        """The project that answers from now on."""
        self.project = project
        self.runner = TurnRunner(
            project,
            self,
            self,
            lambda: self.at,
            strict_payloads=self.case.strict,
            prediction_cap=PREDICTION_CAP if self.case.cap is None else self.case.cap,
        )

    def take(self, raw: Mapping[str, Any]) -> Turn:
        """Play one turn of the case."""
        self.at += 1.0 + 60.0 * raw.get("advance", 0)
        self.ran = []
        self.requests = {}
        text = self._payload(raw["press"]) if "press" in raw else raw.get("say", "…")
        lines = raw.get("commands")
        given = None if lines is None else Understood(parse_text(lines if isinstance(lines, str) else "\n".join(lines))[0])
        self.transcript.append(f"customer: {text!r}" + ("" if lines is None else f"  {lines}"))
        turn = Turn(self.state, lambda: self.events)
        message = Incoming("customer", text, raw.get("metadata") or {}, raw.get("channel", "rest"), message_id="")
        settle(self.runner.run(turn, message, given))
        self.state = turn.state
        self.events.extend(turn.events)
        self.transcript.extend(f"     bot: {json.dumps(_short(one), ensure_ascii=False)}" for one in _messages(turn))
        return turn

    def _payload(self, title: str) -> str:
        for message in reversed(self.state.said):
            for button in message["data"].get("buttons") or ():
                if button["title"] == title:
                    return str(button["payload"])
        raise Differs(f"{self.case.id}: no button {title!r} among the newest messages\n" + "\n".join(self.transcript))

    async def understand(self, _state: State, _text: str, _history: History) -> Understood:
        """A text without commands is not understood."""
        return Understood(())

    async def run(self, name: str, state: State, events: list[Event]) -> tuple[list[Any], list[Any]]:
        """What the case answers for an action.

        Raises:
            Differs: the case gives no answer.
            ActionFailed: the case lets it fail.
        """
        if name not in self.case.actions:
            raise Differs(f"{self.case.id}: the engine asks for {name!r}, for which the case gives no answer")
        answers = self.case.actions[name]
        before = sum(1 for event in events if event["event"] in {"action", "action_execution_rejected"} and event["name"] == name)
        found = answers[min(before, len(answers) - 1)] or {}
        self.ran.append(name)
        self.requests[name] = tracker(self.project, state)
        if found == FAILS:
            raise ActionFailed(name, "down")
        slots = [{"event": "slot", "name": slot, "value": value} for slot, value in (found.get("slots") or {}).items()]
        return [*slots, *(found.get("events") or ())], list(found.get("responses") or ())

    def slot(self, name: str) -> Any:
        """A slot's value now."""
        return self.state.slots.get(name, self.project.initials.get(name))

    def story(self, number: int, wrong: Iterable[str]) -> str:
        """Source, transcript and what differs, for a reader."""
        source = self.case.source
        head = f"{self.case.id} (rasa-calm.md:{source.line}, section {source.section}: {source.says})"
        return "\n".join([head, *self.transcript, f"turn {number + 1}:", *(f"  - {line}" for line in wrong)])


def _differences(expect: Mapping[str, Any], turn: Turn, customer: Customer) -> list[str]:
    flows = [frame["flow_id"] for frame in customer.state.stack]
    now = {name: customer.slot(name) for name in expect.get("slots") or {}}
    checks: dict[str, Callable[[Any], list[str]]] = {
        "replies": lambda want: _replies(want, turn),
        "includes": lambda want: _includes(want, turn),
        "buttons": lambda want: _buttons(want, turn),
        "slots": lambda want: _equal("slots", want, now),
        "not_slots": lambda want: [f"slot {name} is {customer.slot(name)!r}" for name in want if customer.slot(name) is not None],
        "stack": lambda want: _equal("stack", want, flows),
        "events": lambda want: _subsequence(want, turn.events),
        "no_events": lambda want: [f"there is {event}" for part in want for event in turn.events if covers(part, event)],
        "ran": lambda want: _equal("actions", want, customer.ran),
        "kept": lambda want: _equal("commands", want, _kept(turn.events)),
        "sees": lambda want: [] if covers(want, customer.requests) else [f"sees: expected {want}, is {customer.requests}"],
        "prompt": lambda want: _prompt(want, customer),
        **{kind: _flow_check(kind, turn) for kind in FLOW_EVENTS},
    }
    wrong = [line for key, want in expect.items() if key in checks for line in checks[key](want)]
    return [*wrong, *_problems(expect.get("problems") or [], turn.problems)]


def _flow_check(kind: str, turn: Turn) -> Callable[[Any], list[str]]:
    told = [event["flow_id"] for event in turn.events if event["event"] == kind]
    return lambda want: _equal(kind, want, [flow_id for flow_id in told if not flow_id.startswith("pattern_")])


_VARIABLES = (
    "available_flows", "current_flow", "current_slot", "current_slot_description", "flow_slots", "current_conversation", "user_message",
    "current_datetime",
)  # fmt: skip
_TEMPLATE = (
    "{{ {" + ", ".join(f"'{name}': {name}{' | string' * (name == 'current_datetime')}" for name in _VARIABLES) + "} | tojson }}"
)


def _prompt(want: Any, customer: Customer) -> list[str]:
    now = datetime.fromtimestamp(customer.at, UTC)
    text = Prompt(customer.project, _TEMPLATE, "prompt").render(customer.state, "next", lambda: customer.events, now)
    given = json.loads(text)
    return [] if covers(want, given) else [f"prompt: expected {json.dumps(want)}, is {json.dumps(given)}"]


def _equal(what: str, want: Any, is_: Any) -> list[str]:
    return [] if same(want, is_) else [f"{what}: expected {want!r}, is {is_!r}"]


def same(want: Any, is_: Any) -> bool:
    """Equal, where a truth value never equals a number."""
    if isinstance(want, Mapping) and isinstance(is_, Mapping):
        return want.keys() == is_.keys() and all(same(value, is_[key]) for key, value in want.items())
    if isinstance(want, list) and isinstance(is_, list):
        return len(want) == len(is_) and all(map(same, want, is_))
    return isinstance(want, bool) == isinstance(is_, bool) and bool(want == is_)


def covers(part: Any, whole: Any) -> bool:
    """Whether all that `part` says is true of `whole`; null also stands for what is missing."""
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(covers(value, whole.get(key)) for key, value in part.items())
    if isinstance(part, list):
        return isinstance(whole, list) and len(part) == len(whole) and all(map(covers, part, whole))
    return same(part, whole)


def _subsequence(want: list[Any], events: list[Event]) -> list[str]:
    at = 0
    for part in want:
        while at < len(events) and not covers(part, events[at]):
            at += 1
        if at == len(events):
            kinds = [{k: v for k, v in e.items() if k not in {"timestamp", "update", "data", "metadata"}} for e in events]
            return [f"no event {dict(part)} (in this order) among {json.dumps(kinds, ensure_ascii=False)}"]
        at += 1
    return []


_WORDS = {"knowledge": "search and reply", "chitchat": "offtopic reply", "repeat bot messages": "repeat message"}


def _line(command: Mapping[str, Any]) -> str:
    """A command object of the record as a v3 line; what the engine makes itself as its name."""
    name = str(command["command"])
    if name == "clarify":
        return " ".join(("disambiguate flows", *command["options"]))
    given = (command.get(key) for key in ("flow", "name", "value", "reason", "error_type") if key in command)
    return " ".join((_WORDS.get(name, name), *(str(value) for value in given)))


def _kept(events: list[Event]) -> list[str]:
    user = next((event for event in events if event["event"] == "user"), None)
    return [_line(command) for command in user["parse_data"]["commands"]] if user else []


def _messages(turn: Turn) -> list[dict[str, Any]]:
    return [
        {"text": event["text"], "utter": event["metadata"].get("utter_action"), **event["data"], "metadata": event["metadata"]}
        for event in turn.events
        if event["event"] == "bot"
    ]


def _short(message: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if value}


def _fits(want: Any, message: Mapping[str, Any]) -> bool:
    if isinstance(want, Mapping):
        return covers(want, message)
    return same(want, message["utter"] if str(want).startswith("utter_") else message["text"])


def _replies(want: list[Any], turn: Turn) -> list[str]:
    messages = _messages(turn)
    if len(want) == len(messages) and all(map(_fits, want, messages)):
        return []
    return [
        f"replies: expected {json.dumps(want, ensure_ascii=False)}, are {json.dumps(list(map(_short, messages)), ensure_ascii=False)}"
    ]


def _includes(want: list[Any], turn: Turn) -> list[str]:
    rest = iter(_messages(turn))
    missing = next((one for one in want if not any(_fits(one, message) for message in rest)), None)
    return [] if missing is None else [f"no reply {missing!r} in this order"]


def _buttons(want: list[Any], turn: Turn) -> list[str]:
    buttons = [button for message in _messages(turn) for button in message["buttons"] or ()]
    fit = len(want) == len(buttons) and all(
        covers(one if isinstance(one, Mapping) else {"title": one}, button) for one, button in zip(want, buttons, strict=True)
    )
    return [] if fit else [f"buttons: expected {want}, are {buttons}"]


def _problems(want: list[str], problems: list[str]) -> list[str]:
    if len(want) == len(problems) and all(words in problem for words, problem in zip(want, problems, strict=True)):
        return []
    return [f"problems: expected {want}, are {problems}"]
