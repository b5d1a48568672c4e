"""`tightrope chat`: talk to the flows of a project in the terminal, and see where the conversation stands (docs/flow-authors.md)."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from tightrope.cli.chat_view import Shown
    from tightrope.cli.talk import Talk
    from tightrope.engine.models import Project
    from tightrope.engine.turn import RunsActions
    from tightrope.infra.settings import Settings

HELP = """Type what the customer says, or
  1, 2 …                 press the button with this number (\\\\1 says the figure itself)
  :start flow F          enter commands in place of understanding; several with ; between them
  /stack /slots /events  show or hide where the conversation stands, its slots, its events
  /commands              show or hide what was understood
  /new                   a new conversation
  /wrong                 the newest reply is wrong: say what is right, and it becomes an acceptance case
  /quit                  leave, as do Ctrl-C and Ctrl-D
Any other line that begins with / goes to the engine as it is, as /SetSlots(a=b)."""

Ask = Callable[[str], str]


class CannotChat(Exception):
    """The conversation cannot begin; says why."""


def chat(
    project: Annotated[Path | None, typer.Option("--project", help="The CALM project's folder [this one's own]")] = None,
    language: Annotated[str | None, typer.Option(help="The customer's language, one that config.yml names")] = None,
    channel: Annotated[str, typer.Option(help="The channel by which the customer writes")] = "rest",
    actions_module: Annotated[
        str | None,
        typer.Option("--actions-module", help="Run the custom actions of this Python package of the project in this process"),
    ] = None,
    stubs: Annotated[
        Path | None, typer.Option(help="A file with stub_custom_actions, as e2e tests have them; other actions are asked about")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Write the conversation to this file as an e2e test case")] = None,
) -> None:
    """Talk to a project's flows in the terminal. /help there lists what can be typed."""
    from tightrope.cli.chat_view import line_view

    console, errors = Console(), Console(stderr=True)
    previous = signal.signal(signal.SIGINT, _interrupt)
    try:
        with asyncio.Runner() as runner:
            talk, told = runner.run(_begin(project, language, channel, actions_module, stubs, console))
            for line in told:
                console.print(line_view(line, console.width, "dim"))
            try:
                _loop(talk, runner, _asking(), console, _recording(talk, record), recording=record is not None)
            finally:
                runner.run(talk.aclose())
    except CannotChat as error:
        errors.print(f"[red]{escape(str(error))}[/red]", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    except (KeyboardInterrupt, EOFError):
        console.print("\nBye.")
    finally:
        signal.signal(signal.SIGINT, previous)


def _interrupt(_number: int, _frame: Any) -> None:
    """Ctrl-C ends the chat at once, also while a turn runs."""
    raise KeyboardInterrupt


def _asking() -> Ask:
    """Reads a line; with history and editing where the terminal has them."""
    if sys.stdin.isatty():
        import readline  # noqa: F401 - input() uses it once it is imported

    def ask(prompt: str) -> str:
        sys.stdout.flush()
        line = input(prompt)
        if not sys.stdin.isatty():
            sys.stdout.write(line + "\n")
        return line

    return ask


async def _begin(
    folder: Path | None, language: str | None, channel: str, module: str | None, stubs: Path | None, console: Console
) -> tuple[Talk, list[str]]:
    """The conversation, and what to say of it.

    Raises:
        CannotChat: the project, the module or the stubs cannot be used.
    """
    from tightrope.cli import neighbours
    from tightrope.cli.talk import Talk
    from tightrope.infra.settings import get_settings
    from tightrope.suites.sources import is_own

    settings = get_settings()
    project = _project((folder or settings.project_dir).absolute())
    if language is not None and language not in project.languages:
        raise CannotChat(f"This project speaks {', '.join(project.languages)}, not {language}.")
    understanding, who = await neighbours.understanding(settings, project)
    actions, acts = await _actions(project, settings, module, stubs, language, console)
    own = is_own(settings, project)
    talk = Talk(
        project,
        understanding,
        actions,
        strict=own and settings.strict_payloads,
        cap=settings.prediction_cap,
        language=language,
        channel=channel,
    )
    told = [
        f"{project.root} · {language or project.language} · /help lists what can be typed",
        f"understanding: {who}" if understanding is not None else f"nobody understands ({who}): enter commands, as :start flow F",
        f"actions: {acts}",
    ]
    return talk, told


def _project(root: Path) -> Project:
    from tightrope.engine.loader import gather

    reading = gather(root)
    wrong = reading.problems.errors
    if reading.project is None or wrong:
        raise CannotChat("\n".join(["The project cannot be loaded:", *(f"  {problem}" for problem in sorted(wrong))]))
    return reading.project


async def _actions(
    project: Project, settings: Settings, module: str | None, stubs: Path | None, language: str | None, console: Console
) -> tuple[RunsActions, str]:
    """Who runs custom actions, and in words who it is: given stubs, a module, the server, the e2e tests' stubs, else the author.

    Raises:
        CannotChat: the module or the stubs cannot be used.
    """
    from tightrope.cli.chat_actions import Asked, Stubs, read_stubs
    from tightrope.cli.chat_view import line_view
    from tightrope.engine.errors import ProjectError
    from tightrope.suites import sources
    from tightrope.suites.errors import SuiteError

    asked = Asked(project, _asking(), lambda text: console.print(line_view(text, console.width, "cyan")))
    try:
        if stubs is not None:
            return Stubs(read_stubs(stubs), asked), f"stubs of {stubs}; others are asked about"
        found, missing = await sources.actions(settings, project, module)
        if not missing:
            return (
                found,
                f"the package {module or project.actions_module}, in this process"
                if module or project.actions_module
                else "the action server",
            )
        usual = Path(project.root) / "tests" / "e2e" / f"{language or project.language}.yml"
        if usual.is_file():
            return Stubs(
                read_stubs(usual), asked
            ), f"stubs of {usual.relative_to(project.root)}, since {missing}; others are asked about"
    except (ProjectError, SuiteError, OSError) as error:
        raise CannotChat(str(error)) from None
    return asked, f"asked about, since {missing}"


def _recording(talk: Talk, path: Path | None) -> Callable[[], list[str]]:
    """Writes the conversation so far; gives what the format could not hold.

    Raises:
        CannotChat: the file is there already, or its folder is not.
    """
    from tightrope.cli.recorder import recorded

    if path is None:
        return list
    beside = path.with_suffix(".commands")
    for place in (path, beside):
        if place.exists():
            raise CannotChat(f"{place} is there already; record into another file.")
    if not path.parent.is_dir():
        raise CannotChat(f"There is no folder {path.parent} to record into.")

    def write() -> list[str]:
        name = path.stem.replace(" ", "_")
        made = recorded(talk.project, name, path.name, talk.spoken, talk.memory.given, talk.fixtures, talk.metadata)
        path.write_text(made.test, encoding="utf-8")
        if made.commands is not None:
            beside.write_text(made.commands, encoding="utf-8")
        return list(made.notes)

    return write


def _loop(
    talk: Talk, runner: asyncio.Runner, ask: Ask, console: Console, record: Callable[[], list[str]], *, recording: bool
) -> None:
    """Until the author leaves.

    Raises:
        EOFError: Ctrl-D.
        KeyboardInterrupt: Ctrl-C.
    """
    from tightrope.cli.chat_view import Shown, line_view

    shown = Shown()
    told: set[str] = set()
    while True:
        line = ask("› ").strip()
        if not line:
            continue
        if line == "/quit":
            raise EOFError
        if line == "/help":
            console.print(HELP, highlight=False)
        elif line == "/wrong":
            _wrong(talk, ask, console)
        elif line == "/new" and recording:
            console.print("[yellow]A recording is one conversation; leave and begin another.[/yellow]")
        elif line == "/new":
            talk.restart()
            console.print("[dim]A new conversation.[/dim]")
        elif line in {"/stack", "/slots", "/events", "/commands"}:
            _toggle(talk, shown, line[1:], console)
        elif _turn(talk, runner, line, shown, console):
            try:
                notes = record()
            except OSError as error:
                raise CannotChat(f"The recording cannot be written: {error}") from None
            for note in notes:
                if note not in told:
                    told.add(note)
                    console.print(line_view(f"recording: {note}", console.width, "yellow"))


def _wrong(talk: Talk, ask: Ask, console: Console) -> None:
    from tightrope.cli.chat_view import line_view
    from tightrope.cli.chat_wrong import NotWritten, wrong

    try:
        path = wrong(talk.project, talk.spoken, str(talk.metadata.get("language") or talk.project.language), ask)
    except (NotWritten, OSError) as error:
        console.print(line_view(str(error), console.width, "yellow"))
        return
    console.print(line_view(f"Written: {path}. `tightrope uat run {path}` plays it.", console.width, "green"))


def _toggle(talk: Talk, shown: Shown, part: str, console: Console) -> None:
    from tightrope.cli.chat_view import panel_view

    setattr(shown, part, not getattr(shown, part))
    console.print(f"[dim]{part} {'shown' if getattr(shown, part) else 'hidden'}[/dim]")
    panel = panel_view(talk.project, talk.state, talk.state, talk.newest, shown, console.width) if getattr(shown, part) else None
    if panel is not None:
        console.print(panel)


def _turn(talk: Talk, runner: asyncio.Runner, line: str, shown: Shown, console: Console) -> bool:
    """Play one line and show what came of it; whether there was a turn."""
    from tightrope.cli.chat_view import line_view, turn_view
    from tightrope.cli.talk import NotUnderstood
    from tightrope.engine.errors import EngineError
    from tightrope.suites.player import trace_of

    try:
        heard = runner.run(talk.say(line))
    except NotUnderstood as error:
        console.print(line_view(str(error), console.width, "yellow"))
        return False
    except Exception as error:
        # A fault of the engine or of an action ends the turn, not the chat.
        what = str(error) if isinstance(error, EngineError) else trace_of(error)
        console.print(line_view(f"The turn broke off: {what}", console.width, "red"))
        return False
    turn = heard.turn
    console.print(turn_view(talk.project, heard.before, turn.state, turn.events, turn.problems, shown, console.width))
    return True
