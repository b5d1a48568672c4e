"""A person takes over and gives back: a customer's and an agent's browser at once, against the demo as real processes."""

from __future__ import annotations

import re

import pytest
from acceptance_pages import PERSON, WAIT, Browsers, Chat, Desk, Language
from demo_world import RunningDemo
from playwright.async_api import expect

pytestmark = pytest.mark.acceptance

GREETING = {"zh": "您好，我是人工坐席，这就为您核实。", "en": "Hello, this is a person. Let me look into that."}
QUESTION = {
    "zh": "查看资料：银证转账：资金到账时间",
    "en": "Look up: Transfers between bank and securities account: When the money arrives",
}
BALANCE = "我的账户余额是多少？"


def newest(demo: RunningDemo) -> int:
    return int(demo.one("inbox", "SELECT max(display_id) FROM inbox.conversation"))


async def waiting(browsers: Browsers, language: Language) -> tuple[Chat, Desk, int]:
    """A customer who asked for a person, and an agent who has the conversation open."""
    chat = await browsers.customer(language)
    await chat.open()
    await chat.say(QUESTION[language])
    await chat.last_reply("[1]")
    await chat.press(PERSON[language])
    await expect(chat.frame.locator("#status")).to_contain_text(
        "已转人工" if language == "zh" else "Handed to our team", timeout=WAIT
    )
    desk = await browsers.agent(language)
    await desk.log_in()
    conversation = newest(chat.demo)
    await desk.take(conversation)
    return chat, desk, conversation


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_person_is_asked_for_reads_the_note_replies_and_gives_back(browsers: Browsers, language: Language):
    chat, desk, _ = await waiting(browsers, language)
    note = desk.notes.first
    await expect(note).to_contain_text("客户要求人工 · the customer asked for a person")
    await expect(note).to_contain_text("未验证 · not verified")
    await expect(note).to_contain_text(QUESTION[language])
    await expect(note).to_contain_text("已出示来源")
    await expect(desk.page.locator("#head .tag").filter(has_text="bot-handoff")).to_be_visible()
    assert await chat.frame.get_by_text("客户要求人工").count() == 0, "the customer never sees the note"

    await desk.reply(GREETING[language])
    await expect(chat.staff.last).to_contain_text(GREETING[language])
    said = await chat.bot.count()
    await chat.say("谢谢，麻烦了" if language == "zh" else "thank you")
    await expect(desk.page.locator(".message.customer").last).to_contain_text("谢谢" if language == "zh" else "thank you")
    await chat.page.wait_for_timeout(1500)
    assert await chat.bot.count() == said, "the bot is silent while a person holds the conversation"

    await desk.act("give")
    await expect(desk.page.locator(".status.pending")).to_be_visible()
    await chat.say(QUESTION[language])
    await expect(chat.bot).to_have_count(said + 1, timeout=WAIT)
    await expect(chat.bot.last).to_contain_text("[1]")


async def test_agent_sees_that_the_customer_is_verified_and_no_figures(browsers: Browsers, demo: RunningDemo):
    chat = await browsers.customer("zh")
    await chat.log_in_at_portal("C1001")
    await chat.open_chat()
    await chat.say(BALANCE)
    await chat.last_reply("128,650.42")
    await chat.frame.locator("#person").click()
    await expect(chat.frame.locator("#status")).to_contain_text("已转人工", timeout=WAIT)
    desk = await browsers.agent("zh")
    await desk.log_in()
    await desk.take(newest(demo))
    await expect(desk.notes.first).to_contain_text("已验证 · verified")
    text = await desk.notes.first.inner_text()
    assert not re.search(r"\d[\d,]*\.\d\d", text), "no figures in notes"
    assert "C1001" not in text, "no customer number in notes"


async def test_agent_who_simply_takes_over_silences_the_bot(browsers: Browsers, demo: RunningDemo):
    chat = await browsers.customer("zh")
    await chat.open()
    await chat.say("你好")
    await expect(chat.bot).to_have_count(2, timeout=WAIT)
    desk = await browsers.agent("zh")
    await desk.log_in()
    await desk.page.locator('[data-tab="pending"]').click()
    await desk.take(newest(demo))
    await desk.act("take")
    await expect(desk.page.locator(".status.open")).to_be_visible()
    await chat.say(QUESTION["zh"])
    await chat.page.wait_for_timeout(1500)
    assert await chat.bot.count() == 2


async def test_resolved_conversation_starts_afresh_with_a_new_disclosure(browsers: Browsers):
    chat, desk, _ = await waiting(browsers, "zh")
    await desk.reply("已为您处理。")
    await desk.act("resolve")
    await expect(chat.frame.locator("#status")).to_contain_text("已结束", timeout=WAIT)
    said = await chat.bot.count()
    await chat.say(QUESTION["zh"])
    await expect(chat.bot).to_have_count(said + 2, timeout=WAIT)
    await expect(chat.bot.nth(said)).to_contain_text("自动应答程序")


async def test_what_an_agent_types_cannot_inject_markup(browsers: Browsers):
    chat, desk, _ = await waiting(browsers, "zh")
    await desk.reply("<b>您好</b> <img src=x onerror=alert(1)>")
    await expect(chat.staff.last).to_contain_text("您好")
    assert await chat.frame.locator(".message img, .message b").count() == 0
