"""`tightrope engine run` as a process: any project over HTTP with a database of its own, refusals that say what to do, a clean stop."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx
import pytest
from loopback import free_port

from tightrope.infra.settings import REPOSITORY

pytestmark = pytest.mark.integration

FILES = {
    "config.yml": """\
        recipe: default.v1
        language: en
        pipeline:
          - name: CompactLLMCommandGenerator
        policies:
          - name: FlowPolicy
        """,
    "endpoints.yml": """\
        action_endpoint:
          actions_module: actions
        """,
    "domain.yml": """\
        intents: [lunch]
        slots:
          dish: {type: categorical, values: [soup, stew]}
          price: {type: float, mappings: [{type: controlled}]}
        actions: [action_price]
        responses:
          utter_ask_dish:
            - text: Which dish?
              buttons: [{title: Soup, payload: /SetSlots(dish=soup)}]
          utter_price: [{text: "{dish} is {price}."}]
        """,
    "data/flows.yml": """\
        flows:
          lunch:
            description: takes an order for lunch
            nlu_trigger: [{intent: lunch}]
            steps:
              - collect: dish
              - action: action_price
              - action: utter_price
          pattern_completed:
            description: nothing
            steps: [{noop: true, next: END}]
        """,
    "actions/__init__.py": """\
        from rasa_sdk import Action
        from rasa_sdk.events import SlotSet


        class ActionPrice(Action):
            def name(self):
                return "action_price"

            def run(self, dispatcher, tracker, domain):
                return [SlotSet("price", 4.5 if tracker.get_slot("dish") == "soup" else 8.0)]
        """,
}


@pytest.fixture
def canteen(tmp_path: Path) -> Path:
    """A project that is not ours, with an action of its own."""
    root = tmp_path / "canteen"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(text), encoding="utf-8")
    return root


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where conversations are kept. The server of the database may run as another user, who has to walk there."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    return tmp_path / "state"


def command(*arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TIGHTROPE_")}
    return subprocess.Popen(
        [sys.executable, "-m", "tightrope.cli.main", "engine", "run", *map(str, arguments)],
        cwd=REPOSITORY, env={**kept, **environment}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


class Running:
    """A served project."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self.said = ""
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=20)
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if self.http.get("/health").status_code == 200:
                    return
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < until, "it does not come up"
            time.sleep(0.1)

    def say(self, text: str, sender: str = "me") -> list[dict[str, Any]]:
        return self.http.post("/webhooks/rest/webhook", json={"sender": sender, "message": text}).json()

    def texts(self, text: str, sender: str = "me") -> list[str]:
        return [reply["text"] for reply in self.say(text, sender) if "text" in reply]

    def stop(self, number: int = signal.SIGINT) -> int:
        self.http.close()
        self.process.send_signal(number)
        self.said = self.process.communicate(timeout=30)[0]
        return self.process.returncode


@contextlib.contextmanager
def served(project: Path, state: Path, *arguments: str, **environment: str) -> Iterator[Running]:
    port = free_port()
    process = command("--project", project, "--state", state, "--port", str(port), *arguments, **environment)
    running = Running(process, port)
    try:
        yield running
    finally:
        if process.poll() is None:
            running.stop()


def refused(*arguments: str | Path, **environment: str) -> str:
    process = command(*arguments, **environment)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 1, said
    return " ".join(said.split())


def test_a_project_is_served_with_its_actions_in_process_and_its_conversations_kept(canteen, state):
    with served(canteen, state) as running:
        asked = running.say("/lunch")
        assert asked[0]["text"] == "Which dish?"
        assert asked[0]["buttons"] == [{"title": "Soup", "payload": "/SetSlots(dish=soup)"}]
        tracker = running.http.get("/conversations/me/tracker").json()
        assert tracker["stack"][0]["flow_id"] == "lunch"
        assert running.http.get("/version").json()["version"] == "3.21.0"
        assert running.http.get("/status").json()["model_file"] == str(canteen)
        assert running.stop() == 0
    for line in ("Ready: http://127.0.0.1:", "Tightrope", "1, and 1 patterns of its own", "1 of the module actions, in this process",
                 "endpoints.yml names none", "a typed /SetSlots", str(state), "Stopped; the conversations are kept."):  # fmt: skip
        assert "".join(line.split()) in "".join(running.said.split()), (line, running.said)  # a long path is folded
    with served(canteen, state) as running:
        assert running.texts("/SetSlots(dish=soup)") == ["soup is 4.5."]
        assert running.stop(signal.SIGTERM) == 0
    assert not list(state.glob("postgres/postmaster.pid"))


def test_without_understanding_typed_words_are_answered_at_once_and_buttons_work(canteen, state):
    with served(canteen, state) as running:
        running.say("hello", "other")
        began = time.monotonic()
        assert running.texts("hello") == [
            "Sorry, something went wrong on our side and that was not completed. Please try again later."
        ]
        assert time.monotonic() - began < 5
        assert running.texts("/lunch") == ["Which dish?"]


def test_actions_that_cannot_be_imported_are_told_and_the_rest_is_served(canteen, state):
    (canteen / "actions" / "__init__.py").write_text("import a_library_that_nobody_has\n")
    with served(canteen, state) as running:
        assert running.texts("/lunch") == ["Which dish?"]
        assert running.texts("/SetSlots(dish=soup)")[0].startswith("Sorry, something went wrong")
        running.stop()
    said = " ".join(running.said.split())
    assert "No module named 'a_library_that_nobody_has'" in said
    assert "Install what they import" in said


def test_payloads_that_nobody_offered_count_only_without_strictness(canteen, state):
    with served(canteen, state, "--strict-payloads") as running:
        assert "Which dish?" not in running.texts("/lunch")


def test_what_keeps_a_project_from_being_served_is_told(canteen, state, tmp_path):
    with served(canteen, state) as running:
        again = refused("--project", canteen, "--state", state, "--port", free_port())
        assert f"served already, with its conversations in {state}" in again
        port = running.url.rpartition(":")[2]
        assert f"port {port} is in use" in refused("--project", canteen, "--port", port, "--state", tmp_path / "other")
    assert "there is no such folder" in refused("--project", tmp_path / "none")
    assert "no address of this machine" in refused("--project", canteen, "--host", "203.0.113.7", "--state", tmp_path / "other")
    file = tmp_path / "file"
    file.write_text("")
    assert "name a folder with --state" in refused("--project", canteen, "--port", free_port(), "--state", file)
    assert "there is no such file" in refused("--project", canteen, "--config", tmp_path / "none.yml")
    (canteen / "data" / "flows.yml").write_text("flows: {lunch: {description: d, steps: [{collect: dsh}]}}")
    said = refused("--project", canteen, "--state", tmp_path / "other")
    assert "data/flows.yml:1: error: flow lunch step 0_collect_dsh: there is no slot 'dsh'" in said
    assert "Not served: 1 error" in said


def test_neighbours_named_on_the_command_line_go_before_those_of_the_project(canteen, state):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with served(canteen, state, "--actions-url", f"{url}/webhook", "--understanding-url", f"{url}/v1") as running:
            running.say("/lunch")
            assert running.texts("/SetSlots(dish=soup)") != ["soup is 4.5."]
            running.stop()
        said = " ".join(running.said.split())
        assert f"{url}/webhook (--actions-url): does not answer" in said
        assert f"{url}/v1 (--understanding-url): does not answer" in said
