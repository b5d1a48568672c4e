"""Who understands when a command needs it and no demo runs: this project's own classifier, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import orjson
from pydantic import ValidationError

from tightrope.engine.commands import parse_text
from tightrope.engine.errors import ProjectError, UnderstandingFailed
from tightrope.engine.models import Project
from tightrope.engine.prompt import Prompt
from tightrope.engine.state import State
from tightrope.engine.turn import History, Understands, Understood
from tightrope.infra.clock import Clock
from tightrope.infra.settings import Settings
from tightrope.suites import sources
from tightrope.understanding.api import build, record
from tightrope.understanding.errors import BadRequestError, TrainingDataError
from tightrope.understanding.models import Request, Result
from tightrope.understanding.proposing import Assisted
from tightrope.understanding.service import MARKET_ZONE


class LocalUnderstanding:
    """The understanding server's own service without the server.

    Raises:
        ProjectError: the project's prompt cannot be used.
        TrainingDataError: its lines or thresholds cannot be used.

    Args:
        clock: what "tomorrow" is counted from; without it the machine's.
        model_transport: what carries requests to the model that the settings name; without it no model is asked.
    """

    def __init__(
        self,
        settings: Settings,
        project: Project,
        clock: Clock | None = None,
        *,
        model_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._prompt = Prompt.load(project)
        self._service = build(settings)
        if clock is not None:
            self._service = replace(self._service, today=lambda: clock.now().astimezone(MARKET_ZONE).date())
        assisted = model_transport is not None
        self._assisted = Assisted.of(settings, self._service, transport=model_transport) if assisted else Assisted(self._service)
        self._idle = State("first")

    def first(self, text: str) -> Result:
        """What rules and classifier understand the first message of a conversation as, with all that it is decided by."""
        rendered = self._prompt.render(self._idle, text)
        return self._service.understand(Request.model_validate(orjson.loads(rendered)))

    async def understand(self, state: State, text: str, history: History) -> Understood:
        """Commands for a text.

        Raises:
            UnderstandingFailed: the prompt does not render a request, or the text is too long.
        """
        rendered = self._prompt.render(state, text, history)
        try:
            result = await self._assisted.understand(Request.model_validate(orjson.loads(rendered)))
        except (orjson.JSONDecodeError, ValidationError, BadRequestError) as error:
            raise UnderstandingFailed(str(error).splitlines()[0]) from None
        told: Mapping[str, Any] = record(result)
        return Understood(parse_text(result.text)[0], told)

    async def aclose(self) -> None:
        """Close connections to the model."""
        await self._assisted.aclose()


async def understanding(settings: Settings, project: Project, clock: Clock | None = None) -> tuple[Understands | None, str]:
    """Who understands, and in words who it is; nobody, and why, when there is none. `clock` is what prompts take the time from."""
    found, missing = await sources.understanding(settings, project, clock)
    if not missing:
        base = settings.understanding_url if sources.is_own(settings, project) else project.understanding_base
        return found, f"the server at {base}"
    if not sources.is_own(settings, project):
        return None, missing
    try:
        return await asyncio.to_thread(
            LocalUnderstanding, settings, project
        ), "this project's rules and classifier, in this process"
    except (ProjectError, TrainingDataError) as error:
        return None, str(error)
