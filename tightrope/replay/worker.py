"""A process of its own that plays a release in that release's code: this file as a script, a folder as its argument, a job on standard input.

The folder's packages of `tightrope` stand before the installed ones, this one among them; all other modules are those of the installed program.
What runs was approved with its release and is named by hash in its records. The job and the answer (player.play_turns) are what releases agree on.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import tightrope

PACKAGES = ("engine", "rules", "understanding", "knowledge", "generation", "gateway", "replay")
SECONDS = 300.0


class WorkerFailed(Exception):
    """The recorded release could not be run in its own code; says why."""


def play_apart(root: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Play a job (player.play_turns) in the code below `root`.

    Raises:
        WorkerFailed: the process ended with an error, or did not end within five minutes.
    """
    installed = Path(tightrope.__file__).parent.parent
    # It plays what it is given and needs no settings: it gets none, nor the way to any secret.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIGHTROPE_")}
    environment = {**kept, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-P", __file__, str(root)],
            input=json.dumps(job).encode(), capture_output=True, timeout=SECONDS, check=False, env=environment, cwd=installed,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise WorkerFailed(f"no end within {SECONDS:g} s") from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no word"]
        raise WorkerFailed(f"{last[0]} (exit code {done.returncode})")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def overlay(root: Path) -> None:
    """Let the code below `root` stand before the installed code, package by package."""
    tightrope.__path__.insert(0, str(root / "tightrope"))
    for name in PACKAGES:
        if (root / "tightrope" / name / "__init__.py").is_file():
            # Modules that a release does not pin (a package's tools) are still found among the installed ones.
            importlib.import_module(f"tightrope.{name}").__path__.append(str(Path(tightrope.__file__).parent / name))


def main(arguments: list[str]) -> int:
    """Read a job, play it, write the answer."""
    overlay(Path(arguments[0]))
    play_turns = importlib.import_module("tightrope.replay.player").play_turns
    output = sys.stdout
    sys.stdout = sys.stderr  # whatever the code prints, the answer stays alone
    answer: dict[str, Any] = play_turns(json.load(sys.stdin))
    output.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
