"""Plain words at plain moments: asked to say it again, put off, rather not, and a no at the last confirmation."""

from __future__ import annotations

from datetime import date

import pytest
from understanding_data import DATA

from tightrope.understanding import filling, phrases, rules, slots
from tightrope.understanding.filling import Typed
from tightrope.understanding.models import REPEAT, ActiveFlow, FlowOffer, FlowSlot, Request, SetSlot, StartFlow
from tightrope.understanding.normalise import folded

TYPED = Typed(slots.load(DATA), date(2026, 11, 22))


def closing(slot: str, *given: str) -> ActiveFlow:
    return ActiveFlow(
        id="close_account", slot=slot, slots=[*(FlowSlot(name=name, given=True) for name in given), FlowSlot(name=slot)]
    )


def idle(message: str) -> tuple[object, ...]:
    offers = [FlowOffer(id=flow_id) for flow_id in ("greet", "talk_to_agent")]
    found = rules.decide(Request(v=1, message=message, flow=None, flows=offers), folded(message), TYPED)
    return found.commands if found else ()


@pytest.mark.parametrize(
    "message",
    [
        "没看清楚，请再说一遍",
        "刚才没听清，麻烦再说一次",
        "我没看到，再发一遍",
        "Sorry, can you repeat that please?",
        "sorry, say that again",
    ],
)
def test_asked_to_say_it_again_in_two_breaths(message: str) -> None:
    assert idle(message) == (REPEAT,)


@pytest.mark.parametrize("message", ["没看到钱到账", "没到账，请再查一下转账", "can you repeat that order for 500 shares"])
def test_what_says_more_is_no_request_to_repeat(message: str) -> None:
    assert REPEAT not in idle(message)


@pytest.mark.parametrize("message", ["What can you help me with here?", "what can you do for me", "what can you do today"])
def test_asked_what_it_can_do_it_tells(message: str) -> None:
    assert idle(message) == (StartFlow("greet"),)


@pytest.mark.parametrize("message", ["先不办了，回头再说", "先不弄了，改天再办"])
def test_putting_off_stops_the_journey(message: str) -> None:
    assert phrases.CANCEL.found(folded(message))


def test_rather_not_is_no_correction() -> None:
    assert filling.answer(closing("closure_reason"), "rather not say", TYPED) == (
        "typed",
        (SetSlot("closure_reason", "unstated"),),
    )


@pytest.mark.parametrize("message", ["no, let me think", "还是不销了", "还是先不销了"])
def test_a_no_at_the_last_confirmation_is_a_no_there_and_nowhere_else(message: str) -> None:
    found = filling.answer(closing("closure_confirmed", "closure_reason", "closure_understood"), folded(message), TYPED)
    assert found == ("typed", (SetSlot("closure_confirmed", "false"),))


@pytest.mark.parametrize(
    "message", ["确认……不对，你先别提交，我再确认一下", "no, confirm", "confirm? no", "确认提交之后还能反悔吗"]
)
def test_no_half_sentence_confirms(message: str) -> None:
    found = filling.answer(closing("closure_confirmed", "closure_reason", "closure_understood"), folded(message), TYPED)
    assert found is None or SetSlot("closure_confirmed", "true") not in found[1]


@pytest.mark.parametrize(
    "message", ["等一下，正在登录", "稍等，我在登录", "马上登录", "one moment, I'm logging in", "hold on, still logging in"]
)
def test_whoever_is_about_to_log_in_is_waited_for(message: str) -> None:
    flow = ActiveFlow(id="verify_customer", slot="login_state", slot_type="categorical", allowed_values=["done", "person"])
    found = rules.decide(Request(v=1, message=message, flow=flow, flows=[]), folded(message), TYPED)
    assert found is not None
    assert found.commands == (REPEAT,)
