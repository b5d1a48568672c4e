"""A conversation beside its decision trail, for the terminal."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Literal

from rich.box import ROUNDED, SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tightrope.audit.exchanges import Exchange, exchanges
from tightrope.audit.models import ConversationView, Report
from tightrope.audit.trail import Line, visible
from tightrope.audit.wording import labels

Language = Literal["zh", "en"]

BEIJING = timezone(timedelta(hours=8), "UTC+8")

_STYLES = {"customer": "bold cyan", "bot": "bold green", "agent": "bold magenta", "note": "magenta", "system": "dim"}
_SIGNS = {"customer": "▌", "bot": "▌", "agent": "▌", "note": "▌", "system": "·"}


def render_conversation(view: ConversationView, console: Console, *, language: Language = "zh", zone: timezone = BEIJING) -> None:
    """Print a conversation beside its decision trail.

    Args:
        language: of the labels; what was said stays as it was said.
        zone: in which times are shown.
    """
    words = labels(language)
    console.print(_header(view, words, zone))
    table = Table(box=SIMPLE_HEAD, expand=True, show_lines=True, padding=(0, 1), header_style="bold")
    table.add_column(words["time"], width=8, no_wrap=True, style="dim")
    # A Chinese sentence is one word to Rich, which would otherwise cut it: nothing of a record may be left out.
    table.add_column(words["said"], ratio=5, overflow="fold")
    table.add_column(words["why"], ratio=6, overflow="fold")
    day = None
    for block in exchanges(view.entries, language):
        local = block.at.astimezone(zone)
        if local.date() != day:
            day = local.date()
            table.add_row("", Text(day.isoformat(), style="bold dim"), "")
        table.add_row(local.strftime("%H:%M:%S"), _stack(_left(block, words)), _stack(_right(block)))
    console.print(table)
    problems = [entry for entry in view.entries if entry.problem]
    if problems:
        lines = [Text.assemble(("✗ ", "bold red"), (f"{entry.record_id}  ", "red"), entry.problem or "") for entry in problems]
        console.print(Panel(Group(*lines), title=words["unreadable"], border_style="red", box=ROUNDED))


def render_report(report: Report, console: Console, *, language: Language = "zh") -> None:
    """Print the outcome of a verification."""
    words = labels(language)
    head = (
        Text.assemble(("✓ " + words["intact"], "bold green"))
        if report.ok
        else Text.assemble(("✗ " + words["not_intact"], "bold red"))
    )
    facts = Table.grid(padding=(0, 2))
    facts.add_row(words["sealed"], str(report.sealed))
    facts.add_row(words["unsealed"], str(report.unsealed))
    facts.add_row(words["segments"], f"{report.segments} · {report.store}")
    facts.add_row(words["contents"], str(report.contents))
    if report.destroyed:
        facts.add_row(words["destroyed"], str(report.destroyed))
    facts.add_row(words["checkpoints"], str(report.checkpoints))
    for shard, root in report.heads.items():
        facts.add_row(words["head"], f"{shard} · {root}")
    body: list[RenderableType] = [head, Padding(facts, (1, 0, 0, 0))]
    for title, findings in (
        (words["altered"], report.altered),
        (words["missing"], report.missing),
        (words["tree_problems"], report.tree_problems),
        (words["segment_problems"], report.segment_problems),
    ):
        if findings:
            body.append(Text(f"\n{title} ({len(findings)})", style="bold red"))
            for finding in findings:
                place = str(finding.place) if finding.place else "—"
                body.append(Text.assemble((f"  {place:>12}  ", "red"), (f"{finding.record_id or ''}  ", "dim"), finding.detail))
    if report.not_listed:
        body.append(Text(words["more"].format(n=report.not_listed), style="red"))
    body.extend(Text(f"· {note}", style="yellow") for note in report.notes)
    console.print(Panel(Group(*body), title=words["verification"], border_style="green" if report.ok else "red", box=ROUNDED))


def _header(view: ConversationView, words: dict[str, str], zone: timezone) -> Panel:
    entries = view.entries
    sealed = [entry.place for entry in entries if entry.place is not None]
    releases = sorted({str(entry.leaf.get("release")) for entry in entries if entry.leaf})
    grid = Table.grid(padding=(0, 2))
    grid.add_row(Text(words["conversation"], style="dim"), Text(view.conversation_id, style="bold"))
    grid.add_row(Text(words["conv"], style="dim"), str(view.conv))
    span = f"{_local(entries[0].at, zone)} – {_local(entries[-1].at, zone)}  ({zone.tzname(None)})"
    grid.add_row(Text(words["period"], style="dim"), span)
    grid.add_row(Text(words["release"], style="dim"), ", ".join(releases) or "—")
    state = words["all_sealed"] if len(sealed) == len(entries) else words["some_sealed"].format(n=len(entries) - len(sealed))
    places = f"{min(sealed)} … {max(sealed)}" if sealed else "—"
    colour = "green" if len(sealed) == len(entries) else "yellow"
    grid.add_row(Text(words["records"], style="dim"), Text.assemble(f"{len(entries)} · {places} · ", (state, colour)))
    return Panel(grid, title=words["title"], border_style="cyan", box=ROUNDED, expand=True)


def _local(at: datetime, zone: timezone) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _left(block: Exchange, words: dict[str, str]) -> list[Text]:
    bubbles = [_bubble(one.speaker, one.text, list(one.marks), words) for one in block.left]
    return [part for bubble in bubbles for part in (Text(), bubble)][1:]


def _right(block: Exchange) -> list[Text]:
    records = [[_styled(line) for line in lines] for lines in block.right]
    return [part for lines in records for part in (Text(), *lines)][1:]


def _bubble(speaker: str, text: str, marks: list[str], words: dict[str, str]) -> Text:
    style = _STYLES[speaker]
    lines = Text.assemble((f"{_SIGNS[speaker]} ", style), (words[speaker], style))
    for line in visible(text).split("\n"):
        lines.append(f"\n{_SIGNS[speaker]} ", style)
        lines.append(line)
    if marks:
        lines.append(f"\n{_SIGNS[speaker]} ", style)
        lines.append(visible("  ".join(marks)), "dim")
    return lines


def _styled(line: Line) -> Text:
    text = Text.assemble((f"{visible(line.label)}  ", "bold" if line.strong else "dim"), (visible(line.text), line.style))
    text.no_wrap = False
    return text


def _stack(lines: list[Text]) -> Group:
    return Group(*lines)
