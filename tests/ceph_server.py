"""A real S3 server with Object Lock for tests: Ceph (mon, osd, radosgw) from Debian's packages, on loopback, in a folder of its own.

Every daemon runs in the foreground as our child and is stopped by its process id. Set-up points that cost time to find: everything is bound to
loopback, one copy of everything is allowed, cephx stays on (without it radosgw hangs), and no administration socket (its path may be too long).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from loopback import free_port

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "ceph-authtool", "monmaptool")
WITHOUT = "Ceph is not installed (Debian, as root: bash deploy/ceph/install.sh --install)"
START_SECONDS = 120.0
_CAPS = {
    "osd.0": ("mon", "allow profile osd", "osd", "allow *"),
    "client.rgw": ("mon", "allow rw", "osd", "allow rwx"),
}


def installed() -> bool:
    """Whether every program of Ceph that is needed is here."""
    return all(shutil.which(name) for name in PROGRAMS)


class CephFailed(Exception):
    """A command of Ceph failed, or a daemon did not come up; holds what it said."""


@dataclass
class CephServer:
    """A running cluster.

    Attributes:
        url: the S3 endpoint.
    """

    folder: Path
    port: int
    processes: list[subprocess.Popen] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str, **kwargs) -> str:
        """Run one of Ceph's programs against this cluster and give its output."""
        program, *rest = arguments
        done = subprocess.run(
            [program, "-c", str(self.folder / "ceph.conf"), *rest],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            **kwargs,
        )
        if done.returncode != 0:
            raise CephFailed(f"{' '.join(arguments)}: {done.stderr[-2000:]}")
        return done.stdout

    def admin(self, *arguments: str) -> str:
        """`radosgw-admin`: what the operator behind the S3 interface can do."""
        return self.command("radosgw-admin", *arguments)

    def user(self, name: str) -> tuple[str, str]:
        """Make a user and give its access key and secret key."""
        made = json.loads(self.admin("user", "create", "--uid", name, "--display-name", name))
        return made["keys"][0]["access_key"], made["keys"][0]["secret_key"]

    def version(self) -> str:
        """What `radosgw --version` says, such as `16.2.15`."""
        return self.command("radosgw", "--version").split()[2]

    def start(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen:
        """Start a daemon in the foreground, as a child."""
        log = (self.folder / f"{arguments[0]}-{len(self.processes)}.out").open("wb")
        process = subprocess.Popen(
            [arguments[0], "-c", str(self.folder / "ceph.conf"), "-f", *arguments[1:]],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        log.close()
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """Stop every daemon, the gateway first."""
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)

    def wait_for_gateway(self, process: subprocess.Popen, url: str) -> None:
        """Until the gateway answers.

        Raises:
            CephFailed: it ended, or did not answer in time.
        """
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if process.poll() is not None:
                break
            try:
                httpx.get(url, timeout=2, trust_env=False)
            except httpx.HTTPError:
                time.sleep(0.25)
            else:
                return
        out = "".join(path.read_text(errors="replace")[-1500:] for path in sorted(self.folder.glob("*.out")))
        raise CephFailed(f"radosgw did not come up: {out}")


@contextmanager
def ceph_server(folder: Path) -> Iterator[CephServer]:
    """A cluster of one, for the time of the block."""
    server = CephServer(folder, free_port())
    try:
        _bring_up(server)
        yield server
    finally:
        server.stop()


def _bring_up(server: CephServer) -> None:
    folder = server.folder
    fsid = str(uuid.uuid4())
    mon = f"[v2:127.0.0.1:{free_port()},v1:127.0.0.1:{free_port()}]"
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir(parents=True)
    (folder / "ceph.conf").write_text(_configuration(folder, fsid, mon, server.port))
    keyring = str(folder / "keyring")
    admin_caps = [part for kind in ("mon", "osd", "mgr") for part in ("--cap", kind, "allow *")]
    _plain("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    _plain("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *admin_caps)
    _plain("monmaptool", "--create", "--addv", "a", mon, "--fsid", fsid, str(folder / "monmap"))
    server.command("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(folder / "monmap"), "--keyring", keyring)
    server.start("ceph-mon", "-i", "a")
    osd_id = str(uuid.uuid4())
    server.command("ceph", "osd", "new", osd_id)
    for name, caps in _CAPS.items():
        where = folder / ("osd" if name == "osd.0" else "rgw") / "keyring"
        server.command("ceph", "auth", "get-or-create", name, *caps, "-o", str(where))
    server.command("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd_id)
    server.start("ceph-osd", "-i", "0")
    gateway = server.start("radosgw", "-n", "client.rgw")
    server.wait_for_gateway(gateway, server.url)


def _plain(*arguments: str) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise CephFailed(f"{' '.join(arguments)}: {done.stderr[-2000:]}")


def _configuration(folder: Path, fsid: str, mon: str, port: int) -> str:
    return f"""\
[global]
fsid = {fsid}
mon host = {mon}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/keyring
run dir = {folder}
admin socket =
log file = {folder}/$name.log
mon cluster log file = {folder}/cluster.log
crash dir = {folder}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
mon allow pool size one = true
osd crush chooseleaf type = 0
mon max pg per osd = 1000
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
keyring = {folder}/osd/keyring
osd objectstore = bluestore
bluestore block size = 4294967296
osd memory target = 939524096
[client.rgw]
keyring = {folder}/rgw/keyring
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
"""
