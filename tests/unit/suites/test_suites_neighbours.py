"""Who understands and who runs actions while a suite is played; and what is said when nobody does."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from suites_world import write_bot

from tightrope.engine.errors import UnderstandingFailed
from tightrope.engine.inprocess import InProcessActions
from tightrope.engine.loader import load_project
from tightrope.engine.state import State
from tightrope.suites.errors import CannotPlay, SuiteError
from tightrope.suites.player import CaseClock
from tightrope.suites.sources import actions, understanding

ENDPOINTS = """
action_endpoint: {url: "http://127.0.0.1:5055/webhook"}
model_groups: [{id: m, models: [{provider: self-hosted, model: small, api_base: "http://127.0.0.1:8010/v1"}]}]
"""
CONFIG = """
language: en
pipeline: [{name: SearchReadyLLMCommandGenerator, llm: {model_group: m}, prompt_template: prompt.jinja2}]
"""


@pytest.fixture
def bot(tmp_path):
    """Writes the bot with these neighbours."""

    def make(endpoints=ENDPOINTS, config=CONFIG, prompt="{{ user_message }}"):
        write_bot(tmp_path, endpoints=endpoints)
        (tmp_path / "config.yml").write_text(config, encoding="utf-8")
        (tmp_path / "prompt.jinja2").write_text(prompt, encoding="utf-8")
        return load_project(tmp_path)

    return make


class Wire:
    """A server that answers every request so, or does not."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


COMPLETION = {"choices": [{"message": {"content": "start flow hours"}}]}


class TestUnderstanding:
    async def test_the_server_of_endpoints_yml_is_asked_after_it_answered_once(self, bot, settings):
        wire = Wire(httpx.Response(404), httpx.Response(200, json=COMPLETION))
        found, missing = await understanding(settings, bot(), transport=wire.transport)
        assert missing == ""
        assert [command.flow for command in (await found.understand(State("s"), "when?", list)).commands] == ["hours"]
        assert [str(request.url) for request in wire.asked] == [
            "http://127.0.0.1:8010/v1/models",
            "http://127.0.0.1:8010/v1/chat/completions",
        ]

    async def test_for_the_settings_own_project_it_is_where_the_settings_say(self, bot, settings):
        project = bot()
        own = settings.model_copy(update={"project_dir": Path(project.root), "understanding_url": "http://localhost:1/v1"})
        wire = Wire(httpx.Response(200))
        await understanding(own, project, transport=wire.transport)
        assert str(wire.asked[0].url) == "http://localhost:1/v1/models"

    @pytest.mark.parametrize(
        ("endpoints", "config", "why"),
        [
            ("action_endpoint: {}", CONFIG, "endpoints.yml names no understanding server"),
            (
                ENDPOINTS,
                CONFIG.replace("prompt.jinja2", "nowhere.jinja2"),
                "config.yml:1: there is no prompt nowhere.jinja2",
            ),
            (ENDPOINTS.replace("127.0.0.1:8010", "api.example.com"), CONFIG, "api.example.com is not on the allow-list"),
            (ENDPOINTS, CONFIG, "the understanding server at http://127.0.0.1:8010/v1 does not answer (refused)"),
        ],
    )
    async def test_what_is_missing_is_told_at_once_and_by_the_turn_that_needs_it(self, bot, settings, endpoints, config, why):
        found, missing = await understanding(
            settings, bot(endpoints, config), transport=Wire(httpx.ConnectError("refused")).transport
        )
        assert why in missing
        with pytest.raises(CannotPlay, match=r"no commands are given for 'when\?', and "):
            await found.understand(State("s"), "when?", list)

    async def test_a_server_that_fails_later_is_the_bots_to_handle(self, bot, settings):
        found, _ = await understanding(settings, bot(), transport=Wire(httpx.Response(200), httpx.Response(500)).transport)
        with pytest.raises(UnderstandingFailed):
            await found.understand(State("s"), "when?", list)

    async def test_prompts_say_the_time_of_the_case(self, bot, settings, clock):
        case_clock = CaseClock(clock)
        case_clock.turn_to(datetime(2030, 1, 2, 3, 4, tzinfo=UTC))
        wire = Wire(httpx.Response(200), httpx.Response(200, json=COMPLETION))
        found, _ = await understanding(settings, bot(prompt="{{ current_datetime }}"), case_clock, wire.transport)
        await found.understand(State("s"), "when?", list)
        assert "2030-01-02 03:04" in wire.asked[1].content.decode()


class TestActions:
    async def test_the_server_of_endpoints_yml_is_asked_for_its_health_first(self, bot, settings):
        wire = Wire(
            httpx.Response(200, json={"status": "ok"}), httpx.Response(200, json={"events": [], "responses": [{"text": "x"}]})
        )
        found, missing = await actions(settings, bot(), None, wire.transport)
        assert missing == ""
        assert await found.run("action_stock", State("s"), []) == ([], [{"text": "x"}])
        assert [request.url.path for request in wire.asked] == ["/health", "/webhook"]

    @pytest.mark.parametrize(
        ("endpoints", "why"),
        [
            (ENDPOINTS, "the action server at http://127.0.0.1:5055/webhook does not answer (refused)"),
            ("model_groups: []", "endpoints.yml names no action server (action_endpoint)"),
        ],
    )
    async def test_what_is_missing_is_told_at_once_and_by_the_case_that_needs_it(self, bot, settings, endpoints, why):
        found, missing = await actions(settings, bot(endpoints), None, Wire(httpx.ConnectError("refused")).transport)
        assert missing == why
        with pytest.raises(CannotPlay, match=r"nothing runs action_stock: .*; stub it .* or name a package of actions"):
            await found.run("action_stock", State("s"), [])

    async def test_a_module_of_the_project_goes_before_a_server(self, bot, settings, monkeypatch):
        monkeypatch.setattr(sys, "path", list(sys.path))
        project = bot(ENDPOINTS.replace("{url:", "{actions_module: suite_actions, url:"))
        write_actions(project.root, "suite_actions")
        wire = Wire(httpx.ConnectError("refused"))
        for module in (None, "suite_actions"):
            found, missing = await actions(settings, project, module, wire.transport)
            assert isinstance(found, InProcessActions)
            assert missing == ""
        assert (await found.run("action_stock", State("s"), []))[0][0]["value"] is True
        assert wire.asked == []

    async def test_a_module_that_was_asked_for_and_is_not_there_stops_everything(self, bot, settings):
        with pytest.raises(SuiteError, match="there is no module 'suite_nowhere'"):
            await actions(settings, bot(), "suite_nowhere")


def write_actions(root, name):
    """A package with action_stock."""
    folder = Path(root) / name
    folder.mkdir()
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "stock.py").write_text(
        "from rasa_sdk import Action\nfrom rasa_sdk.events import SlotSet\n\n\nclass Stock(Action):\n"
        "    def name(self):\n        return 'action_stock'\n\n"
        "    def run(self, dispatcher, tracker, domain):\n        return [SlotSet('stock', True)]\n",
        encoding="utf-8",
    )


async def test_a_case_that_calls_an_action_that_the_module_lacks_says_so(world, settings, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    write_actions(world.folder, "suite_lacking")
    found, _ = await actions(settings, world.project, "suite_lacking")
    world.actions = found
    (world.folder / "suite_lacking" / "broken.py").write_text("import nothing_of_this_name", encoding="utf-8")
    good = await world.steps("- user: start flow order; set slot size small; set slot count 1\n- utter: utter_ordered")
    assert good.status == "passed"
    world.project = write_bot(world.folder, FLOWS_PRICE)
    world.actions, _ = await actions(settings, world.project, "suite_lacking")
    bad = await world.steps("- user: start flow price")
    assert bad.reason.startswith(
        "nothing runs action_price: the module 'suite_lacking' has no such action; not imported: suite_lacking.broken"
    )


FLOWS_PRICE = "flows: {price: {description: p, steps: [{action: action_price}]}}"
