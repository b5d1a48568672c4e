"""`tightrope engine run` on a Postgres that somebody else keeps: it says what to run, and what to run prepares it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tightrope.cli.engine_board import EXTERNAL_DATABASE
from tightrope.cli.engine_run import CannotServe, _database, prepare
from tightrope.infra.postgres import EmbeddedPostgres
from tightrope.infra.secrets import ensure_secret

pytestmark = pytest.mark.integration


@pytest.fixture
def named(monkeypatch):
    monkeypatch.setenv(EXTERNAL_DATABASE, "127.0.0.1")


@pytest.fixture
def unprepared(superuser):
    """The assistant's database as one finds it before anything was run."""
    with superuser("assistant") as insider:
        insider.execute("ALTER SCHEMA engine RENAME TO engine_away")
        insider.execute("ALTER TABLE public.alembic_version SET SCHEMA engine_away")
    yield
    with superuser("assistant") as insider:
        insider.execute("DROP SCHEMA IF EXISTS engine CASCADE")
        insider.execute("DROP TABLE IF EXISTS public.alembic_version")
        insider.execute("ALTER TABLE engine_away.alembic_version SET SCHEMA public")
        insider.execute("ALTER SCHEMA engine_away RENAME TO engine")


def serves(settings, state: Path) -> bool:
    with _database(settings, state, Console(file=io.StringIO())) as ready:
        return ready is settings


def test_one_that_is_prepared_is_used_as_it_is(database, named, tmp_path):
    assert serves(database, tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_one_that_is_not_names_the_command_and_the_command_prepares_it(database, named, unprepared, tmp_path):
    with pytest.raises(
        CannotServe, match=r"run `tightrope engine migrate \"host=127.0.0.1 port=\d+ dbname=assistant user=OWNER\"`"
    ):
        serves(database, tmp_path)
    said = io.StringIO()
    assert prepare(EmbeddedPostgres(database).superuser_conninfo("assistant"), Console(file=said)) == 0
    assert "Prepared" in said.getvalue()
    assert serves(database, tmp_path)


def test_one_whose_tables_the_assistant_may_not_see_is_not_prepared(database, named, superuser, tmp_path):
    with superuser("assistant") as insider:
        insider.execute("REVOKE USAGE ON SCHEMA engine FROM assistant")
    try:
        with pytest.raises(CannotServe, match="engine migrate"):
            serves(database, tmp_path)
    finally:
        with superuser("assistant") as insider:
            insider.execute("GRANT USAGE ON SCHEMA engine TO assistant")


def test_one_that_refuses_the_role_or_is_not_there_says_which_secret_is_asked_for(database, named, tmp_path):
    strange = database.model_copy(update={"secrets_dir": tmp_path / "secrets"})
    ensure_secret(strange, "db_assistant")
    with pytest.raises(CannotServe, match=r"password authentication failed.*secret db_assistant"):
        serves(strange, tmp_path)
    with pytest.raises(CannotServe, match="does not take the role assistant"):
        serves(database.model_copy(update={"database_port": 9}), tmp_path)


def test_an_owner_who_cannot_come_in_is_told_why(database):
    said = io.StringIO()
    where = f"host=127.0.0.1 port={database.database_port} dbname=assistant user=postgres password=wrong connect_timeout=5"
    assert prepare(where, Console(file=said, width=200)) == 1
    assert "Not prepared" in said.getvalue()
    assert "password authentication failed" in said.getvalue()
