"""The operator's and auditor's commands, each with its own least-rights database role."""

from __future__ import annotations

import asyncio
import getpass
import json
from dataclasses import asdict

import psycopg
from psycopg_pool import PoolTimeout
from rich.console import Console

from tightrope.audit.errors import AuditError
from tightrope.audit.keyring import Keyring
from tightrope.audit.models import Event, RecordDraft
from tightrope.audit.recorder import Recorder
from tightrope.gateway import switch
from tightrope.infra.clock import clock_from
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import Settings
from tightrope.release.manifest import release_id


def turn_switch(settings: Settings, console: Console, *, off: bool, journey: str | None, reason: str, who: str) -> int:
    """Turn the switch and say what is off now."""

    known = sorted(path.stem for path in (settings.project_dir / "data" / "flows").glob("*.yml") if path.stem != "patterns")
    if journey is not None and journey not in known:
        console.print(f"[red]{journey!r} is no journey here.[/red] There are: {', '.join(known)}", highlight=False)
        return 2

    async def work() -> list[switch.SwitchState]:
        async with open_pool(settings, Role.OPERATOR, max_size=2, wait_seconds=5) as pool:
            recorder = Recorder(settings, Keyring.from_settings(settings), clock_from(settings), release_id(settings))
            await switch.turn(pool, recorder, off=off, journey=journey, reason=reason, who=who)
            return await switch.states(pool)

    try:
        states = asyncio.run(work())
    except ValueError as error:
        console.print(f"[red]{error}[/red]")
        return 2
    console.print("[red bold]OFF[/red bold]" if off else "[green bold]ON[/green bold]", journey or "the whole bot", "—", reason)
    for state in states:
        console.print(
            f"  off now: [bold]{state.scope}[/bold] since {state.at:%H:%M:%S} UTC by {state.who}: {state.reason}", highlight=False
        )
    if not states:
        console.print("  nothing is off now")
    return 0


def show_conversation(settings: Settings, console: Console, conversation: str, *, as_json: bool, language: str) -> int:
    """Print one conversation's record."""
    from tightrope.audit import reading, render
    from tightrope.audit.errors import ConversationUnknown

    try:
        view = asyncio.run(reading.show_conversation(settings, conversation, reader=getpass.getuser()))
    except ConversationUnknown as error:
        console.print(f"[red]{error}[/red]")
        return 1
    if as_json:
        console.print_json(json.dumps(view.to_json(), ensure_ascii=False))
    else:
        render.render_conversation(view, console, language="en" if language == "en" else "zh")
    return 0


async def _record_verified(settings: Settings, facts: dict[str, object]) -> None:
    """Who looked whether the log is whole, and what they found, is part of it."""
    async with open_pool(settings, Role.AUDITOR, max_size=1, wait_seconds=5) as pool, pool.connection() as conn:
        recorder = Recorder(settings, Keyring.from_settings(settings), clock_from(settings), release_id(settings))
        await recorder.record(conn, RecordDraft(Event.LOG_VERIFIED, facts=facts, payload={"reader": getpass.getuser()}))


def verify(settings: Settings, console: Console, *, as_json: bool) -> int:
    """Print the verification's report; 0 when the record is whole."""
    from tightrope.audit import render
    from tightrope.audit.verify import verify_log

    report = asyncio.run(verify_log(settings))
    facts = {name: value for name, value in report.to_json().items() if name in {"ok", "sealed", "unsealed", "segments"}}
    facts |= {"altered": len(report.altered), "missing": len(report.missing), "segment_problems": len(report.segment_problems)}
    try:
        asyncio.run(_record_verified(settings, facts))
    except (psycopg.Error, PoolTimeout, AuditError) as error:
        console.print(f"[yellow]That it was verified could not be put on record:[/yellow] {error}", highlight=False)
    if as_json:
        console.print_json(json.dumps({"ok": report.ok, **asdict(report)}, ensure_ascii=False, default=str))
    else:
        render.render_report(report, console)
    return 0 if report.ok else 1
