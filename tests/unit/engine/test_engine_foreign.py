"""Projects that bring more than CALM: what is not run is told with its place, what cannot be run is refused, and their flows run."""

from __future__ import annotations

import pytest

from tightrope.engine.errors import ProjectError
from tightrope.engine.loader import gather, load_project
from tightrope.engine.testing import Conversation

FLOWS = """
flows:
  f:
    description: does it
    steps:
      - collect: a
      - action: utter_done
"""
DOMAIN = """
slots: {a: {type: text}}
responses: {utter_ask_a: [{text: a?}], utter_done: [{text: done}], utter_ask_rephrase: [{text: pardon}]}
"""
QUIET = "  pattern_completed: {description: quiet, steps: [{noop: true, next: END}]}\n"


def told(root, severity="warning"):
    return [(p.file, p.line, f"{p.message}: {p.mend}") for p in gather(root).problems.found if p.severity == severity]


class TestNotRun:
    CONFIG = """\
language: en
pipeline:
  - name: LLMBasedRouter
  - name: WhitespaceTokenizer
  - name: DIETClassifier
  - name: NLUCommandAdapter
  - name: custom.MyCommandGenerator
policies:
  - name: RulePolicy
  - name: FlowPolicy
  - name: EnterpriseSearchPolicy
  - name: IntentlessPolicy
"""

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            (3, "LLMBasedRouter is not run: every message goes to the flows"),
            (2, "WhitespaceTokenizer, DIETClassifier: not run, so a typed message has no intent"),
            (7, "custom.MyCommandGenerator is not run: the understanding server"),
            (9, "RulePolicy is not run: only flows are"),
            (11, "EnterpriseSearchPolicy is not run: action_trigger_search finds nothing"),
            (12, "IntentlessPolicy is not run: action_trigger_chitchat leads to pattern_cannot_handle"),
        ],
    )
    def test_components_and_policies_beside_calm_are_told(self, folder, line, words):
        found = told(folder(FLOWS, DOMAIN, self.CONFIG))
        assert any(file == "config.yml" and at == line and words in message for file, at, message in found), found
        assert not any("FlowPolicy" in message or "NLUCommandAdapter" in message for _, _, message in found)

    def test_their_flows_run(self, folder):
        assert Conversation(load_project(folder(FLOWS, DOMAIN, self.CONFIG))).texts("x", "start flow f") == ["a?"]

    def test_data_of_an_nlu_based_assistant_is_told_and_the_flows_beside_it_are_read(self, folder):
        root = folder(FLOWS, DOMAIN + "forms: {g: {required_slots: [a]}}\n")
        (root / "data" / "nlu.yml").write_text(
            "version: '3.1'\nnlu:\n- intent: x\n  examples: |\n    - y\nstories: [{story: s}]\n"
        )
        found = told(root)
        assert ("data/nlu.yml", 6, "stories, NLU examples: part of an NLU-based assistant: not run; flows are") in found
        assert any(file == "domain.yml" and "forms" in message for file, _, message in found)

    def test_endpoints_without_effect_are_told(self, folder):
        root = folder(FLOWS, DOMAIN)
        (root / "endpoints.yml").write_text("nlg: {type: rephrase}\nprivacy: {rules: []}\ntracker_store: {type: SQL}\n")
        assert [(line, message.split(":")[0]) for file, line, message in told(root) if file == "endpoints.yml"] == [
            (1, "`nlg` has no effect"), (2, "`privacy` has no effect"), (3, "`tracker_store` has no effect"),
        ]  # fmt: skip

    def test_keys_that_calm_does_not_document_are_told(self, folder):
        flows = FLOWS.replace(
            "description: does it", "description: does it\n    on_activate: x\n    metadata: {k: 1}\n    file_path: y"
        )
        found = told(folder(flows, "slots: {a: {type: text, allow_llm_set: true}}\n" + DOMAIN.split("\n", 2)[2]))
        assert any(file == "data/flows.yml" and line == 5 and "on_activate" in message for file, line, message in found)
        assert any(file == "domain.yml" and line == 1 and "allow_llm_set" in message for file, line, message in found)
        assert not any("metadata" in message or "file_path" in message for _, _, message in found)

    def test_patterns_that_nothing_begins_and_triggers_that_cannot_fire_are_told(self, folder):
        flows = FLOWS + (
            "  pattern_user_silence: {description: s, steps: [{action: utter_done}]}\n"
            "  pattern_correction: {description: s, nlu_trigger: [{intent: i}], steps: [{action: utter_done}]}\n"
            "  g: {description: g, nlu_trigger: [{intent: j}], steps: [{action: utter_done}]}\n"
            "  h: {description: h, nlu_trigger: [{intent: j}], steps: [{action: utter_done}]}\n"
        )
        messages = [message for _, _, message in told(folder(flows, DOMAIN))]
        assert any("pattern_user_silence is never begun: it belongs to voice" in m for m in messages)
        assert any("pattern_correction: no intent can begin this pattern" in m for m in messages)
        assert any("flow h: the intent 'j' already starts g" in m for m in messages)

    @pytest.mark.parametrize(
        ("mapping", "wanted"),
        [
            ("{type: from_entity, entity: e}", True),
            ("{type: from_text, intent: i}", True),
            ("{type: from_text}", False),
            ("{type: from_entity, entity: e}, {type: from_llm}", False),
            ("{type: controlled}", False),
        ],
    )
    def test_a_question_that_no_typed_answer_answers_is_told(self, folder, mapping, wanted):
        root = folder(FLOWS, DOMAIN.replace("{type: text}", f"{{type: text, mappings: [{mapping}]}}"))
        assert any("no typed answer does" in message and line == 6 for _, line, message in told(root)) is wanted


class TestRefused:
    def test_a_sub_agent_that_a_flow_calls(self, folder):
        root = folder(FLOWS.replace("action: utter_done", "call: researcher"), DOMAIN)
        (root / "sub_agents" / "researcher").mkdir(parents=True)
        (root / "sub_agents" / "researcher" / "config.yml").write_text("agent: {}")
        with pytest.raises(ProjectError, match=r"data/flows.yml:7: .*call: researcher.*sub agent.*runs no sub agents"):
            load_project(root)

    def test_sub_agents_that_no_flow_calls_are_let_be(self, folder):
        root = folder(FLOWS, DOMAIN)
        (root / "sub_agents" / "researcher").mkdir(parents=True)
        load_project(root)

    @pytest.mark.parametrize(
        ("step", "words"),
        [
            ("collect: a\n        silence_timeout: 7", "'silence_timeout' belongs to voice"),
            ("collect: a\n        dtmf: {length: 4}", "'dtmf' belongs to voice"),
            ("call: t\n        mcp_server: s\n        mapping: {}", "'mcp_server' belongs to MCP"),
            ("call: t\n        exit_if: [slots.a]", "'exit_if' belongs to sub agents"),
            ("collect: a\n        collect-tool-binding: x", "'collect-tool-binding' belongs to Mantle"),
        ],
    )
    def test_keys_of_what_is_not_run(self, folder, step, words):
        with pytest.raises(ProjectError, match=rf"data/flows.yml:\d+: .*{words}"):
            load_project(folder(FLOWS.replace("action: utter_done", step), DOMAIN))

    def test_mantle(self, folder):
        root = folder(FLOWS, DOMAIN)
        (root / "integrations.yml").write_text("")
        load_project(root)
        (root / "skills" / "pay").mkdir(parents=True)
        (root / "skills" / "pay" / "skill.md").write_text("# Pay")
        with pytest.raises(ProjectError, match=r"integrations.yml:1: a Mantle project .*skills/pay/skill.md.*runs CALM projects"):
            load_project(root)

    def test_a_slot_class_of_one_s_own(self, folder):
        with pytest.raises(ProjectError, match=r"domain.yml:1: .*bank.Account.*write one of"):
            load_project(folder("flows: {}", "slots: {a: {type: bank.Account}}"))

    @pytest.mark.parametrize(
        ("mapping", "words"),
        [
            ("{type: from_nowhere}", "the mapping type 'from_nowhere' is not known"),
            ("{type: from_entity}", "needs `entity`"),
            ("{type: from_intent, intent: a}", "needs `value`"),
            ("{type: from_llm, intnet: a}", "no key 'intnet'"),
            ("{type: from_llm, conditions: [{flow: a}]}", "a mapping condition needs one of"),
            ("from_llm", "needs a `type`"),
        ],
    )
    def test_a_mapping_that_cannot_be_read(self, folder, mapping, words):
        with pytest.raises(ProjectError, match=rf"domain.yml:1: the slot 'a': .*{words}"):
            load_project(folder("flows: {}", f"slots: {{a: {{type: text, mappings: [{mapping}]}}}}"))

    @pytest.mark.parametrize(
        "trigger", ["x", "[x]", "[{intent: 1}]", "[{intent: {name: x, confidence_threshold: 2}}]", "[{intent: {}}]"]
    )
    def test_a_trigger_that_cannot_be_read(self, folder, trigger):
        flows = FLOWS.replace("description: does it", f"description: does it\n    nlu_trigger: {trigger}")
        with pytest.raises(ProjectError, match=r"data/flows.yml:5: flow f: .*(nlu_trigger|confidence_threshold)"):
            load_project(folder(flows, DOMAIN))


class TestCoexistence:
    DOMAIN = DOMAIN.replace(
        "slots: {",
        "slots: {route_session_to_calm: {type: bool}, state: {type: bool, shared_for_coexistence: true, mappings: [{type: controlled}]}, "
        "other: {type: text, mappings: [{type: controlled}]}, ",
    )
    CONFIG = "pipeline: [{name: IntentBasedRouter}, {name: CompactLLMCommandGenerator}]"

    def test_every_message_is_routed_to_calm(self, folder):
        talk = Conversation(load_project(folder(FLOWS, self.DOMAIN, self.CONFIG)))
        talk.say("x", "start flow f")
        assert talk.slot("route_session_to_calm") is True

    def test_without_a_router_the_slot_is_nobodys(self, folder):
        talk = Conversation(load_project(folder(FLOWS, self.DOMAIN, "language: en")))
        talk.say("x", "start flow f")
        assert talk.slot("route_session_to_calm") is None

    def test_resetting_the_routing_keeps_what_is_shared(self, folder):
        flows = (
            FLOWS
            + "  pattern_completed: {description: r, steps: [{set_slots: [{state: true}]}, {action: action_reset_routing}]}\n"
        )
        flows = flows.replace("- action: utter_done", "- set_slots: [{other: x}]\n      - action: utter_done").replace(
            "description: does it", "description: does it\n    persisted_slots: [a, other]"
        ).replace("{description: r,", "{description: r, persisted_slots: [state],")  # fmt: skip
        talk = Conversation(load_project(folder(flows, self.DOMAIN, self.CONFIG)))
        talk.say("x", "start flow f\nset slot a 1", {"locale": "en"})
        assert {"event": "routing_session_ended"} in [{"event": e["event"]} for e in talk.events]
        assert talk.state.slots == {"state": True, "session_started_metadata": {"locale": "en"}}


class TestDefaultActions:
    def run(self, project, steps, domain=DOMAIN):
        flows = f"flows:\n  f: {{description: d, steps: {steps}}}\n" + QUIET
        return Conversation(project(flows, domain))

    def test_a_search_without_documents_finds_nothing(self, project):
        talk = self.run(project, "[{action: action_trigger_search}, {action: utter_done}]")
        assert talk.texts("x", "start flow f")[-1] == "done"
        frame = next(e for e in talk.events if e["event"] == "flow_started" and e["flow_id"] == "pattern_cannot_handle")
        assert frame

    def test_small_talk_without_a_policy_for_it_cannot_be_handled(self, project):
        domain = DOMAIN + "  utter_cannot_handle: [{text: cannot}]\n"
        domain = DOMAIN.replace("utter_done: [{text: done}]", "utter_done: [{text: done}], utter_cannot_handle: [{text: cannot}]")
        assert self.run(project, "[{action: action_trigger_chitchat}]", domain).texts("x", "start flow f") == ["cannot"]

    @pytest.mark.parametrize(("default", "texts"), [("", []), (", utter_default: [{text: fallback}]", ["fallback"])])
    def test_the_default_fallback_says_utter_default_if_there_is_one(self, project, default, texts):
        domain = DOMAIN.replace("utter_done: [{text: done}]", "utter_done: [{text: done}]" + default)
        assert self.run(project, "[{action: action_default_fallback}]", domain).texts("x", "start flow f") == texts

    def test_a_handoff_leaves_its_mark(self, project):
        talk = self.run(project, "[{link: pattern_human_handoff}]")
        talk.say("x", "start flow f")
        assert "action_handoff_metric" in [e["name"] for e in talk.events if e["event"] == "action"]

    def test_actions_of_nlu_based_assistants_are_refused_unless_the_project_has_its_own(self, folder):
        flows = FLOWS.replace("utter_done", "action_back")
        with pytest.raises(ProjectError, match=r"data/flows.yml:7: flow f: action_back belongs to NLU-based assistants"):
            load_project(folder(flows, DOMAIN))
        load_project(folder(flows, DOMAIN + "actions: [action_back]\n"))


class TestCalledFlows:
    FLOWS = """
flows:
  parent:
    description: p
    steps: [{call: child}, {collect: b}, {action: utter_done}]
  child:
    description: c
    if: false
    persisted_slots: [kept]
    steps: [{collect: a}, {collect: kept}]
"""
    DOMAIN = """
slots: {a: {type: text}, b: {type: text}, kept: {type: text}}
responses:
  utter_ask_a: [{text: a?}]
  utter_ask_b: [{text: b?}]
  utter_ask_kept: [{text: kept?}]
  utter_done: [{text: done}]
"""

    def test_what_a_called_flow_persists_outlives_its_caller(self, project):
        talk = Conversation(project(self.FLOWS + QUIET, self.DOMAIN))
        talk.say("x", "start flow parent\nset slot a 1\nset slot kept 2")
        assert talk.texts("x", "set slot b 3") == ["done"]
        assert talk.state.slots == {"kept": "2"}


class TestConfiguration:
    def test_one_in_a_folder_is_found(self, folder):
        root = folder(FLOWS, DOMAIN)
        (root / "config").mkdir()
        (root / "config.yml").rename(root / "config" / "config.yml")
        assert load_project(root).language == "zh"
        assert gather(root).config_file == "config/config.yml"
