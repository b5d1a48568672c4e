"""The flows of the release that a record names, read from the log by their hash: what ran then is drawn, not what would run today."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tightrope.audit.models import Entry
from tightrope.engine.errors import ProjectError
from tightrope.engine.loader import load_project
from tightrope.engine.models import Project
from tightrope.infra.database import Pool
from tightrope.replay.releases import lay_out

DRAWN: Final = frozenset({"flows", "domain", "config"})
"""Kinds of a release's files that make its pictures: flows, the wording in them, the language."""
KEPT: Final = 6
"""Releases held in memory; others are read again."""

_RELEASE: Final = re.compile(r"r-[0-9a-f]{16}", re.ASCII)
_MANIFEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """A release as a record names it: its id and the SHA-256 (hex) of its manifest, empty where the record names none."""

    release: str
    manifest: str

    @property
    def named(self) -> bool:
        """Whether both are there in the form that the log writes."""
        return bool(_RELEASE.fullmatch(self.release) and _MANIFEST.fullmatch(self.manifest))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded release's flows.

    Attributes:
        project: None where they are not to be had whole.
        missing: then why, a word of the pages (`flow_unnamed`, `flow_missing`, `flow_unreadable`).
        detail: the same more closely, as whoever looked for it said.
    """

    source: Source
    project: Project | None
    missing: str = ""
    detail: str = ""


def source_of(entry: Entry) -> Source:
    """The release that a record names."""
    content = entry.leaf.get("content")
    manifest = content.get("manifest") if isinstance(content, dict) else None
    return Source(str(entry.leaf.get("release") or ""), manifest if isinstance(manifest, str) else "")


class RecordedFlows:
    """Reads releases back and keeps the last few."""

    def __init__(self, pool: Pool, project_dir: Path) -> None:
        """Args:
        pool: of Role.AUDITOR.
        project_dir: the project at hand, whose files serve where they have the recorded hash.
        """
        self._pool = pool
        self._project_dir = project_dir
        self._kept: OrderedDict[Source, Recorded] = OrderedDict()
        self._one = asyncio.Lock()

    async def of(self, source: Source) -> Recorded:
        """The flows of a release. What is missing today may be there tomorrow, so only what was found is kept.

        Raises:
            psycopg.Error: the database does not answer.
        """
        if not source.named:
            return Recorded(source, None, "flow_unnamed")
        async with self._one:  # one at a time: reading a release takes a second of this process
            if source in self._kept:
                self._kept.move_to_end(source)
                return self._kept[source]
            found = await self._read(source)
            if found.project is not None:
                self._kept[source] = found
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            return found

    async def _read(self, source: Source) -> Recorded:
        with tempfile.TemporaryDirectory(prefix="tightrope-console-") as folder:
            root = Path(folder)
            async with self._pool.connection() as conn:
                release = await lay_out(conn, source.release, source.manifest, self._project_dir, root, kinds=DRAWN)
            if release.missing:
                return Recorded(source, None, "flow_missing", next(iter(release.missing.values())))
            try:
                return Recorded(source, await asyncio.to_thread(load_project, root))
            except ProjectError as error:
                # An older form of the files than this program reads: a picture from guesses would be worse than none.
                return Recorded(source, None, "flow_unreadable", str(error).replace(folder, source.release))
