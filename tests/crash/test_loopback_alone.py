"""Nothing leaves the building, checked from outside our own code: the whole demo in a network namespace that has loopback and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

# Loopback is brought up by ioctl: `ip` need not be installed.
INSIDE = """
import fcntl, socket, struct, sys
from rich.console import Console
from tightrope.cli.check import run_check
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))
sys.exit(run_check(Console(width=120)))
"""


def namespaces_work() -> bool:
    """Whether this machine lets us make a network namespace."""
    return (
        shutil.which("unshare") is not None
        and subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0
    )


def test_demo_passes_with_loopback_alone(tmp_path: Path) -> None:
    if not namespaces_work() and os.environ.get("CI") != "true":
        pytest.skip(
            "NOT CHECKED: no network namespace can be made here (needs root and `unshare`), so nothing proves that the demo needs loopback alone"
        )
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", INSIDE], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "0 outside this machine" in done.stdout
