"""Settings, secrets, clocks, health, logs and the network log."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tightrope.infra import network_log
from tightrope.infra.clock import DemoClock, FixedClock, SystemClock, clock_from
from tightrope.infra.health import health_app, health_body
from tightrope.infra.secrets import DEMO_SECRETS, ensure_secret
from tightrope.infra.settings import Settings

PRODUCTION = {
    "mode": "production",
    "secrets_dir": Path("/run/secrets"),
    "brokerage_url": "https://core.firm.test/api",
    "identity_issuer": "https://id.firm.test",
    "portal_public_url": "https://www.firm.test",
}


def test_production_accepts_the_firms_own_addresses() -> None:
    assert Settings(**PRODUCTION).mode == "production"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"brokerage_url": "http://127.0.0.1:8100/brokerage"}, "sandbox"),
        ({"identity_issuer": "http://localhost:8100/identity"}, "sandbox"),
        ({"portal_public_url": "http://localhost:8100"}, "sandbox"),
        ({"demo_clock": Path("clock")}, "demo clock"),
        ({"secrets_dir": None}, "SECRETS_DIR"),
    ],
)
def test_production_refuses_what_belongs_to_the_demo(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Settings(**(PRODUCTION | changed))


def test_missing_secret_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="audit_master_key"):
        Settings(state_dir=tmp_path).secret("audit_master_key")


def test_demo_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    first = ensure_secret(settings, "x").get_secret_value()
    assert ensure_secret(settings, "x").get_secret_value() == first
    assert stat.S_IMODE((settings.secrets_path / "x").stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.secrets_path.stat().st_mode) == 0o700


def test_every_demo_secret_is_different_and_hard_to_guess() -> None:
    values = [make() for make in DEMO_SECRETS.values()]
    assert len(set(values)) == len(values)
    assert all(len(value) >= 32 for value in values)


def test_production_makes_no_secret() -> None:
    with pytest.raises(SystemExit):
        ensure_secret(Settings(**PRODUCTION), "audit_master_key")


def test_demo_clock_runs_ahead_by_what_its_file_says(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    clock = DemoClock(path)
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 5
    path.write_text("3600")
    assert 3590 < (clock.now() - datetime.now(UTC)).total_seconds() < 3610
    path.unlink()
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 5


def test_clock_is_the_systems_unless_a_demo_clock_is_set(tmp_path: Path) -> None:
    assert isinstance(clock_from(Settings()), SystemClock)
    assert isinstance(clock_from(Settings(demo_clock=tmp_path / "c")), DemoClock)
    assert SystemClock().now().tzinfo is UTC


def test_fixed_clock_stands_until_told() -> None:
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(90)
    assert clock.now() == datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC)


async def test_health_says_what_is_wrong() -> None:
    async def well() -> None:
        return None

    async def ill() -> str:
        return "the database is away"

    async def broken() -> str:
        raise ConnectionError("refused")

    assert await health_body("x", "r-1", well) == (200, {"status": "ok", "part": "x", "version": "0.1.0", "release": "r-1"})
    assert (await health_body("x", None, ill))[1]["detail"] == "the database is away"
    status, body = await health_body("x", None, broken)
    assert (status, body["detail"]) == (503, "ConnectionError: refused")


async def test_little_health_server_answers_nothing_else() -> None:
    async def well() -> None:
        return None

    async def ask(path: str) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await health_app("worker", "r-1", well)({"type": "http", "path": path}, None, send)
        return sent

    assert [m.get("status") for m in await ask("/health")] == [200, None]
    assert (await ask("/secrets"))[0]["status"] == 404


def test_network_log_notes_connections_and_lookups_of_a_process(tmp_path: Path) -> None:
    path = tmp_path / "network.jsonl"
    code = f"""
import socket
from pathlib import Path
from tightrope.infra import network_log
network_log.install(Path({str(path)!r}), "probe")
for attempt in range(2):
    try:
        socket.create_connection(("127.0.0.1", 1), timeout=1)
    except OSError:
        pass
try:
    socket.getaddrinfo("elsewhere.invalid", 443)
except OSError:
    pass
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    noted = network_log.read(path)
    assert {"part": "probe", "kind": "connect", "host": "127.0.0.1", "port": 1} in noted
    assert any(n["kind"] == "lookup" and n["host"] == "elsewhere.invalid" for n in noted)
    assert len({json.dumps(n) for n in noted}) == len(noted), "each target once"
    assert network_log.read(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("host", "loopback"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("10.0.0.1", False), ("example.com", False)]
)
def test_loopback_is_this_machine_alone(host: str, loopback: bool) -> None:
    assert network_log.is_loopback(host) is loopback
