"""Client of the assistant: Rasa's REST channel and tracker, whether our engine or Rasa Pro answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from tightrope.gateway.errors import AssistantFailed
from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings


@dataclass(frozen=True, slots=True)
class MadeTurn:
    """What the assistant keeps of a turn.

    Attributes:
        events: tracker events, from the user event on.
        steps: every flow step that ran, as [flow, step]; None where the assistant does not tell (Rasa Pro).
        making: what replaying it takes (`turn` of our engine's tracker: number, opening, record); None from an assistant that keeps no such thing.
    """

    events: list[dict[str, Any]]
    steps: list[list[str]] | None = None
    making: dict[str, Any] | None = None


_TIMEOUT = httpx.Timeout(connect=1.0, read=15.0, write=5.0, pool=2.0)


class Assistant:
    """Rasa's HTTP API."""

    def __init__(self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._token = settings.secret("assistant_token").get_secret_value()
        self._http = outbound_client(
            settings, purpose="assistant", base_url=settings.assistant_url, timeout=_TIMEOUT, transport=transport
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def say(self, sender: str, message: str, metadata: dict[str, Any]) -> Any:
        """Send one message of a turn; returns Rasa's reply items.

        Raises:
            AssistantFailed: no usable answer. The turn may have been made all the same: `made` tells.
        """
        body = {"sender": sender, "message": message, "metadata": metadata}
        # Rasa leaves its channel open and does not look at the token; ours wants it when TIGHTROPE_PROTECT_WEBHOOK is on.
        return await self._json("POST", "/webhooks/rest/webhook", json=body, params={"token": self._token})

    async def made(self, sender: str, turn_id: str) -> MadeTurn | None:
        """The turn with this id, or None when the assistant has not made it.

        Raises:
            AssistantFailed: no usable answer.
        """
        answer = await self._json(
            "GET", f"/conversations/{quote(sender, safe='')}/tracker", params={"turn_id": turn_id, "token": self._token}
        )
        events = answer.get("events") if isinstance(answer, dict) else None
        if not isinstance(events, list):
            raise AssistantFailed("the tracker has no events list")
        turn, making = cut_turn(events, turn_id), answer.get("turn")
        return None if turn is None else MadeTurn(turn, _steps(answer.get("steps")), making if isinstance(making, dict) else None)

    async def turn_ids(self, sender: str) -> list[tuple[str, float]]:
        """The turn ids of a whole session with the Unix time of each, oldest first; empty for a session that the assistant does not know.

        Raises:
            AssistantFailed: no usable answer.
        """
        path = f"/conversations/{quote(sender, safe='')}/tracker"
        answer = await self._json("GET", path, params={"include_events": "ALL", "token": self._token})
        events = answer.get("events") if isinstance(answer, dict) else None
        if not isinstance(events, list):
            raise AssistantFailed("the tracker has no events list")
        found = [
            (metadata["turn_id"], float(event.get("timestamp") or 0.0))
            for event in events
            if isinstance(event, dict)
            and event.get("event") == "user"
            and isinstance(metadata := event.get("metadata"), dict)
            and isinstance(metadata.get("turn_id"), str)
        ]
        return list(dict(found).items())

    async def release(self) -> str | None:
        """The release that the assistant runs: `model_id` of GET /status."""
        answer = await self._json("GET", "/status", params={"token": self._token})
        return answer.get("model_id") if isinstance(answer, dict) else None

    async def _json(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            response = await self._http.request(method, path, **kwargs)
            if response.status_code != 200:
                raise AssistantFailed(f"the assistant answered {response.status_code} at {path.split('?', maxsplit=1)[0]}")
            return response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise AssistantFailed(f"{type(error).__name__} at {path}") from error


def cut_turn(events: list[Any], turn_id: str) -> list[dict[str, Any]] | None:
    """The events of one turn out of a tracker: from the user event with this turn id up to the next user event."""
    turn: list[dict[str, Any]] | None = None
    for event in events:
        if not isinstance(event, dict):
            continue
        if event.get("event") == "user":
            if turn is not None:
                break
            metadata = event.get("metadata")
            if isinstance(metadata, dict) and metadata.get("turn_id") == turn_id:
                turn = []
        if turn is not None:
            turn.append(event)
    return turn


def _steps(told: Any) -> list[list[str]] | None:
    """The steps as [flow, step], or None where something else was told."""
    if not isinstance(told, list):
        return None
    steps = [[str(part) for part in one] for one in told if isinstance(one, list)]
    return steps if all(len(one) == 2 for one in steps) else None


def replies_of(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The reply items that the bot events of a turn stand for, as the REST channel would have given them."""
    items = []
    for event in events:
        if event.get("event") != "bot":
            continue
        data = event.get("data") or {}
        item: dict[str, Any] = {"text": event.get("text")}
        for key in ("buttons", "custom", "image", "attachment", "elements"):
            if data.get(key):
                item[key] = data[key]
        items.append(item)
    return items
