"""Makes the pictures of the docs. `.venv/bin/python docs/images/make.py [console]`

both-pages.png: the customer's chat beside the agents' desk, from a fresh demo. console.png: the auditors' pages, from the same demo (with the
word `console` this one alone). flow.svg and chat.png: for flow authors, from this project.

Needs Debian's chromium and fonts-noto-cjk. The demo runs on free ports in a temporary folder and is stopped afterwards.
"""

from __future__ import annotations

import asyncio
import base64
import struct
import sys
import zlib
from pathlib import Path

import auditor_pictures
import author_pictures
import numpy as np
from playwright.async_api import Browser, FrameLocator, Page, async_playwright

from tightrope.cli.demo import temporary_demo
from tightrope.cli.play import play_all
from tightrope.infra.settings import Settings

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PICTURE = Path(__file__).with_name("both-pages.png")
CHAT = PICTURE.with_name("chat.png")
CONSOLE = PICTURE.with_name("console.png")
LARGEST = 400_000
WAIT = 20_000
OTHERS = [
    {"id": "fees", "session": "guest", "turns": ["股票交易要收哪些费用？"]},
    {"id": "complaint", "session": "C1006", "turns": ["我要投诉"]},
    {"id": "english", "session": "C1012", "turns": ["What is my account balance?", "I want to talk to a person"]},
]
"""More conversations, so that the desk's list is not empty."""

FRAME = """
<style>
  body {{ margin: 0; font: 600 19px/1.4 "Noto Sans CJK SC", sans-serif; color: #17242b; }}
  main {{ display: flex; gap: 20px; width: max-content; padding: 20px; background: #dfe6e9; }}
  figure {{ margin: 0; }} figcaption {{ padding: 0 2px 10px; }}
  img {{ display: block; border: 1px solid #b8c5ca; border-radius: 10px; }}
</style>
<main>
  <figure><figcaption>客户 · the customer, in the portal of the firm</figcaption><img src="data:image/png;base64,{customer}"></figure>
  <figure><figcaption>坐席 · the agent, at the desk</figcaption><img src="data:image/png;base64,{agent}"></figure>
</main>
"""


def main() -> int:
    """Make the pictures; 0 when each is small enough for a page."""
    alone = sys.argv[1:] == ["console"]
    made = [CONSOLE] if alone else [PICTURE, author_pictures.flow_picture(), CHAT, CONSOLE]
    if not alone:
        asyncio.run(terminal(author_pictures.chat_page()))
    with temporary_demo() as demo:
        if not alone:
            asyncio.run(compose(demo.settings))
        asyncio.run(auditors(demo.settings))
    for path in made:
        sys.stdout.write(f"{path.name}: {path.stat().st_size // 1000} kB\n")
    return 0 if all(path.stat().st_size < LARGEST for path in made) else 1


async def terminal(text: str) -> None:
    """The terminal chat as a picture."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        await shrunk(browser, await author_pictures.chat_picture(browser, text), CHAT)
        await browser.close()


async def shrunk(browser: Browser, whole: bytes, path: Path) -> None:
    """Write a picture with few colours."""
    page = await browser.new_page()
    width, height, pixels = await page.evaluate(PIXELS, f"data:image/png;base64,{coded(whole)}")
    path.write_bytes(small_png(width, height, base64.b64decode(pixels)))


async def compose(settings: Settings) -> None:
    """Play, take both pictures, and put them side by side."""
    await play_all(settings, OTHERS, 1, lambda _: None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        customer, agent = await pictures(browser, settings)
        page = await browser.new_page(viewport={"width": 2200, "height": 1100})
        await page.set_content(FRAME.format(customer=coded(customer), agent=coded(agent)))
        whole = await page.locator("main").screenshot()
        await shrunk(browser, whole, PICTURE)
        await browser.close()


async def auditors(settings: Settings) -> None:
    """The auditors' pages as a picture."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        await shrunk(browser, await auditor_pictures.console_picture(browser, settings), CONSOLE)
        await browser.close()


PIXELS = """async address => {
  const image = new Image(); image.src = address; await image.decode();
  const canvas = document.createElement('canvas'); canvas.width = image.width; canvas.height = image.height;
  const paper = canvas.getContext('2d'); paper.drawImage(image, 0, 0);
  const bytes = paper.getImageData(0, 0, image.width, image.height).data;
  let text = '';
  for (let i = 0; i < bytes.length; i += 30000) text += String.fromCharCode(...bytes.subarray(i, i + 30000));
  return [image.width, image.height, btoa(text)];
}"""


def small_png(width: int, height: int, rgba: bytes) -> bytes:
    """A PNG of the 256 commonest colours: a third of what the browser writes."""
    pixels = np.frombuffer(rgba, np.uint8).reshape(-1, 4)[:, :3].astype(np.int32)
    bins = (pixels >> 3) @ np.array([1024, 32, 1])
    count = np.bincount(bins, minlength=32768)
    mean = np.stack([np.bincount(bins, pixels[:, c], 32768) for c in range(3)], 1) / np.maximum(count, 1)[:, None]
    palette = mean[np.argsort(-count)[:256]]
    nearest = np.zeros(32768, np.uint8)
    used = np.flatnonzero(count)
    nearest[used] = [int(((palette - mean[b]) ** 2).sum(1).argmin()) for b in used]
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = nearest[bins].reshape(height, width)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    colours = np.rint(palette).astype(np.uint8).tobytes()
    body = zlib.compress(rows.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"PLTE", colours) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


async def pictures(browser: Browser, settings: Settings) -> tuple[bytes, bytes]:
    """A margin verdict in the chat; then the same conversation, handed over, at the desk."""
    customer = await browser.new_page(viewport={"width": 860, "height": 900}, locale="zh-CN", timezone_id="Asia/Shanghai")
    customer.set_default_timeout(WAIT)
    chat = await logged_in(customer, settings, "C1004")
    await say(chat, "我能开通融资融券吗？")
    await chat.locator(".message.bot").filter(has_text="风险承受能力等级").last.wait_for()
    await customer.wait_for_timeout(800)
    await chat.locator(".message.bot").filter(has_text="风险承受能力等级").last.evaluate("message => message.scrollIntoView()")
    await customer.wait_for_timeout(300)
    seen = await customer.screenshot()
    await say(chat, "我想请人工帮我看一下风险等级")
    await chat.get_by_text("已转人工").first.wait_for()
    return seen, await desk(browser, settings)


async def logged_in(page: Page, settings: Settings, customer: str) -> FrameLocator:
    """Log in at the portal and open the chat."""
    await page.goto(f"{settings.portal_public_url}/?lang=zh")
    await page.locator("#login").click()
    await page.locator(f'input[name="customer"][value="{customer}"]').check()
    code = await page.locator("[data-one-time-code]").get_attribute("data-one-time-code")
    await page.locator("#code").fill(code or "")
    await page.locator('button[value="login"]').click()
    await page.locator("#open-chat:enabled").click()
    chat = page.frame_locator("#chatwoot_live_chat_widget")
    await chat.locator("#text").wait_for()
    return chat


async def say(chat: FrameLocator, text: str) -> None:
    """Type and send."""
    await chat.locator("#text").fill(text)
    await chat.locator("#text").press("Enter")


async def desk(browser: Browser, settings: Settings) -> bytes:
    """The newest open conversation at the desk, with its note in sight."""
    page = await browser.new_page(viewport={"width": 1120, "height": 900}, locale="zh-CN", timezone_id="Asia/Shanghai")
    page.set_default_timeout(WAIT)
    await page.goto(f"{settings.inbox_public_url}/desk")
    await page.locator("[data-agent]").first.click()
    await page.locator("#list [data-id]").first.wait_for()
    numbers = [int(await item.get_attribute("data-id") or 0) for item in await page.locator("#list [data-id]").all()]
    await page.locator(f'#list [data-id="{max(numbers)}"]').click()
    note = page.locator(".message.note").first
    await note.wait_for()
    await page.wait_for_timeout(500)
    return await page.screenshot()


def coded(picture: bytes) -> str:
    """A picture as it stands in a data address."""
    return base64.b64encode(picture).decode()


if __name__ == "__main__":
    sys.exit(main())
