"""A model behind understanding: asked last and seldom, believed little, and never missed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from conftest import FLOWS, offers
from understanding_model import FINGERPRINT, MODEL, World, says

from tightrope.infra.settings import REPOSITORY
from tightrope.sandbox.model.faults import Fault
from tightrope.understanding.models import ActiveFlow, Request, StartFlow
from tightrope.understanding.privacy import public_journeys
from tightrope.understanding.proposing import Assisted

DOUBTFUL = "那个股票的东西帮我弄一下吧"
"""A message of which the classifier makes nothing for sure."""
START = "start flow check_trading_calendar"


@pytest.fixture(scope="session")
def local(understanding):
    """By words alone: what is tried here holds whatever the classifier says, and it is quick."""
    return replace(understanding, classifier=replace(understanding.classifier, meaning=None))


@pytest.fixture
def world(settings, local):
    made = World.of(settings, local)
    made.speaks(says(START))
    return made


def request(message=DOUBTFUL, *, flow=None, ids=FLOWS):
    return Request(v=1, message=message, flow=flow, flows=offers(ids))


async def test_in_doubt_the_models_choice_is_taken_and_told(world, local):
    found = await world.understand(request())
    assert (found.text, found.source, found.proposal) == (START, "model", "used")
    assert found.candidates == local.understand(request()).candidates
    (call,) = found.calls
    assert (call.outcome, call.model, call.fingerprint, call.output) == (
        "done",
        MODEL,
        FINGERPRINT,
        json.dumps({"command": START}),
    )
    assert call.prompt_id == "commands.v1"
    assert (call.parameters["temperature"], call.parameters["n"]) == (0, 1)
    assert call.parameters["max_tokens"] < 150


async def test_without_the_setting_there_is_no_model(settings, local):
    world = World.of(settings, local, commands_from_model=False)
    assert await world.understand(request()) == local.understand(request())
    assert (world.asked, world.assisted.standing) == (0, "off")


@pytest.mark.parametrize(
    "message",
    [
        "转人工",
        "我不想活了",
        "有人逼我转账",
        "我被骗了二十万",
        "老伴去世了账户怎么办",
        "投诉你们",
        "谢谢",
        "start flow check_balance",
        "查账户余额",
        "???",
        "12345",
    ],
)
async def test_what_rules_or_a_sure_classifier_decide_no_model_hears(world, local, message):
    assert await world.understand(request(message)) == local.understand(request(message))
    assert world.asked == 0


async def test_a_red_line_that_the_classifier_sees_stands_before_the_model(world, local):
    for message in ("给我推荐一只明天会涨的股票", "帮我买入100股贵州茅台"):
        found = await world.understand(request(message))
        assert found.commands == local.understand(request(message)).commands != ()
    assert world.asked == 0


@pytest.mark.parametrize("slot", [None, "x"])
async def test_over_a_private_journey_no_model_is_called_whatever_is_said(world, local, slot):
    public = public_journeys(REPOSITORY / "data" / "flows")
    private = sorted({*FLOWS, "verify_customer", "explain_verdict", "pattern_continue_interrupted", "unknown_flow"} - public)
    assert len(private) >= 14
    for flow in private:
        asked = request(flow=ActiveFlow(id=flow, slot=slot, allowed_values=["buy", "sell"]))
        assert await world.understand(asked) == local.understand(asked)
    assert world.asked == 0


async def test_over_a_public_journey_it_may_answer_the_open_question_from_the_closed_list(world):
    world.speaks(says("set slot trade_market hk_connect"))
    flow = ActiveFlow(
        id="calculate_trading_cost", slot="trade_market", slot_type="categorical", allowed_values=["a_share", "hk_connect"]
    )
    found = await world.understand(request("就是那个隔壁的嘛你懂的", flow=flow))
    assert (found.text, found.source) == ("set slot trade_market hk_connect", "model")


async def test_figures_of_the_message_are_read_by_parsers_and_never_shown_to_be_chosen(settings, understanding):
    from understanding_data import DATA

    from tightrope.understanding import slots

    local = replace(understanding, book=slots.load(DATA), classifier=replace(understanding.classifier, meaning=None))
    world = World.of(settings, local)
    world.speaks(says(START))
    offered = request().model_dump()
    for offer in offered["flows"]:
        if offer["id"] == "check_trading_calendar":
            offer["slots"] = [{"name": "calendar_date"}]
    asked = Request.model_validate({**offered, "message": DOUBTFUL + " 2026-12-25 那天"})
    found = await world.understand(asked)
    assert world.asked == 1
    if True:
        listed = world.app.state.seen[-1]["response_format"]["json_schema"]["schema"]["properties"]["command"]["enum"]
        assert not [choice for choice in listed if choice.startswith("set slot") or "2026" in choice]
        assert found.commands[0] == StartFlow("check_trading_calendar")


async def test_what_the_model_is_shown_is_masked(world):
    await world.understand(
        request(DOUBTFUL + "，我叫王小明，身份证11010519491231002X，手机13800138000，卡号6222021234567890123，余额38765.43")
    )
    assert world.asked == 1
    shown = json.dumps(world.prompt(), ensure_ascii=False)
    for secret in ("王小明", "11010519491231002X", "13800138000", "6222021234567890123", "38765.43"):
        assert secret not in shown
    assert "[PHONE]" in shown


async def test_a_message_that_is_nothing_but_what_was_masked_is_not_shown(world):
    await world.understand(request("我叫王小明"))
    await world.understand(request("a@example.com"))
    for body in world.app.state.seen:
        assert "example.com" not in json.dumps(body)


async def test_none_leaves_the_message_to_the_classifier(world, local):
    world.speaks(says("none"))
    found = await world.understand(request())
    assert (found.commands, found.source, found.proposal) == (
        local.understand(request()).commands,
        local.understand(request()).source,
        "nothing",
    )
    assert [call.outcome for call in found.calls] == ["done"]


async def test_agreement_lets_only_those_start_that_the_classifier_thinks_possible(settings, local):
    world = World.of(settings, local, commands_need_agreement=True)
    asked = 0
    for message in ("账户 股票 钱", "股票 费用 查", "margin account fee", "交易 费用 融资", "transfer order status", DOUBTFUL):
        found = local.understand(request(message))
        asked += world.asked
        world.app.state.seen.clear()
        world.speaks(says("start flow reset_password"))
        answered = await world.understand(request(message))
        possible = {flow for flow, probability in found.undecided if probability >= local.thresholds.clarify}
        assert "reset_password" not in possible
        assert answered.commands == found.commands
        for body in world.app.state.seen:
            listed = body["response_format"]["json_schema"]["schema"]["properties"]["command"]["enum"]
            assert {choice.split(",")[0].split()[-1] for choice in listed if choice.startswith("start flow")} <= possible
    assert asked >= 1


async def test_an_agreed_flow_starts_in_place_of_a_question_which(settings, local):
    message = next(
        text
        for text in ("股票 费用 查", "账户 股票 钱", "margin account fee", "交易 费用 融资", "融资 利息 比例", "账户 登录 改", "transfer order status")
        if len([1 for _, p in local.understand(request(text)).undecided if p >= local.thresholds.clarify]) > 0
    )  # fmt: skip
    before = local.understand(request(message))
    flow = next(f for f, p in before.undecided if p >= local.thresholds.clarify and f in FLOWS)
    world = World.of(settings, local, commands_need_agreement=True)
    world.speaks(lambda _, schema: json.dumps({"command": next(c for c in schema["properties"]["command"]["enum"] if flow in c)}))
    found = await world.understand(request(message))
    assert (found.source, found.commands[0]) == ("model", StartFlow(flow))


async def test_with_agreement_and_nothing_possible_the_model_is_not_asked(settings, local):
    nothing = replace(local, thresholds=replace(local.thresholds, clarify=9999))
    world = World.of(settings, nothing, commands_need_agreement=True)
    found = await world.understand(request())
    assert (world.asked, found.proposal) == (0, None)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault.BUSY, "unavailable"),
        (Fault.DEAD, "unavailable"),
        (Fault.HTML, "invalid"),
        (Fault.NO_CHOICE, "invalid"),
        (Fault.WRONG_FINGERPRINT, "mismatch"),
        (Fault.WRONG_NAME, "mismatch"),
        (Fault.CUT, "invalid"),
        (Fault.BLANKS, "invalid"),
        (Fault.UNCONSTRAINED, "invalid"),
        (Fault.OFF_SCHEMA, "invalid"),
        (Fault.TWICE, "invalid"),
        (Fault.REFUSAL, "invalid"),
    ],
)
async def test_whatever_is_wrong_with_the_model_the_classifier_decides(world, local, fault, outcome):
    world.breaks(fault)
    found, alone = await world.understand(request()), local.understand(request())
    assert (found.commands, found.source, found.proposal) == (alone.commands, alone.source, outcome)
    assert [call.outcome for call in found.calls] == [outcome]


async def test_a_model_that_hangs_is_given_up_in_time(settings, local):
    world = World.of(settings, local, seconds=0.05)
    world.breaks(Fault.HANG)
    found = await asyncio.wait_for(world.understand(request()), timeout=2)
    assert (found.proposal, found.commands) == ("unavailable", local.understand(request()).commands)


async def test_a_dead_model_costs_its_time_thrice_and_then_rests(settings, local):
    world = World.of(settings, local, seconds=0.02)
    world.breaks(Fault.HANG, 100)
    told = [await world.understand(request()) for _ in range(6)]
    assert [found.proposal for found in told] == ["unavailable"] * 3 + ["resting"] * 3
    assert [len(found.calls) for found in told] == [1, 1, 1, 0, 0, 0]
    assert world.assisted.standing == "resting"


async def test_after_a_rest_it_is_tried_and_used_again(world):
    world.breaks(Fault.BUSY, 3)
    for _ in range(4):
        await world.understand(request())
    world.ticks.at += 30
    found = await world.understand(request())
    assert (found.source, world.assisted.standing) == ("model", "asked")


async def test_another_model_than_the_approved_one_is_not_asked_twice(world):
    world.breaks(Fault.WRONG_FINGERPRINT, 5)
    assert [(await world.understand(request())).proposal for _ in range(2)] == ["mismatch", "resting"]
    assert world.asked == 1


async def test_who_gives_up_leaves_the_breaker_as_it_was(settings, local):
    world = World.of(settings, local, seconds=30)
    world.breaks(Fault.HANG)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(world.understand(request()), timeout=0.05)
    assert world.assisted.standing == "asked"
    world.app.state.faults.pending.clear()
    world.speaks(says(START))
    assert (await world.understand(request())).source == "model"


async def test_without_a_model_assisted_is_the_same(local):
    assert await Assisted(local).understand(request()) == local.understand(request())
