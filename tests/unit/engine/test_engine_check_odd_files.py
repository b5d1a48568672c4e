"""The check tells of files that are written in unexpected ways, or overlooks them; it never breaks over one."""

from __future__ import annotations

import pytest

from tightrope.engine.check import check

FLOWS = "flows: {f: {description: d, steps: [{collect: s}]}}"
DOMAIN = "slots: {s: {type: text}}\nresponses: {utter_ask_s: [{text: a}], utter_ask_booking_day: [{text: when}]}\n"


@pytest.mark.parametrize(
    "more",
    [
        "forms: [booking]",
        "forms: booking",
        "forms: {booking: soon}",
        "forms: {booking: [day]}",
        "forms: {booking: {required_slots: 5}}",
        "forms: {booking: {required_slots: {s: [1]}}}",
        "e2e_actions: 5",
        "actions: [[a]]",
        "entities: 5",
        "intents: [5, [a]]",
        "session_config: soon",
    ],
)
def test_an_odd_section_of_the_domain_breaks_nothing(folder, more):
    found = [str(problem) for problem in check(folder(FLOWS, DOMAIN + more, "language: en"))]
    assert any("utter_ask_booking_day" in problem for problem in found) or "actions" in more


def test_a_question_of_a_form_is_not_unused(folder):
    forms = "forms: {booking: {required_slots: [day]}}"
    assert not [p for p in check(folder(FLOWS, DOMAIN + forms, "language: en")) if "utter_ask_booking_day" in str(p)]


@pytest.mark.parametrize(
    "config",
    [
        "pipeline: x",
        "pipeline: {a: b}",
        "pipeline: [x]",
        "pipeline: [{name: 5}]",
        "pipeline: [{name: CompactLLMCommandGenerator, llm: [x], user_input: 5, timezone: [1], prompt_template: 5}]",
        "policies: 5",
        "language: [en]",
        "additional_languages: 5",
        "additional_languages: [[a], null]",
    ],
)
def test_an_odd_configuration_is_told_in_its_file(folder, config):
    assert any(problem.file == "config.yml" for problem in check(folder(FLOWS, DOMAIN, config)))


def test_a_component_without_a_name_is_told_once(folder):
    found = [p for p in check(folder(FLOWS, DOMAIN, "language: en\npipeline: [{llm: {}}]")) if "name" in p.message]
    assert [p.file for p in found] == ["config.yml"]
