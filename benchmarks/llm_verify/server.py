"""A real vLLM, started as an operator starts it: `tightrope model import`, then deploy/vllm/serve.sh, which checks every byte. On a socket, no port."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pydantic import SecretStr

from tightrope.generation import model_files
from tightrope.generation.manifest import ModelManifest
from tightrope.infra.settings import REPOSITORY, Settings

KEY = "key-of-llm-verify"
REVISION = "0" * 40
"""These weights come from no repository."""
IN_FLIGHT = 12
"""Bound of requests that are held; what is beyond is shed."""
START_SECONDS = 400


class NotServed(RuntimeError):
    """vLLM did not start, or serve.sh refused; the log says why."""


@dataclass
class Served:
    """One vLLM at a time, over one model's folder."""

    venv: Path
    folder: Path
    name: str
    work: Path
    manifest: ModelManifest = field(init=False)
    process: subprocess.Popen[bytes] | None = None
    started_in: float = 0.0

    def __post_init__(self) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        found = model_files.survey(self.folder)
        if model_files.has_manifest(self.folder):
            self.manifest = model_files.check(self.folder, found)
        else:
            self.manifest = model_files.make(
                self.folder, found, name=self.name, repository="made by make llm-verify", revision=REVISION
            )

    @property
    def socket(self) -> Path:
        return self.work / f"{self.name}.sock"

    @property
    def log(self) -> Path:
        return self.work / f"{self.name}.log"

    def environment(self) -> dict[str, str]:
        """What profile, common.env and site.env would give."""
        common = (REPOSITORY / "deploy/vllm/common.env").read_text(encoding="utf-8").splitlines()
        kept = {"PATH": f"{(self.venv / 'bin').resolve()}:{os.environ['PATH']}", "HOME": str(self.work.resolve())}
        return {
            **kept,
            **dict(line.split("=", 1) for line in common if line and not line.startswith("#")),
            "PROFILE": "llm-verify",
            "MODEL": self.name,
            "QUANTIZATION": "none",
            "GPUS": "1",
            "MAX_MODEL_LEN": "8192" if "tiny" in self.name else "2048",
            "MAX_NUM_SEQS": "8",
            "MAX_IN_FLIGHT": str(IN_FLIGHT),
            "DTYPE": "float32",
            "ENFORCE_EAGER": "1",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
            "VLLM": str((self.venv / "bin" / "vllm").resolve()),
            "SOCKET": str(self.socket.resolve()),
            "MODEL_DIR": str(self.folder.resolve()),
            "TIGHTROPE_MODEL_FINGERPRINT": self.manifest.sha256,
            "VLLM_API_KEY": KEY,
        }

    def start(self) -> float:
        """Start and wait until it answers; seconds that it took.

        Raises:
            NotServed: it ended, or did not answer in time.
        """
        began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", str(REPOSITORY / "deploy/vllm/serve.sh")],
                env=self.environment(), stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.socket)), base_url="http://model", timeout=2) as client:
            while time.monotonic() - began < START_SECONDS:
                if self.process.poll() is not None:
                    raise NotServed(f"vLLM ended with {self.process.returncode}: {self.tail()}")
                try:
                    if client.get("/health").status_code == 200:
                        self.started_in = time.monotonic() - began
                        return self.started_in
                except httpx.TransportError:
                    pass
                time.sleep(0.5)
        raise NotServed(f"vLLM did not answer within {START_SECONDS} s: {self.tail()}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> float:
        """End it with all of its processes; seconds that it took."""
        if self.process is None:
            return 0.0
        began = time.monotonic()
        # Says nothing to one that has ended; its engine may run all the same, see below.
        self.process.send_signal(how)
        try:
            self.process.wait(45)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # The engine is a process of its own: after a kill of the server it may be left over.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return time.monotonic() - began

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-1500:] if self.log.exists() else ""

    def transport(self) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(uds=str(self.socket))

    def settings(self, **changes: object) -> Settings:
        """Settings of a Tightrope that this server answers to."""
        named = {
            "model_url": "http://127.0.0.1:8000/v1",
            "model_name": self.manifest.served_name,
            "model_fingerprint": self.manifest.sha256,
            "model_key": SecretStr(KEY),
            "model_seconds": 60.0,
            "model_constraint": "structured_outputs",
            "secrets_dir": self.work,
        }
        return Settings(**{**named, **changes})  # type: ignore[arg-type]


def copy_of(folder: Path, to: Path) -> Path:
    """A copy of a model's folder, to be spoilt."""
    if to.exists():
        shutil.rmtree(to)
    return Path(shutil.copytree(folder, to))
