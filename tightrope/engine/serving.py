"""The project that a server runs, with the clients made for it; replaced as a whole, while turns under way finish on the one they began with."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from tightrope.engine.check import examine
from tightrope.engine.clients import ActionClient, UnderstandingClient
from tightrope.engine.errors import ProjectError
from tightrope.engine.inprocess import InProcessActions, MissingActions
from tightrope.engine.loader import load_project
from tightrope.engine.models import Options, Project
from tightrope.engine.problems import Problem
from tightrope.engine.prompt import Prompt
from tightrope.engine.turn import RunsActions
from tightrope.infra.clock import Clock, clock_from
from tightrope.infra.logging import get_logger
from tightrope.infra.settings import Settings
from tightrope.release.manifest import manifest, manifest_id, reloaded

log = get_logger()

_FILES = ("*.yml", "*.yaml", "*.jinja2", "*.j2")


class ProjectRefused(ProjectError):
    """A project was to be loaded in place of the one that runs and has errors; `problems` are all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        first = problems[0]
        super().__init__(
            f"{first.message} (and {len(problems) - 1} more)" if problems[1:] else first.message, file=first.file, line=first.line
        )


@dataclass(frozen=True, slots=True)
class Source:
    """Where a server's project comes from and how its clients are made.

    Attributes:
        root: the project's folder.
        config: stands for its config.yml.
        own: the settings' own project; its neighbours are where the settings say, another one's where its endpoints.yml says.
        understanding, actions: what carries requests to the neighbours, if not the network; for tests.
        understanding_url, actions_url: where the neighbours are, whatever settings and files say.
    """

    settings: Settings
    root: Path
    config: Path | None = None
    own: bool = True
    clock: Clock | None = None
    understanding: httpx.AsyncBaseTransport | None = None
    actions: httpx.AsyncBaseTransport | None = None
    understanding_url: str | None = None
    actions_url: str | None = None

    def fingerprint(self) -> str:
        """A hash over the project's files as they lie on disk now."""
        digest = hashlib.sha256()
        for path in self._files():
            digest.update(f"{path}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def stamp(self, serving: Serving) -> str:
        """What `serving` would be called if it were loaded from the files as they are now."""
        if self.own:
            return manifest_id(reloaded(serving.entries, manifest(self.root)))
        return _foreign_stamp(self.fingerprint())

    def _files(self) -> Iterator[Path]:
        found = {path for folder in ("data", "domain", "prompts") for name in _FILES for path in (self.root / folder).rglob(name)}
        found.update(path for name in _FILES for path in (self.root.glob(name)))
        found.update(path for name in _FILES for path in (self.root / "config").glob(name))
        if self.config is not None and self.config.is_file():
            found.add(self.config)
        yield from sorted(path for path in found if path.is_file())


@dataclass
class Serving:
    """One loaded project in use.

    Attributes:
        stamp: names what was loaded: the release id of the own project, a hash over another one's files.
        entries: the own project's manifest.
    """

    project: Project
    stamp: str
    release: str | None
    entries: dict[str, tuple[str, str]]
    understanding: UnderstandingClient
    actions: RunsActions
    needs_history: bool
    users: int = 0
    retired: bool = field(default=False)

    @asynccontextmanager
    async def used(self) -> AsyncIterator[Serving]:
        """Keeps its clients open for the time of the block."""
        self.users += 1
        try:
            yield self
        finally:
            self.users -= 1
            await self._close_if_done()

    async def retire(self) -> None:
        """No new turn begins on it; its clients are closed when the last one under way has ended."""
        self.retired = True
        await self._close_if_done()

    async def _close_if_done(self) -> None:
        if self.retired and not self.users:
            await self.understanding.aclose()
            if isinstance(self.actions, ActionClient):
                await self.actions.aclose()


def _foreign_stamp(fingerprint: str) -> str:
    return f"p-{fingerprint[:16]}"


def load(source: Source, before: Serving | None = None) -> Serving:
    """Read the project and make what runs it.

    Raises:
        ProjectError: at the first start: it cannot be used.
        ProjectRefused: with `before`, the one that it is to replace: it has errors, or its files changed while they were read.
    """
    fingerprint = source.fingerprint()
    entries = manifest(source.root) if source.own else {}
    if before is not None:
        if errors := examine(source.root, source.config).errors:
            raise ProjectRefused(errors)
        if source.own:
            entries = reloaded(before.entries, entries)
    settings = source.settings
    options = Options(settings.clarify_several_starts, complete_responses=source.own and settings.complete_responses)
    project = replace(load_project(source.root, source.config), options=options)
    prompt = Prompt.load(project)
    if before is not None and source.fingerprint() != fingerprint:
        raise ProjectRefused([Problem(str(source.root), 1, "error", "the files changed while they were read", "load them again")])
    release = manifest_id(entries) if source.own else None
    return Serving(
        project=project,
        stamp=release or _foreign_stamp(fingerprint),
        release=release,
        entries=entries,
        understanding=_understanding(source, project, prompt),
        actions=_actions(source, project),
        needs_history=prompt.needs_history,
    )


def _understanding(source: Source, project: Project, prompt: Prompt) -> UnderstandingClient:
    settings = source.settings
    base = source.understanding_url or (None if source.own else project.understanding_base) or settings.understanding_url
    model = project.understanding_model or "tightrope-understanding"
    clock = source.clock or clock_from(settings)
    return UnderstandingClient(settings, base, model, prompt, clock=clock, transport=source.understanding)


def _actions(source: Source, project: Project) -> RunsActions:
    foreign = source.actions_url is None and not source.own
    if foreign and project.actions_url is None and project.actions_module is not None:
        try:
            return InProcessActions(project, project.actions_module)
        except ProjectError as error:
            # As with a server that is down: what needs no action goes on.
            log.error("the project's actions cannot be run", action="actions_missing", reason=str(error))
            return MissingActions(project.actions_module, str(error))
    settings = source.settings
    url = source.actions_url or (project.actions_url if foreign else None) or settings.actions_url
    return ActionClient(settings, url, project, transport=source.actions)


def problems_view(problems: list[Problem]) -> list[dict[str, Any]]:
    """Problems as the HTTP API tells them."""
    return [{"file": p.file, "line": p.line, "message": p.message, "mend": p.mend} for p in problems]
