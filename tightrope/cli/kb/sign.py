"""What `tightrope kb` signs with: keys, makers and checkers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tightrope.cli.uat.files import key

if TYPE_CHECKING:
    from tightrope.knowledge.publishing.signers import Duty

__all__ = ["approve", "demo_sign", "key"]
console = Console()
errors = Console(stderr=True)


def approve(
    document: Annotated[str, typer.Argument(metavar="DOC", help="Document id, or id.version")],
    key_file: Annotated[Path, typer.Option("--key", help="Your Ed25519 key in PEM; `tightrope kb key` makes one")],
    duty: Annotated[str, typer.Option("--as", help="maker or checker")],
) -> None:
    """Sign a document, in all its languages. Maker first, then checker, who is somebody else. Refused while `kb check` finds errors in it."""
    from tightrope.infra.clock import clock_from
    from tightrope.infra.settings import get_settings
    from tightrope.knowledge.errors import ApprovalRefused, DocumentInvalid
    from tightrope.knowledge.models import SHANGHAI
    from tightrope.knowledge.passages import read_documents
    from tightrope.knowledge.publishing.approvals import approve as sign
    from tightrope.knowledge.publishing.approvals import key_of
    from tightrope.knowledge.publishing.check import check
    from tightrope.knowledge.publishing.signers import DUTIES, FILE, load_signers
    from tightrope.release.signing import load_key

    settings = get_settings()
    now = clock_from(settings).now()
    day = now.astimezone(SHANGHAI).date()
    folder, production = settings.project_dir / "knowledge_base", settings.mode == "production"
    wanted: Duty | None = next((known for known in DUTIES if known == duty), None)
    if wanted is None:
        errors.print(f"[red]--as is maker or checker, not {escape(duty)}.[/red]", highlight=False)
        raise typer.Exit(2)
    try:
        private = load_key(key_file)
    except (OSError, ValueError) as error:
        errors.print(f"[red]The key cannot be used:[/red] {escape(str(error))}", highlight=False)
        raise typer.Exit(2) from None
    try:
        documents = read_documents(folder, production=production)
        keys = sorted({key_of(item) for item in documents if document in {item.document_id, key_of(item)}})
        if len(keys) > 1:
            raise ApprovalRefused(f"{document} has several versions; name one: {', '.join(keys)}")
        name = keys[0] if keys else document
        wrong = [
            p for p in check(folder, production=production, day=day).errors if p.file.startswith(f"{document.partition('.')[0]}.")
        ]
        if wrong:
            raise ApprovalRefused(f"{len(wrong)} errors in it, first {wrong[0]} `tightrope kb check` shows all")
        signers = load_signers(folder / FILE, production=production)
        sign(folder, documents, name, wanted, private, signers, now)
    except (ApprovalRefused, DocumentInvalid) as error:
        errors.print(f"[red]Not signed:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    mine = [item for item in read_documents(folder, production=production) if key_of(item) == name]
    for item in mine:
        console.print(f"{item.file_name}  sha256 {item.sha256}", highlight=False, soft_wrap=True)
    said = "approved by two people; `tightrope kb publish` publishes it" if mine[0].approved else "signed; the checker is next"
    console.print(f"[green]{name}[/green] {said}.", highlight=False, soft_wrap=True)


def demo_sign() -> None:
    """Sign what is not signed with the demo's keys, which everybody has: they vouch for nothing. Refused in production."""
    from tightrope.infra.clock import clock_from
    from tightrope.infra.settings import get_settings
    from tightrope.knowledge.errors import ApprovalRefused, DocumentInvalid
    from tightrope.knowledge.publishing.demo import sign_demo

    settings = get_settings()
    if settings.mode == "production":
        errors.print(
            "[red]Production refuses demo keys;[/red] `tightrope kb approve` signs with a person's own.", highlight=False
        )
        raise typer.Exit(2)
    try:
        done = sign_demo(settings.project_dir / "knowledge_base", clock_from(settings).now())
    except (ApprovalRefused, DocumentInvalid) as error:
        errors.print(f"[red]Not signed:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(f"{len(done)} documents signed with demo keys: {', '.join(done) or 'none was unsigned'}", highlight=False)
