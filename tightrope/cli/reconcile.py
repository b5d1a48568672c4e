"""`tightrope audit reconcile`: what is missing, on which side."""

from __future__ import annotations

import asyncio
import getpass
import json
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tightrope.audit.errors import QuestionInvalid
from tightrope.audit.index.query import moment
from tightrope.audit.index.rows import SHANGHAI
from tightrope.infra.settings import Settings
from tightrope.reconcile.errors import ReconcileError
from tightrope.reconcile.models import Outcome, Period, Side
from tightrope.reconcile.service import reconciler

SHOWN = 50
"""Findings on the screen; `--json` has more, and the record has them too."""
_NAMES = {Side.CHATWOOT: "Chatwoot", Side.GATEWAY: "gateway", Side.ASSISTANT: "assistant", Side.LOG: "log"}


def reconcile(settings: Settings, console: Console, *, since: str | None, until: str | None, as_json: bool) -> int:
    """Compare and print; 0: nothing is missing, 1: something is, 2: it could not be compared.

    Args:
        since, until: days (Asia/Shanghai) or times, as `tightrope audit find` takes them; `until` is not part of the period.
    """
    try:
        outcome = asyncio.run(_run(settings, moment(since) if since else None, moment(until) if until else None))
    except (QuestionInvalid, ReconcileError) as error:
        console.print(f"[red]Nothing was compared:[/red] {escape(str(error))}", highlight=False)
        return 2
    if outcome is None:
        console.print(
            "Nothing to compare yet: all that is old enough was compared before. Name a period with --from and --to to look again."
        )
        return 0
    if as_json:
        console.print_json(json.dumps(outcome.to_json(), ensure_ascii=False))
    else:
        _show(outcome, console)
    return 0 if outcome.ok else 1


async def _run(settings: Settings, since: datetime | None, until: datetime | None) -> Outcome | None:
    async with reconciler(settings) as made:
        due = await made.due()
        if since is None and due is None:
            return None
        period = Period(since or (due.since if due else made.latest()), until or made.latest())
        return await made.run(period, by=getpass.getuser())


def _show(outcome: Outcome, console: Console) -> None:
    period = outcome.period
    console.print(f"Compared [bold]{_local(period.since)}[/bold] to [bold]{_local(period.until)}[/bold] (UTC+8)", highlight=False)
    console.print(
        f"{outcome.conversations} conversations · {outcome.messages} messages in Chatwoot · {outcome.turns} turns · {outcome.records} records",
        highlight=False,
    )
    if outcome.ok:
        console.print("[green bold]Nothing is missing[/green bold]: Chatwoot, gateway, assistant and log agree")
        return
    table = Table(title=f"{sum(outcome.kinds.values())} findings", title_justify="left", expand=True)
    for name in ("Conversation", "Missing in", "What", "When (UTC+8)"):
        table.add_column(name, no_wrap=name == "When (UTC+8)", overflow="fold")
    table.add_column("Detail", ratio=1)
    for finding in outcome.findings[:SHOWN]:
        number = f" {finding.message_id or finding.turn}" if finding.message_id or finding.turn else ""
        table.add_row(
            finding.conversation,
            f"[bold red]{_NAMES[finding.missing]}[/bold red]",
            finding.kind.replace("_", " ") + number,
            _local(finding.at)[5:] if finding.at else "",
            finding.detail,
        )
    console.print(table, highlight=False)
    more = sum(outcome.kinds.values()) - min(SHOWN, len(outcome.findings))
    if more:
        console.print(f"{more} more: see --json, and the record audit:log:reconciled", highlight=False)


def _local(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
