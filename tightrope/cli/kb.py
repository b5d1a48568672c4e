"""`tightrope kb`: from a written document to an answer that may quote it (docs/knowledge.md, Publishing)."""

from __future__ import annotations

import typer
from rich.console import Console

from tightrope.cli import kb_sign

kb_app = typer.Typer(no_args_is_help=True, help="Knowledge: check, sign, publish and roll back documents (docs/knowledge.md).")
for command in (kb_sign.approve, kb_sign.key, kb_sign.demo_sign):
    kb_app.command(command.__name__.replace("_", "-"))(command)
console = Console()
errors = Console(stderr=True)
