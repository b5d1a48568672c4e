"""The demo: every part as a process of its own over an embedded Postgres, kept in one state folder."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx

from tightrope.cli.parts import Part, parts_of
from tightrope.cli.supervisor import PortTaken, Supervisor, check_ports, free_ports
from tightrope.infra.http import outbound_client
from tightrope.infra.migrate import PARTS, migrate
from tightrope.infra.postgres import EmbeddedPostgres
from tightrope.infra.secrets import ensure_demo_secrets, write_secret
from tightrope.infra.settings import Settings

START_SECONDS = 75.0

Progress = Callable[[str, str], None]
"""Called with (what, state): ("postgres", "starting" | "ready"), (part, "starting" | "ready")."""


def _quiet(_what: str, _state: str) -> None:
    return


class Demo:
    """One demo. `start` and `stop`; the settings tell where everything is.

    Args:
        settings: ports and state folder.
        progress: told what starts and what is ready.
        environment: more variables for the processes, as tests need them.
    """

    def __init__(self, settings: Settings, progress: Progress = _quiet, environment: dict[str, str] | None = None) -> None:
        self.settings = settings
        self.parts = parts_of(settings)
        self.postgres = EmbeddedPostgres(settings)
        self.supervisor = Supervisor({**as_environment(settings), **(environment or {})}, settings.state_dir / "logs")
        self._progress = progress
        self._lock: IO[str] | None = None
        self._postgres_started = False

    def start(self, *, keep_running: bool = True) -> None:
        """Start everything and wait until it is healthy.

        Raises:
            PortTaken, PartFailed, PostgresFailed: with what to do.
        """
        settings = self.settings
        settings.state_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._lock = lock_state(settings.state_dir)
        check_ports(
            {
                **{part.name: part.port for part in self.parts},
                **({} if self.postgres.running() else {"postgres": settings.database_port}),
            }
        )
        ensure_demo_secrets(settings)
        known = all((settings.secrets_path / name).exists() for name in ("bot_access_token", "bot_webhook_secret"))
        # What needs no database starts while Postgres does.
        early = {"understanding"}
        self._start([p for p in self.parts if p.name in early])
        self._progress("postgres", "starting")
        self._postgres_started = True
        self.postgres.start()
        self._migrate()
        self._progress("postgres", "ready")
        self._start([p for p in self.parts if p.name not in early and (known or not p.needs_bot)])
        deadline = time.monotonic() + START_SECONDS
        if not known:
            self._wait([p for p in self.parts if p.name == "inbox"], deadline)
            register_bot(settings)
            self._start([p for p in self.parts if p.needs_bot])
        self._wait([p for p in self.parts if p.name == "knowledge"], deadline)
        self._progress("documents", "starting")
        asyncio.run(_publish(settings))
        self._progress("documents", "ready")
        self._wait(list(self.parts), deadline)
        if keep_running:
            self.supervisor.keep_running()

    def stop(self) -> None:
        """Stop every process that this demo started, the database last."""
        if self._lock is None:
            return
        self.supervisor.stop()
        if self._postgres_started:
            self.postgres.stop()
        self._lock.close()
        self._lock = None

    def _start(self, parts: list[Part]) -> None:
        for part in parts:
            self._progress(part.name, "starting")
            self.supervisor.start(part.name)

    def _wait(self, parts: list[Part], deadline: float) -> None:
        def ready(name: str) -> None:
            self._progress(name, "ready")

        with ThreadPoolExecutor(len(parts)) as threads:
            for waiting in [threads.submit(self.supervisor.wait_healthy, part, deadline, ready) for part in parts]:
                waiting.result()

    def _migrate(self) -> None:
        for name in PARTS:
            migrate(name, self.postgres.superuser_conninfo(name))


async def _publish(settings: Settings) -> None:
    from tightrope.knowledge.publish import ensure_published
    from tightrope.knowledge.publishing.record import Audited

    await ensure_published(settings, witness=Audited(settings), by="demo")


def lock_state(state: Path) -> IO[str]:
    """Hold the state folder for this demo alone, for as long as the returned file is open.

    Raises:
        PortTaken: another demo runs in this folder.
    """
    file = (state / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise PortTaken(
            f"A demo is already running in {state}. `tightrope status` shows it; stop it with Ctrl-C in its terminal."
        ) from None
    return file


def register_bot(settings: Settings) -> None:
    """Make our agent bot in the inbox through Chatwoot's API, connect it, and keep its token and webhook secret.

    Raises:
        RuntimeError: the inbox refused; with its answer.
    """
    asyncio.run(_register_bot(settings))


async def _register_bot(settings: Settings) -> None:
    headers = {"api_access_token": settings.secret("inbox_admin_token").get_secret_value()}
    base = f"/api/v1/accounts/{settings.inbox_account}"
    async with outbound_client(settings, purpose="Chatwoot set-up", base_url=settings.inbox_url, headers=headers) as http:

        async def call(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
            response = await http.request(method, base + path, json=body)
            if response.status_code >= 300:
                raise RuntimeError(f"Chatwoot refused {method} {path}: {response.status_code} {response.text[:200]}")
            return response.json() if response.content.strip() else None

        bot = await call(
            "POST",
            "/agent_bots",
            {
                "name": "智能客服 Automated assistant",
                "description": "Tightrope",
                "outgoing_url": f"{settings.gateway_url}/chatwoot/webhook",
                "bot_type": "webhook",
            },
        )
        inboxes = await call("GET", "/inboxes")
        for inbox in inboxes["payload"]:
            await call("POST", f"/inboxes/{inbox['id']}/set_agent_bot", {"agent_bot": bot["id"]})
        write_secret(settings, "bot_access_token", bot["access_token"])
        write_secret(settings, "bot_webhook_secret", bot["secret"])


def as_environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, for child processes."""
    values = settings.model_dump(exclude_none=True)
    return {f"TIGHTROPE_{name.upper()}": str(value) for name, value in values.items()}


def temporary_settings(state: Path, base: Settings | None = None) -> Settings:
    """Settings on free ports over a state folder: for checks and tests."""
    base = base or Settings()
    inbox, sandbox, knowledge, understanding, actions, assistant, gateway, worker, sealer, console, postgres = free_ports(11)
    return base.model_copy(
        update={
            "state_dir": state,
            "demo_clock": state / "clock",
            "network_log": state / "network.jsonl",
            "database_port": postgres,
            "inbox_url": f"http://127.0.0.1:{inbox}",
            "inbox_public_url": f"http://localhost:{inbox}",
            "brokerage_url": f"http://127.0.0.1:{sandbox}/brokerage",
            "identity_issuer": f"http://localhost:{sandbox}/identity",
            "identity_internal_url": f"http://127.0.0.1:{sandbox}/identity",
            "portal_public_url": f"http://localhost:{sandbox}",
            "portal_internal_url": f"http://127.0.0.1:{sandbox}",
            "knowledge_url": f"http://127.0.0.1:{knowledge}",
            "understanding_url": f"http://127.0.0.1:{understanding}/v1",
            "actions_url": f"http://127.0.0.1:{actions}/webhook",
            "assistant_url": f"http://127.0.0.1:{assistant}",
            "gateway_url": f"http://127.0.0.1:{gateway}",
            "gateway_public_url": f"http://localhost:{gateway}",
            "worker_health_port": worker,
            "sealer_health_port": sealer,
            "console_port": console,
            "console_public_url": f"http://localhost:{console}",
        }
    )


@contextmanager
def temporary_demo(progress: Progress = _quiet, environment: dict[str, str] | None = None) -> Iterator[Demo]:
    """A demo on free ports in a folder that goes away; always stopped."""
    state = Path(tempfile.mkdtemp(prefix="tightrope-"))
    state.chmod(0o711)
    demo = Demo(temporary_settings(state), progress, environment)
    try:
        demo.start()
        yield demo
    finally:
        demo.stop()
        shutil.rmtree(state, ignore_errors=True)


def running(settings: Settings) -> bool:
    """Whether a demo answers on the settings' ports."""
    try:
        return httpx.get(f"{settings.gateway_url}/health", timeout=1.0, trust_env=False).status_code < 600
    except httpx.HTTPError:
        return False
