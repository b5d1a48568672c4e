"""The two pages in a real browser: what a customer and an agent do with them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tightrope.sandbox.inbox.models import WEBSITE_TOKEN

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not CHROMIUM.exists() and os.environ.get("CI") != "true", reason="Chromium is not installed: the pages were NOT tested"
    ),
]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

HOST_PAGE = """async (base) => {
  window.heard = [];
  for (const name of ["ready", "on-start-conversation", "on-message"]) addEventListener(`chatwoot:${name}`, () => heard.push(name));
  const script = document.createElement("script");
  script.src = `${base}/packs/js/sdk.js`;
  document.head.append(script);
  await new Promise((done) => (script.onload = done));
  chatwootSDK.run({websiteToken: TOKEN, baseUrl: base});
  $chatwoot.setConversationCustomAttributes({gw_session: "portal-token"});
  $chatwoot.setLocale("zh");
  $chatwoot.toggle("open");
}"""


@pytest_asyncio.fixture(scope="session")
async def browser() -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        await chromium.close()


class Pages:
    """Pages of one test, with everything that went wrong in them."""

    def __init__(self, browser: Any, base: str) -> None:
        self._browser = browser
        self.base = base
        self.errors: list[str] = []

    async def open(self, path: str, *, width: int = 390, scheme: str = "light") -> Any:
        context = await self._browser.new_context(viewport={"width": width, "height": 800}, locale="zh-CN", color_scheme=scheme)
        context.set_default_timeout(8000)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on(
            "request",
            lambda request: self.errors.append(request.url) if not request.url.startswith((self.base, "data:")) else None,
        )
        await page.goto(self.base + path)
        return page

    async def widget(self) -> Any:
        return await self.open(f"/widget?website_token={WEBSITE_TOKEN}&locale=zh")

    async def desk(self, *, width: int = 1280) -> Any:
        page = await self.open("/desk", width=width)
        await page.get_by_role("button", name="Agent 1 坐席一").click()
        await page.locator("#tabs").wait_for()
        return page


@pytest_asyncio.fixture
async def pages(browser: Any, live: str) -> AsyncIterator[Pages]:
    made = Pages(browser, f"http://{live}")
    yield made
    for context in browser.contexts:
        await context.close()
    assert made.errors == []


async def fits(page: Any) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


async def newest(inbox: Any) -> int:
    found = (await inbox.api("GET", "conversations", inbox.as_agent(), status="all")).json()["data"]["payload"]
    return max(one["id"] for one in found)


async def test_customer_asks_presses_a_button_and_reads_a_person(inbox: Any, pages: Pages) -> None:
    page = await pages.widget()
    await page.get_by_text("您好，请问有什么可以帮您？").wait_for()
    await page.get_by_label("消息").fill("我的余额是多少？")
    await page.keyboard.press("Enter")
    await page.get_by_label("已送达").or_(page.get_by_text("已送达")).first.wait_for(state="attached")
    number = await newest(inbox)
    items = [{"title": "我已登录", "value": "tr:1"}, {"title": "转人工", "value": "tr:2"}]
    body = {
        "content": "请先**登录** [1](http://localhost:8080/s/1)",
        "content_type": "input_select",
        "content_attributes": {"items": items},
    }
    await inbox.api("POST", f"conversations/{number}/messages", inbox.as_bot, body)
    await page.get_by_text("自动应答", exact=True).last.wait_for()
    link = page.locator("a.citation")
    assert (await link.get_attribute("target"), await link.get_attribute("rel")) == ("_blank", "noopener noreferrer")
    await page.get_by_role("button", name="我已登录").click()
    await page.locator(".choice.picked:disabled").wait_for()
    await inbox.drained()
    told = [one for one in inbox.bot.named("message_updated", number) if "submitted_values" in one["content_attributes"]]
    assert told[0]["content_attributes"]["submitted_values"][0]["value"] == "tr:1"
    assert await page.locator(".choice:not(:disabled)").count() == 0
    await inbox.api("POST", f"conversations/{number}/toggle_status", inbox.as_bot, {"status": "open"})
    await page.get_by_text("已转人工，坐席将尽快回复").wait_for()
    await inbox.api("POST", f"conversations/{number}/messages", inbox.as_agent(), {"content": "您好"})
    await page.get_by_text("Agent 1 坐席一 · 人工客服").wait_for()
    assert await fits(page)
    await page.get_by_role("button", name="Switch to English").click()
    await page.get_by_text("You are talking to Agent 1 坐席一").wait_for()


async def test_talk_to_a_person_is_one_tap_away_from_the_start(inbox: Any, pages: Pages) -> None:
    page = await pages.widget()
    await page.get_by_role("button", name="转人工", exact=True).click()
    await page.locator(".mine .bubble").get_by_text("转人工").wait_for()
    await page.locator(".state .sr").get_by_text("已送达").wait_for(state="attached")
    await inbox.drained()
    assert inbox.bot.named("message_created", await newest(inbox))[0]["content"] == "转人工"


async def test_what_people_and_models_write_is_never_markup(inbox: Any, pages: Pages) -> None:
    page = await pages.widget()
    await page.get_by_label("消息").fill("<img src=x onerror=alert(1)>")
    await page.keyboard.press("Enter")
    await page.locator(".mine .bubble").get_by_text("<img src=x onerror=alert(1)>").wait_for()
    await page.locator(".state .sr").get_by_text("已送达").wait_for(state="attached")
    number = await newest(inbox)
    bad = "<script>alert(1)</script> [x](javascript:alert(1)) [y](data:text/html,z) `{{a}}` **b** _c_ \\*d\\*\n- e\n  f\n1. g\n> h\n\n|a|b|\n|-|-|\n|1|2|"
    await inbox.api("POST", f"conversations/{number}/messages", inbox.as_bot, {"content": bad})
    bubble = page.locator(".message.bot .bubble")
    await bubble.wait_for()
    assert await bubble.locator("script, img, a").count() == 0
    assert [await bubble.locator(tag).count() for tag in ("strong", "li", "blockquote", "table", "code")] == [1, 2, 1, 1, 1]
    assert "<script>alert(1)</script>" in await bubble.inner_text()
    assert "*d*" in await bubble.inner_text()


async def test_customer_gets_what_was_said_while_the_line_was_down(inbox: Any, pages: Pages) -> None:
    page = await pages.widget()
    await page.get_by_role("button", name="转人工", exact=True).click()
    await page.locator(".state .sr").get_by_text("已送达").wait_for(state="attached")
    number = await newest(inbox)
    await page.context.set_offline(True)
    await page.get_by_text("网络已断开").wait_for()
    await inbox.api("POST", f"conversations/{number}/messages", inbox.as_bot, {"content": "断线时的回复"})
    await page.get_by_label("消息").fill("离线消息")
    await page.keyboard.press("Enter")
    await page.get_by_text("未送达").wait_for()
    await page.context.set_offline(False)
    await page.get_by_text("断线时的回复").wait_for()
    await page.get_by_role("button", name="重新发送").click()
    await page.get_by_text("未送达").wait_for(state="detached")
    pages.errors = [one for one in pages.errors if "ERR_INTERNET_DISCONNECTED" not in one]
    assert await page.locator(".mine").count() == 2


async def attributes(inbox: Any, number: int, wanted: dict[str, Any]) -> dict[str, Any]:
    """Of a conversation, once they are as wanted: the page may send them after the message that opened it."""
    found: dict[str, Any] = {}
    for _ in range(200):
        found = (await inbox.api("GET", f"conversations/{number}", inbox.as_bot)).json()["custom_attributes"]
        if found == wanted:
            break
        await asyncio.sleep(0.1)
    return found


async def test_host_page_hands_over_attributes_before_the_conversation_exists(inbox: Any, pages: Pages) -> None:
    page = await pages.open("/health", width=1280)
    await page.evaluate(HOST_PAGE.replace("TOKEN", f'"{WEBSITE_TOKEN}"'), pages.base)
    frame = page.frame_locator("#chatwoot_live_chat_widget")
    await frame.get_by_role("button", name="转人工", exact=True).click()
    await frame.locator(".state .sr").get_by_text("已送达").wait_for(state="attached")
    number = await newest(inbox)
    assert await attributes(inbox, number, {"gw_session": "portal-token"}) == {"gw_session": "portal-token"}
    await inbox.api("POST", f"conversations/{number}/messages", inbox.as_bot, {"content": "ok"})
    await frame.get_by_text("ok").wait_for()
    assert await page.evaluate("heard") == ["ready", "on-start-conversation", "on-message"]
    await page.evaluate("$chatwoot.setConversationCustomAttributes({gw_session: 'second'})")
    await page.evaluate("$chatwoot.setLocale('en')")
    await frame.get_by_role("button", name="Talk to a person").wait_for()
    await page.evaluate("$chatwoot.setUser('C1001', {name: '客户'})")
    await page.wait_for_function("document.cookie.includes('cw_conversation')")
    shown = (await inbox.api("GET", f"conversations/{number}", inbox.as_bot)).json()
    assert shown["custom_attributes"] == {"gw_session": "second"}
    await page.evaluate("$chatwoot.reset()")
    await frame.get_by_text("Hello, how can we help?").wait_for()


async def test_a_press_before_the_session_is_there_is_sent_when_it_is(inbox: Any, pages: Pages) -> None:
    """It was posted without a session, refused, and shown as not delivered."""
    go_on = asyncio.Event()

    async def held(route: Any) -> None:
        await go_on.wait()
        await route.continue_()

    page = await pages.open("/health")
    await page.route("**/api/v1/widget/config?*", held)
    await page.goto(f"{pages.base}/widget?website_token={WEBSITE_TOKEN}&locale=zh")
    await page.get_by_role("button", name="转人工", exact=True).click()
    await page.locator(".mine").wait_for()
    assert await page.get_by_text("未送达").count() == 0
    go_on.set()
    await page.locator(".state .sr").get_by_text("已送达").wait_for(state="attached")


async def test_an_answer_older_than_the_conversation_does_not_take_it_away(inbox: Any, pages: Pages) -> None:
    """The chat forgot what it had just begun, and what the page set from then on was lost."""
    page = await pages.open("/health", width=1280)
    await page.evaluate(HOST_PAGE.replace("TOKEN", f'"{WEBSITE_TOKEN}"'), pages.base)
    await page.wait_for_function("heard.includes('ready')")
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def late(route: Any) -> None:
        if route.request.method != "GET":
            await route.continue_()
            return
        response = await route.fetch()
        assert await response.json() == {}
        asked.set()
        await go_on.wait()
        await route.fulfill(response=response)

    await page.route("**/api/v1/widget/conversations?*", late)
    await page.frames[1].evaluate("dispatchEvent(new Event('online'))")
    await asked.wait()
    frame = page.frame_locator("#chatwoot_live_chat_widget")
    await frame.get_by_role("button", name="转人工", exact=True).click()
    await frame.locator(".state .sr").get_by_text("已送达").wait_for(state="attached")
    number = await newest(inbox)
    async with page.expect_response("**/api/v1/widget/messages?*"):  # what the late asker does next
        go_on.set()
    await page.evaluate("$chatwoot.setConversationCustomAttributes({gw_session: 'after'})")
    assert await attributes(inbox, number, {"gw_session": "after"}) == {"gw_session": "after"}


async def test_attributes_that_come_while_the_conversation_is_being_made_are_not_lost(inbox: Any, pages: Pages) -> None:
    page = await pages.open("/health", width=1280)
    await page.evaluate(HOST_PAGE.replace("TOKEN", f'"{WEBSITE_TOKEN}"'), pages.base)
    await page.wait_for_function("heard.includes('ready')")
    making, go_on = asyncio.Event(), asyncio.Event()

    async def held(route: Any) -> None:
        making.set()
        await go_on.wait()
        await route.continue_()

    await page.route("**/api/v1/widget/conversations?*", held)
    frame = page.frame_locator("#chatwoot_live_chat_widget")
    await frame.get_by_role("button", name="转人工", exact=True).click()
    await asyncio.wait_for(making.wait(), 30)
    await page.evaluate("$chatwoot.setConversationCustomAttributes({page: 'fees'})")
    await page.evaluate("$chatwoot.deleteConversationCustomAttribute('gw_session')")
    await page.evaluate("new Promise((done) => setTimeout(done, 50))")  # the frame has read both
    go_on.set()
    await frame.locator(".state .sr").get_by_text("已送达").wait_for(state="attached")
    assert await attributes(inbox, await newest(inbox), {"page": "fees"}) == {"page": "fees"}


async def test_agent_takes_over_answers_notes_and_gives_back(inbox: Any, pages: Pages) -> None:
    customer = await inbox.customer()
    await customer.call("PATCH", "contact", {"name": "Desk Test"})
    number = (await customer.begin("请帮我查一下"))["id"]
    desk = await pages.desk()
    await desk.get_by_role("tab", name="机器人接待").click()
    await desk.locator(f".item[data-id='{number}']").click()
    await desk.get_by_role("button", name="接管会话", exact=True).click()
    await desk.get_by_text("Agent 1 坐席一 将会话转为人工处理").wait_for()
    await desk.locator("#text").fill("您好，我来处理")
    await desk.keyboard.press("Enter")
    await desk.locator(".message.agent").get_by_text("您好，我来处理").wait_for()
    await desk.get_by_role("button", name="内部备注", exact=True).click()
    await desk.locator("#text").fill("客户已核实")
    await desk.keyboard.press("Enter")
    await desk.locator(".message.note").get_by_text("客户已核实").wait_for()
    await desk.get_by_text("内部备注 · 客户不可见").wait_for()
    await customer.say("谢谢")
    await desk.locator(".message.customer").get_by_text("谢谢").wait_for()
    await desk.locator(".priority-pick").select_option("urgent")
    await desk.get_by_label("添加标签").fill("vip")
    await desk.keyboard.press("Enter")
    await desk.locator(".labels .tag").get_by_text("vip").wait_for()
    await desk.get_by_role("button", name="交还机器人", exact=True).click()
    await desk.get_by_role("button", name="接管会话", exact=True).wait_for()
    shown = (await inbox.api("GET", f"conversations/{number}", inbox.as_bot)).json()
    assert (shown["status"], shown["meta"]["assignee_type"], shown["priority"], shown["labels"]) == (
        "pending",
        "AgentBot",
        "urgent",
        ["vip"],
    )
    seen = (await customer.call("GET", "messages")).json()["payload"]
    assert [one["content"] for one in seen] == ["请帮我查一下", "您好，我来处理", "谢谢"]
    await desk.get_by_role("button", name="结束会话", exact=True).click()
    await desk.get_by_role("button", name="重新打开", exact=True).wait_for()
    assert await fits(desk)


async def test_desk_finds_a_conversation_and_works_on_a_phone(inbox: Any, pages: Pages) -> None:
    customer = await inbox.customer()
    number = (await customer.begin("unusualword here"))["id"]
    desk = await pages.desk(width=390)
    assert await fits(desk)
    await desk.get_by_label("搜索客户或消息").fill("unusualword")
    item = desk.locator(f".item[data-id='{number}']")
    await item.click()
    await desk.locator(".message.customer").get_by_text("unusualword here").wait_for()
    assert await fits(desk)
    await desk.get_by_role("button", name="返回列表").click()
    await item.wait_for()
    await desk.get_by_role("button", name="Switch to English").click()
    await desk.get_by_role("tab", name="With the bot").wait_for()
    await desk.get_by_role("button", name="Log out").click()
    await desk.get_by_text("Choose an agent").wait_for()
    pages.errors = [one for one in pages.errors if "401" not in one]  # a request that the log-out overtook


async def test_text_made_to_be_slow_or_to_run_is_shown_at_once_as_text(pages: Any) -> None:
    page = await pages.widget()
    took = await page.evaluate(
        """async () => {
          const { inline, markdown, plain } = await import("/assets/markdown.js");
          const began = performance.now();
          for (const part of ["[", "`", "*", "[a]", "[[a]", "[a](", "[a]((", "[a](b \\"", "https://", "|a|\\n|-", "a*"]) {
            const text = part.repeat(4000 / part.length);
            inline(text), markdown(text), plain(text);
          }
          return performance.now() - began;
        }"""
    )
    assert took < 3000
    links = await page.evaluate(
        """async () => {
          const { markdown } = await import("/assets/markdown.js");
          const bad = ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\\tscript:alert(1)", "data:text/html,<script>alert(1)</script>",
            "vbscript:x", "//evil.example", "\\u0001javascript:alert(1)"];
          const made = markdown(bad.map((target) => `[click](${target}) <img src=x onerror=alert(1)> ![x](${target})`)
            .join("\\n\\n"));
          return made.flatMap((node) => [...node.querySelectorAll("a, img, script")].map((one) => one.outerHTML));
        }"""
    )
    assert links == []
