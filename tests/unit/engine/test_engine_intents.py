"""Intents without a classifier: payloads, triggers from outside, slots filled from intents, entities and texts."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tightrope.engine.commands import parse_payload
from tightrope.engine.core import payload_commands, step
from tightrope.engine.errors import CommandSyntaxError
from tightrope.engine.intents import known_intents, triggered
from tightrope.engine.mappings import Entity, MappingError
from tightrope.engine.models import Intent, SetSlot, UserMessage
from tightrope.engine.state import State
from tightrope.engine.testing import Conversation

FLOWS = """
flows:
  order_pizza:
    description: orders pizza
    nlu_trigger: [{intent: {name: request_pizza, confidence_threshold: 0.5}}, {intent: hungry}]
    steps:
      - collect: pizza
      - collect: number
      - collect: address
      - collect: confirmed
      - action: utter_done
  hidden:
    description: for those who know
    if: false
    nlu_trigger: [{intent: open_sesame}]
    steps: [{action: utter_hidden}]
  other:
    description: something else
    steps: [{collect: note}, {action: utter_done}]
"""
DOMAIN = """
intents: [request_pizza, {inform: {use_entities: []}}, affirm, deny, moan]
entities: [pizza_type, number, city]
slots:
  pizza: {type: text, mappings: [{type: from_entity, entity: pizza_type}, {type: from_llm}]}
  number:
    type: float
    mappings:
      - {type: from_entity, entity: number, role: count, not_intent: moan, conditions: [{active_flow: order_pizza}]}
      - {type: from_llm, allow_nlu_correction: true}
  address:
    type: text
    mappings: [{type: from_text, conditions: [{active_flow: order_pizza, requested_slot: address}]}, {type: from_llm}]
  confirmed:
    type: bool
    mappings:
      - {type: from_intent, intent: affirm, value: true}
      - {type: from_intent, intent: [deny, moan], value: false}
  note: {type: text, mappings: [{type: from_trigger_intent, intent: hungry, value: starving}, {type: from_llm}]}
  size: {type: text}
responses:
  utter_ask_pizza: [{text: which}]
  utter_ask_number: [{text: how many}]
  utter_ask_address: [{text: where}]
  utter_ask_confirmed: [{text: sure}]
  utter_ask_note: [{text: what}]
  utter_hidden: [{text: hidden}]
  utter_done: [{text: done}]
  utter_ask_rephrase: [{text: pardon}]
  utter_corrected_previous_input: [{text: corrected}]
"""


INTENTS = [
    "request_pizza",
    "inform",
    "affirm",
    "deny",
    "moan",
    "hungry",
    "open_sesame",
    "restart",
    "session_start",
    "session_end",
    "x",
]
ENTITIES = ["pizza_type", "number", "city"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@pytest.fixture
def made(project):
    return project(FLOWS + QUIET, DOMAIN)


@pytest.fixture
def talk(project):
    return Conversation(project(FLOWS + QUIET, DOMAIN), strict=False)


QUIET = "  pattern_completed: {description: quiet, steps: [{noop: true, next: END}]}\n"


def last_parse(talk):
    return next(e for e in reversed(talk.events) if e["event"] == "user")["parse_data"]


class TestPayloads:
    @pytest.mark.parametrize(
        ("text", "intent"),
        [
            ("/greet", Intent("greet")),
            ("/greet{}", Intent("greet")),
            ('/inform{"city": "Bern"}', Intent("inform", (Entity("city", "Bern"),))),
            ('/inform {"city": ["Bern", "Rom"], "n": 2}', Intent("inform", (Entity("city", "Bern"), Entity("city", "Rom"), Entity("n", 2)))),
            ('/inform@0.4{"a": null}', Intent("inform", (Entity("a", None),), 0.4)),
            ("/faq-open.now+x", Intent("faq-open.now+x")),
            ("/问候", Intent("问候")),
        ],
    )  # fmt: skip
    def test_an_intent_with_its_entities_is_read(self, text, intent):
        assert parse_payload(text) == (intent,)

    def test_the_user_event_holds_intent_and_entities_in_rasas_shape(self, talk):
        talk.say('/request_pizza{"pizza_type": "diavola"}')
        parsed = last_parse(talk)
        assert parsed["intent"] == {"name": "request_pizza", "confidence": 1.0}
        assert parsed["entities"] == [{"entity": "pizza_type", "value": "diavola"}]
        assert parsed["commands"] == [
            {"command": "start flow", "flow": "order_pizza"},
            {"command": "set slot", "name": "pizza", "value": "diavola", "extractor": "NLU"},
        ]

    @pytest.mark.parametrize(
        "text", ["/request_pizza", "/restart", "/session_start", "/session_end", '/inform{"pizza_type": "x"}', "/open_sesame"]
    )
    def test_strict_typed_text_never_becomes_an_intent(self, project, text):
        talk = Conversation(project(FLOWS, DOMAIN), strict=True)
        talk.say("hi", "start flow order_pizza")
        before = dict(talk.state.slots), [f["flow_id"] for f in talk.state.stack], talk.state.sessions
        talk.say(text)
        assert last_parse(talk)["intent"] == {"name": None, "confidence": 0.0}
        assert (dict(talk.state.slots), [f["flow_id"] for f in talk.state.stack], talk.state.sessions) == before
        assert not talk.state.ended

    def test_strict_an_offered_intent_counts_once(self, project):
        payload = '/inform{{\\"pizza_type\\": \\"diavola\\"}}'
        asking = f'utter_ask_pizza: [{{text: which, buttons: [{{title: D, payload: "{payload}"}}]}}]'
        domain = DOMAIN.replace("utter_ask_pizza: [{text: which}]", asking)
        talk = Conversation(project(FLOWS, domain), strict=True)
        talk.say("hi", "start flow order_pizza")
        talk.press("D")
        assert talk.slot("pizza") == "diavola"
        assert payload_commands(talk.state, '/inform{"pizza_type": "diavola"}', strict=True) is None


class TestTriggers:
    def test_an_intent_starts_its_flow(self, talk):
        assert talk.texts("/hungry") == ["which"]

    def test_below_its_threshold_it_does_not(self, talk):
        assert talk.texts("/request_pizza@0.4") == ["pardon"]
        assert talk.texts("/request_pizza@0.5") == ["which"]

    def test_the_guard_is_not_asked(self, talk):
        assert talk.texts("/open_sesame") == ["hidden"]

    def test_understanding_cannot_pass_the_guard(self, talk):
        assert talk.texts("x", "start flow hidden") == ["pardon"]

    def test_an_unknown_intent_is_not_handled_and_told(self, talk):
        assert talk.texts("/nonsense") == ["pardon"]
        assert "the intent 'nonsense' is not known to the project" in talk.problems

    @pytest.mark.parametrize(("name", "words"), [("silence_timeout", "belongs to voice"), ("back", "NLU-based")])
    def test_what_belongs_elsewhere_says_so(self, talk, name, words):
        assert talk.texts("/" + name) == ["pardon"]
        assert any(words in problem for problem in talk.problems)

    def test_it_interrupts_a_flow_under_way(self, talk):
        talk.say("x", "start flow other")
        assert talk.texts("/hungry") == ["which"]
        assert talk.flow() == "order_pizza"

    def test_a_pattern_with_a_trigger_begins(self, project):
        flows = (
            FLOWS
            + "  pattern_human_handoff: {description: d, nlu_trigger: [{intent: person}], steps: [{action: utter_hidden}]}\n"
        )
        assert Conversation(project(flows, DOMAIN), strict=False).texts("/person") == ["hidden"]

    def test_what_is_triggered_from_outside_is_a_user_event_that_nobody_typed(self, project):
        made = project(FLOWS, DOMAIN)
        text, metadata, intent = triggered("request_pizza", [{"entity": "pizza_type", "value": "funghi", "start": 0}])
        result = step(made, State("s"), UserMessage(text, (intent,), 1.0, metadata))
        event = result.events[0]
        assert (event["text"], event["metadata"]) == ("EXTERNAL: request_pizza", {"is_external": True})
        assert result.state.slots["pizza"] == "funghi"

    @pytest.mark.parametrize("entities", ["x", 3, [1], [{"value": 1}]])
    def test_entities_of_another_form_are_refused(self, entities):
        with pytest.raises(MappingError):
            triggered("a", entities)

    def test_intents_of_domain_triggers_and_mappings_are_known(self, project):
        assert known_intents(project(FLOWS, DOMAIN)) == {
            "request_pizza", "inform", "affirm", "deny", "moan", "hungry", "open_sesame", "session_start", "session_end", "restart",
        }  # fmt: skip


class TestMappings:
    def test_an_entity_counts_with_its_role_only(self, talk):
        talk.say("/hungry")
        talk.say('/inform{"number": 3}')
        assert talk.slot("number") is None
        made = UserMessage("EXTERNAL: inform", (Intent("inform", (Entity("number", 3, "count"),)),), 9.0)
        assert step(talk.project, talk.state, made).state.slots["number"] == 3

    def test_not_intent_and_conditions_hold_it_back(self, talk):
        entity = (Entity("number", 3, "count"),)
        talk.say("x", "start flow other")
        assert "number" not in step(talk.project, talk.state, UserMessage("E", (Intent("inform", entity),), 9.0)).state.slots
        talk.say("/hungry")
        assert "number" not in step(talk.project, talk.state, UserMessage("E", (Intent("moan", entity),), 9.0)).state.slots

    def test_the_last_of_several_entities_counts(self, talk):
        talk.say('/hungry{"pizza_type": ["one", "two"]}')
        assert talk.slot("pizza") == "two"

    def test_from_intent_answers_the_question(self, talk):
        talk.say("x", "start flow order_pizza\nset slot pizza a\nset slot number 1")
        talk.say("my street 5")
        assert talk.texts("/affirm") == ["done"]

    @pytest.mark.parametrize("intent", ["deny", "moan"])
    def test_several_intents_may_share_a_mapping(self, talk, intent):
        talk.say("x", "start flow order_pizza\nset slot pizza a\nset slot number 1")
        talk.say("my street 5")
        talk.say("/" + intent)
        assert not talk.slot("confirmed")

    def test_a_slot_of_no_active_flow_stays_empty(self, talk):
        assert talk.texts('/inform{"pizza_type": "x"}') == ["pardon"]
        assert talk.slot("pizza") is None

    def test_from_trigger_intent_fills_only_with_the_flow_it_starts(self, project):
        flows = FLOWS.replace(
            "description: something else", "description: something else\n    nlu_trigger: [{intent: hungry_too}]"
        )
        domain = DOMAIN.replace("intent: hungry, value: starving", "intent: hungry_too, value: starving")
        talk = Conversation(project(flows + QUIET, domain), strict=False)
        talk.say("x", "start flow order_pizza")
        assert talk.texts("/hungry_too")[0] == "done"
        assert [e["value"] for e in talk.events if e["event"] == "slot" and e["name"] == "note"] == ["starving", None]

    def test_understanding_may_not_fill_what_only_intents_fill(self, talk):
        talk.say("x", "start flow order_pizza\nset slot pizza a\nset slot number 1\nset slot address b")
        assert talk.texts("yes", "set slot confirmed true") == ["pardon", "sure"]

    def test_a_button_may(self, talk):
        talk.say("x", "start flow order_pizza\nset slot pizza a\nset slot number 1\nset slot address b")
        assert talk.texts("/SetSlots(confirmed=true)") == ["done"]


class TestOwnWords:
    def ask(self, talk):
        talk.say("x", "start flow order_pizza\nset slot pizza a\nset slot number 1")

    @pytest.mark.parametrize("commands", ["", "set slot address street five"])
    def test_from_text_takes_the_words_as_they_are(self, talk, commands):
        self.ask(talk)
        talk.say("30 Pine Road", commands)
        assert talk.slot("address") == "30 Pine Road"
        assert talk.state.by_intent == ["address"]

    def test_not_if_understanding_found_something_else_in_them(self, talk):
        self.ask(talk)
        talk.say("stop it", "cancel flow")
        assert (talk.slot("address"), talk.flow()) == (None, None)

    def test_not_before_it_is_asked_for(self, talk):
        talk.say("x", "start flow order_pizza")
        talk.say("hm", "")
        assert talk.slot("address") is None

    def test_an_intent_is_no_text(self, talk):
        self.ask(talk)
        talk.say("/nonsense")
        assert talk.slot("address") is None

    def test_a_filter_by_intent_never_fits_a_typed_text(self, project):
        domain = DOMAIN.replace("{type: from_text, conditions", "{type: from_text, intent: inform, conditions")
        talk = Conversation(project(FLOWS, domain), strict=False)
        self.ask(talk)
        talk.say("30 Pine Road", "")
        assert talk.slot("address") is None


class TestWhoWins:
    def test_the_intent_wins_over_understanding_in_one_message(self, talk):
        talk.say("x", "start flow order_pizza")
        commands = (*parse_payload('/inform{"pizza_type": "intent"}'), SetSlot("pizza", "model"))
        result = step(talk.project, talk.state, UserMessage("x", commands, 9.0))
        assert result.state.slots["pizza"] == "intent"
        assert [d["why"] for d in result.events[0]["parse_data"]["dropped"]] == ["an intent says otherwise"]

    def test_understanding_may_not_correct_what_an_intent_set(self, talk):
        talk.say('/hungry{"pizza_type": "diavola"}')
        assert talk.texts("no, funghi", "set slot pizza funghi") == ["pardon", "how many"]
        assert talk.slot("pizza") == "diavola"

    def test_unless_the_mapping_allows_it(self, talk):
        talk.say("/hungry")
        said = UserMessage("E", (Intent("inform", (Entity("number", 3, "count"), Entity("pizza_type", "a"))),), 9.0)
        filled = step(talk.project, talk.state, said).state
        assert sorted(filled.by_intent) == ["number", "pizza"]
        corrected = step(talk.project, filled, UserMessage("x", (SetSlot("number", "2"), SetSlot("pizza", "b")), 10.0))
        assert (corrected.state.slots["number"], corrected.state.slots["pizza"]) == (2, "a")
        assert corrected.state.by_intent == ["pizza"]

    def test_once_understanding_set_it_understanding_may_correct_it(self, talk):
        talk.say("x", "start flow order_pizza\nset slot pizza a")
        assert "corrected" in talk.texts("no, b", "set slot pizza b")

    def test_a_correction_by_an_intent_is_the_intents(self, talk):
        talk.say("x", "start flow order_pizza\nset slot pizza a")
        assert "corrected" in talk.texts('/inform{"pizza_type": "b"}')
        assert talk.state.by_intent == ["pizza"]


class TestAnything:
    @given(st.text(max_size=60).map(lambda text: "/" + text))
    def test_a_text_is_a_payload_or_it_is_refused(self, text):
        try:
            commands = parse_payload(text)
        except CommandSyntaxError:
            return
        assert commands

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(st.tuples(st.sampled_from(INTENTS), st.dictionaries(st.sampled_from(ENTITIES), VALUES, max_size=3)), max_size=6)
    )
    def test_any_intents_with_any_entities_leave_a_conversation_that_replays(self, made, said):
        """`Conversation.say` compares the state with the replay of its events after each turn."""
        talk = Conversation(made, strict=False)
        for intent, entities in said:
            talk.say(f"/{intent}{orjson.dumps(entities).decode()}")
