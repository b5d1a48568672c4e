"""`tightrope audit anchors`: how each anchor stands, and the receipts for those who verify without us."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tightrope.audit.anchors import repository
from tightrope.audit.anchors.bundle import anchors_json, policy_for
from tightrope.audit.anchors.errors import AnchorsUnfit
from tightrope.audit.anchors.models import Trust, Verdict
from tightrope.audit.anchors.policy import AnchorPolicy, Standing, sentence
from tightrope.audit.anchors.repository import Gap, State
from tightrope.audit.anchors.service import standing_now
from tightrope.audit.anchors.settings import names_from, policy_from, trust_from
from tightrope.audit.anchors.verifying import verify
from tightrope.audit.tlog.policy import Policy
from tightrope.infra.clock import SystemClock
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import Settings

SKEW = timedelta(minutes=5)
"""An anchor's clock and ours may differ by this; the way there and back is in it."""


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that the command shows."""

    now: datetime
    trust: Trust
    policy: AnchorPolicy
    names: list[str]
    states: list[State]
    standing: Standing
    gaps: list[Gap]
    set_back: list[str]

    @property
    def ok(self) -> bool:
        """The policy is met and no anchor tells of an incident."""
        return (
            self.standing.met
            and not self.set_back
            and not any((state.incident or state.unwell) and state.anchor in self.names for state in self.states)
        )

    def verdict(self, state: State) -> Verdict | None:
        """The check of an anchor's newest receipt."""
        return verify(state.note, state.receipt, self.trust) if state.receipt and state.note else None


async def look(settings: Settings) -> Look:
    """Read everything in one transaction. Raises AnchorsUnfit."""
    trust, now = trust_from(settings), SystemClock().now()
    async with open_pool(settings, Role.AUDITOR, max_size=1, wait_seconds=5) as pool, pool.connection() as conn:
        states = await repository.states(conn)
        policy = policy_from(settings, trust, {state.anchor: state.kind for state in states})
        found = await standing_now(conn, policy, now, states)
        gaps = await repository.gaps(conn, 5)
        backs = [
            f"{back.anchor} cosigned only {back.shard}/{back.size} at {back.asserted:%Y-%m-%d %H:%M:%S}, less than before: its state was set back"
            for back in await repository.set_back(conn)
        ]
    return Look(now, trust, policy, names_from(settings, trust), states, found, gaps, backs)


async def gather(settings: Settings) -> tuple[list[repository.Kept], Policy, list[str]]:
    """Every receipt, the policy to hand out, and warnings."""
    trust = trust_from(settings)
    async with open_pool(settings, Role.AUDITOR, max_size=1, wait_seconds=5) as pool, pool.connection() as conn:
        kept = await repository.receipts(conn)
        keys = await repository.log_keys(conn)
    policy = policy_for(trust.log, [vkey for vkeys in keys.values() for vkey in vkeys])
    named = {key.vkey for key in policy.log_keys}
    warnings = [
        f"the key of shard {shard} is not in {settings.audit_policy_file}; a verifier will refuse that year: add its `log` line"
        for shard, vkeys in keys.items()
        if not named.intersection(vkeys)
    ]
    return kept, policy, warnings


def write(settings: Settings, console: Console, folder: Path) -> None:
    """Write anchors.json and policy.txt into a folder. Raises AnchorsUnfit, OSError."""
    kept, policy, warnings = asyncio.run(gather(settings))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "anchors.json").write_text(json.dumps(anchors_json(kept), indent=1) + "\n", encoding="utf-8")
    (folder / "policy.txt").write_bytes(policy.encode())
    console.print(
        f"{len(kept)} receipts in {folder / 'anchors.json'}, the policy in {folder / 'policy.txt'}",
        highlight=False,
        soft_wrap=True,
    )
    for warning in warnings:
        console.print(Text(warning, "yellow"))


def show_anchors(settings: Settings, console: Console, *, folder: Path | None, as_json: bool) -> int:
    """Show how the anchors stand, or write the receipts into a folder; 0 when the policy is met."""
    try:
        if folder is not None:
            write(settings, console, folder)
            return 0
        found = asyncio.run(look(settings))
    except (AnchorsUnfit, OSError) as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        return 2
    if as_json:
        console.print_json(json.dumps(_as_json(found)))
    else:
        _render(found, console)
    return 0 if found.ok else 1


def _render(found: Look, console: Console) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("anchor", "kind", "latest", "received", "their time", "checked"):
        table.add_column(name, overflow="fold")
    known = {state.anchor: state for state in found.states}
    for name in found.names:
        state = known.get(name)
        table.add_row(*_row(found, name, state))
    console.print(table)
    for state in found.states:
        if state.anchor in found.names and state.problem:
            style = "red bold" if state.incident else "yellow"
            console.print(Text(f"  {state.problem}", style=style))
        if state.anchor in found.names and state.unwell:
            console.print(Text(f"  {state.unwell}", style="red bold"))
    for text in found.set_back:
        console.print(Text(f"  {text}", style="red bold"))
    console.print()
    console.print(_policy_line(found))
    if found.policy.names == ("worm",) and all(state.kind == "worm-folder" for state in found.states):
        console.print(
            Text(
                "The only anchor is a folder of this installation: it proves nothing against whoever owns the disk (docs/anchors.md).",
                "yellow",
            )
        )
    for gap in found.gaps:
        end = f"until {gap.covered_at:%Y-%m-%d %H:%M} UTC" if gap.covered_at else "still open"
        console.print(
            Text(
                f"Gap: from {gap.since:%Y-%m-%d %H:%M} UTC {end}, first checkpoint {_place(gap)}, missing {', '.join(gap.missing)}",
                "dim",
            )
        )


def _policy_line(found: Look) -> Text:
    rule = f"Policy: {found.policy.need} of {len(found.policy.names)} ({', '.join(found.policy.names)}) within {found.policy.within.total_seconds() / 60:g} min"
    late = sentence(found.policy, found.standing)
    if late is not None:
        return Text(f"{rule}: NOT MET. {late[0].upper()}{late[1:]}", "red bold")
    covered = found.standing.covered
    if covered is None:
        return Text(
            f"{rule}: met; there is nothing to anchor yet" if found.standing.first is None else f"{rule}: not late yet", "green"
        )
    return Text(f"{rule}: met up to {covered.shard}/{covered.size}; {_next(found.standing)}", "green")


def _next(standing: Standing) -> str:
    waits = [one.open.place for one in standing.shards if one.open is not None]
    if not waits:
        return "nothing waits"
    names = " and ".join(f"{place.shard}/{place.size}" for place in waits)
    return f"{names} waits, for {standing.age.total_seconds():.0f} s by now"


def _row(found: Look, name: str, state: State | None) -> list[Text]:
    counts = "" if name in found.policy.names else " (does not count)"
    if state is None or state.receipt is None:
        kind = state.kind if state else ""
        return [Text(name + counts), Text(kind), Text("none", "yellow"), Text(""), Text(""), Text("")]
    receipt, verdict = state.receipt, found.verdict(state)
    theirs = Text(f"{receipt.asserted:%Y-%m-%d %H:%M:%S}" if receipt.asserted else "none given")
    if receipt.asserted and abs(receipt.asserted - receipt.received) > SKEW:
        theirs.append(" differs from ours", "red")
    checked = Text("holds", "green") if verdict and verdict.ok else Text(verdict.why if verdict else "", "red")
    if verdict and verdict.ok:
        checked.append(f": {verdict.who}", "dim")
    return [
        Text(name + counts),
        Text(receipt.kind),
        Text(f"{receipt.shard}/{receipt.size}"),
        Text(_ago(found.now - receipt.received)),
        theirs,
        checked,
    ]


def _place(gap: Gap) -> str:
    return f"{gap.place.shard}/{gap.place.size}"


def _ago(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    if seconds < 120:
        return f"{seconds} s ago"
    return f"{seconds // 60} min ago" if seconds < 7200 else f"{seconds // 3600} h ago"


def _as_json(found: Look) -> dict[str, object]:
    def stamp(at: datetime | None) -> str | None:
        return at.astimezone(UTC).isoformat() if at else None

    known = {state.anchor: state for state in found.states}
    anchors: list[dict[str, object]] = []
    for name in found.names:
        state = known.get(name)
        verdict = found.verdict(state) if state else None
        receipt = state.receipt if state else None
        anchors.append(
            {
                "anchor": name,
                "counts": name in found.policy.names,
                "kind": state.kind if state else None,
                "shard": receipt.shard if receipt else None,
                "size": receipt.size if receipt else None,
                "received": stamp(receipt.received) if receipt else None,
                "asserted": stamp(receipt.asserted) if receipt else None,
                "ok": verdict.ok if verdict else None,
                "who": verdict.who if verdict else None,
                "why": verdict.why if verdict else None,
                "problem": state.problem if state else None,
                "incident": state.incident if state else False,
                "unwell": state.unwell if state else None,
            }
        )
    return {
        "ok": found.ok,
        "anchors": anchors,
        "need": found.policy.need,
        "within_seconds": found.policy.within.total_seconds(),
        "covered": [found.standing.covered.shard, found.standing.covered.size] if found.standing.covered else None,
        "unanchored_seconds": found.standing.age.total_seconds(),
        "late": not found.standing.met,
        "late_shards": [one.shard for one in found.standing.late],
        "missing": list(found.standing.missing),
        "set_back": found.set_back,
        "gaps": [
            {
                "shard": gap.place.shard,
                "size": gap.place.size,
                "since": stamp(gap.since),
                "covered": stamp(gap.covered_at),
                "missing": list(gap.missing),
            }
            for gap in found.gaps
        ],
    }
