"""The releases that are kept, and which of them may be quoted.

`<knowledge_dir>/releases/kb-….json` holds a release whole: files and signatures, so that it can be verified and published again.
`<knowledge_dir>/state.json` says which one is active and which documents are withdrawn. It is replaced in one step (switching is
atomic), and everything that answers looks at it before each answer, so that neither a switch nor a withdrawal needs a restart.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from tightrope.infra.files import write_atomically
from tightrope.infra.settings import Settings
from tightrope.knowledge.errors import DocumentInvalid, PublishFailed, ReleaseBroken
from tightrope.knowledge.models import Document, Release
from tightrope.knowledge.passages import build_release, parse_document
from tightrope.knowledge.publishing.approvals import Approvals, signed
from tightrope.knowledge.publishing.signers import FILE, load_signers
from tightrope.knowledge.retrieved import Quotable

MAX_HISTORY = 1000


@dataclass(frozen=True)
class Withdrawn:
    """A version of a document that must not be quoted any more, whatever release holds it."""

    document_id: str
    version: str
    reason: str
    by: str
    at: str


@dataclass(frozen=True)
class Event:
    """Something that changed what may be quoted."""

    at: str
    """ISO 8601 with zone."""
    by: str
    what: str
    """`published`, `rolled back` or `withdrawn`."""
    subject: str
    """The release, or the document with its version."""


@dataclass(frozen=True)
class State:
    """What `state.json` says."""

    active: str
    withdrawn: tuple[Withdrawn, ...] = ()
    history: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Kept:
    """A release in the store, as its file says; nothing of it is verified."""

    release_id: str
    made: str
    documents: int
    passages: int


class Quotables(Protocol):
    """Where answering asks what it may quote."""

    async def current(self) -> Quotable:
        """What may be quoted now.

        Raises:
            ReleaseBroken: nothing; the caller hands over.
        """


class Fixed:
    """Always the same release: for tests and benchmarks."""

    def __init__(self, release: Release) -> None:
        self._quotable = Quotable(release)

    async def current(self) -> Quotable:
        return self._quotable


class Store:
    """The folder of kept releases.

    Args:
        signers: where the keys that count are listed.
        production: demo keys do not count.
    """

    def __init__(self, folder: Path, signers: Path, *, production: bool) -> None:
        self.folder = folder
        self.signers = signers
        self._production = production

    @classmethod
    def from_settings(cls, settings: Settings) -> Store:
        """The store of this installation."""
        return cls(
            settings.knowledge_path, settings.project_dir / "knowledge_base" / FILE, production=settings.mode == "production"
        )

    @property
    def state_file(self) -> Path:
        return self.folder / "state.json"

    def state(self) -> State | None:
        """What is active and withdrawn; None when nothing was ever published.

        Raises:
            ReleaseBroken: the file is there and cannot be read.
        """
        try:
            raw = json.loads(self.state_file.read_bytes())
            return State(
                str(raw["active"]),
                tuple(Withdrawn(**item) for item in raw["withdrawn"]),
                tuple(Event(**item) for item in raw["history"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ReleaseBroken(f"{self.state_file} cannot be read ({error}); restore it, or publish again") from None

    def kept(self) -> list[Kept]:
        """The releases of the store, newest first."""
        found = []
        for path in self._releases().glob("kb-*.json"):
            try:
                raw = json.loads(path.read_bytes())
                found.append(Kept(path.stem, str(raw["made"]), len(raw["documents"]), int(raw["passages"])))
            except (OSError, KeyError, TypeError, ValueError):
                found.append(Kept(path.stem, "", 0, 0))
        return sorted(found, key=lambda item: (item.made, item.release_id), reverse=True)

    def holds(self, release_id: str) -> bool:
        """Whether a release of this id is kept."""
        return self._file(release_id).is_file()

    def keep(self, release: Release, approvals: Approvals, at: datetime) -> None:
        """Keep a release whole. A kept release is never changed, but what vouches for it is renewed.

        Raises:
            OSError: it cannot be written.
        """
        keys = {f"{document.document_id}.{document.version}" for document in release.documents}
        made = at.isoformat(timespec="seconds")
        if self.holds(release.release_id):
            made = next((kept.made for kept in self.kept() if kept.release_id == release.release_id), "") or made
        content = {
            "release": release.release_id,
            "made": made,
            "passages": len(release.passages),
            "documents": {document.file_name: document.raw.decode() for document in release.documents},
            "approvals": {key: list(rows) for key, rows in sorted(approvals.items()) if key in keys},
        }
        write_atomically(self._file(release.release_id), json.dumps(content, ensure_ascii=False, indent=1).encode())

    def load(self, release_id: str) -> Release:
        """A kept release, if it is what its id says and every document of it is signed by two people.

        Raises:
            ReleaseBroken: it is not.
        """
        path = self._file(release_id)
        try:
            return _verified(path, path.stat().st_mtime_ns, self.signers, self.signers.stat().st_mtime_ns, self._production)
        except OSError:
            raise ReleaseBroken(f"the release {release_id} is not kept in {self.folder}; publish again") from None
        except DocumentInvalid as error:
            raise ReleaseBroken(f"the release {release_id} cannot be verified: {error}") from None

    def file(self, release_id: str) -> bytes:
        """A kept release as it lies here, unverified.

        Raises:
            ReleaseBroken: it is not kept.
        """
        try:
            return self._file(release_id).read_bytes()
        except OSError:
            raise ReleaseBroken(f"the release {release_id} is not kept in {self.folder}") from None

    def approvals(self, release_id: str) -> dict[str, list[Any]]:
        """The signatures that were kept with a release, unverified."""
        try:
            found = json.loads(self._file(release_id).read_bytes())["approvals"]
        except (OSError, KeyError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def activate(self, release_id: str, *, what: str, by: str, at: datetime) -> None:
        """From now on this release is quoted, and no other.

        Raises:
            ReleaseBroken: it is not kept or does not verify; what was active stays.
        """
        self.load(release_id)
        with self._locked():
            state = self.state()
            event = Event(at.isoformat(timespec="seconds"), by, what, release_id)
            self._write(State(release_id, state.withdrawn if state else (), (*(state.history if state else ()), event)))

    def withdraw(self, document_id: str, *, reason: str, by: str, at: datetime) -> list[Withdrawn]:
        """No version of this document that the active release holds is quoted from now on; a newer version may be.

        Raises:
            PublishFailed: the active release holds no such document.
            ReleaseBroken: no release is active.
        """
        with self._locked():
            state = self.state()
            if state is None:
                raise ReleaseBroken("nothing is published")
            held = {d.version for d in self.load(state.active).documents if d.document_id == document_id}
            gone = {item.version for item in state.withdrawn if item.document_id == document_id}
            if not held:
                raise PublishFailed(f"the active release {state.active} holds no document {document_id}")
            now = at.isoformat(timespec="seconds")
            made = [Withdrawn(document_id, version, reason, by, now) for version in sorted(held - gone)]
            events = [Event(now, by, "withdrawn", f"{item.document_id}.{item.version}") for item in made]
            self._write(State(state.active, (*state.withdrawn, *made), (*state.history, *events)))
            return made

    def _write(self, state: State) -> None:
        content = {
            "active": state.active,
            "withdrawn": [vars(item) for item in state.withdrawn],
            "history": [vars(item) for item in state.history[-MAX_HISTORY:]],
        }
        write_atomically(self.state_file, json.dumps(content, ensure_ascii=False, indent=1).encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Hold the folder for one publisher.

        Raises:
            PublishFailed: another process publishes or rolls back here.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "publishing").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PublishFailed("somebody else is publishing or rolling back here; wait until they are done") from None
            yield

    def _releases(self) -> Path:
        return self.folder / "releases"

    def _file(self, release_id: str) -> Path:
        if not (release_id.startswith("kb-") and release_id[3:].isalnum()):
            raise ReleaseBroken(f"{release_id!r} is no release id; `tightrope kb status` lists them")
        return self._releases() / f"{release_id}.json"


@lru_cache(maxsize=8)
def _verified(path: Path, changed: int, signers: Path, signers_changed: int, production: bool) -> Release:
    """A release file that holds what its name says; the files' times are there so that another content is read again."""
    del changed, signers_changed
    known = load_signers(signers, production=production)
    try:
        raw = json.loads(path.read_bytes())
        documents: list[Document] = [parse_document(text.encode(), name) for name, text in raw["documents"].items()]
        approvals: Mapping[str, Sequence[Any]] = raw["approvals"]
        vouched, _ = signed(documents, approvals, known)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReleaseBroken(f"{path.name} is not a release: {error}; publish again") from None
    unsigned = [document.file_name for document in vouched if not document.approved]
    if unsigned:
        raise ReleaseBroken(f"{path.name}: {len(unsigned)} files are not signed by two people, {unsigned[0]} among them")
    release = build_release(vouched)
    if release.release_id != path.stem or len(release.documents) != len(documents):
        raise ReleaseBroken(f"{path.name} holds {release.release_id}: it was changed after publishing")
    return release


class Active:
    """What may be quoted now, by the store; looked at anew for each answer (one `stat`), read again when the state has changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = asyncio.Lock()
        self._seen: tuple[int, ...] | None = None
        self._quotable: Quotable | None = None

    async def current(self) -> Quotable:
        """See Quotables. A state that cannot be read is not answered from an older one: it may withdraw what that one allowed."""
        seen = self._stamp()
        if self._quotable is not None and seen == self._seen:
            return self._quotable
        async with self._lock:
            seen = self._stamp()
            if self._quotable is None or seen != self._seen:
                self._quotable = await asyncio.to_thread(self._read)
                self._seen = seen
            return self._quotable

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self._store.state_file.stat()
            signers = self._store.signers.stat()
        except OSError:
            raise ReleaseBroken(
                "no knowledge is published, or signers.json is missing; `tightrope kb publish` publishes"
            ) from None
        return found.st_ino, found.st_mtime_ns, found.st_size, signers.st_mtime_ns

    def _read(self) -> Quotable:
        state = self._store.state()
        if state is None:
            raise ReleaseBroken("no knowledge is published; `tightrope kb publish` does")
        return Quotable(self._store.load(state.active), frozenset((item.document_id, item.version) for item in state.withdrawn))
