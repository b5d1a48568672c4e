"""Fixtures that all tests share: settings that touch nothing of the machine's, a fixed clock, and a real Postgres."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from event_schemas import watch_recorder
from hypothesis import HealthCheck
from hypothesis import settings as properties
from loopback import free_port

from tightrope.infra.clock import FixedClock
from tightrope.infra.settings import Settings

# A slow machine is no failure: speed is measured in benchmarks/ alone.
properties.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
properties.load_profile("any-machine")

for _name in [name for name in os.environ if name.startswith("TIGHTROPE_")]:
    del os.environ[_name]


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Consoles are wide: no sentence is folded because a temporary folder has a long name. What pytest itself shows stays as wide as it was."""
    if config.pluginmanager.has_plugin("terminalreporter"):
        writer = config.get_terminal_writer()
        writer.fullwidth = writer.fullwidth
    os.environ["COLUMNS"] = "400"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Unit tests open no sockets; everything else may use loopback only."""
    from pytest_socket import disable_socket, socket_allow_hosts

    if "tests/unit/" in item.path.as_posix():
        disable_socket(allow_unix_socket=True)
    else:
        socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)


def pytest_runtest_teardown() -> None:
    from pytest_socket import _remove_restrictions

    _remove_restrictions()


@pytest.fixture(scope="session", autouse=True)
def _every_record_fits_its_schema() -> Iterator[None]:
    """Whatever our code records while tests run is held against contracts/audit/events; at run time nobody does."""
    end = watch_recorder()
    yield
    end()


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at a trading morning in Shanghai (10:31)."""
    return FixedClock(datetime(2026, 11, 20, 2, 31, tzinfo=UTC))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose state lies in a temporary folder, with all demo secrets made."""
    from tightrope.infra.secrets import ensure_demo_secrets, ensure_secret

    made = Settings(state_dir=tmp_path / "state")
    ensure_demo_secrets(made)
    for name in ("bot_access_token", "bot_webhook_secret"):
        ensure_secret(made, name)
    return made


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a running embedded Postgres with every migration applied; one server per test session."""
    from tightrope.infra.migrate import PARTS, migrate
    from tightrope.infra.postgres import EmbeddedPostgres
    from tightrope.infra.secrets import ensure_demo_secrets, ensure_secret

    made = Settings(state_dir=tmp_path_factory.mktemp("state"), database_port=free_port())
    ensure_demo_secrets(made)
    for name in ("bot_access_token", "bot_webhook_secret"):
        ensure_secret(made, name)
    server = EmbeddedPostgres(made)
    server.start()
    try:
        for name in PARTS:
            migrate(name, server.superuser_conninfo(name))
        yield made
    finally:
        server.stop(mode="immediate")


@pytest.fixture(scope="session")
def superuser(database: Settings):
    """Opens superuser connections to the test server: `superuser("tightrope")`. For insider attacks and set-up."""
    from tightrope.infra.postgres import EmbeddedPostgres

    return EmbeddedPostgres(database).superuser
