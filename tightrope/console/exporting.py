"""Exports that are made for a page: at most two at once and one a person, kept in a folder of the pages' own until they are taken or an hour
has gone by. One process: a restart forgets them and empties the folder."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import psycopg
from psycopg_pool import PoolTimeout

from tightrope.audit.errors import AuditError, ExportRefused
from tightrope.audit.export.models import Language, Made, Order, Progress
from tightrope.audit.index.models import Question
from tightrope.console.errors import ExportBusy
from tightrope.infra.clock import Clock
from tightrope.infra.logging import get_logger

log = get_logger()

AT_ONCE: Final = 2
"""Exports under way in this process; each takes a good part of a core."""
KEPT_FOR: Final = timedelta(hours=1)
SWEEP_SECONDS: Final = 60.0
_CHUNK: Final = 256 * 1024

Make = Callable[[Order, Progress], Awaitable[Made]]
State = Literal["running", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for on the page.

    Attributes:
        fields: the question as the form gave it, to show it again.
        reason: goes on the record; for a masked export the purpose of the session serves.
    """

    question: Question
    fields: dict[str, str]
    reason: str
    unmasked: bool
    whole: bool
    pdf: bool
    language: Language


@dataclass(slots=True)
class Job:
    """One export on its way.

    Attributes:
        stage, done, of: how far it is (`tightrope.audit.export.models.Progress`).
        failure: a word of the pages that says what went wrong; `detail`: the same more closely, where that helps.
        until: when the finished file is deleted.
        size: of the file, in bytes.
    """

    id: str
    person: str
    wish: Wish
    path: Path
    begun: datetime
    state: State = "running"
    stage: str = "index"
    done: int = 0
    of: int = 0
    failure: str = ""
    detail: str = ""
    made: Made | None = None
    size: int = 0
    until: datetime | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """What the page's script needs to show how far it is."""
        return {"state": self.state, "stage": self.stage, "done": self.done, "of": self.of}


class Exports:
    """The exports of this process."""

    def __init__(self, make: Make, folder: Path, clock: Clock, *, most: int) -> None:
        """Args:
        make: makes one export.
        folder: of this process alone.
        most: most records of one export.
        """
        self._make = make
        self._folder = folder
        self._clock = clock
        self._most = most
        self._jobs: dict[str, Job] = {}

    def open(self) -> None:
        """Make the folder, and delete what an earlier process left in it.

        Raises:
            OSError: it cannot be written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        for left in self._folder.glob("*export-*"):
            _delete(left)

    def begin(self, person: str, wish: Wish, *, font: Path | None) -> Job:
        """Start one. What this person has lying here is deleted: one export a person bounds what the folder holds.

        Raises:
            ExportBusy: this person's last one is still being made, or too many are.
        """
        self.sweep()
        running = [job for job in self._jobs.values() if job.state == "running"]
        if any(job.person == person for job in running):
            raise ExportBusy("own")
        if len(running) >= AT_ONCE:
            raise ExportBusy("all")
        for job in [job for job in self._jobs.values() if job.person == person]:
            self._forget(job)
        name = secrets.token_urlsafe(16)
        job = Job(name, person, wish, self._folder / f"export-{secrets.token_hex(8)}.zip", self._clock.now())
        order = Order(
            wish.question,
            job.path,
            person,
            reason=wish.reason,
            unmasked=wish.unmasked,
            whole=wish.whole,
            language=wish.language,
            pdf=wish.pdf,
            font=font,
            most=self._most,
        )
        self._jobs[name] = job
        job.task = asyncio.create_task(self._run(job, order))
        return job

    def of(self, person: str, name: str) -> Job | None:
        """This person's export of this name; another's is as unknown as one that never was."""
        self.sweep()
        job = self._jobs.get(name)
        return job if job is not None and job.person == person else None

    def last(self, person: str) -> Job | None:
        """What this person has under way or lying here."""
        self.sweep()
        return next((job for job in self._jobs.values() if job.person == person), None)

    async def sent(self, job: Job) -> AsyncIterator[bytes]:
        """The file, which is deleted when its last byte has been given out. A download that breaks off before leaves it where it is."""
        with job.path.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk
        self._forget(job)
        log.info("export taken", action="console_export_taken", person=job.person)

    async def discard(self, job: Job) -> None:
        """Stop it if it runs, and delete what there is of it."""
        if job.task is not None and not job.task.done():
            job.task.cancel()
            with suppress(asyncio.CancelledError):
                await job.task
        self._forget(job)

    def sweep(self) -> None:
        """Delete what has lain here for an hour."""
        now = self._clock.now()
        for job in [job for job in self._jobs.values() if job.until is not None and job.until <= now]:
            self._forget(job)
        # A thread that was still writing when its export was stopped may have left something behind.
        known = {job.path.name for job in self._jobs.values()}
        for left in self._folder.glob(".export-*"):
            if not any(name in left.name for name in known):
                _delete(left)

    async def keep_clean(self) -> None:
        """Sweep every minute, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()

    async def close(self) -> None:
        """Stop and delete everything."""
        for job in list(self._jobs.values()):
            await self.discard(job)

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        _delete(job.path)

    async def _run(self, job: Job, order: Order) -> None:
        def progress(stage: str, done: int, of: int) -> None:
            job.stage, job.done, job.of = stage, done, of

        try:
            job.made = await self._make(order, progress)
            job.size = job.path.stat().st_size
            job.state = "ready"
        except Exception as error:
            job.state, (job.failure, job.detail) = "failed", told(error)
            log.warning(
                "export not made", action="console_export_failed", person=job.person, reason=f"{type(error).__name__}: {error}"
            )
        finally:
            job.until = self._clock.now() + KEPT_FOR


def told(error: Exception) -> tuple[str, str]:
    """What went wrong: a word of the pages, and the error's own sentence where the auditor can do something with it."""
    match error:
        case ExportRefused(code=code) if code:
            return f"export_{code}", ""
        case AuditError():
            return "export_unproven", str(error)
        case psycopg.Error() | PoolTimeout():
            return "export_database", ""
        case OSError():
            return "export_disk", ""
        case _:
            return "export_failed", ""


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
