"""The demo as real processes on free ports, one for the session, and Chromium for the tests that need a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from acceptance_pages import Browsers
from demo_world import RunningDemo, add_report
from playwright.async_api import Browser, async_playwright

from tightrope.cli.demo import temporary_demo
from tightrope.cli.play import play_all

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
WITHOUT = "chromium is not installed (Debian: apt-get install chromium fonts-noto-cjk)"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    # No name but our own can be resolved: whatever a page asks for elsewhere fails, and is seen.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",
]
_skipped: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    add_report(item, report)
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _skipped:
        terminalreporter.write_line(f"WARNING: {len(_skipped)} BROWSER TESTS WERE SKIPPED: {WITHOUT}", red=True, bold=True)


@pytest.fixture(scope="session")
def started() -> Iterator[RunningDemo]:
    """One demo for all acceptance tests."""
    with temporary_demo() as demo:
        yield RunningDemo(demo)


@pytest.fixture
def demo(started: RunningDemo) -> RunningDemo:
    """The demo; a failure's report begins with this test's first message."""
    started.mark()
    return started


@pytest.fixture
def play(demo: RunningDemo) -> Callable[..., Any]:
    """Plays one script as `tightrope play` does and returns its transcript: `await play(session, turn, …)`."""

    async def one(session: str, *turns: Any) -> dict[str, Any]:
        (result,) = await play_all(demo.settings, [{"id": "script", "session": session, "turns": list(turns)}], 1, lambda _: None)
        assert "stuck" not in result, result
        found: dict[str, Any] = result
        return found

    return one


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser | None]:
    """Debian's Chromium, or None."""
    if CHROMIUM is None:
        yield None
        return
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


def _present(chromium: Browser | None, request: pytest.FixtureRequest) -> Browser:
    if chromium is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"under CI the browser tests must run, but {WITHOUT}")
        _skipped.append(request.node.nodeid)
        pytest.skip(WITHOUT)
    return chromium


@pytest.fixture
def browser(request: pytest.FixtureRequest, chromium: Browser | None) -> Browser:
    """Chromium for tests that have a world of their own."""
    return _present(chromium, request)


@pytest.fixture
async def browsers(request: pytest.FixtureRequest, demo: RunningDemo, chromium: Browser | None) -> AsyncIterator[Browsers]:
    """Makes browser contexts, one for each person; afterwards no page may have loaded anything from elsewhere or failed."""
    made = Browsers(demo, _present(chromium, request))
    yield made
    await made.close(Path(os.environ["ACCEPTANCE_PICTURES"]) if "ACCEPTANCE_PICTURES" in os.environ else None, request.node.name)
    assert made.elsewhere() == [], "a page loaded something from elsewhere"
    assert made.errors == [], "a page's script failed"
