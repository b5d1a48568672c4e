"""How the problems of a project are told: to a person in a terminal, to a program, to a code forge."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from tightrope.engine.check import Checked, Problem

_STYLE = {"error": "bold red", "warning": "yellow"}


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def summary(found: Checked) -> str:
    """One line: how many problems, and how much was looked at."""
    counts = [_count(len(found.errors), "error"), _count(len(found.warnings), "warning")]
    files = len({problem.file for problem in found.problems})
    said = f"{', '.join(counts)} in {_count(files, 'file')}" if found.problems else "No problems"
    if found.project is None:
        return said
    own = [flow for flow in found.project.flows.values() if not flow.builtin]
    responses = sum(not r.place.file.startswith("defaults/") for r in found.project.responses.values())
    slots = sum(not s.place.file.startswith("defaults/") for s in found.project.slots.values())
    return f"{said}; looked at {_count(len(own), 'flow')}, {_count(responses, 'response')}, {_count(slots, 'slot')}"


def write_text(console: Console, root: Path, found: Checked) -> None:
    """For a person: in a terminal with colours and wrapped, elsewhere one problem a line."""
    for problem in found.problems:
        write_problem(console, problem)
    if found.problems and console.is_terminal:
        console.print()
    style = "red" if found.errors else "yellow" if found.warnings else "green"
    console.print(
        Text(f"{summary(found)} ({root})", style=style if console.is_terminal else ""), soft_wrap=not console.is_terminal
    )


def write_problem(console: Console, problem: Problem) -> None:
    """One problem."""
    if not console.is_terminal:
        console.print(Text(f"{problem} [{problem.code}]"), soft_wrap=True)
        return
    line = Text.assemble(
        (f"{problem.file}:{problem.line}", "bold"),
        " ",
        (problem.severity, _STYLE[problem.severity]),
        (f"  {problem.code}", "dim"),
    )
    console.print(line)
    console.print(Padding(Text(problem.message), (0, 0, 0, 4)))
    if problem.mend:
        console.print(Padding(Text(f"→ {problem.mend}", style="cyan"), (0, 0, 0, 4)))


def write_json(console: Console, root: Path, found: Checked) -> None:
    """For a program: one object."""
    body = {
        "project": str(root),
        "errors": len(found.errors),
        "warnings": len(found.warnings),
        "problems": [asdict(problem) for problem in found.problems],
    }
    console.print(json.dumps(body, ensure_ascii=False, indent=2), soft_wrap=True, markup=False)


def write_github(console: Console, root: Path, found: Checked) -> None:
    """For GitHub: workflow commands that become annotations; paths from the working folder, as it wants them."""
    for problem in found.problems:
        place = f"file={_property(os.path.relpath(root / problem.file))},line={problem.line},title={_property(problem.code)}"
        said = problem.message + (f"\n{problem.mend}" if problem.mend else "")
        console.print(f"::{problem.severity} {place}::{_data(said)}", soft_wrap=True, markup=False)
    console.print(summary(found), soft_wrap=True, markup=False)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


WRITERS: dict[str, Callable[[Console, Path, Checked], None]] = {"text": write_text, "json": write_json, "github": write_github}
