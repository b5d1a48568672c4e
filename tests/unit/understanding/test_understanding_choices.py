"""The list that a model chooses from is the grammar: all that it holds is allowed, and nothing else can be spelled."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tightrope.engine.commands import parse_text
from tightrope.infra.settings import REPOSITORY
from tightrope.understanding import slots
from tightrope.understanding.choices import (
    MAX_DESCRIPTION,
    MAX_LIST,
    MOST,
    NOTHING,
    choices,
    chosen,
    max_tokens,
    schema,
)
from tightrope.understanding.models import ActiveFlow, FlowOffer, Request, SetSlot, SlotOffer, allowed, line

BOOK = slots.load(REPOSITORY / "data" / "understanding")
HOSTILE = [
    "a\nstart flow b",
    "x, set slot y z",
    "",
    " ",
    "true",
    "No",
    "12",
    "6 months",
    "买入",
    "a-share",
    "[]",
    "{x}",
    "/payload",
    "a" * 90,
]
names = st.one_of(
    st.sampled_from(["check_balance", "talk_to_agent", "calculate_trading_cost", "pattern_x", "none", "search and reply", "a b", "x\ny"]),
    st.text(max_size=12),
)  # fmt: skip
values = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=8)), max_size=5)
slot_names = st.sampled_from(
    ["handoff_reason", "trade_side", "trade_market", "trade_amount", "confirmed", "a b", "x\nset slot y z"]
)
slot_offers = st.builds(SlotOffer, name=slot_names, description=st.text(max_size=30), allowed_values=values)
flow_offers = st.builds(FlowOffer, id=names, description=st.text(max_size=600), slots=st.lists(slot_offers, max_size=3))
active = st.builds(
    ActiveFlow,
    id=names,
    slot=st.one_of(st.none(), slot_names),
    slot_type=st.sampled_from(["", "bool", "categorical", "float"]),
    slot_description=st.text(max_size=30),
    allowed_values=values,
)
requests = st.builds(
    Request,
    v=st.just(1),
    message=st.just("x"),
    flow=st.one_of(st.none(), active),
    flows=st.lists(flow_offers, max_size=6),
)


def request(*, flow=None, flows=()):
    return Request(v=1, message="x", flow=flow, flows=list(flows))


def ids(asked, startable=None):
    return [choice.id for choice in choices(asked, BOOK, startable or [flow.id for flow in asked.flows])]


@given(requests)
def test_every_choice_is_allowed_as_it_stands(asked):
    for choice in choices(asked, BOOK, [flow.id for flow in asked.flows]):
        assert allowed(choice.commands, asked, BOOK) == choice.commands
        assert (choice.commands == ()) == (choice.id == NOTHING)


@given(requests)
def test_every_spelling_is_one_line_that_reads_back_as_its_commands(asked):
    for choice in choices(asked, BOOK, [flow.id for flow in asked.flows])[:-1]:
        assert len(choice.id.splitlines()) == 1
        assert choice.id == ", ".join(map(line, choice.commands))
        text = "\n".join(map(line, choice.commands))
        parsed, refused = parse_text(text)
        assert (len(parsed), refused) == (len(choice.commands), ())


@given(requests)
def test_no_choice_gives_a_slot_a_figure_or_a_consent(asked):
    for choice in choices(asked, BOOK, [flow.id for flow in asked.flows]):
        for command in choice.commands:
            if isinstance(command, SetSlot):
                assert not any(map(str.isdigit, command.value))
                assert command.value.lower() not in {"true", "false", "yes", "no"}


@given(
    requests,
    st.recursive(st.one_of(st.none(), st.text(), st.integers()), lambda inner: st.dictionaries(st.text(), inner), max_leaves=4),
)
def test_what_the_schema_admits_is_on_the_list_and_nothing_else_leads_to_a_command(asked, data):
    offered = choices(asked, BOOK, [flow.id for flow in asked.flows])
    if not offered:
        return
    held = Draft202012Validator(schema(offered))
    assert all(held.is_valid({"command": choice.id}) and chosen({"command": choice.id}, offered) == choice for choice in offered)
    for answer in (data, {"command": data}):
        if held.is_valid(answer):
            assert chosen(answer, offered) is not None
        elif isinstance(answer, dict) and answer.keys() == {"command"}:
            assert chosen(answer, offered) is None


@given(requests)
def test_list_descriptions_and_answers_are_bounded(asked):
    offered = choices(asked, BOOK, [flow.id for flow in asked.flows])
    assert len(offered) <= MOST
    assert len({choice.id for choice in offered}) == len(offered)
    assert all(len(choice.description) <= MAX_DESCRIPTION for choice in offered)
    if offered:
        longest = max(len(json.dumps({"command": choice.id}, ensure_ascii=False).encode()) for choice in offered)
        assert longest <= max_tokens(offered)


def test_many_wordy_flows_fit_and_the_likeliest_stay():
    flows = [FlowOffer(id=f"flow_{n}", description="说明" * 300) for n in range(500)]
    offered = choices(request(flows=flows), BOOK, [f"flow_{n}" for n in range(499, -1, -1)])
    assert offered[0].id == "start flow flow_499"
    assert sum(len(choice.description) for choice in offered if choice.starts) <= MAX_LIST


@pytest.mark.parametrize("count", [1, 90, 400])
def test_a_long_closed_list_leaves_room_for_the_way_out(count):
    flow = ActiveFlow(
        id="a",
        slot="kind",
        allowed_values=[f"v{'x' * n}" for n in range(50)] + [f"w{chr(97 + n % 26) * (n // 26 + 1)}" for n in range(count)],
    )
    found = ids(request(flow=flow))
    assert len(found) <= MOST
    assert found[-1] == NOTHING
    assert "cancel flow" in found


def test_only_startable_flows_on_offer_are_spelled_and_not_the_one_that_runs():
    asked = request(
        flow=ActiveFlow(id="calculate_trading_cost"),
        flows=[FlowOffer(id=i) for i in ("calculate_trading_cost", "check_balance", "greet")],
    )
    assert ids(asked, ["calculate_trading_cost", "check_balance", "view_holdings"]) == [
        "start flow check_balance",
        "search and reply",
        "offtopic reply",
        "repeat message",
        "cancel flow",
        NOTHING,
    ]


def test_a_person_is_only_started_with_the_reason():
    reasons = SlotOffer(name="handoff_reason", allowed_values=["request", "complaint"])
    found = ids(request(flows=[FlowOffer(id="talk_to_agent", slots=[reasons])]))
    assert found[:2] == [
        "start flow talk_to_agent, set slot handoff_reason request",
        "start flow talk_to_agent, set slot handoff_reason complaint",
    ]
    assert "start flow talk_to_agent" not in found


def test_a_slot_that_has_to_be_asked_is_not_filled_ahead():
    login = SlotOffer(name="login_state", allowed_values=["done", "person"])
    assert ids(request(flows=[FlowOffer(id="check_balance", slots=[login])]))[0:2] == [
        "start flow check_balance",
        "search and reply",
    ]


def test_where_nothing_can_start_or_be_answered_there_is_no_list():
    assert choices(request(flows=[FlowOffer(id="check_balance")]), BOOK, []) == ()
    assert (
        choices(request(flow=ActiveFlow(id="a", slot="confirmed", slot_type="bool", allowed_values=["true", "false"])), BOOK, [])
        == ()
    )
    assert choices(request(flow=ActiveFlow(id="a", slot="agreed", allowed_values=["yes", "no"])), BOOK, []) == ()
    assert choices(request(flow=ActiveFlow(id="a", slot="months", allowed_values=["6", "12"])), BOOK, []) == ()
    which = ActiveFlow(id="pattern_continue_interrupted", slot="interrupted_flow_to_continue", allowed_values=["check_balance"])
    assert choices(request(flow=which, flows=[FlowOffer(id="check_balance")]), BOOK, []) == ()
