"""Tables of custody for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tightrope.audit.custody.models import HeldKey, Hold, Period, Proposal
    from tightrope.audit.custody.repository import Expired

_STYLE = {"active": "green", "restricted": "yellow", "destroyed": "red"}


def keys_table(rows: Iterable[tuple[HeldKey, Period, Sequence[Hold]]]) -> Table:
    """Keys with state, period and what holds them."""
    table = _table("key", "state", "records", "until", "hold")
    for key, period, holds in rows:
        state = Text(str(key.state), style=_STYLE[str(key.state)])
        until = period.until.isoformat() if period.until else "—"
        table.add_row(str(key.kid), state, str(period.records), until, _cases(holds))
    return table


def notes(keys: Iterable[HeldKey]) -> list[str]:
    """What is to be said of keys that are not active: since when and on which ground, each sentence once."""
    from tightrope.audit.custody.states import KeyStatus

    found = (KeyStatus(key.kid, key.state, key.ground, key.since, key.gone).sentence for key in keys)
    return list(dict.fromkeys(sentence for sentence in found if sentence is not None))


def expired_table(rows: Iterable[Expired]) -> Table:
    """Keys whose period is over."""
    table = _table("key", "state", "records", "until", "hold")
    for row in rows:
        state = Text(str(row.state), style=_STYLE[str(row.state)])
        table.add_row(str(row.kid), state, str(row.records), row.until.isoformat(), _cases(row.holds))
    return table


def proposal_lines(row: Proposal) -> list[Text]:
    """A proposal as its second person reads it before signing."""
    said = row.signed.get("statement", {})
    about = f"hold {row.hold_id}" if row.hold_id else many(len(row.kids))
    return [
        Text.assemble(
            (f"{str(row.act).capitalize()} {about}", "bold"), f", proposed by {said.get('person')} at {said.get('signed')}"
        ),
        Text(f"Reason: {said.get('reason')}"),
    ]


def many(count: int) -> str:
    """`1 key`, `2 keys`."""
    return f"{count} key{'s' if count != 1 else ''}"


def holds_table(rows: Iterable[Hold]) -> Table:
    """Holds, lifted or not."""
    table = _table("hold", "case", "covers", "placed", "lifted")
    for row in rows:
        scope = row.scope
        covers = f"{scope.first} to {scope.last}" if scope.first else f"a {scope.kind}"
        lifted = f"{row.lifted_at:%Y-%m-%d}" if row.lifted_at else Text("in force", "yellow")
        table.add_row(str(row.hold_id), Text(row.case), covers, f"{row.placed_at:%Y-%m-%d}", lifted)
    return table


def _table(name: str, *columns: str) -> Table:
    """A table whose first column, an id to be copied, is never cut."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(name, no_wrap=True, min_width=36)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in {"state", "until", "placed"})
    return table


def _cases(holds: Sequence[Hold]) -> Text:
    return Text(", ".join(f"case {hold.case}" for hold in holds), "yellow") if holds else Text("—", "dim")
