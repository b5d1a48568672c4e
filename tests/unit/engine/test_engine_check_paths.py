"""Placeholders: what no way has filled is found, and what some way, an action, a caller or another flow fills is not told."""

from __future__ import annotations

import time

import pytest
from engine_clinic import COMMON, DOMAIN, FLOWS, PATTERNS, VISITS, Fault, clinic, edit, error, must_be_found, warning

from tightrope.engine.check import check
from tightrope.engine.check.paths import holes
from tightrope.engine.templates import jinja_template, plain_template

HOURS = "- text: We are open from eight to six."

LACKING = [
    error(COMMON, HOURS, "- text: We are open, {patinet}.", (FLOWS, "- id: tell"), "placeholder", "nothing fills {patinet} of utter_hours",
          "did you mean 'patient'?"),
    error(COMMON, HOURS, "- text: We are open.\n      custom: {widget: {title: '{nobody}'}}", (FLOWS, "- id: tell"), "placeholder", "{nobody}"),
    error(COMMON, "translation: {zh: 八点到十八点营业。}", "translation: {zh: '{nobody}'}", (FLOWS, "- id: tell"), "placeholder", "{nobody}"),
    error(COMMON, "        - title: Book a visit\n", "        - title: Book {nobody}\n", (FLOWS, "- id: tell"), "placeholder", "{nobody}"),
    warning(COMMON, HOURS, "- metadata: {template: jinja}\n      text: 'Open, {{ nobody }}.'", (FLOWS, "- id: tell"), "placeholder", "{nobody}"),
    warning(COMMON, HOURS, "- metadata: {template: jinja}\n      text: 'Open, {{ slots.nobody }}.'", (FLOWS, "- id: tell"), "placeholder", "{nobody}"),
    warning(COMMON, HOURS, "- text: We are open, {doctor}.", (FLOWS, "- id: tell"), "placeholder", "no way that leads here fills {doctor}",
          "collect 'doctor' before"),
    error(COMMON, "- text: Can I do anything else?", "- text: Can I do anything else, {nobody}?", (PATTERNS, "- id: more"), "placeholder",
          "{nobody}"),
    warning(DOMAIN, "- text: Why would {patient} like to come?", "- text: Why would {patient} like {doctor}?", (VISITS, "- id: why"),
            "placeholder", "{doctor} of utter_ask_reason is asked for only later", "collect 'doctor' before"),
    warning(DOMAIN, "      text: Booked, {patient}. We", "      text: Booked, {day}. We", (VISITS, "- id: thank"), "placeholder",
            "{day} of utter_booked is not asked for on the way"),
    warning(DOMAIN, "    - text: Booked, {patient}.\n", "    - text: Booked, {place_of_pain}.\n", (VISITS, "- id: thank"), "placeholder",
            "{place_of_pain} of utter_booked is not asked for on the way"),
    warning(DOMAIN, "- text: Which doctor would you like to see?", "- text: Which doctor for {place_of_pain}?", (VISITS, "- id: which"),
            "placeholder", "{place_of_pain} of utter_ask_doctor is not asked for on the way"),
    warning(COMMON, "- text: What is your new number?", "- text: Is it still {phone}?", (FLOWS, "- id: ask"), "placeholder",
            "{phone} of utter_ask_phone"),
    error(DOMAIN, '- text: "“{value}” is no doctor."', '- text: "“{valeu}” is no doctor."', (VISITS, "- id: which"), "placeholder", "{valeu}"),
    warning(VISITS, "            then: advise\n          - else: thank\n", "            then: thank\n          - else: advise\n",
            (VISITS, "- id: advise"), "placeholder", "{place_of_pain} of utter_pain_advice"),
]  # fmt: skip


@pytest.mark.parametrize("fault", LACKING, ids=lambda fault: fault.new.strip().replace("\n", " ")[:60])
def test_a_placeholder_that_nothing_has_filled_is_found_with_file_and_line(tmp_path, fault: Fault):
    must_be_found(tmp_path, fault)


def says(root) -> list[str]:
    return [str(p) for p in check(root) if p.code == "placeholder"]


@pytest.mark.parametrize(
    "text",
    [
        "We are open, {patient}.",  # persisted by another flow
        "We are open, {free_day}.",  # set by an action, whichever
        "We are open, {visit_outcome}.",  # set by an action under a name that it makes
        "We are open, {language}.",  # has an initial value
        "We are open, {{doctor}}.",  # no placeholder
    ],
)
def test_what_something_else_may_have_filled_is_not_told(tmp_path, text):
    root = clinic(tmp_path)
    edit(root, COMMON, HOURS, f"- text: '{text}'")
    assert says(root) == []


@pytest.mark.parametrize(
    "text",
    [
        "{% if doctor %}With {{ doctor }}{% endif %}",
        "{{ 'with ' + doctor if doctor else '' }}",
        "{{ doctor | default('somebody') }}",
        "{% for day in ['Monday'] %}{{ day }}{% endfor %}",
        "{{ context.previous_flow_name }}",
    ],
)
def test_jinja_that_looks_first_is_not_told(tmp_path, text):
    root = clinic(tmp_path)
    edit(root, COMMON, HOURS, f'- metadata: {{template: jinja}}\n      text: "{text}"')
    assert says(root) == []


def test_what_a_set_slots_step_gives_counts_and_what_it_takes_does_not(tmp_path):
    root = clinic(tmp_path)
    edit(root, FLOWS, "      - id: tell\n", "      - set_slots:\n          - doctor: House\n      - id: tell\n")
    edit(root, COMMON, HOURS, "- text: We are open, {doctor}.")
    assert says(root) == []
    edit(root, FLOWS, "          - doctor: House\n", "          - doctor: House\n          - doctor: null\n")
    assert len(says(root)) == 1


def test_a_called_flow_is_walked_with_what_its_caller_asked(tmp_path):
    root = clinic(tmp_path)
    edit(root, DOMAIN, "- text: Which doctor would you like to see?", "- text: Which doctor for your {reason}?")
    assert says(root) == []
    edit(root, VISITS, "    if: false\n", "")
    assert ["{reason} of utter_ask_doctor is not asked for" in told for told in says(root)] == [True]


def test_a_flow_that_is_linked_to_begins_anew(tmp_path):
    root = clinic(tmp_path)
    edit(root, FLOWS, "        action: utter_phone_kept\n        next: END\n", "        link: opening_hours\n")
    edit(root, COMMON, HOURS, "- text: We are open, {phone}.")
    assert any("no way that leads here fills {phone}" in told for told in says(root))


def test_actions_whose_sources_are_not_here_may_set_anything(tmp_path):
    root = clinic(tmp_path)
    (root / "actions" / "__init__.py").unlink()
    edit(root, COMMON, HOURS, "- text: We are open, {doctor}.")
    assert says(root) == []


def test_a_way_that_needs_an_answer_nobody_gave_is_not_walked(tmp_path):
    root = clinic(tmp_path)
    flows = (
        "  survey:\n    description: asks how it was\n    steps:\n      - noop: true\n        next:\n"
        "          - if: slots.doctor\n            then: [{action: utter_about, next: END}]\n          - else: END\n"
    )
    edit(root, FLOWS, "", flows)
    edit(root, COMMON, "", "  utter_about: [{text: 'How was {doctor}?', translation: {zh: '{doctor}'}}]\n")
    assert says(root) == []


@pytest.mark.parametrize("condition", ["slots.reason = 'pain'", "slots.flag_{n}"])
def test_a_flow_of_many_branches_is_walked_in_time_and_without_false_alarms(tmp_path, condition):
    """2^18 ways through one flow: those that cannot be gone are left out, and where there are too many left nothing is said."""
    numbers = range(18)
    steps = "".join(
        f"      - id: s{n}\n        noop: true\n        next:\n          - if: {condition.format(n=n)}\n            then:\n"
        f"              - collect: extra_{n}\n                next: s{n + 1}\n          - else: s{n + 1}\n"
        for n in numbers
    )
    again = "".join(
        f"      - id: t{n}\n        noop: true\n        next:\n          - if: {condition.format(n=n)}\n            then:\n"
        f"              - action: utter_extra_{n}\n                next: t{n + 1}\n          - else: t{n + 1}\n"
        for n in numbers
    )
    flow = f"  long:\n    description: a very long survey\n    steps:\n      - collect: reason\n{steps}      - id: s18\n        noop: true\n"
    root = clinic(tmp_path)
    edit(root, FLOWS, "", f"{flow}        next: t0\n{again}      - id: t18\n        action: utter_hours\n")
    slots = "".join(f"  extra_{n}: {{type: text}}\n  flag_{n}: {{type: bool, initial_value: false}}\n" for n in numbers)
    texts = "".join(
        f"  utter_ask_extra_{n}: [{{text: x, translation: {{zh: x}}}}]\n  utter_extra_{n}: [{{text: '{{extra_{n}}}', translation: {{zh: x}}}}]\n"
        for n in numbers
    )
    edit(root, "domain/more.yml", "", f"slots:\n{slots}responses:\n{texts}")
    began = time.monotonic()
    assert [str(p) for p in check(root) if p.code != "unused"] == []
    assert time.monotonic() - began < 20


def test_holes_of_texts():
    assert holes(plain_template("a {b} {{c}} {d.e}")) == {"b", "d.e"}
    assert holes(jinja_template("{{ a }} {{ slots.b }} {{ context.c }} {% if d %}{{ d }}{% endif %}")) == {"a", "b"}
