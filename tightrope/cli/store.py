"""`tightrope audit store`: what the segment store is, whether it can be broken, and whether it still holds what it took (docs/worm.md)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tightrope.audit.stores.sampling import SampleReport
    from tightrope.audit.stores.selftest import SelfTest

store_app = typer.Typer(
    no_args_is_help=True, help="The segment store: is it WORM, and does it still hold what it took (docs/worm.md)?"
)
console = Console()
errors = Console(stderr=True)

_COLOUR = {"worm": "green", "degraded": "yellow", "not worm": "red"}


@store_app.command("check")
def check(as_json: Annotated[bool, typer.Option("--json", help="Verdict and probes as JSON")] = False) -> None:
    """Try to break the bucket's locks, about half a minute. Exit 0 only if it is WORM."""
    from tightrope.audit.errors import StoreError
    from tightrope.audit.stores.checking import check_bucket
    from tightrope.audit.stores.choice import store_from
    from tightrope.infra.settings import get_settings

    settings = get_settings()
    if not settings.audit_s3_url:
        console.print(
            f"[red]NOT WORM[/red]: {store_from(settings).describe().text}. For a bucket: docs/worm.md, Set-up.", highlight=False
        )
        raise typer.Exit(1)
    try:
        if not as_json:
            errors.print("Trying to break locks of 20 seconds, then waiting for their end ...", highlight=False)
        done = check_bucket(settings)
    except StoreError as error:
        errors.print(f"[red]No verdict[/red]: {error}", highlight=False)
        raise typer.Exit(2) from error
    if as_json:
        console.print_json(json.dumps(_json(done)))
    else:
        _show(done)
    raise typer.Exit(0 if done.verdict == "worm" else 1)


@store_app.command("sample")
def sample(
    count: Annotated[
        int, typer.Option(help="How many objects at random, beside all that were not read for 90 days", min=0)
    ] = 400,
    days: Annotated[int, typer.Option(help="What was not read for so many days is read", min=0)] = 90,
    seed: Annotated[int | None, typer.Option(help="Chooses the same sample again [a new one]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON")] = False,
) -> None:
    """Hold the bucket against the index and read a sample back. Exit 0 only if nothing is missing, altered, hidden or less locked."""
    import asyncio
    import secrets

    from tightrope.audit.errors import StoreError
    from tightrope.audit.stores import sampling_repository as repository
    from tightrope.audit.stores.choice import s3_store
    from tightrope.audit.stores.sampling import sample as read_sample
    from tightrope.infra.clock import clock_from
    from tightrope.infra.settings import get_settings

    settings = get_settings()
    if not settings.audit_s3_url:
        errors.print("The store is a folder: `tightrope audit verify` reads it whole. A sample is for a bucket.", highlight=False)
        raise typer.Exit(2)
    now = clock_from(settings).now()
    expected = asyncio.run(repository.expected(settings))
    chosen_by = secrets.randbelow(2**32) if seed is None else seed
    try:
        report = read_sample(s3_store(settings), expected, now=now, days=days, count=count, seed=chosen_by)
    except StoreError as error:
        errors.print(f"[red]Not read[/red]: {error}", highlight=False)
        raise typer.Exit(2) from error
    asyncio.run(repository.note_read(settings, report.read, now))
    if as_json:
        console.print_json(json.dumps({"ok": report.ok, **asdict(report)}))
    else:
        _show_sample(report)
    raise typer.Exit(0 if report.ok else 1)


def _show_sample(report: SampleReport) -> None:
    console.print(
        f"{report.listed} versions in the bucket, {report.expected} objects in the index; read {report.tried} "
        f"({report.due} of them were due), seed {report.seed}",
        highlight=False,
    )
    for finding in report.findings:
        console.print(f"[red]✗[/red] {finding.kind}: {finding.key}\n    {finding.detail}", highlight=False, soft_wrap=True)
    console.print("[red bold]NOT IN ORDER[/red bold]" if report.findings else "[green bold]IN ORDER[/green bold]")


def _json(done: SelfTest) -> dict[str, object]:
    probes = [asdict(probe) for probe in done.probes]
    return {**asdict(done.kept()), "probes": probes, "leftover": done.leftover}


def _show(done: SelfTest) -> None:
    table = Table(title=f"Bucket {done.place.name}", title_justify="left")
    for column in ("", "attempt", "outcome", "why it matters"):
        table.add_column(column)
    for probe in done.probes:
        mark = "–" if probe.grade == "note" or probe.ok is None else "[green]✓[/green]" if probe.ok else "[red]✗[/red]"
        if probe.ok is None and probe.grade != "note":
            mark = "[yellow]?[/yellow]"
        table.add_row(mark, probe.name, probe.outcome, probe.meaning)
    console.print(table)
    colour = _COLOUR[done.verdict]
    reason = (
        f": {done.reason}" if done.reason else ": every attempt on a locked version was refused, and what has to be allowed was"
    )
    console.print(f"[{colour} bold]{done.verdict.upper()}[/{colour} bold]{reason}", highlight=False)
    if done.leftover:
        console.print(
            f"{done.leftover} objects of the test are left under selftest/; this credential may not remove them.", highlight=False
        )
