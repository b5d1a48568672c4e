"""The witness as internal audit runs it: a process of its own, started, and killed without warning."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from tightrope.infra.settings import REPOSITORY


@dataclass
class WitnessProcess:
    """One witness on a folder and a port."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its submission prefix."""
        return f"http://127.0.0.1:{self.port}"

    def init(self) -> str:
        """Make its key; returns the vkey."""
        command = self._command("init", "--name", "audit.example/witness")
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True, text=True).stdout.strip()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(
            self._command("serve", "--port", str(self.port)), cwd=REPOSITORY, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{self.url}/health", timeout=1, trust_env=False)
            except httpx.HTTPError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the witness did not start")

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tightrope.audit.witness", arguments[0], "--state", str(self.folder), *arguments[1:]]
