"""What `tightrope uat` does with files: report, export, add, sign, verify, key."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from tightrope.uat.models import Case

console = Console()
errors = Console(stderr=True)

RunOption = Annotated[Path | None, typer.Option("--run", help="The run [.tightrope/uat/run.json]")]


def report(
    run: RunOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="The page [report.html beside the run]")] = None,
    language: Annotated[str, typer.Option(help="zh or en: what the page begins in")] = "zh",
) -> None:
    """Write the report of a run again, with its signature if it has one."""
    from tightrope.cli.uat.known import flow_names
    from tightrope.infra.settings import get_settings
    from tightrope.release.signing import SignatureInvalid
    from tightrope.uat.report_html import write_html
    from tightrope.uat.signing import verify

    place, data = _run(run)
    signature: dict[str, Any] | None = None
    signed = _signature_of(place)
    if signed.is_file():
        found = _json(signed)
        try:
            signature = {"key_id": found["key_id"], "signer": verify(data, found)["signer"]}
        except (SignatureInvalid, KeyError) as error:
            errors.print(f"[yellow]The signature is left out: {escape(str(error))}[/yellow]", highlight=False)
    page = out or place.with_name("report.html")
    write_html(data, page, flows=flow_names(get_settings()), language="en" if language == "en" else "zh", signature=signature)
    console.print(f"{page}", highlight=False, soft_wrap=True)


def export(
    out: Annotated[Path, typer.Option("--out", help="Folder for the test files")],
    places: Annotated[list[Path] | None, typer.Argument(help="Case files and folders; without any, tests/uat")] = None,
) -> None:
    """Write the cases as Rasa e2e test files; says what that format cannot hold."""
    from tightrope.engine.loader import load_project
    from tightrope.infra.settings import get_settings
    from tightrope.uat.export import export as exported
    from tightrope.uat.export import split

    project = load_project(get_settings().project_dir)
    lost = count = 0
    out.mkdir(parents=True, exist_ok=True)
    for name, cases in split(_cases(places)).items():
        made = exported(cases, project)
        (out / name).write_text(made.text, encoding="utf-8")
        lost += len({case for case, _ in made.lost})
        count += len(cases)
    console.print(
        f"{count} cases in {out}; of {lost} the format holds only a part, as comments in the files say.", highlight=False
    )


def add(file: Annotated[Path, typer.Argument(help="A case file, as the report or `/wrong` made it")]) -> None:
    """Add a case to tests/uat; one with the id of another replaces it. The words of the case are checked first."""
    from tightrope.cli.uat.known import known
    from tightrope.engine.loader import load_project
    from tightrope.infra.settings import get_settings
    from tightrope.uat.adding import add as added
    from tightrope.uat.checks import problems_of
    from tightrope.uat.reader import case_files, read_cases

    settings = get_settings()
    root = settings.project_dir
    cases, problems = read_cases([file.absolute()], root)
    mine, _ = read_cases(case_files([root / "tests" / "uat"]), root)
    ids = {case.id for case in cases}
    rest = [case for case in mine if case.id not in ids]
    more = problems_of([*rest, *cases], load_project(root), known(settings)) if not problems else []
    wrong = [*problems, *(item for item in more if item.file in {case.file for case in cases})]
    for problem in wrong:
        errors.print(escape(str(problem)), highlight=False, soft_wrap=True)
    if wrong or not cases:
        errors.print("[red]Nothing was added.[/red]")
        raise typer.Exit(1)
    for case in cases:
        # Lines move with each case that is replaced.
        now, _ = read_cases(case_files([root / "tests" / "uat"]), root)
        done = added(case, now, root)
        verb = "replaced in" if done.replaced else "added as"
        console.print(f"{case.id} {verb} {done.file.relative_to(root)}", highlight=False, soft_wrap=True)
    console.print(f"`tightrope uat run --case {cases[0].id}` plays it.", highlight=False)


def key(out: Annotated[Path, typer.Option("--out", help="File for the key; never overwritten")]) -> None:
    """Make an Ed25519 key for signing: acceptance runs and knowledge documents."""
    from tightrope.release.signing import key_id, new_key

    try:
        made = new_key(out)
    except FileExistsError:
        errors.print(f"[red]{out} is there already; a key is never overwritten.[/red]", highlight=False)
        raise typer.Exit(2) from None
    import base64

    public = made.public_key().public_bytes_raw()
    console.print(
        f"{out}: key {key_id(public)}, public half {base64.b64encode(public).decode()}", highlight=False, soft_wrap=True
    )


def sign(
    key_file: Annotated[Path, typer.Option("--key", help="Ed25519 key in PEM; `tightrope uat key` makes one")],
    run: RunOption = None,
    signer: Annotated[str, typer.Option(help="Who signs, as readers should see it")] = "",
) -> None:
    """Sign a run: release, every case's hash with its verdict, and the whole result."""
    from datetime import UTC, datetime

    from tightrope.release.signing import load_key
    from tightrope.uat import results
    from tightrope.uat.signing import sign as signed

    place, data = _run(run)
    try:
        private = load_key(key_file)
    except (OSError, ValueError) as error:
        errors.print(f"[red]The key cannot be used:[/red] {escape(str(error))}", highlight=False)
        raise typer.Exit(2) from None
    made = signed(data, private, signer or getpass.getuser(), datetime.now(UTC).isoformat(timespec="seconds"))
    results.write(made, _signature_of(place))
    verdict = f"{data['passed']} passed, {data['failed']} failed"
    console.print(f"{_signature_of(place)}: {verdict}, signed with key {made['key_id']}", highlight=False, soft_wrap=True)


def verify(
    run: RunOption = None,
    trusted: Annotated[list[str] | None, typer.Option("--trusted", help="Id of a key that may sign; several times")] = None,
    places: Annotated[
        list[Path] | None, typer.Argument(help="Case files, to see what changed since; without any, tests/uat")
    ] = None,
) -> None:
    """Verify a signed run, and say which cases have changed since. Exit 0 only if the signature holds."""
    from tightrope.release.signing import SignatureInvalid
    from tightrope.uat.signing import changed
    from tightrope.uat.signing import verify as verified

    place, data = _run(run)
    try:
        found = _json(_signature_of(place))
        said = verified(data, found, trusted or ())
    except (SignatureInvalid, OSError, ValueError) as error:
        errors.print(f"[red]Not valid:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(
        f"[green]Valid.[/green] {said['passed']} passed, {said['failed']} failed on {said['release']}; signed by "
        f"{escape(said['signer'])} at {said['signed']} with key {found['key_id']}",
        highlight=False,
        soft_wrap=True,
    )
    if not trusted:
        console.print("Whose key that is, is for you to know; name keys that may sign with --trusted.", highlight=False)
    if different := changed(said, _cases(places)):
        console.print(
            f"[yellow]{len(different)} cases are new, gone or changed since:[/yellow] {', '.join(different[:20])}", soft_wrap=True
        )


def _run(given: Path | None) -> tuple[Path, dict[str, Any]]:
    from tightrope.infra.settings import get_settings
    from tightrope.uat import results

    place = given or get_settings().state_dir / "uat" / "run.json"
    try:
        return place, results.load(place)
    except (OSError, ValueError) as error:
        errors.print(f"[red]No run to read:[/red] {escape(str(error))}. `tightrope uat run` makes one.", highlight=False)
        raise typer.Exit(2) from None


def _json(path: Path) -> dict[str, Any]:
    import json

    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{path} is no signature")  # noqa: TRY004 - callers tell a wrong file, whatever is wrong with it
    return found


def _signature_of(run: Path) -> Path:
    return run.with_suffix(".sig.json")


def _cases(places: Sequence[Path] | None) -> tuple[Case, ...]:
    from tightrope.infra.settings import get_settings
    from tightrope.uat.reader import case_files, read_cases

    root = get_settings().project_dir
    cases, problems = read_cases(case_files([place.absolute() for place in places or [root / "tests" / "uat"]]), root)
    for problem in problems:
        errors.print(escape(str(problem)), highlight=False, soft_wrap=True)
    if problems:
        raise typer.Exit(2)
    return cases
