"""Every connection and name look-up that a process attempts, written down: the first form of the proof that nothing leaves the building.

Python's audit hooks see the sockets that the interpreter opens, whatever library asks for them. Libraries in C go past them: so the
outbound client notes each host itself (`tightrope.infra.http`), and so do database connections (`tightrope.infra.database`). Two checks do
not depend on our own word: `kernel_targets` asks the kernel, and the whole demo also runs in a network namespace with the loopback
interface alone (tests/crash).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

_EVENTS = {
    "socket.connect": "connect",
    "socket.getaddrinfo": "lookup",
    "socket.gethostbyname": "lookup",
    "socket.sendto": "connect",
}
_state: dict[str, Any] = {"file": None, "part": "", "seen": set()}


def install(path: Path, part: str) -> None:
    """Append each new target of this process to `path`, one JSON object a line. Cannot be undone, as audit hooks cannot."""
    _state["file"] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _state["part"] = part
    sys.addaudithook(_hook)


def note(kind: str, host: str, port: int | str | None) -> None:
    """Write one target down, once per process."""
    if _state["file"] is None or (kind, host, port) in _state["seen"]:
        return
    _state["seen"].add((kind, host, port))
    line = json.dumps({"part": _state["part"], "kind": kind, "host": host, "port": port})
    os.write(_state["file"], line.encode() + b"\n")


def _hook(event: str, args: tuple[Any, ...]) -> None:
    kind = _EVENTS.get(event)
    if kind is None:
        return
    if event in {"socket.connect", "socket.sendto"}:
        address = args[1]
        if isinstance(address, tuple) and len(address) >= 2:
            note(kind, str(address[0]), address[1])
        return
    note(kind, str(args[0]), str(args[1]) if len(args) > 1 else None)


def read(path: Path) -> list[dict[str, Any]]:
    """All targets that were written down."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    return host in {"localhost", "::1", "None", "0.0.0.0", ""} or host.startswith(("127.", "::ffff:127."))  # noqa: S104 - a name looked up for listening


def kernel_targets(pids: Iterable[int]) -> set[tuple[str, int]]:
    """Remote addresses (host, port) that these processes and their children are connected or connecting to, as the kernel has it."""
    found: set[tuple[str, int]] = set()
    for pid in pids:
        try:
            leader = psutil.Process(pid)
            processes = [leader, *leader.children(recursive=True)]
            connections = [c for process in processes for c in process.net_connections(kind="inet")]
        except psutil.Error:
            continue
        # Sockets that only listen have an empty remote address.
        found |= {(c.raddr.ip, c.raddr.port) for c in connections if hasattr(c.raddr, "ip")}
    return found
