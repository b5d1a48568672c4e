"""`tightrope audit hold`: legal holds. One person places, two lift."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from tightrope.cli.custody.session import KeyOption, ReasonOption, Session, console, errors, run, signing_key

if TYPE_CHECKING:
    from tightrope.audit.custody.models import Hold, Proposal

hold_app = typer.Typer(no_args_is_help=True, help="Legal holds: what they cover is not destroyed (docs/custody.md).")


@hold_app.command("place")
def place(
    key: KeyOption,
    case: Annotated[str, typer.Option(help="Case number")],
    reason: ReasonOption,
    customer: Annotated[str | None, typer.Option(help="Everything of this customer, also what comes")] = None,
    conversation: Annotated[str | None, typer.Option(help="Everything of this conversation")] = None,
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d"],
            help="Everything from this day (UTC: it begins at 08:00 in Shanghai; name the day before to have all of it)",
        ),
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="to this day (UTC, included)")] = None,
) -> None:
    """Place a hold on a customer, a conversation or a period."""
    from tightrope.audit.custody.models import HoldScope

    if [customer is not None, conversation is not None, first is not None].count(True) != 1 or (first is None) != (last is None):
        errors.print("[red]Name one of --customer, --conversation, or --from with --to.[/red]", highlight=False)
        raise typer.Exit(2)
    private = signing_key(key)

    async def work(now: Session) -> Hold:
        if customer is not None:
            scope = HoldScope(subject_hash=now.keyring.customer(customer))
        elif conversation is not None:
            scope = HoldScope(conv=now.keyring.conv(conversation))
        else:
            scope = HoldScope(first=first.date() if first else None, last=last.date() if last else None)
        return await now.custody.place_hold(private, scope, case, reason)

    made = run(work)
    console.print(
        f"[green]Held:[/green] case {made.case}, hold {made.hold_id}. Two people lift it.", highlight=False, soft_wrap=True
    )


@hold_app.command("lift")
def lift(hold: Annotated[UUID, typer.Argument(metavar="HOLD")], key: KeyOption, reason: ReasonOption) -> None:
    """Propose to lift a hold. Somebody of the other office approves."""
    from tightrope.audit.custody.models import Act

    private = signing_key(key)

    async def work(now: Session) -> Proposal:
        return await now.custody.propose(private, Act.LIFT, [], reason, hold_id=hold)

    made = run(work)
    console.print(
        f"[green]Proposed.[/green] Somebody of the other office says:\n  tightrope audit keys approve {made.proposal_id} --key FILE",
        highlight=False,
        soft_wrap=True,
    )


@hold_app.command("list")
def list_() -> None:
    """Every hold, lifted or not."""
    from tightrope.audit.custody import repository
    from tightrope.cli.custody.view import holds_table

    async def work(now: Session) -> None:
        rows = await repository.holds(now.conn)
        console.print(holds_table(rows) if rows else "There is no hold.")

    run(work)
