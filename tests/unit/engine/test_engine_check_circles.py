"""Circles that never ask, confirmations of something else, flows that nobody can tell apart, and what nothing uses."""

from __future__ import annotations

import itertools
import random

import pytest
from engine_clinic import COMMON, DOMAIN, FLOWS, PATTERNS, VISITS, Fault, clinic, edit, error, must_be_found, warning

from tightrope.engine.check import check
from tightrope.engine.check.graph import circles
from tightrope.engine.check.similar import ALIKE, likeness, pairs, weights, words

HOURS = "      - id: tell\n        action: utter_hours\n"

CIRCLES = [
    error(FLOWS, HOURS, HOURS + "        next: tell\n", "- id: tell", "endless-loop", "no way leaves"),
    error(FLOWS, HOURS, HOURS + "      - action: action_book\n        next: tell\n", "- id: tell", "endless-loop", "no way leaves"),
    error(FLOWS, HOURS, "      - id: look\n        noop: true\n        next:\n          - if: slots.reason = 'pain'\n            then: END\n"
          "          - else: look\n", "- id: look", "endless-loop", "gone round for ever", "ask_before_filling", "unused payload"),
    error(VISITS, "      - id: number\n        collect: visit_number\n",
          "      - id: number\n        collect: visit_number\n        next:\n          - if: slots.visit_number > 500\n            then: number\n"
          "          - else: really\n", "- id: number", "endless-loop", "gone round for ever"),
    error(PATTERNS, "        action: utter_anything_else\n", "        action: utter_anything_else\n        next: more\n", "- id: more",
          "endless-loop", "no way leaves"),
    error(FLOWS, HOURS, HOURS + "      - id: on\n        link: opening_hours\n", "- id: on", "endless-loop", "link to each other for ever"),
    error(VISITS, "      - id: which\n", "      - id: back\n        call: choose_doctor\n      - id: which\n", "- id: back", "endless-loop",
          "call each other for ever"),
    warning(VISITS, "            utter: utter_no_nurse\n", "            utter: utter_no_nurse\n      - id: back\n        call: choose_doctor\n",
            "- id: back", "call-circle", "call each other in a circle"),
]  # fmt: skip

CONFIRMATIONS = [
    warning(VISITS, "        collect: visit_confirmed\n        ask_before_filling: true\n", "        collect: visit_confirmed\n", "- id: confirm",
            "confirmation", "is not asked again when something it confirms is corrected"),
    warning(VISITS, "          - if: slots.visit_confirmed\n            then: book\n",
            "          - if: slots.visit_confirmed\n            then:\n              - id: late\n                collect: phone\n                next: book\n",
            "- id: late", "confirmation", "'phone' is asked after the confirmation 'visit_confirmed', and then action_book runs"),
]  # fmt: skip

SAME = [
    error(FLOWS, "description: When the clinic is open, on weekdays and holidays.", "description: takes back an appointment, that the patient has made",
          (VISITS, "    description: Takes back"), "same-flows", "have the same description"),
    warning(FLOWS, "description: When the clinic is open, on weekdays and holidays.", "description: The patient takes back appointments they made.",
            (VISITS, "    description: Takes back"), "same-flows", "read alike"),
    warning(FLOWS, "    name: opening hours\n", "    name: Cancel a  visit!\n", (VISITS, "    name: cancel a visit"), "same-flows",
            "opening_hours and cancel_visit are both called 'cancel a visit'"),
    warning(VISITS, "{name: 取消就诊}", "{name: 修改电话}", "    name: cancel a visit", "same-flows", "'修改电话'"),
]  # fmt: skip

UNUSED = [
    warning(DOMAIN, "  place_of_pain: {type: text}", "  shoe_size: {type: float}\n  place_of_pain: {type: text}", "shoe_size", "unused",
            "the slot 'shoe_size' is used by nothing"),
    warning(COMMON, "  utter_hours:", "  utter_parking: [{text: x, translation: {zh: x}}]\n  utter_hours:", "utter_parking", "unused",
            "utter_parking is said by nothing"),
    warning(COMMON, "  utter_hours:", "  utter_ask_shoe: [{text: x, translation: {zh: x}}]\n  utter_hours:", "utter_ask_shoe", "unused",
            "utter_ask_shoe is said by nothing"),
    warning(COMMON, "  - validate_phone\n", "  - validate_phone\n  - action_dance\n", "action_dance", "unused", "action_dance is used by nothing"),
    warning("actions/__init__.py", '"action_find_day", ', "", (DOMAIN, "- action_find_day"), "no-such-action", "'action_find_day'"),
    warning("actions/__init__.py", '"name": "free_day"', '"name": "day_free"', (DOMAIN, "  free_day:"), "never-filled",
            "nothing fills the slot 'free_day'"),
]  # fmt: skip


@pytest.mark.parametrize(
    "fault",
    [*CIRCLES, *CONFIRMATIONS, *SAME, *UNUSED],
    ids=lambda fault: f"{fault.code}: {fault.new.strip().splitlines()[0][:40] if fault.new else ''}",
)
def test_a_fault_among_steps_and_flows_is_found_with_file_and_line(tmp_path, fault: Fault):
    must_be_found(tmp_path, fault)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # It asks again each time.
        ("collect: visit_number\n", "collect: visit_number\n        ask_before_filling: true\n        next:\n          - if: slots.visit_number > 500\n"
         "            then: number\n          - else: really\n"),
        # The slot is emptied on the way round.
        ("collect: visit_number\n", "collect: visit_number\n        next:\n          - if: slots.visit_number > 500\n            then:\n"
         "              - set_slots: [{visit_number: null}]\n                next: number\n          - else: really\n"),
        # What it goes round for has changed by then.
        ("      - id: number\n", "      - id: look\n        noop: true\n        next:\n          - if: slots.visit_number > 0\n            then: really\n"
         "          - else: number\n      - id: number\n"),
        # An action may change it.
        ("collect: visit_number\n", "collect: visit_number\n        next: see\n      - id: see\n        action: action_find_day\n        next:\n"
         "          - if: slots.visit_number > 500\n            then: number\n          - else: really\n"),
        # The slot's own rule refuses what would lead round.
        ("collect: visit_number\n", "collect: visit_number\n        next:\n          - if: slots.visit_number > 9500\n            then: number\n"
         "          - else: really\n"),
        # The question's own rule refuses what would lead round.
        ("collect: visit_number\n", "collect: visit_number\n        rejections: [{if: slots.visit_number > 500, utter: utter_number_unknown}]\n        next:\n"
         "          - if: slots.visit_number > 600\n            then: number\n          - else: really\n"),
    ],
)  # fmt: skip
def test_a_circle_that_ends_is_not_told(tmp_path, old, new):
    root = clinic(tmp_path)
    edit(root, VISITS, old, new)
    assert [str(p) for p in check(root) if p.code == "endless-loop"] == []


def test_a_circle_on_which_a_called_flow_changes_something_is_not_told(tmp_path):
    root = clinic(tmp_path)
    around = "        next: see\n      - id: see\n        call: settle\n        next:\n          - if: slots.visit_number > 500\n            then: number\n"
    edit(root, VISITS, "collect: visit_number\n", f"collect: visit_number\n{around}          - else: really\n")
    settle = "  settle:\n    description: x\n    if: false\n    steps:\n      - set_slots: [{{{}: 1}}]\n        next: END\n"
    edit(root, FLOWS, "", settle.format("visit_number"))
    assert check(root) == []
    edit(root, FLOWS, "- set_slots: [{visit_number: 1}]", "- action: utter_hours")
    assert "endless-loop" in [p.code for p in check(root)]


def test_a_circle_over_an_answer_that_may_be_no_is_found(tmp_path):
    """`else: ask again` while the slot holds "no": it is answered, so it is not asked, and so on."""
    root = clinic(tmp_path)
    always = "        ask_before_filling: true\n"
    old = f"        collect: cancel_confirmed\n{always}        next:\n          - if: not slots.cancel_confirmed\n            then: END\n"
    edit(root, VISITS, old, old.replace(always, "").replace("END", "really"))
    assert [p.code for p in check(root)] == ["endless-loop"]


def test_flows_with_the_same_words_that_are_never_on_offer_together_are_not_told(tmp_path):
    root = clinic(tmp_path)
    edit(root, FLOWS, "description: When the clinic is open, on weekdays and holidays.",
         "description: Takes back an appointment that the patient has made.\n    if: slots.reason = 'pain'")  # fmt: skip
    assert [p.code for p in check(root)] == ["same-flows"]
    edit(root, VISITS, "    description: Takes back", "    if: slots.reason = 'advice'\n    description: Takes back")
    assert check(root) == []


def test_likeness_counts_words_of_substance_only():
    texts = [
        words(t)
        for t in (
            "Shows the customer's card limits",
            "shows card limit for a customer",
            "shows the card's number",
            "查询账户余额",
            "查询账户余额。",
        )
    ]
    weight = weights(texts)
    assert likeness(texts[0], texts[1], weight) == 1.0
    assert likeness(texts[0], texts[2], weight) < 0.6
    assert likeness(texts[3], texts[4], weight) == 1.0
    assert likeness(words(""), words(""), {}) == 0.0


def test_no_pair_is_left_out_because_only_pairs_with_a_rare_word_in_common_are_compared():
    chance = random.Random(1)
    for _ in range(100):
        vocabulary = [f"w{n}" for n in range(chance.choice([6, 12, 30]))]
        read = {str(n): frozenset(chance.choices(vocabulary, k=chance.randint(0, 9))) for n in range(20)}
        weight = weights(list(read.values()))
        every = itertools.combinations(read, 2)
        wanted = {(one, other) for one, other in every if likeness(read[one], read[other], weight) >= ALIKE}
        assert {(one, other) for one, other, _ in pairs(read)} == wanted


def test_circles_of_a_graph():
    assert sorted(circles({"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": ["d"], "e": ["a", "x"], "f": []})) == [
        ["a", "b", "c"],
        ["d"],
    ]
    long = {str(n): [str(n + 1)] for n in range(5000)} | {"5000": ["0"]}
    assert [len(part) for part in circles(long)] == [5001]
