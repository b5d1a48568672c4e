"""Dialogue-understanding tests: every user turn is scored by itself, from the state that the annotated commands before it lead to.

Commands match by type and arguments, in any order; `Clarify()` without options matches any clarification. Values are compared as the
slot's type holds them (`true` and `True` are the same for a bool). What the bot said instead of the annotated replies is told with
the turn and decides nothing: the annotation is what scores the next turn.
"""

from __future__ import annotations

import time
from dataclasses import replace

from tightrope.engine.applying import REFUSED, coerce
from tightrope.engine.commands import as_line
from tightrope.engine.errors import EngineError
from tightrope.engine.models import CannotHandle, Clarify, Command, Fail, Project, SetSlot
from tightrope.engine.turn import Turn, Understood
from tightrope.suites.cases import UserTurn
from tightrope.suites.errors import CannotPlay
from tightrope.suites.models import CaseReport, Expectation, TurnReport
from tightrope.suites.player import Conversation, judged, report, trace_of


async def score(talk: Conversation) -> CaseReport:
    """Score all turns of a case."""
    case = talk.case
    started = time.perf_counter()
    turns: list[TurnReport] = []
    turn = talk.turn()
    user = UserTurn("", case.line)
    reason = ""
    try:
        await talk.open(turn, case.turns[0].metadata if case.turns else {})
        talk.keep(turn)
        for user in case.turns:
            turn = talk.turn()
            understood = await talk.runner.meaning(turn, user.text)
            result = compare(talk.project, user, understood)
            await talk.say(turn, user, None if understood.pressed else Understood(user.commands, {"source": "annotated"}))
            turns.append(_told(talk, turn, user, result))
            talk.keep(turn)
    except CannotPlay as error:
        reason = str(error)
    except Exception as error:
        reason = f"the engine failed: {error if isinstance(error, EngineError) else trace_of(error)}"
    if reason:
        turns.append(report(talk, turn, user, ()))
    failed = reason or any(found.status == "failed" for turn in turns for found in turn.expectations)
    seconds = time.perf_counter() - started
    return CaseReport(
        case.file, case.name, case.line, case.occurrence, "failed" if failed else "passed", tuple(turns), seconds, reason
    )


def compare(project: Project, user: UserTurn, understood: Understood) -> Expectation:
    """The commands of a turn, expected and understood: one a line in v3 text, from which scores.py counts."""
    failed = [command for command in understood.commands if isinstance(command, Fail)]
    predicted = [command for command in understood.commands if not isinstance(command, CannotHandle | Fail)]
    missed: list[Command] = []
    matched: list[tuple[Command, Command]] = []
    # The most definite first: Clarify() takes what no other expectation needs.
    for command in sorted(user.commands, key=lambda found: isinstance(found, Clarify) and not found.options):
        hit = next((found for found in predicted if matches(project, command, found)), None)
        if hit is None:
            missed.append(command)
        else:
            predicted.remove(hit)
            matched.append((command, hit))
    good = not missed and not predicted and not failed
    reason = f"understanding failed: {understood.record.get('error')}" if failed and understood.record else ""
    return Expectation(
        "commands",
        "passed" if good else "failed",
        _lines([*(command for command, _ in matched), *missed]),
        # A value that means the same is written as it was expected.
        _lines([*(hit if isinstance(hit, Clarify) else command for command, hit in matched), *predicted]),
        user.line,
        reason,
    )


def _lines(commands: list[Command]) -> str:
    return "\n".join(" ".join(as_line(command).split("\n")) for command in commands)


def matches(project: Project, expected: Command, found: Command) -> bool:
    """Whether an understood command is the expected one."""
    if isinstance(expected, SetSlot) and isinstance(found, SetSlot):
        return expected.name == found.name and _value(project, expected) == _value(project, found)
    if isinstance(expected, Clarify) and isinstance(found, Clarify):
        return not expected.options or expected.options == found.options
    return expected == found


def _value(project: Project, command: SetSlot) -> tuple[str, object]:
    slot = project.slots.get(command.name)
    held = coerce(slot, command.value) if slot is not None else REFUSED
    return (type(held).__name__, held) if held is not REFUSED else ("as written", str(command.value))


def _told(talk: Conversation, turn: Turn, user: UserTurn, result: Expectation) -> TurnReport:
    told = report(talk, turn, user, (result,))
    differing = [found for found in judged(talk, turn, user.expected) if found.status == "failed"]
    problems = [f"line {found.line} expects {found.kind} {found.expected}, and the bot did not say it" for found in differing]
    return replace(told, problems=(*told.problems, *problems))
