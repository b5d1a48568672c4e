"""The agent's side of scripted conversations: what the desk's buttons do, through Chatwoot's API; and faults of the sandbox to order."""

from __future__ import annotations

from typing import Any

from tightrope.cli.customer import CustomerStuck
from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings


class Agent:
    """One agent with a user token."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        headers = {"api_access_token": settings.secret("inbox_admin_token").get_secret_value()}
        base = f"{settings.inbox_url}/api/v1/accounts/{settings.inbox_account}"
        self._http = outbound_client(settings, purpose="scripted agent", base_url=base, headers=headers)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def act(self, conversation: int, what: Any) -> None:
        """Do what the script says: `reply`, `{"reply": text}`, `resolve` or `return` (give back to the bot)."""
        if what == "resolve":
            await self._post(f"/conversations/{conversation}/toggle_status", {"status": "resolved"})
        elif what == "return":
            await self._post(f"/conversations/{conversation}/toggle_status", {"status": "pending"})
        else:
            text = what["reply"] if isinstance(what, dict) else "您好，我是人工客服，请问有什么可以帮您？"
            await self._post(f"/conversations/{conversation}/messages", {"content": text, "private": False})

    async def notes(self, conversation: int) -> list[str]:
        """The private notes of a conversation, oldest first."""
        answer = await self._http.get(f"/conversations/{conversation}/messages")
        return [m["content"] for m in answer.json()["payload"] if m.get("private")]

    async def order_fault(self, fault: dict[str, Any]) -> None:
        """Make the sandbox brokerage misbehave for a customer."""
        secret = self._settings.secret("sandbox_admin_token").get_secret_value()
        url = f"{self._settings.brokerage_url}/_sandbox/faults"
        answer = await self._http.post(url, json=fault, headers={"Authorization": f"Bearer {secret}"})
        if answer.status_code >= 300:
            raise CustomerStuck(f"the sandbox refused the fault: {answer.status_code} {answer.text[:200]}")

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        answer = await self._http.post(path, json=body)
        if answer.status_code >= 300:
            raise CustomerStuck(f"the inbox refused the agent: {answer.status_code} {answer.text[:200]}")
