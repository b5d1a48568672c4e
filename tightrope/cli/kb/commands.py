"""`tightrope kb`: from a written document to an answer that may quote it (docs/knowledge.md, Publishing)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tightrope.cli.kb import publish, show, sign

if TYPE_CHECKING:
    from datetime import date

    from tightrope.infra.settings import Settings
    from tightrope.knowledge.models import Release
    from tightrope.knowledge.publishing.check import Checked
    from tightrope.knowledge.publishing.store import Store

kb_app = typer.Typer(no_args_is_help=True, help="Knowledge: check, sign, publish and roll back documents (docs/knowledge.md).")
console = Console()
errors = Console(stderr=True)


@kb_app.command("check")
def check(
    document: Annotated[str | None, typer.Argument(metavar="DOC", help="Only this document id")] = None,
    only_errors: Annotated[bool, typer.Option("--errors", help="Leave out warnings")] = False,
) -> None:
    """Everything that is wrong with the documents, each with file, line and remedy. Exit 0 if nothing keeps them from being published."""
    settings = _settings()
    found = _checked(settings)
    names = {d.file_name for d in found.documents if d.document_id == document} if document else None
    problems = [
        problem
        for problem in found.problems
        if (problem.grade == "error" or not only_errors)
        and (names is None or problem.file in names or problem.file.startswith(f"{document}."))
    ]
    for line in show.problem_lines(problems):
        console.print(line, highlight=False)
    wrong = sum(1 for problem in problems if problem.grade == "error")
    console.print(
        f"{len(found.documents)} files; {show.many(wrong, 'error')}, {show.many(len(problems) - wrong, 'warning')} to judge.",
        highlight=False,
    )
    raise typer.Exit(1 if wrong else 0)


@kb_app.command("diff")
def diff(
    old: Annotated[str | None, typer.Option("--from", help="A kept release [the active one]")] = None,
    new: Annotated[str | None, typer.Option("--to", help="A kept release [what is signed in the folder]")] = None,
) -> None:
    """What a reader would find changed, sentence by sentence."""
    from tightrope.knowledge.publishing.diff import diff as compared

    settings = _settings()
    before = _release(settings, old)
    after = _release(settings, new) if new else None
    after = after or _draft(settings)
    changes = compared(before, after)
    for line in show.diff_lines(changes):
        console.print(line, highlight=False)
    start = before.release_id if before else "nothing"
    console.print(f"{start} → {after.release_id}: {show.counted(changes)}", highlight=False)


@kb_app.command("impact")
def impact(document: Annotated[str, typer.Argument(metavar="DOC", help="Document id")]) -> None:
    """Questions and acceptance cases that a change of this document touches, against the active release."""
    from tightrope.cli.uat.run import default_places
    from tightrope.knowledge.publishing.impact import impact as touched
    from tightrope.knowledge.publishing.impact import read_questions
    from tightrope.uat.reader import case_files, read_cases

    settings = _settings()
    before = _release(settings, None)
    # Against the files as they are written, signed or not: one asks before one signs.
    written = _written(settings)
    if document not in {d.document_id for d in (*written.documents, *(before.documents if before else ()))}:
        errors.print(f"[red]There is no document {escape(document)}.[/red]", highlight=False)
        raise typer.Exit(2)
    cases, _ = read_cases(case_files(default_places(settings)), settings.project_dir)
    cites = [(case.id, f"{case.file}:{case.line}", {name for step in case.steps for name in step.expect.cites}) for case in cases]
    questions = read_questions(settings.project_dir / "tests" / "golden" / "knowledge")
    for line in show.impact_lines(document, touched(document, before, written, questions, cites)):
        console.print(line, highlight=False)


@kb_app.command("status")
def status(
    days: Annotated[int, typer.Option(help="Tell documents that end or begin within so many days", min=0)] = 30,
) -> None:
    """Releases and which is active, what is withdrawn, drafts and who has signed them, what ends or begins soon."""
    settings = _settings()
    store = _store(settings)
    day = _today(settings)
    for line in show.status_lines(store, _checked(settings), day, days):
        console.print(line, highlight=False)


for command in (
    sign.approve,
    publish.publish,
    publish.rollback,
    publish.withdraw,
    sign.key,
    sign.demo_sign,
):
    kb_app.command(command.__name__.replace("_", "-"))(command)


def _settings() -> Settings:
    from tightrope.infra.settings import get_settings

    return get_settings()


def _store(settings: Settings) -> Store:
    from tightrope.knowledge.publishing.store import Store

    return Store.from_settings(settings)


def _today(settings: Settings) -> date:
    from tightrope.infra.clock import clock_from
    from tightrope.knowledge.models import SHANGHAI

    return clock_from(settings).now().astimezone(SHANGHAI).date()


def _checked(settings: Settings) -> Checked:
    from tightrope.knowledge.publishing.check import check as checked

    return checked(settings.project_dir / "knowledge_base", production=settings.mode == "production", day=_today(settings))


def _written(settings: Settings) -> Release:
    """Every public document of the folder that can be read, signed or not."""
    from tightrope.knowledge.models import Release
    from tightrope.knowledge.passages import cut

    documents = tuple(d for d in _checked(settings).documents if d.audience == "public")
    return Release("written", documents, tuple(passage for document in documents for passage in cut(document)))


def _release(settings: Settings, name: str | None) -> Release | None:
    """A kept release; without a name the active one, None when nothing was published."""
    from tightrope.knowledge.errors import KnowledgeError

    store = _store(settings)
    try:
        state = store.state()
        wanted = name or (state.active if state else None)
        return store.load(wanted) if wanted else None
    except KnowledgeError as error:
        errors.print(f"[red]Cannot compare:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


def _draft(settings: Settings) -> Release:
    from tightrope.knowledge.errors import DocumentInvalid, KnowledgeError
    from tightrope.knowledge.publish import draft_release

    try:
        return draft_release(settings)
    except (KnowledgeError, DocumentInvalid) as error:
        errors.print(f"[red]Cannot compare:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
