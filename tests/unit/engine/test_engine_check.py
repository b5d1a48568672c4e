"""`check` finds every problem at once, each with file and line."""

from __future__ import annotations

import pytest

from tightrope.engine.check import check
from tightrope.infra.settings import REPOSITORY


def errors(root):
    return [f"{p.line}: {p.message}" for p in check(root) if p.severity == "error"]


def test_this_repository_s_own_project_has_no_errors():
    assert [str(p) for p in check(REPOSITORY) if p.severity == "error"] == []


def test_all_problems_are_told_at_once(folder):
    root = folder(
        """\
        flows:
          f:
            description: same words
            persisted_slots: [never_filled]
            steps:
              - collect: missing
              - collect: things
              - collect: both
              - action: action_unknown
              - action: utter_unknown
                next: END
              - id: lonely
                action: utter_said
          g:
            description: Same  Words
            if: slots.gone
            steps:
              - link: nowhere
          broken:
            description: b
            steps:
              - colect: x
        """,
        """\
        slots:
          things: {type: list}
          both: {type: text}
          wrong: {type: colour}
        responses:
          utter_ask_both: [{text: a}]
          utter_said: [{text: "{nobody}"}]
        actions: [action_ask_both]
        """,
    )
    told = "\n".join(str(problem) for problem in check(root))
    for expected in [
        "data/flows.yml:2: error: flow f persists the slot 'never_filled'",
        "data/flows.yml:6: error: flow f step 0_collect_missing: there is no slot 'missing'",
        "data/flows.yml:7: error: flow f step 1_collect_things: a list slot cannot be collected",
        "data/flows.yml:7: error: flow f step 1_collect_things: nothing asks for 'things'",
        "data/flows.yml:8: error: flow f step 2_collect_both: both utter_ask_both and action_ask_both",
        "data/flows.yml:9: error: flow f step 3_action_action_unknown: the action 'action_unknown' is not in the domain",
        "data/flows.yml:10: error: there is no response 'utter_unknown'",
        "data/flows.yml:12: error: flow f: no way leads to the step 'lonely'",
        "data/flows.yml:12: error: flow f step lonely: nothing fills {nobody} of utter_said",
        "data/flows.yml:14: error: the condition 'slots.gone' names the slot 'gone'",
        "data/flows.yml:14: error: the flows f and g have the same description",
        "data/flows.yml:18: error: flow g step 0_link_nowhere: there is no flow 'nowhere'",
        "data/flows.yml:22: error: flow broken: a step needs exactly one of",
        "domain.yml:4: error: the slot 'wrong' has the type 'colour'",
    ]:
        assert expected in told


@pytest.mark.parametrize(
    ("flows", "says"),
    [
        ("f: {description: a, steps: [{action: utter_x, next: [{if: bare, then: END}, {else: END}]}]}", "names 'bare'"),
        ("f: {description: a, steps: [{set_slots: [{nothing: 1}]}]}", "no slot 'nothing'"),
        ("f: {description: a, steps: [{set_slots: [{flag: maybe}]}]}", "does not take 'maybe'"),
        ("f: {description: a, steps: [{link: pattern_search}]}", "no other pattern"),
        ("pattern_search: {steps: [{call: f}]}\n  f: {description: a, steps: [{action: utter_x}]}", "must not call"),
        ("pattern_internal_error: {steps: [{link: f}]}\n  f: {description: a, steps: [{action: utter_x}]}", "must not link"),
        (
            "f: {description: a, steps: [{call: g}]}\n  g: {description: b, steps: [{link: f}]}",
            "called by another and must not link",
        ),
        (
            "f: {description: a, steps: [{collect: flag, utter: utter_x, rejections: [{if: slots.flag, utter: utter_gone}]}]}",
            "no response 'utter_gone'",
        ),
    ],
)
def test_each_misfit_of_flows_is_an_error(folder, flows, says):
    root = folder(f"flows:\n  {flows}\n", "slots: {flag: {type: bool}}\nresponses: {utter_x: [{text: x}]}")
    assert any(says in error for error in errors(root)), errors(root)


@pytest.mark.parametrize(
    ("domain", "says"),
    [
        ("responses: {utter_a: [{text: x, buttons: [{title: t, payload: '/SetSlots(flag)'}]}]}", "cannot be read"),
        ("responses: {utter_a: [{text: x, buttons: [{title: t, payload: '/SetSlots(gone=1)'}]}]}", "does not exist"),
        ("responses: {utter_a: [{text: x, buttons: [{title: t, payload: '/SetSlots(size=huge)'}]}]}", "does not take 'huge'"),
        ("responses: {utter_a: [{text: x, buttons: [{title: t, payload: '/SetSlots(own=1)'}]}]}", "filled by actions only"),
        ("responses: {utter_a: [{channel: web}]}", "says nothing"),
        ("responses: {utter_a: [{text: x, condition: slots.gone}]}", "'gone'"),
        ("responses: {utter_a: [{text: x}]}", ""),
    ],
)
def test_each_misfit_of_responses_is_an_error(folder, domain, says):
    slots = (
        "slots: {size: {type: categorical, values: [small]}, own: {type: text, mappings: [{type: custom}]}, flag: {type: bool}}\n"
    )
    found = errors(folder("flows: {}", slots + domain))
    assert any(says in error for error in found) if says else found == []


def test_slots_with_rules_and_actions_that_do_not_exist_are_errors(folder):
    domain = (
        "slots:\n  a:\n    type: text\n    mappings: [{type: controlled, run_action_every_turn: action_gone}]\n"
        "    validation: {rejections: [{if: slots.b, utter: utter_gone}], refill_utter: utter_lost}\n"
    )
    found = "\n".join(errors(folder("flows: {}", domain)))
    assert "action_gone" in found
    assert "'b'" in found
    assert "utter_gone" in found
    assert "utter_lost" in found


def test_what_was_probably_not_meant_is_a_warning(folder):
    root = folder(
        "flows: {f: {description: a, steps: [{action: utter_x, next: [{if: slots.flag, then: [{action: utter_x}]}]}]}}",
        "slots: {flag: {type: bool}}\nresponses: {utter_x: [{text: x}]}",
    )
    found = [str(problem) for problem in check(root)]
    assert any("when no condition holds" in problem for problem in found)
    assert any("end without `next`" in problem for problem in found)
    assert any("no text in 'en'" in problem for problem in found)
    assert all(": warning: " in problem for problem in found)


def test_configuration_that_cannot_be_read_is_told_beside_the_rest(folder):
    root = folder("flows: {f: {description: a, steps: [{action: action_gone}]}}", "slots: {}", "a: [")
    files = {problem.file for problem in check(root)}
    assert files == {"config.yml", "data/flows.yml"}


def test_files_that_cannot_be_read_do_not_hide_the_others(folder):
    root = folder("flows: [", "slots: [", "language: zh")
    assert {problem.file for problem in check(root)} == {"data/flows.yml", "domain.yml"}


def test_and_beside_or_is_a_warning(folder):
    made = folder(
        "flows: {f: {description: d, steps: [{noop: true, next: [{if: slots.a and slots.b or slots.c, then: END}, {else: END}]}]}}",
        "slots: {a: {type: bool}, b: {type: bool}, c: {type: bool}}",
    )
    [found] = [problem for problem in check(made) if "bind alike" in problem.message]
    assert found.severity == "warning"
