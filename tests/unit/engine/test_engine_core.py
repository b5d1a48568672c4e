"""Sessions, releases under way, offers, the state as data, and what understanding is told."""

from __future__ import annotations

import json

import pytest

from tightrope.engine.core import payload_commands, step
from tightrope.engine.errors import EngineError, ProjectError
from tightrope.engine.loader import load_project
from tightrope.engine.models import ActionResult, Listen, RunAction, StartFlow, StartSession, UserMessage
from tightrope.engine.prompt import Prompt
from tightrope.engine.state import MAX_OFFERS, State, apply, replay
from tightrope.engine.testing import Conversation

FLOW = """
flows:
  f:
    description: d
    steps:
      - collect: a
      - collect: b
      - action: utter_done
"""
OTHER = FLOW.replace("- action: utter_done", "- action: utter_done\n      - action: utter_done")
DOMAIN = """
slots: {a: {type: text}, b: {type: text}, kept: {type: text}}
responses: {utter_ask_a: [{text: A?}], utter_ask_b: [{text: B?}], utter_done: [{text: done}]}
"""


class TestSessions:
    def test_the_first_thing_is_a_session_with_the_metadata_but_not_the_turn_id(self, project):
        made = project(FLOW, DOMAIN)
        result = step(made, State("s"), StartSession(1.0, {"turn_id": "secret", "language": "zh"}))
        assert [e["event"] for e in result.events] == [
            "action", "session_started", "slot", "action",
        ]  # fmt: skip
        assert result.state.slots == {"session_started_metadata": {"language": "zh"}}
        assert isinstance(result.effect, Listen)

    def test_a_new_session_has_no_stale_question_and_no_old_buttons(self, shop):
        talk = Conversation(shop)
        talk.say("下单", "start flow order\nset slot count 3")
        talk.open_session(idle=9999)
        assert (talk.state.stack, talk.slot("count")) == ([], None)
        assert payload_commands(talk.state, "/SetSlots(size=large)", strict=True) is None

    @pytest.mark.parametrize(("carry", "kept"), [("true", "x"), ("false", None)])
    def test_slots_outside_flows_are_carried_over_if_the_domain_says_so(self, project, carry, kept):
        talk = Conversation(project(FLOW, DOMAIN + f"session_config: {{carry_over_slots_to_new_session: {carry}}}"))
        talk.say("f", "start flow f")
        talk.state.slots["kept"] = "x"
        talk.events.append({"event": "slot", "timestamp": 1.0, "name": "kept", "value": "x"})
        talk.open_session(idle=9999)
        assert talk.slot("kept") == kept


class TestReleases:
    def start(self, folder):
        talk = Conversation(load_project(folder(FLOW, DOMAIN)))
        talk.say("f", "start flow f\nset slot a 1")
        return talk

    def test_an_unchanged_journey_goes_on(self, folder):
        talk = self.start(folder)
        talk.project = load_project(folder(FLOW + "  g: {description: e, steps: [{action: utter_done}]}\n", DOMAIN))
        assert talk.texts("2", "set slot b 2")[0] == "done"

    def test_a_changed_journey_starts_again_with_a_sentence(self, folder):
        talk = self.start(folder)
        talk.project = load_project(folder(OTHER, DOMAIN))
        assert talk.texts("2", "") == [
            "我们刚更新了服务内容，需要从头再来一次，给您添麻烦了。",
            "抱歉，我没有理解您的意思。请换一种说法再试一次。",
            "A?",
        ]
        assert talk.slot("a") is None

    def test_a_journey_that_is_gone_ends_without_an_error(self, folder):
        talk = self.start(folder)
        talk.project = load_project(folder("flows: {g: {description: e, steps: [{action: utter_done}]}}", DOMAIN))
        said = talk.texts("g", "start flow g")
        assert said[:2] == ["我们刚更新了服务内容，需要从头再来一次，给您添麻烦了。", "done"]

    def test_a_project_that_cleans_the_stack_still_starts_what_was_asked_for(self, folder):
        talk = self.start(folder)
        clean = (
            OTHER
            + "  pattern_code_change: {steps: [{action: action_clean_stack}]}\n  g: {description: e, steps: [{action: utter_done}]}\n"
        )
        talk.project = load_project(folder(clean, DOMAIN))
        assert talk.texts("g", "start flow g")[0] == "done"
        assert talk.flow() is None

    def test_a_changed_pattern_alone_is_no_reason_to_tell_anything(self, folder):
        talk = Conversation(load_project(folder("flows: {f: {description: d, steps: [{action: utter_done}]}}", DOMAIN)))
        talk.say("f", "start flow f")
        talk.project = load_project(
            folder(
                "flows: {f: {description: d, steps: [{action: utter_done}]}, pattern_completed: {steps: [{action: utter_done}]}}",
                DOMAIN,
            )
        )
        assert talk.texts("f", "start flow f") == ["done", "done"]


class TestPurity:
    def test_an_answer_that_nobody_asked_for_is_refused(self, shop):
        with pytest.raises(EngineError, match="was not asked for"):
            step(shop, State("s"), ActionResult("action_place", 1.0))

    def test_the_same_inputs_give_the_same_events(self, shop):
        def events():
            state, out = State("s", seed=3), []
            for inputs in (StartSession(1.0), UserMessage("x", (StartFlow("price"),), 2.0)):
                result = step(shop, state, inputs)
                state = result.state
                out.extend(result.events)
            assert result.effect == RunAction("action_price")
            return out

        assert json.dumps(events()) == json.dumps(events())

    def test_an_ended_conversation_is_silent(self, project):
        talk = Conversation(project("flows: {f: {description: d, steps: [{action: action_hangup}]}}"))
        talk.say("f", "start flow f")
        assert talk.state.ended
        assert talk.say("f", "start flow f") == []

    def test_offers_are_bounded_and_the_newest_stay(self):
        state = State("s")
        for number in range(MAX_OFFERS + 20):
            apply(
                state,
                {"event": "bot", "text": "x", "data": {"buttons": [{"title": "t", "payload": f"/SetSlots(a={number})"}]}},
                {},
            )
        assert len(state.offers) == MAX_OFFERS
        assert state.offers[-1] == f"/SetSlots(a={MAX_OFFERS + 19})"

    def test_state_survives_being_written_and_other_versions_keys(self, shop):
        talk = Conversation(shop)
        talk.say("下单", "start flow order")
        written = json.loads(json.dumps(talk.state.to_json()))
        assert State.from_json({**written, "new_key": 1}) == talk.state

    def test_events_have_rasa_s_shapes(self, shop):
        talk = Conversation(shop)
        talk.say("下单", "start flow order\nset slot size large", {"turn_id": "t"})
        by_kind = {event["event"]: event for event in talk.events}
        assert {"name", "policy", "confidence", "action_text", "hide_rule_turn", "timestamp"} <= set(by_kind["action"])
        assert {"name", "value", "timestamp"} <= set(by_kind["slot"])
        assert {"text", "data", "metadata"} <= set(by_kind["bot"])
        user = by_kind["user"]
        assert user["metadata"] == {"turn_id": "t", "assistant_id": "shop"}
        assert user["parse_data"]["commands"] == [
            {"command": "start flow", "flow": "order"},
            {"command": "set slot", "name": "size", "value": "large", "extractor": "LLM"},
        ]
        assert json.loads(by_kind["stack"]["update"])[0]["op"] == "replace"
        assert replay("test", talk.events, shop.initials) == talk.state


class TestPrompt:
    def render(self, shop, talk, text="x"):
        return json.loads(Prompt.load(shop).render(talk.state, text))

    def test_idle_it_names_the_message_and_the_flows_on_offer(self, shop):
        found = self.render(shop, Conversation(shop), '想"下单"\n<b>')
        assert found["message"] == '想"下单"\n<b>'
        assert (found["flow"], found["language"]) == (None, None)
        assert [flow["id"] for flow in found["flows"]] == ["order", "hours", "price", "private", "paint"]
        assert found["flows"][0]["slots"][0]["allowed_values"] == ["small", "large"]
        assert found["flows"][3]["slots"] == []

    def test_it_names_the_question_but_no_value(self, shop):
        talk = Conversation(shop)
        talk.say("下单", "start flow order\nset slot count 424242")
        found = self.render(shop, talk)
        assert (found["flow"]["id"], found["flow"]["slot"], found["flow"]["slot_type"]) == ("order", "size", "categorical")
        assert "424242" not in json.dumps(found)

    def test_a_question_of_a_called_flow_and_of_a_pattern_are_named(self, shop):
        talk = Conversation(shop)
        talk.say("上色", "start flow paint")
        assert (self.render(shop, talk)["flow"]["id"], self.render(shop, talk)["flow"]["slot"]) == ("choose_colour", "colour")
        talk.say("几点", "start flow hours")
        found = self.render(shop, talk)["flow"]
        assert (found["id"], found["slot"]) == ("pattern_continue_interrupted", "continue_interrupted_flow_confirmation")
        assert found["slot_description"]
        assert found["allowed_values"] == ["True", "False"]

    def test_a_template_that_wants_the_conversation_gets_it(self, shop):
        prompt = Prompt(shop, "{{ current_conversation }}|{{ user_message | to_json_escaped_string }}", "p")
        events = [
            {"event": "user", "text": "a"},
            {"event": "bot", "text": "b"},
            {"event": "slot"},
            {"event": "bot", "text": None},
        ]
        assert prompt.render(State("s"), "c", lambda: events) == 'USER: a\nAI: b\nUSER: c|"c"'

    def test_guards_hide_flows(self, project):
        made = project("flows: {f: {description: d, if: slots.ok, steps: [{action: utter_x}]}}", "slots: {ok: {type: bool}}")
        prompt = Prompt(made, "{{ available_flows | map(attribute='name') | list }}", "p")
        assert prompt.render(State("s"), "x") == "[]"
        assert prompt.render(State("s", slots={"ok": True}), "x") == "['f']"

    def test_a_missing_or_broken_prompt_is_refused(self, folder):
        config = "pipeline: [{name: CompactLLMCommandGenerator, prompt_template: p.jinja2}]"
        root = folder("flows: {}", "slots: {}", config)
        with pytest.raises(ProjectError, match="there is no prompt"):
            Prompt.load(load_project(root))
        (root / "p.jinja2").write_text("{% if %}")
        with pytest.raises(ProjectError, match=r"p\.jinja2:1"):
            Prompt.load(load_project(root))
