"""How `tightrope kb` shows problems, changes, impact and status: lines that wrap at any width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.text import Text

from tightrope.cli.wrapped import Wrapped
from tightrope.knowledge.publishing.diff import Change, words_that_differ

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tightrope.knowledge.models import Document, Problem
    from tightrope.knowledge.publishing.check import Checked
    from tightrope.knowledge.publishing.impact import Impact
    from tightrope.knowledge.publishing.store import State, Store

_COLOURS = {"error": "red", "warning": "yellow"}


def _indented(text: str | Text, by: int = 2) -> Wrapped:
    return Wrapped(text, by, hang=2)


def many(count: int, what: str) -> str:
    """A number of things, in the plural where it is not one."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def problem_lines(problems: Sequence[Problem]) -> Iterator[RenderableType]:
    """Problems by file: line, grade, what, and below it the remedy."""
    for file, group in groupby(problems, key=lambda problem: problem.file):
        yield f"[bold]{escape(file)}[/bold]"
        for problem in group:
            colour = _COLOURS[problem.grade]
            yield _indented(f"{problem.line}: [{colour}]{problem.grade}[/{colour}] {escape(problem.what)}")
            yield _indented(f"[dim]→ {escape(problem.remedy)}[/dim]", 6)
        yield ""


def diff_lines(changes: Iterable[Change]) -> Iterator[RenderableType]:
    """Changes by document and section; what differs within a sentence stands out in both."""
    for (document, language), group in groupby(changes, key=lambda change: (change.document_id, change.language)):
        yield f"[bold]{escape(document)} ({language})[/bold]"
        for (number, heading), inside in groupby(group, key=lambda change: (change.section, change.heading)):
            yield _indented(f"§{number} {escape(heading)}" if number else f"{escape(heading)}")
            for change in inside:
                left, right = words_that_differ(change.before, change.after)
                if change.before:
                    yield _indented(_marked("- ", left, "red", whole=not change.after), 4)
                if change.after:
                    yield _indented(_marked("+ ", right, "green", whole=not change.before), 4)
        yield ""


def _marked(sign: str, runs: Iterable[tuple[str, bool]], colour: str, *, whole: bool) -> Text:
    text = Text(sign, style=colour)
    for run, differs in runs:
        text.append(run, style=f"bold underline {colour}" if differs and not whole else colour)
    return text


def counted(changes: Sequence[Change]) -> str:
    """How many changes of each kind in how many documents."""
    if not changes:
        return "no change"
    kinds = {kind: sum(1 for change in changes if change.kind == kind) for kind in ("changed", "added", "removed")}
    documents = len({change.document_id for change in changes})
    return f"{', '.join(f'{count} {kind}' for kind, count in kinds.items() if count)} in {many(documents, 'document')}"


def impact_lines(document: str, found: Impact) -> Iterator[RenderableType]:
    """What a change touches."""
    if found.changed:
        differ = "section {} differs" if len(found.changed) == 1 else "sections {} differ"
        sections = differ.format(", ".join(map(str, found.changed)))
        yield f"[bold]{escape(document)}[/bold]: {sections} from what is published"
    else:
        yield f"[bold]{escape(document)}[/bold] is as it is published; these depend on it:"
    yield many(len(found.questions), "question")
    for question in found.questions:
        yield _indented(f"{question.question_id} [dim]{', '.join(question.answers)}[/dim] {escape(question.text)}")
    yield many(len(found.cases), "acceptance case")
    for name, place in found.cases:
        yield _indented(f"{escape(name)} [dim]{escape(place)}[/dim]")


def status_lines(store: Store, checked: Checked, day: date, days: int) -> Iterator[RenderableType]:
    """Releases, withdrawn documents, drafts, what ends and begins."""
    from tightrope.knowledge.errors import ReleaseBroken

    state: State | None = None
    try:
        state = store.state()
    except ReleaseBroken as error:
        yield f"[red]Nothing can be quoted:[/red] {escape(str(error))}"
    yield "[bold]Releases[/bold]"
    kept = store.kept()
    for item in kept:
        active = state is not None and item.release_id == state.active
        mark = "[green]● active[/green]" if active else "  kept  "
        yield _indented(f"{mark} {item.release_id}  {item.made[:16]}  {item.documents} files, {item.passages} passages")
        if active:
            try:
                store.load(item.release_id)
            except ReleaseBroken as error:
                yield _indented(f"[red]It does not verify, so nothing is quoted: {escape(str(error))}[/red]", 6)
    if not kept:
        yield _indented("none; `tightrope kb publish` makes the first one")
    for event in state.history[-5:] if state else ():
        yield _indented(f"[dim]{event.at[:16]} {escape(event.what)} {escape(event.subject)} by {escape(event.by)}[/dim]", 4)
    if state and state.withdrawn:
        yield "[bold]Withdrawn[/bold]"
        for gone in state.withdrawn:
            yield _indented(f"{gone.document_id} {gone.version}  {gone.at[:16]} by {escape(gone.by)}: {escape(gone.reason)}")
    yield from _signatures(checked)
    yield from _calendar(checked.documents, day, days)
    wrong = len(checked.errors)
    if wrong:
        yield f"[red]{many(wrong, 'error')}[/red]; `tightrope kb check` shows what is wrong"


def _signatures(checked: Checked) -> Iterator[RenderableType]:
    pairs: dict[str, Document] = {}
    for document in checked.documents:
        pairs.setdefault(f"{document.document_id} {document.version}", document)
    drafts = {name: document for name, document in pairs.items() if not document.approved}
    yield f"[bold]Signed[/bold] {len(pairs) - len(drafts)} of {len(pairs)} documents by a maker and a checker"
    for (maker, checker), count in sorted(_signers(pairs.values()).items()):
        yield _indented(f"{count} by {escape(maker)}, checked by {escape(checker)}")
    if drafts:
        yield "[bold]Drafts[/bold]"
    void = {item.key: item.reason for item in checked.void}
    for name, document in sorted(drafts.items()):
        signed = ", ".join(f"{approval.duty} {approval.person} {approval.date}" for approval in document.approvals)
        reason = void.get(name.replace(" ", "."), "")
        lost = f" [yellow]({escape(reason)})[/yellow]" if reason else ""
        yield _indented(f"{name}  {escape(signed) or 'nobody has signed'}{lost}")


def _signers(documents: Iterable[Document]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for document in documents:
        people = {approval.duty: approval.person for approval in document.approvals}
        if document.approved:
            key = (people["maker"], people["checker"])
            found[key] = found.get(key, 0) + 1
    return found


def _calendar(documents: Iterable[Document], day: date, days: int) -> Iterator[RenderableType]:
    limit = day + timedelta(days=days)
    ends = {(d.effective_to, d.document_id, d.version) for d in documents if day <= d.effective_to <= limit}
    begins = {(d.effective_from, d.document_id, d.version) for d in documents if day < d.effective_from <= limit}
    for title, rows in ((f"Ends within {days} days", ends), (f"Begins within {days} days", begins)):
        if rows:
            yield f"[bold]{title}[/bold] (midnight in Shanghai)"
        for when, name, version in sorted(rows):
            yield _indented(f"{when} {escape(name)} {version}")
