"""The pages as people use them: the customer's chat inside the portal's page, the login page, and the agents' desk."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from demo_world import RunningDemo
from playwright.async_api import Browser, BrowserContext, FrameLocator, Locator, Page, expect

WAIT = 15_000
"""Milliseconds that a reply may take on a busy machine."""
Language = Literal["zh", "en"]
LOCALES = {"zh": "zh-CN", "en": "en-US"}
LABEL = {"zh": "自动应答", "en": "Automated"}
PERSON = {"zh": "转人工", "en": "Talk to a person"}
_HARMLESS_SCHEMES = {"data", "blob", "about", "chrome-error"}


class Browsers:
    """Browser contexts of one test, each with its own cookies; every request and every script error is written down."""

    def __init__(self, demo: RunningDemo, browser: Browser) -> None:
        self._demo = demo
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.requests: list[str] = []
        self.errors: list[str] = []

    async def customer(self, language: Language = "zh", *, narrow: bool = False) -> Chat:
        """A new browser for a customer."""
        return Chat(self._demo, await self._page(language, narrow=narrow), language)

    async def agent(self, language: Language = "zh", *, narrow: bool = False) -> Desk:
        """A new browser for an agent."""
        return Desk(self._demo, await self._page(language, narrow=narrow), language)

    async def auditor(self, language: Language = "zh", *, narrow: bool = False) -> Page:
        """A new browser for an auditor."""
        return await self._page(language, narrow=narrow)

    async def _page(self, language: Language, *, narrow: bool) -> Page:
        size: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
        if narrow:
            size = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
        context = await self._browser.new_context(locale=LOCALES[language], timezone_id="Asia/Shanghai", **size)
        self._contexts.append(context)
        context.set_default_timeout(WAIT)
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("page", self._watch)
        context.on("weberror", lambda failed: self.errors.append(f"{failed.error}"))
        context.on("console", lambda line: self.errors.append(line.text) if _is_failure(line.type, line.text) else None)
        return await context.new_page()

    def _watch(self, page: Page) -> None:
        page.on("websocket", lambda socket: self.requests.append(socket.url))

    def elsewhere(self) -> list[str]:
        """Requests that did not go to a part of this demo."""
        ours = {part.port for part in self._demo.demo.parts}
        found = []
        for url in self.requests:
            split = urlsplit(url)
            local = split.hostname in {"localhost", "127.0.0.1"} and split.port in ours
            if not local and split.scheme not in _HARMLESS_SCHEMES:
                found.append(url)
        return found

    async def close(self, pictures: Path | None, name: str) -> None:
        """Close all; with a folder, keep a picture of every open page."""
        for number, context in enumerate(self._contexts):
            for place, page in enumerate(context.pages):
                if pictures is not None and not page.is_closed():
                    await page.screenshot(path=pictures / f"{re.sub(r'[^a-z0-9_-]', '_', name.lower())}-{number}-{place}.png")
            await context.close()


def _is_failure(kind: str, text: str) -> bool:
    """Script errors and refused content; a page that answers 403 or 410 on purpose is none."""
    return kind == "error" and not text.startswith("Failed to load resource")


class Chat:
    """A customer's browser."""

    def __init__(self, demo: RunningDemo, page: Page, language: Language) -> None:
        self.demo = demo
        self.page = page
        self.language = language
        self.portal = demo.settings.portal_public_url

    @property
    def frame(self) -> FrameLocator:
        """The chat inside the page."""
        return self.page.frame_locator("#chatwoot_live_chat_widget")

    @property
    def bot(self) -> Locator:
        """The bot's messages."""
        return self.frame.locator(".message.bot")

    @property
    def mine(self) -> Locator:
        """The customer's own messages."""
        return self.frame.locator(".message.mine")

    @property
    def staff(self) -> Locator:
        """What people of the firm wrote."""
        return self.frame.locator(".message.staff")

    async def open(self) -> None:
        """Open the portal's page and the chat on it."""
        await self.page.goto(f"{self.portal}/?lang={self.language}")
        await self.open_chat()

    async def open_chat(self) -> None:
        """Open the chat of the page that is shown."""
        await expect(self.page.locator("#open-chat")).to_be_enabled()
        await self.page.locator("#open-chat").click()
        await expect(self.frame.locator("#text")).to_be_visible()

    async def log_in_at_portal(self, customer: str) -> None:
        """Log in at the portal, before the chat."""
        await self.page.goto(f"{self.portal}/?lang={self.language}")
        await self.page.locator("#login").click()
        await log_in(self.page, customer)
        await expect(self.page.locator("#who")).to_contain_text(customer)

    async def say(self, text: str) -> None:
        """Type a message and send it."""
        before = await self.mine.count()
        await self.frame.locator("#text").fill(text)
        await self.frame.locator("#text").press("Enter")
        await expect(self.mine).to_have_count(before + 1)

    async def last_reply(self, text: str | re.Pattern[str]) -> Locator:
        """The bot's newest message once it has this text."""
        message = self.bot.filter(has_text=text).last
        await expect(message).to_be_visible(timeout=WAIT)
        return message

    async def press(self, title: str) -> None:
        """Press the newest button of this title."""
        button = self.frame.locator(".choice:enabled").filter(has_text=re.compile(f"^{re.escape(title)}$")).last
        await button.click()


class Desk:
    """An agent's browser."""

    def __init__(self, demo: RunningDemo, page: Page, language: Language) -> None:
        self.demo = demo
        self.page = page
        self.language = language

    @property
    def notes(self) -> Locator:
        """Private notes of the open conversation."""
        return self.page.locator(".message.note")

    async def log_in(self) -> None:
        """Open the desk and log in as the first demo agent."""
        await self.page.goto(f"{self.demo.settings.inbox_public_url}/desk")
        await self.page.locator("[data-agent]").first.click()
        await expect(self.page.locator("#list")).to_be_visible()

    async def take(self, conversation: int) -> None:
        """Open a conversation of the list."""
        await self.page.locator(f'#list [data-id="{conversation}"]').click()
        await expect(self.page.locator("#messages")).to_be_visible()

    async def reply(self, text: str) -> None:
        """Write to the customer."""
        await self.page.locator("#text").fill(text)
        await self.page.locator("#composer .send").click()
        await expect(self.page.locator(".message.agent").filter(has_text=text)).to_be_visible()

    async def act(self, action: str) -> None:
        """Press `give` (back to the bot), `resolve`, `take`, …"""
        await self.page.locator(f'[data-action="{action}"]').click()


async def log_in(page: Page, customer: str) -> None:
    """The identity provider's page: choose a customer, type the one-time code that it shows."""
    await page.locator(f'input[name="customer"][value="{customer}"]').check()
    code = await page.locator("[data-one-time-code]").get_attribute("data-one-time-code")
    await page.locator("#code").fill(code or "")
    await page.locator('button[value="login"]').click()


async def sideways(page: Page | Any) -> int:
    """By how many pixels a page can be scrolled sideways."""
    found = await page.evaluate("() => document.scrollingElement.scrollWidth - document.documentElement.clientWidth")
    return int(found)
