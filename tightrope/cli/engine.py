"""`tightrope engine`: check any CALM project, and serve it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

engine_app = typer.Typer(no_args_is_help=True, help="Check and serve a CALM project, ours or another.")

ProjectOption = Annotated[Path | None, typer.Option("--project", help="The CALM project's folder; without it, our own")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Another file in place of the project's config.yml")]


class Format(StrEnum):
    """How problems are told."""

    text = "text"
    json = "json"
    github = "github"


@engine_app.command("check")
def check(
    project: ProjectOption = None,
    config: ConfigOption = None,
    output: Annotated[
        Format, typer.Option("--format", help="text to read, json for programs, github for annotations of a pull request")
    ] = Format.text,
    fail_on_warnings: Annotated[bool, typer.Option("--fail-on-warnings", help="Exit 1 on warnings too")] = False,
) -> None:
    """Tell every problem of a project at once: file, line, what is wrong, how to mend it. Exit 1 on errors."""
    from tightrope.cli.engine_problems import WRITERS
    from tightrope.engine.check import examine
    from tightrope.infra.settings import get_settings

    root = project or get_settings().project_dir
    found = examine(root, config)
    WRITERS[output.value](Console(highlight=False), root, found)
    raise typer.Exit(1 if found.errors or (fail_on_warnings and found.warnings) else 0)


@engine_app.command("run")
def run(
    project: ProjectOption = None,
    config: ConfigOption = None,
    port: Annotated[int, typer.Option(help="Port of Rasa's HTTP API", min=1, max=65535)] = 5005,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any other than this machine's own opens it to the network")
    ] = "127.0.0.1",
    understanding_url: Annotated[
        str | None,
        typer.Option("--understanding-url", help="OpenAI base URL of what understands messages, in place of endpoints.yml"),
    ] = None,
    actions_url: Annotated[
        str | None, typer.Option("--actions-url", help="Webhook of the action server, in place of endpoints.yml")
    ] = None,
    strict_payloads: Annotated[
        bool | None,
        typer.Option(
            "--strict-payloads/--no-strict-payloads",
            help="A text that begins with / counts only as a press of a button that was shown; without it: on for our own project",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", help="Where conversations are kept; without it, a folder of this project's below the user's cache"
        ),
    ] = None,
) -> None:
    """Serve a project over Rasa's REST channel and HTTP API, with a database of its own. Ctrl-C stops it; the conversations stay."""
    from tightrope.cli.engine_board import Wanted
    from tightrope.cli.engine_run import serve

    wanted = Wanted(project, config, port, host, understanding_url, actions_url, strict_payloads, state)
    raise typer.Exit(serve(wanted, Console(highlight=False)))


@engine_app.command("migrate")
def migrate(
    database: Annotated[
        str,
        typer.Argument(
            help='Its owner\'s connection, such as "host=db dbname=assistant user=owner"; the password from PGPASSWORD'
        ),
    ],
) -> None:
    """Bring the assistant's database to this version: for a Postgres of your own, before `engine run` is given TIGHTROPE_DATABASE_HOST."""
    from tightrope.cli.engine_run import prepare

    raise typer.Exit(prepare(database, Console(highlight=False)))
