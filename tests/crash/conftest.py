"""One supervised demo for all crash tests: what is killed is started again, as it would be in production."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from demo_world import RunningDemo, add_report

from tightrope.cli.demo import temporary_demo


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    add_report(item, report)
    return report


@pytest.fixture(scope="session")
def started() -> Iterator[RunningDemo]:
    with temporary_demo() as demo:
        yield RunningDemo(demo)


@pytest.fixture
async def demo(started: RunningDemo) -> RunningDemo:
    """The demo with every part up; a failure's report begins with this test's first message."""
    await started.healthy()
    started.mark()
    return started


@pytest.fixture
def progress(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Writes one line of progress past pytest's capture."""
    plugins = request.config.pluginmanager
    reporter, capture = plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager")

    def line(text: str) -> None:
        if reporter is not None and capture is not None:
            with capture.global_and_fixture_disabled():
                reporter.write_line(text)

    return line
