"""`tightrope audit store`: what the segment store is, whether it can be broken, and whether it still holds what it took (docs/worm.md)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
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
    reason = f": {done.reason}" if done.reason else ": every attempt on a locked version was refused, and the controls were not"
    console.print(f"[{colour} bold]{done.verdict.upper()}[/{colour} bold]{reason}", highlight=False)
    if done.leftover:
        console.print(
            f"{done.leftover} objects of the test are left under selftest/; this credential may not remove them.", highlight=False
        )
