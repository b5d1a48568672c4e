"""`tightrope test`: plays test files in Rasa's formats against the engine and reports on them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from tightrope.engine.models import Project
    from tightrope.infra.settings import Settings
    from tightrope.suites.cases import FileKind
    from tightrope.suites.discovery import Chosen
    from tightrope.suites.models import SuiteReport
    from tightrope.suites.service import Stage

test_app = typer.Typer(
    no_args_is_help=True,
    help="Play test files in Rasa's formats: end-to-end conversations, and what messages are understood to mean.",
)

PathsArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Files, folders, or file.yml::case name. Without any: tests/e2e_test_cases.yml, e2e_tests or tests/e2e"),
]
DuPathsArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Files, folders, or file.yml::case name. Without any: dialogue_understanding_tests"),
]
ProjectOption = Annotated[Path | None, typer.Option("--project", help="The CALM project's folder; without it, our own")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Another file in place of the project's config.yml")]
ModuleOption = Annotated[
    str | None,
    typer.Option("--actions-module", help="Run the custom actions of this Python package of the project in this process"),
]
FailFastOption = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first case that fails")]
JunitOption = Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML to this file")]
HtmlOption = Annotated[Path | None, typer.Option("--html", help="Write a page to read to this file")]
CoverageOption = Annotated[
    Path | None, typer.Option("--coverage", help="Write into this folder which flow steps and commands the cases went through")
]


@test_app.command("e2e")
def e2e(
    paths: PathsArgument = None,
    project: ProjectOption = None,
    config: ConfigOption = None,
    commands: Annotated[
        Path | None, typer.Option("--commands", help="What turns mean, in place of understanding (docs/test-suites.md)")
    ] = None,
    actions_module: ModuleOption = None,
    fail_fast: FailFastOption = False,
    junit: JunitOption = None,
    html: HtmlOption = None,
    coverage: CoverageOption = None,
    results: Annotated[
        Path | None, typer.Option("-o", "--e2e-results", help="Write Rasa's e2e_results files into this folder")
    ] = None,
) -> None:
    """Play end-to-end tests: conversations with what they have to show. Exit 0 only if nothing failed."""
    wanted = _Wanted("e2e", paths or [], project, config, commands, actions_module, fail_fast)
    raise typer.Exit(_run(wanted, _Outputs(junit, html, coverage, results, None)))


@test_app.command("du")
def du(
    paths: DuPathsArgument = None,
    project: ProjectOption = None,
    config: ConfigOption = None,
    actions_module: ModuleOption = None,
    fail_fast: FailFastOption = False,
    junit: JunitOption = None,
    html: HtmlOption = None,
    coverage: CoverageOption = None,
    scores: Annotated[Path | None, typer.Option("--scores", help="Write precision, recall and F1 of each command as CSV")] = None,
) -> None:
    """Score understanding: each message by itself, against annotated commands. Exit 0 only if all were understood."""
    wanted = _Wanted("du", paths or [], project, config, None, actions_module, fail_fast)
    raise typer.Exit(_run(wanted, _Outputs(junit, html, coverage, None, scores)))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be played, as the command line says it."""

    kind: FileKind
    paths: list[str]
    project: Path | None
    config: Path | None
    commands: Path | None
    actions_module: str | None
    fail_fast: bool


class _Outputs:
    """Where the report goes beside the console."""

    def __init__(
        self, junit: Path | None, html: Path | None, coverage: Path | None, results: Path | None, scores: Path | None
    ) -> None:
        self.junit, self.html, self.coverage, self.results, self.scores = (
            path.absolute() if path is not None else None for path in (junit, html, coverage, results, scores)
        )

    def write(self, report: SuiteReport, project: Project, console: Console) -> None:
        """Write all that was asked for."""
        from tightrope.suites.coverage import print_coverage, write_coverage
        from tightrope.suites.report_html import write_html
        from tightrope.suites.report_junit import write_junit
        from tightrope.suites.results import write_results
        from tightrope.suites.scores import write_scores

        if self.coverage is not None:
            print_coverage(console, write_coverage(report, project, self.coverage))
            console.print()
        if self.junit is not None:
            write_junit(report, self.junit)
        if self.html is not None:
            write_html(report, project, self.html)
        if self.results is not None:
            write_results(report, self.results)
        if self.scores is not None:
            write_scores(report, self.scores)
        for path in (self.junit, self.html, self.coverage, self.results, self.scores):
            if path is not None:
                console.print(Text.assemble(("written: ", "dim"), str(path)), soft_wrap=True)
        if any((self.junit, self.html, self.coverage, self.results, self.scores)):
            console.print()


def _run(wanted: _Wanted, outputs: _Outputs) -> int:
    from tightrope.infra.settings import get_settings
    from tightrope.suites.errors import SuiteError
    from tightrope.suites.report_console import verdict

    console, errors = Console(), Console(stderr=True)
    settings = get_settings()
    try:
        project = _project((wanted.project or settings.project_dir).absolute(), wanted.config)
        report = asyncio.run(_play(wanted, project, settings, console))
        outputs.write(report, project, console)
        console.print(verdict(report))
    except SuiteError as error:
        errors.print(Text.assemble(("Not played", "red"), f": {error}"), soft_wrap=True)
        return 1
    except OSError as error:
        errors.print(Text.assemble(("Not written", "red"), f": {error}"), soft_wrap=True)
        return 1
    return 1 if report.count("failed") else 0


def _project(root: Path, config: Path | None) -> Project:
    from tightrope.engine.loader import gather
    from tightrope.suites.errors import SuiteError

    if config is not None:
        config = config.absolute() if config.is_file() else root / config
    reading = gather(root, config)
    wrong = reading.problems.errors
    if reading.project is None or wrong:
        told = "\n".join(f"  {problem}" for problem in sorted(wrong))
        raise SuiteError(f"the project in {root} cannot be loaded:\n{told}")
    return reading.project


async def _play(wanted: _Wanted, project: Project, settings: Settings, console: Console) -> SuiteReport:
    from tightrope.suites.commandsfile import read_commands
    from tightrope.suites.discovery import choose
    from tightrope.suites.report_console import Progress, print_summary
    from tightrope.suites.service import run_suite
    from tightrope.suites.sources import close

    root = Path(project.root)
    module = wanted.actions_module or project.actions_module
    chosen = choose(wanted.paths, root, wanted.kind)
    given = read_commands(wanted.commands, chosen, root) if wanted.commands is not None else None
    stage, notes = await _stage(project, settings, module, chosen, given=given is not None)
    told = [*(given.notes if given is not None else ()), *notes]
    # Actions in this process find the files that they name relative to the project, as Rasa runs them.
    try:
        with _inside(root if module else None), Progress(console, len(chosen.cases), told) as progress:
            report = await run_suite(
                wanted.kind, chosen, stage, given, fail_fast=wanted.fail_fast, watch=progress.done, notes=notes
            )
    finally:
        await close(stage.understanding, stage.actions)
    print_summary(console, report)
    return report


async def _stage(
    project: Project, settings: Settings, module: str | None, chosen: Chosen, *, given: bool
) -> tuple[Stage, list[str]]:
    """Who understands and who runs actions; what is missing is a note, or an error if nothing can be played without it.

    Raises:
        SuiteError: nobody understands and no commands are given, or the module with actions cannot be used.
    """
    from tightrope.cli import neighbours
    from tightrope.infra.clock import clock_from
    from tightrope.suites import sources
    from tightrope.suites.errors import SuiteError
    from tightrope.suites.player import CaseClock
    from tightrope.suites.service import Stage

    clock = CaseClock(clock_from(settings))
    found, who = await neighbours.understanding(settings, project, clock)
    understanding, missing = (found, "") if found is not None else (sources.NoUnderstanding(who), who)
    if missing and not given:
        raise SuiteError(f"{missing}; start it (`tightrope serve understanding`), or give what turns mean with --commands FILE")
    actions, none = await sources.actions(settings, project, module)
    notes = []
    if none and any(case.stubs is None for case in chosen.cases):
        notes.append(f"{none}: cases that call a custom action and do not stub it cannot be played")
    own = sources.is_own(settings, project)
    stage = Stage(
        project,
        understanding,
        actions,
        clock,
        strict_payloads=settings.strict_payloads and own,
        prediction_cap=settings.prediction_cap,
    )
    return stage, notes


@contextlib.contextmanager
def _inside(folder: Path | None) -> Iterator[None]:
    with contextlib.chdir(folder) if folder is not None else contextlib.nullcontext():
        yield
