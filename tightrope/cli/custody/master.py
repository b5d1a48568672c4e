"""`tightrope audit keys`, the operators' part: custodians' entries, the master key, check and replay."""

from __future__ import annotations

import base64
import getpass
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from tightrope.cli.custody.keys import keys_app
from tightrope.cli.custody.session import KeyOption, Session, console, errors, run, settings_now, signing_key
from tightrope.cli.uat.files import key

if TYPE_CHECKING:
    from tightrope.audit.custody.check import Checked
    from tightrope.audit.custody.exchange import Exchanged

__all__ = ["keys_app"]

keys_app.command("key")(key)


@keys_app.command("custodian")
def custodian(
    key_file: KeyOption,
    person: Annotated[str, typer.Option(help="Name; the same for every key of one person")],
    office: Annotated[str, typer.Option(help="One of the two offices")],
) -> None:
    """Print your entry for the file of custodians; it holds nothing secret."""
    from tightrope.audit.custody.custodians import entry

    console.print_json(json.dumps(entry(signing_key(key_file), person, office), ensure_ascii=False))


@keys_app.command("check")
def check() -> None:
    """Does every key open under the master key, and was every destroyed one destroyed by two people? Exit 1 if not."""
    from tightrope.audit.custody.check import check as checked
    from tightrope.audit.custody.custodians import load_custodians
    from tightrope.infra.database import Role, open_pool

    async def work(now: Session) -> Checked:
        custodians = load_custodians(now.settings.custodians_path, production=now.settings.mode == "production")
        async with open_pool(now.settings, Role.AUDITOR, max_size=1) as pool, pool.connection() as conn:
            return await checked(conn, now.keyring, custodians)

    found = run(work)
    for problem in found.problems.values():
        errors.print(f"[red]·[/red] {escape(problem)}", highlight=False, soft_wrap=True)
    console.print(
        f"{found.active} keys active, {found.restricted} restricted, {found.destroyed} destroyed; {len(found.problems)} problems.",
        highlight=False,
    )
    raise typer.Exit(1 if found.problems else 0)


@keys_app.command("replay")
def replay() -> None:
    """After a restore: destroy again what the log says was destroyed. Exit 1 if something could not be."""
    from tightrope.audit.custody.replay import Replayed
    from tightrope.audit.custody.replay import replay as again

    async def work(now: Session) -> Replayed:
        return await again(now.settings)

    done = run(work)
    for kid, why in done.not_done.items():
        errors.print(f"[red]Not destroyed again:[/red] {kid}: {escape(why)}", highlight=False, soft_wrap=True)
    console.print(f"{len(done.again)} keys destroyed again, {done.already} were destroyed already.", highlight=False)
    raise typer.Exit(1 if done.not_done else 0)


@keys_app.command("exchange")
def exchange(
    to: Annotated[Path, typer.Option("--to", help="New folder for the secrets")],
    hsm_key: Annotated[
        str | None, typer.Option("--hsm-key", help="The next master key is this one in the PKCS#11 module")
    ] = None,
) -> None:
    """Prepare the next master key: writes its secrets; `rewrap` then wraps every data key anew (docs/custody.md)."""
    from tightrope.audit.errors import AuditError
    from tightrope.audit.keyring import Keyring
    from tightrope.audit.master import IDENTITY_SECRET, SECRET, MasterKey, MemoryMaster, generate_master_key, hsm_from

    settings = settings_now()
    try:
        secrets: dict[str, str] = {}
        successor: MasterKey | None
        if hsm_key is None:
            secrets[SECRET] = generate_master_key()
            successor = MemoryMaster.from_text(secrets[SECRET], "new")
        else:
            successor = hsm_from(settings.model_copy(update={"audit_pkcs11_key": hsm_key}))
            if successor is None:
                errors.print("[red]No module is set:[/red] TIGHTROPE_AUDIT_PKCS11_MODULE names it.", highlight=False)
                raise typer.Exit(2)
        secrets[IDENTITY_SECRET] = base64.b64encode(Keyring.from_settings(settings).carried_identity(successor)).decode()
    except AuditError as error:
        errors.print(f"[red]Not done:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    try:
        to.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        errors.print(f"[red]{escape(str(to))} is there already;[/red] a master key is never overwritten.", highlight=False)
        raise typer.Exit(2) from None
    for name, value in secrets.items():
        with os.fdopen(os.open(to / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(value)
    console.print(
        f"[green]{escape(str(to))}:[/green] {', '.join(secrets)}. Next: docs/custody.md, Exchange of the master key.",
        highlight=False,
    )


@keys_app.command("rewrap")
def rewrap() -> None:
    """Wrap every data key under the present master key. Can be stopped and begun again at any time."""
    from tightrope.audit.custody.exchange import rewrap as rewrapped

    async def work(now: Session) -> Exchanged:
        return await rewrapped(now.conn, now.keyring, now.recorder, who=getpass.getuser())

    done = run(work)
    console.print(
        f"[green]{done.rewrapped} keys wrapped anew; {done.keys} in all are under the present master key.[/green] The other one opens nothing any more: "
        "take it out of the secrets.",
        highlight=False,
        soft_wrap=True,
    )


@keys_app.command("make-hsm-key")
def make_hsm_key() -> None:
    """Make the master key inside the PKCS#11 module, where it stays."""
    from tightrope.audit.errors import AuditError
    from tightrope.audit.master import make_hsm_key as make

    settings = settings_now()
    try:
        make(settings)
    except AuditError as error:
        errors.print(f"[red]Not made:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(
        f"[green]{escape(settings.audit_pkcs11_key)} made on the token {escape(settings.audit_pkcs11_token)}.[/green] "
        "Keep a backup by the module's own means: without it every payload is lost.",
        highlight=False,
        soft_wrap=True,
    )
