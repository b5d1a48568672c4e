"""A scripted model behind the understanding of this release, in this process."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
from fastapi import FastAPI

from tightrope.infra.settings import Settings
from tightrope.sandbox.model.api import create_app
from tightrope.sandbox.model.faults import Fault
from tightrope.sandbox.model.scripts import Script
from tightrope.understanding.breaker import Breaker
from tightrope.understanding.models import Request, Result
from tightrope.understanding.proposing import Assisted
from tightrope.understanding.service import Understanding

MODEL, FINGERPRINT = "qwen2.5-14b-instruct@3f9c1ab04e77", "3f9c1ab04e77"


class Ticks:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def says(command: str) -> Script:
    """A model that always says this."""
    return lambda messages, schema: json.dumps({"command": command}, ensure_ascii=False)


def model_settings(settings: Settings, **changes: Any) -> Settings:
    """Settings with the model on."""
    named: dict[str, Any] = {
        "model_url": "http://127.0.0.1:8000/v1",
        "model_name": MODEL,
        "model_fingerprint": FINGERPRINT,
        "commands_from_model": True,
        "commands_need_agreement": False,
    }
    return settings.model_copy(update={**named, **changes})


@dataclass
class World:
    """Understanding with a model server behind it."""

    app: FastAPI
    assisted: Assisted
    ticks: Ticks

    @staticmethod
    def of(settings: Settings, local: Understanding, *, seconds: float = 1.5, **changes: Any) -> World:
        asking = model_settings(settings, **changes)
        app, ticks = create_app(model_settings(settings)), Ticks()
        assisted = Assisted.of(asking, local, transport=httpx.ASGITransport(app))
        if assisted.proposer is not None:
            assisted = replace(assisted, proposer=replace(assisted.proposer, breaker=Breaker(ticks), seconds=seconds))
        return World(app, assisted, ticks)

    @property
    def asked(self) -> int:
        """How often the model was called."""
        return len(self.app.state.seen)

    def speaks(self, script: Script) -> None:
        """What the model says from now on."""
        self.app.state.script = script

    def breaks(self, fault: Fault, times: int = 1) -> None:
        """The next calls fail so."""
        self.app.state.faults.order(fault, times)

    async def understand(self, request: Request) -> Result:
        """One message."""
        return await self.assisted.understand(request)

    def prompt(self) -> Sequence[Mapping[str, Any]]:
        """The messages of the last call."""
        return list(self.app.state.seen[-1]["messages"])
