"""Attacks by what a customer types, and by how much of it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import psycopg
import pytest

from tightrope.gateway import drain as drain_module
from tightrope.gateway import sender as sender_module
from tightrope.gateway.chatwoot import Chatwoot
from tightrope.gateway.wording import say
from tightrope.infra.database import Role, conninfo

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "text", ["\\u0000", "a\\u0000b", "\\\\u0000", "a\x00b", '\\u0000","private":true', "\ud800x", "{{contact.email}}\\"]
)
async def test_text_that_looks_like_an_escape_is_stored_and_answered(gateway: Any, text: str) -> None:
    assert (await gateway.deliver(gateway.message(text))).status_code == 200
    await gateway.run()
    assert len(gateway.assistant.asked) == 1
    (row,) = await gateway.rows(
        "SELECT body FROM gateway.inbound WHERE conversation_id = %s AND kind = 'message'", gateway.conversation
    )
    assert row["body"]["private"] is False
    assert row["body"]["content"].replace("?", "\ud800") == text.replace("\x00", "")


async def test_flood_goes_behind_the_conversations_that_wait(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain_module, "FAIR_SECONDS", 0.0)
    for n in range(6):
        await gateway.deliver(gateway.message(f"flood {n}"))
    flooding, pending = (
        gateway.conversation,
        "SELECT id FROM gateway.inbound WHERE conversation_id = %s AND state = 'pending' AND kind = 'message'",
    )
    await gateway.rows("UPDATE procrastinate_jobs SET status = 'doing' WHERE lock = %s RETURNING id", flooding)
    await gateway.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args) VALUES ('turns', 'drain', 'other', 'other', '{}') RETURNING id"
    )
    try:
        await gateway.drain.conversation(flooding)
        assert len(await gateway.rows(pending, flooding)) == 5, "one message, then the others' turn"
        assert await gateway.rows("SELECT id FROM procrastinate_jobs WHERE lock = %s AND status = 'todo'", flooding), (
            "the rest is queued"
        )
    finally:
        await gateway.rows("DELETE FROM procrastinate_jobs WHERE lock <> %s RETURNING id", flooding)
    await asyncio.wait_for(gateway.run(), 10)
    assert await gateway.rows(pending, flooding) == [], "with nobody waiting it goes on"


async def test_switch_turned_while_a_claimed_turn_is_being_sent_holds_the_rest_back(
    gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "CLAIM_FRESH_SECONDS", 0.0)
    handle, off = gateway.chatwoot.handle, threading.Event()

    def slow(request: httpx.Request) -> httpx.Response:
        answer = handle(request)
        if request.method == "POST" and request.url.path.endswith("/messages") and not off.is_set():
            turn_switch("off")
            off.set()
        return answer

    def turn_switch(state: str) -> None:
        with psycopg.connect(conninfo(gateway.settings, Role.OPERATOR), autocommit=True) as conn:
            conn.execute(
                "INSERT INTO gateway.switch (scope, off, reason, who, record_id) VALUES ('all', %s, 'test', 'test', gen_random_uuid())",
                (state == "off",),
            )

    gateway.assistant.reply = lambda _: [{"text": "one"}, {"text": "two"}, {"text": "three"}]
    gateway.sender._chatwoot = Chatwoot(gateway.settings, transport=httpx.MockTransport(slow))
    try:
        await gateway.say("hello")
    finally:
        turn_switch("on")
    assert gateway.texts() == [say("disclosure", "en")], "nothing of the bot's leaves after the switch"
    rows = await gateway.rows(
        "SELECT state FROM gateway.outbox WHERE conversation_id = %s AND bot AND kind = 'message'", gateway.conversation
    )
    assert sorted(row["state"] for row in rows) == ["blocked", "blocked", "blocked", "sent"]
