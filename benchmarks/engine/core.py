"""Turns per second of the pure core on one core, and how they change with the number of flows and the length of a conversation.

    python -m benchmarks.engine.core [--turns 20000]

No I/O: a turn is what `step` does with a message and with the results of its actions. Beside it, in the same run, the yardstick: replaying the
same events into a state, which is the least that any engine with an event log has to do.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.engine.projects import Turn, conversation, made_project
from benchmarks.report import machine, write_report
from tightrope.engine.commands import parse_text
from tightrope.engine.core import payload_commands, step
from tightrope.engine.models import ActionResult, CannotHandle, Effect, Input, Project, RunAction, StartSession, UserMessage
from tightrope.engine.state import Event, State, replay

FLOWS = (10, 100, 1000)
LENGTHS = (10, 100, 1000)
RUNS = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: turns a second, seconds of each turn in order, seconds to replay the events of all turns."""

    rate: float
    turns: list[float]
    events: int
    replayed: float


def _turns(project: Project) -> Iterator[Turn]:
    journeys = sum(1 for flow in project.flows if flow.startswith("journey_"))
    n = 0
    while True:
        yield from conversation(n % journeys)
        n += 1


class _Talk:
    """One conversation through `step` alone; a pressed button is read as the server reads it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.state = State("benchmark")
        self.events: list[Event] = []
        self._take(StartSession(0.0))

    def _take(self, inputs: Input) -> Effect:
        result = step(self.project, self.state, inputs)
        if result.problems:
            raise SystemExit(f"the benchmark's own project has problems: {result.problems[:3]}")
        self.state = result.state
        self.events += result.events
        return result.effect

    def turn(self, text: str, commands: str) -> float:
        """Seconds of one turn, parsing of its commands included."""
        began = time.process_time()
        given = payload_commands(self.state, text, strict=True)
        pressed = given is not None
        if given is None:
            given = parse_text(commands)[0] or (CannotHandle(),)
        effect = self._take(UserMessage(text, given, 0.0, payload=pressed))
        while isinstance(effect, RunAction):
            effect = self._take(ActionResult(effect.name, 0.0))
        return time.process_time() - began


def _talk(project: Project, turns: int) -> tuple[_Talk, list[float]]:
    talk, source = _Talk(project), _turns(project)
    return talk, [talk.turn(*next(source)) for _ in range(turns)]


def measure(project: Project, turns: int, length: int) -> Measured:
    """Play conversations of `length` turns until `turns` are done."""
    took: list[float] = []
    events, replayed = 0, 0.0
    while len(took) < turns:
        talk, some = _talk(project, length)
        took += some
        events += len(talk.events)
        began = time.process_time()
        replay("test", talk.events, project.initials)
        replayed += time.process_time() - began
    return Measured(len(took) / sum(took), took, events, replayed)


def _row(name: str, runs: list[Measured]) -> str:
    rate = statistics.median(run.rate for run in runs)
    turns = sorted(took for run in runs for took in run.turns)
    p50, p99 = (turns[int(len(turns) * share)] * 1e6 for share in (0.5, 0.99))
    ratio = statistics.median(sum(run.turns) / run.replayed for run in runs)
    return f"| {name} | {rate:,.0f} | {p50:.0f} / {p99:.0f} | {ratio:.1f} |"


def _windows(project: Project) -> list[str]:
    """Cost per turn at the beginning and at the end of conversations of a thousand turns."""
    runs = [_talk(project, 1000)[1] for _ in range(RUNS)]
    rows = []
    for low, high in ((1, 10), (91, 100), (491, 500), (991, 1000)):
        # Eleven turns make a round; the median of medians over rounds would hide none of them.
        some = [took for run in runs for took in run[low - 1 : high + 1]]
        rows.append(f"| {low} to {high} | {statistics.mean(some) * 1e6:.0f} |")
    return rows


def main() -> None:
    """Measure, print, write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=6000, help="turns in each run")
    args = parser.parse_args()
    today = datetime.now(UTC).date().isoformat()
    head = "| | turns a second | p50 / p99 microseconds | times the cost of replaying its events |\n| --- | --- | --- | --- |"
    with tempfile.TemporaryDirectory() as folder:
        projects = {count: made_project(Path(folder) / str(count), count) for count in FLOWS}
        measure(projects[10], 500, 100)
        flows, lengths = [], []
        for count in FLOWS:
            flows.append(_row(f"{count:,} flows", [measure(projects[count], args.turns, 110) for _ in range(RUNS)]))
            print(flows[-1], flush=True)
        for length in LENGTHS:
            runs = [measure(projects[100], max(args.turns, length), length) for _ in range(RUNS)]
            lengths.append(_row(f"conversations of {length:,} turns", runs))
            print(lengths[-1], flush=True)
        windows = _windows(projects[100])
    write_report(
        "engine-core",
        [
            f"# The engine's core, {today}",
            "",
            f"{machine()}. One core, no I/O, processor time, medians of {RUNS} runs of {args.turns:,} turns.",
            "A turn is a customer's message with everything that follows from it: answers, refusals, a question in between, buttons,",
            "repetitions, corrections, a called flow, an action.",
            "",
            head, *flows, "", head, *lengths, "",
            "Within one conversation of 1,000 turns (100 flows):", "", "| turns | mean microseconds |", "| --- | --- |", *windows,
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
