"""Plays the chosen cases of a project one after the other and gives the report that every output is made from."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tightrope.engine.core import PREDICTION_CAP
from tightrope.engine.models import Project
from tightrope.engine.turn import RunsActions, Understands
from tightrope.infra.clock import SystemClock
from tightrope.suites.cases import Case, FileKind
from tightrope.suites.commandsfile import CommandsFile, GivenCase
from tightrope.suites.discovery import Chosen
from tightrope.suites.du import score
from tightrope.suites.models import CaseReport, SuiteReport
from tightrope.suites.player import CaseClock, Conversation, play

NOT_READ = "(the file cannot be read)"
Watch = Callable[[CaseReport], None]
"""Told of each case as it is done."""


def _nobody(_case: CaseReport) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Stage:
    """What cases are played with."""

    project: Project
    understanding: Understands
    actions: RunsActions
    clock: CaseClock = field(default_factory=lambda: CaseClock(SystemClock()))
    strict_payloads: bool = False
    prediction_cap: int = PREDICTION_CAP

    def conversation(self, case: Case) -> Conversation:
        """A new customer for a case."""
        return Conversation(
            self.project,
            case,
            self.understanding,
            self.actions,
            self.clock,
            f"test-{uuid.uuid4().hex}",
            strict_payloads=self.strict_payloads,
            prediction_cap=self.prediction_cap,
        )


async def run_suite(
    kind: FileKind,
    chosen: Chosen,
    stage: Stage,
    commands: CommandsFile | None = None,
    *,
    fail_fast: bool = False,
    watch: Watch = _nobody,
    notes: Sequence[str] = (),
) -> SuiteReport:
    """Play all chosen cases; each has a fresh sender.

    Args:
        commands: what turns mean, in place of understanding (end-to-end tests).
        fail_fast: after the first failed case the others are told as not run.
        notes: what a reader of the results has to know beside what the commands file says of itself.
    """
    stage.clock.turn_to(None)
    started, began = stage.clock.now(), time.perf_counter()
    reports: list[CaseReport] = []

    def done(report: CaseReport) -> bool:
        reports.append(report)
        watch(report)
        return fail_fast and report.status == "failed"

    stop = False
    for file in chosen.files:
        if file.problems:
            reason = "\n".join(file.problems)
            stop = done(CaseReport(file.name, NOT_READ, file.first_problem, 0, "failed", (), 0.0, reason)) or stop
        for case in file.cases:
            given = commands.of(case) if commands is not None else None
            if stop:
                done(_not_run(case, "an earlier case failed, and --fail-fast was given"))
            elif given is not None and given.excluded:
                done(_not_run(case, f"{given.excluded} ({given.place})"))
            else:
                stop = done(await _one(kind, stage, case, given))
    return SuiteReport(
        kind=kind,
        project=stage.project.root,
        cases=tuple(reports),
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - began,
        notes=(*notes, *(commands.notes if commands is not None else ())),
    )


async def _one(kind: FileKind, stage: Stage, case: Case, given: GivenCase | None) -> CaseReport:
    talk = stage.conversation(case)
    return await (play(talk, given) if kind == "e2e" else score(talk))


def _not_run(case: Case, reason: str) -> CaseReport:
    return CaseReport(case.file, case.name, case.line, case.occurrence, "not_run", (), 0.0, reason)


def accuracy(cases: Sequence[CaseReport]) -> dict[str, tuple[int, int, int]]:
    """For each kind of expectation how many were met, not met and not run, the commonest first."""
    counts: dict[str, list[int]] = {}
    for case in cases:
        for turn in case.turns:
            for found in turn.expectations:
                row = counts.setdefault(found.kind, [0, 0, 0])
                row[("passed", "failed", "not_run").index(found.status)] += 1
    return {
        kind: (met, failed, not_run) for kind, (met, failed, not_run) in sorted(counts.items(), key=lambda item: -sum(item[1]))
    }
