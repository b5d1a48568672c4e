"""`tightrope audit witness …`, and the same without the rest of Tightrope: `python -m tightrope.audit.witness …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

witness_app = typer.Typer(no_args_is_help=True, help="The witness that internal audit runs on its own machine.")

StateOption = Annotated[Path, typer.Option("--state", help="The witness's folder: key, memory, logs.txt")]


@witness_app.command("init")
def witness_init(
    state: StateOption,
    name: Annotated[str, typer.Option(help="The key's name, such as audit.broker.example/witness")],
) -> None:
    """Make a witness: a key that never leaves this folder, an empty memory. Prints the public key."""
    from tightrope.audit.errors import NoteInvalid
    from tightrope.audit.witness.state import LOGS_FILE, WitnessUnready, init

    try:
        signer = init(state, name)
    except (WitnessUnready, NoteInvalid, OSError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    typer.echo(signer.vkey)
    typer.secho(
        f"Give this key to the log's keepers and to everybody who verifies. Then write the log's key into {state / LOGS_FILE}.",
        err=True,
    )


@witness_app.command("serve")
def witness_serve(
    state: StateOption,
    port: Annotated[int, typer.Option(help="Port", min=1, max=65535)] = 8090,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for all of this machine's")] = "127.0.0.1",
) -> None:
    """Cosign what continues what was seen before; a page at / says what that is."""
    import uvicorn

    from tightrope.audit.witness.api import create_app
    from tightrope.audit.witness.state import Witness, WitnessUnready
    from tightrope.infra.clock import SystemClock
    from tightrope.infra.logging import configure_logging
    from tightrope.infra.settings import get_settings

    configure_logging("witness", get_settings())
    clock = SystemClock()
    try:
        witness = Witness(state, clock)
    except WitnessUnready as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    uvicorn.run(
        create_app(witness, clock), host=host, port=port, log_level="warning", timeout_graceful_shutdown=5, server_header=False
    )
