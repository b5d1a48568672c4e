"""Choosing and filling responses, and what the REST channel makes of them."""

from __future__ import annotations

from dataclasses import replace

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.engine.responses import from_action, render, replies
from tightrope.engine.templates import jinja_template


def said(project, name="utter_x", *, slots=None, context=None, variables=None, language="zh", channel="rest", seed="0"):
    return render(
        project,
        name,
        slots=slots or {},
        context=context or {},
        variables=variables or {},
        language=language,
        channel=channel,
        seed=seed,
    )


def test_slots_and_variables_fill_placeholders_and_variables_win(project):
    made = project("", "responses: {utter_x: [{text: '{a} {b} {{c}} {a}'}]}")
    found = said(made, slots={"a": 1, "b": None}, variables={"a": "{b}"})
    assert found.text == "{b} None {c} {b}"
    assert found.problems == ()


def test_what_nobody_fills_stays_and_is_told(project):
    made = project("", "responses: {utter_x: [{text: '{a} {not a name} {}'}]}")
    found = said(made)
    assert found.text == "{a} {not a name} {}"
    assert found.problems == ("utter_x: nothing fills {a}",)


def test_customers_words_are_never_a_template(project):
    made = project("", "responses: {utter_x: [{text: '{a}'}], utter_j: [{text: '{{ slots.a }}', metadata: {template: jinja}}]}")
    evil = "{{ 7 * 7 }} {b} {% for x in y %}"
    assert said(made, slots={"a": evil, "b": "secret"}).text == evil
    assert said(made, "utter_j", slots={"a": evil}).text == evil


def test_jinja_sees_slots_context_and_variables_and_no_python(project):
    made = project(
        "",
        "responses: {utter_x: [{text: '{{ slots.a }}{{ context.b }}{{ v }}{{ slots.missing }}', metadata: {template: jinja}}],"
        " utter_y: [{text: \"{{ ''.__class__.__mro__ }}\", metadata: {template: jinja}}]}",
    )
    assert said(made, slots={"a": 1}, context={"b": 2}, variables={"v": 3}).text == "123None"
    assert said(made, "utter_y").problems != ()


@pytest.mark.parametrize(
    ("slots", "channel", "text"),
    [
        ({"vip": True}, "web", "conditional here"),
        ({"vip": False}, "web", "here"),
        ({"vip": True}, "rest", "conditional"),
        ({"vip": False}, "rest", "plain"),
    ],
)
def test_condition_and_channel_choose_in_the_documented_order(project, slots, channel, text):
    made = project(
        "",
        "responses: {utter_x: [{text: plain}, {text: conditional, condition: slots.vip}, {text: here, channel: web},"
        " {text: conditional here, channel: web, condition: slots.vip}]}",
    )
    assert said(made, slots=slots, channel=channel).text == text


def test_variations_are_chosen_by_the_seed_alone(project):
    made = project("", "responses: {utter_x: [{text: a}, {text: b}, {text: c}]}")
    assert {said(made, seed=str(n)).text for n in range(30)} == {"a", "b", "c"}
    assert len({said(made, seed="7").text for _ in range(5)}) == 1


def test_no_fitting_variation_says_the_internal_error(project):
    made = project("", "responses: {utter_x: [{text: a, condition: slots.vip}]}")
    assert said(made).text == made.responses["utter_internal_error_rasa"].variations[0].text.source
    assert said(made).problems == ("no variation of utter_x fits",)
    assert said(made, "utter_gone").problems == ("there is no response utter_gone",)


def test_an_internal_error_that_does_not_fit_says_nothing(project):
    made = project("", "responses: {utter_internal_error_rasa: [{text: a, channel: web}]}")
    assert said(made, "utter_gone").text is None


def test_the_list_form_of_conditions_is_read(project):
    made = project(
        "",
        "responses: {utter_x: [{text: a, condition: [{type: slot, name: s, value: x'y}, {type: slot, name: b, value: true},"
        " {type: slot, name: n, value: null}]}, {text: b}]}",
    )
    assert said(made, slots={"s": "x'y", "b": True, "n": None}).text == "a"
    assert said(made, slots={"s": "x", "b": True}).text == "b"


def test_texts_and_buttons_follow_the_language(project):
    made = project(
        "",
        "responses: {utter_x: [{text: '你好 {a}', translation: {en: 'hello {a}'}, buttons: [{title: 是, payload: '/SetSlots(a={a})',"
        " translation: {en: {title: 'Yes', payload: '/SetSlots(a=en)'}}}, {title: 否, payload: n, translation: {en: {title: 'No'}}}]}]}",
    )
    zh, en, fr = (said(made, slots={"a": "1"}, language=code) for code in ("zh", "en", "fr"))
    assert (zh.text, en.text, fr.text) == ("你好 1", "hello 1", "你好 1")
    assert zh.data["buttons"] == [{"title": "是", "payload": "/SetSlots(a=1)"}, {"title": "否", "payload": "n"}]
    assert en.data["buttons"] == [{"title": "Yes", "payload": "/SetSlots(a=en)"}, {"title": "No", "payload": "n"}]


def test_custom_image_and_attachment_are_filled_and_metadata_kept(project):
    made = project(
        "",
        "responses: {utter_x: [{id: one, text: t, image: 'http://i/{a}', custom: {k: ['{a}', 1, {d: '{a}'}]},"
        " attachment: {type: file, payload: {src: '{a}'}}, metadata: {tone: calm}}]}",
    )
    found = said(made, slots={"a": "v"})
    assert found.data["custom"] == {"k": ["v", 1, {"d": "v"}]}
    assert found.data["image"] == "http://i/v"
    assert found.data["attachment"] == {"type": "file", "payload": {"src": "v"}}
    assert found.metadata == {"utter_action": "utter_x", "tone": "calm", "id": "one"}


def test_an_action_s_message_may_be_named_or_finished(project):
    made = project("", "responses: {utter_x: [{text: 'p {price}', buttons: [{title: a, payload: b}]}]}")

    def of(item):
        return from_action(made, item, slots={}, context={}, language="zh", channel="rest", seed="0")

    named = of(
        {
            "response": "utter_x",
            "price": "1.00",
            "text": None,
            "buttons": [{"title": "c", "payload": "d"}],
            "custom": {"e": 1},
            "elements": [],
        }
    )
    assert named.text == "p 1.00"
    assert named.data["buttons"] == [{"title": "a", "payload": "b"}, {"title": "c", "payload": "d"}]
    assert named.data["custom"] == {"e": 1}
    finished = of({"text": "{price}", "image": "i", "custom": {}, "buttons": []})
    assert (finished.text, finished.data["image"], finished.data["buttons"]) == ("{price}", "i", None)
    assert of({"template": "utter_x", "price": 2}).text == "p 2"


def test_the_rest_channel_gives_one_item_for_each_part_in_order():
    events = [
        {"event": "user", "text": "x"},
        {"event": "bot", "text": "a", "data": {"buttons": [{"title": "t", "payload": "p"}], "custom": {"c": 1}}},
        {"event": "bot", "text": None, "data": {"image": "i", "attachment": {"f": 1}}},
        {"event": "bot", "text": None, "data": {"buttons": [{"title": "t", "payload": "p"}]}},
        {"event": "bot", "text": "", "data": {}},
    ]
    assert replies("s", events) == [
        {"recipient_id": "s", "text": "a", "buttons": [{"title": "t", "payload": "p"}]},
        {"recipient_id": "s", "custom": {"c": 1}},
        {"recipient_id": "s", "image": "i"},
        {"recipient_id": "s", "attachment": {"f": 1}},
        {"recipient_id": "s", "buttons": [{"title": "t", "payload": "p"}]},
    ]


@given(
    st.lists(
        st.sampled_from(
            [
                "{{context.a}}",
                "{{ slots.b }}",
                "{{slots.missing}}",
                "x",
                " ",
                "是",
                "}",
                "{",
                "{{",
                "%}",
                "\n",
                "{{ context.a|upper }}",
            ]
        )
    )
)
def test_a_text_that_only_looks_names_up_reads_as_jinja_reads_it(parts):
    text = "".join(parts)
    try:
        made = jinja_template(text)
    except jinja2.TemplateSyntaxError:
        return
    slots, context = {"b": 2.0}, {"a": "vé"}
    assert made.fill({}, slots, context) == replace(made, looks=None).fill({}, slots, context)


def test_a_name_that_jinja_reads_otherwise_is_left_to_it():
    assert jinja_template("{{slots.items}}").looks is None
    assert jinja_template("{{slots.item}}").looks is not None
