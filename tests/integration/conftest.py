"""A real S3 server with Object Lock for the session: Ceph. Skipped with one loud line where it is not installed; under CI that is a failure."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator

import pytest
from ceph_server import WITHOUT, CephServer, ceph_server, installed
from worm_account import Account

_skipped: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _skipped:
        text = f"WARNING: THE WORM STORE WAS NOT TESTED AGAINST A REAL SERVER ({len(_skipped)} tests): {WITHOUT}"
        terminalreporter.write_line(text, red=True, bold=True)


@pytest.fixture(scope="session")
def _ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CephServer | None]:
    if not installed():
        yield None
        return
    with ceph_server(tmp_path_factory.mktemp("ceph") / "c") as server:
        yield server


@pytest.fixture
def ceph(request: pytest.FixtureRequest, _ceph: CephServer | None) -> CephServer:
    if _ceph is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"under CI the WORM store must be tested against a real server, but {WITHOUT}")
        _skipped.append(request.node.nodeid)
        pytest.skip(WITHOUT)
    return _ceph


@pytest.fixture
def account(ceph: CephServer, request: pytest.FixtureRequest) -> Account:
    """A fresh account for each test: some tests destroy theirs."""
    return Account(ceph, f"t{zlib.crc32(request.node.nodeid.encode())}")
