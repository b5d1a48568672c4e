"""Faults of flows and steps, planted one at a time in a project without any."""

from __future__ import annotations

import pytest
from engine_clinic import CLINIC, COMMON, DOMAIN, FLOWS, PATTERNS, VISITS, Fault, error, must_be_found, warning

from tightrope.engine.check import check


def test_the_project_without_a_fault_gives_no_problem():
    assert check(CLINIC) == []


NAMES = [
    error(VISITS, "collect: day", "collect: dya", "- id: day", "unknown-slot", "no slot 'dya'", "did you mean 'day'?", "unused never-filled"),
    error(VISITS, "action: utter_cancelled", "action: utter_canceled", "- id: say", "unknown-response", "no response 'utter_canceled'",
          "did you mean 'utter_cancelled'?", "unused"),
    error(VISITS, "next: find", "next: fnid", "next: fnid", "flow-file", "names the step 'fnid'"),
    error(VISITS, "call: choose_doctor", "call: choose_docter", "- id: doctor", "unknown-flow", "no flow 'choose_docter'",
          "did you mean 'choose_doctor'?", "never-started"),
    error(FLOWS, "link: pattern_human_handoff", "link: reception", "- id: hand_over", "unknown-flow", "no flow 'reception'"),
    error(VISITS, "action: action_book", "action: action_bok", "id: book", "unknown-action", "'action_bok' is not in the domain",
          "did you mean 'action_book'?", "unused"),
    error(VISITS, "utter: utter_no_nurse", "utter: utter_nurse", "- id: which", "unknown-response", "no response 'utter_nurse'", "", "unused"),
    error(VISITS, "if: slots.free_day is not null", "if: slots.free_dy is not null", "if: slots.free_dy", "unknown-slot", "'free_dy'",
          "did you mean 'free_day'?"),
    error(VISITS, "if: not slots.cancel_confirmed", "if: not cancel_confirmed", "if: not cancel_confirmed", "condition",
          "names 'cancel_confirmed'", "write slots.cancel_confirmed"),
    error(VISITS, "if: not slots.cancel_confirmed", "if: not slots.cancel_confirmed and", "if: not slots", "condition", "expected a value"),
    error(VISITS, "if: not slots.cancel_confirmed", "if: not session.cancel_confirmed", "if: not session", "condition", "session."),
    warning(VISITS, "if: not slots.cancel_confirmed", "if: not context.said", "if: not context", "context", "only patterns have"),
    warning(PATTERNS, "context.previous_flow_name", "context.previous_flow", "if: context", "context", "no pattern has"),
    error(FLOWS, "if: slots.patient is not null", "if: slots.patent is not null", "if: slots.patent", "unknown-slot", "'patent'"),
]  # fmt: skip

PLACES = [
    error(VISITS, "      - id: which\n", "      - id: on\n        link: opening_hours\n      - id: which\n", "- id: on", "link-place",
          "is called by book_visit and must not link", "", "unreachable-step"),
    error(FLOWS, "link: pattern_human_handoff", "link: pattern_search", "- id: hand_over", "link-place", "no other pattern"),
    error(PATTERNS, "action: utter_anything_else", "call: opening_hours", "- id: more", "call-place", "must not call", "", "unused"),
    error(FLOWS, "link: pattern_human_handoff", "call: pattern_human_handoff", "- id: hand_over", "call-place", "cannot be called"),
    error(PATTERNS, "", "  pattern_internal_error:\n    description: x\n    steps:\n      - id: away\n        link: opening_hours\n",
          "- id: away", "link-place", "must not link"),
    warning(PATTERNS, "action: utter_anything_else", "link: pattern_search", "- id: more", "link-place", "one pattern links to another",
            "", "unused"),
    error(FLOWS, "link: pattern_human_handoff", "link: pattern_human_handoff\n        next: hand_over", "next: hand_over", "flow-file",
          "a link ends the flow"),
    error(PATTERNS, "", "  pattern_goodbye:\n    description: x\n    steps: [{action: utter_hours}]\n", "pattern_goodbye:", "reserved-name",
          "no pattern pattern_goodbye"),
    error(FLOWS, "  talk_to_person:", "  -talk:", "-talk:", "flow-id", "is none"),
    warning(FLOWS, "  talk_to_person:", "  talk-to-person:", "talk-to-person:", "flow-id", "schema does not know"),
    error(VISITS, "persisted_slots: [patient]", "persisted_slots: [patient, phone]", "persisted_slots", "persisted-slot", "none of its steps"),
    error(VISITS, "persisted_slots: [patient]", "persisted_slots: [patient, pateint]", "persisted_slots", "unknown-slot", "'pateint'"),
    error(VISITS, "persisted_slots: [patient]", "persisted_slots: patient", "persisted_slots", "flow-file", "list of slot names"),
    warning(VISITS, "persisted_slots: [patient]", "persisted_slots: [patient, doctor]", "persisted_slots", "persisted-slot", "that it calls"),
    error(VISITS, "collect: place_of_pain", "collect: place_of_pain\n                reset_after_flow_ends: false", "reset_after_flow_ends",
          "persisted-slot", "persisted_slots and a step with reset_after_flow_ends", "", "deprecated"),
    warning(FLOWS, "    steps:\n      - id: tell\n", "    if: false\n    steps:\n      - id: tell\n", "if: false", "never-started",
            "nothing can start the flow opening_hours"),
    warning(FLOWS, "if: slots.patient is not null", "if: slots.reason = 'advise'", "if: slots.reason", "never-holds", "never holds"),
]  # fmt: skip

QUESTIONS = [
    error(DOMAIN, "  - action_ask_day\n", "", (VISITS, "- id: day"), "nothing-asks", "no response utter_ask_day and no action action_ask_day"),
    error(COMMON, "", "  utter_ask_day: [{text: x, translation: {zh: x}}]\n", (VISITS, "- id: day"), "asked-twice",
          "both utter_ask_day and action_ask_day"),
    error(FLOWS, "collect: phone", "collect: phone\n        utter: utter_ask_fone", "- id: ask", "nothing-asks", "nothing asks for 'phone'",
          "did you mean 'utter_ask_phone'?"),
    error(COMMON, "phone: {type: text}", "phone: {type: list}", (FLOWS, "- id: ask"), "list-slot", "cannot be collected"),
    error(FLOWS, "- phone: null", "- visit_confirmed: maybe", "- id: again", "slot-value", "does not take 'maybe'", "True, False"),
    warning(DOMAIN, "place_of_pain: {type: text}", "place_of_pain: {type: text, mappings: [{type: controlled}]}", (VISITS, "- id: where"),
            "unanswerable", "words do not fill 'place_of_pain'", "offer buttons"),
    error(FLOWS, "- phone: null", "- telephone: null", "- id: again", "unknown-slot", "no slot 'telephone'"),
]  # fmt: skip

WAYS = [
    error(FLOWS, "      - id: keep\n", "      - id: lost\n        action: utter_hours\n        next: END\n      - id: keep\n", "- id: lost",
          "unreachable-step", "no way leads to the step 'lost'"),
    error(FLOWS, "        link: pattern_human_handoff\n", "        link: pattern_human_handoff\n      - id: late\n        action: utter_hours\n",
          "- id: late", "unreachable-step", "stands after a link"),
    warning(VISITS, "          - else: day\n", "          - if: slots.free_day is null\n            then: day\n          - else: find\n",
            "- else: find", "never-taken", "the `else` is never taken"),
    warning(VISITS, "          - if: slots.free_day is not null\n            then: confirm\n",
            "          - if: true\n            then: confirm\n          - if: slots.day = 'Sunday'\n            then: day\n",
            "if: slots.day = 'Sunday'", "never-taken", "is never reached"),
    warning(VISITS, 'if: slots.reason = "pain"\n            then:\n', 'if: slots.reason = "Pain"\n            then:\n', 'if: slots.reason = "Pain"',
            "never-taken", "never holds", "'Pain' is no value of 'reason'", "placeholder"),
    warning(VISITS, "          - if: not slots.cancel_confirmed\n            then: END\n", "          - if: 1 = 2\n            then: END\n",
            "if: 1 = 2", "never-taken", "never holds"),
    warning(VISITS, "          - else: say\n", "          - if: slots.visit_number > 5\n            then: say\n", "- id: really", "no-else",
            "when no condition holds the flow ends here"),
    warning(VISITS, "                action: utter_not_booked\n                next: END\n", "                action: utter_not_booked\n", "- id: drop",
            "dangling", "the inline steps end without `next`"),
    warning(VISITS, "if: not slots.cancel_confirmed", "if: not slots.cancel_confirmed and slots.visit_number > 1 or slots.visit_number < 9",
            "if: not slots.cancel", "mixed-condition", "`and` beside `or`"),
    error(VISITS, '        noop: true\n        next:\n          - if: slots.reason = "pain"\n            then: advise\n          - else: thank\n',
          "        noop: true\n", "- id: tell_pain", "flow-file", "a noop step needs `next`"),
    error(VISITS, "action: action_book", 'action: "{{context.collect}}"', "id: book", "context", "which only patterns have", "", "unused"),
]  # fmt: skip


@pytest.mark.parametrize(
    "fault", [*NAMES, *PLACES, *QUESTIONS, *WAYS], ids=lambda fault: f"{fault.code}: {fault.new.strip()[:40]}"
)
def test_a_fault_of_a_flow_is_found_with_file_and_line(tmp_path, fault: Fault):
    must_be_found(tmp_path, fault)
