"""`tightrope status`: each part's health, version and release, the switch, and what the record is kept in."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
from psycopg_pool import PoolTimeout
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import tightrope
from tightrope.audit.stores.choice import store_from
from tightrope.cli.parts import Part, parts_of
from tightrope.infra.database import Role, open_pool
from tightrope.infra.settings import Settings
from tightrope.release.manifest import release_id


def show_status(settings: Settings, console: Console) -> int:
    """Print the table; 0 when every part is well and all run the same release."""
    parts = parts_of(settings)
    with ThreadPoolExecutor(len(parts)) as threads:
        answers = dict(zip((p.name for p in parts), threads.map(_ask, parts), strict=True))
    own = release_id(settings)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "part", "port", "version", "release", ""):
        table.add_column(heading)
    well = True
    for part in parts:
        answer = answers[part.name]
        good = answer.get("status") == "ok" and answer.get("release") in {own, None}
        well = well and good
        detail = answer.get("detail") or (
            "runs another release: nothing is sent" if answer.get("release") not in {own, None} else ""
        )
        mark = "[green]✓[/green]" if good else "[red]✗[/red]"
        table.add_row(
            mark, part.name, str(part.port), str(answer.get("version", "")), str(answer.get("release") or ""), str(detail)
        )
    console.print(table)
    console.print(f"\nTightrope {tightrope.__version__}, release on disk {own}, mode {settings.mode}", highlight=False)
    try:
        for line in asyncio.run(_database_lines(settings)):
            console.print(line, highlight=False)
    except (psycopg.Error, PoolTimeout, OSError, SystemExit) as error:
        well = False
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        console.print(f"[red]✗[/red] the database does not answer: {escape(first)}", highlight=False, soft_wrap=True)
    if not well:
        logs = escape(str(settings.state_dir / "logs"))
        console.print(f"\nLogs: {logs}. Is the demo running? `make demo` starts it.", highlight=False, soft_wrap=True)
    return 0 if well else 1


def _ask(part: Part) -> dict[str, Any]:
    try:
        answer = httpx.get(part.health, timeout=2.0, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return {"status": "failing", "detail": "does not answer"}
    return answer if isinstance(answer, dict) else {"status": "failing", "detail": "unreadable answer"}


async def _database_lines(settings: Settings) -> list[str]:
    async with open_pool(settings, Role.OPERATOR, max_size=1, wait_seconds=3) as pool, pool.connection() as conn:
        cursor = await conn.execute("SELECT scope, reason, who, at FROM gateway.switch_now ORDER BY scope")
        off = [
            f"[red]switch:[/red] {r['scope']} is OFF since {r['at']:%Y-%m-%d %H:%M:%S} UTC ({r['who']}: {r['reason']})"
            for r in await cursor.fetchall()
        ]
    return [*(off or ["switch: nothing is off"]), f"record store: {store_from(settings).describe().text}"]
