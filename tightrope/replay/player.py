"""Plays recorded turns again in the code and files at hand: the deterministic half of a turn, run; the rest, taken from the record and said so.

Pure but for reading the release's files. It runs in the program's own process where the recorded release had the same code, and in a process of its
own over the recorded code where it had not (worker.py); both give and take plain JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from tightrope.engine.errors import EngineError, ProjectError
from tightrope.engine.loader import load_project
from tightrope.engine.models import Options, Project, UserMessage
from tightrope.engine.record import Record, play, seed_of, state_digest
from tightrope.engine.state import State
from tightrope.replay.commands import Commands
from tightrope.replay.guards import Guards
from tightrope.replay.messages import Sentences, check_messages
from tightrope.replay.models import Check, Difference, Json, Mark, Part, compared, counted
from tightrope.replay.rules import RuleBook, rerun


class Player:
    """Plays turns of one release, oldest first.

    Args:
        root: the release's project folder.
        cache: where trained classifiers are kept.
        missing: kinds of files (see release/manifest.py) that the record does not hold, with what is missing.

    Attributes:
        states: by sender, the state that its last turn left; None when it is not known any more.
    """

    def __init__(self, root: Path, cache: Path, missing: Mapping[str, str], states: Mapping[str, Json | None]) -> None:
        self._missing = dict(missing)
        self.states: dict[str, State | None] = {
            sender: State.from_json(found) if found is not None else None for sender, found in states.items()
        }
        self.project: Project | None = None
        self._numbers: dict[str, int] = {}
        try:
            if not self._missing.keys() & {"flows", "domain", "config"}:
                self.project = load_project(root)
        except ProjectError as error:
            self._missing["flows"] = f"the files of the release make no project: {error}"
        self._book = RuleBook()
        self._commands = Commands(root, cache, self._missing)
        self._guards = Guards(root, self._missing)
        self._sentences = Sentences(root)

    def take_numbers(self, numbers: Mapping[str, int]) -> None:
        """The assistant's own numbers of the last turns, by sender."""
        self._numbers.update(numbers)

    def left(self) -> Json:
        """States and numbers for the turns of the next release."""
        states = {sender: _plain(state.to_json()) if state is not None else None for sender, state in self.states.items()}
        return {"states": states, "numbers": dict(self._numbers)}

    def turn(self, payload: Json, facts: Json) -> list[Check]:
        """What becomes of one recorded turn."""
        checks = [self._input(payload)] if payload.get("engine") else []
        checks += self._played(payload, facts)
        checks += self._rules(payload)
        checks += self._guards.check(payload)
        return [*checks, *check_messages(payload, facts, self._sentences)]

    def _input(self, payload: Json) -> Check:
        """The words, the engine's input and the tracker's user event have to be one and the same, and belong to this turn."""
        recorded = {"text": payload.get("said"), "turn": payload.get("turn_sha256")}
        texts = [one for one in _inputs(payload) if one.get("is") == "UserMessage"]
        events = [event for event in payload.get("events") or [] if event.get("event") == "user"]
        if len(texts) != 1 or len(events) != 1:
            return Check(
                Part.INPUT, Mark.DIFFERS, "a turn has one message of the customer", (Difference("", "1", str(len(texts))),)
            )
        shown = [
            {"text": found.get("text"), "turn": _digest((found.get("metadata") or {}).get("turn_id"))}
            for found in (texts[0], events[0])
        ]
        return compared(Part.INPUT, [recorded, recorded], shown, "the customer's words as the engine had them")

    def _played(self, payload: Json, facts: Json) -> list[Check]:
        engine = payload.get("engine")
        if not engine:
            return self._without_engine(facts)
        try:
            record = Record.from_json(engine["record"])
        except (EngineError, KeyError, TypeError) as error:
            return [Check(Part.FLOWS, Mark.MISSING, f"the assistant's inputs cannot be read: {error}")]
        sender = str(payload.get("sender_id"))
        before = self._before(sender, engine, record)
        if isinstance(before, Check):
            self.states[sender] = None
            return [before]
        if self.project is None:
            self.states[sender] = None
            why = "; ".join(self._missing[kind] for kind in ("flows", "domain", "config") if kind in self._missing)
            return [Check(Part.FLOWS, Mark.MISSING, why)]
        return [*self._understood(record, before), self._flows(sender, record, before, payload)]

    def _without_engine(self, facts: Json) -> list[Check]:
        if facts.get("decision") == "wording":
            return []
        if facts.get("decision") == "failed":
            return [Check(Part.FLOWS, Mark.FROM_RECORD, "the assistant gave no answer in this turn; an apology of ours went out")]
        return [
            Check(
                Part.FLOWS,
                Mark.MISSING,
                "the record lacks the assistant's inputs: it was made before they were kept, or by Rasa Pro",
            )
        ]

    def _before(self, sender: str, engine: Json, record: Record) -> State | Check:
        """The state that the turn began with, rebuilt from the turns before, or why there is none."""
        number = engine.get("number")
        last = self._numbers.get(sender, 0)
        self._numbers[sender] = number if isinstance(number, int) else last
        state = self.states.get(sender, State(sender, seed_of(sender)))
        if state is not None and state_digest(state) == record.before:
            return state
        if isinstance(number, int) and number > last + 1:
            lacking = f"{last + 1}" if number == last + 2 else f"{last + 1} to {number - 1}"
            return Check(
                Part.FLOWS,
                Mark.MISSING,
                f"the record lacks what the assistant's turn {lacking} left: nothing says how this one began",
            )
        if state is None:
            return Check(Part.FLOWS, Mark.MISSING, "how this turn began is not known, since a turn before it could not be run")
        difference = Difference("state", record.before, state_digest(state))
        return Check(Part.FLOWS, Mark.DIFFERS, "the turns before leave another state than this turn began with", (difference,))

    def _understood(self, record: Record, before: State) -> list[Check]:
        said = next((one for one in record.inputs if isinstance(one, UserMessage)), None)
        if said is None or self.project is None:
            return []
        project = _with_options(self.project, record.options)
        opened = record.inputs[: record.inputs.index(said)]
        try:
            state, _ = play(project, before, replace(record, inputs=opened))
        except (EngineError, ValueError) as error:
            return [Check(Part.COMMANDS, Mark.DIFFERS, f"the session before the message cannot be played: {error}")]
        return self._commands.check(project, state, said, strict=record.strict)

    def _flows(self, sender: str, record: Record, before: State, payload: Json) -> Check:
        assert self.project is not None  # noqa: S101 - the caller has looked
        recorded = [*payload["engine"].get("opening", ()), *(payload.get("events") or [])]
        try:
            after, made = play(self.project, before, record)
        except (EngineError, ValueError, KeyError) as error:
            self.states[sender] = None
            shown = (Difference("", "the turn was played", f"{type(error).__name__}: {error}"),)
            return Check(Part.FLOWS, Mark.DIFFERS, "the recorded inputs do not fit these flows", shown)
        # What the next turn begins with went through JSON.
        self.states[sender] = State.from_json(_plain(after.to_json()))
        steps = sum(event.get("event") == "stack" or "flow" in str(event.get("event")) for event in recorded)
        actions = sum(one.get("is") in {"ActionResult", "ActionFailure"} for one in _inputs(payload))
        detail = f"{len(recorded)} events, {steps} of flows" + (
            f"; {actions} actions answered from the record" if actions else ""
        )
        return compared(Part.FLOWS, recorded, _plain(made), detail, "events")

    def _rules(self, payload: Json) -> list[Check]:
        checks: list[Check] = []
        for envelope in payload.get("envelopes") or []:
            if envelope.get("kind") != "evidence" or not envelope.get("rules"):
                continue
            done = rerun(envelope, self._book)
            if done.recorded or done.again:
                named = ", ".join(dict.fromkeys(str(item["rule"]).partition(".")[0] for item in done.recorded))
                detail = f"{named}: {counted(len(done.recorded), 'result')}"
                checks.append(compared(Part.RULES, list(done.recorded), list(done.again), detail, str(envelope.get("action"))))
            checks += [Check(Part.RULES, Mark.MISSING, why) for why in done.unknown]
        return checks


def _with_options(project: Project, options: Options) -> Project:
    return project if project.options == options else replace(project, options=options)


def _inputs(payload: Json) -> list[Json]:
    record = (payload.get("engine") or {}).get("record") or {}
    return [one for one in record.get("inputs") or [] if isinstance(one, dict)]


def _digest(turn_id: Any) -> str | None:
    return hashlib.sha256(turn_id.encode()).hexdigest() if isinstance(turn_id, str) else None


def _plain(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


def play_turns(job: Mapping[str, Any]) -> Json:
    """Play the turns of a job and give the checks of each, and the states that they leave.

    Args:
        job: `root`, `cache` (folders), `missing` (kind -> what), `states` and `numbers` (by sender), `turns` (each `payload` and `facts`).
    """
    player = Player(Path(job["root"]), Path(job["cache"]), job["missing"], job["states"])
    player.take_numbers(job["numbers"])
    turns: Sequence[Json] = job["turns"]
    checks = [[check.to_json() for check in player.turn(turn["payload"], turn["facts"])] for turn in turns]
    return {"checks": checks, **player.left()}
