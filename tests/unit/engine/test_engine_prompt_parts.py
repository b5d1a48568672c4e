"""A prompt rendered in parts is the text that the whole template gives, to the byte, whatever the template and whatever is on offer."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import jinja2
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.engine import prompt as prompts
from tightrope.engine.errors import ProjectError
from tightrope.engine.loader import load_project
from tightrope.engine.processing import on_offer
from tightrope.engine.prompt import Prompt
from tightrope.engine.prompt_parts import MOST_SETS, PromptTemplate
from tightrope.engine.state import State
from tightrope.engine.testing import Conversation
from tightrope.infra.settings import REPOSITORY

FLOWS = """
flows:
  a: {description: 'the "first" <one> & 其一', steps: [{collect: x, description: a number}, {collect: y}, {action: utter_x}]}
  b: {description: "line\\nbreak", if: slots.ok, steps: [{collect: y, description: 'what''s it'}, {action: utter_y}]}
  c: {description: third, if: "slots.x is not null", steps: [{action: utter_y}]}
  d: {description: fourth, if: slots.ok, steps: [{action: utter_y}]}
  e: {description: never, if: False, steps: [{action: utter_y}]}
"""
DOMAIN = """
slots: {x: {type: text}, y: {type: categorical, values: [red, blue]}, ok: {type: bool, mappings: [{type: controlled}]}}
responses: {utter_ask_x: [{text: x?}], utter_ask_y: [{text: y?}], utter_x: [{text: x}], utter_y: [{text: y}]}
"""
STATES = [
    State("s"),
    State("s", slots={"ok": True}),
    State("s", slots={"x": 'a "<b>" 文\u2028'}),
    State("s", slots={"ok": True, "x": "1"}),
]
MESSAGES = ["", "say \"<hi>\" & 'so' 你好 \\ \u2028 \U0001f600", "{{ available_flows }}", '"flows": [']

LIST = "{% for flow in available_flows %}- {{ flow.name }}: {{ flow.description }}\n{% endfor %}"
ONCE = [
    LIST,
    "{{ available_flows | length }}",
    "{{ available_flows }}",
    "{%- for f in available_flows -%} {{ f.name | tojson }}{{ ',' if not loop.last }} {%- else -%} none {%- endfor -%}",
    "{% for f in available_flows if f.slots %}{{ loop.index0 }}{{ loop.cycle('x', 'y') }}{{ f.slots | map(attribute='name') | join('/') }}{% endfor %}",
    "{% if available_flows %}some{% else %}none{% endif %}",
    "{{ available_flows | map(attribute='name') | sort(reverse=true) | join(', ') }}",
    "{% for f in available_flows %}{% for s in f.slots %}{{ loop.index }}{{ s.allowed_values or '-' }}{% endfor %}{% endfor %}",
    "{% macro m(f, sep='|') %}{{ f.name }}{{ sep }}{{ command_syntax }}{% endmacro %}{% for f in available_flows %}{{ m(f) }}{{ m(f, sep='') }}{% endfor %}",
    "{% for i in range(2) %}{{ (available_flows[i] or {}).name }}{% endfor %}{{ available_flows[3].name }}",
    "{% for f in available_flows %}{{ f.description.upper() ~ loop.length }}{% endfor %}",
    "{% if command_syntax == 'v3' %}{{ available_flows[0].name if available_flows else '' }}{% endif %}",
    "{% for f in available_flows recursive %}{{ f.name }}{% endfor %}{{ available_flows | first }}",
    "{% if user_message %}{{ user_message }}{% for f in available_flows %}{{ f.name }}{% endfor %}"
    "{% elif current_flow %}x{% else %}{{ available_flows | count }}{% endif %}",
    "{% for name, slots in available_flows | map('items') | map('first') %}{{ name }}{{ slots }}{% endfor %}",
]
EACH_TIME = [
    "{{ user_message }}",
    "{% for f in available_flows %}{{ f.name }}{{ user_message }}{% endfor %}",
    "{% set seen = namespace(n=0) %}{% for f in available_flows %}{% set seen.n = seen.n + 1 %}{% endfor %}{{ seen.n }}",
    "{% set flows = available_flows | list %}{% for f in flows %}{{ f.name }}{% endfor %}",
    "{% set available_flows = [] %}{% for f in available_flows %}{{ f.name }}{% endfor %}",
    "{% for available_flows in available_flows %}{{ available_flows.name }}{% endfor %}",
    "{% for f in available_flows %}{% set user_message = f.name %}{{ user_message }}{% endfor %}{{ user_message }}",
    "{% for f in available_flows %}{% if loop.first %}{% set current_slot = 'q' %}{% endif %}{{ current_slot }}{% endfor %}",
    "{% macro m(f) %}{{ f.name }}{{ user_message }}{% endmacro %}{% for f in available_flows %}{{ m(f) }}{% endfor %}",
    "{% if user_message %}{% macro m(f) %}A{% endmacro %}{% else %}{% macro m(f) %}B{% endmacro %}{% endif %}"
    "{% for f in available_flows %}{{ m(f) }}{% endfor %}",
    "{% with flows = available_flows %}{% for f in flows %}{{ f.name }}{{ current_flow }}{% endfor %}{% endwith %}",
    "{% macro available_flows() %}x{% endmacro %}{{ available_flows() }}",
    "{% filter upper %}{{ user_message }}{% for f in available_flows %}{{ f.name }}{% endfor %}{% endfilter %}",
    "{% autoescape true %}{% for f in available_flows %}{{ f.description }}{% endfor %}{% endautoescape %}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{% for f in available_flows %}{{ f.name }}{% endfor %}{% endcall %}",
    "{% block b %}{% for f in available_flows %}{{ f.name }}{% endfor %}{% endblock %}",
    "{% set range = 3 %}{{ available_flows | length + range }}",
    "{% set text %}{% for f in available_flows %}{{ f.name }}{% endfor %}{% endset %}{{ text | upper }}",
    "{{ flow_slots }}{{ current_slot_type }}{{ current_conversation }}",
    "{% for f in available_flows %}{% for s in flow_slots %}{{ s.name == f.name }}{% endfor %}{% endfor %}",
]
FRAGMENTS = ["text ", "\n", "  {# a note #}\n", "tightrope ", *ONCE, *EACH_TIME]


@cache
def shared():
    """As `made`, for examples: one project for all of them."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "data").mkdir()
        (root / "config.yml").write_text("recipe: default.v1\nlanguage: en\n")
        (root / "domain.yml").write_text(DOMAIN)
        (root / "data" / "flows.yml").write_text(FLOWS)
        return load_project(root)


@pytest.fixture
def made(project):
    return project(FLOWS, DOMAIN)


def whole(made, plain, prompt, state, message):
    """The text without any of it: the template as it stands, the flows on offer looked for one by one."""
    slots = {**made.initials, **state.slots}
    flows = [flow for flow in made.flows.values() if not flow.is_pattern and on_offer(flow, slots)]
    _, values = prompt._told(state, message, list, None)
    values["available_flows"] = [prompts._flow_view(made, flow) for flow in flows]
    return plain.render(values)


def outcome(render, *args):
    """The text, or the mistake that the template makes."""
    try:
        return render(*args)
    except Exception as error:  # a template may raise whatever Python does
        return type(error), str(error)


def assert_same(made, source, states=STATES, messages=MESSAGES, rounds=2):
    prompt, plain = Prompt(made, source, "p"), prompts._PROMPTS.from_string(source)
    for _ in range(rounds):
        for state in states:
            for message in messages:
                expected = outcome(whole, made, plain, prompt, state, message)
                assert outcome(prompt.render, state, message) == expected
                as_json = orjson.dumps(expected) if isinstance(expected, str) else expected
                assert outcome(prompt.render_json, state, message) == as_json
    return prompt


class TestTheSameText:
    @pytest.mark.parametrize("source", ONCE)
    def test_where_the_flows_alone_decide_and_it_is_rendered_once(self, made, source):
        assert assert_same(made, source)._template._parts

    @pytest.mark.parametrize("source", EACH_TIME)
    def test_where_something_else_decides_too(self, made, source):
        assert_same(made, source)

    @settings(max_examples=100, deadline=None)
    @given(chosen=st.lists(st.integers(0, len(FRAGMENTS) - 1), min_size=1, max_size=6))
    def test_in_any_order_beside_each_other(self, chosen):
        source = "".join(FRAGMENTS[number] for number in chosen)
        try:
            prompts._PROMPTS.from_string(source)
        except jinja2.TemplateError:
            with pytest.raises(ProjectError):
                Prompt(shared(), source, "p")
        else:
            assert_same(shared(), source, messages=MESSAGES[:2], rounds=1)

    @pytest.mark.parametrize("path", ["tightrope/engine/defaults/command.jinja2", "prompts/command.jinja2"])
    def test_of_our_own_templates_while_a_question_is_open(self, made, path):
        talk = Conversation(made)
        talk.say("x", "start flow a")
        source = (REPOSITORY / path).read_text(encoding="utf-8")
        prompt = assert_same(made, source, [*STATES, talk.state])
        assert len(prompt._template._parts) == 1

    def test_of_this_project(self):
        made = load_project(REPOSITORY)
        talk = Conversation(made)
        talk.say("x", "start flow talk_to_agent")
        source = (REPOSITORY / "prompts" / "command.jinja2").read_text(encoding="utf-8")
        assert_same(made, source, [State("s"), talk.state])


class TestWhatIsKept:
    RANDOM = (
        "{{ available_flows | map(attribute='name') | list | random }}",
        "{{ [available_flows] | map('random') | list }}",
        "{% set how = 'random' %}{{ [available_flows] | map(how) | list }}",
        "{{ lipsum() }}{{ available_flows | length ~ lipsum(1) }}",
        "{% set turn = cycler('a', 'b') %}{% for f in available_flows %}{{ turn.next() }}{% endfor %}",
    )

    @pytest.mark.parametrize("source", RANDOM)
    def test_nothing_that_could_be_another_text_next_time(self, made, source):
        assert not Prompt(made, source, "p")._template._parts

    def test_the_list_is_rendered_once_for_each_set_of_flows(self, made, monkeypatch):
        prompt = Prompt(made, LIST + "{{ user_message }}", "p")
        rendered = []
        part = prompt._template._parts[0]
        plain = part.render
        monkeypatch.setattr(part, "render", lambda values: rendered.append(1) or plain(values))
        for message in MESSAGES:
            for state in STATES:
                prompt.render(state, message)
                prompt.render_json(state, message)
        assert len(rendered) == len(STATES)

    def test_a_part_that_the_template_does_not_come_to_is_not_rendered(self, made):
        source = "{% if current_flow %}{% for f in available_flows %}{{ f.nothing.at_all }}{% endfor %}{% endif %}done"
        prompt = Prompt(made, source, "p")
        assert prompt._template._parts
        assert prompt.render(State("s"), "x") == "done"
        talk = Conversation(made)
        talk.say("x", "start flow a")
        for _ in range(2):
            with pytest.raises(jinja2.UndefinedError, match="no attribute 'nothing'"):
                prompt.render(talk.state, "x")

    def test_a_mistake_is_told_as_by_the_whole_template(self, made):
        for source in ("{% if current_flow %}{{ available_flows is nonsense }}{{ available_flows | nonsense }}{% endif %}y",):
            assert Prompt(made, source, "p").render(State("s"), "x") == "y"

    def test_no_more_sets_than_fit(self):
        template = PromptTemplate(prompts._PROMPTS, LIST)
        for number in range(MOST_SETS + 20):
            offer = template.offer(str(number).encode(), lambda: [{"name": "n", "description": "d"}], {})
            assert template.render(offer, {}) == "- n: d\n"
        assert len(template._kept) == MOST_SETS
        assert str(MOST_SETS + 19).encode() in template._kept

    def test_long_ones_leave_earlier(self, monkeypatch):
        monkeypatch.setattr("tightrope.engine.prompt_parts.MOST_CHARACTERS", 25)
        template = PromptTemplate(prompts._PROMPTS, LIST)
        for number in range(6):
            template.render(template.offer(bytes([number]), lambda: [{"name": "n", "description": "d" * 5}], {}), {})
        assert [*template._kept] == [b"\x03", b"\x04", b"\x05"]

    def test_a_template_cannot_change_the_flows_for_the_next_message(self, made):
        prompt = Prompt(made, "{{ available_flows.clear() }}", "p")
        for _ in range(2):
            with pytest.raises(jinja2.exceptions.SecurityError):
                prompt.render(State("s"), "x")
        assert Prompt(made, "{{ available_flows | length }}", "p").render(State("s"), "x") == "1"

    def test_flows_with_the_same_guard_ask_it_once(self, made, monkeypatch):
        asked = []
        monkeypatch.setattr(prompts, "on_offer", lambda flow, slots: asked.append(flow.id) or on_offer(flow, slots))
        Prompt(made, LIST, "p").render(State("s"), "x")
        assert sorted(asked) == ["a", "c", "d", "e"]
