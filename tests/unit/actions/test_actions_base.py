"""The frame of actions: what is declared happens, what is not is refused, and a failure says nothing but what the flow branches on."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from actions_fakes import TURN, FakeContext, receipt, run, tracker

from actions.base import Declaration, DeclaredAction
from actions.errors import ActionFailed, Undeclared
from actions.turn import Turn
from tightrope.business.errors import NoAnswer

BASE = Declaration(
    outcomes=frozenset({"done"}),
    reads=frozenset({"language"}),
    sets={"verdict": frozenset({"yes", "failed"})},
    responses=frozenset({"utter_hello"}),
    envelopes=frozenset({"journey"}),
    on_error={"verdict": "failed"},
)


def action(body: Callable[[Turn], Awaitable[str]], declaration: Declaration = BASE) -> DeclaredAction:
    class Probe(DeclaredAction):
        action_name = "action_probe"

        async def perform(self, turn: Turn) -> str:
            return await body(turn)

    Probe.declaration = declaration
    return Probe()


async def test_declared_words_slots_and_envelopes_go_out_in_order_with_evidence_last(fake: FakeContext) -> None:
    async def body(turn: Turn) -> str:
        assert turn.read("language") == "zh"
        turn.say("utter_hello", name="A")
        turn.tell("journey", journey="greet", event="started")
        turn.set("verdict", "yes")
        return "done"

    done = await run(action(body), tracker())
    assert [m.get("response") for m in done.messages] == ["utter_hello", None, None]
    assert done.messages[0]["name"] == "A"
    assert done.envelope("journey") == {"v": 1, "kind": "journey", "journey": "greet", "event": "started"}
    assert done.messages[-1]["custom"]["envelope"] == {"v": 1, "kind": "evidence", "action": "action_probe", "outcome": "done"}
    assert done.slots == {"verdict": "yes"}


UNDECLARED: dict[str, Callable[[Turn], Any]] = {
    "slot value": lambda turn: turn.set("verdict", "maybe"),
    "slot": lambda turn: turn.set("journey_access", "allowed"),
    "reading": lambda turn: turn.read("journey_access"),
    "response": lambda turn: turn.say("utter_other"),
    "envelope": lambda turn: turn.tell("handoff", reason="request", priority="normal"),
    "free text": lambda turn: turn.say_text("buy this"),
    "variable named like a part of a message": lambda turn: turn.say("utter_hello", text="injected"),
}


@pytest.mark.parametrize("what", UNDECLARED)
async def test_anything_undeclared_becomes_an_error_outcome_and_says_nothing(fake: FakeContext, what: str) -> None:
    async def body(turn: Turn) -> str:
        turn.say("utter_hello")
        UNDECLARED[what](turn)
        return "done"

    done = await run(action(body), tracker())
    assert done.slots == {"verdict": "failed"}
    assert [m["custom"]["envelope"]["outcome"] for m in done.messages] == ["error"]


async def test_an_undeclared_business_call_is_refused(fake: FakeContext) -> None:
    async def body(turn: Turn) -> str:
        await turn.fetch("get_balance", lambda api, token: api.balance(token, "A1"))
        return "done"

    done = await run(action(body), tracker())
    assert done.slots == {"verdict": "failed"}
    assert fake.business.asked == []


async def test_a_declared_call_with_the_scope_of_another_is_refused(fake: FakeContext) -> None:
    declaration = Declaration(
        outcomes=frozenset({"done"}),
        calls=frozenset({"get_balance"}),
        scope="eligibility:read",
        sets=BASE.sets,
        on_error=BASE.on_error,
    )

    async def body(turn: Turn) -> str:
        await turn.fetch("get_balance", lambda api, token: api.balance(token, "A1"))
        return "done"

    assert (await run(action(body, declaration), tracker())).slots == {"verdict": "failed"}
    assert fake.business.asked == []


async def test_an_undeclared_outcome_is_an_error(fake: FakeContext) -> None:
    async def body(turn: Turn) -> str:
        return "surprise"

    assert (await run(action(body), tracker())).evidence["outcome"] == "error"


async def test_without_a_branch_for_errors_the_failure_reaches_the_assistant_without_details(fake: FakeContext) -> None:
    async def body(turn: Turn) -> str:
        raise RuntimeError("balance 123.45")

    with pytest.raises(ActionFailed) as caught:
        await run(action(body, Declaration(outcomes=frozenset({"done"}))), tracker())
    assert "123.45" not in str(caught.value)


def test_an_error_branch_that_sets_an_undeclared_value_is_refused_at_import() -> None:
    with pytest.raises(Undeclared):
        Declaration(outcomes=frozenset(), sets={"verdict": frozenset({"yes"})}, on_error={"verdict": "no"})


SUBMIT = Declaration(
    outcomes=frozenset({"done"}),
    sets=BASE.sets,
    calls=frozenset({"get_balance"}),
    scope="accounts:read",
    on_error=BASE.on_error,
)


async def submitted(fake: FakeContext, times: int, turn_id: str = TURN) -> list[str]:
    """The idempotency keys of `times` requests in one run of an action."""
    keys: list[str] = []

    async def body(turn: Turn) -> str:
        for _ in range(times):

            async def request(api: Any, token: str, key: str) -> Any:
                keys.append(key)
                return await api.balance(token, "A1")

            await turn.submit("get_balance", request)
        return "done"

    fake.log_in()
    fake.identity.grants[turn_id] = fake.identity.grants[TURN]
    done = await run(action(body, SUBMIT), tracker(turn=turn_id))
    assert [call["outcome"] for call in done.evidence["calls"]] == ["done"] * times
    return keys


async def test_a_repeated_turn_repeats_its_keys_and_nothing_else_does(fake: FakeContext) -> None:
    first, again, other = await submitted(fake, 3), await submitted(fake, 3), await submitted(fake, 3, "u" * 43)
    assert first == again
    assert len({*first, *other}) == 6
    assert first == [hashlib.sha256(f"{TURN}\0action_probe\0{n}".encode()).hexdigest() for n in (1, 2, 3)]


async def test_a_request_without_a_grant_is_never_sent(fake: FakeContext) -> None:
    async def body(turn: Turn) -> str:
        await turn.submit("get_balance", lambda api, token, key: api.balance(token, key))
        return "done"

    done = await run(action(body, SUBMIT), tracker())
    assert done.slots == {"verdict": "failed"}
    assert fake.business.asked == []


async def test_a_request_whose_end_is_not_known_stands_so_in_the_record(fake: FakeContext) -> None:
    fake.log_in()
    fake.business.errors["get_balance"] = NoAnswer("late", receipt("get_balance", "unavailable", None, None))

    async def body(turn: Turn) -> str:
        with pytest.raises(NoAnswer):
            await turn.submit("get_balance", lambda api, token, _: api.balance(token, "A1"))
        return "done"

    done = await run(action(body, SUBMIT), tracker())
    assert done.evidence["calls"][0]["outcome"] == "unknown"


async def test_an_undeclared_request_is_refused(fake: FakeContext) -> None:
    async def body(turn: Turn) -> str:
        await turn.submit("list_accounts", lambda api, token, _: api.accounts(token, "C1001"))
        return "done"

    fake.log_in()
    assert (await run(action(body, SUBMIT), tracker())).slots == {"verdict": "failed"}
    assert fake.business.asked == []
