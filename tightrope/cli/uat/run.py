"""Plays acceptance cases in worker processes, each with a world of its own, and shows how far they are."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import queue
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tightrope.infra.settings import Settings
from tightrope.uat.models import Case, CaseResult, RunResult
from tightrope.uat.standing import Standing

WORKERS = 2
LINES = 20
"""Lines that a run prints where there is no terminal to draw on."""
_PATIENCE = 0.5


class WorkerFailed(RuntimeError):
    """A worker process ended before its work did; the message holds what it said last."""


@dataclass(frozen=True)
class _Started:
    release: str
    model: str


@dataclass(frozen=True)
class _Broken:
    why: str


def run_cases(
    cases: Sequence[Case], settings: Settings, standing: Standing, console: Console, *, workers: int = WORKERS
) -> RunResult:
    """Play all cases; results come in the order of the cases.

    Raises:
        WorkerFailed: a worker could not start or died.
    """
    started, began = datetime.now(UTC), time.monotonic()
    context = multiprocessing.get_context("spawn")
    todo: Any = context.Queue()
    done: Any = context.Queue()
    # Cases of one time lie together: a worker keeps its customers logged in for them.
    for case in sorted(cases, key=lambda case: case.at):
        todo.put(case)
    count = max(1, min(workers, len(cases)))
    for _ in range(count):
        todo.put(None)
    team = [context.Process(target=_work, args=(settings, standing, todo, done), daemon=True) for _ in range(count)]
    for process in team:
        process.start()
    try:
        results, head = _collect(len(cases), done, team, _progress(console, len(cases)))
    finally:
        for process in team:
            process.join(timeout=15)
            if process.is_alive():
                process.terminate()
    place = {case.id: at for at, case in enumerate(cases)}
    results.sort(key=lambda result: place[result.case.id])
    return RunResult(tuple(results), head.release, head.model, started, time.monotonic() - began)


def _collect(
    count: int, done: Any, team: Sequence[BaseProcess], tell: Callable[[CaseResult | None], None]
) -> tuple[list[CaseResult], _Started]:
    results: list[CaseResult] = []
    head = _Started("", "")
    try:
        while len(results) < count:
            try:
                found = done.get(timeout=_PATIENCE)
            except queue.Empty:
                if not any(process.is_alive() for process in team):
                    raise WorkerFailed("the worker processes ended without a word; is there enough memory?") from None
                continue
            if isinstance(found, _Broken):
                raise WorkerFailed(found.why)
            if isinstance(found, _Started):
                head = found
                continue
            results.append(found)
            tell(found)
    finally:
        tell(None)
    return results, head


def _progress(console: Console, count: int) -> Callable[[CaseResult | None], None]:
    """A bar on a terminal; elsewhere, as in the log of a CI job, a line now and then."""
    failed = seen = 0
    if not console.is_terminal:
        began = time.monotonic()

        def tell(result: CaseResult | None) -> None:
            nonlocal failed, seen
            if result is None:
                return
            seen, failed = seen + 1, failed + (not result.passed)
            if seen * LINES // count > (seen - 1) * LINES // count:
                console.print(f"  {seen}/{count} cases, {failed} failed, {time.monotonic() - began:.0f} s", highlight=False)

        return tell
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console)
    task = bar.add_task("starting", total=count)
    bar.start()

    def draw(result: CaseResult | None) -> None:
        nonlocal failed
        if result is None:
            bar.stop()
            return
        failed += not result.passed
        bar.update(task, advance=1, description=f"[red]{failed} failed[/red]" if failed else "[green]all passed[/green]")

    return draw


def _work(settings: Settings, standing: Standing, todo: Any, done: Any) -> None:
    """A worker process: a world, then one case after the other until there is none."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        asyncio.run(_play_all(settings, standing, todo, done))
    except BaseException:
        done.put(_Broken(traceback.format_exc(limit=-4)))
        raise SystemExit(1) from None


async def _play_all(settings: Settings, standing: Standing, todo: Any, done: Any) -> None:
    from tightrope.cli.uat.talk import UatStage
    from tightrope.cli.uat.world import open_world
    from tightrope.infra.clock import FixedClock
    from tightrope.uat.player import play

    case: Case | None = todo.get()
    if case is None:
        return
    async with open_world(settings, FixedClock(case.at)) as world:
        done.put(_Started(world.release, world.project.model_id))
        stage = UatStage(world)
        while case is not None:
            done.put(await play(case, stage, standing))
            case = todo.get()


def default_places(settings: Settings) -> list[Path]:
    """Where the project keeps its cases."""
    return [settings.project_dir / "tests" / "uat"]
