"""What a turn costs as journeys grow from 22 to 1,000, on the engine's side: `python -m benchmarks.engine.journeys [--quick]`.

First every piece of a typed message alone, in processor time: the request that the assistant renders and writes, what the
understanding server reads of it (its classifier is measured elsewhere), the core. Then whole turns over HTTP with Postgres and scripted
neighbours. Sizes take turns, so that what else the machine does falls on all of them; medians. The report goes to docs/reports/.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TypeVar

from benchmarks.engine.journey_project import write_journeys
from benchmarks.engine.served import KINDS, Bench, benching, load, serving
from benchmarks.report import machine, write_report
from tightrope.engine.core import step
from tightrope.engine.loader import load_project
from tightrope.engine.models import ActionResult, RunAction, StartFlow, StartSession, UserMessage
from tightrope.engine.prompt import Prompt
from tightrope.engine.state import State
from tightrope.understanding.api import MODEL, read

T = TypeVar("T")

SIZES = (22, 50, 100, 200, 1000)
ROUNDS = 3
PIECES = ("request", "read", "core")
BEFORE, AFTER = f'{{"model":"{MODEL}","messages":[{{"role":"user","content":'.encode(), b"}]}"
CUSTOMERS = tuple({"tier": tier, "limits": limits} for tier in ("gold", "silver", "closed") for limits in (None, 5.0, 50.0))
"""What decides which journeys are on offer: nine kinds of customers take turns."""


class Pieces:
    """The pieces of one typed message in a project of a certain size; each gives what the next one takes."""

    def __init__(self, root: Path, flows: int) -> None:
        self.project = load_project(write_journeys(root, flows))
        self.prompt = Prompt.load(self.project)
        self.took: dict[str, list[float]] = {piece: [] for piece in PIECES}
        self.size = 0
        self._started = step(self.project, State("benchmark"), StartSession(0.0)).state
        self._numbers = count()

    def message(self) -> None:
        """One message of the next customer, measured piece by piece."""
        number = next(self._numbers)
        state, text = self._state(number), f"message number {number}, which nobody has written before"
        body = self._timed("request", lambda: BEFORE + self.prompt.render_json(state, text) + AFTER)
        self._timed("read", lambda: read(body))
        self._timed("core", lambda: self._turn(state, text))
        self.size = max(self.size, len(body))

    def _state(self, number: int) -> State:
        found = self._started.copy()
        found.slots |= CUSTOMERS[number % len(CUSTOMERS)]
        return found

    def _turn(self, state: State, text: str) -> None:
        result = step(self.project, state, UserMessage(text, (StartFlow("act"),), 1.0))
        while isinstance(result.effect, RunAction):
            result = step(self.project, result.state, ActionResult(result.effect.name, 1.0))

    def _timed(self, piece: str, work: Callable[[], T]) -> T:
        began = time.process_time_ns()
        found = work()
        self.took[piece].append((time.process_time_ns() - began) / 1e3)
        return found


def pieces(messages: int) -> Iterator[str]:
    """Median microseconds of each piece for each size."""
    yield "| flows | request | read by understanding | core | all | ratio to 22 | request, kB |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    with tempfile.TemporaryDirectory() as folder:
        made = {size: Pieces(Path(folder) / str(size), size) for size in SIZES}
        for _ in range(ROUNDS):
            for found in made.values():
                # One server serves one project: what it keeps of another is read anew here, and not counted.
                kept = {piece: list(took) for piece, took in found.took.items()}
                for _ in CUSTOMERS:
                    found.message()
                found.took = kept
                for _ in range(messages // ROUNDS):
                    found.message()
        totals = {size: statistics.median(map(sum, zip(*found.took.values(), strict=True))) for size, found in made.items()}
        for size, found in made.items():
            medians = " | ".join(f"{statistics.median(found.took[piece]):,.0f}" for piece in PIECES)
            ratio = totals[size] / totals[SIZES[0]]
            yield f"| {size:,} | {medians} | {totals[size]:,.0f} | {ratio:.2f} | {found.size / 1000:.0f} |"


def served(bench: Bench, seconds: float, rounds: int) -> Iterator[str]:
    """Turns a second and processor milliseconds of the assistant for each size and kind of turn."""
    rates: dict[tuple[int, str], list[float]] = {}
    costs: dict[tuple[int, str], list[float]] = {}
    for _ in range(rounds):
        for size in SIZES:
            with serving(bench, size, write=write_journeys) as ports:
                for kind in KINDS:
                    found = load(bench, ports=ports, kind=kind, seconds=seconds, warm_up=1.0)
                    rates.setdefault((size, kind), []).append(found["per_second"])
                    costs.setdefault((size, kind), []).append(found["processor"]["server 1"])
    yield "| flows | " + " | ".join(f"{name}: turns a second, processor ms, ratio to 22" for name in KINDS.values()) + " |"
    yield "| --- |" + " --- |" * len(KINDS)
    for size in SIZES:
        cells = []
        for kind in KINDS:
            cost = statistics.median(costs[size, kind])
            ratio = cost / statistics.median(costs[SIZES[0], kind])
            cells.append(f"{statistics.median(rates[size, kind]):.0f}, {cost:.2f}, {ratio:.2f}")
        yield f"| {size:,} | {' | '.join(cells)} |"


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of two seconds each, to see that it runs")
    parser.add_argument("--pieces", action="store_true", help="without the served turns; prints, writes no report")
    args = parser.parse_args()
    rounds, seconds, messages = (1, 2.0, 45) if args.quick else (ROUNDS, 3.0, 450)
    alone = list(pieces(messages))
    if args.pieces:
        print("\n".join(alone))
        return
    with benching() as bench:
        whole = list(served(bench, seconds, rounds))
    write_report(
        "growth",
        [
            f"# Cost as journeys grow, {time.strftime('%Y-%m-%d')}",
            "",
            f"{machine()}.",
            "",
            f"Pieces of a typed message: processor microseconds, medians of {messages} messages of nine kinds of customers, each offered other journeys.",
            "",
            *alone,
            "",
            f"Whole turns over HTTP with Postgres, medians of {rounds} rounds of {seconds:.0f} seconds; 16 connections; all processes share the machine.",
            "",
            *whole,
        ],
    )


if __name__ == "__main__":
    main()
