"""After a crash: one reply to each message, once, in order, each with its record, and nothing left lying."""

from __future__ import annotations

from typing import Any

import psycopg
from demo_world import RunningDemo, until

from tightrope.audit.verify import verify_log
from tightrope.cli.customer import Customer

SETTLE = 60.0
"""Seconds: a dead worker's job is taken up after 6 to 10, a dead sender's claim after 15, and processes need some to start."""

_LEFT = """
SELECT (SELECT count(*) FROM gateway.inbound WHERE state = 'pending') AS inbound,
       (SELECT count(*) FROM gateway.outbox WHERE state IN ('pending', 'sending')) AS outbox,
       (SELECT count(*) FROM jobs.procrastinate_jobs WHERE status IN ('todo', 'doing')) AS jobs,
       (SELECT count(*) FROM audit.pending) AS unsealed,
       (SELECT count(*) FROM identity.grant WHERE expires_at > now()) AS grants"""
_TURNS = """
SELECT t.number, t.attempt, t.state, t.sender_id, i.message_id, r.event, l.index FROM gateway.turn t
JOIN gateway.inbound i ON i.id = t.inbound_id
LEFT JOIN audit.records r ON r.id = t.record_id LEFT JOIN audit.leaves l ON l.record_id = t.record_id
WHERE t.conversation_id = %(c)s ORDER BY t.number"""
_OUT = """
SELECT o.id, o.seq, o.state, o.attempts, o.chatwoot_id, t.number FROM gateway.outbox o LEFT JOIN gateway.turn t ON t.record_id = o.record_id
WHERE o.conversation_id = %(c)s AND o.kind = 'message' ORDER BY o.seq"""


def left_lying(demo: RunningDemo) -> dict[str, int]:
    """What is still under way anywhere."""
    found = demo.query("tightrope", _LEFT)[0]
    found["deliveries"] = demo.one("inbox", "SELECT count(*) FROM inbox.delivery WHERE failed IS NULL")
    return {name: count for name, count in found.items() if count}


async def settled(demo: RunningDemo, customer: Customer, messages: list[int], seconds: float = SETTLE) -> None:
    """Wait until the gateway has handled these messages of the customer and nothing is left anywhere."""
    last: Any = None

    def done() -> bool:
        nonlocal last
        try:
            sql = (
                "SELECT message_id FROM gateway.inbound WHERE conversation_id = %(c)s AND kind = 'message' AND state <> 'pending'"
            )
            handled = {row["message_id"] for row in demo.query("tightrope", sql, c=f"1-{customer.conversation}")}
            last = {"not handled": set(messages) - handled, **left_lying(demo)}
        except psycopg.Error as error:
            last = error
            return False
        return last == {"not handled": set()}

    await until(done, seconds, lambda: f"everything settled; left: {last}", every=0.15)


async def judge(demo: RunningDemo, customer: Customer, messages: list[int]) -> str:
    """Check the conversation; returns a word on what came of the first of the messages.

    Raises:
        AssertionError: says what is wrong.
    """
    conversation = f"1-{customer.conversation}"
    turns = demo.query("tightrope", _TURNS, c=conversation)
    answered = [turn["message_id"] for turn in turns]
    assert len(answered) == len(set(answered)), "one turn for each message"
    assert answered == sorted(answered), "turns in the order of the messages"
    for turn in turns:
        assert turn["state"] == "committed", f"turn {turn['number']} is {turn['state']}"
        assert turn["event"] in {"gateway:turn:made", "gateway:turn:failed"}, f"the record of turn {turn['number']} is missing"
        assert turn["index"] is not None, f"the record of turn {turn['number']} is not sealed"
    _once_and_in_order(demo, customer, turns)
    senders = {turn["sender_id"] for turn in turns}
    made = demo.one("assistant", "SELECT count(*) FROM engine.turn WHERE sender_id = ANY(%(s)s)", s=sorted(senders))
    assert made <= len(turns), "the assistant made a turn twice"
    report = await verify_log(demo.settings)
    assert report.ok, report
    return _outcome(demo, conversation, messages[0], turns)


def _once_and_in_order(demo: RunningDemo, customer: Customer, turns: list[dict[str, Any]]) -> None:
    out = demo.query("tightrope", _OUT, c=f"1-{customer.conversation}")
    states = [row["state"] for row in out]
    if "withheld" in states:
        # The inbox opened the conversation because the gateway did not take an event: from then on people have it.
        assert demo.messages(customer.conversation or 0)[0]["status"] == "open"
        out = out[: states.index("withheld")]
        assert set(states[len(out) :]) == {"withheld"}, states
    assert {row["state"] for row in out} <= {"sent"}, states
    shown = demo.bot_messages(customer.conversation or 0)
    arrived = [message["source_id"] for message in shown]
    assert arrived == [f"tr-{row['id']}" for row in out], "every reply arrived once, in order"
    assert [row["chatwoot_id"] for row in out] == [message["id"] for message in shown]
    replied = {row["number"] for row in out}
    if "withheld" not in states:
        assert {turn["number"] for turn in turns} <= replied, "every turn has its reply"


def _outcome(demo: RunningDemo, conversation: str, message: int, turns: list[dict[str, Any]]) -> str:
    turn = next((turn for turn in turns if turn["message_id"] == message), None)
    sql = "SELECT outcome FROM gateway.inbound WHERE conversation_id = %(c)s AND message_id = %(m)s AND kind = 'message'"
    outcome = demo.one("tightrope", sql, c=conversation, m=message)
    return f"{outcome}, attempt {turn['attempt']}" if turn else f"no turn ({outcome})"
