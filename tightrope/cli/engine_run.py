"""`tightrope engine run`: one project served over Rasa's HTTP API, with a database of its own, until Ctrl-C."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import structlog
import uvicorn
from rich.console import Console
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from tightrope.cli.demo import lock_state
from tightrope.cli.engine_board import EXTERNAL_DATABASE, Wanted, board, first_words
from tightrope.cli.engine_problems import summary, write_problem
from tightrope.cli.supervisor import PortTaken, free_ports
from tightrope.engine.api import AssistantApp
from tightrope.engine.check import Checked, examine
from tightrope.engine.errors import ProjectError
from tightrope.engine.serving import Source
from tightrope.infra.database import Role, conninfo
from tightrope.infra.logging import configure_logging
from tightrope.infra.migrate import migrate
from tightrope.infra.postgres import EmbeddedPostgres, PostgresFailed
from tightrope.infra.settings import Settings, get_settings

DATABASE = "assistant"
NEWEST = "engine.release"
"""What the newest revision of the assistant's database made."""


class CannotServe(Exception):
    """Why a project is not served, and what to do."""


def serve(wanted: Wanted, console: Console) -> int:
    """Serve until told to stop; the exit status."""
    settings = get_settings()
    root = (wanted.project or settings.project_dir).absolute()
    own = root.resolve() == settings.project_dir.resolve()
    found = examine(root, wanted.config)
    if found.errors or found.project is None:
        return _refuse(console, root, found)
    try:
        _check_port(wanted.host, wanted.port)
        with _stopping(), _database(settings_of(settings, wanted, own=own), wanted.state or state_folder(root), console) as ready:
            _run(ready, wanted, own, found, console)
    except (CannotServe, PortTaken, PostgresFailed, ProjectError) as error:
        console.print(Text.assemble(("Not served: ", "bold red"), str(error)), soft_wrap=True)  # a path stays whole to be copied
        return 1
    except KeyboardInterrupt:
        pass
    console.print("Stopped; the conversations are kept.")
    return 0


def _refuse(console: Console, root: Path, found: Checked) -> int:
    for problem in found.errors:
        write_problem(console, problem)
    console.print(Text.assemble(("Not served: ", "bold red"), f"{summary(found)} ({root})"), soft_wrap=True)
    return 1


def settings_of(settings: Settings, wanted: Wanted, *, own: bool) -> Settings:
    """The settings with what the command line says. A host that an operator names there is one that may be connected to."""
    urls = {
        name: url for name, url in (("understanding_url", wanted.understanding_url), ("actions_url", wanted.actions_url)) if url
    }
    hosts = {urlsplit(url).hostname or "" for url in urls.values()} - settings.allow_list
    strict = (own and settings.strict_payloads) if wanted.strict_payloads is None else wanted.strict_payloads
    allowed = ",".join(sorted({*settings.allow_list, *filter(None, hosts)}))
    # What the start-up lines say needs no log line; an operator who wants them sets the level.
    level = settings.log_level if "log_level" in settings.model_fields_set else "WARNING"
    return settings.model_copy(update={"strict_payloads": strict, "allowed_hosts": allowed, "log_level": level})


def state_folder(root: Path) -> Path:
    """Where a project's conversations are kept if nobody says: below the user's cache, since the project's folder may be read only."""
    # The embedded Postgres gives up root's rights and must be able to walk to its files, which a home folder does not let others do.
    base = Path("/var/cache") if os.geteuid() == 0 else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = re.sub(r"[^\w\-]", "-", root.name)[:40] or "project"
    return base / "tightrope" / "engine" / f"{name}-{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]}"


def _check_port(host: str, port: int) -> None:
    """Raises:
    CannotServe: somebody listens there already, or the address is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            if isinstance(error, socket.gaierror) or getattr(error, "errno", None) == 99:
                raise CannotServe(f"{host} is no address of this machine: name another with --host") from None
            if getattr(error, "errno", None) == 13:
                raise CannotServe(f"port {port} needs more rights than you have: name one above 1023 with --port") from None
            raise CannotServe(
                f"port {port} is in use (`ss -ltnp` shows by what): stop that, or name another with --port"
            ) from None


@contextmanager
def _stopping() -> Iterator[None]:
    """SIGTERM stops as Ctrl-C does, while the server itself does not listen for either."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _database(settings: Settings, state: Path, console: Console) -> Iterator[Settings]:
    """The settings of a running database: the one that the environment names, or an embedded one in `state`.

    Raises:
        CannotServe: the folder cannot be used.
        PostgresFailed: the embedded one did not start.
    """
    if EXTERNAL_DATABASE in os.environ:
        _check_database(settings)
        yield settings
        return
    try:
        state.mkdir(mode=0o711, parents=True, exist_ok=True)
        lock = lock_state(state)
    except PortTaken:
        raise CannotServe(
            f"this project is being served already, with its conversations in {state}: stop that, or name another --state"
        ) from None
    except OSError as error:
        raise CannotServe(f"conversations cannot be kept in {state} ({error.strerror}): name a folder with --state") from None
    ready = settings.model_copy(
        update={"state_dir": state, "secrets_dir": None, "database_host": "127.0.0.1", "database_port": free_ports(1)[0]}
    )
    postgres = EmbeddedPostgres(ready)
    console.print(Text(f"Starting the embedded Postgres in {state} …", style="dim"))
    try:
        postgres.start()
        migrate(DATABASE, postgres.superuser_conninfo(DATABASE))
        yield ready
    finally:
        before = [(number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGINT, signal.SIGTERM)]
        postgres.stop()
        lock.close()
        for number, handler in before:
            signal.signal(number, handler)


def _check_database(settings: Settings) -> None:
    """Raises:
    CannotServe: the database that the environment names cannot be reached, or nobody has prepared it.
    """
    where = f"{settings.database_host}:{settings.database_port}"
    try:
        with psycopg.connect(conninfo(settings, Role.ASSISTANT)) as connection:
            found = connection.execute(
                "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = 'engine'"
            ).fetchone()
            ready = found == (True,) and connection.execute(f"SELECT to_regclass('{NEWEST}') IS NOT NULL").fetchone() == (True,)
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[-1]
        message = f"the database at {where} does not take the role {DATABASE} ({reason}): {EXTERNAL_DATABASE} names it, its password is the secret"
        raise CannotServe(f"{message} db_{DATABASE}. Without {EXTERNAL_DATABASE} an embedded one is started") from None
    if not ready:
        run = (
            f'tightrope engine migrate "host={settings.database_host} port={settings.database_port} dbname={DATABASE} user=OWNER"'
        )
        raise CannotServe(
            f"the database at {where} has not the tables of this version: run `{run}`, with its owner's password in PGPASSWORD"
        )


def prepare(where: str, console: Console) -> int:
    """Bring the assistant's database to the newest revision; the exit status.

    Args:
        where: libpq connection string of its owner or a superuser.
    """
    try:
        heads = migrate(DATABASE, where)
    except (psycopg.Error, SQLAlchemyError) as error:
        console.print(Text.assemble(("Not prepared: ", "bold red"), str(error).strip()))
        return 1
    console.print(f"Prepared: the database is at {', '.join(heads)}.")
    return 0


class _Nobody(httpx.AsyncBaseTransport):
    """Stands where no understanding server is named: every question fails at once."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no understanding server is named", request=request)


def _source(settings: Settings, wanted: Wanted, found: Checked, *, own: bool) -> Source:
    project = found.project
    assert project is not None  # noqa: S101 - asked by the caller
    nobody = not own and wanted.understanding_url is None and project.understanding_base is None
    return Source(
        settings,
        Path(project.root),
        wanted.config,
        own,
        understanding=_Nobody() if nobody else None,
        understanding_url=wanted.understanding_url,
        actions_url=wanted.actions_url,
    )


class _Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Any) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _run(settings: Settings, wanted: Wanted, own: bool, found: Checked, console: Console) -> None:
    _log(settings)
    app = AssistantApp(_source(settings, wanted, found, own=own))
    console.print()
    console.print(board(settings, wanted, found, app.began_with, own=own))

    def ready() -> None:
        url = f"http://{f'[{wanted.host}]' if ':' in wanted.host else wanted.host}:{wanted.port}"
        console.print(Text.assemble("\nReady: ", (url, "bold")))
        example = (
            f"""curl {url}/webhooks/rest/webhook -d '{{"sender": "me", "message": "{first_words(app.began_with.project)}"}}'"""
        )
        console.print(f"  {example}\n  Ctrl-C stops it.\n", soft_wrap=True, markup=False)

    server = _Server(
        uvicorn.Config(
            app, host=wanted.host, port=wanted.port, access_log=False, log_level="warning", proxy_headers=False,
            server_header=False, timeout_graceful_shutdown=3,
        ),
        ready,
    )  # fmt: skip
    server.run()


def _log(settings: Settings) -> None:
    configure_logging(DATABASE, settings)
    if sys.stderr.isatty():
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
                structlog.dev.ConsoleRenderer(),
            ]
        )
