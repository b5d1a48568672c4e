"""`tightrope model`: plan capacity and cost, import a model's files and check them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from tightrope.generation.capacity.models import Tokens

T = TypeVar("T")

model_app = typer.Typer(no_args_is_help=True, help="The language model: capacity and cost, import and check of its files.")
console = Console()
errors = Console(stderr=True)


@model_app.command("plan")
def plan(
    inquiries: Annotated[float, typer.Option(help="Inquiries a minute at the peak", min=0)] = 800,
    calls: Annotated[float, typer.Option(help="Calls of the model an inquiry (its messages in free words)", min=0)] = 1,
    questions: Annotated[float, typer.Option(help="Share of the calls that are questions, 0 to 1", min=0, max=1)] = 1 / 3,
    answer: Annotated[str, typer.Option(help="Tokens of an answer, PROMPT[-SHARED]:OUTPUT")] = "2000:100",
    command: Annotated[str, typer.Option(help="Tokens of a command; `none`: commands do not go to the model")] = "700-500:20",
    pairing: Annotated[str, typer.Option(help="Only this one, in detail, such as 14b-a100-80")] = "",
    busy: Annotated[float, typer.Option(help="How busy a replica may be at the peak", min=0.01, max=1)] = 0.8,
    spare: Annotated[int, typer.Option(help="Replicas beyond the peak's need", min=0)] = 1,
    prices: Annotated[str, typer.Option(help="Prices for the detail; a firm of `tightrope model costs`")] = "reference-firm",
) -> None:
    """How many GPUs a load needs: memory, throughput, monthly cost, and what each figure rests on."""
    from tightrope.cli.model_view import show_overview, show_plan
    from tightrope.generation.capacity.figures import books, published
    from tightrope.generation.capacity.models import Load
    from tightrope.generation.capacity.planning import DoesNotFit
    from tightrope.generation.capacity.planning import plan as planned

    try:
        asked = None if command == "none" else tokens_of(command)
        load = Load(
            inquiries, questions, tokens_of(answer), asked or tokens_of(answer), calls, commands_from_model=asked is not None
        )
        if not pairing:
            show_overview(console, load, published(), utilisation=busy, spare=spare)
            return
        chosen = _named("pairing", pairing, {one.id: one for one in published().pairings})
        book = _named("prices", prices, {one.id: one for one in books()})
        show_plan(console, load, planned(load, chosen, utilisation=busy, spare=spare), published(), book)
    except DoesNotFit as error:
        _stop(str(error), 1)
    except ValueError as error:
        _stop(str(error), 2)


@model_app.command("costs")
def costs(
    firm: Annotated[str, typer.Argument(help="One firm's table; without it, all")] = "",
) -> None:
    """The worked examples of monthly cost, row by row."""
    from tightrope.cli.model_view import show_cost
    from tightrope.generation.capacity.cost import monthly
    from tightrope.generation.capacity.figures import books

    try:
        chosen = books() if not firm else (_named("firm", firm, {one.id: one for one in books()}),)
    except ValueError as error:
        _stop(str(error), 2)
    for book in chosen:
        show_cost(console, book, monthly(book), book.gpus_in_use)


@model_app.command("import")
def import_model(
    folder: Annotated[Path, typer.Argument(help="The model's files, as downloaded: weights, tokenizer, config.json, LICENSE")],
    name: Annotated[str, typer.Option(help="How it is served, such as qwen2.5-14b-instruct [the folder's name]")] = "",
    repository: Annotated[str, typer.Option(help="Where it was downloaded, such as Qwen/Qwen2.5-14B-Instruct")] = "",
    revision: Annotated[str, typer.Option(help="Full commit hash at which it was downloaded")] = "",
    expect: Annotated[str, typer.Option(help="Fingerprint that came by another way than the files (12 digits or all)")] = "",
) -> None:
    """Make the manifest of a model's folder, or check the folder against the one it has; print name and fingerprint.

    Run it on the machine that downloads, carry folder and fingerprint inside by two ways, and run it again there with --expect.
    """
    from tightrope.cli.model_view import reading, show_model
    from tightrope.generation import model_files
    from tightrope.generation.manifest import ModelRefused

    try:
        known = model_files.has_manifest(folder)
        if not known and expect:
            raise ModelRefused(
                "this folder has no manifest yet, so nothing can be expected of it: import it where it was downloaded"
            )
        if not known and not (repository and revision):
            raise ModelRefused("say where the files are from: --repository and --revision (the full commit hash)")
        with reading(errors, model_files.total_bytes(folder)) as progress:
            found = model_files.survey(folder, progress)
        if known:
            manifest = model_files.check(folder, found, expect)
        else:
            chosen = name or folder.resolve().name.lower()
            manifest = model_files.make(folder, found, name=chosen, repository=repository, revision=revision)
    except (ModelRefused, OSError) as error:
        _stop(str(error), 1)
    show_model(console, errors, manifest, checked=known)


def tokens_of(text: str) -> Tokens:
    """`2000:100` or, with a shared part of the prompt, `700-500:20`.

    Raises:
        ValueError: another form, or impossible counts.
    """
    from tightrope.generation.capacity.models import Tokens

    whole, colon, output = text.partition(":")
    prompt, _, shared = whole.partition("-")
    if not (colon and prompt.isdecimal() and output.isdecimal() and (shared.isdecimal() or not shared)):
        raise ValueError(f"tokens are given as 2000:100, or 700-500:20 where 500 of the prompt are shared; not {text!r}")
    return Tokens(int(prompt), int(output), int(shared or 0))


def _named(what: str, name: str, known: dict[str, T]) -> T:
    if name not in known:
        raise ValueError(f"there is no {what} {name!r}; there are: {', '.join(known)}")
    return known[name]


def _stop(message: str, code: int) -> NoReturn:
    errors.print(f"[red]{escape(message)}[/red]", highlight=False, soft_wrap=True)
    raise typer.Exit(code) from None
