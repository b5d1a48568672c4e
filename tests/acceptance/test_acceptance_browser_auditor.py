"""What an auditor does in a real browser: logs in, finds a conversation, reads how it came about, checks its proofs; and a damaged tree is seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from acceptance_pages import Browsers, Language
from console_world import console_world
from demo_world import RunningDemo
from playwright.async_api import Browser, Page, expect

from tightrope.infra.settings import Settings

pytestmark = pytest.mark.acceptance

HOLDS = {"zh": "证明成立", "en": "The proof holds"}
FAILS = {"zh": "证明不成立", "en": "The proof does not hold"}
ATTACK = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>\u202eniwde"


async def log_in(page: Page, url: str, purpose: str = "抽查") -> None:
    await page.goto(f"{url}/search")
    await page.locator("main a.button").click()
    await page.locator("input[value=auditor-01]").check()
    await page.locator("#code").fill(await page.locator("[data-one-time-code]").inner_text())
    await page.locator("button[value=login]").click()
    await page.locator("#purpose").fill(purpose)
    await page.locator("main button.primary").click()
    await expect(page.locator("#conversation")).to_be_visible()


async def check_all(page: Page) -> None:
    await page.locator("[data-check-all]").click()
    await expect(page.locator("[data-check-all]")).to_be_enabled(timeout=30_000)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_auditor_finds_a_conversation_sees_the_way_taken_and_checks_its_proofs(
    demo: RunningDemo, browsers: Browsers, play: Callable[..., Any], language: Language
):
    await play("C1001", "我的账户余额是多少？")
    page = await browsers.auditor(language, narrow=language == "en")
    await log_in(page, demo.settings.console_public_url)
    await page.locator("#event").select_option("gateway:turn:made")
    await page.locator("main button.primary").click()
    await page.locator("tr.hit a").first.click()
    await expect(page.locator(".bubble.bot").filter(has_text="128,650.42")).to_be_visible()
    await page.locator("details.way summary").first.click()
    picture = page.locator("details.way img").first
    await expect(picture).to_have_attribute("alt", re.compile("begin → tell_balance → .*END"))
    await picture.scroll_into_view_if_needed()
    await expect(picture).to_have_js_property("complete", True)
    assert await picture.evaluate("image => image.naturalWidth") > 100
    await check_all(page)
    buttons = await page.locator("button.check").count()
    assert buttons >= 3
    await expect(page.locator(".proof.good")).to_have_count(buttons)
    await expect(page.locator(".proof.good p").first).to_contain_text(HOLDS[language])
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_a_changed_tile_turns_the_proof_red_and_markup_stays_text(database: Settings, browser: Browser, tmp_path: Path):
    async with console_world(database, tmp_path, text=ATTACK) as world:
        page = await (await browser.new_context(locale="en-US")).new_page()
        await log_in(page, world.settings.console_public_url)
        await page.goto(f"{world.settings.console_public_url}/conversations/1-9")
        await expect(page.locator(".bubble.customer").last).to_contain_text("<script>document.title='owned'</script><202e>niwde")
        assert "owned" not in await page.title()
        await world.stop_sealing()
        await page.locator("button.check").first.click()
        await expect(page.locator(".proof").first).to_have_class("proof good")
        tree = world.settings.audit_tree
        assert tree is not None
        tiles = [path for path in tree.glob("*/tile/0/**/*") if path.is_file()]
        assert tiles
        for path in tiles:
            path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))
        await page.locator("button.check").first.click()
        await expect(page.locator(".proof").first).to_have_class("proof bad")
        await expect(page.locator(".proof p").first).to_contain_text(FAILS["en"])
        await expect(page.locator(".proof li").filter(has_text="does not lead to the checkpoint's root")).to_be_visible()
        await page.context.close()
