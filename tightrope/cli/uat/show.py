"""A run in the terminal: failures with their transcripts, and the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from rich.markup import escape

from tightrope.suites.text import visible
from tightrope.uat.models import RED_LINES, CaseResult, Finding, Played
from tightrope.uat.results import did, share, twins

_WORDS: Mapping[str, str] = {
    "say": "customer",
    "press": "presses",
    "choose": "chooses, if asked,",
    "login": "logs in",
    "logout": "logs out",
    "wait": "minutes pass",
    "switch_off": "switch off",
    "switch_on": "switch on",
    "give_back": "given back",
    "faults": "from here on fails",
}


def failure_lines(result: CaseResult) -> list[str]:
    """One failed case, turn by turn."""
    case = result.case
    lines = ["", f"[red bold]{escape(case.id)}[/red bold] {escape(case.title)}  [dim]{escape(case.file)}:{case.line}[/dim]"]
    for step in result.played:
        lines += _step(step)
    if result.broke:
        lines.append(f"  [red]could not go on: {escape(visible(result.broke))}[/red]")
    lines += [_finding(item) for item in result.findings]
    return lines


def _step(step: Played) -> Iterator[str]:
    for key, value in did(step.did).items():
        yield f"  [cyan]{_WORDS[key]}[/cyan] {escape(visible(str(value)))}"
    for message in step.shown:
        buttons = "".join(f" [{title}]" for title in message.buttons)
        name = f" [dim]{message.response}[/dim]" if message.response else ""
        yield f"    [green]▌[/green] {escape(visible(message.text).replace(chr(10), ' / '))}{escape(buttons)}{name}"
    for aside in step.asides:
        yield f"    [dim]{escape(visible(aside))}[/dim]"
    for item in step.findings:
        yield _finding(item)


def _finding(item: Finding) -> str:
    mark = f"RED LINE {item.red_line} ({RED_LINES[item.red_line]}) " if item.red_line else ""
    return f"    [red]✗ {mark}{escape(item.what)}: wanted {escape(visible(item.wanted))}; got {escape(visible(item.got))}[/red]"


def summary_lines(data: Mapping[str, Any]) -> list[str]:
    """The figures of a run."""
    cases = data["cases"]
    lines = [""]
    gated = [case for case in cases if not case["reason"]]
    journeys = Counter(case["journey"] for case in gated)
    passed = Counter(case["journey"] for case in gated if case["passed"])
    width = max(map(len, journeys), default=0)
    for journey, count in sorted(journeys.items()):
        colour = "green" if passed[journey] == count else "red"
        lines.append(f"  {journey:{width}} [{colour}]{passed[journey]:>4} of {count:<4}[/{colour}]")
    attacks = [case for case in cases if case["red_line"]]
    for number in sorted({case["red_line"] for case in attacks}):
        mine = [case for case in attacks if case["red_line"] == number]
        held = sum(1 for case in mine if case["passed"])
        colour = "green" if held == len(mine) else "red"
        lines.append(f"  red line {number}: [{colour}]{held:>3} of {len(mine)} held[/{colour}]  {RED_LINES[number]}")
    broken = sorted({number for case in cases for number in case["red_lines_broken"]})
    if broken:
        lines.append(f"  [red bold]standing checks broken: red lines {', '.join(map(str, broken))}[/red bold]")
    refused, played, names = twins(cases)
    if played:
        lines.append(f"  twins refused: {share(refused, played)}" + (f": {', '.join(names)}" if names else ""))
    if "day" in data:
        day = data["day"]
        count = sum(row["cases"] for row in day["reasons"])
        lines.append(
            f"  a realistic day ({count} conversations): right without a person {day['without_person']} %, right {day['right']} %"
        )
    colour = "red" if data["failed"] else "green"
    lines.append(
        f"[{colour} bold]{data['passed']} passed, {data['failed']} failed[/{colour} bold] in {data['seconds']} s; release {data['release']}"
    )
    return lines
