"""`tightrope flows`: for those who write the journeys (docs/flow-authors.md)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console

if TYPE_CHECKING:
    from tightrope.cli.scaffold import Kind, Plan
    from tightrope.engine.picture_text import Language

flows_app = typer.Typer(no_args_is_help=True, help="Write journeys: scaffold one, draw them, see how well they are understood.")
console = Console()
errors = Console(stderr=True)

ProjectOption = Annotated[Path | None, typer.Option("--project", help="The CALM project's folder [this one's own]")]
LanguageOption = Annotated[str | None, typer.Option(help="zh or en; without it, the project's language")]


def _folder(project: Path | None) -> Path:
    from tightrope.infra.settings import get_settings

    return project or get_settings().project_dir


def _wrong(message: str) -> typer.Exit:
    errors.print(f"[red]{message}[/red]", highlight=False, soft_wrap=True)
    return typer.Exit(2)


@flows_app.command()
def draw(
    flow_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Flows or patterns; without any, all of the project")
    ] = None,
    project: ProjectOption = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures")] = Path("flow-pictures"),
    language: LanguageOption = None,
) -> None:
    """One SVG a flow, and a page with all of them."""
    from rich.markup import escape

    from tightrope.cli.gallery import write_gallery
    from tightrope.engine.loader import gather

    if language not in {None, "zh", "en"}:
        raise _wrong(f"There are pictures in zh and en, not in {escape(str(language))}.")
    root = _folder(project)
    reading = gather(root)
    found, unreadable = reading.project, reading.problems.errors
    for problem in unreadable:
        errors.print(f"[yellow]not drawn[/yellow] {escape(str(problem))}", highlight=False, soft_wrap=True)
    if found is None:
        raise typer.Exit(2)
    own = {flow.id: flow for flow in sorted(found.flows.values(), key=lambda flow: flow.is_pattern) if not flow.builtin}
    missing = [flow_id for flow_id in flow_ids or () if flow_id not in found.flows]
    if missing:
        raise _wrong(f"There is no flow {escape(missing[0])!r}; there are {escape(', '.join(sorted(own)))}.")
    chosen = [found.flows[flow_id] for flow_id in dict.fromkeys(flow_ids)] if flow_ids else list(own.values())
    if not chosen:
        raise _wrong(f"There is no flow below {root / 'data'}.")
    given = language or ("zh" if found.language.startswith("zh") else "en")
    try:
        written = write_gallery(found, chosen, out, cast("Language", given))
    except OSError as error:
        raise _wrong(f"The pictures cannot be written: {escape(str(error))}") from None
    console.print(f"{len(written) - 1} pictures; open {written[-1]}", highlight=False, soft_wrap=True)
    raise typer.Exit(1 if unreadable else 0)


@flows_app.command()
def new(
    flow_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the flow, as check_branch_hours")],
    name: Annotated[str, typer.Option(help="Its name in the project's language, as customers would say it", prompt=True)],
    english: Annotated[
        str | None, typer.Option(help="Its name in English, where the project speaks English beside its own language")
    ] = None,
    kind: Annotated[
        str, typer.Option(help="information: says something; question: asks and branches; private: after a login")
    ] = "information",
    scope: Annotated[
        str | None, typer.Option(help="For a private journey: what the login has to allow, as accounts:read")
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Begin a journey: flow, responses, what customers say, and a test a language. Writes nothing if anything is in the way."""
    from rich.markup import escape

    from tightrope.cli.scaffold import ScaffoldRefused, Wanted, plan, write
    from tightrope.engine.check import check
    from tightrope.engine.loader import gather

    if kind not in {"information", "question", "private"}:
        raise _wrong(f"--kind is information, question or private, not {escape(kind)}.")
    root = _folder(project)
    reading = gather(root)
    for problem in reading.problems.errors:
        errors.print(f"[red]{escape(str(problem))}[/red]", highlight=False, soft_wrap=True)
    if reading.project is None or reading.problems.errors:
        raise _wrong("The project cannot be read; mend it first. Nothing was written.")
    wanted = Wanted(flow_id, name, english, cast("Kind", kind), scope)
    before = {str(problem) for problem in check(root)}
    try:
        planned = plan(root, reading.project, wanted)
        write(root, planned)
    except ScaffoldRefused as refused:
        for reason in refused.reasons:
            errors.print(f"[red]{escape(reason)}[/red]", highlight=False, soft_wrap=True)
        raise _wrong("Nothing was written.") from None
    except OSError as error:
        raise _wrong(f"{escape(str(error))}. Nothing was written.") from None
    for path, (_, what) in {**planned.files, **planned.changed}.items():
        console.print(f"  [green]{escape(path)}[/green]  {what}", highlight=False, soft_wrap=True)
    for problem in check(root):
        if str(problem) not in before:
            errors.print(f"[yellow]{escape(str(problem))}[/yellow]", highlight=False, soft_wrap=True)
    if planned.lines_at is not None:
        console.print()
        show_quality(root, flow_id, [name, *([english] if english else [])])
        console.print(
            "  [yellow]These lines are the scaffold's own and all alike[/yellow]: the figures mean something once real ones stand there."
        )
    _next_steps(planned, kind, flow_id, project)


def _next_steps(planned: Plan, kind: str, flow_id: str, project: Path | None) -> None:
    """What is left to the author."""
    where = "" if project is None else f" --project {project}"
    steps = ["Write the approved wording in place of 【待填写】 and \\[To be written]."]
    if kind == "private":
        steps.append(
            "Replace the step say_answer by an action that reads what the customer asks for (docs/flow-authors.md, An action)."
        )
    if planned.lines_at is not None:
        steps.append(
            f"Replace the lines of {planned.lines_at} by what customers really say, then: tightrope flows quality {flow_id}{where}"
        )
    steps.append(f"See it: tightrope flows draw {flow_id}{where}; hear it: tightrope chat{where}")
    steps.append(f"Test it: tightrope engine check{where}; tightrope test e2e {planned.e2e_at}{where}")
    console.print("\nNext:")
    for number, step in enumerate(steps, 1):
        console.print(f"  {number}. {step}", highlight=False, soft_wrap=True)


@flows_app.command()
def quality(
    flow_id: Annotated[
        str, typer.Argument(metavar="ID", help="A class of data/understanding/: a flow, or a flow with its reason")
    ],
    project: ProjectOption = None,
) -> None:
    """How well a journey's lines are understood, and which lines of others they take."""
    show_quality(_folder(project), flow_id, [])


def show_quality(project_dir: Path, label: str, names: list[str]) -> None:
    """Print the quality of a class; `names` are the journey's own names, which buttons and clarifications say."""
    from rich.markup import escape

    from tightrope.understanding import quality as measured
    from tightrope.understanding.errors import TrainingDataError

    folder = project_dir / "data" / "understanding"
    try:
        found = measured.measure(folder, label, names)
    except (TrainingDataError, OSError) as error:
        raise _wrong(escape(str(error))) from None
    total = sum(found.outcomes.values())
    counts = ", ".join(f"{count} {lang}" for lang, count in sorted(found.lines.items()))
    console.print(f"Understanding of [bold]{escape(label)}[/bold] ({counts})", highlight=False)
    told = [f"{found.outcomes['right']} of {total} own lines right"]
    told += [f"{found.outcomes[key]} {words}" for key, words in _OUTCOMES.items() if found.outcomes[key]]
    console.print(f"  {', '.join(told)}; each by a classifier that has not seen it", highlight=False, soft_wrap=True)
    for stray in found.strays[:_SHOWN]:
        console.print(
            f"    [yellow]{escape(stray.text)}[/yellow] → {escape(stray.commands) or 'nothing'}", highlight=False, soft_wrap=True
        )
    _left(len(found.strays))
    if found.taken:
        console.print(
            f"  It takes {len(found.taken)} lines of others. Do they mean this journey? Move them here. If not, write more lines for both:",
            soft_wrap=True,
        )
        for taken in found.taken[:_SHOWN]:
            console.print(
                f"    [yellow]{escape(taken.text)}[/yellow] (of {escape(taken.label)}) → {escape(taken.commands)}",
                highlight=False,
                soft_wrap=True,
            )
        _left(len(found.taken))
    else:
        console.print("  It takes no line of another class.")
    worse, better = found.moved
    apart = "There are no held-out lines."
    if (held := found.heldout) is not None:
        apart = f"Held-out lines right: {held.without:.1%} without it, {held.with_it:.1%} with it ({held.routed:,} of {held.total:,})."
    console.print(f"  Near ties elsewhere: {worse} fall wrong, {better} fall right. {apart}", highlight=False, soft_wrap=True)
    for name, commands in found.names.items():
        if f"start flow {label}" not in commands:
            errors.print(
                f"  [red]Its own name “{escape(name)}” leads to: {escape(commands) or 'nothing'}[/red]",
                highlight=False,
                soft_wrap=True,
            )
    few = [lang for lang, count in sorted(found.lines.items()) if count < measured.ENOUGH]
    if few:
        console.print(
            f"  [yellow]Fewer than {measured.ENOUGH} lines in {' and '.join(few)}[/yellow]: enough to start; "
            "wordings that nobody wrote down will often be missed.",
            highlight=False,
            soft_wrap=True,
        )


_OUTCOMES = {"asked": "asked back", "nothing": "not understood", "wrong": "elsewhere"}
_SHOWN = 12


def _left(count: int) -> None:
    if count > _SHOWN:
        console.print(f"    and {count - _SHOWN} more")
