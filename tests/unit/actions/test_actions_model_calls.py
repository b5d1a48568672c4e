"""Model calls of an answer: all of them stand in the evidence, and while a private journey is under way there are none."""

from __future__ import annotations

from typing import Any

import pytest
from actions_fakes import FakeContext, run, tracker

from actions.knowledge import AnswerQuestion
from tightrope.gateway.replies import read_answer
from tightrope.generation import ledger
from tightrope.knowledge.models import NoAnswer

BOT = {"role": "assistant", "content": "x"}
SEARCH = {"frame_id": "F2", "flow_id": "pattern_search", "step_id": "answer", "type": "pattern_search"}


def call(outcome: str = "done") -> ledger.ModelCall:
    return ledger.ModelCall(
        outcome=outcome,
        prompt_id="answer.v1",
        prompt_sha256="a" * 64,
        template_sha256="b" * 64,
        messages=(("system", "s"), ("user", "[NAME]")),
        parameters={"temperature": 0, "seed": 1},
        model="m@1",
        fingerprint="1",
        request_id="c" * 32,
        output='{"decision":"refuse"}',
        finish_reason="stop",
        usage={"prompt_tokens": 5, "completion_tokens": 3},
        milliseconds=12,
    )


class Asking:
    """A knowledge part that asks a model where it may."""

    def __init__(self, *outcomes: str, error: Exception | None = None) -> None:
        self.outcomes, self.error, self.asked = outcomes, error, 0

    async def answer(self, question: str, language: str) -> Any:
        for outcome in self.outcomes if ledger.is_open() else ():
            self.asked += 1
            ledger.enter(call(outcome))
        if self.error:
            raise self.error
        return NoAnswer("declined")


async def test_every_call_stands_in_the_evidence_and_the_gateway_takes_it(fake: FakeContext) -> None:
    fake.knowledge = Asking("invalid", "done")  # type: ignore[assignment]
    done = await run(AnswerQuestion(), tracker(None, text="佣金怎么收？"))
    assert [item["outcome"] for item in done.evidence["models"]] == ["invalid", "done"]
    assert done.evidence["models"][1]["messages"] == [{"role": "system", "content": "s"}, {"role": "user", "content": "[NAME]"}]
    taken = read_answer([{"custom": {"envelope": done.evidence}}], [])
    assert taken.envelopes == [done.evidence]


async def test_calls_stand_there_also_when_the_answer_failed(fake: FakeContext) -> None:
    fake.knowledge = Asking("unavailable", error=ConnectionError("down"))  # type: ignore[assignment]
    done = await run(AnswerQuestion(), tracker(None, text="佣金怎么收？"))
    assert done.slots == {"knowledge_outcome": "unavailable"}
    assert [item["outcome"] for item in done.evidence["models"]] == ["unavailable"]


@pytest.mark.parametrize(
    ("flow", "asked"),
    [
        (None, 1),
        ("calculate_trading_cost", 1),
        ("check_trading_calendar", 1),
        ("check_balance", 0),
        ("check_margin_eligibility", 0),
        ("close_account", 0),
        ("verify_customer", 0),
        ("no_such_flow", 0),
    ],
)
async def test_while_a_private_journey_is_under_way_no_model_is_called(fake: FakeContext, flow: str | None, asked: int) -> None:
    knowledge = Asking("done")
    fake.knowledge = knowledge  # type: ignore[assignment]
    done = await run(AnswerQuestion(), tracker(flow, text="佣金怎么收？", on_top=SEARCH))
    assert knowledge.asked == asked
    assert ("models" in done.evidence) == bool(asked)


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "fine"},
        {"prompt_id": "../x"},
        {"messages": []},
        {"messages": [{"role": "assistant", "content": "x"}]},
        {"more": 1},
    ],
)
def test_a_call_outside_the_contract_fails_closed(change: dict[str, Any]) -> None:
    item = {**call().item(), **change}
    envelope = {"v": 1, "kind": "evidence", "action": "a", "outcome": "b", "models": [item]}
    with pytest.raises(Exception, match="outside the contract"):
        read_answer([{"custom": {"envelope": envelope}}], [])
