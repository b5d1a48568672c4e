"""What a witness remembers, in one SQLite file: the newest tree of each log, and evidence of forks.

Check and write are one transaction that holds the file's only write lock, and it is on the disk before the cosignature leaves
(tlog-witness: the race in which a slower request would set the witness back).
"""

from __future__ import annotations

import base64
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tightrope.audit.tlog.note import CosignatureSigner
from tightrope.audit.witness.protocol import Fork, Known, Logs, Refusal, Request, decide, read_logs, read_request
from tightrope.infra.clock import Clock

LOGS_FILE = "logs.txt"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS logs (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL, cosignature TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS forks (
    origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL, known_note BLOB NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (origin, size, root)
) STRICT;
CREATE TABLE IF NOT EXISTS refused (
    origin TEXT PRIMARY KEY, times INTEGER NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL, note BLOB NOT NULL
) STRICT;
"""
_FORKS_KEPT = 1000
"""For each log; only the log's own key can make one."""

_LOGS_TEMPLATE = """\
# The logs that this witness watches, one `log <vkey>` a line. It is read again whenever it changes.
# Take the vkey from the firm's log people by a way that you trust, not from the log itself. The log has one for each year.
"""


class WitnessUnready(Exception):
    """The state folder cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest checkpoint cosigned for a log."""

    origin: str
    size: int
    root: bytes
    note: bytes
    at: int


@dataclass(frozen=True, slots=True)
class ForkSeen:
    """Two checkpoints of one size, both signed by the log: the proof that its keeper told two stories."""

    origin: str
    size: int
    root: bytes
    note: bytes
    known_note: bytes
    at: int


@dataclass(frozen=True, slots=True)
class ProofsRefused:
    """How often a log's consistency proof did not hold; by itself no proof against the log, since anybody can send a wrong proof."""

    origin: str
    times: int
    at: int
    reason: str


def init(folder: Path, name: str) -> CosignatureSigner:
    """Make a witness: its key, its empty memory, and a file for the logs' keys.

    Raises:
        WitnessUnready: there is one already; a key is never made twice, since a witness that forgot what it saw must not go on under its name.
        NoteInvalid: the name cannot name a key.
    """
    seed = os.urandom(32)
    signer = CosignatureSigner.from_seed(name, seed)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        _create(folder / "key", f"{name}\n{base64.b64encode(seed).decode()}\n", 0o600)
    except FileExistsError:
        raise WitnessUnready(f"{folder} holds a witness already; choose an empty folder for a new one") from None
    logs = folder / LOGS_FILE
    if not logs.exists():
        logs.write_text(_LOGS_TEMPLATE)
    with _open(folder / "witness.db", create=True) as db:
        db.executescript(_SCHEMA)
    return signer


class Witness:
    """A witness at work on its folder.

    Raises:
        WitnessUnready: the folder holds no witness, or its key cannot be read.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._db = folder / "witness.db"
        self._logs: Logs = {}
        self._stamp = 0
        try:
            name, seed = (folder / "key").read_text().split()
            self._signer = CosignatureSigner.from_seed(name, base64.b64decode(seed, validate=True))
        except FileNotFoundError:
            raise WitnessUnready(
                f"{folder} holds no witness; make one: tightrope audit witness init --state {folder} --name NAME"
            ) from None
        except ValueError as error:
            raise WitnessUnready(f"{folder / 'key'} cannot be read: {error}") from error
        if not self._db.exists():
            raise WitnessUnready(
                f"{self._db} is gone, so this witness forgot what it cosigned and must not sign on under its key. Restore the newest copy, or "
                "make a new witness (`tightrope audit witness init` in an empty folder) and give its key to the log and to those who verify"
            )
        self.logs()

    @property
    def vkey(self) -> str:
        """The public key for others' policies."""
        return self._signer.vkey

    @property
    def name(self) -> str:
        """The key's name."""
        return self._signer.key.name

    def logs(self) -> Logs:
        """The logs to watch, read again when their file changed.

        Raises:
            WitnessUnready: the file cannot be read.
        """
        path = self._folder / LOGS_FILE
        try:
            stamp = path.stat().st_mtime_ns
            if stamp != self._stamp:
                self._logs, self._stamp = read_logs(path.read_text()), stamp
        except (OSError, ValueError) as error:
            raise WitnessUnready(f"{path}: {error}") from error
        return self._logs

    def add_checkpoint(self, body: bytes) -> str:
        """Answer an add-checkpoint request.

        Returns:
            The cosignature line; it is on the disk.

        Raises:
            Refusal: the request is not cosigned.
            WitnessUnready: the logs' file cannot be read.
            sqlite3.Error: the disk or the file fails; nothing was cosigned.
        """
        request = read_request(body, self.logs())
        with _open(self._db) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                line = self._cosign(db, request)
            except Refusal as refusal:
                self._remember(db, request, refusal)
                db.execute("COMMIT")
                raise
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
        return line

    def _cosign(self, db: sqlite3.Connection, request: Request) -> str:
        origin = request.checkpoint.origin
        row = db.execute("SELECT size, root, at FROM logs WHERE origin = ?", (origin,)).fetchone()
        known = Known(row["size"], row["root"], ever=True) if row else Known()
        decide(request, known)
        now = int(self._clock.now().timestamp())
        if row and now < row["at"]:
            # A smaller time for a larger tree would say that the tree shrank.
            raise Refusal(503, f"the witness's clock stands {row['at'] - now} s before its last cosignature; set it right\n")
        line = self._signer.sign(request.text, now).line()
        db.execute(
            "INSERT INTO logs (origin, size, root, note, cosignature, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE SET "
            "size = excluded.size, root = excluded.root, note = excluded.note, cosignature = excluded.cosignature, at = excluded.at",
            (origin, request.checkpoint.size, request.checkpoint.root, request.note, line, now),
        )
        return line

    def _remember(self, db: sqlite3.Connection, request: Request, refusal: Refusal) -> None:
        new, now = request.checkpoint, int(self._clock.now().timestamp())
        if isinstance(refusal, Fork):
            db.execute(
                "INSERT OR IGNORE INTO forks (origin, size, root, note, known_note, at) SELECT origin, size, ?, ?, note, ? FROM logs "
                "WHERE origin = ? AND (SELECT count(*) FROM forks WHERE forks.origin = logs.origin) < ?",
                (new.root, request.note, now, new.origin, _FORKS_KEPT),
            )
        elif refusal.status == 422:
            db.execute(
                "INSERT INTO refused (origin, times, at, reason, note) VALUES (?, 1, ?, ?, ?) ON CONFLICT (origin) DO UPDATE SET "
                "times = times + 1, at = excluded.at, reason = excluded.reason, note = excluded.note",
                (new.origin, now, refusal.text.strip(), request.note),
            )

    def seen(self) -> list[Seen]:
        """The newest checkpoint of each log, by origin."""
        return [Seen(**row) for row in self._rows("SELECT origin, size, root, note, at FROM logs ORDER BY origin")]

    def forks(self) -> list[ForkSeen]:
        """Every fork, newest first."""
        return [
            ForkSeen(**row)
            for row in self._rows("SELECT origin, size, root, note, known_note, at FROM forks ORDER BY at DESC, origin, size")
        ]

    def proofs_refused(self) -> list[ProofsRefused]:
        """Logs whose consistency proof did not hold at least once."""
        return [ProofsRefused(**row) for row in self._rows("SELECT origin, times, at, reason FROM refused ORDER BY origin")]

    def _rows(self, query: str) -> list[dict[str, Any]]:
        with _open(self._db) as db:
            return [dict(row) for row in db.execute(query).fetchall()]


@contextmanager
def _open(path: Path, *, create: bool = False) -> Iterator[sqlite3.Connection]:
    mode = "rwc" if create else "rw"
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=10, isolation_level=None)
    try:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        yield db
    finally:
        db.close()


def _create(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
