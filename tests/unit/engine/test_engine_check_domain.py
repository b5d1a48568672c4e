"""Faults of slots, responses, files and configuration, planted one at a time in a project without any."""

from __future__ import annotations

import pytest
from engine_clinic import CLINIC, COMMON, DOMAIN, FLOWS, VISITS, Fault, clinic, edit, error, must_be_found, warning

from tightrope.engine.check import check

CONFIG = "config.yml"

SLOTS = [
    warning(DOMAIN, "[check-up, pain, advice]", "[check-up, pain, advice, Advice]", "Advice", "same-values", "'advice' and 'Advice'"),
    error(COMMON, "initial_value: en", "initial_value: fr", "initial_value", "slot-value", "not of its type categorical", "en, zh"),
    error(DOMAIN, "min_value: 1\n", "min_value: 10000\n", "min_value", "slot-value", "takes nothing"),
    warning(DOMAIN, "day:\n    type: text\n  free", "day:\n    type: text\n    values: [Monday]\n  free", "values: [Monday]", "slot-key",
            "means nothing for the slot 'day'"),
    warning(DOMAIN, "if: slots.visit_number > 9000", "if: slots.visit_number > 9000 and slots.reason = 'pain'", "    validation:", "slot-rule",
            "looks at reason"),
    error(DOMAIN, "utter: utter_number_unknown", "utter: utter_no_number", "    validation:", "unknown-response", "'utter_no_number'", "",
          "unused"),
    error(DOMAIN, "refill_utter: utter_ask_visit_number", "refill_utter: utter_ask_visit_no", "    validation:", "unknown-response",
          "'utter_ask_visit_no'"),
    error(COMMON, "run_action_every_turn: action_watch_language", "run_action_every_turn: action_watch", "run_action_every_turn", "unknown-action",
          "'action_watch'", "", "unused"),
    error(DOMAIN, "place_of_pain: {type: text}", "place_of_pain: {type: text, valeus: [a]}", "place_of_pain: {", "slot", "'valeus'"),
    error(DOMAIN, "place_of_pain: {type: text}", "place_of_pain: {type: string}", "place_of_pain: {", "slot", "type 'string'"),
    error(DOMAIN, "place_of_pain: {type: text}", "place_of_pain: {type: text, mappings: [{type: from_model}]}", "place_of_pain: {", "slot",
          "'from_model'"),
    warning(DOMAIN, "free_day:\n    type: text\n    mappings: [{type: controlled}]", "free_day:\n    type: text\n    mappings: [{type: custom}]",
            "type: custom", "deprecated", "the mapping `custom`"),
]  # fmt: skip

RESPONSES = [
    error(DOMAIN, "- text: Nothing was booked.\n      translation: {zh: 没有预约。}", "- channel: web", "- channel: web", "silent-response", "says nothing",
          "", "no-default"),
    warning(DOMAIN, "- text: Nothing was booked.", "- channel: web\n      text: Nothing was booked.", "  utter_not_booked:", "no-default",
            "the channel is another one"),
    warning(DOMAIN, "    - condition: slots.free_day is not null\n", '    - condition: slots.free_day = "Monday"\n', "  utter_ask_visit_confirmed:",
            "no-default", "has nothing to say"),
    warning(DOMAIN, '- condition: slots.reason = "pain"', '- condition: slots.reason = "hurts"', "slots.reason =", "never-taken",
            "a wording of utter_booked is never said", "'hurts' is no value"),
    error(DOMAIN, '- condition: slots.reason = "pain"', '- condition: slots.resaon = "pain"', "slots.resaon", "unknown-slot", "'resaon'",
          "did you mean 'reason'?"),
    warning(DOMAIN, '- condition: slots.reason = "pain"', "- condition: [{type: slot, name: reason, value: pain}]", "type: slot", "deprecated",
            "the list form"),
    error(DOMAIN, "- text: Nothing was booked.", "- txt: Nothing was booked.", "- txt:", "response", "unknown key 'txt'", "", "silent-response"),
    error(COMMON, "- text: Can I do anything else?", '- metadata: {template: jinja}\n      text: "{% if %}"', "- metadata", "response",
          "cannot be compiled"),
    warning(DOMAIN, "      translation: {zh: 没有预约。}\n", "", "  utter_not_booked:", "translation", "utter_not_booked is not translated to 'zh'"),
    warning(COMMON, "          payload: /book\n          translation: {zh: {title: 预约}}\n", "          payload: /book\n", "  utter_hours:",
            "translation", "a button of utter_hours"),
    warning(VISITS, "    translation: {zh: {name: 取消就诊}}\n", "", "name: cancel a visit", "translation", "the name of cancel_visit"),
]  # fmt: skip

FILES = [
    error(COMMON, "session_config:", "session_configuration:", "session_configuration:", "unknown-key", "nothing below it is read",
          "did you mean 'session_config'?"),
    warning("data/flows/more.yml", "", "flow:\n  a: {}\n", "flow:", "unknown-key", "nothing of this file is read", "did you mean 'flows'?"),
    error(VISITS, "flows:\n", "storys: []\nflows:\n", "storys", "unknown-key", "no key 'storys'", "did you mean 'stories'?"),
    error(COMMON, "session_expiration_time: 30", "session_expiration_time: soon", "session_expiration_time", "session", "is 'soon'", "give minutes"),
    error(COMMON, "session_expiration_time: 30", "session_expiration: 30", "session_expiration:", "unknown-key", "'session_expiration'",
          "did you mean 'session_expiration_time'?"),
    error(COMMON, "carry_over_slots_to_new_session: true", "carry_over_slots_to_new_session: Yes", "carry_over", "session", "is 'Yes'"),
    error(FLOWS, "    description: Someone", "    discription: Someone", "discription", "flow-file", "no key 'discription'"),
    error(FLOWS, "        action: utter_phone_kept\n", "        action: utter_phone_kept\n        then: x\n", "then: x", "flow-file",
          "a action step has no key 'then'"),
    error(FLOWS, "collect: phone", "collect: phone\n        dtmf: {length: 4}", "dtmf", "flow-file", "belongs to voice"),
    warning(FLOWS, "collect: phone", "collect: phone\n        reset_after_flow_ends: false", "reset_after", "deprecated", "reset_after_flow_ends",
            "persisted_slots"),
    warning(CONFIG, "CompactLLMCommandGenerator", "SingleStepLLMCommandGenerator", "- name: Single", "deprecated", "SingleStep"),
    warning(CONFIG, "model_group: commands", "model_group: comands", "model_group", "config", "'comands'", "did you mean 'commands'?"),
    warning(CONFIG, "    llm:\n", "    prompt_template: prompts/none.jinja2\n    llm:\n", "prompt_template", "config", "there is no prompt"),
    error(CONFIG, "policies:\n  - name: FlowPolicy\n", "policies: FlowPolicy\n", "policies", "config", "must be a list"),
    error(CONFIG, "language: en\n", "language: [en]\n", "language: [en]", "config", "the language is"),
    warning(CONFIG, "language: en\nadditional_languages: [zh]", "language: ru", "language: ru", "translation", "would be said in English"),
    warning(CONFIG, "policies:\n", "policies:\n  - name: RulePolicy\n", "- name: RulePolicy", "not-run", "RulePolicy is not run"),
]  # fmt: skip

TEXT = [
    error(FLOWS, "      - id: tell\n", "\t- id: tell\n", "- id: tell", "file", "a tab stands where YAML wants spaces"),
    error(FLOWS, "    name: opening hours\n", "    name: opening hours\n    name: hours\n", "name: hours", "duplicate", "'name' stands here twice"),
    error("data/flows/aaa.yml", "", "flows:\n  opening_hours:\n    description: d\n    steps: [{action: utter_hours}]\n",
          (FLOWS, "  opening_hours:"), "duplicate", "also defined in data/flows/aaa.yml:2"),
    error("domain/aaa.yml", "", "slots:\n  phone: {type: text}\n", (COMMON, "  phone:"), "duplicate", "also defined in domain/aaa.yml:2"),
    error("domain/aaa.yml", "", "responses:\n  utter_hours: [{text: x}]\n", (COMMON, "  utter_hours:"), "duplicate", "domain/aaa.yml:2", "",
          "translation"),
]  # fmt: skip


@pytest.mark.parametrize(
    "fault",
    [*SLOTS, *RESPONSES, *FILES, *TEXT],
    ids=lambda fault: f"{fault.code}: {fault.new.strip().splitlines()[0][:40] if fault.new else ''}",
)
def test_a_fault_of_domain_files_and_configuration_is_found_with_file_and_line(tmp_path, fault: Fault):
    must_be_found(tmp_path, fault)


def test_a_file_that_cannot_be_read_does_not_make_its_names_missing(tmp_path):
    root = clinic(tmp_path)
    edit(root, DOMAIN, "slots:\n", "slots: [\n")
    found = check(root)
    assert {p.file for p in found} == {DOMAIN}, [str(p) for p in found]
    root = clinic(tmp_path / "again")
    edit(root, VISITS, "flows:\n", "flows: [\n")
    assert {p.file for p in check(root)} == {VISITS}
    edit(root, CONFIG, "language: en\n", "language: [\n")
    assert {p.file for p in check(root)} == {VISITS, CONFIG}


def test_a_slot_that_could_not_be_read_is_not_told_missing_as_well(tmp_path):
    root = clinic(tmp_path)
    edit(root, DOMAIN, "place_of_pain: {type: text}", "place_of_pain: {type: string}")
    assert [p.code for p in check(root)] == ["slot"]


def test_a_configuration_elsewhere_can_be_named(tmp_path):
    root = clinic(tmp_path)
    (root / "config.yml").rename(root / "other.yml")
    assert [(p.severity, p.code) for p in check(root)] == [("warning", "config")]
    assert check(root, root / "other.yml") == []
    assert next(p.code for p in check(root, root / "none.yml")) == "config"


def test_many_things_of_one_kind_are_told_in_one_line(tmp_path):
    root = clinic(tmp_path)
    extra = "".join(f"  utter_extra_{n}: [{{text: x, translation: {{zh: x}}}}]\n" for n in range(9))
    edit(root, COMMON, "", extra)
    found = [p for p in check(root) if p.code == "unused"]
    assert len(found) == 1
    assert "9 are said by nothing" in found[0].message
    assert "and 5 more" in found[0].message


def test_what_is_no_project_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    assert [p.code for p in check(tmp_path / "empty")] == ["no-project"]
    assert [p.code for p in check(tmp_path / "missing")] == ["no-project"]
    assert check(CLINIC) == []
