"""`tightrope uat`: plays the acceptance cases, checks their files, reports, exports, signs (docs/acceptance-cases.md)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tightrope.cli.uat import files

if TYPE_CHECKING:
    from tightrope.infra.settings import Settings
    from tightrope.uat.models import Case, Problem

uat_app = typer.Typer(
    no_args_is_help=True, help="Acceptance cases: conversations and what must come of them (docs/acceptance-cases.md)."
)
for command in (files.report, files.export, files.add, files.key, files.sign, files.verify):
    uat_app.command()(command)
console = Console()
errors = Console(stderr=True)

PlacesArgument = Annotated[
    list[Path] | None, typer.Argument(help="Case files and folders; without any, tests/uat of the project")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="Folder for run.json and report.html [.tightrope/uat]")]


@uat_app.command("check")
def check(places: PlacesArgument = None) -> None:
    """Read all case files and tell everything that is wrong with them, each with its line. Exit 0 only if nothing is."""
    from tightrope.cli.uat.known import day_problems
    from tightrope.infra.settings import get_settings

    cases, problems = _read(places)
    if not places:
        problems += day_problems(get_settings(), cases)
    _tell(problems)
    if problems:
        raise typer.Exit(1)
    attacks = sum(1 for case in cases if case.attack)
    console.print(f"{len(cases)} cases, {attacks} of them try a red line, each with its twin. Nothing is wrong.", highlight=False)


@uat_app.command("run")
def run(
    places: PlacesArgument = None,
    only: Annotated[
        list[str] | None, typer.Option("--case", help="Only cases whose id begins so; may stand several times")
    ] = None,
    journey: Annotated[str | None, typer.Option(help="Only cases about this journey")] = None,
    red_lines: Annotated[bool, typer.Option("--red-lines", help="Only cases that try a red line, and their twins")] = False,
    workers: Annotated[int, typer.Option(help="Processes", min=1, max=16)] = 2,
    out: OutOption = None,
    show: Annotated[int, typer.Option(help="Failures to show in full", min=0)] = 10,
) -> None:
    """Play the cases against the real engine, understanding, actions, identity, sandbox and knowledge. Exit 0 only if all pass; the day is no gate."""
    from tightrope.cli.uat.known import day_figure, flow_names, securities
    from tightrope.cli.uat.run import WorkerFailed, run_cases
    from tightrope.cli.uat.show import failure_lines, summary_lines
    from tightrope.cli.uat.world import belongings
    from tightrope.infra.settings import get_settings
    from tightrope.uat import results
    from tightrope.uat.report_html import write_html
    from tightrope.uat.standing import read_standing

    settings = get_settings()
    cases, problems = _read(places)
    if problems:
        _tell(problems)
        raise typer.Exit(2)
    cases = _chosen(cases, only or [], journey, red_lines=red_lines)
    if not cases:
        errors.print("[red]No case is left to play.[/red]")
        raise typer.Exit(2)
    try:
        standing = read_standing(settings.project_dir / "tests" / "uat" / "standing.yml", belongings(), securities(settings))
        made = run_cases(cases, settings, standing, console, workers=workers)
    except (WorkerFailed, OSError, ValueError) as error:
        errors.print(f"[red]The run broke off:[/red] {escape(str(error))}", highlight=False)
        raise typer.Exit(2) from None
    data = results.as_data(made)
    day = day_figure(settings, data)
    if day is not None:
        data["day"] = day
    folder = out or settings.state_dir / "uat"
    results.write(data, folder / "run.json")
    write_html(data, folder / "report.html", flows=flow_names(settings))
    failed = [result for result in made.failed if not result.case.reason]
    for result in failed[:show]:
        _print(failure_lines(result))
    if len(failed) > show:
        console.print(f"… and {len(failed) - show} more failures; run.json holds them all")
    _print(summary_lines(data))
    console.print(
        f"{folder / 'report.html'} is the report to read, {folder / 'run.json'} the run", highlight=False, soft_wrap=True
    )
    raise typer.Exit(1 if failed else 0)


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _tell(problems: Sequence[Problem]) -> None:
    for problem in problems:
        errors.print(escape(str(problem)), highlight=False, soft_wrap=True)
    if problems:
        errors.print(f"[red]{len(problems)} to mend[/red]", highlight=False)


def _read(places: Sequence[Path] | None) -> tuple[tuple[Case, ...], list[Problem]]:
    """The cases of these places, and all problems of all of the project's cases that concern them."""
    from tightrope.cli.uat.known import known
    from tightrope.cli.uat.run import default_places
    from tightrope.engine.errors import ProjectError
    from tightrope.engine.loader import load_project
    from tightrope.infra.settings import get_settings
    from tightrope.uat.checks import problems_of
    from tightrope.uat.reader import case_files, read_cases

    settings: Settings = get_settings()
    wanted = [place.absolute() for place in places or default_places(settings)]
    for place in wanted:
        if not place.exists():
            errors.print(f"[red]There is no {place}.[/red]", highlight=False)
            raise typer.Exit(2)
    try:
        project = load_project(settings.project_dir)
    except ProjectError as error:
        errors.print(f"[red]The project cannot be loaded:[/red] {escape(str(error))}", highlight=False)
        raise typer.Exit(2) from None
    cases, problems = read_cases(case_files(wanted), settings.project_dir)
    # A twin may stand in another file, and a case may repeat one of another file.
    others, _ = read_cases(
        [path for path in case_files(default_places(settings)) if path not in case_files(wanted)], settings.project_dir
    )
    files = {case.file for case in cases}
    more = problems_of([*others, *cases], project, known(settings))
    return cases, [*problems, *(problem for problem in more if problem.file in files)]


def _chosen(cases: Sequence[Case], only: Sequence[str], journey: str | None, *, red_lines: bool) -> tuple[Case, ...]:
    twins = {case.twin for case in cases if case.twin}
    return tuple(
        case
        for case in cases
        if (not only or any(case.id.startswith(begin) for begin in only))
        and journey in {None, case.journey}
        and (not red_lines or case.attack or case.id in twins)
    )
