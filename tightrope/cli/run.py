"""`tightrope demo`: starts everything with a visible list, prints the two addresses, stops on Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tightrope.cli.demo import Demo
from tightrope.infra.settings import Settings

_MARK = {"waiting": Text("·", style="dim"), "starting": Text("…", style="yellow"), "ready": Text("✓", style="green")}


class Board:
    """The list of parts with their state, redrawn in place on a terminal and printed line by line elsewhere."""

    def __init__(self, console: Console, rows: dict[str, tuple[str, str]]) -> None:
        self._console = console
        self._rows = rows
        self._state = dict.fromkeys(rows, "waiting")
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._live = Live(self._table(), console=console, refresh_per_second=8, transient=False) if console.is_terminal else None

    def __enter__(self) -> Board:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def progress(self, what: str, state: str) -> None:
        """Note that a part starts or is ready."""
        with self._lock:
            self._state[what] = state
            if self._live:
                self._live.update(self._table())
            elif state == "ready":
                self._console.print(f"{time.monotonic() - self._started:5.1f} s  {what} ready", highlight=False)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
        for name in ("", "part", "what it is here", "in production", "port"):
            table.add_column(name)
        for name, (title, where) in self._rows.items():
            port, _, production = where.partition("|")
            table.add_row(_MARK[self._state[name]], name, title, Text(production, style="dim"), Text(port, style="dim"))
        return table


def board_rows(demo: Demo) -> dict[str, tuple[str, str]]:
    """What the board shows: name -> (title, "port|production")."""
    rows = {"postgres": ("embedded Postgres", f"{demo.settings.database_port}|Postgres, highly available")}
    rows |= {part.name: (part.title, f"{part.port}|{part.production}") for part in demo.parts}
    rows["documents"] = ("public knowledge base, published", "|approved by two people")
    return rows


def run_demo(settings: Settings, console: Console) -> int:
    """Run until Ctrl-C; returns the exit status."""
    settings = settings.model_copy(update={"demo_clock": settings.demo_clock or settings.state_dir / "clock"})
    demo = Demo(settings)
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    started = time.monotonic()
    console.print(
        f"Starting Tightrope; data and logs in [bold]{settings.state_dir}[/bold]. Nothing leaves this machine.", highlight=False
    )
    try:
        with Board(console, board_rows(demo)) as board:
            demo._progress = board.progress
            demo.start()
        console.print(f"\nReady after {time.monotonic() - started:.0f} s.\n", highlight=False)
        console.print(
            f"  Customer:  [bold]{settings.portal_public_url}/[/bold]   the demo firm's page with the chat; twelve customers to log in as"
        )
        console.print(f"  Agent:     [bold]{settings.inbox_public_url}/desk[/bold]   the agents' desk\n")
        console.print("  In another terminal: tightrope status · tightrope audit show 1-1 · tightrope switch off --reason drill")
        console.print("  Ctrl-C stops everything; the data stays.", highlight=False)
        stop.wait()
    except KeyboardInterrupt:
        pass
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        console.print("\nStopping…")
        demo.stop()
        console.print("Stopped.")
    return 0
