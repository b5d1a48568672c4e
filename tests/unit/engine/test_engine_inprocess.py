"""Custom actions in this process: found in the project's folder, with rasa-sdk's executor, whatever is broken beside them."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

from tightrope.engine.errors import ActionFailed, ActionMissing, ProjectError
from tightrope.engine.inprocess import InProcessActions
from tightrope.engine.loader import load_project
from tightrope.engine.state import State

FLOW = "flows: {f: {description: d, steps: [{action: action_count}]}}"
DOMAIN = "slots: {n: {type: any}}\nactions: [action_count]"
GOOD = """
from rasa_sdk import Action
from rasa_sdk.events import SlotSet

class Count(Action):
    def name(self):
        return "action_count"

    def run(self, dispatcher, tracker, domain):
        tracker.slots["n"] = "spoilt"
        dispatcher.utter_message(text=f"{len(tracker.events)} events, {len(domain['slots'])} slots")
        return [SlotSet("n", 1)]

class Later(Action):
    def name(self):
        return "action_later"

    async def run(self, dispatcher, tracker, domain):
        raise KeyError(tracker.sender_id)

class Odd(Action):
    def name(self):
        return "action_odd"

    def run(self, dispatcher, tracker, domain):
        return [SlotSet("n", object())]
"""


@pytest.fixture
def offers(folder, monkeypatch):
    """Writes a package of actions beside a project and loads it: `offers(name, file=text, …)`."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def make(package, **files):
        root = folder(FLOW, DOMAIN)
        at = root / package
        at.mkdir()
        for name, text in files.items():
            (at / f"{name}.py").write_text(dedent(text), encoding="utf-8")
        return InProcessActions(load_project(root), package)

    return make


async def test_an_action_gets_tracker_and_domain_and_its_answer_comes_back_as_plain_data(offers):
    actions = offers("acts_good", __init__="", counting=GOOD)
    state = State("s", slots={"n": 0})
    events, responses = await actions.run("action_count", state, [{"event": "session_started"}])
    assert events == [{"event": "slot", "timestamp": None, "name": "n", "value": 1}]
    assert responses[0]["text"] == "1 events, 1 slots"
    assert state.slots == {"n": 0}
    assert actions.names == {"action_count", "action_later", "action_odd"}


async def test_an_action_that_raises_has_failed_with_its_line(offers):
    actions = offers("acts_raising", __init__="", counting=GOOD)
    with pytest.raises(ActionFailed, match=r"action_later: KeyError: 's' at counting\.py:\d+"):
        await actions.run("action_later", State("s"), [])


async def test_an_answer_that_is_no_plain_data_has_failed(offers):
    with pytest.raises(ActionFailed, match="JSON serializable"):
        await offers("acts_odd", __init__="", counting=GOOD).run("action_odd", State("s"), [])


async def test_an_answer_of_another_shape_has_failed_as_one_of_a_server_has(offers):
    lying = """
    from rasa_sdk import Action

    class Lying(Action):
        def name(self):
            return "action_lying"

        def run(self, dispatcher, tracker, domain):
            dispatcher.messages.append({"text": "a", "buttons": "none"})
            return []
    """
    with pytest.raises(ActionFailed, match="buttons are no list"):
        await offers("acts_lying", __init__="", lying=lying).run("action_lying", State("s"), [])


async def test_a_broken_module_keeps_no_other_from_running_and_is_named_when_its_action_is_asked_for(offers):
    actions = offers("acts_broken", __init__="", counting=GOOD, broken="import not_there_at_all", dividing="1/0")
    await actions.run("action_count", State("s"), [])
    assert set(actions.failures) == {"acts_broken.broken", "acts_broken.dividing"}
    with pytest.raises(ActionMissing, match=r"acts_broken\.broken \(ModuleNotFoundError: No module named 'not_there_at_all'"):
        await actions.run("action_other", State("s"), [])


def test_a_module_that_is_not_there_says_what_to_name(folder):
    with pytest.raises(ProjectError, match=r"no module 'acts_nowhere' in .*--actions-module actions"):
        InProcessActions(load_project(folder(FLOW, DOMAIN)), "acts_nowhere")


def test_a_module_without_actions_is_refused(offers):
    with pytest.raises(ProjectError, match=r"no action.*ZeroDivisionError"):
        offers("acts_empty", __init__="", broken="1/0")


async def test_published_projects_names_of_rasa_are_there_when_rasa_is_not(offers, tmp_path):
    helper = """
    from rasa.nlu.extractors.duckling_entity_extractor import DucklingEntityExtractor
    from rasa.nlu.utils import write_json_to_file
    from rasa.shared.nlu.training_data.message import Message
    from rasa.shared.utils.io import read_json_file
    from rasa_sdk import Action

    class Store(Action):
        def name(self):
            return "action_store"

        def run(self, dispatcher, tracker, domain):
            path = tracker.slots["n"]
            write_json_to_file(path, {"a": "é"})
            assert read_json_file(path) == {"a": "é"}
            dispatcher.utter_message(text=Message.build("x").get("text"))

    class Time(Action):
        def name(self):
            return "action_time"

        def run(self, dispatcher, tracker, domain):
            DucklingEntityExtractor({**DucklingEntityExtractor.get_default_config(), "url": "x"}).process([])
    """
    actions = offers("acts_rasa", __init__="", helper=helper)
    assert (await actions.run("action_store", State("s", slots={"n": str(tmp_path / "f.json")}), []))[1][0]["text"] == "x"
    with pytest.raises(ActionFailed, match="Duckling is not available here"):
        await actions.run("action_time", State("s"), [])


def test_the_projects_package_goes_before_another_of_the_same_name(folder):
    root = folder(FLOW, DOMAIN)
    (root / "actions" / "deep").mkdir(parents=True)
    (root / "actions" / "deep" / "__init__.py").write_text("", encoding="utf-8")
    (root / "actions" / "deep" / "counting.py").write_text(GOOD, encoding="utf-8")
    code = f"""
import actions, actions.registry
from pathlib import Path
from tightrope.engine.inprocess import InProcessActions
from tightrope.engine.loader import load_project
print(sorted(InProcessActions(load_project(Path({str(root)!r})), "actions").names))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split("\n")[-2] == "['action_count', 'action_later', 'action_odd']"


def test_actions_in_a_folder_without_an_init_file_are_found(folder, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    root = folder(FLOW, DOMAIN)
    (root / "deeply" / "cards" / "more").mkdir(parents=True)
    (root / "deeply" / "__init__.py").write_text("")
    (root / "deeply" / "cards" / "more" / "count.py").write_text(GOOD)
    assert "action_count" in InProcessActions(load_project(root), "deeply").names
