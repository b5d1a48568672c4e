"""How plans and costs look in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tightrope.generation.capacity.cost import monthly
from tightrope.generation.capacity.figures import Figures
from tightrope.generation.capacity.models import Cost, CostBook, Load, Plan, Tokens
from tightrope.generation.capacity.planning import DoesNotFit, plan
from tightrope.generation.manifest import ModelManifest

_SIGNS = {"CNY": "¥", "USD": "$"}
_UNMEASURED = "Nothing of this was measured by us on a GPU: test under load before you buy."


def show_overview(console: Console, load: Load, figures: Figures, *, utilisation: float, spare: int) -> None:
    """One line for each pairing that the figures know."""
    _show_load(console, load)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("pairing", no_wrap=True)
    for name in ("KV tokens", "busy", "replicas", "GPUs"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("rests on")
    for pairing in figures.pairings:
        try:
            found = plan(load, pairing, utilisation=utilisation, spare=spare)
        except DoesNotFit:
            table.add_row(pairing.id, "-", "-", "-", "-", "does not fit")
            continue
        rests = f"{found.standing}{', longer prompts' if found.stretched else ''}"
        table.add_row(pairing.id, f"{found.memory.kv_tokens:,}", f"{found.busy:.2f}", str(found.replicas), str(found.gpus), rests)
    console.print(table)
    console.print(
        f"\nbusy: replicas' worth of work at the peak; replicas: that at {utilisation:.0%}, and {spare} spare. Figures of {figures.as_of}.",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"{_UNMEASURED} In detail: --pairing ID", highlight=False, soft_wrap=True)


def show_plan(console: Console, load: Load, found: Plan, figures: Figures, book: CostBook) -> None:
    """One pairing with memory, throughput, sources and cost."""
    pairing, room = found.pairing, found.memory
    _show_load(console, load)
    console.print(
        f"[bold]{pairing.model}[/bold] {pairing.precision} ({pairing.licence}), replica: {pairing.gpus} x {pairing.gpu}\n"
    )
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    table.add_row("Memory of a replica", f"{room.total_gb:,.0f} GB", "")
    table.add_row("  weights", f"{room.weights_gb:,.1f} GB", "")
    table.add_row("  kept free", f"{room.reserved_gb:,.1f} GB", "driver, activations, CUDA graphs")
    table.add_row("  KV cache", f"{room.kv_gb:,.1f} GB", f"{room.kv_tokens:,} tokens of running requests")
    table.add_row("Busy at the peak", f"{found.busy:.2f}", "replicas' worth of work")
    table.add_row("Replicas for throughput", str(found.by_throughput), "")
    table.add_row("Replicas for memory", str(found.by_memory), "")
    table.add_row("Spare", str(found.spare), "")
    table.add_row("[bold]Replicas[/bold]", f"[bold]{found.replicas}[/bold]", f"[bold]{found.gpus} GPUs[/bold]")
    console.print(table)
    for rate in found.rates:
        console.print(
            f"\n{rate.standing}: {rate.requests_per_second:g} requests a second of {rate.tokens_in} tokens in and {rate.tokens_out} out."
            f" {rate.reason}.\n  {figures.sources[rate.source]}",
            highlight=False,
            soft_wrap=True,
        )
    if found.stretched:
        console.print("A prompt is longer than the figure's; the rate was lowered for it.", highlight=False)
    console.print(f"{_UNMEASURED}\n", highlight=False)
    if pairing.gpu != book.gpu:
        console.print(f"Cost: the prices {book.id!r} are for {book.gpu}; choose others with --prices.", highlight=False)
        return
    show_cost(console, book, monthly(book, found.gpus), found.gpus)


def show_cost(console: Console, book: CostBook, cost: Cost, gpus: int) -> None:
    """A cost table with its sum."""
    console.print(f"[bold]{book.title}[/bold]\n{gpus} x {book.gpu}", highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for row, amount in cost.rows:
        table.add_row(row.name, money(book.currency, amount))
    table.add_row("[bold]A month[/bold]", f"[bold]{money(book.currency, cost.total)}[/bold]")
    if book.saved:
        table.add_row(
            f"Saved: {book.saved.agents} agents at {money(book.currency, book.saved.each)}", money(book.currency, cost.saved)
        )
        table.add_row("[bold]Net[/bold]", f"[bold]{money(book.currency, cost.net)}[/bold]")
    console.print(table, highlight=False)
    console.print(f"Prices: {book.source}.\n", highlight=False, soft_wrap=True)


def money(currency: str, amount: Decimal) -> str:
    """`¥130,000`; fractions only where there are any."""
    text = f"{abs(amount):,.2f}".removesuffix(".00")
    return f"{'-' if amount < 0 else ''}{_SIGNS.get(currency, currency + ' ')}{text}"


def _show_load(console: Console, load: Load) -> None:
    parts = [f"{load.answers_per_second:.2f} answers/s of {_shape(load.answer)}"]
    if load.commands_from_model:
        parts.append(f"{load.commands_per_second:.2f} commands/s of {_shape(load.command)}")
    console.print(f"{load.inquiries:g} inquiries a minute: {', '.join(parts)}\n", highlight=False, soft_wrap=True)


def _shape(tokens: Tokens) -> str:
    shared = f" ({tokens.shared} shared)" if tokens.shared else ""
    return f"{tokens.prompt} tokens{shared} in and {tokens.output} out"


@contextmanager
def reading(console: Console, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar over bytes; 140 GB take a while."""
    with Progress(
        TextColumn("Hashing"), BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=console, transient=True
    ) as progress:
        task = progress.add_task("", total=total)
        yield lambda count: progress.advance(task, count)


def show_model(console: Console, errors: Console, manifest: ModelManifest, *, checked: bool) -> None:
    """What was imported, and the settings that name it."""
    said = "Checked: the files are those of the manifest" if checked else "Imported: the manifest was made"
    console.print(f"{said}. {manifest.files} files, {manifest.bytes:,} bytes.", highlight=False, soft_wrap=True)
    console.print(
        f"{manifest.repository} at {manifest.revision}\n{manifest.architecture}, quantization {manifest.quantization},"
        f" licence {manifest.licence.name}\n",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"TIGHTROPE_MODEL_NAME={manifest.served_name}", highlight=False, soft_wrap=True)
    console.print(f"TIGHTROPE_MODEL_FINGERPRINT={manifest.sha256}", highlight=False, soft_wrap=True)
    if manifest.licence.notice:
        errors.print(f"\n[yellow]{manifest.licence.name}[/yellow]: {manifest.licence.notice}.", highlight=False, soft_wrap=True)
