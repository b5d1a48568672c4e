"""`tightrope audit keys`: look at keys, restrict, open, extend and destroy them."""

from __future__ import annotations

import getpass
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.markup import escape

from tightrope.cli.custody.session import (
    ConversationOption,
    CustomerArgument,
    KeyOption,
    ReasonOption,
    Session,
    console,
    errors,
    keys_for,
    run,
    settings_now,
    signing_key,
)
from tightrope.cli.custody.view import many

if TYPE_CHECKING:
    from tightrope.audit.custody.models import Decision, Proposal

LeastYearsOption = Annotated[
    int | None,
    typer.Option(help="Look at keys from so many years on, where a class was kept shorter once [the shortest class]", min=1),
]
SHOWN = 200
"""Rows that a list shows."""

keys_app = typer.Typer(no_args_is_help=True, help="Keys of the record: who can read what, and until when (docs/custody.md).")


@keys_app.command("show")
def show(customer: CustomerArgument = None, conversation: ConversationOption = None) -> None:
    """Keys of a customer or conversation: state, legal ground, period, holds."""
    from tightrope.audit.custody import repository
    from tightrope.audit.custody.repository import PostgresVault
    from tightrope.cli.custody.view import keys_table, notes

    async def work(now: Session) -> None:
        vault = PostgresVault(now.conn, now.recorder)
        kids = await keys_for(now, customer, conversation)
        rows = [
            (key, await vault.period(key.kid), await vault.holds_on(key.kid)) for key in await repository.keys(now.conn, kids)
        ]
        console.print(keys_table(rows))
        for sentence in notes(key for key, _, _ in rows):
            console.print(f"  {escape(sentence)}", highlight=False, soft_wrap=True)

    run(work)


@keys_app.command("expired")
def expired(least_years: LeastYearsOption = None) -> None:
    """Keys whose period is over, and what holds them."""
    from tightrope.audit.custody import repository
    from tightrope.cli.custody.view import expired_table

    async def work(now: Session) -> None:
        day = await _today(now)
        rows = await repository.expired(now.conn, day, least_years=_least(now, least_years))
        if not rows:
            console.print(f"No key's period is over on {day}.", highlight=False)
            return
        console.print(expired_table(rows[:SHOWN]))
        if len(rows) > SHOWN:
            console.print(f"and {len(rows) - SHOWN} more", highlight=False)
        free = sum(1 for row in rows if not row.holds)
        console.print(
            f"{len(rows)} over on {day}, {len(rows) - free} of them held. `tightrope audit keys propose-destruction` takes the others to a second person.",
            highlight=False,
        )

    run(work)


@keys_app.command("restrict")
def restrict(
    key: KeyOption,
    reason: ReasonOption,
    customer: CustomerArgument = None,
    conversation: ConversationOption = None,
    ground: Annotated[str, typer.Option(help="Legal ground: pipl-47, network-data-24 or dispute")] = "pipl-47",
) -> None:
    """Answer a deletion request while the law says keep: nobody reads it any more, except by two people. Takes one person."""
    from tightrope.audit.custody import repository
    from tightrope.audit.custody.models import KEYS_AT_ONCE, KeyState
    from tightrope.audit.errors import CustodyRefused

    private = signing_key(key)

    async def work(now: Session) -> int:
        kids = await keys_for(now, customer, conversation)
        active = [
            item.kid for item in await repository.keys(now.conn, kids) if item.state is KeyState.ACTIVE and item.gone is None
        ]
        if not active:
            raise CustodyRefused("restricted", "every key is restricted or destroyed already")
        for start in range(0, len(active), KEYS_AT_ONCE):
            await now.custody.restrict(private, active[start : start + KEYS_AT_ONCE], ground, reason)
        return len(active)

    count = run(work)
    console.print(
        f"[green]Restricted: {many(count)}.[/green] What the customer says from now on is recorded under a new key.",
        highlight=False,
        soft_wrap=True,
    )


@keys_app.command("open")
def open_(
    key: KeyOption,
    reason: ReasonOption,
    customer: CustomerArgument = None,
    conversation: ConversationOption = None,
    for_good: Annotated[bool, typer.Option("--for-good", help="Make the keys active again, in place of one reading")] = False,
) -> None:
    """Propose to open what is restricted: for one reading, or for good. Somebody of the other office approves."""
    from tightrope.audit.custody import repository
    from tightrope.audit.custody.models import Act, KeyState

    private = signing_key(key)

    async def work(now: Session) -> Proposal:
        kids = await keys_for(now, customer, conversation)
        shut = [
            item.kid for item in await repository.keys(now.conn, kids) if item.state is KeyState.RESTRICTED and item.gone is None
        ]
        return await now.custody.propose(private, Act.RELEASE if for_good else Act.OPEN, shut, reason)

    _proposed(run(work))


@keys_app.command("propose-destruction")
def propose_destruction(
    key: KeyOption,
    reason: ReasonOption,
    kids: Annotated[
        list[UUID] | None, typer.Argument(metavar="KID...", help="Keys; `tightrope audit keys expired` lists them")
    ] = None,
    all_expired: Annotated[bool, typer.Option("--all-expired", help="Every key that is over and not held")] = False,
    least_years: LeastYearsOption = None,
) -> None:
    """Propose to destroy keys whose period is over. Somebody of the other office approves; then nothing brings them back."""
    from tightrope.audit.custody import repository
    from tightrope.audit.custody.models import DESTROYED_AT_ONCE, Act
    from tightrope.audit.errors import CustodyRefused

    private = signing_key(key)
    if bool(kids) == all_expired:
        errors.print("[red]Name keys, or --all-expired.[/red]")
        raise typer.Exit(2)

    async def work(now: Session) -> list[Proposal]:
        wanted = list(kids or [])
        if all_expired:
            wanted = [
                row.kid
                for row in await repository.expired(now.conn, await _today(now), least_years=_least(now, least_years))
                if not row.holds
            ]
            if not wanted:
                raise CustodyRefused("no_keys", "no key is over and free of holds")
        return [
            await now.custody.propose(private, Act.DESTROY, wanted[start : start + DESTROYED_AT_ONCE], reason)
            for start in range(0, len(wanted), DESTROYED_AT_ONCE)
        ]

    for proposal in run(work):
        _proposed(proposal)


@keys_app.command("proposals")
def proposals() -> None:
    """What waits for a second person."""
    from tightrope.audit.custody import repository
    from tightrope.cli.custody.view import proposal_lines

    async def work(now: Session) -> None:
        rows = await repository.waiting(now.conn)
        if not rows:
            console.print("Nothing waits for a second person.")
        for row in rows:
            console.print(f"[bold]{row.proposal_id}[/bold]  until {row.expires_at:%Y-%m-%d %H:%M} UTC", highlight=False)
            for line in proposal_lines(row):
                console.print("  ", line, sep="", highlight=False, soft_wrap=True)

    run(work)


@keys_app.command("approve")
def approve(
    proposal: Annotated[
        UUID, typer.Argument(metavar="PROPOSAL", help="`tightrope audit keys proposals` lists them; a key's id does too")
    ],
    key: KeyOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Sign as the second person, and do it. Opening for one reading shows the conversations at once."""
    from tightrope.audit.custody import repository
    from tightrope.audit.custody.models import Act
    from tightrope.audit.errors import CustodyRefused
    from tightrope.cli.custody.view import proposal_lines

    private = signing_key(key)

    async def find(now: Session) -> Proposal:
        rows = [row for row in await repository.waiting(now.conn) if proposal == row.proposal_id or proposal in row.kids]
        if len(rows) != 1:
            said = (
                "no proposal of that id or about that key waits" if not rows else "several proposals are about that key; name one"
            )
            raise CustodyRefused("no_proposal", said)
        return rows[0]

    found = run(find)
    for line in proposal_lines(found):
        console.print(line, highlight=False, soft_wrap=True)
    for kid in found.kids[:20]:
        console.print(f"  key {kid}", highlight=False)
    if len(found.kids) > 20:
        console.print(f"  and {len(found.kids) - 20} more", highlight=False)
    if not yes:
        typer.confirm("This cannot be undone. Approve?" if found.act is Act.DESTROY else "Approve?", abort=True)

    async def work(now: Session) -> tuple[Decision, Session, tuple[str, ...]]:
        decision = await now.custody.approve(private, found.proposal_id)
        return decision, now, await repository.conversations_under(now.conn, [item.kid for item in decision.opened])

    decision, now, conversations = run(work)
    if decision.refused is not None:
        errors.print(f"[red]Refused, and recorded:[/red] {escape(decision.why)}.", highlight=False, soft_wrap=True)
        raise typer.Exit(1)
    done = {
        Act.DESTROY: f"{many(len(decision.kids))} destroyed, for good. The records stay and verify; their payloads cannot be read any more.",
        Act.RELEASE: f"{many(len(decision.kids))} active again.",
        Act.OPEN: f"{many(len(decision.opened))} opened for this reading; the shares were renewed.",
        Act.LIFT: "The hold is lifted.",
    }[decision.act]
    console.print(f"[green]{done}[/green]", highlight=False, soft_wrap=True)
    if decision.act is Act.OPEN:
        _read(now, decision, conversations)


@keys_app.command("extend")
def extend(
    key: KeyOption,
    reason: ReasonOption,
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="New last day")],
    customer: CustomerArgument = None,
    conversation: ConversationOption = None,
) -> None:
    """Keep a customer's records longer: the relationship goes on, or an authority asks. Never shorter. Takes one person."""
    from tightrope.audit.custody import repository
    from tightrope.audit.custody.models import KEYS_AT_ONCE, KeyState
    from tightrope.audit.custody.repository import PostgresVault
    from tightrope.audit.errors import CustodyRefused

    private = signing_key(key)
    day = until.date()

    async def work(now: Session) -> int:
        vault = PostgresVault(now.conn, now.recorder)
        there = await repository.keys(now.conn, await keys_for(now, customer, conversation))
        kids = [
            item.kid
            for item in there
            if item.state is not KeyState.DESTROYED and item.gone is None and ((await vault.period(item.kid)).until or day) < day
        ]
        if not kids:
            raise CustodyRefused("shorter", f"every key is kept until {day} or longer already; a period is only ever made longer")
        for start in range(0, len(kids), KEYS_AT_ONCE):
            await now.custody.extend(private, kids[start : start + KEYS_AT_ONCE], day, reason)
        return len(kids)

    console.print(f"[green]{many(run(work))} kept until {day}.[/green]", highlight=False)


def _least(now: Session, years: int | None) -> int:
    """Shortest period in years: what is asked for, else that of the classes in force."""
    from tightrope.audit.leaf import retention

    return years if years is not None else min(retention(now.settings.audit_retention_file).values())


async def _today(now: Session) -> date:
    """Today by the slowest of the clocks there are."""
    from tightrope.audit.custody.repository import PostgresVault
    from tightrope.audit.custody.rules import earliest

    return earliest(await PostgresVault(now.conn, now.recorder).clocks()).date()


def _proposed(proposal: Proposal) -> None:
    console.print(
        f"[green]Proposed:[/green] {proposal.act} {many(len(proposal.kids))}, until {proposal.expires_at:%Y-%m-%d %H:%M} UTC. "
        f"Somebody of the other office says:\n  tightrope audit keys approve {proposal.proposal_id} --key FILE",
        highlight=False,
        soft_wrap=True,
    )


def _read(now: Session, decision: Decision, conversations: tuple[str, ...]) -> None:
    import asyncio

    from tightrope.audit import reading, render

    for opened in decision.opened:
        now.keyring.open_once(opened)
    for conversation in conversations:
        view = asyncio.run(
            reading.show_conversation(
                settings_now(),
                conversation,
                reader=getpass.getuser(),
                reason=f"opened by two people, proposal {decision.proposal_id}",
                keyring=now.keyring,
            )
        )
        render.render_conversation(view, console, language="zh")
