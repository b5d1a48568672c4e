"""What a turn's record holds so that it can be run again (docs/replay.md), also when the turn failed."""

from __future__ import annotations

from typing import Any

import pytest

from tightrope.audit.models import Entry, Event
from tightrope.audit.reading import show_conversation
from tightrope.gateway.turns import MAX_ATTEMPTS, TurnRepeats
from tightrope.gateway.wording import say

pytestmark = pytest.mark.integration

MAKING = {"number": 1, "opening": [{"event": "session_started"}], "record": {"v": 1, "inputs": []}}
UNHEARD_OF = [{"custom": {"envelope": {"v": 1, "kind": "unheard_of"}}}]


async def entries(gateway: Any, *events: Event) -> list[Entry]:
    view = await show_conversation(gateway.settings, gateway.conversation, reader="test")
    return [entry for entry in view.entries if entry.event in events]


async def test_a_turn_names_its_message_and_holds_the_assistants_inputs(gateway: Any) -> None:
    gateway.assistant.making = MAKING
    await gateway.say("你好")
    [received] = await entries(gateway, Event.CUSTOMER_MESSAGE_RECEIVED)
    [made] = await entries(gateway, Event.TURN_MADE)
    assert made.payload is not None
    assert (made.payload["caused_by"], made.payload["engine"]) == (str(received.record_id), MAKING)
    assert "session_started" not in str(made.leaf), "nothing of it stands in the clear"


@pytest.mark.parametrize("making", [None, "odd", []])
async def test_an_assistant_that_tells_nothing_of_it_answers_all_the_same(gateway: Any, making: Any) -> None:
    gateway.assistant.making = making
    await gateway.say("你好")
    [made] = await entries(gateway, Event.TURN_MADE)
    assert made.payload is not None
    assert made.payload["engine"] is None


async def test_an_answer_that_is_refused_is_on_the_record_of_the_failed_turn(gateway: Any) -> None:
    gateway.assistant.making = MAKING
    gateway.assistant.reply = lambda _: UNHEARD_OF
    await gateway.say("你好")
    [failed] = await entries(gateway, Event.TURN_FAILED)
    assert failed.payload is not None
    assert (failed.payload["engine"], failed.payload["events"][0]["text"]) == (MAKING, "你好")
    assert "unheard_of" in str(failed.payload["events"]), "what was not sent is told all the same"
    assert gateway.texts()[-1] == say("error", "zh")


async def test_a_turn_that_was_made_and_never_answered_is_on_the_record_of_the_failure(gateway: Any) -> None:
    gateway.assistant.making = MAKING
    gateway.assistant.fail_after_making = 1
    gateway.assistant.fail_looking = MAX_ATTEMPTS - 1
    await gateway.deliver(gateway.message("你好"))
    for _ in range(MAX_ATTEMPTS - 1):
        with pytest.raises(TurnRepeats):
            await gateway.drain.conversation(gateway.conversation)
    await gateway.run()
    recorded = await entries(gateway, Event.TURN_FAILED, Event.TURN_MADE)
    assert recorded[-1].payload is not None
    assert recorded[-1].payload["engine"] == MAKING


async def test_an_assistant_that_is_gone_leaves_no_account(gateway: Any) -> None:
    gateway.assistant.down = True
    await gateway.deliver(gateway.message("你好"))
    for _ in range(MAX_ATTEMPTS - 1):
        with pytest.raises(TurnRepeats):
            await gateway.drain.conversation(gateway.conversation)
    await gateway.run()
    [failed] = await entries(gateway, Event.TURN_FAILED)
    assert failed.payload is not None
    assert (failed.payload["engine"], failed.payload["events"]) == (None, [])
