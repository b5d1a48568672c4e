"""Buttons whose payload cannot apply, planted one at a time in a project without any; and those that can."""

from __future__ import annotations

import pytest
from engine_clinic import COMMON, DOMAIN, FLOWS, VISITS, Fault, clinic, edit, error, must_be_found, warning

from tightrope.engine.check import check

PRESS = "payload: /SetSlots(cancel_confirmed=true)"


def pressed(payload: str, says: str, mend: str = "", at: str = "", also: str = "") -> Fault:
    """Another payload under the question whether to cancel."""
    return error(DOMAIN, PRESS, f"payload: {payload}", at or f"payload: {payload}", "payload", says, mend, also)


ELEVEN = ", ".join(f"cancel_confirmed={n}" for n in range(11))

WRONG = [
    pressed("/SetSlots(cancel_confirmed)", "cannot be read"),
    pressed("/SetSlots()", "1 to 10 pairs"),
    pressed(f'"/SetSlots({ELEVEN})"', "this one has 11", at="/SetSlots(cancel_confirmed=0,"),
    pressed("/setslots(cancel_confirmed=true)", "cannot be read", "these capitals"),
    pressed("/SetSlot(cancel_confirmed=true)", "cannot be read", "/SetSlots"),
    pressed('"/Cancel it"', "cannot be read", at="/Cancel it"),
    pressed("/SetSlots(cancel_confirmd=true)", "'cancel_confirmd', which does not exist", "did you mean 'cancel_confirmed'?"),
    pressed("/SetSlots(cancel_confirmed=perhaps)", "does not take 'perhaps'", "True, False"),
    pressed("/SetSlots(reason=flu)", "does not take 'flu'", "check-up, pain, advice"),
    pressed("/SetSlots(visit_number=ten)", "does not take 'ten'"),
    pressed("/SetSlots(visit_number=10000)", "does not take '10000'"),
    pressed("/SetSlots(visit_outcome=done)", "no flow collects or sets 'visit_outcome'"),
    pressed("/SetSlots(phone=1)", "'phone' belongs to no flow that shows it (cancel_visit)", "update_phone"),
    pressed('"/SetSlots(cancel_confirmed=true, phone=1)"', "'phone' belongs to no flow", at="(cancel_confirmed=true, phone=1)"),
    pressed("/StartFlow(close_clinic)", "'close_clinic', which does not exist"),
    pressed("/StartFlow(choose_doctor)", "never on offer"),
    pressed("/StartFlow(pattern_search)", "a pattern"),
    pressed("/cancel", "leads nowhere: no flow is triggered by the intent 'cancel'", "nlu_trigger"),
    pressed("'/book{{\"day\": }}'", "cannot be read", at='/book{{"day": }}'),
    error(DOMAIN, "translation: {zh: {title: 是}}", "translation: {zh: {title: 是, payload: /SetSlots(cancel_confirmed=是吧)}}", PRESS,
          "payload", "does not take '是吧'"),
    error(COMMON, "payload: /book\n", "payload: /SetSlots(phone=1)\n", "payload: /SetSlots(phone=1)", "payload", "belongs to no flow that shows it"),
    error(COMMON, "      translation: {zh: \"已记录 {phone}。\"}\n",
          "      translation: {zh: \"已记录 {phone}。\"}\n      buttons: [{title: Another, payload: /SetSlots(phone=1), translation: {zh: {title: x}}}]\n",
          "title: Another", "payload", "update_phone ends before anybody can press it"),
    warning(DOMAIN, PRESS, "payload: /SetSlots(visit_number=9500)", "visit_number=9500", "payload", "is always refused"),
    warning(COMMON, "payload: /book\n", "payload: '/book{\"a\": \"b\"}'\n", "payload: '/book{", "payload", "single braces", "double the outer braces"),
    warning(COMMON, "payload: /book\n", "payload: /silence_timeout\n", "payload: /silence_timeout", "payload", "does nothing here"),
]  # fmt: skip


@pytest.mark.parametrize("fault", WRONG, ids=lambda fault: fault.new.strip()[:60])
def test_a_payload_that_cannot_apply_is_found_with_file_and_line(tmp_path, fault: Fault):
    must_be_found(tmp_path, fault)


def test_a_slot_that_only_actions_fill_or_that_is_a_list_cannot_be_offered(tmp_path):
    for number, (kind, says) in enumerate(
        [("text, mappings: [{type: custom}]", "filled by actions only"), ("list", "is a list")]
    ):
        root = clinic(tmp_path / str(number))
        edit(root, DOMAIN, "  place_of_pain: {type: text}\n", f"  place_of_pain: {{type: text}}\n  told: {{type: {kind}}}\n")
        edit(root, DOMAIN, PRESS, "payload: /SetSlots(told=1)")
        assert [p.message for p in check(root) if p.code == "payload" and says in p.message]


@pytest.mark.parametrize(
    "payload",
    [
        "/SetSlots(cancel_confirmed=True)",
        "/SetSlots(cancel_confirmed=no, visit_number=12)",
        "/SetSlots(cancel_confirmed=None)",
        "/SetSlots(visit_number={visit_number})",
        "/StartFlow(opening_hours)",
        "/book",
        "/book@0.9",
        "/restart",
        '/book{{"day": "{visit_number}"}}',
        "yes, cancel it",
        "and/or",
    ],
)
def test_a_payload_that_applies_is_not_told(tmp_path, payload):
    root = clinic(tmp_path)
    edit(root, DOMAIN, PRESS, f"payload: '{payload}'")
    assert [str(p) for p in check(root)] == []


def test_a_slot_of_the_caller_may_be_offered_in_a_called_flow(tmp_path):
    root = clinic(tmp_path)
    button = "      buttons: [{title: Today, payload: /SetSlots(day=today), translation: {zh: {title: x}}}]\n"
    edit(root, DOMAIN, "      translation: {zh: 您想看哪位医生？}\n", "      translation: {zh: 您想看哪位医生？}\n" + button)
    assert [str(p) for p in check(root)] == []


def test_a_flow_that_follows_by_a_link_may_take_the_press(tmp_path):
    root = clinic(tmp_path)
    edit(
        root, FLOWS, "        action: utter_hours\n", "        action: utter_hours\n      - id: go\n        link: cancel_visit\n"
    )
    edit(root, COMMON, "payload: /book\n", "payload: /SetSlots(visit_number=7)\n")
    assert [str(p) for p in check(root)] == []


def test_what_an_action_may_say_is_judged_by_its_slots_only(tmp_path):
    root = clinic(tmp_path)
    edit(root, DOMAIN, '    - text: "Your receipt: {number}"\n',
         '    - text: "Your receipt: {number}"\n      buttons: [{title: a, payload: /SetSlots(phone=1), translation: {zh: {title: a}}}]\n')  # fmt: skip
    assert [str(p) for p in check(root)] == []


def test_an_intent_that_fills_a_slot_leads_somewhere(tmp_path):
    root = clinic(tmp_path)
    edit(
        root,
        COMMON,
        "phone: {type: text}",
        "phone: {type: text, mappings: [{type: from_llm}, {type: from_entity, entity: number}]}",
    )
    edit(root, VISITS, "      - intent: {name: book, confidence_threshold: 0.8}\n", "      - intent: other\n")
    edit(root, COMMON, "payload: /book\n", 'payload: \'/call{{"number": "1"}}\'\n')
    assert [str(p) for p in check(root)] == []
