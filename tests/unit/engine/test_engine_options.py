"""What an operator decides beside the project's files: several starts at once, responses with a gap; and the prompt of a project that has none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tightrope.engine.commands import parse_text
from tightrope.engine.loader import load_project
from tightrope.engine.models import KnowledgeAnswer, Options
from tightrope.engine.prompt import Prompt
from tightrope.engine.state import State
from tightrope.engine.testing import Conversation

FLOWS = """
flows:
  a: {description: the first, steps: [{collect: x, description: a number}, {action: utter_x}]}
  b: {description: the second, steps: [{collect: y}, {action: utter_y}]}
"""
DOMAIN = """
slots: {x: {type: text}, y: {type: categorical, values: [red, blue]}}
responses:
  utter_ask_x: [{text: x?}]
  utter_ask_y: [{text: y?}]
  utter_x: [{text: "x is {x}, y is {y}"}]
  utter_y: [{text: "y", elements: [{title: "{y}", buttons: [{title: t, payload: p}]}]}]
  utter_ask_rephrase: [{text: pardon}]
  utter_internal_error_rasa: [{text: sorry}]
  utter_ask_continue_conversation: [{text: more?}]
"""


def talk_with(project, **options):
    return Conversation(replace(project(FLOWS, DOMAIN), options=Options(**options)))


class TestSeveralStarts:
    BOTH = "start flow a\nstart flow b"

    def test_by_default_all_start_the_first_named_first(self, project):
        talk = talk_with(project)
        assert talk.texts("x", self.BOTH) == ["x?"]
        assert [f["flow_id"] for f in talk.state.stack if f["type"] == "flow"] == ["b", "a"]

    def test_with_the_option_the_customer_is_asked_which_one(self, project):
        talk = talk_with(project, clarify_several_starts=True)
        talk.say("x", self.BOTH)
        assert [b["title"] for b in talk.state.said[-1]["data"]["buttons"]] == ["a", "b"]
        assert talk.flow() is None

    def test_one_start_said_twice_is_one(self, project):
        talk = talk_with(project, clarify_several_starts=True)
        assert talk.texts("x", "start flow a\nstart flow a\nset slot y red") == ["x?"]

    def test_while_a_flow_is_under_way_all_start(self, project):
        talk = talk_with(project, clarify_several_starts=True)
        talk.say("x", "start flow a")
        talk.say("x", "start flow b\nstart flow a")
        assert talk.flow() == "b"

    def test_a_flow_that_is_not_on_offer_is_no_second(self, project):
        talk = talk_with(project, clarify_several_starts=True)
        assert talk.texts("x", "start flow a\nstart flow nowhere") == ["x?"]


class TestCompleteResponses:
    def test_by_default_a_gap_prints_none(self, project):
        talk = talk_with(project)
        assert talk.texts("x", "start flow a\nset slot x 1")[0] == "x is 1, y is None"

    def test_with_the_option_it_is_not_said_and_told(self, project):
        talk = talk_with(project, complete_responses=True)
        assert talk.texts("x", "start flow a\nset slot x 1")[0] == "sorry"
        assert "utter_x was not said, nothing fills {y}" in talk.problems

    def test_a_complete_one_is(self, project):
        talk = talk_with(project, complete_responses=True)
        talk.say("x", "start flow b")
        talk.say("x", "set slot y red")
        bots = [e for e in talk.events if e["event"] == "bot" and e["text"] == "y"]
        assert bots[0]["data"]["elements"] == [{"title": "red", "buttons": [{"title": "t", "payload": "p"}]}]

    def test_the_apology_itself_is_said_or_nothing(self, project):
        made = project(FLOWS, DOMAIN.replace("text: sorry", 'text: "sorry {y}"'))
        talk = Conversation(replace(made, options=Options(complete_responses=True)))
        assert "x is" not in " ".join(talk.texts("x", "start flow a\nset slot x 1"))


class TestOwnPrompt:
    @pytest.mark.parametrize(
        ("generator", "search"),
        [
            ("CompactLLMCommandGenerator", "provide info"),
            ("custom.MyCompactLLMCommandGenerator", "provide info"),
            ("SearchReadyLLMCommandGenerator", "search and reply"),
            ("SingleStepLLMCommandGenerator", "SearchAndReply()"),
            ("LLMCommandGenerator", "SearchAndReply()"),
        ],
    )
    def test_a_project_without_a_prompt_is_asked_about_in_its_generator_s_syntax(self, folder, generator, search):
        made = load_project(folder(FLOWS, DOMAIN, f"pipeline: [{{name: {generator}}}]"))
        prompt = Prompt.load(made)
        text = prompt.render(State("s"), 'what "now"?')
        assert search in text
        assert "- a: the first\n  - slot x: a number\n- b: the second\n  - slot y (one of red, blue)\n" in text
        assert text.endswith('Nothing is under way.\n\nThe message: "what \\"now\\"?"')
        assert parse_text(search, prompt.command_syntax) == ((KnowledgeAnswer(),), ())

    def test_it_names_the_open_question_but_no_value_and_no_bot_turn(self, project):
        talk = Conversation(project(FLOWS, DOMAIN))
        talk.say("x", "start flow b\nset slot x secret")
        talk.state.slots["x"] = "secret"
        text = Prompt.load(talk.project).render(talk.state, "red", lambda: talk.events)
        assert "Under way: b; the customer was asked for y, one of red, blue." in text
        assert "secret" not in text
        assert "y?" not in text
