"""Postgres made fast for filling synthetic tables, and as it was again for measuring."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from benchmarks.audit.world import World

_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_wal_size": "'4GB'",
    "checkpoint_timeout": "'30min'",
    "maintenance_work_mem": "'1GB'",
}
_DEFINED = (
    "SELECT i.indexrelid::regclass::text, i.indrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid), pg_get_indexdef(i.indexrelid) "
    "FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u') "
    "WHERE i.indrelid = ANY (%s::regclass[]) ORDER BY 1"
)


@contextmanager
def filling(world: World, tables: list[str]) -> Iterator[None]:
    """Settings that trust the machine not to crash, tables without indexes, and no queue for what is copied in with its place.

    At the end all is as it was, the indexes are made and the tables analysed.
    """
    with world.superuser() as conn:
        for name, value in _FAST.items():
            conn.execute(f"ALTER SYSTEM SET {name} = {value}")
        conn.execute("SELECT pg_reload_conf()")
        conn.execute("ALTER TABLE audit.records DISABLE TRIGGER enqueue")
        found = conn.execute(_DEFINED, (tables,)).fetchall()
        for index, table, constraint, _, _ in found:
            conn.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}" if constraint else f"DROP INDEX {index}")
    yield
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda one: _make(world, one), found))
    with world.superuser() as conn:
        conn.execute("ALTER TABLE audit.records ENABLE ALWAYS TRIGGER enqueue")
        conn.execute(f"VACUUM (ANALYZE, INDEX_CLEANUP OFF) {', '.join(name for name in tables if name != 'audit.records')}")
        conn.execute("ANALYZE audit.records")
        for name in _FAST:
            conn.execute(f"ALTER SYSTEM RESET {name}")
        conn.execute("SELECT pg_reload_conf()")
        conn.execute("CHECKPOINT")


def _make(world: World, defined: tuple[str, str, str | None, str, str]) -> None:
    _, table, constraint, definition, index = defined
    with world.superuser() as conn:
        conn.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {definition}" if constraint else index)


class Copier:
    """Copies lines of COPY's text format into several tables side by side, each on a connection of its own."""

    def __init__(self, world: World, tables: dict[str, str]) -> None:
        """`tables`: name -> the table with its columns, as COPY names them."""
        self._tables = tables
        self._connections = {name: world.superuser() for name in tables}
        self._threads = ThreadPoolExecutor(len(tables))

    def copy(self, lines: dict[str, list[str]]) -> None:
        """Begin to copy; waits for what was begun before."""
        self._settle()
        self._begun = [self._threads.submit(self._one, name, some) for name, some in lines.items() if some]

    def close(self) -> None:
        """Wait for the rest."""
        self._settle()
        self._threads.shutdown()
        for conn in self._connections.values():
            conn.close()

    def _settle(self) -> None:
        for one in getattr(self, "_begun", []):
            one.result()

    def _one(self, name: str, lines: list[str]) -> None:
        with (
            self._connections[name].cursor() as cursor,
            cursor.copy(f"COPY {self._tables[name]} FROM STDIN") as copy,
        ):
            for at in range(0, len(lines), 2048):
                copy.write("".join(lines[at : at + 2048]))
