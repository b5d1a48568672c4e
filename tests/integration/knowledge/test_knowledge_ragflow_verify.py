"""`make ragflow-verify`: says plainly when it did not run, plays the contract against a server by its URL, fails only on failures."""

from __future__ import annotations

import asyncio
import getpass
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tightrope.infra.settings import REPOSITORY, Settings

pytestmark = pytest.mark.integration
SCRIPT = REPOSITORY / "deploy" / "ragflow" / "verify.sh"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("RAGFLOW_")}
    whole = clean | {"PYTHON": sys.executable, "PYTHONPATH": str(REPOSITORY)} | environment
    return subprocess.run([SCRIPT, *arguments], env=whole, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize(
    "environment",
    [{}, {"RAGFLOW_URL": "http://127.0.0.1:1"}, {"RAGFLOW_KEY": "ragflow-x"}, {"RAGFLOW_URL": "", "RAGFLOW_KEY": "ragflow-x"}],
    ids=["neither", "no key", "no url", "empty url"],
)
def test_without_url_and_key_it_says_that_it_did_not_run_and_succeeds(environment: dict[str, str]):
    done = run(**environment)
    assert done.returncode == 0
    assert "DID NOT RUN" in done.stderr
    assert done.stdout == ""


def test_a_server_that_is_not_there_is_a_failure():
    done = run(RAGFLOW_URL="http://127.0.0.1:1", RAGFLOW_KEY="ragflow-x")
    assert done.returncode != 0
    assert "DID NOT RUN" not in done.stderr
    assert "can it be reached from here?" in done.stderr


async def test_against_the_embedded_server_as_a_foreign_one_it_passes_and_says_that_it_was_no_ragflow(
    served: str, database: Settings, tmp_path: Path
):
    key = database.secret("knowledge_api_key").get_secret_value()
    shared = tmp_path / f"pytest-of-{getpass.getuser()}"
    shared.mkdir()
    shared.chmod(0o755)
    done = await asyncio.to_thread(run, RAGFLOW_URL=served, RAGFLOW_KEY=key, PYTEST_DEBUG_TEMPROOT=str(tmp_path))
    assert done.returncode == 0, done.stdout
    assert " failed" not in done.stdout
    assert "NO real RAGFlow was tested" in done.stderr
    assert shared.stat().st_mode & 0o777 == 0o755, (
        "pytest closed the folder that its runs share: a Postgres of another user may live there"
    )


class _Liar(BaseHTTPRequestHandler):
    """Names a good version, and then takes every request for granted."""

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        self.rfile.read(length)
        body = b'{"code":0,"data":"v0.27.3"}' if self.path.endswith("/version") else b'{"code":0,"data":[]}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_PATCH = do_PUT = do_GET  # noqa: N815 - names of http.server

    def log_message(self, *args: object) -> None:
        """Silent."""


@pytest.fixture
def liar() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Liar) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_server_that_breaks_the_contract_is_a_failure(liar: str):
    done = run("-k", "wrong_key", RAGFLOW_URL=liar, RAGFLOW_KEY="ragflow-x")
    assert done.returncode != 0
    assert "1 failed" in done.stdout
    assert "keeps the contract" not in done.stdout


def test_a_run_in_which_no_test_ran_is_a_failure(liar: str):
    assert run("-k", "nothing_is_called_this", RAGFLOW_URL=liar, RAGFLOW_KEY="ragflow-x").returncode != 0
