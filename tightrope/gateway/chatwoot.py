"""Client of Chatwoot's REST API, with the calls that a bot token may make (and reading messages, which needs a user token).

Chatwoot has no idempotency keys: a time-out leaves us not knowing. `ChatwootUnknown` says so, and the outbox looks for its
`source_id` before it repeats.
"""

from __future__ import annotations

from typing import Any

import httpx

from tightrope.gateway.errors import ChatwootRejected, ChatwootUnknown
from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings

_TIMEOUT = httpx.Timeout(connect=2.0, read=5.0, write=5.0, pool=2.0)


class Chatwoot:
    """One Chatwoot account, as our bot and as the user who may read message lists."""

    def __init__(self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base = f"/api/v1/accounts/{settings.inbox_account}"
        self._bot = {"api_access_token": settings.secret("bot_access_token").get_secret_value()}
        self._user = {"api_access_token": settings.secret("inbox_admin_token").get_secret_value()}
        self._http = outbound_client(
            settings, purpose="Chatwoot", base_url=settings.inbox_url, timeout=_TIMEOUT, transport=transport
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def conversation(self, display_id: int) -> dict[str, Any]:
        """The conversation as it is now: `status`, `meta.assignee_type`, `labels`, …"""
        return await self._call("GET", f"/conversations/{display_id}")

    async def conversations(self, page: int, inbox: int | None = None) -> list[dict[str, Any]]:
        """One page of 25 conversations of any status, newest activity first; needs the user token. Pages begin at 1."""
        where = f"&inbox_id={inbox}" if inbox is not None else ""
        answer = await self._call("GET", f"/conversations?status=all&assignee_type=all&page={page}{where}", headers=self._user)
        found = (answer.get("data") or {}).get("payload") if isinstance(answer.get("data"), dict) else None
        if not isinstance(found, list):
            raise ChatwootUnknown("Chatwoot's list of conversations has no payload")
        return [one for one in found if isinstance(one, dict)]

    async def messages(self, display_id: int, before: int | None = None) -> list[dict[str, Any]]:
        """The newest 20 messages of a conversation, or the 20 before a message; needs the user token.

        Raises:
            ChatwootRejected: status 404: there is no such conversation.
        """
        where = f"?before={before}" if before is not None else ""
        answer = await self._call("GET", f"/conversations/{display_id}/messages{where}", headers=self._user)
        found = answer.get("payload")
        if not isinstance(found, list):
            raise ChatwootUnknown("Chatwoot's list of messages has no payload")
        return [one for one in found if isinstance(one, dict)]

    async def post_message(self, display_id: int, body: dict[str, Any], source_id: str) -> int:
        """Post a message or private note; returns Chatwoot's message id."""
        answer = await self._call("POST", f"/conversations/{display_id}/messages", {**body, "source_id": source_id})
        if not isinstance(answer.get("id"), int):
            raise ChatwootUnknown("Chatwoot's answer to a message has no id")
        return int(answer["id"])

    async def find_message(self, display_id: int, source_id: str) -> int | None:
        """The id of the message that carries our `source_id`, if it arrived."""
        answer = await self._call("GET", f"/conversations/{display_id}/messages", headers=self._user)
        for message in answer.get("payload") or []:
            if message.get("source_id") == source_id:
                return int(message["id"])
        return None

    async def set_labels(self, display_id: int, add: list[str]) -> None:
        """Add labels. Chatwoot replaces the set, so the present one is read first."""
        present = (await self._call("GET", f"/conversations/{display_id}/labels")).get("payload") or []
        await self._call(
            "POST", f"/conversations/{display_id}/labels", {"labels": [*present, *(x for x in add if x not in present)]}
        )

    async def set_priority(self, display_id: int, priority: str) -> None:
        await self._call("POST", f"/conversations/{display_id}/toggle_priority", {"priority": priority})

    async def open(self, display_id: int) -> None:
        """Hand over: with the bot token, while pending, Chatwoot notifies the agents. `success` is null then, so the status is tested."""
        answer = await self._call("POST", f"/conversations/{display_id}/toggle_status", {"status": "open"})
        if (answer.get("payload") or {}).get("current_status") != "open":
            raise ChatwootUnknown("Chatwoot did not open the conversation")

    async def typing(self, display_id: int, *, on: bool) -> None:
        await self._call("POST", f"/conversations/{display_id}/toggle_typing_status", {"typing_status": "on" if on else "off"})

    async def _call(self, method: str, path: str, json: Any = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            response = await self._http.request(method, self._base + path, json=json, headers=headers or self._bot)
        except httpx.HTTPError as error:
            raise ChatwootUnknown(f"{type(error).__name__} at {method} {path}") from error
        if response.status_code == 429 or response.status_code >= 500:
            raise ChatwootUnknown(f"Chatwoot answered {response.status_code} at {method} {path}")
        if response.status_code >= 400:
            raise ChatwootRejected(response.status_code, response.text)
        if not response.content.strip():
            return {}
        try:
            answer = response.json()
        except ValueError as error:
            raise ChatwootUnknown(f"Chatwoot's answer to {method} {path} is not JSON") from error
        return answer if isinstance(answer, dict) else {}
