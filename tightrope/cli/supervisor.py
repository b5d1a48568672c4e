"""Starts the demo's processes, keeps them running, stops them. Each part's output goes to `<state_dir>/logs/<part>.log`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tightrope.cli.parts import PORT_SETTINGS, Part

RESTART_SECONDS = 1.0
STOP_SECONDS = 8.0


class PortTaken(RuntimeError):
    """Some port that the demo needs is in use; the message says which and what to do."""


class PartFailed(RuntimeError):
    """A part did not become healthy; the message has the end of its log."""


def check_ports(wanted: dict[str, int]) -> None:
    """Raises:
    PortTaken: names every port that is in use, by what as far as it tells, and the setting that moves it.
    """
    taken = [(name, port) for name, port in wanted.items() if _in_use(port)]
    if not taken:
        return
    lines = ["The demo needs ports that are in use:"]
    for name, port in taken:
        who = " by another Tightrope demo" if _is_ours(port) else ""
        lines.append(f"  {port} ({name}){who}; to move it: {' '.join(f'{s}=…' for s in PORT_SETTINGS.get(name, ()))}")
    lines.append(
        "Stop the program that holds the port (`ss -ltnp` shows it), set another port, or run `make demo CHECK=1`, which takes free ports."
    )
    raise PortTaken("\n".join(lines))


def free_ports(count: int) -> list[int]:
    """Ports that are free now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _is_ours(port: int) -> bool:
    try:
        return "part" in httpx.get(f"http://127.0.0.1:{port}/health", timeout=0.5, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return False


class Supervisor:
    """The processes of one demo. A part that ends by itself is started again."""

    def __init__(self, environment: dict[str, str], logs: Path) -> None:
        self._environment = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
        self._logs = logs
        self._logs.mkdir(parents=True, exist_ok=True)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stopping = threading.Event()
        self._keeper: threading.Thread | None = None

    def start(self, name: str) -> None:
        """Start one part."""
        with (self._logs / f"{name}.log").open("ab") as log:
            # A session of its own, so that Ctrl-C reaches only the supervisor, which stops the parts in order.
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "tightrope.cli.serve", name],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def pids(self) -> dict[str, int]:
        """Process ids by part."""
        return {name: process.pid for name, process in self._processes.items()}

    def wait_healthy(self, part: Part, deadline: float, progress: Callable[[str], None] | None = None) -> None:
        """Wait until the part answers 200.

        Args:
            deadline: on `time.monotonic()`.

        Raises:
            PartFailed: it ended, or was not healthy in time.
        """
        while time.monotonic() < deadline:
            process = self._processes[part.name]
            if process.poll() is not None:
                raise PartFailed(f"{part.name} ended with exit code {process.returncode}.\n{self._tail(part.name)}")
            try:
                if httpx.get(part.health, timeout=1.0, trust_env=False).status_code == httpx.codes.OK:
                    if progress:
                        progress(part.name)
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.08)
        raise PartFailed(f"{part.name} was not healthy in time.\n{self._tail(part.name)}")

    def keep_running(self) -> None:
        """Start parts again that end by themselves, until `stop`."""
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def stop(self) -> None:
        """Stop every part, the newest first: ask, then insist."""
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.join(timeout=3)
        for process in reversed(list(self._processes.values())):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(2)

    def _keep(self) -> None:
        while not self._stopping.wait(RESTART_SECONDS / 4):
            for name, process in list(self._processes.items()):
                if process.poll() is not None and not self._stopping.wait(RESTART_SECONDS):
                    with (self._logs / "supervisor.log").open("a") as log:
                        log.write(f"{name} ended with {process.returncode}; started again\n")
                    self.start(name)

    def _tail(self, name: str) -> str:
        path = self._logs / f"{name}.log"
        lines = path.read_text(errors="replace").splitlines()[-12:] if path.exists() else []
        return f"The end of {path}:\n  " + "\n  ".join(lines)
