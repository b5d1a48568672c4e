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
    table = Table("key", "class", "year", "state", "records", "kept until", "held by", box=SIMPLE_HEAD)
    for key, period, holds in rows:
        state = Text(str(key.state), style=_STYLE[str(key.state)])
        until = period.until.isoformat() if period.until else "—"
        table.add_row(str(key.kid), key.owner.cls, str(key.owner.year), state, str(period.records), until, _cases(holds))
    return table


def notes(keys: Iterable[HeldKey]) -> list[str]:
    """What is to be said of keys that are not active: since when and on which ground, each sentence once."""
    from tightrope.audit.custody.states import KeyStatus

    found = (KeyStatus(key.kid, key.state, key.ground, key.since, key.gone).sentence for key in keys)
    return list(dict.fromkeys(sentence for sentence in found if sentence is not None))


def expired_table(rows: Iterable[Expired]) -> Table:
    """Keys whose period is over."""
    table = Table("key", "class", "year", "state", "records", "kept until", "held by", box=SIMPLE_HEAD)
    for row in rows:
        state = Text(str(row.state), style=_STYLE[str(row.state)])
        table.add_row(str(row.kid), row.cls, str(row.year), state, str(row.records), row.until.isoformat(), _cases(row.holds))
    return table


def proposals_table(rows: Iterable[Proposal]) -> Table:
    """What waits for a second person."""
    table = Table("proposal", "act", "about", "by", "reason", "until", box=SIMPLE_HEAD)
    for row in rows:
        said = row.signed.get("statement", {})
        about = f"hold {row.hold_id}" if row.hold_id else f"{len(row.kids)} key{'s' if len(row.kids) != 1 else ''}"
        until = f"{row.expires_at:%Y-%m-%d %H:%M} UTC"
        table.add_row(
            str(row.proposal_id), str(row.act), about, Text(str(said.get("person"))), Text(str(said.get("reason"))), until
        )
    return table


def holds_table(rows: Iterable[Hold]) -> Table:
    """Holds, lifted or not."""
    table = Table("hold", "case", "covers", "placed", "lifted", box=SIMPLE_HEAD)
    for row in rows:
        scope = row.scope
        covers = f"{scope.first} to {scope.last}" if scope.first else f"a {scope.kind}"
        lifted = f"{row.lifted_at:%Y-%m-%d}" if row.lifted_at else Text("in force", "yellow")
        table.add_row(str(row.hold_id), Text(row.case), covers, f"{row.placed_at:%Y-%m-%d}", lifted)
    return table


def _cases(holds: Sequence[Hold]) -> Text:
    return Text(", ".join(f"case {hold.case}" for hold in holds), "yellow") if holds else Text("—", "dim")
