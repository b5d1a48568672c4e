"""The engine's two neighbours over HTTP: the understanding server and the action server."""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from tightrope.engine.commands import parse_text
from tightrope.engine.errors import ActionFailed, UnderstandingFailed
from tightrope.engine.models import Project
from tightrope.engine.prompt import Prompt
from tightrope.engine.state import Event, State
from tightrope.engine.turn import History, Understood
from tightrope.infra.clock import Clock, SystemClock
from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings

PROTOCOL_VERSION = "3.21.0"
"""Version of the action server protocol that requests name; rasa-sdk compares it with its own."""
MAX_EVENTS = 50
"""Events of the current session that an action request carries at most."""
NEEDS_DOMAIN = 449
UNDERSTANDING_TIMEOUT = httpx.Timeout(connect=2.0, read=8.0, write=5.0, pool=2.0)
ACTION_TIMEOUT = httpx.Timeout(connect=2.0, read=10.0, write=5.0, pool=2.0)
_JSON = {"content-type": "application/json"}


class UnderstandingClient:
    """OpenAI chat completions (docs/wire-contracts.md, Assistant -> understanding)."""

    def __init__(
        self,
        settings: Settings,
        base_url: str,
        model: str,
        prompt: Prompt,
        *,
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._prompt = prompt
        self._clock = clock or SystemClock()
        self._client = outbound_client(settings, purpose="understanding", timeout=UNDERSTANDING_TIMEOUT, transport=transport)
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._model = model

    async def understand(self, state: State, text: str, history: History) -> Understood:
        """Commands for a text; empty when nothing was understood.

        Raises:
            UnderstandingFailed: no answer in time, a status other than 200, or an answer of another shape.
        """
        prompt = self._prompt.render(state, text, history, self._clock.now())
        body = {"model": self._model, "temperature": 0.0, "max_tokens": 128, "messages": [{"role": "user", "content": prompt}]}
        try:
            response = await self._client.post(self._url, content=orjson.dumps(body), headers=_JSON)
        except httpx.HTTPError as error:
            raise UnderstandingFailed(type(error).__name__) from None
        if response.status_code != httpx.codes.OK:
            raise UnderstandingFailed(f"status {response.status_code}")
        try:
            found = orjson.loads(response.content)
            content = found["choices"][0]["message"]["content"] or ""
            commands, refused = parse_text(content, self._prompt.command_syntax)
        except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
            raise UnderstandingFailed("an answer that is no chat completion") from None
        record = found.get("tightrope")
        return Understood(
            commands,
            {**(record if isinstance(record, dict) else {"source": "model"}), **({"refused": list(refused)} if refused else {})},
        )

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


class ActionClient:
    """rasa-sdk's webhook: the digest of the domain goes with every request, the domain itself only when asked for by 449."""

    def __init__(
        self, settings: Settings, url: str, project: Project, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._client = outbound_client(settings, purpose="actions", timeout=ACTION_TIMEOUT, transport=transport)
        self._url = url
        self._project = project

    async def run(self, name: str, state: State, events: list[Event]) -> tuple[list[Any], list[Any]]:
        """Events and responses of an action.

        A request that could not be sent is sent once more; one that was sent never is, since the action may have acted.

        Raises:
            ActionFailed: with what the server said or did not say; never with the text of its error, which may hold customers' data.
        """
        body: dict[str, Any] = {
            "next_action": name,
            "sender_id": state.sender_id,
            "version": PROTOCOL_VERSION,
            "domain_digest": self._project.domain_digest,
            "tracker": {**tracker(self._project, state), "events": current_session(events)},
        }
        response = await self._post(name, body)
        if response.status_code == NEEDS_DOMAIN:
            response = await self._post(name, {**body, "domain": self._project.domain})
        if response.status_code != httpx.codes.OK:
            raise ActionFailed(name, f"status {response.status_code}")
        try:
            found = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            raise ActionFailed(name, "an answer that is no JSON") from None
        if not isinstance(found, dict):
            raise ActionFailed(name, "an answer without events and responses")
        events_found, responses = found.get("events") or [], found.get("responses") or []
        if not _all_mappings(events_found) or not _all_mappings(responses):
            raise ActionFailed(name, "events or responses of another shape")
        return events_found, responses

    async def _post(self, name: str, body: dict[str, Any]) -> httpx.Response:
        content = orjson.dumps(body)
        for attempt in (1, 2):
            try:
                return await self._client.post(self._url, content=content, headers=_JSON)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if attempt == 2:
                    raise ActionFailed(name, type(error).__name__) from None
            except httpx.HTTPError as error:
                raise ActionFailed(name, type(error).__name__) from None
        raise AssertionError

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


def _all_mappings(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(item, dict) for item in found)


def current_session(events: list[Event]) -> list[Event]:
    """The newest events since the session began, at most MAX_EVENTS."""
    for at in range(len(events) - 1, -1, -1):
        if events[at]["event"] == "session_started":
            return events[max(at, len(events) - MAX_EVENTS) :]
    return events[-MAX_EVENTS:]


def tracker(project: Project, state: State) -> dict[str, Any]:
    """A state in the shape of Rasa's tracker, without events."""
    return {
        "sender_id": state.sender_id,
        "slots": {**project.initials, **state.slots},
        "latest_message": state.latest_message,
        "latest_event_time": state.last_at,
        "followup_action": None,
        "paused": state.paused,
        "latest_input_channel": state.channel,
        "active_loop": {},
        "latest_action": {"action_name": state.latest_action} if state.latest_action else {},
        "latest_action_name": state.latest_action or None,
        "stack": state.stack,
        "user_id": None,
    }
