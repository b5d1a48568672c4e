"""Acceptance cases repeat the order of the drain job (cli/uat/talk.py): given the same events, both ask and show the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tightrope.cli.uat.talk import UatTalk
from tightrope.engine.state import State
from tightrope.engine.turn import Turn
from tightrope.gateway import switch
from tightrope.gateway.decide import MAX_MESSAGE
from tightrope.gateway.wording import say
from tightrope.identity.grants import Grants
from tightrope.infra.clock import FixedClock
from tightrope.infra.database import Role, open_pool
from tightrope.uat.models import Case

pytestmark = pytest.mark.integration

ANSWERS: dict[str, list[dict[str, Any]]] = {
    "问": [{"text": "一"}, {"text": "继续吗？", "buttons": [{"title": "是", "payload": "/SetSlots(ok=true)"}]}],
    "两": [
        {
            "text": "是否？",
            "buttons": [{"title": "是", "payload": "/SetSlots(ok=true)"}, {"title": "否", "payload": "/SetSlots(ok=false)"}],
        }
    ],
    "沉默": [],
    "错": [{"text": "x"}, {"custom": {"envelope": {"v": 1, "kind": "unknown"}}}],
    "找人": [
        {"text": "好的，为您转人工。"},
        {"custom": {"envelope": {"v": 1, "kind": "handoff", "reason": "request", "priority": "normal"}}},
    ],
    "有人": [{"text": "需要转人工吗？", "buttons": [{"title": "转人工服务", "payload": "转人工"}]}],
}
SCRIPT = {
    "words of ours": ["say: ", "say: 👍", "say: 你好", "say: " + "长" * (MAX_MESSAGE + 1), "say: 沉默"],
    "languages": ["say: hello there", "say: 你好", "say: English please", "say: ok", "say: 说中文", "say: 嗯"],
    "a command typed": ["say: /SetSlots(ok=true)"],
    "buttons": ["say: 问", "press: 是", "press: 是", "say: 有人", "press: 转人工服务"],
    "one question, one answer": ["say: 两", "press: 否", "press: 是", "say: 两", "say: 好", "press: 是"],
    "a person": [
        "say: 你好",
        "say: 找人",
        "say: 在吗",
        "press: 转人工",
        "give back",
        "say: 在吗",
        "press: 转人工",
        "wait",
        "press: 转人工",
    ],
    "an envelope outside the contract": ["say: 错", "say: 在吗", "give back", "say: 在吗"],
    "silence": ["say: 问", "wait", "press: 是", "say: 问", "wait", "say: 你好", "press: 是"],
    "the switch": ["say: 问", "off", "press: 是", "on", "say: 在吗", "give back", "press: 是"],
    "the switch before anything": ["off", "say: 问", "give back", "say: 问", "on", "give back", "say: 问"],
}


def answer(text: str) -> list[dict[str, Any]]:
    return ANSWERS.get(text, [{"text": f"答 {text}"}])


class InCases(UatTalk):
    """A case's conversation with the assistant of the gateway's tests."""

    def __init__(self, gateway: Any) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self.clock = FixedClock(gateway.clock.now())
        world: Any = SimpleNamespace(
            clock=self.clock,
            settings=gateway.settings,
            worker=gateway.pool,
            bindings=gateway.drain._bindings,
            grants=Grants(self.clock),
            prompt=None,
            understanding=None,
            actions=None,
        )
        super().__init__(world, Case("x", "x", "x", "happy", "zh", None, (), (), "x", 1, self.clock.now()))

    async def _assistant(self, text: str, turn_id: str) -> Turn:
        self.asked.append((text, self._language, self._epoch))
        events = [
            {"event": "bot", "text": item.get("text"), "data": {"buttons": item.get("buttons"), "custom": item.get("custom")}}
            for item in answer(text)
        ]
        return Turn(State(self._sender), events=list(events))

    async def act(self, verb: str, what: str) -> dict[str, Any]:
        self.asked.clear()
        shown: Any = ()
        match verb:
            case "say":
                shown = (await self._say(what)).replies
            case "press":
                shown = (await self._press(what)).replies
            case "wait":
                self.clock.advance(self._world.settings.session_minutes * 60 + 1)
            case "give back":
                self._held = ""
        messages = [(reply.text, [offer.title for offer in reply.offers]) for reply in shown]
        return {"asked": list(self.asked), "shown": messages, "held": bool(self._held)}


async def in_gateway(gateway: Any, verb: str, what: str) -> dict[str, Any]:
    asked, seen = len(gateway.assistant.asked), len(gateway.chatwoot.messages)
    match verb:
        case "say":
            await gateway.say(what)
        case "press":
            await press(gateway, what)
        case "wait":
            gateway.clock.advance(gateway.settings.session_minutes * 60 + 1)
        case "give back":
            await gateway.deliver(gateway.status_event("pending"))
            await gateway.run()
    rows = await gateway.rows("SELECT held_by FROM gateway.conversation WHERE conversation_id = %s", gateway.conversation)
    messages = [m for m in gateway.chatwoot.messages[seen:] if not m["private"]]
    notices = {say("disclosure", "zh"), say("disclosure", "en")}
    return {
        "asked": [
            (body["message"], body["metadata"]["language"], int(body["sender"].rpartition("-e")[2]))
            for body in gateway.assistant.asked[asked:]
        ],
        "shown": [(m["content"], titles(m)) for m in messages if m["content"] not in notices],
        "held": bool(rows and rows[0]["held_by"]),
    }


async def press(gateway: Any, title: str) -> None:
    """The newest button of that title, whether or not it is still good for anything."""
    message = next(m for m in reversed(gateway.chatwoot.messages) if title in titles(m))
    await gateway.press(message, next(i for i in message["content_attributes"]["items"] if i["title"] == title))


def titles(message: dict[str, Any]) -> list[str]:
    return [item["title"] for item in message.get("content_attributes", {}).get("items", ())]


@pytest.mark.parametrize("script", SCRIPT.values(), ids=SCRIPT)
async def test_a_case_asks_and_shows_what_the_gateway_does(gateway: Any, script: list[str]) -> None:
    gateway.assistant.reply = lambda body: answer(body["message"])
    talk = InCases(gateway)
    async with open_pool(gateway.settings, Role.OPERATOR, max_size=1) as operator:
        try:
            for number, step in enumerate(script):
                verb, _, what = step.partition(": ")
                for clock in (gateway.clock, talk.clock):
                    clock.advance(3)
                if verb in {"on", "off"}:
                    await switch.turn(operator, gateway.recorder, off=verb == "off", journey=None, reason="test", who="test")
                assert await talk.act(verb, what) == await in_gateway(gateway, verb, what), f"{number}: {step}"
        finally:
            await switch.turn(operator, gateway.recorder, off=False, journey=None, reason="test", who="test")
