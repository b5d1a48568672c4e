"""Runs one part in this process: `python -m tightrope.cli.serve PART`. The supervisor starts these; so does a container."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Coroutine
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tightrope.cli.parts import parts_of
from tightrope.infra import network_log
from tightrope.infra.logging import configure_logging
from tightrope.infra.settings import Settings, get_settings

if TYPE_CHECKING:
    from tightrope.gateway.worker import Worker

SEALER_SWITCH_SECONDS = 0.0005
"""How long one thread of the sealer may keep the interpreter from another."""


def serve(name: str, settings: Settings) -> None:
    """Run the part until it is told to stop (SIGTERM, SIGINT).

    Raises:
        SystemExit: unknown part, or it cannot start.
    """
    if settings.network_log is not None:
        network_log.install(settings.network_log, name)
    configure_logging(name, settings)
    port = next((part.port for part in parts_of(settings) if part.name == name), None)
    if port is None:
        raise SystemExit(f"unknown part {name!r}; there are: {', '.join(part.name for part in parts_of(settings))}")
    if name == "actions":
        from actions.__main__ import main as run_actions

        sys.argv = ["actions", "--port", str(port)]
        run_actions()
    elif name in {"worker", "sealer"}:
        import uvloop

        uvloop.run(_background(name, settings, port))
    else:
        _http(_application(name, settings), port)


_APPLICATIONS = {
    "inbox": "tightrope.sandbox.inbox.api",
    "sandbox": "tightrope.sandbox.api",
    "knowledge": "tightrope.knowledge.server.api",
    "understanding": "tightrope.understanding.api",
    "assistant": "tightrope.engine.api",
    "gateway": "tightrope.gateway.api",
    "console": "tightrope.console.api",
}


def _application(name: str, settings: Settings) -> Any:
    # Imported by name when it is wanted: no part pays for another's libraries.
    create_app = import_module(_APPLICATIONS[name]).create_app
    if name == "console":
        from tightrope.cli.auditing import hide

        return create_app(settings, mask=hide)
    return create_app(settings)


def _http(app: Any, port: int) -> None:
    import uvicorn

    # Forwarded headers are not believed, the server does not name itself, and access logs would hold ids and cost time.
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )


async def _background(name: str, settings: Settings, port: int) -> None:
    import uvicorn

    from tightrope.infra.health import Check, health_app
    from tightrope.release.manifest import release_id

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if name == "worker":
        from tightrope.gateway.worker import Worker

        worker = Worker(settings)
        check: Check = worker.health
        run: Coroutine[Any, Any, None] = _working(settings, worker, stop)
    else:
        from tightrope.audit.health import sealer_health
        from tightrope.audit.sealer import run_sealer

        # Tree and segments are written in threads beside the sequencer: it must not wait for the interpreter lock for five milliseconds.
        sys.setswitchinterval(SEALER_SWITCH_SECONDS)
        check, run = partial(sealer_health, settings), run_sealer(settings, stop)
    server = uvicorn.Server(
        uvicorn.Config(
            health_app(name, release_id(settings), check), host="127.0.0.1", port=port, access_log=False, log_level="warning"
        )
    )
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # ours are set above
    health = asyncio.create_task(server._serve())
    gc.freeze()  # what was imported stays for good: going through it took 57 ms, in which no record got its receipt
    try:
        await run
    finally:
        server.should_exit = True
        await health


async def _working(settings: Settings, worker: Worker, stop: asyncio.Event) -> None:
    """The worker, and beside it the comparison that looks whether anything is missing."""
    from tightrope.reconcile.service import scheduled

    tasks = [asyncio.create_task(worker.run(stop)), asyncio.create_task(scheduled(settings, stop))]
    try:
        # One that ends takes the process down, as within the worker: half of it is worse than a restarted one.
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        tasks[1].cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else "", get_settings())
