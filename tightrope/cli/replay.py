"""`tightrope audit replay`: turn by turn, what is the same, what differs, and what was taken from the record."""

from __future__ import annotations

import asyncio
import getpass
import json

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tightrope.audit.errors import AuditError
from tightrope.audit.trail import visible
from tightrope.infra.settings import Settings
from tightrope.replay.models import Mark, Replay, counted
from tightrope.replay.service import replay_conversation

_WORDS = {
    Mark.SAME: ("same", "green"),
    Mark.DIFFERS: ("DIFFERS", "bold red"),
    Mark.FROM_RECORD: ("from the record", "yellow"),
    Mark.MISSING: ("NOT IN THE RECORD", "bold magenta"),
}
_OUTCOMES = {
    "same": "[green]The same, byte for byte, in all that was run again.[/green]",
    "differs": "[bold red]Not the same: see DIFFERS.[/bold red]",
    "incomplete": "[bold magenta]Not everything could be run: see NOT IN THE RECORD.[/bold magenta]",
}
_SAID = 60


def replay(settings: Settings, console: Console, conversation_id: str, *, reason: str, as_json: bool) -> int:
    """Replay a conversation and show it; the exit code."""
    try:
        found = asyncio.run(replay_conversation(settings, conversation_id, reader=getpass.getuser(), reason=reason))
    except AuditError as error:
        console.print(f"[red]{escape(str(error))}[/red]")
        return 2
    if as_json:
        console.print_json(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        show(found, console)
    return found.exit_code


def show(found: Replay, console: Console) -> None:
    """The table, the differences below it, and the outcome."""
    console.print(Text(f"Conversation {visible(found.conversation_id)}, run again", "bold"))
    table = Table()
    for name in ("Turn", "Part", "", "What"):
        table.add_column(name, overflow="fold")
    for turn in found.turns:
        said = visible(turn.said)
        table.add_row(
            Text(str(turn.turn), "bold"),
            "",
            "",
            Text(f"“{said[:_SAID]}{'…' if len(said) > _SAID else ''}”" if said else "", "bold"),
        )
        before = None
        for check in turn.checks:
            word, style = _WORDS[check.mark]
            table.add_row("", "" if check.part is before else check.part.value, Text(word, style), Text(visible(check.detail)))
            before = check.part
    console.print(table)
    for turn in found.turns:
        for check in turn.checks:
            for difference in check.differences:
                console.print(
                    f"\n[bold]Turn {turn.turn}, {check.part.value}[/bold] {escape(difference.at)}  (record {turn.record_id})"
                )
                console.print(Text(f"  recorded  {_side(difference.recorded)}", "red"))
                console.print(Text(f"  replayed  {_side(difference.replayed)}", "cyan"))
    for note in found.notes:
        console.print(Text(f"Release {note}", "dim"))
    for problem in found.problems:
        console.print(Text(problem, "bold magenta"))
    counts = ", ".join(f"{found.count(mark)} {_WORDS[mark][0].lower()}" for mark in Mark if found.count(mark))
    console.print(f"{_OUTCOMES[found.outcome]} {counted(len(found.turns), 'turn')}: {counts or 'nothing to run'}.")


def _side(value: str | None) -> str:
    return "(nothing)" if value is None else visible(value)
