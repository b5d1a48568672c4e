"""The picture of docs/console.md: a turn with its decision trail, the way it took through the flow of its release, and its proof."""

from __future__ import annotations

from playwright.async_api import Browser, Page

from tightrope.cli.play import play_all
from tightrope.infra.settings import Settings

ASKED = [{"id": "balance", "session": "C1001", "turns": ["我的账户余额是多少？"]}]
WAIT = 20_000


async def console_picture(browser: Browser, settings: Settings) -> bytes:
    """A customer asks for a balance; an auditor searches for it, reads it, and checks its proof."""
    await play_all(settings, ASKED, 1, lambda _: None)
    page = await browser.new_page(viewport={"width": 1280, "height": 1000}, locale="en-US", timezone_id="Asia/Shanghai")
    page.set_default_timeout(WAIT)
    await _enter(page, settings.console_public_url)
    await page.locator("#journey").fill("check_balance")
    await page.locator("#journey").press("Enter")
    await page.locator("tr.hit a").first.click()
    record = page.locator(".record").filter(has=page.locator("details.way")).first
    await record.locator("details.way summary").click()
    picture = record.locator("details.way img")
    await picture.scroll_into_view_if_needed()
    await picture.evaluate("image => image.decode()")
    await record.locator("button.check").click()
    await record.locator(".proof.good").wait_for()
    # The record begins below the two headings, which stay at the top.
    await record.evaluate("record => window.scrollTo(0, record.getBoundingClientRect().top + window.scrollY - 64)")
    await page.wait_for_timeout(300)
    return await page.screenshot()


async def _enter(page: Page, url: str) -> None:
    await page.goto(f"{url}/search")
    await page.locator("main a.button").click()
    await page.locator("input[value=auditor-01]").check()
    await page.locator("#code").fill(await page.locator("[data-one-time-code]").inner_text())
    await page.locator("button[value=login]").click()
    await page.locator("#purpose").fill("Complaints sample, third quarter of 2026")
    await page.locator("main button.primary").click()
    await page.locator("#journey").wait_for()
