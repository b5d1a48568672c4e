"""What a customer does in a real browser, in both languages, against the demo as real processes."""

from __future__ import annotations

import re

import pytest
from acceptance_pages import LABEL, WAIT, Browsers, Chat, Language, log_in
from demo_world import RunningDemo
from playwright.async_api import Page, expect

pytestmark = pytest.mark.acceptance

BALANCE = {"zh": "我的账户余额是多少？", "en": "What is my account balance?"}
MARGIN = {"zh": "我能开通融资融券吗？", "en": "Am I eligible for margin trading?"}
QUESTION = {"zh": "查看资料：科创板交易权限：开通条件", "en": "Look up: Trading hours and T+1 settlement: Trading hours"}
AVAILABLE = {"C1001": "128,650.42", "C1002": "52,310.00", "C1012": "305,118.27"}
CONDITIONS = {
    "zh": ["客户类别", "风险承受能力等级", "风险测评有效期", "风险揭示书", "资金账户状态", "证券交易经验", "日均资产"],
    "en": ["Customer class", "Risk level", "Age of the risk assessment", "Risk disclosure", "Funds account", "Trading experience", "Average assets"],
}  # fmt: skip


async def logged_in(browsers: Browsers, customer: str, language: Language) -> Chat:
    chat = await browsers.customer(language)
    await chat.log_in_at_portal(customer)
    await chat.open_chat()
    return chat


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_customer_logged_in_by_the_portal_is_told_the_balance_and_its_time(browsers: Browsers, language: Language):
    chat = await logged_in(browsers, "C1001", language)
    await chat.say(BALANCE[language])
    reply = await chat.last_reply(AVAILABLE["C1001"])
    await expect(reply).to_contain_text(re.compile(r"截至 \d\d:\d\d" if language == "zh" else r"as of \d\d:\d\d"))
    await expect(reply).to_contain_text("元" if language == "zh" else "CNY")


async def through_the_link(chat: Chat) -> Page:
    """Press the login link of the newest message; it opens a page of its own."""
    async with chat.page.context.expect_page() as opening:
        await chat.bot.locator("a[href*='/login/']").last.click()
    return await opening.value


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_anonymous_customer_logs_in_by_the_link_and_is_answered_without_retyping(
    browsers: Browsers, demo: RunningDemo, language: Language
):
    chat = await browsers.customer(language)
    await chat.open()
    await chat.say(BALANCE[language])
    await expect(chat.bot.locator("a[href*='/login/']")).to_be_visible(timeout=WAIT)
    assert await chat.bot.filter(has_text=re.compile(r"\d\.\d\d")).count() == 0
    login = await through_the_link(chat)
    await log_in(login, "C1002")
    await expect(login.get_by_role("heading", level=1)).to_have_text("登录成功" if language == "zh" else "You are logged in")

    await chat.last_reply(AVAILABLE["C1002"])
    assert await chat.mine.count() == 1, "nothing was typed again"

    await login.wait_for_url(f"{demo.settings.portal_public_url}/**")
    back = Chat(demo, login, language)
    await back.open_chat()
    await expect(back.mine).to_contain_text(BALANCE[language])
    await back.last_reply(AVAILABLE["C1002"])


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_citation_opens_the_document_with_the_passage_highlighted(browsers: Browsers, language: Language):
    chat = await browsers.customer(language)
    await chat.open()
    await chat.say(QUESTION[language])
    reply = await chat.last_reply("[1]")
    async with chat.page.context.expect_page() as opening:
        await reply.locator("a[href*='/knowledge/']").first.click()
    page = await opening.value
    cited = page.locator("section.cited")
    await expect(cited).to_have_count(1)
    await expect(cited).to_be_in_viewport()
    await expect(cited.locator(".note")).to_be_visible()
    said = re.sub(r"\s", "", (await reply.inner_text()).split("[1]")[0])
    sentence = re.split(r"[。.]", said)[-2] if said.endswith(("。", ".")) else said[-20:]
    assert sentence[-15:] in re.sub(r"\s", "", await cited.inner_text()), "the passage holds the words that were quoted"
    colours = await page.evaluate(
        "() => [...document.querySelectorAll('section')].map(s => [s.className, getComputedStyle(s).backgroundColor])"
    )
    assert {c for name, c in colours if name == "cited"}.isdisjoint({c for name, c in colours if name != "cited"})


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_margin_eligibility_shows_every_condition_with_its_state(browsers: Browsers, language: Language):
    chat = await logged_in(browsers, "C1009", language)
    await chat.say(MARGIN[language])
    reply = await chat.last_reply(CONDITIONS[language][0])
    text = await reply.inner_text()
    for condition in CONDITIONS[language]:
        assert re.search(rf"^[✓✗] .*{condition}", text, re.MULTILINE), f"{condition} has no state"
    assert text.count("✗") == 5
    assert text.count("✓") == 2
    assert text.count("依据" if language == "zh" else "Basis") == 7
    assert text.count("办法：" if language == "zh" else "What you can do") == 5


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_first_bot_message_discloses_and_every_bot_message_wears_its_label(browsers: Browsers, language: Language):
    chat = await browsers.customer(language)
    await chat.open()
    await chat.say("你好" if language == "zh" else "Hello")
    await expect(chat.bot).to_have_count(2, timeout=WAIT)
    first = chat.bot.first
    for words in {
        "zh": ["自动应答程序", "非人工", "记录", "转人工"],
        "en": ["automated assistant", "not a person", "recorded", "Talk to a person"],
    }[language]:
        await expect(first).to_contain_text(words)
    await chat.say(QUESTION[language])
    await expect(chat.bot).to_have_count(3, timeout=WAIT)
    for number in range(3):
        label = chat.bot.nth(number).locator(".label")
        await expect(label).to_be_visible()
        await expect(label).to_contain_text(LABEL[language])
    conversation = chat.demo.one("inbox", "SELECT max(display_id) FROM inbox.conversation")
    for message in chat.demo.query(
        "inbox",
        "SELECT m.content_attributes->'automated'->>'label' AS label, m.content_attributes->'automated'->>'record' AS record"
        " FROM inbox.message m JOIN inbox.conversation c ON c.id = m.conversation_id"
        " WHERE c.display_id = %(c)s AND m.sender_type = 'AgentBot' AND NOT m.private",
        c=conversation,
    ):
        assert message["label"] == LABEL[language]
        assert message["record"]


async def test_customer_switches_the_chat_and_the_answers_to_english(browsers: Browsers):
    chat = await browsers.customer("zh")
    await chat.open()
    await expect(chat.frame.locator("#person")).to_have_text("转人工")
    await chat.frame.locator("#language").click()
    await expect(chat.frame.locator("#person")).to_have_text("Talk to a person")
    await chat.say("How long does a bank transfer take?")
    await expect(chat.bot.first).to_contain_text("automated assistant", timeout=WAIT)
    await expect(chat.bot.first.locator(".label")).to_contain_text("Automated")


async def test_markup_typed_by_a_customer_is_shown_as_text(browsers: Browsers):
    chat = await browsers.customer("zh")
    await chat.open()
    text = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) {{contact.name}}"
    await chat.say(text)
    await expect(chat.mine.first).to_contain_text(text)
    await expect(chat.bot).not_to_have_count(0, timeout=WAIT)
    assert await chat.frame.locator(".message img").count() == 0
    assert await chat.frame.locator("a[href^='javascript']").count() == 0


async def test_reloaded_page_shows_the_same_conversation(browsers: Browsers):
    chat = await logged_in(browsers, "C1001", "zh")
    await chat.say(BALANCE["zh"])
    await chat.last_reply(AVAILABLE["C1001"])
    await chat.page.reload()
    await chat.open_chat()
    await expect(chat.mine).to_contain_text(BALANCE["zh"])
    await chat.last_reply(AVAILABLE["C1001"])
