"""`tightrope understand`: where each line of a file would go, for evaluations by others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape

errors = Console(stderr=True)


def understand(
    path: Annotated[Path, typer.Argument(metavar="LINES.jsonl", help='{"id": …, "text": …} a line; - reads standard input')],
    out: Annotated[Path | None, typer.Option(help="Where the answers go [standard output]")] = None,
) -> None:
    """Say for each message where it goes: route, options, probability, slots and commands, a line of JSON each."""
    from tightrope.cli.neighbours import LocalUnderstanding
    from tightrope.engine.errors import ProjectError
    from tightrope.engine.loader import load_project
    from tightrope.infra.settings import get_settings
    from tightrope.understanding.errors import TrainingDataError

    settings = get_settings()
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        asked = list(read(raw))
        service = LocalUnderstanding(settings, load_project(settings.project_dir))
        found = b"".join(orjson.dumps(one) + b"\n" for one in answers(service, asked))
        if out is not None:
            out.write_bytes(found)
        else:
            sys.stdout.buffer.write(found)
            sys.stdout.buffer.flush()
    except (OSError, ValueError, ProjectError, TrainingDataError) as error:
        errors.print(f"[red]{escape(str(error))}[/red]", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None


def read(raw: bytes) -> Iterator[tuple[Any, str]]:
    """Id and text of each line; blank lines are passed over.

    Raises:
        ValueError: a line is not `{"id", "text"}`, or its text too long; names the line.
    """
    from tightrope.understanding.models import MAX_MESSAGE

    for number, line in enumerate(raw.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"line {number}: not JSON ({error})") from None
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str | int) or not isinstance(entry.get("text"), str):
            raise ValueError(f'line {number}: expected {{"id": …, "text": "…"}}, the id a text or a whole number')  # noqa: TRY004 - a wrong line is a wrong value
        if len(entry["text"]) > MAX_MESSAGE:
            raise ValueError(f"line {number}: the text has {len(entry['text'])} characters; at most {MAX_MESSAGE} are understood")
        yield entry["id"], entry["text"]


def answers(service: Any, asked: list[tuple[Any, str]]) -> Iterator[dict[str, Any]]:
    """The answer to each line, with the flows that this project offers to a customer who has just come."""
    from rich.progress import track

    from tightrope.understanding.evaluate import route
    from tightrope.understanding.models import Clarify, SetSlot, line

    for one, text in track(asked, description="Understanding", console=errors, transient=True):
        result = service.first(text)
        options = next((list(command.flows) for command in result.commands if isinstance(command, Clarify)), [])
        yield {
            "id": one,
            "route": route(result),
            "options": options,
            "probability": round(result.candidates[0][1] / 10_000, 4) if result.candidates else 1.0,
            "slots": {command.name: command.value for command in result.commands if isinstance(command, SetSlot)},
            "commands": [line(command) for command in result.commands],
        }
