"""What an auditor does in a real browser: logs in, finds a conversation, reads how it came about, checks its proofs, takes an export away; and a
damaged tree and a missing release are seen."""

from __future__ import annotations

import asyncio
import hashlib
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from acceptance_pages import Browsers, Language
from audit_exports import verified
from audit_turns import BALANCE
from console_world import OLD_NAME, console_world
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
    await page.locator("#journey").fill("check_balance")
    await page.locator("#customer").fill("C1001")
    await page.locator("#customer").press("Enter")
    await expect(page.locator("tr.hit td.what").first).to_contain_text("check_balance")
    assert "C1001" not in page.url
    await expect(page.locator("#customer")).to_have_value("C1001")
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
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


async def test_the_flow_on_the_page_is_that_of_the_release_on_record(database: Settings, browser: Browser, tmp_path: Path):
    async with console_world(database, tmp_path, text="余额") as world:
        page = await (await browser.new_context(locale="zh-CN")).new_page()
        await log_in(page, world.settings.console_public_url)
        await page.goto(f"{world.settings.console_public_url}/conversations/1-12")
        way = page.locator("details.way")
        await expect(way.locator("summary")).to_contain_text(OLD_NAME)
        await way.locator("summary").press("Enter")  # by keyboard
        picture = way.locator("img")
        await expect(picture).to_have_attribute("alt", re.compile("begin → tell_balance_long_ago → END"))
        await picture.scroll_into_view_if_needed()
        await expect(picture).to_have_js_property("complete", True)
        assert await picture.evaluate("image => image.naturalWidth") > 100
        await expect(way).to_contain_text(world.release)
        alone = await page.context.new_page()
        await alone.goto(world.settings.console_public_url + (await picture.get_attribute("src") or ""))
        await expect(alone.locator("svg")).to_contain_text(OLD_NAME)
        await page.goto(f"{world.settings.console_public_url}/conversations/1-13")
        await page.locator("details.way summary").click()
        await expect(page.locator("details.way .note")).to_contain_text("日志中缺少此版本的流程文件")
        await expect(page.locator("details.way .steps")).to_contain_text("tell_balance_long_ago")
        await expect(page.locator("details.way img")).to_have_count(0)
        await page.context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_an_export_is_made_followed_and_taken_away_and_its_verifier_finds_it_good(
    database: Settings, browser: Browser, tmp_path: Path, language: Language
):
    async with console_world(database, tmp_path, text="余额") as world:
        context = await browser.new_context(
            locale={"zh": "zh-CN", "en": "en-US"}[language], viewport={"width": 390, "height": 844}, accept_downloads=True
        )
        page = await context.new_page()
        await log_in(page, world.settings.console_public_url)
        await page.locator("#journey").fill("check_margin_eligibility")
        await page.locator("#verdict").fill("refused")
        await page.locator("#verdict").press("Enter")
        await expect(page.locator("tr.hit td.what").first).to_contain_text("margin_eligibility=not_eligible")
        await page.locator('a[href^="/export?"]').click()
        await expect(page.locator("dl")).to_contain_text("refused")
        await page.get_by_label({"zh": "英文页面", "en": "pages in English"}[language]).check()
        await page.locator('form[action="/exports"] button.primary').click()
        await expect(page.locator("#download")).to_be_visible(timeout=30_000)  # the page follows by itself
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        manifest = await page.locator("dd code").inner_text()
        async with page.expect_download() as taken:
            await page.locator("#download").press("Enter")
        bundle = tmp_path / "taken.zip"
        await (await taken.value).save_as(bundle)
        code, said = verified(bundle)
        assert code == 0, said
        assert manifest in said
        with zipfile.ZipFile(bundle) as packed:
            assert hashlib.sha256(packed.read("manifest.json")).hexdigest() == manifest
            assert "Conversation" in packed.read("conversations/0001.html").decode()
            assert all(BALANCE.encode() not in packed.read(name) for name in packed.namelist())
        for _ in range(100):
            if not list((tmp_path / "exports").iterdir()):
                break
            await asyncio.sleep(0.02)
        assert list((tmp_path / "exports").iterdir()) == []
        await page.goto(f"{world.settings.console_public_url}/export?conversation=1-10")
        await page.locator("input[name=unmasked]").check()
        await page.locator("#reason").fill("a case of the regulator")
        await page.locator('form[action="/exports"] button.primary').click()
        await expect(page.locator('[role="alert"]')).to_contain_text(
            {"zh": "没有不脱敏导出的权限", "en": "may not make unmasked"}[language]
        )
        await context.close()


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
