"""A customer's browser, without the browser: cookies, the portal's page, the identity provider's login, and Chatwoot's widget API.

It does what the pages' scripts do, and knows nothing that a browser would not know.
"""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings

WEBSITE_TOKEN_IN_PAGE = re.compile(r'data-website-token="([^"]+)"')
_PAGE_FIELD = re.compile(r'name="page" value="([^"]+)"')
_CODE = re.compile(r'data-one-time-code="(\d+)"')
_LINK = re.compile(r"\((https?://[^)\s]+/login/[^)\s]+)\)")
_MAX_REDIRECTS = 12


class CustomerStuck(RuntimeError):
    """A page answered otherwise than a customer would need; says which and how."""


class Customer:
    """One browser with one chat."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._portal = settings.portal_public_url.rstrip("/")
        self._inbox = settings.inbox_public_url.rstrip("/")
        self._http = outbound_client(settings, purpose="scripted customer", timeout=httpx.Timeout(20.0))
        self._auth: str | None = None
        self._website_token = ""
        self.conversation: int | None = None
        self.seen = 0

    async def aclose(self) -> None:
        await self._http.aclose()

    async def open_page(self) -> None:
        """Open the firm's page: the browser gets its cookie, the widget its session."""
        page = await self._follow("GET", f"{self._portal}/")
        found = WEBSITE_TOKEN_IN_PAGE.search(page.text)
        if found is None:
            raise CustomerStuck("the portal's page has no website token")
        self._website_token = found.group(1)
        config = await self._widget("POST", "/config")
        self._auth = config["website_channel_config"]["auth_token"]

    async def log_in(self, customer_id: str) -> None:
        """Log in at the portal through the identity provider."""
        await self._identify(await self._follow("GET", f"{self._portal}/portal/login?customer={customer_id}"), customer_id)
        if self.conversation is not None:
            await self.hand_over_token()

    async def log_out(self) -> None:
        """Log out at the portal, which ends the chat's binding by the back channel."""
        answer = await self._http.post(
            f"{self._portal}/portal/logout", json={}, headers={"Origin": self._portal, "Sec-Fetch-Site": "same-origin"}
        )
        if answer.status_code != 200:
            raise CustomerStuck(f"logging out was answered {answer.status_code}")

    async def chat_token(self) -> str:
        """A fresh token of the portal for the chat, as the page's script fetches it."""
        answer = await self._http.post(
            f"{self._portal}/portal/chat-token", json={}, headers={"Origin": self._portal, "Sec-Fetch-Site": "same-origin"}
        )
        if answer.status_code != 200:
            raise CustomerStuck(f"the portal gave no chat token: {answer.status_code}")
        return str(answer.json()["token"])

    async def hand_over_token(self) -> None:
        """Give the chat a fresh token, as the page does on ready, at login and at the start of a conversation."""
        await self._widget(
            "POST", "/conversations/set_custom_attributes", {"custom_attributes": {"gw_session": await self.chat_token()}}
        )

    async def say(self, text: str) -> int:
        """Write a message; returns its id."""
        if self.conversation is None:
            body = {"message": {"content": text}, "custom_attributes": {"gw_session": await self.chat_token()}}
            answer = await self._widget("POST", "/conversations", body)
            self.conversation = int(answer["id"])
            return int(answer["messages"][0]["id"])
        answer = await self._widget("POST", "/messages", {"message": {"content": text}})
        return int(answer["id"])

    async def press(self, message_id: int, item: dict[str, str]) -> None:
        """Press a button of a message."""
        await self._widget("PATCH", f"/messages/{message_id}", {"message": {"submitted_values": [item]}})

    async def messages(self) -> list[dict[str, Any]]:
        """Every message the customer can see, oldest first."""
        answer = await self._widget("GET", "/messages")
        return list(answer["payload"])

    async def follow_login_link(self, message: str, customer_id: str) -> int:
        """Open the login link of a message and log in; returns the status of the last page."""
        found = _LINK.search(message)
        if found is None:
            raise CustomerStuck("the message has no login link")
        return (await self._identify(await self._follow("GET", found.group(1)), customer_id)).status_code

    async def open_link(self, url: str) -> httpx.Response:
        """Open any link of the chat."""
        return await self._follow("GET", url)

    async def _identify(self, page: httpx.Response, customer_id: str) -> httpx.Response:
        field, code = _PAGE_FIELD.search(page.text), _CODE.search(page.text)
        if field is None or code is None:
            return page  # the provider knew this browser already
        form = {"page": html.unescape(field.group(1)), "customer": customer_id, "code": code.group(1), "do": "login"}
        return await self._follow("POST", urljoin(str(page.url), "/identity/login"), form)

    async def _follow(self, method: str, url: str, form: dict[str, str] | None = None) -> httpx.Response:
        for _ in range(_MAX_REDIRECTS):
            response = await self._http.request(method, url, data=form)
            if not response.is_redirect:
                return response
            url, method, form = urljoin(url, response.headers["location"]), "GET", None
        raise CustomerStuck(f"too many redirects, the last to {urlsplit(url).path}")

    async def _widget(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"X-Auth-Token": self._auth} if self._auth else {}
        url = f"{self._inbox}/api/v1/widget{path}"
        response = await self._http.request(
            method, url, params={"website_token": self._website_token}, json=body, headers=headers
        )
        if response.status_code >= 300:
            raise CustomerStuck(f"the widget's API answered {response.status_code} at {method} {path}: {response.text[:200]}")
        answer = response.json() if response.content.strip() else {}
        return answer if isinstance(answer, dict) else {}
