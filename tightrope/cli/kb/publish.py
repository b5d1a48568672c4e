"""What `tightrope kb` does to what may be quoted: publish, roll back, withdraw."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from tightrope.infra.settings import Settings
    from tightrope.knowledge.models import Release

console = Console()
errors = Console(stderr=True)
T = TypeVar("T")
_STEPS = {"upload": "Sending files and passages", "verify": "Reading everything back"}


def publish(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Send what two people signed to the knowledge server, read it back, and switch answering to it. What was active stays kept."""
    from tightrope.infra.settings import get_settings
    from tightrope.knowledge.publish import draft_release
    from tightrope.knowledge.publish import publish as published
    from tightrope.knowledge.publishing.diff import diff
    from tightrope.knowledge.publishing.record import Audited
    from tightrope.knowledge.publishing.store import Store

    settings = get_settings()
    _refuse_errors(settings)
    store = Store.from_settings(settings)
    release = _tried(lambda: draft_release(settings))
    state = _tried(store.state)
    if state and state.active == release.release_id:
        console.print(f"{release.release_id} is active already; verifying it.", highlight=False)
    elif not yes:
        try:
            old = store.load(state.active) if state else None
        except Exception:
            old = None
        count = len(diff(old, release))
        typer.confirm(
            f"{release.release_id}: {len(release.documents)} files, {len(release.passages)} passages, {count} changes "
            f"(`tightrope kb diff` shows them). Publish?",
            abort=True,
        )
    made = _run(lambda told: published(settings, witness=Audited(settings), by=getpass.getuser(), progress=told))
    console.print(
        f"[green]{made.release_id} is active:[/green] {len(made.documents)} files, {len(made.passages)} passages, each read back.",
        highlight=False,
        soft_wrap=True,
    )


def rollback(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="A kept release; `tightrope kb status` lists them")],
) -> None:
    """Switch answering to a release that was kept, after verifying its signatures and what the server holds. Withdrawn documents stay withdrawn."""
    from tightrope.infra.settings import get_settings
    from tightrope.knowledge.publish import rollback as rolled_back
    from tightrope.knowledge.publishing.record import Audited

    settings = get_settings()
    made = _run(lambda told: rolled_back(settings, release, witness=Audited(settings), by=getpass.getuser(), progress=told))
    console.print(f"[green]{made.release_id} is active.[/green]", highlight=False)


def withdraw(
    document: Annotated[str, typer.Argument(metavar="DOC", help="Document id")],
    reason: Annotated[str, typer.Option(help="Why; stays in the history", prompt=True)],
) -> None:
    """Stop quoting a document at once, in every release. A newer, signed version of it brings it back."""
    from tightrope.infra.settings import get_settings
    from tightrope.knowledge.errors import KnowledgeError, NotRecorded
    from tightrope.knowledge.publish import switch_off
    from tightrope.knowledge.publish import withdraw as withdrawn
    from tightrope.knowledge.publishing.record import Audited

    settings = get_settings()
    again = f"Say `tightrope kb withdraw {document}` again when it is back."
    work = withdrawn(settings, document, reason=reason, by=getpass.getuser(), witness=Audited(settings))
    try:
        made = asyncio.run(work)
    except NotRecorded as error:
        errors.print(
            f"[yellow]{escape(document)} is not quoted any more, and that is not on the record yet:[/yellow] "
            f"{escape(str(error))}. {escape(again)}",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(1) from None
    except KnowledgeError as error:
        errors.print(f"[red]Nothing changed:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    if not made:
        console.print(f"{escape(document)} was withdrawn before.", highlight=False)
    for item in made:
        console.print(f"[green]{item.document_id} {item.version} is not quoted any more.[/green]", highlight=False)
    try:
        count = asyncio.run(switch_off(settings, document))
        console.print(f"{count} files switched off on the knowledge server as well.", highlight=False)
    except KnowledgeError as error:
        errors.print(
            f"[yellow]Answers do not quote it; the knowledge server still finds it ({escape(str(error))}).[/yellow] "
            f"{escape(again)}",
            highlight=False,
            soft_wrap=True,
        )
    console.print("The next release leaves it out: `tightrope kb publish`.", highlight=False)


def _refuse_errors(settings: Settings) -> None:
    from tightrope.infra.clock import clock_from
    from tightrope.knowledge.models import SHANGHAI
    from tightrope.knowledge.publishing.check import check

    day = clock_from(settings).now().astimezone(SHANGHAI).date()
    found = check(settings.project_dir / "knowledge_base", production=settings.mode == "production", day=day).errors
    for problem in found[:5]:
        errors.print(escape(str(problem)), highlight=False, soft_wrap=True)
    if found:
        errors.print(f"[red]Not published: {len(found)} errors.[/red] `tightrope kb check` shows all.", highlight=False)
        raise typer.Exit(1)


def _tried(work: Callable[[], T]) -> T:
    """What `work` gives, or one line and exit 1."""
    from tightrope.knowledge.errors import DocumentInvalid, KnowledgeError

    try:
        return work()
    except (DocumentInvalid, KnowledgeError) as error:
        errors.print(f"[red]Nothing changed:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


def _run(start: Callable[[Any], Coroutine[Any, Any, Release]]) -> Release:
    """Run publishing under a progress bar."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, Any] = {}

        def told(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(_STEPS[step], total=total)
            bar.update(tasks[step], completed=done, total=total)

        return _tried(lambda: asyncio.run(start(told)))
