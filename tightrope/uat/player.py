"""Plays one case on a stage and tells what came of it."""

from __future__ import annotations

import time
import traceback
from pathlib import Path

from tightrope.engine.errors import EngineError
from tightrope.uat.judge import forbidden, judge
from tightrope.uat.models import Case, CaseResult, Choose, Finding, Played, Press, Say, Step
from tightrope.uat.observed import CannotPlay, Observed, Stage, Talk
from tightrope.uat.standing import Standing, breaches


async def play(case: Case, stage: Stage, standing: Standing) -> CaseResult:
    """Play a case to its end; a step that cannot be played ends it, one that disappoints does not."""
    started = time.perf_counter()
    played: list[Played] = []
    said: list[str] = []
    shown: set[str] = set()
    standing_at = ""
    broke = ""
    talk: Talk | None = None
    seen: Observed | None = None
    try:
        talk = await stage.open(case)
        for step in case.steps:
            before, seen = seen, await _step(talk, step, said, seen)
            played.append(_told(case, step, seen, standing, said, shown) if seen is not before else _again(case, step, seen))
            shown |= {message.shown.text for message in seen.messages}
            standing_at = seen.standing
    except CannotPlay as error:
        broke = str(error)
    except Exception as error:
        # A fault of the product fails the case that found it, not the run.
        broke = str(error) if isinstance(error, EngineError) else trace_of(error)
    finally:
        if talk is not None:
            await talk.close()
    findings: tuple[Finding, ...] = ()
    if not broke and standing_at not in case.outcomes:
        findings = (Finding("outcome", " or ".join(case.outcomes), standing_at),)
    if broke and len(played) < len(case.steps):
        broke = f"line {case.steps[len(played)].line}: {broke}"
    return CaseResult(case, tuple(played), findings, standing_at, time.perf_counter() - started, broke)


async def _step(talk: Talk, step: Step, said: list[str], before: Observed | None) -> Observed:
    act = step.act
    if isinstance(act, Choose):
        if before is None:
            raise CannotPlay("`choose` needs a turn before it")
        if act.title not in before.which:
            return before  # answered at once, or offered without this section: `_again` says which
        act = Press(act.title)
    if isinstance(act, Say):
        said.append(act.text)
    elif isinstance(act, Press):
        said.append(act.title)
    return await talk.do(act)


def _told(case: Case, step: Step, seen: Observed, standing: Standing, said: list[str], shown: set[str]) -> Played:
    findings = (*judge(step.expect, seen), *forbidden(case.forbids, seen), *breaches(seen, standing, said, shown))
    return Played(step.act, tuple(message.shown for message in seen.messages), tuple(_asides(seen)), findings)


def _again(case: Case, step: Step, seen: Observed) -> Played:
    """Nothing was pressed: what this step has to show is looked for in what the one before showed, and it must be this very section."""
    title = step.act.title if isinstance(step.act, Choose) else ""
    wrong: tuple[Finding, ...] = ()
    if seen.which or not any(name.startswith(title) for name in seen.sections):  # a button's title may be cut short
        wrong = (Finding("choose", title, "; ".join(seen.which or seen.sections) or "no source"),)
    asides = () if wrong else ("answered at once",)
    return Played(step.act, (), asides, (*wrong, *judge(step.expect, seen), *forbidden(case.forbids, seen)))


def _asides(seen: Observed) -> list[str]:
    """What happened beside the words, in a line each."""
    out = []
    for word, flows in (("began", seen.started), ("ended", seen.completed), ("cancelled", seen.cancelled)):
        shown = [flow for flow in flows if not flow.startswith("pattern_")]
        out += [f"{word}: {', '.join(shown)}"] if shown else []
    if seen.told:
        out.append(f"the gateway's own sentence: {seen.told}")
    if seen.login:
        out.append("the login is asked for")
    if seen.cited:
        out.append(f"sources: {', '.join(seen.cited)}")
    if seen.handoff:
        out.append(f"handed to a person: {seen.handoff[0]}, {seen.handoff[1]}")
    if seen.silent:
        out.append(f"nothing is said: {seen.silent}")
    if seen.calls:
        out.append("business calls: " + ", ".join(f"{call.method} {call.path} {call.status}" for call in seen.calls))
    out += [f"problem: {problem}" for problem in seen.problems]
    return out


def trace_of(error: Exception) -> str:
    """An unexpected error with its place."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno})"
