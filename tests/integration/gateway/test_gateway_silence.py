"""What silence means: of the customer, whose session ends; of the assistant, which must not leave the customer waiting."""

from __future__ import annotations

from typing import Any

import pytest

from tightrope.gateway.wording import say

pytestmark = pytest.mark.integration


async def test_button_of_a_session_that_silence_has_ended_answers_nothing(gateway: Any) -> None:
    gateway.assistant.reply = lambda _: [{"text": "ok?", "buttons": [{"title": "是", "payload": "/SetSlots(ok=true)"}]}]
    await gateway.say("开始")
    message = gateway.chatwoot.messages[-1]
    gateway.clock.advance(gateway.settings.session_minutes * 60 + 1)
    await gateway.press(message, message["content_attributes"]["items"][0])
    assert gateway.texts()[-1] == say("offer_expired", "zh")
    assert len(gateway.assistant.asked) == 1
    assert (await gateway.events()).count("gateway:conversation:session_started") == 1


async def test_assistant_that_says_nothing_does_not_leave_the_customer_waiting(gateway: Any) -> None:
    gateway.assistant.reply = lambda _: []
    await gateway.say("不用了")
    assert gateway.texts()[-1] == say("nothing_said", "zh")
    assert [item["title"] for item in gateway.chatwoot.messages[-1]["content_attributes"]["items"]] == ["转人工"]
