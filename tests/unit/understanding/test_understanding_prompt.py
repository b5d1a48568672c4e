"""The command prompt renders the request of docs/wire-contracts.md from Rasa's documented variables, whatever the customer typed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import ChainableUndefined, Environment, StrictUndefined, Undefined
from jinja2.sandbox import SandboxedEnvironment

from tightrope.infra.settings import REPOSITORY
from tightrope.understanding.models import Request

SOURCE = (REPOSITORY / "prompts" / "command.jinja2").read_text(encoding="utf-8")
FLOWS = [
    {"name": "check_balance", "description": '查"余额"', "slots": []},
    {
        "name": "talk_to_agent",
        "description": "line one\nline two {{ x }}",
        "slots": [{"name": "handoff_reason", "description": None, "allowed_values": ["request", "complaint"]}],
    },
]
IDLE = {
    "available_flows": FLOWS,
    "current_flow": None,
    "current_slot": None,
    "current_slot_description": None,
    "flow_slots": [],
    "user_message": "你好",
}
ASKING = {
    **IDLE,
    "current_flow": "check_balance",
    "current_slot": "login_state",
    "current_slot_description": "done when logged in",
    "flow_slots": [
        {"name": "other", "value": "SECRET-1", "type": "text", "description": "x", "allowed_values": None},
        {
            "name": "login_state",
            "value": "SECRET-2",
            "type": "categorical",
            "description": "y",
            "allowed_values": ["done", "person"],
        },
    ],
}
FORBIDDEN = {
    "current_conversation": "USER: earlier words\nAI: SECRET-3",
    "current_datetime": "2026",
    "active_agent": None,
    "completed_agents": [],
}


def render(variables, undefined=StrictUndefined, environment=Environment):
    return environment(undefined=undefined, autoescape=False).from_string(SOURCE).render(**variables)


def test_an_idle_request_is_exactly_the_contract():
    assert json.loads(render({**IDLE, **FORBIDDEN})) == {
        "v": 1,
        "message": "你好",
        "language": None,
        "flow": None,
        "flows": [
            {"id": "check_balance", "description": '查"余额"', "slots": []},
            {
                "id": "talk_to_agent",
                "description": "line one\nline two {{ x }}",
                "slots": [{"name": "handoff_reason", "description": "", "allowed_values": ["request", "complaint"]}],
            },
        ],
    }


def test_an_open_question_is_described_without_any_value():
    rendered = render({**ASKING, **FORBIDDEN})
    assert json.loads(rendered)["flow"] == {
        "id": "check_balance",
        "slot": "login_state",
        "slot_description": "done when logged in",
        "slot_type": "categorical",
        "allowed_values": ["done", "person"],
        "slots": [{"name": "other", "given": True}, {"name": "login_state", "given": True}],
    }
    assert "SECRET" not in rendered
    assert "earlier words" not in rendered


def test_a_flow_without_an_open_question_has_no_slot():
    flow = json.loads(render({**ASKING, "current_slot": None, "current_slot_description": None}))["flow"]
    slots = flow.pop("slots")
    assert flow == {"id": "check_balance", "slot": None, "slot_description": "", "slot_type": "", "allowed_values": []}
    assert [slot["name"] for slot in slots] == ["other", "login_state"]


@pytest.mark.parametrize(
    ("value", "given"), [(None, False), ("", False), ("undefined", False), (0, True), (False, True), ("x", True)]
)
def test_of_a_running_flows_slots_it_is_told_which_ones_have_been_given(value, given):
    listed = [{**ASKING["flow_slots"][0], "value": value}]
    assert json.loads(render({**ASKING, "flow_slots": listed}))["flow"]["slots"] == [{"name": "other", "given": given}]


def test_a_slot_that_is_not_listed_still_counts_as_asked():
    flow = json.loads(render({**ASKING, "flow_slots": []}))["flow"]
    assert (flow["slot"], flow["allowed_values"]) == ("login_state", [])


@pytest.mark.parametrize("environment", [Environment, SandboxedEnvironment])
@pytest.mark.parametrize("undefined", [Undefined, ChainableUndefined])
def test_missing_variables_give_an_empty_request(undefined, environment):
    request = Request.model_validate_json(render({}, undefined, environment))
    assert (request.message, request.flow, request.flows) == ("", None, [])


@pytest.mark.parametrize(
    "message",
    [
        'say "hi"',
        "line\nbreak\ttab\r",
        "{{ 7*7 }} {% raw %}",
        '"}], "flows": []}',
        "back\\slash \\u0041",
        "</script><b>&'",
        "\x00\x1f\u2028",
        "😀 转人工",
        "'" * 50,
    ],
)
def test_any_message_survives_as_text(message):
    assert json.loads(render({**ASKING, "user_message": message}))["message"] == message


@given(st.text(max_size=200), st.text(max_size=50))
def test_the_rendered_prompt_is_always_a_request_with_this_very_message(message, description):
    flows = [{"name": "a", "description": description, "slots": None}]
    request = Request.model_validate_json(
        render({**ASKING, "user_message": message, "available_flows": flows, "current_slot_description": description})
    )
    assert request.message == message
    assert request.flows[0].description == description


def test_allowed_values_written_as_text_or_booleans_are_understood():
    for values, expected in (("[True, False]", ["True", "False"]), ([True, False], ["true", "false"]), (None, [])):
        slots = [{"name": "login_state", "value": None, "type": "bool", "description": None, "allowed_values": values}]
        assert Request.model_validate_json(render({**ASKING, "flow_slots": slots})).flow.allowed_values == expected
