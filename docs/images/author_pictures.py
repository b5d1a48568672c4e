"""The pictures of docs/flow-authors.md: a flow as `tightrope flows draw` draws it, and the terminal chat as it is shown."""

from __future__ import annotations

import asyncio
from io import StringIO
from pathlib import Path

from playwright.async_api import Browser
from rich.console import Console
from rich.terminal_theme import MONOKAI

from tightrope.cli import neighbours
from tightrope.cli.chat_actions import Asked, Stubs, read_stubs
from tightrope.cli.chat_view import Shown, turn_view
from tightrope.cli.talk import Talk
from tightrope.engine.loader import load_project
from tightrope.engine.picture import draw
from tightrope.infra.settings import REPOSITORY, get_settings

HERE = Path(__file__).parent
COLUMNS = 104
LINES = ["what is my balance?", "can you recommend a share?", "1"]
PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>
body {{ margin: 0; background: {background}; color: {foreground}; }}
pre {{ display: inline-block; margin: 0; padding: 16px 20px; font: 15px/1.45 "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace; }}
{stylesheet}</style><pre>{code}</pre>"""


def flow_picture() -> Path:
    """A small flow with a decision, a question and a link, in English."""
    project = load_project(REPOSITORY)
    path = HERE / "flow.svg"
    path.write_text(draw(project.flows["talk_to_agent"], project=project, language="en"), encoding="utf-8")
    return path


def chat_page() -> str:
    """A conversation as the terminal shows it, as HTML."""
    console = Console(width=COLUMNS, record=True, file=StringIO(), force_terminal=True)

    async def talk() -> None:
        project = load_project(REPOSITORY)
        understanding = await asyncio.to_thread(neighbours.LocalUnderstanding, get_settings(), project)
        stubs = Stubs(read_stubs(REPOSITORY / "tests" / "e2e" / "en.yml"), Asked(project, input, print))
        chat = Talk(project, understanding, stubs, strict=True, language="en")
        for line in LINES:
            console.print(f"[bold]› {line}[/bold]", highlight=False)
            heard = await chat.say(line)
            turn = heard.turn
            console.print(turn_view(project, heard.before, turn.state, turn.events, turn.problems, Shown(), COLUMNS))

    asyncio.run(talk())
    return console.export_html(theme=MONOKAI, code_format=PAGE)


async def chat_picture(browser: Browser, page_text: str) -> bytes:
    """The page as a picture."""
    page = await browser.new_page(viewport={"width": 1400, "height": 900})
    await page.set_content(page_text)
    return await page.locator("pre").screenshot()
