"""The files of deploy/vllm as tests read them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

VLLM = Path(__file__).resolve().parents[3] / "deploy" / "vllm"
PROFILES = sorted((VLLM / "profiles").glob("*.env"))
FINGERPRINT = "3f9c1ab04e77" + "0" * 52
SITE = {"MODEL_DIR": "/models/one", "TIGHTROPE_MODEL_FINGERPRINT": FINGERPRINT, "VLLM_API_KEY": "key-of-a-test"}


def env_of(path: Path) -> dict[str, str]:
    """A file of NAME=value lines, as systemd and compose read it."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Z_0-9]+=\S+", line) for line in lines), path.name
    return dict(line.split("=", 1) for line in lines)


def serve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """serve.sh with exactly this environment."""
    command = ["bash", str(VLLM / "serve.sh"), *arguments]
    return subprocess.run(
        command, check=False, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, timeout=30
    )


def flags_of(profile: Path) -> dict[str, str]:
    """Flag -> value ("" where it has none) of the command line that a profile gives."""
    done = serve("--print", **env_of(profile), **SITE)
    assert done.returncode == 0, done.stderr
    words = done.stdout.splitlines()
    assert words[:3] == ["vllm", "serve", "/models/one"]
    flags: dict[str, str] = {}
    for at, word in enumerate(words[3:], start=3):
        if word.startswith("--"):
            assert word not in flags, f"{word} twice"
            following = words[at + 1] if at + 1 < len(words) else "--"
            flags[word] = "" if following.startswith("--") else following
    return flags
