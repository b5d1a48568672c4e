"""Who understands and who runs actions while a suite is played, and what is said when nobody does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tightrope.engine.clients import ActionClient, UnderstandingClient
from tightrope.engine.errors import ActionMissing, ProjectError
from tightrope.engine.inprocess import InProcessActions
from tightrope.engine.models import Project
from tightrope.engine.prompt import Prompt
from tightrope.engine.state import Event, State
from tightrope.engine.turn import History, RunsActions, Understands, Understood
from tightrope.infra.clock import Clock
from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings
from tightrope.suites.cases import Case
from tightrope.suites.errors import CannotPlay, SuiteError

_PROBE = httpx.Timeout(3.0)


async def answers(settings: Settings, url: str, purpose: str, transport: httpx.AsyncBaseTransport | None = None) -> str:
    """Why a server does not answer at `url`; empty when it does, whatever it says."""
    try:
        async with outbound_client(settings, purpose=purpose, timeout=_PROBE, transport=transport) as client:
            await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    return ""


def is_own(settings: Settings, project: Project) -> bool:
    """Whether this is the project that the settings belong to; its neighbours are where the settings say."""
    return Path(project.root).resolve() == settings.project_dir.resolve()


# understanding


class NoUnderstanding:
    """Stands where nobody understands; `why` is told by the turn that needs it."""

    def __init__(self, why: str) -> None:
        self.why = why

    async def understand(self, _state: State, text: str, _history: History) -> Understood:
        """Refuses.

        Raises:
            CannotPlay: always.
        """
        raise CannotPlay(f"no commands are given for {text!r}, and {self.why}")


async def understanding(
    settings: Settings, project: Project, clock: Clock | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> tuple[Understands, str]:
    """The understanding server of a project, and why it cannot be used if it cannot; `clock` is what prompts take the time from."""
    base = settings.understanding_url if is_own(settings, project) else project.understanding_base
    if not base:
        why = "endpoints.yml names no understanding server (model_groups with an api_base)"
        return NoUnderstanding(why), why
    try:
        prompt = Prompt.load(project)
    except ProjectError as error:
        why = f"understanding cannot be asked: {error}"
        return NoUnderstanding(why), why
    failure = await answers(settings, base.rstrip("/") + "/models", "understanding", transport)
    if failure:
        why = f"the understanding server at {base} does not answer ({failure})"
        return NoUnderstanding(why), why
    model = project.understanding_model or "tightrope-understanding"
    return UnderstandingClient(settings, base, model, prompt, clock=clock, transport=transport), ""


# actions


class NoActions:
    """Stands where nothing runs actions; `why` is told by the case that needs one."""

    def __init__(self, why: str) -> None:
        self.why = why

    async def run(self, name: str, _state: State, _events: list[Event]) -> tuple[list[Any], list[Any]]:
        """Refuses.

        Raises:
            CannotPlay: always.
        """
        raise CannotPlay(
            f"nothing runs {name}: {self.why}; stub it under stub_custom_actions, start the action server, "
            "or name a package of actions with --actions-module"
        )


async def actions(
    settings: Settings, project: Project, module: str | None, transport: httpx.AsyncBaseTransport | None = None
) -> tuple[RunsActions, str]:
    """Who runs the custom actions of a project, and why nobody does if so.

    Raises:
        SuiteError: the module that was asked for cannot be used.
    """
    module = module or project.actions_module
    if module:
        try:
            return InProcessActions(project, module), ""
        except ProjectError as error:
            raise SuiteError(str(error)) from None
    url = settings.actions_url if is_own(settings, project) else project.actions_url
    if not url:
        why = "endpoints.yml names no action server (action_endpoint)"
        return NoActions(why), why
    failure = await answers(settings, str(httpx.URL(url).copy_with(path="/health")), "actions", transport)
    if failure:
        why = f"the action server at {url} does not answer ({failure})"
        return NoActions(why), why
    return ActionClient(settings, url, project, transport=transport), ""


class CaseActions:
    """The actions of one case: stubs if its file has any, and then nothing but stubs.

    Raises:
        CannotPlay: an action is called that is not stubbed where others are, or that nobody has.
    """

    def __init__(self, case: Case, otherwise: RunsActions) -> None:
        self._case = case
        self._stubs: Mapping[str, Any] | None = case.stubs
        self._otherwise = otherwise

    async def run(self, name: str, state: State, events: list[Event]) -> tuple[list[Any], list[Any]]:
        """Events and responses of the stub, or of whoever runs actions."""
        if self._stubs is None:
            try:
                return await self._otherwise.run(name, state, events)
            except ActionMissing as error:
                raise CannotPlay(f"nothing runs {name}: {error.reason}") from None
        stub = self._stubs.get(name)
        if stub is None:
            raise CannotPlay(
                f"{name} is not stubbed. stub_custom_actions holds for this case, and then every custom action that is called must "
                f"be stubbed: add {name}, or {self._case.name}::{name} for this case alone"
            )
        return [dict(event) for event in stub.events], [dict(response) for response in stub.responses]


async def close(*neighbours: Understands | RunsActions | None) -> None:
    """Close the connections of those that have any."""
    for one in neighbours:
        if isinstance(one, UnderstandingClient | ActionClient):
            await one.aclose()
