"""Plays a conformance case through the pure core and compares each turn with what the case expects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from case_files import FAILS, Case

from tightrope.engine.builtins import REDO
from tightrope.engine.loader import load_project
from tightrope.engine.models import START, Project, Step
from tightrope.engine.run import COLLECT
from tightrope.engine.state import Event, Frame, State
from tightrope.engine.testing import Conversation

_FLOW_EVENTS = ("flow_started", "flow_completed", "flow_cancelled", "flow_resumed", "flow_interrupted")


class Differs(AssertionError):
    """A case is not as the reference says: the message has source, transcript, expected and actual."""


@dataclass(slots=True)
class Turn:
    """What one turn gave."""

    replies: list[dict[str, Any]]
    events: list[Event]
    problems: list[str]
    ran: list[str]


def write(case: Case, folder: Path) -> Path:
    """The case's project as files below `folder`."""
    for path, text in case.files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def play(case: Case, folder: Path) -> None:
    """Write the project, play every turn twice (the second time must give the same events), compare.

    Raises:
        Differs: a turn is not as expected, state and events disagree, or the stack is not well formed.
    """
    project = load_project(write(case, folder))
    first, again = _Player(case, project), _Player(case, project)
    for number, turn in enumerate(case.turns):
        got = first.turn(turn)
        if wrong := [*_differences(turn.get("expect") or {}, got, first.talk), *stack_flaws(project, first.talk.state)]:
            raise Differs(first.story(number, wrong))
        again.turn(turn)
    if json.dumps(first.talk.events) != json.dumps(again.talk.events):
        raise Differs(first.story(len(case.turns) - 1, ["the same inputs gave other events the second time"]))


class _Player:
    def __init__(self, case: Case, project: Project) -> None:
        self.case = case
        self.calls: dict[str, int] = {}
        more: dict[str, Any] = {} if case.cap is None else {"cap": case.cap}
        self.talk = Conversation(project, {name: self.answer(name) for name in case.actions}, strict=case.strict, **more)
        self.transcript: list[str] = []

    def answer(self, name: str) -> Callable[[Mapping[str, Any]], Any]:
        answers = self.case.actions[name]

        def fake(_tracker: Mapping[str, Any]) -> Any:
            at = self.calls.get(name, 0)
            self.calls[name] = at + 1
            found = answers[min(at, len(answers) - 1)] or {}
            if found == FAILS:
                raise RuntimeError("down")
            slots = [{"event": "slot", "name": slot, "value": value} for slot, value in (found.get("slots") or {}).items()]
            return {"events": [*slots, *(found.get("events") or ())], "responses": found.get("responses") or ()}

        return fake

    def turn(self, turn: Mapping[str, Any]) -> Turn:
        talk = self.talk
        events, problems, ran = len(talk.events), len(talk.problems), len(talk.ran)
        talk.at += 60.0 * turn.get("advance", 0)
        talk.channel = turn.get("channel", "rest")
        commands = turn.get("commands")
        lines = "\n".join(commands) if isinstance(commands, list) else commands
        said = turn.get("say", "…")
        self.transcript.append(f"customer: {turn.get('press') or said!r}" + (f"  [{lines}]" if lines is not None else ""))
        if "press" in turn:
            replies = talk.press(turn["press"])
        else:
            replies = talk.say(said, lines, turn.get("metadata"))
        for reply in replies:
            shown = {key: value for key, value in reply.items() if key != "recipient_id"}
            self.transcript.append(f"     bot: {json.dumps(shown, ensure_ascii=False)}")
        unknown = [name for name in talk.ran[ran:] if name not in self.case.actions]
        if unknown:
            raise Differs(self.story(0, [f"the case gives no answer of {unknown}"]))
        return Turn(replies, talk.events[events:], talk.problems[problems:], talk.ran[ran:])

    def story(self, number: int, wrong: Iterable[str]) -> str:
        source = self.case.source
        head = f"{self.case.id} (rasa-calm.md:{source.line}, section {source.section}: {source.says})"
        return "\n".join([head, *self.transcript, f"turn {number + 1}:", *(f"  - {line}" for line in wrong)])


def _differences(expect: Mapping[str, Any], got: Turn, talk: Conversation) -> list[str]:
    checks: dict[str, Callable[[Any], list[str]]] = {
        "replies": lambda want: _replies(want, got, whole=True),
        "includes": lambda want: _replies(want, got, whole=False),
        "buttons": lambda want: _buttons(want, got),
        "slots": lambda want: [
            f"slot {name}: expected {value!r}, is {talk.slot(name)!r}"
            for name, value in want.items()
            if not same(value, talk.slot(name))
        ],
        "not_slots": lambda want: [f"slot {name} is {talk.slot(name)!r}" for name in want if talk.slot(name) is not None],
        "stack": lambda want: _equal("stack", want, [frame["flow_id"] for frame in talk.state.stack]),
        "events": lambda want: _subsequence(want, got.events),
        "no_events": lambda want: [
            f"there is the event {event}" for part in want for event in got.events if covers(part, event)
        ],
        "ran": lambda want: _equal("actions", want, got.ran),
        "kept": lambda want: _equal("commands", want, _kept(got.events)),
        **{kind: _flow_check(kind, got) for kind in _FLOW_EVENTS},
    }
    wrong = [line for key, want in expect.items() if key in checks for line in checks[key](want)]
    return [*wrong, *_problems(expect.get("problems") or [], got.problems)]


def _flow_check(kind: str, got: Turn) -> Callable[[Any], list[str]]:
    return lambda want: _equal(kind, want, [event["flow_id"] for event in got.events if event["event"] == kind])


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


def _messages(got: Turn) -> list[dict[str, Any]]:
    return [
        {"text": event["text"], "utter": event["metadata"].get("utter_action"), **event["data"]}
        for event in got.events
        if event["event"] == "bot"
    ]


def _fits(want: Any, message: Mapping[str, Any]) -> bool:
    if isinstance(want, Mapping):
        return covers(want, message)
    return same(want, message["utter"] if want.startswith("utter_") else message["text"])


def _replies(want: list[Any], got: Turn, *, whole: bool) -> list[str]:
    messages = _messages(got)
    said = [{key: value for key, value in message.items() if value} for message in messages]
    if whole:
        fit = len(want) == len(messages) and all(map(_fits, want, messages))
        return [] if fit else [f"replies: expected {json.dumps(want, ensure_ascii=False)}, are {json.dumps(said, ensure_ascii=False)}"]
    rest = iter(messages)
    missing = next((one for one in want if not any(_fits(one, message) for message in rest)), None)
    return [] if missing is None else [f"no reply {missing!r} (in this order) among {json.dumps(said, ensure_ascii=False)}"]


def _buttons(want: list[Any], got: Turn) -> list[str]:
    buttons = [button for message in _messages(got) for button in message["buttons"] or ()]
    fit = len(want) == len(buttons) and all(
        covers(one, button) if isinstance(one, Mapping) else one == button["title"] for one, button in zip(want, buttons, strict=True)
    )
    return [] if fit else [f"buttons: expected {want}, are {buttons}"]


def _problems(want: list[str], problems: list[str]) -> list[str]:
    if len(want) == len(problems) and all(words in problem for words, problem in zip(want, problems, strict=True)):
        return []
    return [f"problems: expected {want}, are {problems}"]


def stack_flaws(project: Project, state: State) -> list[str]:
    """What is not well formed in the stack of a conversation that waits for its customer; empty when all is well.

    Every frame runs a flow and stands at a step that exist, ids are unique, a called flow lies on its caller, a question belongs to
    a collect step below it, and the uppermost frame listens.
    """
    stack = state.stack
    wrong: list[str] = []
    ids = [frame["frame_id"] for frame in stack]
    if len(ids) != len(set(ids)):
        wrong.append(f"frame ids stand twice: {ids}")
    for at, frame in enumerate(stack):
        name = f"frame {frame['frame_id']} ({frame['flow_id']})"
        flow = project.flows.get(frame["flow_id"])
        at_step = str(frame["step_id"]).removeprefix(REDO)
        if flow is None or (at_step != START and at_step not in flow.steps):
            wrong.append(f"{name} stands at {at_step}, which does not exist")
        caller = _step(project, stack[at - 1]) if at else None
        if frame["frame_type"] == "call" and (caller is None or caller.kind != "call" or caller.target != frame["flow_id"]):
            wrong.append(f"{name} was called, but what lies below it does not stand at that call")
        if frame["type"] == COLLECT and not _asked(project, stack[:at], frame):
            wrong.append(f"{name} asks on behalf of a step that is not on the stack")
    top = _step(project, stack[-1]) if stack else None
    if stack and not (state.paused or state.ended) and (top is None or top.target != "action_listen"):
        wrong.append(f"the engine listens, but the uppermost frame {stack[-1]['flow_id']} stands at {stack[-1]['step_id']}")
    return wrong


def _step(project: Project, frame: Frame) -> Step | None:
    flow = project.flows.get(frame["flow_id"])
    return flow.steps.get(str(frame["step_id"])) if flow else None


def _asked(project: Project, below: list[Frame], frame: Frame) -> bool:
    """Whether a question's collect step exists and its flow waits below."""
    flow_id, step_id = frame["of"]
    flow = project.flows.get(flow_id)
    step = flow.steps.get(step_id) if flow else None
    return step is not None and step.target == frame["collect"] and any(other["flow_id"] == flow_id for other in below)
