"""Plays the project's flows through the engine's pure core with the real actions over fakes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from actions_fakes import TURN, FakeContext
from rasa_sdk import Tracker
from rasa_sdk.executor import ActionExecutor, CollectingDispatcher

from actions import context
from actions.base import DeclaredAction
from actions.registry import ACTIONS
from tightrope.engine.loader import load_project
from tightrope.engine.models import Options, Project
from tightrope.engine.testing import Conversation
from tightrope.infra.settings import REPOSITORY


@lru_cache(maxsize=1)
def project() -> Project:
    """This repository's Rasa project, as it runs in production."""
    return replace(load_project(REPOSITORY), options=Options(complete_responses=True))


def _runner(action: DeclaredAction) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def play(state: dict[str, Any]) -> dict[str, Any]:
        dispatcher = CollectingDispatcher()
        tracker = Tracker(
            state["sender_id"], state["slots"], state["latest_message"], state["events"], False, None, {}, None, state["stack"]
        )
        loop = asyncio.new_event_loop()
        try:
            events = loop.run_until_complete(action.run(dispatcher, tracker, {}))
        finally:
            loop.close()
        return {"events": ActionExecutor.validate_events(events, action.name()), "responses": dispatcher.messages}

    return play


class Play:
    """A conversation with this project: `say` gives the texts, `envelopes` what the gateway would take out of the turn."""

    def __init__(self, language: str = "zh") -> None:
        self.fake = FakeContext()
        context.use(self.fake)  # type: ignore[arg-type]
        self.language = language
        self.may_fail = False
        self.replies: list[dict[str, Any]] = []
        self.talk = Conversation(project(), {action.action_name: _runner(action()) for action in ACTIONS})

    def say(self, text: str, *commands: str) -> list[str]:
        """One turn in the customer's words; `commands` are what the understanding server would answer."""
        self.replies = self.talk.say(
            text, "\n".join(commands) if commands else None, {"turn_id": TURN, "language": self.language}
        )
        unexpected = [problem for problem in self.talk.problems if not self.may_fail or "failed" not in problem]
        assert not unexpected, unexpected
        return self.texts

    def press(self, title: str) -> list[str]:
        """Press a button of the newest turn."""
        payload = next(b["payload"] for reply in self.replies for b in reply.get("buttons", ()) if b["title"] == title)
        return self.say(payload)

    @property
    def texts(self) -> list[str]:
        return [reply["text"] for reply in self.replies if "text" in reply]

    @property
    def buttons(self) -> list[str]:
        return [button["title"] for reply in self.replies for button in reply.get("buttons", ())]

    def envelopes(self, kind: str) -> list[dict[str, Any]]:
        """The turn's envelopes of one kind."""
        found = [reply["custom"]["envelope"] for reply in self.replies if "custom" in reply]
        return [envelope for envelope in found if envelope["kind"] == kind]


def is_chinese(text: str) -> bool:
    """Whether a Chinese character is in it."""
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def person(play: Play) -> str:
    """Title of the button that brings a person, in the conversation's language."""
    return "转人工" if play.language == "zh" else "Talk to a person"
