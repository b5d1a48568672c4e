"""A fresh log on a fresh embedded Postgres, and the sealer as a process of its own: what the figures of the audit log are taken on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg

from tightrope.cli.demo import as_environment, temporary_settings
from tightrope.infra.migrate import migrate
from tightrope.infra.postgres import EmbeddedPostgres
from tightrope.infra.secrets import ensure_demo_secrets, ensure_secret
from tightrope.infra.settings import REPOSITORY, Settings

RELEASE = "r-0123456789abcdef"
READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class World:
    """An empty audit log: where it is, and its server."""

    settings: Settings
    postgres: EmbeddedPostgres

    def superuser(self) -> psycopg.Connection:
        """An autocommit connection that may do everything: to build what is synthetic and to read sizes."""
        return self.postgres.superuser("tightrope")

    def server(self) -> psutil.Process:
        """The database server's first process."""
        pid = int((self.postgres.data / "postmaster.pid").read_text().split()[0])
        return psutil.Process(pid)


@contextmanager
def fresh_world() -> Iterator[World]:
    """Postgres with every migration of Tightrope's own database, in a folder that goes away."""
    folder = Path(tempfile.mkdtemp(prefix="tightrope-bench-"))
    folder.chmod(0o711)
    settings = temporary_settings(folder).model_copy(update={"network_log": None, "demo_clock": None})
    ensure_demo_secrets(settings)
    for name in ("bot_access_token", "bot_webhook_secret"):
        ensure_secret(settings, name)
    world = World(settings, EmbeddedPostgres(settings))
    world.postgres.start()
    try:
        migrate("tightrope", world.postgres.superuser_conninfo("tightrope"))
        yield world
    finally:
        world.postgres.stop(mode="immediate")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def sealer(world: World, python: Sequence[str] = (sys.executable,)) -> Iterator[psutil.Process]:
    """The sealer as the demo starts it, from healthy until told to stop.

    Args:
        python: the interpreter with its options; a profiler can come between.
    """
    settings = world.settings
    settings.state_dir.joinpath("logs").mkdir(exist_ok=True)
    with settings.state_dir.joinpath("logs", "sealer.log").open("ab") as log:
        process = subprocess.Popen(
            [*python, "-m", "tightrope.cli.serve", "sealer"], cwd=REPOSITORY, env=_environment(settings), stdout=log, stderr=log
        )
    try:
        _wait(process, f"http://127.0.0.1:{settings.sealer_health_port}/health")
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(READY_SECONDS)


def _environment(settings: Settings) -> dict[str, str]:
    return {**os.environ, **as_environment(settings), "PYTHONPATH": str(REPOSITORY)}


def _wait(process: subprocess.Popen[bytes], health: str) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(health, timeout=1.0, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"the sealer did not become healthy (exit status {process.poll()}); see its log in the state folder")


def processor_seconds(process: psutil.Process, *, family: bool = False) -> float:
    """Processor time used so far; with `family` that of its children too, living and ended (a process keeps those that it has waited for)."""
    total = sum(process.cpu_times()[: 4 if family else 2])
    for child in process.children(recursive=True) if family else []:
        try:
            total += sum(child.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return total


def percentiles(values: Sequence[float]) -> str:
    """`p50 | p95 | p99 | max` in ms, as cells of a table."""
    ordered = sorted(values)
    if len(ordered) < 2:
        return "– | – | – | –"
    cuts = [ordered[min(len(ordered) - 1, round(len(ordered) * share))] for share in (0.50, 0.95, 0.99)]
    return " | ".join(f"{value * 1000:.1f}" for value in (*cuts, ordered[-1]))
