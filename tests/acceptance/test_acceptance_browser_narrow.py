"""The pages on a telephone, 390 px wide: nothing scrolls sideways, the input is in sight, what is to be pressed can be pressed."""

from __future__ import annotations

import pytest
from acceptance_pages import WAIT, Browsers, Chat, Language, log_in, sideways
from playwright.async_api import Locator, Page, expect

pytestmark = pytest.mark.acceptance

FINGER = 32
"""Smallest height in pixels of what a finger has to hit; WCAG 2.2 asks for 24."""


async def fits(page: Page, where: str) -> None:
    assert await sideways(page) <= 0, f"{where} scrolls sideways"
    for frame in page.frames[1:]:
        assert await sideways(frame) <= 0, f"the chat on {where} scrolls sideways"


async def tappable(buttons: Locator) -> None:
    assert await buttons.count() > 0
    for button in await buttons.all():
        if not await button.is_visible() or not await button.is_enabled():
            continue
        box = await button.bounding_box()
        assert box is not None
        assert box["height"] >= FINGER, f"{await button.inner_text()!r} is {box['height']:.0f} px high"
        await button.tap(trial=True)


async def input_in_sight(chat: Chat) -> None:
    box = await chat.frame.locator("#text").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 844
    assert box["width"] > 250


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_customer_on_a_telephone_logs_in_asks_and_gets_a_person(browsers: Browsers, language: Language):
    chat = await browsers.customer(language, narrow=True)
    await chat.page.goto(f"{chat.portal}/?lang={language}")
    await fits(chat.page, "the portal")
    await chat.open_chat()
    await input_in_sight(chat)
    await fits(chat.page, "the portal with the chat")
    await chat.say("我能开通融资融券吗？" if language == "zh" else "Am I eligible for margin trading?")
    link = chat.bot.locator("a[href*='/login/']")
    await expect(link).to_be_visible(timeout=WAIT)
    await fits(chat.page, "the chat with a link")
    await tappable(chat.frame.locator(".choice:enabled"))
    await tappable(chat.frame.locator("#person, #language"))
    async with chat.page.context.expect_page() as opening:
        await link.tap()
    login = await opening.value
    await expect(login.locator("#code")).to_be_attached()
    await fits(login, "the login page")
    await tappable(login.locator("button"))
    await log_in(login, "C1009")
    await expect(login.get_by_role("heading", level=1)).to_be_visible()
    await fits(login, "the page after the login")
    await chat.last_reply("48,950.00")
    await fits(chat.page, "the chat with a long answer")
    await input_in_sight(chat)
    await chat.frame.locator("#person").tap()
    await expect(chat.frame.locator("#status")).to_contain_text(
        "已转人工" if language == "zh" else "Handed to our team", timeout=WAIT
    )


async def test_choice_of_titles_and_cited_document_fit_a_telephone(browsers: Browsers):
    chat = await browsers.customer("zh", narrow=True)
    await chat.open()
    await chat.say("开通科创板需要什么条件？")
    await chat.last_reply("请选择一项")
    await fits(chat.page, "the chat with a choice of titles")
    await chat.press("科创板交易权限：开通条件")
    reply = await chat.last_reply("[1]")
    async with chat.page.context.expect_page() as opening:
        await reply.locator("a[href*='/knowledge/']").first.tap()
    page = await opening.value
    await expect(page.locator("section.cited")).to_be_in_viewport()
    await fits(page, "the document")


async def test_long_words_and_long_messages_do_not_widen_the_chat(browsers: Browsers):
    chat = await browsers.customer("en", narrow=True)
    await chat.open()
    await chat.say("a" * 400)
    await expect(chat.bot).not_to_have_count(0, timeout=WAIT)
    await fits(chat.page, "the chat with a word of 400 letters")
    await input_in_sight(chat)


async def test_desk_fits_a_telephone(browsers: Browsers):
    chat = await browsers.customer("zh")
    await chat.open()
    await chat.say("转人工")
    await expect(chat.frame.locator("#status")).to_contain_text("已转人工", timeout=WAIT)
    desk = await browsers.agent("zh", narrow=True)
    await desk.log_in()
    await fits(desk.page, "the desk")
    conversation = chat.demo.one("inbox", "SELECT max(display_id) FROM inbox.conversation")
    await desk.take(conversation)
    await fits(desk.page, "the desk's conversation")
    await tappable(desk.page.locator(".thread-head [data-action], #composer .send"))
    await desk.reply("您好")
    await desk.act("give")
    await expect(desk.page.locator(".status.pending")).to_be_visible()
