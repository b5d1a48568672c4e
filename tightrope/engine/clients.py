"""The engine's two neighbours over HTTP: the understanding server and the action server."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import orjson

from tightrope.engine import trace
from tightrope.engine.answers import read_action, read_json
from tightrope.engine.commands import parse_text
from tightrope.engine.errors import ActionFailed, ActionMissing, UnderstandingFailed
from tightrope.engine.models import Project
from tightrope.engine.prompt import Prompt
from tightrope.engine.state import Event, State
from tightrope.engine.turn import History, Understood
from tightrope.infra.clock import Clock, SystemClock
from tightrope.infra.http import OutboundRefused, Poster, outbound_poster
from tightrope.infra.settings import Settings

PROTOCOL_VERSION = "3.21.0"
"""Version of the action server protocol that requests name; rasa-sdk compares it with its own."""
MAX_EVENTS = 50
"""Events of the current session that an action request carries at most."""
NEEDS_DOMAIN = 449
REJECTED = 400
UNDERSTANDING_TIMEOUT = httpx.Timeout(connect=2.0, read=8.0, write=5.0, pool=2.0)
ACTION_TIMEOUT = httpx.Timeout(connect=2.0, read=10.0, write=5.0, pool=2.0)
MAX_UNDERSTOOD = 262_144
MAX_ACTED = 1_048_576
"""Bytes of an answer; more is no answer."""
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 0.8


class Patience:
    """Repeats requests that were surely not sent, while a neighbour starts again.

    A server that is starting may take a connection and drop it: so it is asked for its health until it answers, and only then for more.
    Once it was waited for in vain, it is asked only once a request until it can be reached: a dead neighbour must not hold every turn.
    """

    def __init__(
        self,
        poster: Poster,
        seconds: float,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._poster = poster
        self._seconds = seconds
        self._sleep = sleep
        self._now = now
        self._given_up = False

    async def post(self, content: bytes, headers: Mapping[str, str] = {}) -> httpx.Response:
        """Post, again and again while nothing can be sent.

        Raises:
            httpx.TransportError: as `Poster.post`.
        """
        until = self._now() + self._seconds
        sent = {**trace.headers(), **headers}
        while True:
            try:
                response = await self._poster.post(content, sent)
            except OutboundRefused:
                raise
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if self._given_up or not await self._comes_back(until):
                    self._given_up = True
                    raise
            else:
                self._given_up = False
                return response

    async def _comes_back(self, until: float) -> bool:
        wait = _FIRST_WAIT
        while self._now() + wait <= until:
            await self._sleep(wait)
            if await self._poster.answers():
                return True
            wait = min(wait * 2, _LONGEST_WAIT)
        return False

    async def aclose(self) -> None:
        """Close connections."""
        await self._poster.aclose()


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
        # The prompt is written into the request as it comes: with many flows it is long, and nearly all of it is the same each time.
        message = {"role": "user", "content": None}
        asked = orjson.dumps({"model": model, "temperature": 0.0, "max_tokens": 128, "messages": [message]})
        self._before, _, self._after = asked.rpartition(b"null")
        self._http = Patience(
            outbound_poster(
                settings,
                purpose="understanding",
                url=base_url.rstrip("/") + "/chat/completions",
                timeout=UNDERSTANDING_TIMEOUT,
                max_bytes=MAX_UNDERSTOOD,
                transport=transport,
            ),
            settings.neighbour_patience_seconds,
        )

    async def understand(self, state: State, text: str, history: History) -> Understood:
        """Commands for a text; empty when nothing was understood.

        Raises:
            UnderstandingFailed: no answer in time, a status other than 200, or an answer of another shape.
        """
        prompt = self._prompt.render_json(state, text, history, self._clock.now())
        response = await self._ask(self._before + prompt + self._after)
        if response.status_code != httpx.codes.OK:
            raise UnderstandingFailed(f"status {response.status_code}")
        try:
            found = read_json(response.content)
            content = found["choices"][0]["message"]["content"] or ""
            commands, refused = parse_text(content, self._prompt.command_syntax)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise UnderstandingFailed("an answer that is no chat completion") from None
        record = found.get("tightrope")
        return Understood(
            commands,
            {**(record if isinstance(record, dict) else {"source": "model"}), **({"refused": list(refused)} if refused else {})},
        )

    async def _ask(self, content: bytes) -> httpx.Response:
        for attempt in (1, 2):
            try:
                return await self._http.post(content)
            except (httpx.ReadError, httpx.RemoteProtocolError) as error:
                # Asking changes nothing, so a connection that broke under the question is no reason to give up.
                if attempt == 2:
                    raise UnderstandingFailed(type(error).__name__) from None
            except httpx.HTTPError as error:
                raise UnderstandingFailed(type(error).__name__) from None
        raise AssertionError

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()


class ActionClient:
    """rasa-sdk's webhook: the digest of the domain goes with every request, the domain itself only when asked for by 449."""

    def __init__(
        self, settings: Settings, url: str, project: Project, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._project = project
        self._deflate = settings.compress_action_requests
        self._http = Patience(
            outbound_poster(
                settings, purpose="actions", url=url, timeout=ACTION_TIMEOUT, max_bytes=MAX_ACTED, transport=transport
            ),
            settings.neighbour_patience_seconds,
        )

    async def run(self, name: str, state: State, events: list[Event]) -> tuple[list[Any], list[Any]]:
        """Events and responses of an action.

        A request that could not be sent is sent again; one that was sent never is, since the action may have acted.

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
        if name in self._project.without_domain:
            body["domain"] = {}
        response = await self._post(name, body)
        if response.status_code == NEEDS_DOMAIN:
            # The server has not run the action: it wants the domain first.
            response = await self._post(name, {**body, "domain": self._project.domain})
        if response.status_code == httpx.codes.NOT_FOUND:
            raise ActionMissing(name, "the action server has no such action (status 404)")
        if response.status_code == REJECTED:
            raise ActionFailed(name, "the action rejected its execution (status 400)")
        if response.status_code != httpx.codes.OK:
            raise ActionFailed(name, f"status {response.status_code}")
        return read_action(name, response.content)

    async def _post(self, name: str, body: dict[str, Any]) -> httpx.Response:
        content = orjson.dumps(body)
        headers = {}
        if self._deflate:
            content, headers = zlib.compress(content), {"content-encoding": "deflate"}
        try:
            return await self._http.post(content, headers)
        except httpx.HTTPError as error:
            raise ActionFailed(name, type(error).__name__) from None

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()


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
